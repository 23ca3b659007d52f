"""Base64 in CLIXML: .NET's rules, for short and for long text."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.clixml import base64_text, dumps, loads
from psrp.sansio import ClixmlError
from tests.recordings import ROOT

MUCH = b"A" * 16384
ENDINGS = ["", "AAAA", "AA==", "AAA=", "====", "A===", "AAAA====", "AAAA=", "=", "A", "AA", "AAA"]
ENDINGS += ["AA=A", "=AAA", "AA-A", "A_AA", "AA A", "AA\nA", "ÄAAA", "AA\0A"]


def decoded(text: str | bytes) -> bytes | None:
    try:
        return base64_text.decode(text)
    except ValueError:
        return None


@pytest.mark.parametrize("ending", ENDINGS)
def test_much_is_taken_and_refused_as_little_is(ending: str) -> None:
    little, much = decoded(ending), decoded(MUCH.decode() + ending)
    assert much == (None if little is None else base64.b64decode(MUCH) + little)
    assert decoded(ending.encode()) == little


@given(st.text("Aa9+/= -", max_size=12))
def test_any_text_is_taken_and_refused_alike(ending: str) -> None:
    little, much = decoded(ending), decoded(MUCH.decode() + ending)
    assert much == (None if little is None else base64.b64decode(MUCH) + little)


@given(st.binary(max_size=20), st.booleans())
def test_bytes_come_back(data: bytes, much: bool) -> None:
    data = data * 1000 if much else data
    text = base64_text.encode(data)
    assert text == base64.b64encode(data)
    assert base64_text.decode(text) == base64_text.decode(memoryview(text)) == data
    assert loads(dumps(data)) == data


def test_white_space_of_xml_is_skipped_and_no_other() -> None:
    assert loads(b"<BA> AA\r\n AA\t</BA>") == b"\0\0\0"
    for space in ("\N{NO-BREAK SPACE}", "&#xB;", "\N{EM SPACE}"):
        with pytest.raises(ClixmlError, match="not base64"):
            loads(f"<BA>AA{space}AA</BA>".encode())


def test_the_core_does_without_the_fast_library() -> None:
    program = """
import sys
sys.modules["pybase64"] = None
from psrp.clixml import dumps, loads
data = bytes(range(256)) * 4096
assert loads(dumps(data)) == data
print("well")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "well\n"
