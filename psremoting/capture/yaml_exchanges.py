"""Recorded WS-Man exchanges in YAML, with plain-text envelopes.

Two schemas: ``{"messages": [{"request", "response", ...}]}`` and
``[{"Request": {...}, "Response": {...}}]``. The file is read event by event, so that a long or
truncated file yields the exchanges before the damage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from psremoting.capture.http_message import HttpMessage, read_status
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from psremoting.capture.source import Source

__all__ = ["read_yaml"]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 16


def read_yaml(source: Source) -> Iterator[HttpMessage]:
    """Yield the messages of either schema. Raises CaptureError with the offset of the damage."""
    number = 0
    for line, item in _items(source):
        if not isinstance(item, dict):
            raise source.fail(f"line {line}: an exchange has to be a mapping")
        make = _winrs_pair if "Request" in item else _plain_pair
        for message in make(item, line, number):
            number += 1
            if message.soap and not message.soap.rstrip("\0 \t\r\n").endswith(">"):
                raise source.fail(f"line {line}: the recording ends inside an envelope")
            yield message
        if not item.keys() & {"response", "Response"}:
            raise source.fail(f"line {line}: the recording ends inside an exchange")
    if not number:
        raise source.fail("no exchanges in this YAML file")


def _plain_pair(item: dict[str, Any], line: int, number: int) -> Iterator[HttpMessage]:
    request, response = item.get("request"), item.get("response")
    if isinstance(request, str):
        number += 1
        yield HttpMessage(number=number, side=Side.CLIENT, offset=line, soap=request)
    if "response" not in item:
        return
    error = item.get("transport_error")
    status = read_status(error.get("code")) if isinstance(error, dict) else None
    failed = item.get("http_error") == "true"
    yield HttpMessage(
        number=number + 1,
        side=Side.SERVER,
        offset=line,
        soap=response if isinstance(response, str) else None,
        status=status if status is not None or failed else 200,
        note="the exchange failed; how was not recorded" if failed else "",
    )


def _winrs_pair(item: dict[str, Any], line: int, number: int) -> Iterator[HttpMessage]:
    for side, name in ((Side.CLIENT, "Request"), (Side.SERVER, "Response")):
        part = item.get(name)
        if not isinstance(part, dict):
            continue
        number += 1
        headers = part.get("Headers")
        body = part.get("Body")
        yield HttpMessage(
            number=number,
            side=side,
            offset=line,
            start=f"{part.get('Method', '')} {part.get('Url', '')}".strip(),
            status=read_status(part.get("StatusCode")),
            headers=tuple((str(k), str(v)) for k, v in headers.items())
            if isinstance(headers, dict)
            else (),
            soap=body if isinstance(body, str) and body.strip() else None,
        )


def _items(source: Source) -> Iterator[tuple[int, Any]]:
    """Yield the items of all lists of exchanges, each with its 1-based line.

    A list is the root of a document, or a member of the mapping there; a file may have several
    documents.
    """
    loader = _LOADER(source)
    lists = 0
    try:
        while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
            if isinstance(event, yaml.SequenceStartEvent):
                lists += 1
                yield from _list(loader)
            elif isinstance(event, yaml.MappingStartEvent):
                lists += yield from _lists_of_mapping(loader)
        if not lists:
            raise yaml.YAMLError("no list of exchanges")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        where = f"line {mark.line + 1}: " if mark is not None else ""
        at = mark.index if mark is not None else getattr(error, "position", -1)
        raise source.fail(f"{where}not YAML: {problem}", at) from None
    finally:
        loader.dispose()


def _lists_of_mapping(loader: Any) -> Generator[tuple[int, Any], None, int]:
    """Yield the items of all lists in a mapping; return the number of lists."""
    lists = 0
    while not isinstance(event := loader.get_event(), yaml.MappingEndEvent):
        _value(loader, event, 1)  # the key
        value = loader.get_event()
        if isinstance(value, yaml.SequenceStartEvent):
            lists += 1
            yield from _list(loader)
        else:
            _value(loader, value, 1)
    return lists


def _list(loader: Any) -> Iterator[tuple[int, Any]]:
    while not isinstance(event := loader.get_event(), yaml.SequenceEndEvent):
        yield event.start_mark.line + 1, _value(loader, event, 0)


def _value(loader: Any, event: Any, depth: int) -> Any:
    """Return strings, lists and dicts; None for a plain null.

    Aliases are refused: they can expand without limit.
    """
    if depth > _MAX_DEPTH:
        raise yaml.YAMLError("nested too deeply")
    if isinstance(event, yaml.ScalarEvent):
        return None if event.implicit[0] and event.value in ("", "~", "null") else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(inner := loader.get_event(), yaml.SequenceEndEvent):
            items.append(_value(loader, inner, depth + 1))
        return items
    if isinstance(event, yaml.MappingStartEvent):
        pairs: dict[str, Any] = {}
        while not isinstance(inner := loader.get_event(), yaml.MappingEndEvent):
            key = _value(loader, inner, depth + 1)
            pairs[str(key)] = _value(loader, loader.get_event(), depth + 1)
        return pairs
    raise yaml.YAMLError(f"a {type(event).__name__} is not read here")
