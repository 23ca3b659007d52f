"""The body of a message as a table of fields: wire name, attribute of the event, type.

    Body(e.SetMaxRunspaces, ("MaxRunspaces", "count", INT32), ("ci", "call_id", CALL_ID))

One table serves both directions, so that each wire name is defined once. Fields are written in the
order of the table, which is PowerShell's. Writing raises LocalProtocolError, reading MessageError.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from psrp.clixml import DateTime, Dictionary, Int64, List, Version
from psrp.dictionaries import primitive_dictionary
from psrp.enums import WireEnum
from psrp.events import Event, PipelineEvent
from psrp.properties import (
    Properties,
    bag,
    int32,
    int64,
    text_list,
    unwrap,
    write_enum,
)
from psrp.records import NO_TIME, ErrorRecord
from psrp.sansio import ZERO_ID, LocalProtocolError, MessageError
from psrp.versions import ProtocolVersion

__all__ = [
    "ABSENT",
    "ANYTHING",
    "BOOLEAN",
    "CALL_ID",
    "ERROR",
    "GUID",
    "INT32",
    "OPTIONAL_BYTES",
    "OPTIONAL_INT32",
    "PRIMITIVES",
    "TEXT",
    "TEXTS",
    "TEXT_OR_EMPTY",
    "TEXT_OR_NIL",
    "TIME",
    "VALUES",
    "VERSION",
    "Body",
    "Codec",
    "FieldType",
    "enum",
    "known_enum",
    "pipeline_of",
]

ABSENT: Any = object()
"""The value that a `FieldType` writes to omit a property."""


class FieldType(NamedTuple):
    """A property type, in both directions."""

    write: Callable[[str, Any, ProtocolVersion], Any]
    """Takes the wire name, the value and the peer's version; returns the value to serialize."""
    read: Callable[[Properties, str, ProtocolVersion], Any]
    """Takes the object, the wire name and the version; returns the attribute's value."""


Field: TypeAlias = tuple[str, str, FieldType]


class Codec(NamedTuple):
    """The body of a message in both directions, for bodies that are not a table."""

    write: Callable[[Any, ProtocolVersion], Any]
    """Returns the value to serialize, None for an empty body."""
    read: Callable[[UUID | None, str, Any, ProtocolVersion], Event]
    """Takes the pipeline's id, the message's name, the value (None for an empty body), version."""


def Body(event: type[Event], *fields: Field, or_empty: bool = False) -> Codec:
    """Return the codec of an event whose body is an object with these fields.

    ``or_empty`` is for a message whose body is an empty string if all fields are absent.
    """
    of_pipeline = issubclass(event, PipelineEvent)

    def write(value: Any, version: ProtocolVersion) -> Any:
        members: dict[str, Any] = {}
        for wire, attribute, kind in fields:
            written = kind.write(wire, getattr(value, attribute), version)
            if written is not ABSENT:
                members[wire] = written
        return "" if or_empty and not members else bag(members)

    def read(pid: UUID | None, message: str, value: Any, version: ProtocolVersion) -> Event:
        if or_empty and isinstance(value, str):
            return event()
        source = Properties(message, value)
        found = {attribute: kind.read(source, wire, version) for wire, attribute, kind in fields}
        if of_pipeline:
            found["pipeline_id"] = pipeline_of(pid, message)
        return event(**found)

    return Codec(write, read)


def pipeline_of(pid: UUID | None, message: str) -> UUID:
    """Return the pipeline id of a ``message``. Raises MessageError if it has none."""
    if pid is None:
        raise MessageError(message, "the message names no pipeline", "PID")
    return pid


# -- types of properties


def _same(name: str, value: Any, version: ProtocolVersion) -> Any:
    return value


def _mandatory(kind: type) -> FieldType:
    return FieldType(_same, lambda source, name, _: source.take(name, kind))


def _write_version(name: str, text: str, version: ProtocolVersion) -> Version:
    try:
        return Version(text)
    except ValueError:
        raise LocalProtocolError(f"{name}: expected two to four numbers with dots") from None


def _write_optional(name: str, value: Any, version: ProtocolVersion) -> Any:
    return ABSENT if value is None else value


def _write_optional_int32(name: str, value: int | None, version: ProtocolVersion) -> Any:
    return ABSENT if value is None else int32(name, value)


def _write_error(name: str, error: ErrorRecord | None, version: ProtocolVersion) -> Any:
    return ABSENT if error is None else error.to_object()


def _read_error(source: Properties, name: str, version: ProtocolVersion) -> ErrorRecord | None:
    value = source.object.get(name)
    return None if value is None else ErrorRecord.from_object(value, source.message)


def _write_list(name: str, value: Any, version: ProtocolVersion) -> Any:
    return List(value) if isinstance(value, tuple) else value


def _read_tuple(source: Properties, name: str, version: ProtocolVersion) -> tuple[Any, ...] | None:
    items = source.take_or_nil(name, list)
    return None if items is None else tuple(items)


def _read_texts(source: Properties, name: str, version: ProtocolVersion) -> tuple[str, ...] | None:
    if unwrap(source.any(name)) == "":
        # Old clients send an empty string in place of an empty list.
        return ()
    items = source.take_or_nil(name, list)
    if items is None:
        return None
    plain = tuple(unwrap(item) for item in items)
    if not all(isinstance(item, str) for item in plain):
        raise source.wrong(name, str)
    return plain


INT32 = FieldType(
    lambda name, value, _: int32(name, value), lambda source, name, _: source.take(name, int)
)
OPTIONAL_INT32 = FieldType(_write_optional_int32, lambda source, name, _: source.find(name, int))
CALL_ID = FieldType(
    lambda name, value, _: int64(name, value),
    lambda source, name, _: int(source.take(name, Int64)),
)
BOOLEAN = _mandatory(bool)
TEXT = _mandatory(str)
TEXT_OR_NIL = FieldType(_same, lambda source, name, _: source.take_or_nil(name, str))
TEXT_OR_EMPTY = FieldType(_same, lambda source, name, _: source.take_or_nil(name, str) or "")
VERSION = FieldType(_write_version, lambda source, name, _: str(source.take(name, Version)))
OPTIONAL_BYTES = FieldType(_write_optional, lambda source, name, _: source.find(name, bytes))
TIME = FieldType(
    lambda name, value, _: value or NO_TIME, lambda source, name, _: source.take(name, DateTime)
)
GUID = FieldType(
    lambda name, value, _: value or ZERO_ID, lambda source, name, _: source.take(name, UUID)
)
ANYTHING = FieldType(_write_list, lambda source, name, _: source.any(name))
VALUES = FieldType(_write_list, _read_tuple)
TEXTS = FieldType(lambda name, value, _: None if value is None else text_list(value), _read_texts)
PRIMITIVES = FieldType(
    lambda name, value, _: None if value is None else primitive_dictionary(value),
    lambda source, name, _: source.take_or_nil(name, Dictionary),
)
ERROR = FieldType(_write_error, _read_error)


@cache
def enum(kind: type[WireEnum]) -> FieldType:
    """Return the type of an enum that is sent as an object; an unknown number is kept."""
    return FieldType(
        lambda name, value, _: write_enum(kind, value),
        lambda source, name, _: source.enum(name, kind),
    )


@cache
def known_enum(kind: type[WireEnum]) -> FieldType:
    """Return the type of an enum that is sent as a number; an unknown number is an error."""

    def read(source: Properties, name: str, version: ProtocolVersion) -> int:
        number = source.enum(name, kind)
        if not isinstance(number, kind):
            raise MessageError(source.message, f"unknown state {number}", name)
        return number

    return FieldType(lambda name, value, _: int32(name, value), read)
