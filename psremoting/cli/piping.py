"""Objects from standard input and from the command line, for a remote command."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any

import click
import trio

from psremoting.asking import Input
from psrp.clixml import PSObject
from psrp.clixml.files import decode_text, load_all
from psrp.sansio import ClixmlError

__all__ = ["INPUT_FORMATS", "argument", "input_objects", "typed"]

INPUT_FORMATS = ("auto", "json", "clixml", "text")


def typed(text: str, option: str) -> tuple[str, Any]:
    """``NAME=TEXT``, ``NAME:=JSON``, or ``NAME`` alone for a switch. Raises click.BadParameter."""
    name, equals, value = text.partition("=")
    if not equals:
        return name, True
    if name.endswith(":"):
        return name[:-1], _json(value, option)
    return name, value


def argument(text: str) -> Any:
    """A positional argument: a text, or ``:=JSON``. Raises click.BadParameter."""
    return _json(text[2:], "ARGUMENT") if text.startswith(":=") else text


def _json(text: str, option: str) -> Any:
    try:
        return objects(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise click.BadParameter(f"{text!r} is not JSON: {error}", param_hint=option) from None


def objects(value: Any) -> Any:
    """A JSON object becomes what ``ConvertFrom-Json`` makes of it, an object with properties."""
    if isinstance(value, dict):
        return PSObject.custom(**{name: objects(item) for name, item in value.items()})
    if isinstance(value, list):
        return [objects(item) for item in value]
    return value


async def input_objects(form: str | None, *, at_once: bool) -> Input | None:
    """What stands on standard input in ``form``; None reads nothing.

    ``at_once`` reads all of it before anything is run, for several readers; otherwise lines go
    out as they come. Raises click.BadParameter for what cannot be read.
    """
    if form is None:
        return None
    if form in ("auto", "clixml"):
        data = await trio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
        if form == "clixml" or looks_like_clixml(data):
            return _clixml(data)
        return [_line(line, "json" if looks_like_json(data) else "text") for line in _lines(data)]
    if at_once:
        data = await trio.to_thread.run_sync(sys.stdin.buffer.read, abandon_on_cancel=True)
        return [_line(line, form) for line in _lines(data)]
    return _as_they_come(form)


def looks_like_clixml(data: bytes) -> bool:
    """By its first character: an element, or the mark of a stream."""
    start = data.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:8].replace(b"\0", b"")
    return start.startswith((b"<", b"#< C", b"#<"))


def looks_like_json(data: bytes) -> bool:
    """Whether the first line is a JSON value."""
    first = next(iter(_lines(data)), b"")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(data: bytes) -> Iterable[bytes]:
    return (line for line in data.removeprefix(b"\xef\xbb\xbf").splitlines())


def _line(line: bytes, form: str) -> Any:
    text = line.decode("utf-8", "replace")
    if form == "text":
        return text
    return _json(text, "standard input")


def _clixml(data: bytes) -> list[Any]:
    try:
        return load_all(decode_text(data))
    except ClixmlError as error:
        raise click.BadParameter(str(error), param_hint="standard input") from None


async def _as_they_come(form: str) -> AsyncIterator[Any]:
    source = sys.stdin.buffer
    while line := await trio.to_thread.run_sync(source.readline, abandon_on_cancel=True):
        line = line.rstrip(b"\r\n")
        if line or form == "text":
            yield _line(line, form)
