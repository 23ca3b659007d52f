"""The enums of PowerShell that the protocol carries, under PowerShell's own names.

On the wire an enum is an object with type, name and number (`psrp.properties.enum_object`);
the tables give the name to each number and serve a peer that sends the name alone.
"""

from __future__ import annotations

from enum import IntEnum

from psrp.properties import Labels

__all__ = [
    "APARTMENT_STATES",
    "COLORS",
    "COMMAND_TYPES",
    "ERROR_CATEGORIES",
    "INVOCATION_STATES",
    "PIPELINE_RESULT_TYPES",
    "PROGRESS_TYPES",
    "REMOTE_STREAM_OPTIONS",
    "RUNSPACE_STATES",
    "THREAD_OPTIONS",
    "ConsoleColor",
    "ErrorCategory",
    "PipelineResultTypes",
    "ProgressType",
]


class ErrorCategory(IntEnum):
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


class ConsoleColor(IntEnum):
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


class ProgressType(IntEnum):
    """System.Management.Automation.ProgressRecordType. [MS-PSRP] 2.2.5.1.25"""

    Processing = 0
    Completed = 1


class PipelineResultTypes(IntEnum):
    """Where a stream of a command goes. The numbers follow each other; they are no bits,
    whatever [MS-PSRP] 2.2.3.31 says (``Command.cs``). Old clients send 3 for Error|Output."""

    NONE = 0
    OUTPUT = 1
    ERROR = 2
    WARNING = 3
    VERBOSE = 4
    DEBUG = 5
    INFORMATION = 6
    ALL = 7
    NULL = 8


ERROR_CATEGORIES: Labels = {item.value: item.name for item in ErrorCategory}
COLORS: Labels = {item.value: item.name for item in ConsoleColor}
PROGRESS_TYPES: Labels = {item.value: item.name for item in ProgressType}

PIPELINE_RESULT_TYPES: Labels = {
    0: "None",
    1: "Output",
    2: "Error",
    3: "Warning",
    4: "Verbose",
    5: "Debug",
    6: "Information",
    7: "All",
    8: "Null",
}

THREAD_OPTIONS: Labels = {
    0: "Default",
    1: "UseNewThread",
    2: "ReuseThread",
    3: "UseCurrentThread",
}

APARTMENT_STATES: Labels = {0: "STA", 1: "MTA", 2: "Unknown"}

#: Which records of a pipeline carry their InvocationInfo; bits. [MS-PSRP] 2.2.3.8
REMOTE_STREAM_OPTIONS: Labels = {
    1: "AddInvocationInfoToErrorRecord",
    2: "AddInvocationInfoToWarningRecord",
    4: "AddInvocationInfoToDebugRecord",
    8: "AddInvocationInfoToVerboseRecord",
    15: "AddInvocationInfo",
}

#: Bits. [MS-PSRP] 2.2.3.19
COMMAND_TYPES: Labels = {
    1: "Alias",
    2: "Function",
    4: "Filter",
    8: "Cmdlet",
    16: "ExternalScript",
    32: "Application",
    64: "Script",
    256: "Configuration",
    383: "All",
}

RUNSPACE_STATES: Labels = {
    0: "BeforeOpen",
    1: "Opening",
    2: "Opened",
    3: "Closed",
    4: "Closing",
    5: "Broken",
    6: "Disconnecting",
    7: "Disconnected",
    8: "Connecting",
}

INVOCATION_STATES: Labels = {
    0: "NotStarted",
    1: "Running",
    2: "Stopping",
    3: "Stopped",
    4: "Completed",
    5: "Failed",
    6: "Disconnected",
}
