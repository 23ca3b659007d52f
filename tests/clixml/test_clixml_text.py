"""Strings and names: escapes, references, surrogates, characters that XML forbids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.clixml import PSObject, dumps, loads
from psrp.clixml.text import escape, needs_escape
from psrp.sansio import ClixmlError


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("  kept  ", "  kept  "),
        ("a\nb", "a_x000A_b"),
        ("\0\x1f\x7f\x9f", "_x0000__x001F__x007F__x009F_"),
        ("\xa0\u2028", "\xa0\u2028"),
        ("\U0001f600", "_xD83D__xDE00_"),
        ("\ud83d", "_xD83D_"),
        ("\udc00\ud800", "_xDC00__xD800_"),
        ("_x", "_x005F_x"),
        ("_X0041_", "_x005F_X0041_"),
        ("_y_", "_y_"),
        ("<&>\"'", "&lt;&amp;&gt;\"'"),
        ("]]>", "]]&gt;"),
        ("\ufffe\uffff", "_xFFFE__xFFFF_"),
        ("\u05d0", "\u05d0"),
    ],
)
def test_a_string_is_escaped_as_powershell_does_and_comes_back(text: str, written: str) -> None:
    """Statements E46 and E47."""
    assert dumps(text).decode() == f"<S>{written}</S>"
    assert loads(dumps(text)) == text
    for long in (text + "a" * 3000, "\u05d0" * 3000 + text):
        assert dumps(long).decode() == f"<S>{long.replace(text, written)}</S>"
        assert loads(dumps(long)) == long


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("_x0041_", "A"),
        ("_X0041_", "A"),
        ("_xd83d__xDE00_", "\U0001f600"),
        ("_x0001F600_", "\U0001f600"),
        ("_x00000041_", "A"),
        ("_x00110000_", "_x00110000_"),
        ("_x005F_x0041_", "_x0041_"),
        ("_xZZZZ_", "_xZZZZ_"),
        ("_x041_", "_x041_"),
        ("_x0041", "_x0041"),
        ("__x0041_", "_A"),
        ("&#x5F;x0041_", "A"),
        ("&lt;&#60;&#x3c;&gt;&amp;&quot;&apos;", "<<<>&\"'"),
        ("&#0;", "\0"),
        ("&#xD83D;", "\ud83d"),
        ("&#xD83D;&#xDE00;", "\U0001f600"),
        ("&#xFFFE;&#xFFFF;", "\ufffe\uffff"),
        ("&#00000000065;", "A"),
        ("\U0001f600", "\U0001f600"),
        ("a > b", "a > b"),
        ("<![CDATA[<a>&_x0041_]]>", "<a>&A"),
        ("a<!-- c -->b<?pi x?>c", "abc"),
        ("a\r\nb\rc\nd\te", "a\nb\nc\nd\te"),
        ("\x7f\x85", "\x7f\x85"),
    ],
)
def test_a_string_is_read_as_powershell_does(written: str, text: str) -> None:
    """Statements E46 and E47."""
    assert loads(f"<S>{written}</S>") == text
    assert loads(f"<S>{written}</S>".encode()) == text
    padding = "b" * 5000
    assert loads(f"<S>{padding}{written}</S>") == padding + text


@pytest.mark.parametrize("char", [*map(chr, range(9)), "\x0b", "\x0c", "\x1f", "\ufffe", "\uffff"])
@pytest.mark.parametrize("padding", ["", "x" * 5000])
def test_what_xml_forbids_is_refused_raw(char: str, padding: str) -> None:
    """Statement E47."""
    text = f"<S>a{char}{padding}</S>"
    for form in (text, text.encode()):
        with pytest.raises(ClixmlError) as caught:
            loads(form)
        assert caught.value.offset == 4
        assert caught.value.path == "/S"


@pytest.mark.parametrize(
    "written", ["&", "&x;", "&amp", "&#;", "&#x;", "&#x110000;", "&#x123456789;", "]]>", "&#-1;"]
)
def test_broken_references_are_refused(written: str) -> None:
    for document in (
        f"<S>{written}</S>",
        f'<Obj RefId="0"><LST><S>{written}</S><S /></LST></Obj>',
        f'<Obj RefId="0"><LST><S>{written}</S><S>a</S></LST></Obj>',
        f'<Obj RefId="0"><TN RefId="0"><T>{written}</T></TN></Obj>',
        f'<Obj RefId="0"><ToString>{written}</ToString></Obj>',
        f'<Obj RefId="0"><MS><S N="a">{written}</S></MS></Obj>',
        f'<Obj RefId="0"><DCT><En><S N="Key">{written}</S><S N="Value" /></En></DCT></Obj>',
    ):
        with pytest.raises(ClixmlError):
            loads(document)


def test_half_a_pair_raw_in_a_str_is_refused() -> None:
    with pytest.raises(ClixmlError, match="surrogate"):
        loads("<S>\ud83d</S>")


@pytest.mark.parametrize(
    "data", [b"<S>\xff</S>", b"<S>\xc3</S>", b"\xff\xfe<", b"<S>\xed\xa0\x80</S>"]
)
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(ClixmlError, match="byte"):
        loads(data)


def test_names_of_properties_are_escaped_too() -> None:
    odd = {'a"b': 1, "a<b>&": 2, "a\nb": 3, "_x0041_": 4, "\U0001f600": 5, "'": 6, " ": 7}
    written = dumps(PSObject(extended=odd)).decode()
    assert 'N="a&quot;b"' in written
    assert 'N="a_x000A_b"' in written
    assert loads(written).extended == odd


@given(st.text(alphabet=st.characters(), max_size=50))
def test_every_text_comes_back(text: str) -> None:
    assert loads(dumps(text)) == text


@given(
    st.text(alphabet=st.sampled_from('_xX0041dD83<&>"\ud83d\ude00\ufffe\n\x80\u05d0 '), max_size=40)
)
def test_every_hard_text_comes_back_joined(text: str) -> None:
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert loads(dumps(text)) == joined
    assert needs_escape(text) == (escape(text) != text)
    long = text + " " * 3000
    assert needs_escape(long) == (escape(long) != long) == needs_escape(text)
