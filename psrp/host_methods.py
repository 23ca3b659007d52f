"""The 56 methods of a host that a server may call, with the types of arguments and results.
[MS-PSRP] 2.2.3.17, ``RemoteHostMethodInfo.cs``.

A call has a call id, a method number and arguments; its answer has the same id and method and a
result or an error. Arguments have no types on the wire: `METHODS` defines them. A method without
a result is called with the id -100 and never answered.

[MS-PSRP] 2.2.3.17 has swapped the descriptions of 48 and 49: 48 fills a rectangle with one cell,
49 puts cells at a position.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from psrp.clixml import List
from psrp.enums import WireEnum
from psrp.host_types import (
    ANY,
    BOOLEAN,
    CELL,
    CELLS,
    CHOICES,
    COORDINATES,
    CREDENTIAL,
    FIELDS,
    GUID,
    INT32,
    INT32S,
    INT64,
    KEY,
    PROGRESS,
    PROMPTED,
    RECTANGLE,
    SECRET,
    SIZE,
    STRING,
    VERSION,
    HostType,
)
from psrp.properties import ARRAY_LIST
from psrp.sansio import LocalProtocolError

__all__ = [
    "METHODS",
    "VOID_CALL_ID",
    "HostMethod",
    "HostMethodId",
    "is_void",
    "read_arguments",
    "read_result",
    "write_arguments",
    "write_result",
]

VOID_CALL_ID = -100
"""The call id of every method without a result; such a call must not be answered."""


class HostMethodId(WireEnum, type_name="System.Management.Automation.Remoting.RemoteHostMethodId"):
    """RemoteHostMethodId; the names are PowerShell's. [MS-PSRP] 2.2.3.17"""

    GetName = 1
    GetVersion = 2
    GetInstanceId = 3
    GetCurrentCulture = 4
    GetCurrentUICulture = 5
    SetShouldExit = 6
    EnterNestedPrompt = 7
    ExitNestedPrompt = 8
    NotifyBeginApplication = 9
    NotifyEndApplication = 10
    ReadLine = 11
    ReadLineAsSecureString = 12
    Write1 = 13
    Write2 = 14
    WriteLine1 = 15
    WriteLine2 = 16
    WriteLine3 = 17
    WriteErrorLine = 18
    WriteDebugLine = 19
    WriteProgress = 20
    WriteVerboseLine = 21
    WriteWarningLine = 22
    Prompt = 23
    PromptForCredential1 = 24
    PromptForCredential2 = 25
    PromptForChoice = 26
    GetForegroundColor = 27
    SetForegroundColor = 28
    GetBackgroundColor = 29
    SetBackgroundColor = 30
    GetCursorPosition = 31
    SetCursorPosition = 32
    GetWindowPosition = 33
    SetWindowPosition = 34
    GetCursorSize = 35
    SetCursorSize = 36
    GetBufferSize = 37
    SetBufferSize = 38
    GetWindowSize = 39
    SetWindowSize = 40
    GetWindowTitle = 41
    SetWindowTitle = 42
    GetMaxWindowSize = 43
    GetMaxPhysicalWindowSize = 44
    GetKeyAvailable = 45
    ReadKey = 46
    FlushInputBuffer = 47
    SetBufferContents1 = 48
    SetBufferContents2 = 49
    GetBufferContents = 50
    ScrollBufferContents = 51
    PushRunspace = 52
    PopRunspace = 53
    GetIsRunspacePushed = 54
    GetRunspace = 55
    PromptForChoiceMultipleSelection = 56


class HostMethod(NamedTuple):
    """A method of the host, with the types of its arguments and its result."""

    name: str
    parameters: tuple[HostType, ...] = ()
    result: HostType | None = None

    @property
    def void(self) -> bool:
        return self.result is None


_M = HostMethodId
_TEXT = (STRING,)
_COLORED = (INT32, INT32, STRING)

METHODS: dict[int, HostMethod] = {
    _M.GetName: HostMethod("get_Name", (), STRING),
    _M.GetVersion: HostMethod("get_Version", (), VERSION),
    _M.GetInstanceId: HostMethod("get_InstanceId", (), GUID),
    _M.GetCurrentCulture: HostMethod("get_CurrentCulture", (), STRING),
    _M.GetCurrentUICulture: HostMethod("get_CurrentUICulture", (), STRING),
    _M.SetShouldExit: HostMethod("SetShouldExit", (INT32,)),
    _M.EnterNestedPrompt: HostMethod("EnterNestedPrompt"),
    _M.ExitNestedPrompt: HostMethod("ExitNestedPrompt"),
    _M.NotifyBeginApplication: HostMethod("NotifyBeginApplication"),
    _M.NotifyEndApplication: HostMethod("NotifyEndApplication"),
    _M.ReadLine: HostMethod("ReadLine", (), STRING),
    _M.ReadLineAsSecureString: HostMethod("ReadLineAsSecureString", (), SECRET),
    _M.Write1: HostMethod("Write", _TEXT),
    _M.Write2: HostMethod("Write", _COLORED),
    _M.WriteLine1: HostMethod("WriteLine"),
    _M.WriteLine2: HostMethod("WriteLine", _TEXT),
    _M.WriteLine3: HostMethod("WriteLine", _COLORED),
    _M.WriteErrorLine: HostMethod("WriteErrorLine", _TEXT),
    _M.WriteDebugLine: HostMethod("WriteDebugLine", _TEXT),
    _M.WriteProgress: HostMethod("WriteProgress", (INT64, PROGRESS)),
    _M.WriteVerboseLine: HostMethod("WriteVerboseLine", _TEXT),
    _M.WriteWarningLine: HostMethod("WriteWarningLine", _TEXT),
    _M.Prompt: HostMethod("Prompt", (STRING, STRING, FIELDS), PROMPTED),
    _M.PromptForCredential1: HostMethod("PromptForCredential", (STRING,) * 4, CREDENTIAL),
    _M.PromptForCredential2: HostMethod(
        "PromptForCredential", (STRING, STRING, STRING, STRING, INT32, INT32), CREDENTIAL
    ),
    _M.PromptForChoice: HostMethod("PromptForChoice", (STRING, STRING, CHOICES, INT32), INT32),
    _M.GetForegroundColor: HostMethod("get_ForegroundColor", (), INT32),
    _M.SetForegroundColor: HostMethod("set_ForegroundColor", (INT32,)),
    _M.GetBackgroundColor: HostMethod("get_BackgroundColor", (), INT32),
    _M.SetBackgroundColor: HostMethod("set_BackgroundColor", (INT32,)),
    _M.GetCursorPosition: HostMethod("get_CursorPosition", (), COORDINATES),
    _M.SetCursorPosition: HostMethod("set_CursorPosition", (COORDINATES,)),
    _M.GetWindowPosition: HostMethod("get_WindowPosition", (), COORDINATES),
    _M.SetWindowPosition: HostMethod("set_WindowPosition", (COORDINATES,)),
    _M.GetCursorSize: HostMethod("get_CursorSize", (), INT32),
    _M.SetCursorSize: HostMethod("set_CursorSize", (INT32,)),
    _M.GetBufferSize: HostMethod("get_BufferSize", (), SIZE),
    _M.SetBufferSize: HostMethod("set_BufferSize", (SIZE,)),
    _M.GetWindowSize: HostMethod("get_WindowSize", (), SIZE),
    _M.SetWindowSize: HostMethod("set_WindowSize", (SIZE,)),
    _M.GetWindowTitle: HostMethod("get_WindowTitle", (), STRING),
    _M.SetWindowTitle: HostMethod("set_WindowTitle", _TEXT),
    _M.GetMaxWindowSize: HostMethod("get_MaxWindowSize", (), SIZE),
    _M.GetMaxPhysicalWindowSize: HostMethod("get_MaxPhysicalWindowSize", (), SIZE),
    _M.GetKeyAvailable: HostMethod("get_KeyAvailable", (), BOOLEAN),
    _M.ReadKey: HostMethod("ReadKey", (INT32,), KEY),
    _M.FlushInputBuffer: HostMethod("FlushInputBuffer"),
    _M.SetBufferContents1: HostMethod("SetBufferContents", (RECTANGLE, CELL)),
    _M.SetBufferContents2: HostMethod("SetBufferContents", (COORDINATES, CELLS)),
    _M.GetBufferContents: HostMethod("GetBufferContents", (RECTANGLE,), CELLS),
    _M.ScrollBufferContents: HostMethod(
        "ScrollBufferContents", (RECTANGLE, COORDINATES, RECTANGLE, CELL)
    ),
    _M.PushRunspace: HostMethod("PushRunspace", (ANY,)),
    _M.PopRunspace: HostMethod("PopRunspace"),
    _M.GetIsRunspacePushed: HostMethod("get_IsRunspacePushed", (), BOOLEAN),
    _M.GetRunspace: HostMethod("get_Runspace", (), ANY),
    _M.PromptForChoiceMultipleSelection: HostMethod(
        "PromptForChoice", (STRING, STRING, CHOICES, INT32S), INT32S
    ),
}


def is_void(method: int) -> bool:
    """Return whether a method has no result; an unknown method is assumed to have one."""
    known = METHODS.get(method)
    return known is not None and known.void


def write_arguments(method: int, arguments: tuple[Any, ...]) -> List:
    """Return the ``mp`` of a call. Raises LocalProtocolError for wrong arguments."""
    known = METHODS.get(method)
    if known is None:
        return List(arguments, ARRAY_LIST)
    if len(arguments) != len(known.parameters):
        name, wanted = HostMethodId.text(method), len(known.parameters)
        raise LocalProtocolError(f"{name}: expected {wanted} arguments, got {len(arguments)}")
    return List(
        [
            None if value is None else kind.write(value)
            for kind, value in zip(known.parameters, arguments, strict=True)
        ],
        ARRAY_LIST,
    )


def read_arguments(method: int, items: list[Any]) -> tuple[Any, ...]:
    """Return the arguments of a call; unreadable and surplus ones are returned unchanged."""
    known = METHODS.get(method)
    if known is None:
        return tuple(items)
    types = known.parameters
    return (
        *(kind.read(item) for kind, item in zip(types, items, strict=False)),
        *items[len(types) :],
    )


def write_result(method: int, result: Any) -> Any:
    """Return the ``mr`` of an answer, None to omit it. Raises LocalProtocolError."""
    known = METHODS.get(method)
    if result is None or known is None:
        return result
    if known.result is None:
        raise LocalProtocolError(f"{HostMethodId.text(method)} has no result")
    return known.result.write(result)


def read_result(method: int, value: Any) -> Any:
    """Return the result of an answer; an unreadable one is returned unchanged."""
    known = METHODS.get(method)
    return value if known is None or known.result is None else known.result.read(value)
