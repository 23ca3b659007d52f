"""Objects from standard input: JSON or text lines, or CLIXML, read at once or incrementally."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterable
from typing import Any

import click
import pytest

from psremoting.cli import piping
from psremoting.cli.piping import argument, input_objects
from psrp.clixml import dump_all

BOM = b"\xef\xbb\xbf"


class Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


async def read(
    monkeypatch: pytest.MonkeyPatch, data: bytes | None, form: str, *, at_once: bool
) -> list[Any]:
    monkeypatch.setattr(piping.sys, "stdin", None if data is None else Stdin(data))
    found = await input_objects(form, at_once=at_once)
    assert found is not None
    if isinstance(found, AsyncIterable):
        return [item async for item in found]
    return list(found)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("form", "data", "items"),
    [
        ("json", b'1\n"b"\n', [1, "b"]),
        ("json", BOM + b'1\r\n"b"', [1, "b"]),
        ("json", b'\n1\n  \n"b"\n\n', [1, "b"]),
        ("json", b"", []),
        ("text", b"a\n\nb\n", ["a", "", "b"]),
        ("text", BOM + b"a\r\nb\rc\n", ["a", "b\rc"]),
        ("text", b"\xff\n", ["\ufffd"]),
        ("auto", b'1\n\n"b"\n', [1, "b"]),
        ("auto", BOM + b"1\n", [1]),
        ("auto", b"a\n1\n\n", ["a", "1", ""]),
        ("auto", b"", []),
        ("auto", dump_all([1, "b"]), [1, "b"]),
        ("clixml", dump_all([1, "b"]), [1, "b"]),
    ],
)
async def test_standard_input_is_read_in_each_form(
    monkeypatch: pytest.MonkeyPatch, form: str, data: bytes, items: list[Any], at_once: bool
) -> None:
    assert await read(monkeypatch, data, form, at_once=at_once) == items


@pytest.mark.parametrize("form", ["json", "text", "auto"])
async def test_a_closed_standard_input_has_nothing(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    assert await read(monkeypatch, None, form, at_once=False) == []


@pytest.mark.parametrize("at_once", [False, True])
async def test_the_error_names_a_line_that_is_not_json(
    monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    with pytest.raises(click.BadParameter, match="'no' is not JSON"):
        await read(monkeypatch, b"1\nno\n", "json", at_once=at_once)


async def test_the_form_is_found_out_once_for_all_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    loads = json.loads
    monkeypatch.setattr(piping.json, "loads", lambda text, **_: looked.append(text) or loads(text))
    assert await read(monkeypatch, b"1\n" * 1000, "auto", at_once=True) == [1] * 1000
    assert len(looked) == 1001


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", "{", "9" * 5000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not JSON"):
        argument(f":={text}")
