"""Faults of WS-Management: their meaning to a client, and the faults that a server returns.

A fault's code is the unsigned number in WSManFault/@Code; PowerShell's tables have the same
numbers with a sign. Without a code the subcode decides. [MS-WSMV] 2.2.4.43
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsman import names
from wsman.errors import WSManFault, error_id
from wsman.soap import Fault

if TYPE_CHECKING:
    from wsman.envelopes import Body

__all__ = [
    "FAULT_NAMES",
    "GONE",
    "NO_SUCH_SHELL",
    "RETRIED",
    "TIMED_OUT",
    "Fault",
    "WSManFault",
    "error_id",
    "is_gone",
    "is_send_refused",
    "is_timed_out",
    "make_fault",
    "write_fault",
]

TIMED_OUT = names.FAULT_TIMED_OUT
NO_SUCH_SHELL = names.FAULT_NO_SUCH_SHELL
ABORTED = 995
CANCELLED = 1223
SHELL_DISCONNECTED = 0x803381C4
STREAM_DISCONNECTED = 0x803381DE
IN_USE = 0x803381CD
QUOTA_SHELLS = 0x803381A5

GONE = frozenset((ABORTED, CANCELLED, NO_SUCH_SHELL, SHELL_DISCONNECTED, STREAM_DISCONNECTED))
"""Codes that end a Receive in an orderly way after its target was closed."""

RETRIED = frozenset(
    (0x80338012, ABORTED, 1722, 0x80338113, 0x803381D0, 0x803381C6, 0x80338112, 0x80338170)
)
"""Codes after which a Create is repeated, up to MaxConnectionRetryCount."""


def is_timed_out(fault: Fault) -> bool:
    """Return whether the fault means no data within the OperationTimeout: ask again."""
    return fault.wsman_code == TIMED_OUT or (
        fault.wsman_code is None and fault.subcode == "TimedOut"
    )


def is_gone(fault: Fault) -> bool:
    """Return whether the fault means that the shell or the command no longer exists.

    OMI reports an unknown shell as ``wsa:DestinationUnreachable``.
    """
    if fault.wsman_code is not None:
        return fault.wsman_code in GONE
    return fault.subcode in ("InvalidSelectors", "DestinationUnreachable")


def is_send_refused(fault: Fault) -> bool:
    """Return whether a Send was refused, and not delivered, because another is in progress.

    PowerShell's provider on Linux (psl-omi-provider, ``Shell.c``) answers a Send before it ends it,
    so that the next one can come too early.
    """
    return fault.wsman_code is None and fault.reason == "Already have a child send request"


# -- faults that a server returns

_DETAIL = names.WSMAN.removesuffix(".xsd") + "/faultDetail/"
_SENDER, _RECEIVER = "Sender", "Receiver"
_GONE_TEXT = (
    "The WS-Management service cannot process the request because the request contained invalid "
    "selectors for the resource."
)
_FAULTS: dict[str, tuple[str, str, int | None, str, str]] = {
    "TimedOut": (
        _RECEIVER, "TimedOut", TIMED_OUT, "",
        "The WS-Management service cannot complete the operation within the time specified in "
        "OperationTimeout.",
    ),
    "InvalidSelectors": (
        _SENDER, "InvalidSelectors", NO_SUCH_SHELL, "UnexpectedSelectors", _GONE_TEXT,
    ),
    "AccessDenied": (_SENDER, "AccessDenied", 5, "", "Access is denied."),
    "InternalError": (_RECEIVER, "InternalError", None, "", "The operation failed."),
    "InvalidParameter": (
        _SENDER, "InvalidParameter", 87, "InvalidValue", "The parameter is incorrect.",
    ),
    "InvalidTimeout": (
        _SENDER, "InvalidMessageInformationHeader", 2150858767, "",
        "The WS-Management service cannot process the request. The request contains one or more "
        "invalid SOAP headers.",
    ),
    "InvalidMessageInformationHeader": (
        _SENDER, "InvalidMessageInformationHeader", None, "",
        "The WS-Management service cannot process the request. The request contains one or more "
        "invalid SOAP headers.",
    ),
    "MessageInformationHeaderRequired": (
        _SENDER, "MessageInformationHeaderRequired", None, "",
        "The WS-Management service cannot process the request. The request is missing one or "
        "more required SOAP headers.",
    ),
    "NotUnderstood": (
        "MustUnderstand", "", None, "",
        "The WS-Management service cannot process the request because it contains one or more "
        "invalid SOAP headers.",
    ),
    "ActionNotSupported": (
        _SENDER, "ActionNotSupported", None, "",
        "The WS-Management service cannot process the request. This resource does not support "
        "the requested operation.",
    ),
    "DestinationUnreachable": (
        _SENDER, "DestinationUnreachable", 0x80338002, "InvalidResourceURI",
        "The WS-Management service cannot process the request. The resource URI was not found.",
    ),
    "EncodingLimit": (
        _SENDER, "EncodingLimit", None, "MinimumEnvelopeLimit",
        "The WS-Management service cannot process the request. The maximum envelope size is "
        "below the minimum of 8192 bytes.",
    ),
    "UnsupportedFeature": (
        _SENDER, "UnsupportedFeature", None, "",
        "The WS-Management service does not support the requested feature.",
    ),
    "QuotaLimit": (
        _SENDER, "QuotaLimit", QUOTA_SHELLS, "",
        "The WS-Management service cannot process the request. The maximum number of concurrent "
        "shells for this user has been exceeded. Close existing shells or raise the quota for "
        "this user.",
    ),
    "InvalidOptions": (
        _SENDER, "InvalidOptions", None, "NotSupported",
        "The WS-Management service cannot process the request because it contains an unsupported "
        "option.",
    ),
    "SchemaValidationError": (
        _SENDER, "SchemaValidationError", None, "",
        "The WS-Management service cannot process the request because the XML is invalid.",
    ),
    "InvalidEnumerationContext": (
        _RECEIVER, "InvalidEnumerationContext", None, "",
        "The WS-Management service cannot process the request. The supplied enumeration context "
        "is invalid.",
    ),
}  # fmt: skip
"""Name: code, subcode, WSManFault code, FaultDetail without its prefix, reason."""


FAULT_NAMES = frozenset(_FAULTS)
"""The names that `make_fault` knows."""


def make_fault(name: str, message: str = "", **changes: object) -> Fault:
    """Return a fault by name, with its own message and other fields replaced."""
    code, subcode, number, detail, reason = _FAULTS[name]
    fault = Fault(
        code=code,
        subcode=subcode,
        reason=reason,
        detail=_DETAIL + detail if detail else "",
        wsman_code=number,
        message=message or reason,
    )
    return replace(fault, **changes)  # type: ignore[arg-type]


_ADDRESSING = frozenset(
    ("InvalidMessageInformationHeader", "MessageInformationHeaderRequired", "ActionNotSupported",
     "DestinationUnreachable", "EndpointUnavailable")
)  # fmt: skip
_ENUMERATION = frozenset(("InvalidEnumerationContext", "FilteringNotSupported"))


def fault_action(fault: Fault) -> str:
    """Return the action URI of the envelope that carries the fault."""
    if fault.subcode in _ADDRESSING:
        return names.ADDRESSING + "/fault"
    if fault.subcode in _ENUMERATION:
        return names.ENUMERATION + "/fault"
    return names.FAULT_ACTION


def write_fault(body: Body, fault: Fault) -> None:
    """Write the s:Fault of an envelope, with Windows' detail if there is a code or a text."""
    element = body.add(names.SOAP, "Fault")
    code = body.add(names.SOAP, "Code", parent=element)
    body.add(names.SOAP, "Value", f"s:{fault.code or _RECEIVER}", parent=code)
    if fault.subcode:
        prefix = (
            "a" if fault.subcode in _ADDRESSING else "n" if fault.subcode in _ENUMERATION else "w"
        )
        subcode = body.add(names.SOAP, "Subcode", parent=code)
        body.add(names.SOAP, "Value", f"{prefix}:{fault.subcode}", parent=subcode)
    reason = body.add(names.SOAP, "Reason", parent=element)
    language = {f"{{{names.XML}}}lang": "en-US"}
    body.add(names.SOAP, "Text", fault.reason or fault.message, language, parent=reason)
    if not (fault.detail or fault.message or fault.wsman_code is not None):
        return
    detail = body.add(names.SOAP, "Detail", parent=element)
    if fault.detail:
        body.add(names.WSMAN, "FaultDetail", fault.detail, parent=detail)
    attributes = {"Machine": fault.machine}
    if fault.wsman_code is not None:
        attributes = {"Code": str(fault.wsman_code)} | attributes
    windows = body.add(names.FAULT, "WSManFault", attributes=attributes, parent=detail)
    message = body.add(names.FAULT, "Message", parent=windows)
    if fault.provider:
        provider = {"provider": fault.provider, "path": ""}
        body.add(names.FAULT, "ProviderFault", fault.message, provider, parent=message)
    else:
        message.text = fault.message
