"""Errors as PowerShell shows them: the views Normal, Concise, Detailed and Category.

An error that came from another process has no position, so the views omit the line of
the script that PowerShell's views show. See spec-notes/formatting.md#error-views.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psremoting.powershell.cells import width_of
from psremoting.powershell.display_text import text_of
from psrp.clixml import PSObject
from psrp.enums import ErrorCategory
from psrp.records import ErrorRecord
from psrp.sansio import RemoteProtocolError

__all__ = ["ERROR_VIEWS", "error_lines", "error_text", "is_native_error"]

ERROR_VIEWS = ("normal", "concise", "detailed", "category")
_NATIVE = ("NativeCommandError", "NativeCommandErrorMessage")
_PARSER_ERROR = "ParserError"
_REMOTE_EXCEPTION = "System.Management.Automation.RemoteException"
_DETAIL_DEPTH = 5
_DEFAULT_WIDTH = 120


def is_native_error(record: ErrorRecord) -> bool:
    """Return True if the record is a line that a native program wrote to its standard error."""
    return record.fully_qualified_error_id in _NATIVE


def error_text(record: ErrorRecord | PSObject, view: str = "concise", **options: Any) -> str:
    """Return the result of `error_lines` as one text."""
    return "\n".join(error_lines(record, view, **options))


def error_lines(
    value: ErrorRecord | PSObject,
    view: str = "concise",
    *,
    computer: str = "",
    local: bool = False,
    width: int = _DEFAULT_WIDTH,
) -> list[str]:
    """Return the lines of an error, or of an object among the output that was one.

    view: one of `ERROR_VIEWS`. computer: the computer that it came from, which the normal and the
    detailed view name. local: a command of this process wrote it, which the normal view names.
    width: the cells of a line, for syntax errors, which are broken there.
    """
    record = _record(value)
    if is_native_error(record):
        return _split(record.message)
    if view == "category":
        return _split(record.category_message or record.message)
    if view == "detailed":
        return ["", *_detailed(record, computer), ""]
    if view == "normal":
        lines = _normal(record, computer)
        if local and record.category_activity:
            lines[0] = f"{record.category_activity} : {lines[0]}"
        return lines
    reason = _reason(record) if isinstance(value, ErrorRecord) else _reason_of_object(value)
    return _concise(record, reason, width)


def _record(value: ErrorRecord | PSObject) -> ErrorRecord:
    if isinstance(value, ErrorRecord):
        return value
    try:
        return ErrorRecord.from_object(value)
    except RemoteProtocolError:
        return ErrorRecord.create(text_of(value))


def _split(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _category(record: ErrorRecord) -> str:
    return ErrorCategory.text(record.category)


def _was_thrown(record: ErrorRecord) -> bool:
    exception = record.exception
    return type(exception) is PSObject and exception.get("WasThrownFromThrowStatement") is True


def _normal(record: ErrorRecord, computer: str) -> list[str]:
    lines = [
        *_split(record.message),
        f"+ CategoryInfo          : {record.category_message or ''}",
        f"+ FullyQualifiedErrorId : {record.fully_qualified_error_id}",
    ]
    if computer and not _was_thrown(record):
        lines.append(f"+ PSComputerName        : {computer}")
    return [part for line in lines for part in _split(line)]


def _reason(record: ErrorRecord) -> str:
    """Return the word before the message: the command, else the category, else the exception."""
    if _was_thrown(record):
        return "Exception"
    category = _category(record) if record.category else ""
    return record.category_activity or category or record.category_reason or "Error"


def _reason_of_object(value: PSObject) -> str:
    """Return the same for an object that was an error: PowerShell looks at its invocation alone."""
    invocation = value.get("InvocationInfo")
    if isinstance(invocation, PSObject):
        for name in ("MyCommand", "InvocationName"):
            if text := text_of(invocation.get(name)):
                return text
    return text_of(value.get("ErrorCategory_Activity")) or "Error"


def _concise(record: ErrorRecord, reason: str, width: int) -> list[str]:
    message = record.message
    if _category(record) == _PARSER_ERROR:
        message = _syntax_message(message, width)
    lines = _split(f"{reason}: {message}")
    if (record.recommended_action or "").strip():
        lines += _split(f"  Recommendation: {record.recommended_action}")
    return lines


def _syntax_message(message: str, width: int) -> str:
    """Return the message of a syntax error without the line that it shows, broken at ``width``."""
    if "~\n" in message:
        message = message.split("~\n")[1].split("\n\n")[0]
    rest = message.replace("\n", " ").replace("\t", " ")
    lines: list[str] = []
    while width > 0 and len(rest) > width:
        taken = rest[:width].rsplit(maxsplit=1)[0] if " " in rest[:width] else rest[:width]
        lines.append(taken)
        rest = rest[len(taken) :].strip()
    return "\n".join([*lines, rest, ""])


# -- the detailed view


def _detailed(record: ErrorRecord, computer: str) -> Iterator[str]:
    fields: list[tuple[str, Any]] = []
    if computer and not _was_thrown(record):
        fields.append(("OriginInfo", computer))
    yield from _block([*fields, *_record_fields(record, 1)], 0)


def _record_fields(record: ErrorRecord, depth: int) -> list[tuple[str, Any]]:
    fields: list[tuple[str, Any]] = [("Exception", _exception_fields(record, depth))]
    if record.target_object is not None:
        fields.append(("TargetObject", text_of(record.target_object)))
    fields.append(("CategoryInfo", record.category_message or ""))
    fields.append(("FullyQualifiedErrorId", record.fully_qualified_error_id))
    if record.details_message:
        fields.append(("ErrorDetails", record.details_message))
    if record.script_stack_trace:
        fields.append(("ScriptStackTrace", record.script_stack_trace))
    return fields


def _exception_fields(record: ErrorRecord, depth: int) -> list[tuple[str, Any]]:
    exception = record.exception
    fields: list[tuple[str, Any]] = [("Type", _REMOTE_EXCEPTION)]
    if type(exception) is PSObject:
        fields.append(("SerializedRemoteException", text_of(exception)))
    if record.invocation is not None:
        fields.append(("SerializedRemoteInvocationInfo", text_of(record.invocation)))
    nested: Any = _record_fields(record, depth + 1) if depth < _DETAIL_DEPTH else "…"
    fields.append(("ErrorRecord", nested))
    if _was_thrown(record):
        fields.append(("WasThrownFromThrowStatement", "True"))
    return [*fields, ("Message", record.exception_message), ("HResult", "-2146233087")]


def _block(fields: list[tuple[str, Any]], indent: int) -> Iterator[str]:
    label_width = max(width_of(label) for label, _ in fields)
    before = " " * indent
    for label, value in fields:
        head = f"{before}{label:{label_width}} : "
        if isinstance(value, list):
            yield head
            yield from _block(value, indent + 4)
            continue
        first, *more = _split(value)
        yield head + (first.rstrip() if more else first)
        yield from (" " * len(head) + line.strip() for line in more)
