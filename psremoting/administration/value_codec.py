"""The values of the administration as JSON and back, for the store and for export.

A data class is an object with its fields by name, an Enum its value, a tuple of pairs a list of
lists. Fields at their defaults are left out, so a newer program may add fields.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from psremoting.administration.configurations import AdministrationError

__all__ = ["from_json", "to_json"]

_T = TypeVar("_T")


def to_json(value: Any) -> Any:
    """Return a value of the administration as what `json.dumps` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {}
        for each in dataclasses.fields(value):
            held = getattr(value, each.name)
            if each.default is dataclasses.MISSING or held != each.default:
                found[each.name] = to_json(held)
        return found
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    return value


def from_json(kind: type[_T], data: Any, place: str = "") -> _T:
    """Return the ``kind`` that ``data`` describes.

    Raises AdministrationError with the place for another type, an unknown or a missing field.
    """
    if not isinstance(data, dict):
        raise AdministrationError(f"{place or kind.__name__}: expected an object")
    known = _types_of(kind)  # type: ignore[arg-type]
    for name in data:
        if name not in known:
            raise AdministrationError(f"{place or kind.__name__}: unknown field {name!r:.80}")
    values = {
        name: _read(known[name], item, f"{place or kind.__name__}.{name}")
        for name, item in data.items()
    }
    try:
        return kind(**values)
    except TypeError:
        missing = [
            each.name
            for each in dataclasses.fields(kind)  # type: ignore[arg-type]
            if each.default is dataclasses.MISSING and each.name not in values
        ]
        raise AdministrationError(
            f"{place or kind.__name__}: missing field {', '.join(missing)}"
        ) from None


@cache
def _types_of(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read(kind: Any, data: Any, place: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        if data is None:
            return None
        (kind,) = (each for each in typing.get_args(kind) if each is not type(None))
        return _read(kind, data, place)
    if origin is tuple:
        return _tuple(typing.get_args(kind), data, place)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return from_json(kind, data, place)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(data)
        except ValueError:
            raise AdministrationError(f"{place}: unknown value {data!r:.80}") from None
    if kind is bytes:
        try:
            return bytes.fromhex(data)
        except (TypeError, ValueError):
            raise AdministrationError(f"{place}: expected hexadecimal digits") from None
    if kind is float and type(data) is int:
        try:
            return float(data)
        except OverflowError:
            raise AdministrationError(f"{place}: the number is too large") from None
    if type(data) is float and not math.isfinite(data):
        raise AdministrationError(f"{place}: expected a finite number")
    if type(data) is not kind:
        raise AdministrationError(f"{place}: expected {kind.__name__}, got {data!r:.80}")
    return data


def _tuple(parts: tuple[Any, ...], data: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise AdministrationError(f"{place}: expected a list")
    if len(parts) == 2 and parts[1] is Ellipsis:
        return tuple(_read(parts[0], each, f"{place}[{at}]") for at, each in enumerate(data))
    if len(parts) != len(data):
        raise AdministrationError(f"{place}: expected {len(parts)} items")
    return tuple(
        _read(part, each, f"{place}[{at}]")
        for at, (part, each) in enumerate(zip(parts, data, strict=True))
    )
