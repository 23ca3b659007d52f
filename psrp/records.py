"""The records of a pipeline's other streams: error, warning, verbose, debug, progress, information.
[MS-PSRP] 2.2.3.15-2.2.3.16, 2.2.2.20-2.2.2.26; ``ErrorPackage.cs``.

Each record has the members that programs use; the object it was read from is kept as ``raw``, and
an unchanged record is written from it, so that nothing is lost.
"""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from psrp.clixml import (
    DateTime,
    DateTimeKind,
    Dictionary,
    Enumerable,
    Int64,
    List,
    MemberSet,
    PSObject,
    TimeSpan,
    UInt32,
)
from psrp.clixml.scalars import format_double
from psrp.enums import ConsoleColor, ErrorCategory, ProgressType
from psrp.frozen import dataclass
from psrp.properties import (
    Properties,
    bag,
    enum_number,
    enum_object,
    int32,
    uint32,
    unwrap,
    write_enum,
)
from psrp.sansio import RemoteProtocolError

__all__ = [
    "ConsoleColor",
    "ErrorCategory",
    "ErrorRecord",
    "HostInformationMessage",
    "InformationRecord",
    "InformationalRecord",
    "ProgressRecord",
    "ProgressType",
]


_COMMAND_ORIGIN = "System.Management.Automation.CommandOrigin"
_INT_ARRAY = ("System.Int32[]", "System.Array", "System.Object")
_CORE = "System.Private.CoreLib, Version=10.0.0.0, Culture=neutral, PublicKeyToken=7cec85d7bea7798e"
_INT_COLLECTION = (
    f"System.Collections.ObjectModel.ReadOnlyCollection`1[[System.Int32, {_CORE}]]",
    "System.Object",
)
_STRING_LIST = (
    f"System.Collections.Generic.List`1[[System.String, {_CORE}]]",
    "System.Object",
)
_ERROR_RECORD = ("System.Management.Automation.ErrorRecord", "System.Object")
_EXTENDED_PREFIXES = ("invocationinfo_", "scriptextent_", "commandinfo_", "serializeextent")

#: .NET's default(DateTime), for a record that has no time of its own.
NO_TIME = DateTime(0, DateTimeKind.UNSPECIFIED)


def _extended_defaults() -> dict[str, Any]:
    """Return the members that PowerShell's decoder requires if the extended part is announced."""
    return {
        "InvocationInfo_BoundParameters": Dictionary(),
        "InvocationInfo_CommandOrigin": enum_object(_COMMAND_ORIGIN, 0, "Runspace"),
        "InvocationInfo_ExpectingInput": False,
        "InvocationInfo_InvocationName": "",
        "InvocationInfo_Line": "",
        "InvocationInfo_OffsetInLine": 0,
        "InvocationInfo_HistoryId": Int64(0),
        "InvocationInfo_PipelineIterationInfo": List((), _INT_ARRAY),
        "InvocationInfo_PipelineLength": 0,
        "InvocationInfo_PipelinePosition": 0,
        "InvocationInfo_PSScriptRoot": "",
        "InvocationInfo_PSCommandPath": None,
        "InvocationInfo_PositionMessage": "",
        "InvocationInfo_ScriptLineNumber": 0,
        "InvocationInfo_ScriptName": "",
        "InvocationInfo_UnboundArguments": List(),
        "SerializeExtent": False,
    }


def _extended(source: PSObject) -> dict[str, Any]:
    return {name: source[name] for name in source if name.casefold().startswith(_EXTENDED_PREFIXES)}


def _iteration(source: Properties, name: str) -> tuple[int, ...] | None:
    items = source.find(name, list)
    if items is None:
        return None
    if any(type(item) is not int for item in items):
        raise source.wrong(name, int)
    return tuple(items)


def _steps(steps: tuple[int, ...] | None) -> List | None:
    return None if steps is None else List(steps, _INT_COLLECTION)


def _loose_text(source: PSObject, name: str) -> str | None:
    value = unwrap(source.get(name))
    return str(value) if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """System.Management.Automation.ErrorRecord. [MS-PSRP] 2.2.3.15"""

    exception: Any = None
    """The exception as an object; its text is the member Message."""
    target_object: Any = None
    fully_qualified_error_id: str = ""
    category: int = ErrorCategory.NotSpecified
    category_activity: str | None = ""
    category_reason: str | None = ""
    category_target_name: str | None = ""
    category_target_type: str | None = ""
    category_message: str | None = ""
    details_message: str | None = None
    """Shown instead of the exception's message, if given."""
    recommended_action: str | None = None
    script_stack_trace: str | None = None
    invocation: Any = None
    """The InvocationInfo member, an object of properties or None."""
    invocation_info: dict[str, Any] | None = None
    """The extended part, by wire name (``InvocationInfo_Line``), or None."""
    pipeline_iteration_info: tuple[int, ...] | None = None
    to_string: str | None = field(default=None, compare=False)
    """The text of the object; host responses have none."""
    raw: PSObject | None = field(default=None, compare=False, repr=False)

    @classmethod
    def create(
        cls,
        message: str,
        *,
        error_id: str = "",
        category: int = ErrorCategory.NotSpecified,
        exception_type: str = "System.Exception",
        activity: str = "",
        reason: str | None = None,
        target: Any = None,
        target_name: str = "",
        target_type: str = "",
        script_stack_trace: str | None = None,
    ) -> Self:
        """Return the record that PowerShell creates from an exception with this message."""
        if reason is None:
            reason = exception_type.rpartition(".")[2]
        shown = ErrorCategory.text(category)
        where = f"({_shortened(target_name)}:{_shortened(target_type)})"
        who = f"[{_shortened(activity)}], {_shortened(reason)}"
        return cls(
            exception=_exception(exception_type, message),
            target_object=target,
            fully_qualified_error_id=error_id,
            category=category,
            category_activity=activity,
            category_reason=reason,
            category_target_name=target_name,
            category_target_type=target_type,
            category_message=f"{shown}: {where} {who}",
            script_stack_trace=script_stack_trace,
            to_string=message,
        )

    @property
    def message(self) -> str:
        """The text that PowerShell shows: the details, the exception's message, or the category."""
        return self.details_message or self.exception_message

    @property
    def exception_message(self) -> str:
        """The exception's message, or the category if that is blank."""
        message = None
        if type(self.exception) is PSObject:
            message = _loose_text(self.exception, "Message")
        for text in (message, self.to_string, self.category_message):
            if text and not text.isspace():
                return text
        return ""

    def __str__(self) -> str:
        return self.message

    @classmethod
    def from_object(cls, value: Any, message: str = "ERROR_RECORD") -> Self:
        """Read a record from ``message``. Raises MessageError."""
        source = Properties(message, value)
        text = source.take_or_nil
        extended = source.take("SerializeExtendedInfo", bool)
        category = source.enum("ErrorCategory_Category", ErrorCategory)
        return cls(
            exception=source.any("Exception"),
            target_object=source.any("TargetObject"),
            fully_qualified_error_id=text("FullyQualifiedErrorId", str) or "",
            category=category,
            category_activity=text("ErrorCategory_Activity", str),
            category_reason=text("ErrorCategory_Reason", str),
            category_target_name=text("ErrorCategory_TargetName", str),
            category_target_type=text("ErrorCategory_TargetType", str),
            category_message=text("ErrorCategory_Message", str),
            details_message=_loose_text(value, "ErrorDetails_Message"),
            recommended_action=_loose_text(value, "ErrorDetails_RecommendedAction"),
            script_stack_trace=_loose_text(value, "ErrorDetails_ScriptStackTrace"),
            invocation=value.get("InvocationInfo"),
            invocation_info=_extended(value) if extended else None,
            pipeline_iteration_info=(
                _iteration(source, "PipelineIterationInfo") if extended else None
            ),
            to_string=value.to_string,
            raw=value,
        )

    def to_object(self, *, bare: bool = False) -> PSObject:
        """Return the object of the message; ``bare`` omits type and text, as in host responses."""
        if self.raw is not None and _unchanged(self):
            return self.raw
        members: dict[str, Any] = {
            "Exception": self.exception,
            "TargetObject": self.target_object,
            "FullyQualifiedErrorId": self.fully_qualified_error_id,
            "InvocationInfo": self.invocation,
            "ErrorCategory_Category": int32("ErrorCategory_Category", self.category),
            "ErrorCategory_Activity": self.category_activity,
            "ErrorCategory_Reason": self.category_reason,
            "ErrorCategory_TargetName": self.category_target_name,
            "ErrorCategory_TargetType": self.category_target_type,
            "ErrorCategory_Message": self.category_message,
        }
        if self.details_message is not None or self.recommended_action is not None:
            members["ErrorDetails_Message"] = self.details_message
            members["ErrorDetails_RecommendedAction"] = self.recommended_action
        members["SerializeExtendedInfo"] = self.invocation_info is not None
        if self.invocation_info is not None:
            members |= _extended_defaults() | self.invocation_info
            steps = self.pipeline_iteration_info
            members["PipelineIterationInfo"] = _steps(steps)
        if self.script_stack_trace:
            members["ErrorDetails_ScriptStackTrace"] = self.script_stack_trace
        if bare:
            return bag(members)
        return PSObject(_ERROR_RECORD, None, members, self.to_string or self.message)


def _unchanged(record: ErrorRecord | InformationalRecord) -> bool:
    """Return whether the record equals the object that it was read from."""
    try:
        source = type(record).from_object(record.raw)
    except RemoteProtocolError:
        return False
    return source == record and getattr(source, "to_string", 0) == getattr(record, "to_string", 0)


def _shortened(text: str) -> str:
    """Return a part of a category message; over 40 characters, its middle is omitted."""
    return text if len(text) <= 40 else f"{text[:19]}…{text[-19:]}"


def _exception(type_name: str, message: str) -> PSObject:
    types = dict.fromkeys((type_name, "System.Exception", "System.Object"))
    return PSObject(
        types,
        {
            "TargetSite": None,
            "Message": message,
            "Data": Dictionary(
                type_names=("System.Collections.ListDictionaryInternal", "System.Object")
            ),
            "InnerException": None,
            "HelpLink": None,
            "Source": None,
            "HResult": -2146233088,
            "StackTrace": None,
        },
        to_string=f"{type_name}: {message}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationalRecord:
    """A warning, verbose or debug record. [MS-PSRP] 2.2.3.16"""

    message: str
    invocation_info: dict[str, Any] | None = None
    """The extended part, by wire name, or None."""
    pipeline_iteration_info: tuple[int, ...] | None = None
    raw: PSObject | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return self.message

    @classmethod
    def from_object(cls, value: Any, message: str = "WARNING_RECORD") -> Self:
        """Read a record from ``message``. Raises MessageError."""
        source = Properties(message, value)
        extended = source.take("InformationalRecord_SerializeInvocationInfo", bool)
        return cls(
            message=source.take_or_nil("InformationalRecord_Message", str) or "",
            invocation_info=_extended(value) if extended else None,
            pipeline_iteration_info=(
                _iteration(source, "InformationalRecord_PipelineIterationInfo")
                if extended
                else None
            ),
            raw=value,
        )

    def to_object(self, kind: str) -> PSObject:
        """Return the object of the message; ``kind`` is Warning, Verbose or Debug."""
        if self.raw is not None and _unchanged(self):
            return self.raw
        members: dict[str, Any] = {
            "InformationalRecord_Message": self.message,
            "InformationalRecord_SerializeInvocationInfo": self.invocation_info is not None,
        }
        if self.invocation_info is not None:
            members |= _extended_defaults() | self.invocation_info
            steps = self.pipeline_iteration_info
            members["InformationalRecord_PipelineIterationInfo"] = _steps(steps)
        types = (
            f"System.Management.Automation.{kind}Record",
            "System.Management.Automation.InformationalRecord",
            "System.Object",
        )
        return PSObject(types, None, members, self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressRecord:
    """A PROGRESS_RECORD, [MS-PSRP] 2.2.2.25; inside other data it is that of `psrp.clixml`."""

    activity: str
    activity_id: int = 0
    status: str = ""
    current_operation: str | None = None
    parent_activity_id: int = -1
    """-1 when there is no parent."""
    percent_complete: int = -1
    """0 to 100, or -1 when unknown."""
    type: int = ProgressType.Processing
    seconds_remaining: int = -1
    """-1 when unknown."""

    def __str__(self) -> str:
        return f"{self.activity}: {self.status}"

    @classmethod
    def from_object(cls, value: Any, message: str = "PROGRESS_RECORD") -> Self:
        """Read a record from ``message``. Raises MessageError."""
        source = Properties(message, value)
        return cls(
            activity=source.take("Activity", str),
            activity_id=source.take("ActivityId", int),
            status=source.take("StatusDescription", str),
            current_operation=source.take_or_nil("CurrentOperation", str),
            parent_activity_id=source.take("ParentActivityId", int),
            percent_complete=source.take("PercentComplete", int),
            type=source.enum("Type", ProgressType),
            seconds_remaining=source.take("SecondsRemaining", int),
        )

    def to_object(self) -> PSObject:
        """Return the object of the message, which is not the element PR.

        Empty texts become a space, because PowerShell refuses empty ones.
        """
        return bag(
            {
                "Activity": self.activity or " ",
                "ActivityId": int32("ActivityId", self.activity_id),
                "StatusDescription": self.status or " ",
                "CurrentOperation": self.current_operation,
                "ParentActivityId": int32("ParentActivityId", self.parent_activity_id),
                "PercentComplete": int32("PercentComplete", self.percent_complete),
                "Type": write_enum(ProgressType, self.type),
                "SecondsRemaining": int32("SecondsRemaining", self.seconds_remaining),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInformationMessage:
    """The data of Write-Host's information record; a host call shows the same text."""

    message: str
    no_new_line: bool = False
    foreground_color: int | None = None
    """A ConsoleColor, or None if it was not given."""
    background_color: int | None = None

    @classmethod
    def from_object(cls, value: Any) -> Self | None:
        """Read the data of an information record; return None if it is not from Write-Host."""
        if type(value) is not PSObject or "Message" not in value or "NoNewLine" not in value:
            return None
        return cls(
            message=_loose_text(value, "Message") or "",
            no_new_line=unwrap(value.get("NoNewLine")) is True,
            foreground_color=_color(value.get("ForegroundColor")),
            background_color=_color(value.get("BackgroundColor")),
        )


def _color(value: Any) -> int | None:
    # The depth limit of the record is reached here, so colours are the text of their enum.
    number = None if value is None else enum_number(value, ConsoleColor)
    return ConsoleColor(number) if number in ConsoleColor.labels() else None


_MAX_TEXT_MEMBERS = 100


def _text(value: Any, *, nested: bool = False) -> str:
    """Return .NET's ToString() of a value: of a container its type, of an object its members."""
    if type(value) is PSObject:
        if value.to_string is not None:
            return value.to_string
        if value.value is not None:
            return _text(value.value, nested=nested)
        names = value.type_names
        if nested or (names and not names[0].endswith("PSCustomObject")):
            return names[0].removeprefix("Deserialized.") if names else ""
        members = [
            f"{name}={_text(member, nested=True)}"
            for name, member in value.items()[:_MAX_TEXT_MEMBERS]
        ]
        return "@{" + "; ".join(members) + "}"
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return {"INF": "∞", "-INF": "-∞"}.get(text := format_double(value), text)
    if isinstance(value, DateTime):
        return value.to_datetime().strftime("%m/%d/%Y %H:%M:%S")
    if isinstance(value, (str, int, UUID, Decimal)):
        return str(value)
    if isinstance(value, TimeSpan):
        return _clock(value.ticks)
    if isinstance(value, (dict, MemberSet)):
        return "System.Collections.Hashtable"
    if isinstance(value, (bytes, bytearray)):
        return "System.Byte[]"
    names = getattr(value, "type_names", ("System.Object[]",))
    return names[0].removeprefix("Deserialized.") if names else type(value).__name__


def _item_text(value: Any) -> str:
    """Return the text of an item of a list; PowerShell reads a list in it as an ArrayList."""
    is_list = isinstance(unwrap(value), (list, Enumerable))
    return "System.Collections.ArrayList" if is_list else _text(value)


def _clock(ticks: int) -> str:
    """Return a TimeSpan as .NET shows it: ``[-][d.]hh:mm:ss[.fffffff]``."""
    seconds, fraction = divmod(abs(ticks), 10_000_000)
    days, seconds = divmod(seconds, 86400)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    sign, whole = "-" if ticks < 0 else "", f"{days}." if days else ""
    return f"{sign}{whole}{text}" + (f".{fraction:07d}" if fraction else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationRecord:
    """An INFORMATION_RECORD. [MS-PSRP] 2.2.2.26"""

    message_data: Any
    source: str | None = ""
    time_generated: DateTime | None = None
    tags: tuple[str, ...] = ()
    user: str | None = ""
    computer: str | None = ""
    process_id: int = 0
    native_thread_id: int = 0
    managed_thread_id: int = 0

    @property
    def host_message(self) -> HostInformationMessage | None:
        """The data of Write-Host, or None; a host call shows the same text."""
        return HostInformationMessage.from_object(self.message_data)

    def __str__(self) -> str:
        """Return what PowerShell's ToString() shows: the text of the data."""
        shown = self.host_message
        if shown is not None:
            return shown.message
        if self.message_data is None:
            return "System.Management.Automation.InformationRecord"
        data = unwrap(self.message_data)
        if isinstance(data, (list, Enumerable)):
            return " ".join(map(_item_text, data))
        return _text(self.message_data)

    @classmethod
    def from_object(cls, value: Any, message: str = "INFORMATION_RECORD") -> Self:
        """Read a record from ``message``. Raises MessageError."""
        source = Properties(message, value)
        tags = source.take_or_nil("Tags", list) or []
        if not all(isinstance(unwrap(tag), str) for tag in tags):
            raise source.wrong("Tags", str)
        return cls(
            message_data=source.any("MessageData"),
            source=source.take_or_nil("Source", str),
            time_generated=source.take("TimeGenerated", DateTime),
            tags=tuple(unwrap(tag) for tag in tags),
            user=source.take_or_nil("User", str),
            computer=source.take_or_nil("Computer", str),
            process_id=int(source.take("ProcessId", UInt32)),
            native_thread_id=int(source.take("NativeThreadId", UInt32)),
            managed_thread_id=int(source.take("ManagedThreadId", UInt32)),
        )

    def to_object(self) -> PSObject:
        """Return the object of the message, without type names, as PowerShell writes it."""
        return bag(
            {
                "MessageData": self.message_data,
                "Source": self.source,
                "TimeGenerated": self.time_generated or NO_TIME,
                "Tags": List(self.tags, _STRING_LIST),
                "User": self.user,
                "Computer": self.computer,
                "ProcessId": uint32("ProcessId", self.process_id),
                "NativeThreadId": uint32("NativeThreadId", self.native_thread_id),
                "ManagedThreadId": uint32("ManagedThreadId", self.managed_thread_id),
            }
        )
