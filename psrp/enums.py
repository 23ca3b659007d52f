"""The enums of PowerShell in the protocol, each defined once: numbers, names, type name.

On the wire an enum is an object with type, name and number, or a plain number
(`psrp.properties.write_enum`, `Properties.enum`). A number that is not in the table is kept.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import ClassVar

__all__ = [
    "ApartmentState",
    "CommandTypes",
    "ConsoleColor",
    "ErrorCategory",
    "InvocationState",
    "PipelineResultTypes",
    "ProgressType",
    "RemoteStreamOptions",
    "RunspaceState",
    "ThreadOptions",
    "WireEnum",
]

_SMA = "System.Management.Automation."


class WireEnum(IntEnum):
    """An enum of .NET. A member is a number with PowerShell's name.

    A member whose Python name differs from PowerShell's has the latter as a second value:
    ``NOT_STARTED = 0, "NotStarted"``. `str` gives PowerShell's name.
    """

    type_name: ClassVar[str]
    """The full name of the .NET type."""
    flags: ClassVar[bool]
    """True if the numbers are bits that can be combined."""

    def __new__(cls, number: int, label: str = "") -> WireEnum:
        member = int.__new__(cls, number)
        member._value_ = number
        member._label = label  # type: ignore[attr-defined]
        return member

    def __init_subclass__(cls, *, type_name: str = "", flags: bool = False) -> None:
        super().__init_subclass__()
        cls.type_name = type_name
        cls.flags = flags

    @property
    def label(self) -> str:
        """PowerShell's name."""
        return self._label or self.name  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return self.label

    @classmethod
    @cache
    def labels(cls) -> dict[int, str]:
        """Return PowerShell's names by number."""
        return {member.value: member.label for member in cls}

    @classmethod
    @cache
    def numbers(cls) -> dict[str, int]:
        """Return the numbers by PowerShell's names in lower case."""
        return {member.label.casefold(): member.value for member in cls}

    @classmethod
    def known(cls, number: int) -> int:
        """Return the member of a number, or the number if there is none."""
        return cls(number) if number in cls.labels() else number

    @classmethod
    def text(cls, number: int) -> str:
        """Return .NET's text for a number: a name, the names of the bits, or the number."""
        labels = cls.labels()
        if number in labels:
            return labels[number]
        names: list[str] = []
        rest = number
        if cls.flags:
            for bit in sorted(labels, reverse=True):
                if bit > 0 and rest & bit == bit:
                    names.append(labels[bit])
                    rest &= ~bit
        return ", ".join(reversed(names)) if names and rest == 0 else str(int(number))


class RunspaceState(WireEnum, type_name=_SMA + "Runspaces.RunspacePoolState"):
    """RUNSPACEPOOL_STATE numbers as PowerShell uses them; [MS-PSRP] 2.2.3.4 differs above 5.

    Only OPENED, CLOSED, CLOSING and BROKEN are ever sent.
    """

    BEFORE_OPEN = 0, "BeforeOpen"
    OPENING = 1, "Opening"
    OPENED = 2, "Opened"
    CLOSED = 3, "Closed"
    CLOSING = 4, "Closing"
    BROKEN = 5, "Broken"
    DISCONNECTING = 6, "Disconnecting"
    DISCONNECTED = 7, "Disconnected"
    CONNECTING = 8, "Connecting"


class InvocationState(WireEnum, type_name=_SMA + "PSInvocationState"):
    """PSInvocationState, [MS-PSRP] 2.2.3.5. A server sends only STOPPED, COMPLETED and FAILED."""

    NOT_STARTED = 0, "NotStarted"
    RUNNING = 1, "Running"
    STOPPING = 2, "Stopping"
    STOPPED = 3, "Stopped"
    COMPLETED = 4, "Completed"
    FAILED = 5, "Failed"
    DISCONNECTED = 6, "Disconnected"


class ThreadOptions(WireEnum, type_name=_SMA + "Runspaces.PSThreadOptions"):
    """PSThreadOptions, [MS-PSRP] 2.2.3.6."""

    DEFAULT = 0, "Default"
    USE_NEW_THREAD = 1, "UseNewThread"
    REUSE_THREAD = 2, "ReuseThread"
    USE_CURRENT_THREAD = 3, "UseCurrentThread"


class ApartmentState(WireEnum, type_name="System.Threading.ApartmentState"):
    """ApartmentState, [MS-PSRP] 2.2.3.7."""

    STA = 0
    MTA = 1
    UNKNOWN = 2, "Unknown"


class ErrorCategory(WireEnum, type_name=_SMA + "ErrorCategory"):
    """System.Management.Automation.ErrorCategory; the names are PowerShell's."""

    NotSpecified = 0
    OpenError = 1
    CloseError = 2
    DeviceError = 3
    DeadlockDetected = 4
    InvalidArgument = 5
    InvalidData = 6
    InvalidOperation = 7
    InvalidResult = 8
    InvalidType = 9
    MetadataError = 10
    NotImplemented = 11
    NotInstalled = 12
    ObjectNotFound = 13
    OperationStopped = 14
    OperationTimeout = 15
    SyntaxError = 16
    ParserError = 17
    PermissionDenied = 18
    ResourceBusy = 19
    ResourceExists = 20
    ResourceUnavailable = 21
    ReadError = 22
    WriteError = 23
    FromStdErr = 24
    SecurityError = 25
    ProtocolError = 26
    ConnectionError = 27
    AuthenticationError = 28
    LimitsExceeded = 29
    QuotaExceeded = 30
    NotEnabled = 31


class ConsoleColor(WireEnum, type_name="System.ConsoleColor"):
    """System.ConsoleColor; -1 on the wire means that no colour was given."""

    Black = 0
    DarkBlue = 1
    DarkGreen = 2
    DarkCyan = 3
    DarkRed = 4
    DarkMagenta = 5
    DarkYellow = 6
    Gray = 7
    DarkGray = 8
    Blue = 9
    Green = 10
    Cyan = 11
    Red = 12
    Magenta = 13
    Yellow = 14
    White = 15


class ProgressType(WireEnum, type_name=_SMA + "ProgressRecordType"):
    """System.Management.Automation.ProgressRecordType. [MS-PSRP] 2.2.5.1.25"""

    Processing = 0
    Completed = 1


class PipelineResultTypes(WireEnum, type_name=_SMA + "Runspaces.PipelineResultTypes", flags=True):
    """The destination of a stream of a command.

    The numbers are consecutive and not bits, unlike in [MS-PSRP] 2.2.3.31 (``Command.cs``). Old
    clients send 3 for Error|Output.
    """

    NONE = 0, "None"
    OUTPUT = 1, "Output"
    ERROR = 2, "Error"
    WARNING = 3, "Warning"
    VERBOSE = 4, "Verbose"
    DEBUG = 5, "Debug"
    INFORMATION = 6, "Information"
    ALL = 7, "All"
    NULL = 8, "Null"


class RemoteStreamOptions(WireEnum, type_name=_SMA + "RemoteStreamOptions", flags=True):
    """Records of a pipeline that carry their InvocationInfo; bits. [MS-PSRP] 2.2.3.8"""

    AddInvocationInfoToErrorRecord = 1
    AddInvocationInfoToWarningRecord = 2
    AddInvocationInfoToDebugRecord = 4
    AddInvocationInfoToVerboseRecord = 8
    AddInvocationInfo = 15


class CommandTypes(WireEnum, type_name=_SMA + "CommandTypes", flags=True):
    """CommandTypes; bits. [MS-PSRP] 2.2.3.19"""

    Alias = 1
    Function = 2
    Filter = 4
    Cmdlet = 8
    ExternalScript = 16
    Application = 32
    Script = 64
    Configuration = 256
    All = 383
