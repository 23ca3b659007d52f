"""Errors of commands, and their conversion to PowerShell's error records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from psrp.records import ErrorCategory, ErrorRecord
from psrp.sansio import LocalProtocolError

__all__ = [
    "CommandError",
    "RecordError",
    "leaves_of",
    "local_scope_refused",
    "parse_error",
    "record_of",
    "unextended",
]

_SMA = "System.Management.Automation."


class CommandError(Exception):
    """An error with PowerShell's particulars; raised by a command, it ends the pipeline.

    ``error_id`` is the first part of the FullyQualifiedErrorId, the command's name follows it
    unless ``full_id``; ``exception_type`` is the .NET type that the client sees.
    """

    def __init__(
        self,
        message: str,
        *,
        error_id: str = "RuntimeException",
        category: ErrorCategory = ErrorCategory.NotSpecified,
        exception_type: str = _SMA + "RuntimeException",
        target: Any = None,
        target_type: str | None = None,
        full_id: bool = False,
        activity: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_id = error_id
        self.category = category
        self.exception_type = exception_type
        self.target = target
        self.target_type = target_type
        self.full_id = full_id
        self.activity = activity
        self.argument: int | None = None
        """Index of the invalid argument, if any."""

    def to_record(self, command: str) -> ErrorRecord:
        shown = "" if self.target is None else str(self.target)
        kind = self.target_type
        if kind is None:
            kind = "" if self.target is None else _type_word(self.target)
        made = ErrorRecord.create(
            self.message,
            error_id=self.error_id if self.full_id or not command else f"{self.error_id},{command}",
            category=self.category,
            exception_type=self.exception_type,
            activity=command if self.activity is None else self.activity,
            target=self.target if isinstance(self.target, (str, int, float, bool)) else None,
            target_name=shown,
            target_type=kind,
        )
        return _shortened(made) if len(shown) > _WIDE else made


_WIDE, _KEPT = 40, 19
"""Maximum name length in a category message, and the length kept at each end of longer ones."""


def _shortened(record: ErrorRecord) -> ErrorRecord:
    name = record.category_target_name or ""
    short = f"{name[:_KEPT]}…{name[-_KEPT:]}"
    message = (record.category_message or "").replace(f"({name}:", f"({short}:", 1)
    return replace(record, category_message=message)


def unextended(record: ErrorRecord) -> ErrorRecord:
    """Return the record without the members that only the error stream has."""
    if record.invocation_info is None:
        return record
    return replace(record, invocation_info=None, pipeline_iteration_info=None)


class RecordError(Exception):
    """An error record that ends its statement; with ``fatal`` it ends the whole pipeline."""

    def __init__(self, record: ErrorRecord, *, fatal: bool = False) -> None:
        super().__init__(record.message)
        self.record = record
        self.fatal = fatal


_WORDS: dict[type, str] = {str: "String", bool: "Boolean", int: "Int32", float: "Double"}


def _type_word(value: Any) -> str:
    return _WORDS.get(type(value), type(value).__name__)


#: The category and the .NET type of Python's exceptions; the first match counts.
_KNOWN: tuple[tuple[type[BaseException], ErrorCategory, str], ...] = (
    (FileNotFoundError, ErrorCategory.ObjectNotFound, "System.IO.FileNotFoundException"),
    (FileExistsError, ErrorCategory.ResourceExists, "System.IO.IOException"),
    (PermissionError, ErrorCategory.PermissionDenied, "System.UnauthorizedAccessException"),
    (TimeoutError, ErrorCategory.OperationTimeout, "System.TimeoutException"),
    (ConnectionError, ErrorCategory.ConnectionError, "System.IO.IOException"),
    (OSError, ErrorCategory.ResourceUnavailable, "System.IO.IOException"),
    (NotImplementedError, ErrorCategory.NotImplemented, "System.NotImplementedException"),
    (LookupError, ErrorCategory.ObjectNotFound, "System.Collections.Generic.KeyNotFoundException"),
    (ZeroDivisionError, ErrorCategory.InvalidOperation, "System.DivideByZeroException"),
    (ArithmeticError, ErrorCategory.InvalidOperation, "System.ArithmeticException"),
    (TypeError, ErrorCategory.InvalidType, "System.ArgumentException"),
    (ValueError, ErrorCategory.InvalidArgument, "System.ArgumentException"),
    (MemoryError, ErrorCategory.ResourceUnavailable, "System.OutOfMemoryException"),
    (LocalProtocolError, ErrorCategory.InvalidData, _SMA + "PSSerializationException"),
)


def record_of(error: BaseException, command: str) -> ErrorRecord:
    """Return the record of an exception that ``command`` raised.

    Its message is the exception's text; the traceback is not sent.
    """
    if isinstance(error, RecordError):
        return error.record
    if isinstance(error, CommandError):
        return error.to_record(command)
    if isinstance(error, BaseExceptionGroup):
        return _record_of_group(error, command)
    message, name = _text_of(error), type(error).__name__
    category, kind = ErrorCategory.NotSpecified, _SMA + "RuntimeException"
    for base, its_category, its_kind in _KNOWN:
        if isinstance(error, base):
            category, kind = its_category, its_kind
            break
    return ErrorRecord.create(
        message or f'An error of type "{name}" has occurred.',
        error_id=f"{name},{command}" if command else name,
        category=category,
        exception_type=kind,
        activity=command,
        reason=name,
    )


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions of a group and of the groups in it, or the exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves_of(each)
    else:
        yield error


def _record_of_group(error: BaseExceptionGroup[BaseException], command: str) -> ErrorRecord:
    """Return the record of a group; of a single exception the record of that one."""
    leaves = list(leaves_of(error))
    if len(leaves) == 1:
        return record_of(leaves[0], command)
    name = type(error).__name__
    return ErrorRecord.create(
        "One or more errors occurred. " + " ".join(f"({_text_of(each)})" for each in leaves),
        error_id=f"{name},{command}" if command else name,
        exception_type="System.AggregateException",
        activity=command,
        reason=name,
    )


def _text_of(error: BaseException) -> str:
    try:
        return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    except Exception:
        # The __str__ of the exception raises.
        return ""


def parse_error(
    message: str, error_id: str, *, incomplete: bool = False, target: str = ""
) -> CommandError:
    """Return the error of a command line; ``incomplete`` makes a client ask for more lines."""
    kind = "IncompleteParseException" if incomplete else "ParseException"
    return CommandError(
        message,
        error_id=error_id,
        category=ErrorCategory.ParserError,
        exception_type=_SMA + kind,
        target=target or None,
        target_type="String" if target else "",
        full_id=True,
        activity="",
    )


def local_scope_refused() -> CommandError:
    """Return the error of UseLocalScope without a language. ``Command.cs``"""
    return CommandError(
        "UseLocalScope cannot be false when language mode is RestrictedLanguage or NoLanguage.",
        full_id=True,
        activity="",
    )
