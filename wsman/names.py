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

SELECTOR_FILTER = WSMAN.removesuffix(".xsd") + "/SelectorFilter"
"""The dialect of a filter that selects the commands of one shell."""

# -- addresses and resources

ANONYMOUS = ADDRESSING + "/role/anonymous"
RESOURCE_SHELL = SHELL
RESOURCE_COMMAND = SHELL + "/Command"
RESOURCE_CMD = SHELL + "/cmd"
POWERSHELL_PREFIX = POWERSHELL + "/"
"""The beginning of every resource URI of a PowerShell configuration, in any case."""

# -- actions

_TRANSFER = ("Create", "Delete", "Get", "Put")
_SHELL = ("Command", "Send", "Receive", "Signal", "Disconnect", "Reconnect", "Connect")
_ENUMERATION = ("Enumerate", "Pull", "Release")
_ROBUST = ("Acknowledge", "Cancel", "End", "KeepAlive")
ROBUST = WSMV.removesuffix(".xsd")
"""Prefix of the actions of a robust connection. [MS-WSMV] 3.1.4.1.39"""

FAULT_ACTION = WSMAN.removesuffix(".xsd") + "/fault"
FAULT_ACTIONS = frozenset(
    (
        FAULT_ACTION,
        ADDRESSING + "/fault",
        ENUMERATION + "/fault",
        TRANSFER + "/fault",
    )
)

ACTIONS: dict[str, str] = (
    {
        f"{space}/{name}{kind}": name + kind
        for space, names in ((TRANSFER, _TRANSFER), (SHELL, _SHELL), (ENUMERATION, _ENUMERATION))
        for name in names
        for kind in ("", "Response")
    }
    | {f"{ROBUST}/{name}": name for name in _ROBUST}
    | dict.fromkeys(FAULT_ACTIONS, "Fault")
)
"""Action URI to the short name of the operation: ``Create``, ``CreateResponse``, ``Fault``."""

ACTION_URIS: dict[str, str] = {name: uri for uri, name in ACTIONS.items()} | {"Fault": FAULT_ACTION}
"""Short name of the operation to its action URI."""

_LOWER_CASE = {uri.lower(): name for uri, name in ACTIONS.items()}


def operation_name(action: str) -> str:
    """Return the short name of an action; for an unknown one, the last part of its path.

    Case is ignored: OMI answers with ``windows/Shell``.
    """
    found = ACTIONS.get(action) or _LOWER_CASE.get(action.lower())
    return found or action.rstrip("/").rsplit("/", 1)[-1]


# -- signals

SIGNAL_STOP = "powershell/signal/crtl_c"
"""Stop a pipeline. Misspelt on the wire, and compared as text. [MS-PSRP] 3.1.5.3.9"""
SIGNAL_TERMINATE = SHELL + "/signal/terminate"
SIGNAL_CTRL_C = SHELL + "/signal/ctrl_c"
SIGNAL_CTRL_BREAK = SHELL + "/signal/ctrl_break"

COMMAND_STATE = SHELL + "/CommandState"
"""Prefix of the states of a command: Running, Pending, Done."""

SIGNALS: dict[str, str] = {
    SIGNAL_STOP: "stop the pipeline",
    "powershell/signal/ctrl_c": "stop the pipeline (ctrl_c)",
    SIGNAL_TERMINATE: "terminate",
    SIGNAL_CTRL_C: "Ctrl+C",
    SIGNAL_CTRL_BREAK: "Ctrl+Break",
}


def signal_name(code: str) -> str:
    """Return the name of a signal's code, in any case; an unknown code is returned unchanged."""
    return SIGNALS.get(code.lower(), code)


# -- fault codes that decide the client's next step

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
"""Names of WSManFault codes (unsigned)."""
