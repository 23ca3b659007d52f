"""Conversion of CLIXML values to plain Python values, without their .NET types."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psrp.clixml.containers import Dictionary
from psrp.clixml.objects import Credential, MemberSet, ProgressRecord, PSObject, SecureString
from psrp.clixml.times import DateTime, TimeSpan
from psrp.sansio import LocalProtocolError

__all__ = ["MAX_DEPTH", "to_plain"]

MAX_DEPTH = 100
"""The deepest nesting of values; PowerShell stops at 50."""


def to_plain(value: Any, *, reveal: bool = False, cycle: str | None = None) -> Any:
    """Return a value of None, bool, int, float, str, bytes, list, dict, datetime, timedelta,
    Decimal and UUID only.

    ==============================  ====================================================
    the fixed-width integers        ``int``
    Single                          ``float``
    Char, Version, Uri,             ``str``
    ScriptBlock, XmlDocument
    DateTime                        ``datetime``: UTC and LOCAL know their zone, UNSPECIFIED
                                    is naive; the seventh digit of the second is lost
    TimeSpan                        ``timedelta``, the seventh digit lost
    bytearray, memoryview           ``bytes``
    List, Stack, Queue, Enumerable  ``list`` (the top of a stack last)
    Dictionary                      ``dict``; when two keys would become one, or one is a
                                    container, a ``list`` of ``[key, value]`` lists
    an enum                         its name, a ``str``: ``"Friday"``, ``"ReadOnly, Hidden"``
    another PSObject with a value   that value; its notes are dropped
    another PSObject                ``dict`` of its properties, an extended one before an
                                    adapted one; without any, its text; without that ``{}``
    MemberSet, ProgressRecord       ``dict``
    ==============================  ====================================================

    One container becomes one list or dict, so a value that contains itself becomes one that
    contains itself, unless ``cycle`` is a text to put there instead. A SecureString raises
    LocalProtocolError; with ``reveal`` an open one becomes its text and only a sealed one raises.
    LocalProtocolError is also raised for an object that is not a CLIXML value, for nesting deeper
    than `MAX_DEPTH`, and for a time zone of a day or more, which Python cannot express.
    """
    return _Plain(reveal, cycle).make(value, "$", 0)


class _Plain:
    def __init__(self, reveal: bool, cycle: str | None) -> None:
        self.reveal = reveal
        self.cycle = cycle
        self.made: dict[int, Any] = {}
        self.open: set[int] = set()
        """The containers that are being converted: one that occurs again is a cycle."""

    def make(self, value: Any, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise LocalProtocolError(f"{path}: nested more than {MAX_DEPTH} deep")
        kind = type(value)
        maker = _MAKERS.get(kind) or next(
            (_MAKERS[base] for base in kind.__mro__ if base in _MAKERS), None
        )
        if maker is None:
            raise LocalProtocolError(f"{path}: {kind.__name__} is not a CLIXML value")
        try:
            return maker(self, value, path, depth + 1)
        except ValueError as error:
            raise LocalProtocolError(f"{path}: {error}") from None

    def again(self, value: Any) -> tuple[bool, Any]:
        """Return whether this container was converted before, and its plain value."""
        if id(value) in self.open and self.cycle is not None:
            return True, self.cycle
        return id(value) in self.made, self.made.get(id(value))

    def sequence(self, value: Iterable[Any], path: str, depth: int) -> Any:
        known, made = self.again(value)
        if known:
            return made
        made = self.made[id(value)] = []
        self.open.add(id(value))
        for at, item in enumerate(value):
            made.append(self.make(item, f"{path}[{at}]", depth))
        self.open.discard(id(value))
        return made

    def members(self, value: Any, path: str, depth: int) -> Any:
        known, made = self.again(value)
        if known:
            return made
        made = self.made[id(value)] = {}
        self.open.add(id(value))
        for name, item in value.items():
            made[str.__str__(name)] = self.make(item, f"{path}.{name}", depth)
        self.open.discard(id(value))
        return made

    def dictionary(self, value: Any, path: str, depth: int) -> Any:
        known, made = self.again(value)
        if known:
            return made
        self.open.add(id(value))
        pairs = value.items()
        keys = []
        if all(_is_scalar(key) for key, _ in pairs):
            keys = [self.make(key, f"{path}[{at}]", depth) for at, (key, _) in enumerate(pairs)]
        if len(set(keys)) == len(pairs):
            made = self.made[id(value)] = {}
            for at, (key, (_, item)) in enumerate(zip(keys, pairs, strict=True)):
                made[key] = self.make(item, f"{path}[{at}]", depth)
        else:
            made = self.made[id(value)] = []
            for at, pair in enumerate(pairs):
                made.append([self.make(part, f"{path}[{at}]", depth) for part in pair])
        self.open.discard(id(value))
        return made

    def psobject(self, value: PSObject, path: str, depth: int) -> Any:
        if value.value is not None:
            if value.to_string is not None and "System.Enum" in _bare_names(value):
                return value.to_string
            return self.make(value.value, path, depth)
        if value.to_string is not None and not len(value):
            return value.to_string
        return self.members(value, path, depth)

    def secret(self, value: SecureString, path: str, depth: int) -> str:
        if not self.reveal:
            raise LocalProtocolError(f"{path}: cannot show a SecureString: pass reveal=True")
        return value.reveal()


def _is_scalar(key: Any) -> bool:
    """Return whether a key becomes a hashable value that is not a container."""
    for _ in range(MAX_DEPTH):
        if not isinstance(key, PSObject):
            break
        if key.value is None:
            return key.to_string is not None and not len(key)
        key = key.value
    return not isinstance(key, PSObject) and not isinstance(
        key, (list, tuple, dict, Dictionary, ProgressRecord)
    )


def _bare_names(value: PSObject) -> Iterable[str]:
    return (name.removeprefix("Deserialized.") for name in value.type_names)


_Make = Callable[[_Plain, Any, str, int], Any]


def _by(convert: Callable[[Any], Any]) -> _Make:
    return lambda plain, value, path, depth: convert(value)


def _itself(plain: _Plain, value: Any, path: str, depth: int) -> Any:
    return value


_MAKERS: dict[type, _Make] = {
    type(None): _itself,
    bool: _itself,
    int: _by(int),
    float: _by(float),
    str: _by(str.__str__),
    bytes: _itself,
    bytearray: _by(bytes),
    memoryview: _by(bytes),
    UUID: _itself,
    Decimal: _itself,
    datetime: _itself,
    date: _by(lambda day: datetime(day.year, day.month, day.day)),
    timedelta: _itself,
    DateTime: _by(DateTime.to_datetime),
    TimeSpan: _by(TimeSpan.to_timedelta),
    SecureString: _Plain.secret,
    ProgressRecord: _by(
        lambda value: {field.name: getattr(value, field.name) for field in fields(value)}
    ),
    list: _Plain.sequence,
    tuple: _Plain.sequence,
    Dictionary: _Plain.dictionary,
    dict: _Plain.dictionary,
    MemberSet: _Plain.members,
    PSObject: _Plain.psobject,
    Credential: lambda plain, value, path, depth: {
        "UserName": value.user_name,
        "Password": plain.secret(value.password, f"{path}.Password", depth),
    },
}
