"""Comparison of a value with PowerShell's description of it."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    DateTimeKind,
    Dictionary,
    Int16,
    Int64,
    PSObject,
    SByte,
    Single,
    Stack,
    TimeSpan,
    UInt16,
    UInt32,
    UInt64,
    Uri,
    Version,
    XmlDocument,
    deserialized,
)
from tests.recordings import FIXTURES

KINDS = {
    "System.Boolean": bool,
    "System.Byte": Byte,
    "System.Byte[]": bytes,
    "System.Char": Char,
    "System.DateTime": DateTime,
    "System.Decimal": Decimal,
    "System.Double": float,
    "System.Guid": UUID,
    "System.Int16": Int16,
    "System.Int32": int,
    "System.Int64": Int64,
    "System.SByte": SByte,
    "System.Single": Single,
    "System.TimeSpan": TimeSpan,
    "System.UInt16": UInt16,
    "System.UInt32": UInt32,
    "System.UInt64": UInt64,
    "System.Uri": Uri,
    "System.Version": Version,
    "System.Xml.XmlDocument": XmlDocument,
}


def vectors(name: str) -> list[dict[str, Any]]:
    """Return the lines of one of the two files of PowerShell 7.6."""
    path = FIXTURES / "clixml" / "powershell-7.6" / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def differences(value: Any, truth: dict[str, Any] | None, path: str = "$") -> Iterator[str]:
    """Return the differences from PowerShell's description."""
    if truth is None:
        if value is not None:
            yield f"{path}: not null"
        return
    inner = value
    while isinstance(inner, PSObject) and inner.value is not None:
        inner = inner.value
    if isinstance(value, PSObject):
        yield from _of_object(value, truth, path)
    kind = KINDS.get(truth["type"])
    if kind is not None and type(inner) is not kind:
        yield f"{path}: {type(inner).__name__} for {truth['type']}"
    elif "items" in truth and not isinstance(inner, str):
        yield from _of_items(inner, truth["items"], path)
    elif "pairs" in truth and not isinstance(inner, str):
        yield from _of_pairs(inner, truth["pairs"], path)
    else:
        yield from _of_scalar(value, inner, truth, path)


def _of_object(value: PSObject, truth: dict[str, Any], path: str) -> Iterator[str]:
    names = tuple(truth.get("type_names", value.type_names))
    if value.type_names and names not in (value.type_names, deserialized(value.type_names)):
        yield f"{path}: type names {value.type_names}"
    if value.to_string is not None and truth.get("to_string", value.to_string) != value.to_string:
        yield f"{path}: ToString {value.to_string!r}"
    for part, members in (("notes", value.extended), ("adapted", value.adapted)):
        for name, expected in truth.get(part, {}).items():
            if members is None or name not in members:
                yield f"{path}: no {name}"
            else:
                yield from differences(members[name], expected, f"{path}.{name}")


def _of_items(value: Any, items: list[Any], path: str) -> Iterator[str]:
    if isinstance(value, PSObject) and not len(value):
        return  # written without its content because of the depth limit
    if isinstance(value, Stack):
        value = value[::-1]
    if not isinstance(value, list) or len(value) != len(items):
        yield f"{path}: not {len(items)} items"
        return
    for index, (item, expected) in enumerate(zip(value, items, strict=True)):
        yield from differences(item, expected, f"{path}[{index}]")


def _of_pairs(value: Any, pairs: list[Any], path: str) -> Iterator[str]:
    if not isinstance(value, Dictionary) or len(value) != len(pairs):
        yield f"{path}: not {len(pairs)} pairs"
        return
    for key, expected in pairs:
        if not any(
            not list(differences(k, key)) and not list(differences(v, expected))
            for k, v in value.items()
        ):
            yield f"{path}: no entry {key}"


def _of_scalar(value: Any, inner: Any, truth: dict[str, Any], path: str) -> Iterator[str]:
    facts: dict[str, Any] = {}
    if truth.get("utf16") is not None:
        facts["utf16"] = inner.encode("utf-16-be", "surrogatepass").hex()
    if "length" in truth:
        facts["length"] = len(inner.encode("utf-16-be", "surrogatepass")) // 2
    if "value" in truth:
        facts["value"] = inner
    if "code" in truth:
        facts["code"] = ord(inner)
    if "base64" in truth:
        facts["base64"] = base64.b64encode(inner).decode()
    if "bits" in truth and not (isinstance(inner, float) and inner != inner):
        facts["bits"] = _bits(inner)
    if "ticks" in truth:
        facts.update(_times(inner, truth))
    if "text" in truth:
        facts["text"] = _text(value, inner, truth)
    for name, found in facts.items():
        if found != truth[name]:
            yield f"{path}: {name} is {found!r}, not {truth[name]!r}"


def _bits(number: float | Decimal) -> str:
    if isinstance(number, Decimal):
        sign, digits, exponent = number.as_tuple()
        whole = int("".join(map(str, digits)))
        words = (whole & 0xFFFFFFFF, whole >> 32 & 0xFFFFFFFF, whole >> 64)
        return "".join(f"{word:08x}" for word in (*words, sign << 31 | -int(exponent) << 16))
    return struct.pack(">f" if isinstance(number, Single) else ">d", number).hex()


def _times(value: DateTime | TimeSpan, truth: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, TimeSpan):
        return {"ticks": str(value.ticks)}
    found = {"kind": value.kind.value}
    if value.kind is DateTimeKind.LOCAL:
        return found | {"utc_ticks": str(max(value.utc_ticks, 0))}
    return found | {"ticks": str(value.ticks)}


def _text(value: Any, inner: Any, truth: dict[str, Any]) -> str:
    if truth["type"] not in KINDS and isinstance(value, PSObject) and value.to_string is not None:
        return value.to_string
    return str(inner)
