"""The names of WS-Management on the wire: namespaces, actions, resource URIs, signals, fault codes.

Sources: [MS-WSMV] 2.2.1 and 3.1.4, [MS-WSMAN] 2.2.1, [MS-PSRP] 2.2.3 and 3.1.5.3.
"""

from __future__ import annotations

__all__ = [
    "ACTIONS",
    "FAULT_ACTIONS",
    "FAULT_CODES",
    "POWERSHELL_PREFIX",
    "SIGNALS",
    "operation_name",
    "signal_name",
]

# -- namespaces

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
WSMV = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
POWERSHELL = "http://schemas.microsoft.com/powershell"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
XML = "http://www.w3.org/XML/1998/namespace"

# -- addresses and resources

ANONYMOUS = ADDRESSING + "/role/anonymous"
RESOURCE_SHELL = SHELL
RESOURCE_COMMAND = SHELL + "/Command"
RESOURCE_CMD = SHELL + "/cmd"
POWERSHELL_PREFIX = POWERSHELL + "/"
"""What every resource URI of a PowerShell configuration begins with, in any case."""

# -- actions

_TRANSFER = ("Create", "Delete", "Get", "Put")
_SHELL = ("Command", "Send", "Receive", "Signal", "Disconnect", "Reconnect", "Connect")
_ENUMERATION = ("Enumerate", "Pull", "Release")

FAULT_ACTIONS = frozenset(
    (
        "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault",
        ADDRESSING + "/fault",
        ENUMERATION + "/fault",
        TRANSFER + "/fault",
    )
)

ACTIONS: dict[str, str] = {
    f"{space}/{name}{kind}": name + kind
    for space, names in ((TRANSFER, _TRANSFER), (SHELL, _SHELL), (ENUMERATION, _ENUMERATION))
    for name in names
    for kind in ("", "Response")
} | dict.fromkeys(FAULT_ACTIONS, "Fault")
"""Action URI to the short name of the operation: ``Create``, ``CreateResponse``, ``Fault``."""


def operation_name(action: str) -> str:
    """The short name of an action; of an unknown one the last part of its path."""
    return ACTIONS.get(action) or action.rstrip("/").rsplit("/", 1)[-1]


# -- signals

SIGNAL_STOP = "powershell/signal/crtl_c"
"""Stop a pipeline. Misspelt on the wire, and compared by its text. [MS-PSRP] 3.1.5.3.9"""
SIGNAL_TERMINATE = SHELL + "/signal/terminate"
SIGNAL_CTRL_C = SHELL + "/signal/ctrl_c"
SIGNAL_CTRL_BREAK = SHELL + "/signal/ctrl_break"

SIGNALS: dict[str, str] = {
    SIGNAL_STOP: "stop the pipeline",
    "powershell/signal/ctrl_c": "stop the pipeline (ctrl_c)",
    SIGNAL_TERMINATE: "terminate",
    SIGNAL_CTRL_C: "Ctrl+C",
    SIGNAL_CTRL_BREAK: "Ctrl+Break",
}


def signal_name(code: str) -> str:
    """A signal's code in words; an unknown one as it stands. Case does not count here."""
    return SIGNALS.get(code.lower(), code)


# -- fault codes: the numbers that decide what a client does next

FAULT_TIMED_OUT = 2150858793
FAULT_NO_SUCH_SHELL = 2150858843

FAULT_CODES: dict[int, str] = {
    5: "access denied",
    87: "bad parameter",
    995: "operation aborted",
    1223: "operation cancelled",
    2147942402: "file not found",
    FAULT_TIMED_OUT: "nothing within the operation's time: ask again",
    FAULT_NO_SUCH_SHELL: "no such shell or command",
    2150858767: "a timeout in the header is not valid",
    2150859173: "too many shells for this user",
    2150859204: "shell is disconnected",
    2150859213: "shell is in use, cannot reconnect",
    2150859230: "stream is disconnected",
}
"""WSManFault codes (unsigned) in words."""
