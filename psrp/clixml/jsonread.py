"""Reading of the JSON form: see `psrp.clixml.jsonform` and spec-notes/clixml-json.md."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from psrp.clixml.containers import Dictionary, Enumerable, List, Queue, Stack
from psrp.clixml.numbers import Char, Single, SizedInt
from psrp.clixml.objects import (
    CUSTOM_OBJECT,
    MemberSet,
    ProgressRecord,
    PSObject,
    SecureString,
)
from psrp.clixml.scalars import TEXT_TYPES
from psrp.clixml.times import parse_datetime, parse_timespan
from psrp.sansio import LocalProtocolError

__all__ = ["I32", "MAX_DEPTH", "SEQUENCES", "SIZED", "JsonItemsReader", "from_json"]

MAX_DEPTH = 100
"""The deepest nesting of values; PowerShell stops at 50."""

I32 = range(-(2**31), 2**31)
SIZED = {kind.__name__: kind for kind in SizedInt.__subclasses__()}
SEQUENCES = {kind.__name__: kind for kind in (List, Enumerable, Stack, Queue)}


def from_json(data: Any) -> Any:
    """Return the value that `to_json` wrote as ``data``.

    Raises LocalProtocolError, which names the place, for anything else: an unknown ``$type``, an
    unexpected or missing field, a text that is not a value of its type, a ``$ref`` before its
    ``$id``.
    """
    return _Reader().read(data, "$", 0)


class JsonItemsReader:
    """Reads the forms that `JsonItems` wrote, one by one. Raises LocalProtocolError."""

    def __init__(self) -> None:
        self._reader = _Reader()
        self._count = 0

    def read(self, form: Any) -> Any:
        """Return the next value."""
        path = f"$[{self._count}]"
        self._count += 1
        return self._reader.read(form, path, 1)

    @property
    def numbered(self) -> int:
        """The number of containers with an ``$id`` that were read; all of them are kept."""
        return len(self._reader.known)

    def alive(self) -> set[int]:
        """Return the `id` of each container that is kept."""
        return set(map(id, self._reader.known.values()))


class _Form:
    """Reads one object with ``$type``."""

    def __init__(self, data: dict[str, Any], path: str) -> None:
        self.kind = data["$type"]
        self.path = path
        self.left = {name: part for name, part in data.items() if name not in ("$type", "$id")}

    def wrong(self, text: str) -> LocalProtocolError:
        return LocalProtocolError(f"{self.path}: {self.kind} {text}")

    def take(self, name: str, *types: type, default: Any = ...) -> Any:
        if name not in self.left:
            if default is ...:
                raise self.wrong(f"without {name!r}")
            return default
        part = self.left.pop(name)
        if types and type(part) not in types:
            wanted = " or ".join(kind.__name__ for kind in types)
            raise self.wrong(f"with {name!r} of type {type(part).__name__}, not {wanted}")
        return part

    def type_names(self, default: tuple[str, ...]) -> tuple[str, ...]:
        names = self.take("type_names", list, default=None)
        if names is None:
            return default
        if not all(type(name) is str for name in names):
            raise self.wrong("with 'type_names' that are not all str")
        return tuple(names)

    def done(self) -> None:
        for name in self.left:
            raise self.wrong(f"has no field {name!r}")


class _Reader:
    """One document, with its containers by number."""

    def __init__(self) -> None:
        self.known: dict[int, Any] = {}

    def read(self, data: Any, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise LocalProtocolError(f"{path}: nested more than {MAX_DEPTH} deep")
        kind = type(data)
        if kind is dict:
            return self.object(data, path, depth + 1)
        if kind is list:
            return self.fill([], data, path, depth + 1)
        if data is None or kind is bool or kind is str or kind is float:
            return data
        if kind is int:
            if data in I32:
                return data
            raise LocalProtocolError(f"{path}: {data} is no I32; write it with a $type")
        raise LocalProtocolError(f"{path}: {kind.__name__} is not of JSON")

    def object(self, data: dict[str, Any], path: str, depth: int) -> Any:
        if "$ref" in data:
            return self.reference(data, path)
        kind = data.get("$type")
        if kind is None:
            self.names(data, path)
            if any(name.startswith("$") for name in data):
                raise LocalProtocolError(f"{path}: names with $ but no $type or $ref")
            return self.members({}, data, path, depth)
        reader = _READERS.get(kind) if type(kind) is str else None
        if reader is None:
            raise LocalProtocolError(f"{path}: unknown $type {kind!r}")
        form = _Form(data, path)
        if "$id" in data and kind not in _REFERABLE:
            raise form.wrong("cannot have an $id")
        try:
            value = reader(self, form, data.get("$id"), depth)
        except (ValueError, InvalidOperation) as error:
            raise form.wrong(f"cannot be read: {error}") from None
        form.done()
        return value

    def reference(self, data: dict[str, Any], path: str) -> Any:
        number = data["$ref"]
        if type(number) is not int or number not in self.known:
            raise LocalProtocolError(f"{path}: $ref {number!r} has no $id before it")
        if len(data) > 1:
            raise LocalProtocolError(f"{path}: a $ref stands alone")
        return self.known[number]

    def register(self, value: Any, number: Any, form: _Form) -> None:
        if number is None:
            return
        if type(number) is not int or number < 1 or number in self.known:
            raise form.wrong(f"has the $id {number!r}, which is no new positive number")
        self.known[number] = value

    def names(self, data: dict[Any, Any], path: str) -> None:
        if not all(type(name) is str for name in data):
            raise LocalProtocolError(f"{path}: not all names are str")

    def fill(self, value: list[Any], items: list[Any], path: str, depth: int) -> Any:
        for at, item in enumerate(items):
            value.append(self.read(item, f"{path}[{at}]", depth))
        return value

    def members(self, value: Any, data: dict[str, Any], path: str, depth: int) -> Any:
        self.names(data, path)
        for name, item in data.items():
            value[name] = self.read(item, f"{path}.{name}", depth)
        return value

    def entries(self, add: Callable[[Any, Any], None], form: _Form, depth: int) -> None:
        given = form.take("entries", dict, list)
        if isinstance(given, dict):
            self.names(given, form.path)
            given = list(given.items())
        for at, pair in enumerate(given):
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise form.wrong(f"with entry {at} that is no pair")
            key, item = pair
            path = f"{form.path}[{at}]"
            add(self.read(key, f"{path}[0]", depth), self.read(item, f"{path}[1]", depth))

    def plain_list(self, form: _Form, number: Any, depth: int) -> Any:
        value: list[Any] = []
        self.register(value, number, form)
        return self.fill(value, form.take("items", list), form.path, depth)

    def plain_dict(self, form: _Form, number: Any, depth: int) -> Any:
        value: dict[Any, Any] = {}
        self.register(value, number, form)
        try:
            self.entries(value.__setitem__, form, depth)
        except TypeError:
            raise form.wrong("has a key that Python cannot hash; use Dictionary") from None
        return value

    def sequence(self, form: _Form, number: Any, depth: int) -> Any:
        kind = SEQUENCES[form.kind]
        value = kind((), form.type_names(kind.DEFAULT))
        self.register(value, number, form)
        return self.fill(value, form.take("items", list), form.path, depth)

    def dictionary(self, form: _Form, number: Any, depth: int) -> Any:
        value = Dictionary()
        value.type_names = form.type_names(value.type_names)
        self.register(value, number, form)
        self.entries(value.add, form, depth)
        return value

    def member_set(self, form: _Form, _: Any, depth: int) -> Any:
        return self.members(MemberSet(), form.take("members", dict), form.path, depth)

    def psobject(self, form: _Form, number: Any, depth: int) -> Any:
        custom = form.kind == "PSCustomObject"
        value = PSObject(CUSTOM_OBJECT if custom else form.type_names(()))
        self.register(value, number, form)
        value.to_string = form.take("to_string", str, default=None)
        if "value" in form.left:
            value.value = self.read(form.take("value"), f"{form.path}.value", depth)
        adapted = form.take("adapted", dict, default=None)
        if adapted is not None:
            value.adapted = self.members({}, adapted, form.path, depth)
        self.members(value.extended, form.take("extended", dict, default={}), form.path, depth)
        return value

    def secret(self, form: _Form, *_: Any) -> Any:
        sealed = form.take("sealed", str, default=None)
        if sealed is not None:
            return SecureString.from_sealed(sealed)
        return SecureString(form.take("open", str))

    def progress(self, form: _Form, *_: Any) -> Any:
        wanted = {"current_operation": (str, type(None))}
        types = {"str": (str,), "int": (int,)}
        given = {}
        for field in fields(ProgressRecord):
            if field.name in form.left:
                kinds = wanted.get(field.name) or types[str(field.type)]
                given[field.name] = form.take(field.name, *kinds)
        try:
            return ProgressRecord(**given)
        except TypeError:
            raise form.wrong("needs activity, activity_id and status") from None


_Read = Callable[[_Reader, _Form, Any, int], Any]


def _value(make: Callable[[Any], Any], *types: type) -> _Read:
    return lambda reader, form, number, depth: make(form.take("value", *types))


def _whole(make: Callable[[int], Any]) -> Callable[[int | str], Any]:
    return lambda value: make(int(value))


def _wide(value: str | float) -> float:
    if isinstance(value, str) and value not in ("NaN", "INF", "-INF", "-0"):
        raise ValueError(f"{value!r} is not NaN, INF, -INF or -0")
    return float(value)


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError("not finite")
    return value


_READERS: dict[str, _Read] = {
    **{name: _value(_whole(kind), int, str) for name, kind in SIZED.items()},
    "BigInteger": _value(_whole(int), str),
    "Double": _value(_wide, int, float, str),
    "Single": _value(lambda value: Single(_wide(value)), int, float, str),
    "Decimal": _value(_decimal, str),
    "Char": _value(Char, str),
    "Bytes": _value(lambda text: base64.b64decode(text, validate=True), str),
    "Guid": _value(UUID, str),
    "DateTime": _value(parse_datetime, str),
    "TimeSpan": _value(parse_timespan, str),
    **{name: _value(kind, str) for name, kind in TEXT_TYPES.items()},
    "SecureString": _Reader.secret,
    "ProgressRecord": _Reader.progress,
    **dict.fromkeys(SEQUENCES, _Reader.sequence),
    "Dictionary": _Reader.dictionary,
    "MemberSet": _Reader.member_set,
    "Object": _Reader.psobject,
    "PSCustomObject": _Reader.psobject,
    "list": _Reader.plain_list,
    "dict": _Reader.plain_dict,
}
_REFERABLE = {*SEQUENCES, "Dictionary", "Object", "PSCustomObject", "list", "dict"}
