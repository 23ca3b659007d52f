"""The checks of every request before it is processed, and the limits of the service.

Each check raises `wsman.hosting.Refusal` with the fault of WinRM. [MS-WSMV] 3.1.4.1,
[MS-WSMAN] 2.2.4, spec-notes/wsman-service.md
"""

from __future__ import annotations

import hashlib

from psrp.frozen import dataclass
from wsman import names, queries, soap
from wsman.durations import parse_duration
from wsman.faults import make_fault
from wsman.hosting import Refusal
from wsman.powershell_work import MANAGED_EXCEPTION, plugin_fault

__all__ = [
    "ServiceLimits",
    "check_headers",
    "check_idle_timeout",
    "check_selectors",
    "digest_of",
    "envelope_limit",
    "identify",
    "timeout_of",
    "unreadable",
]

MIN_ENVELOPE = 8192
_MAX_MESSAGE_ID = 2048
_MAX_SELECTORS = 32

CHUNKED = 50
"""ERROR_NOT_SUPPORTED: WinRM's answer to a chunked request of a shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimits:
    """Quotas and times; the names are those of WinRM's configuration."""

    max_envelope_size: int = 512_000
    """MaxEnvelopeSizekb, in bytes: the limit for requests and answers."""
    max_timeout: float = 60.0
    """MaxTimeoutms, in seconds: the longest OperationTimeout."""
    max_shells_per_user: int = 30
    max_shells: int = 1000
    """Shells of all users."""
    max_users: int = 100
    """MaxConcurrentUsers: users with shells at the same time."""
    max_operations_per_user: int = 1500
    """MaxConcurrentOperationsPerUser: requests that wait for an answer."""
    idle_timeout: float = 7200.0
    """IdleTimeout in seconds of a shell whose client sends none."""
    min_idle_timeout: float = 60.0
    max_idle_timeout: float = 2_147_483.0
    gather_time: float = 0.005
    """Seconds that output of a running command waits for more of it, to travel in fewer answers."""
    max_batch_items: int = 32_000
    enumeration_timeout: float = 60.0
    """EnumerationTimeoutms, in seconds: the maximum time until the next Pull."""
    max_enumerations: int = 100
    """Unfinished enumerations of all users."""


def digest_of(data: bytes) -> bytes:
    """Return a hash of an envelope. A client that sends it again may demand more headers to be
    understood. [MS-WSMV] 3.1.4.1.39"""
    for each in (b"true", b"false", b"1", b"0"):
        data = data.replace(b'mustUnderstand="' + each + b'"', b"")
    return hashlib.blake2b(data, digest_size=16).digest()


def check_headers(envelope: soap.Envelope) -> None:
    """Check the headers of an envelope. Raises Refusal."""
    _check_understood(envelope)
    if envelope.repeated:
        raise Refusal(
            make_fault(
                "InvalidMessageInformationHeader",
                f"The header {envelope.repeated[0]} occurs more than once.",
            )
        )
    for name, value in (
        ("Action", envelope.action),
        ("To", envelope.to),
        ("ReplyTo", envelope.reply_to),
        ("ResourceURI", envelope.resource_uri),
    ):
        if not value:
            raise Refusal(
                make_fault("MessageInformationHeaderRequired", f"The header {name} is missing.")
            )
    if envelope.reply_to != names.ANONYMOUS:
        raise Refusal(
            make_fault(
                "UnsupportedFeature",
                "The ReplyTo address has to be the anonymous one.",
                detail=_detail("AddressingMode"),
            )
        )
    if not 0 < len(envelope.message_id) <= _MAX_MESSAGE_ID:
        raise Refusal(
            make_fault(
                "InvalidMessageInformationHeader",
                f"Expected a MessageID of 1 to {_MAX_MESSAGE_ID} characters.",
            )
        )


def _check_understood(envelope: soap.Envelope) -> None:
    for name in envelope.unknown:
        local = name.rpartition("}")[2]
        if local in envelope.must_understand:
            raise Refusal(make_fault("NotUnderstood", f"The header {local[:80]} is not known."))
    for name in ("Locale", "DataLocale"):
        if name in envelope.must_understand:
            raise Refusal(
                make_fault(
                    "UnsupportedFeature",
                    f"The header {name} cannot be demanded.",
                    detail=_detail("Locale"),
                )
            )


def check_selectors(envelope: soap.Envelope) -> None:
    """Check that no selector occurs twice. Raises Refusal."""
    if len(envelope.selectors) > _MAX_SELECTORS:
        raise Refusal(make_fault("InvalidSelectors", "There are too many selectors."))
    seen = set()
    for name, _ in envelope.selectors:
        if name.lower() in seen:
            raise Refusal(
                make_fault(
                    "InvalidSelectors",
                    f"The selector {name[:80]} occurs more than once.",
                    detail=_detail("DuplicateSelectors"),
                )
            )
        seen.add(name.lower())


def envelope_limit(envelope: soap.Envelope, limits: ServiceLimits) -> int:
    """Return the maximum size of the answer in bytes. Raises Refusal."""
    asked = envelope.max_envelope_size
    if asked is None:
        return min(153_600, limits.max_envelope_size)
    if asked < MIN_ENVELOPE:
        raise Refusal(
            make_fault(
                "EncodingLimit",
                f"The MaxEnvelopeSize of {asked} bytes is below the minimum of {MIN_ENVELOPE}.",
            )
        )
    return min(asked, limits.max_envelope_size)


def timeout_of(envelope: soap.Envelope, limits: ServiceLimits) -> float:
    """Return the seconds after which the request times out. Raises Refusal."""
    if not envelope.operation_timeout:
        return limits.max_timeout
    seconds = parse_duration(envelope.operation_timeout)
    if seconds is None or seconds < 0:
        raise Refusal(make_fault("InvalidTimeout", "The OperationTimeout is not a duration."))
    return min(seconds or limits.max_timeout, limits.max_timeout)


def check_idle_timeout(seconds: float | None, limits: ServiceLimits) -> None:
    """Check the range of a Disconnect's IdleTimeOut. Raises Refusal."""
    if seconds is None or limits.min_idle_timeout <= seconds <= limits.max_idle_timeout:
        return
    text = (
        f"The IdleTimeOut of {seconds:.0f} seconds is not between "
        f"{limits.min_idle_timeout:.0f} and {limits.max_idle_timeout:.0f}."
    )
    raise Refusal(make_fault("InvalidParameter", text))


def _detail(name: str) -> str:
    return names.WSMAN.removesuffix(".xsd") + "/faultDetail/" + name


def identify(version: str) -> queries.IdentifyResponse:
    """Return the answer to Identify; with an empty version it discloses nothing."""
    stack = f"OS: 0.0.0 SP: 0.0 Stack: 3.0{' ' + version if version else ''}"
    return queries.IdentifyResponse(product_vendor="psremoting", product_version=stack)


def unreadable(error: soap.SoapError) -> Refusal:
    """Return the fault for an unreadable body; invalid base64 has a fault of the plugin."""
    if error.element == "Action":
        return Refusal(make_fault("ActionNotSupported"))
    if error.element in ("creationXml", "connectXml", "Stream"):
        return plugin_fault(MANAGED_EXCEPTION, str(error))
    return Refusal(make_fault("SchemaValidationError", str(error)))
