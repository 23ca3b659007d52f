"""Objects from standard input and from the command line, for a remote command."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, BinaryIO

import click
import trio

from psremoting.client.pipeline_input import Input
from psrp.clixml import PSObject
from psrp.clixml.file_text import decode_text
from psrp.clixml.files import load_all
from psrp.sansio import ClixmlError

__all__ = ["INPUT_FORMATS", "argument", "input_objects", "typed"]

INPUT_FORMATS = ("auto", "json", "clixml", "text")


def typed(text: str, option: str) -> tuple[str, Any]:
    """Split ``NAME=TEXT``, ``NAME:=JSON``, or ``NAME`` (a switch). Raises click.BadParameter."""
    name, equals, value = text.partition("=")
    if not equals:
        return name, True
    if name.endswith(":"):
        return name[:-1], _json(value, option)
    return name, value


def argument(text: str) -> Any:
    """Return a positional argument: a string, or ``:=JSON``. Raises click.BadParameter."""
    return _json(text[2:], "ARGUMENT") if text.startswith(":=") else text


def _json(text: str, option: str) -> Any:
    try:
        return objects(json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{text!r} is not JSON: {error}", param_hint=option) from None


def _refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python's JSON reader accepts."""
    raise ValueError(f"{name} is not in JSON")


def objects(value: Any) -> Any:
    """Turn JSON objects into objects with properties, as ``ConvertFrom-Json`` does."""
    if isinstance(value, dict):
        return PSObject.custom(**{name: objects(item) for name, item in value.items()})
    if isinstance(value, list):
        return [objects(item) for item in value]
    return value


async def input_objects(form: str | None, *, at_once: bool) -> Input | None:
    """Return the objects on standard input in ``form``; None reads nothing.

    ``at_once`` reads all input before anything runs, for several targets; otherwise lines are
    yielded when they are read. Raises click.BadParameter for invalid input.
    """
    if form is None:
        return None
    source: BinaryIO = sys.stdin.buffer if sys.stdin is not None else BytesIO()
    if not at_once and form in ("json", "text"):
        return _as_they_come(source, form)
    data = await trio.to_thread.run_sync(source.read, abandon_on_cancel=True)
    if form == "clixml" or (form == "auto" and looks_like_clixml(data)):
        return _clixml(data)
    lines = _Lines(form)
    return [item for line in BytesIO(data) for item in lines.read(line)]


def looks_like_clixml(data: bytes) -> bool:
    """Return True if data begins with an element or with the marker of a stream."""
    start = data.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:8].replace(b"\0", b"")
    return start.startswith((b"<", b"#< C", b"#<"))


class _Lines:
    """Reader of one object per line. "auto" means JSON if the first line is JSON, else text."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._first = True

    def read(self, line: bytes) -> list[Any]:
        """Return zero or one object. Raises click.BadParameter."""
        line = line.rstrip(b"\r\n")
        if self._first:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        text = line.decode("utf-8", "replace")
        if self._form == "auto":
            self._form = "json" if _is_json(text) else "text"
        if self._form == "text":
            return [text]
        return [_json(text, "standard input")] if text.strip() else []


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _clixml(data: bytes) -> list[Any]:
    try:
        return load_all(decode_text(data))
    except ClixmlError as error:
        raise click.BadParameter(str(error), param_hint="standard input") from None


async def _as_they_come(source: BinaryIO, form: str) -> AsyncIterator[Any]:
    lines = _Lines(form)
    while line := await trio.to_thread.run_sync(source.readline, abandon_on_cancel=True):
        for item in lines.read(line):
            yield item
