"""Entries as JSON lines, in the stable form of spec-notes/decoding.md."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psremoting.capture.entries import Hidden
from psremoting.capture.raw_view import raw_view
from psrp.clixml.jsonform import to_json
from psrp.events import (
    Event,
    PipelineHostCall,
    PipelineHostResponse,
    PipelineInput,
    PipelineOutput,
    RunspacePoolHostCall,
    RunspacePoolHostResponse,
    UnknownMessage,
)
from psrp.host_methods import HostMethodId
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from psremoting.capture.entries import Entry

__all__ = ["body", "is_structure", "line", "record"]


def line(entry: Entry, *, reveal: bool = False, raw: bool = False, offsets: bool = False) -> str:
    """Return one line of JSON without line end; ASCII only, so that surrogates survive."""
    found = record(entry, reveal=reveal, raw=raw, offsets=offsets)
    return json.dumps(found, separators=(",", ":"))


def record(
    entry: Entry, *, reveal: bool = False, raw: bool = False, offsets: bool = False
) -> dict[str, Any]:
    """Return all members of one line, in a fixed order.

    ``raw`` adds the bytes as sent, ``offsets`` their place in the file to ``carrier``.
    """
    carrier = entry.carrier
    if not offsets and "file_offset" in carrier:
        carrier = {name: value for name, value in carrier.items() if name != "file_offset"}
    found = {
        "n": entry.n,
        "direction": entry.direction.value if entry.direction else None,
        "target": _guid(entry.target),
        "stream": entry.stream.value if entry.stream else None,
        "type": entry.type,
        "rpid": _guid(entry.rpid),
        "pid": _guid(entry.pid),
        "object_id": entry.object_id,
        "fragments": entry.fragments,
        "size": entry.size,
        "carrier": carrier,
        "data": body(entry, reveal=reveal),
    }
    if raw:
        view = raw_view(entry.raw, reveal=reveal) if entry.raw is not None else None
        found["raw"] = {"xml": view.xml, "hex": view.data.hex()} if view is not None else None
    return found


def body(entry: Entry, *, reveal: bool = False) -> Any:
    """Return the data of a message or act, or the value, as JSON.

    Without ``reveal``, a secure string is replaced by its number of characters.
    """
    if entry.event is not None:
        describe: Callable[[Any], Any] = _BODIES.get(type(entry.event), _structure)
        found = describe(entry.event)
    elif entry.holds_value:
        found = _value(entry.value)
    else:
        return _shown(entry.data, reveal)
    return found if reveal else _hide(found)


def _shown(data: Any, reveal: bool) -> Any:
    """Return the data of an act as JSON."""
    if isinstance(data, dict) and any(isinstance(value, Hidden) for value in data.values()):
        return {
            name: value.shown(reveal) if isinstance(value, Hidden) else value
            for name, value in data.items()
        }
    return data


def _guid(value: UUID | None) -> str | None:
    return str(value) if value is not None else None


def _value(value: Any) -> Any:
    try:
        return to_json(value, reveal=True)
    except LocalProtocolError as error:
        return {"$type": "unprintable", "text": str(error)}


def is_structure(value: Any) -> bool:
    """Return True if value is a structure of the protocol, and not a CLIXML value."""
    module = type(value).__module__
    return is_dataclass(value) and module.startswith("psrp.") and "clixml" not in module


def _any(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.name
    if is_structure(value):
        return _structure(value)
    if type(value) is dict and any(is_structure(item) for item in value.values()):
        return {str(key): _any(item) for key, item in value.items()}
    if type(value) in (tuple, list):
        return [_any(item) for item in value]
    return _value(value)


def _structure(value: Any) -> dict[str, Any] | None:
    found = {
        field.name: _any(getattr(value, field.name))
        for field in fields(value)
        if field.name != "raw" and (field.name != "pipeline_id" or not isinstance(value, Event))
    }
    return found or None


def _call(event: Any) -> dict[str, Any]:
    return {"call_id": event.call_id, **_method(event.method), "arguments": _any(event.arguments)}


def _answer(event: Any) -> dict[str, Any]:
    return {
        "call_id": event.call_id,
        **_method(event.method),
        "result": _any(event.result),
        "error": _any(event.error),
    }


def _method(number: int) -> dict[str, Any]:
    try:
        return {"method": HostMethodId(number).name, "method_id": int(number)}
    except ValueError:
        return {"method": None, "method_id": int(number)}


def _unknown(event: Any) -> dict[str, Any]:
    return {"message_type": event.message_type, "body": event.body.hex()}


_BODIES: dict[type[Event], Callable[[Any], Any]] = {
    PipelineInput: lambda event: _any(event.data),
    PipelineOutput: lambda event: _any(event.data),
    PipelineHostCall: _call,
    RunspacePoolHostCall: _call,
    PipelineHostResponse: _answer,
    RunspacePoolHostResponse: _answer,
    UnknownMessage: _unknown,
}


def _hide(form: Any) -> Any:
    """Return the same JSON with the content of secure strings removed."""
    if isinstance(form, dict):
        if form.get("$type") == "SecureString":
            text = form.get("open")
            size = f"{len(text)} characters" if isinstance(text, str) else "sealed"
            return {"$type": "SecureString", "hidden": size}
        return {name: _hide(value) for name, value in form.items()}
    if isinstance(form, list):
        return [_hide(value) for value in form]
    return form
