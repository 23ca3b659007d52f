"""Documents of real machines are equal after reading, writing and reading again."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import psrp.clixml
from psrp.clixml import StreamItem, dump_all, dumps, identical, load_all, loads
from tests.recordings import FIXTURES, WHOLE
from tests.rows import rows

OURS = sorted((FIXTURES / "clixml").rglob("*.xml"))
ALL = sorted((WHOLE / "clixml").rglob("*.xml"))
EMPTY = {"OS_Win32_PageFileSetting.xml", "OS_Win32_PageFileSystemManaged.xml"}
"""A pipeline without output."""


def survives(path: Path) -> None:
    values = load_all(path.read_bytes())
    assert values or path.name in EMPTY
    again = load_all(dump_all(values))
    assert identical(values, again)
    assert dump_all(again) == dump_all(values)


def plain(path: Path) -> list[Any]:
    """Return the values without stream names and without the text between documents."""
    items = load_all(path.read_bytes())
    return [item.value if isinstance(item, StreamItem) else item for item in items]


@rows("path", OURS, ids=lambda path: path.name)
def test_a_document_of_a_real_machine_survives(path: Path) -> None:
    survives(path)


@rows("path", ALL, ids=lambda path: path.name)
def test_every_recorded_document_survives(path: Path) -> None:
    survives(path)


def test_a_document_in_utf_16_reads_as_the_same_in_utf_8() -> None:
    path = FIXTURES / "clixml" / "importexcel" / "Get-CimInstanceDisk.xml"
    wide = path.read_bytes()
    assert wide.startswith(b"\xff\xfe")
    text = wide.decode("utf-16")
    assert identical(load_all(wide), load_all(text.encode()))
    assert identical(load_all(wide), load_all(b"\xef\xbb\xbf" + text.encode()))
    assert identical(load_all(wide), load_all(text))


def test_a_bare_element_may_begin_with_a_byte_order_mark() -> None:
    """Every message of a real server has this form."""
    assert loads(b"\xef\xbb\xbf<I32>5</I32>") == 5
    assert loads("\ufeff<S>x</S>") == "x"
    assert loads(b"\xff\xfe" + "<S>\u05d0</S>".encode("utf-16-le")) == "\u05d0"
    assert loads(b"\xfe\xff" + "<S>\u05d0</S>".encode("utf-16-be")) == "\u05d0"


def test_dumps_writes_neither_declaration_nor_namespace_nor_white_space() -> None:
    """Statement E48."""
    for path in OURS:
        for value in plain(path):
            text = dumps(value)
            assert text.startswith(b"<")
            assert text.endswith(b">")
            assert b"xmlns" not in text[:200]
            assert b"<?xml" not in text[:200]


def test_dumping_changes_nothing_and_gives_the_same_twice() -> None:
    for path in OURS:
        values, untouched = plain(path), plain(path)
        assert dumps(values) == dumps(values)
        assert identical(values, untouched)


def test_the_examples_of_the_package_hold() -> None:
    tried = doctest.testmod(psrp.clixml)
    assert tried.attempted == 2
    assert tried.failed == 0
