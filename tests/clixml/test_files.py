"""Files and streams: every encoding, every mixture of documents and text, complete or truncated."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.clixml import List, SecureString, dumps, identical
from psrp.clixml.files import (
    RawText,
    StreamItem,
    decode_text,
    dump_all,
    dump_streams,
    iter_streams,
    load_all,
    load_streams,
    segments,
)
from psrp.clixml.strategies import strings, values
from psrp.sansio import ClixmlError, LocalProtocolError
from tests.recordings import WHOLE

NS = 'xmlns="http://schemas.microsoft.com/powershell/2004/04"'
DOCUMENT = f'<Objs Version="1.1.0.1" {NS}><S>é</S><I32>1</I32></Objs>'
ERRORS = f'<Objs Version="1.1.0.1" {NS}><S S="Error">bad_x000D__x000A_</S></Objs>'


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(DOCUMENT, id="text"),
        pytest.param(DOCUMENT.encode(), id="utf-8"),
        pytest.param(bytearray(DOCUMENT.encode()), id="bytearray"),
        pytest.param(memoryview(DOCUMENT.encode()), id="memoryview"),
        pytest.param(DOCUMENT.encode("utf-8-sig"), id="utf-8 with a mark"),
        pytest.param(b"\xff\xfe" + DOCUMENT.encode("utf-16-le"), id="utf-16 le with a mark"),
        pytest.param(b"\xfe\xff" + DOCUMENT.encode("utf-16-be"), id="utf-16 be with a mark"),
        pytest.param(DOCUMENT.encode("utf-16-le"), id="utf-16 le without"),
        pytest.param(DOCUMENT.encode("utf-16-be"), id="utf-16 be without"),
        pytest.param(
            b'<?xml version="1.0" encoding="utf-8"?>\n' + DOCUMENT.encode(), id="declared"
        ),
        pytest.param("\r\n  " + DOCUMENT + "\r\n", id="white space around"),
        pytest.param("<?xml version='1.0'?> <!-- c --> " + DOCUMENT, id="a comment before"),
        pytest.param("#< CLIXML\r\n" + DOCUMENT, id="marked"),
        pytest.param("\ufeff#< CLIXML" + DOCUMENT, id="marked without a line end"),
    ],
)
def test_a_document_is_read_in_every_encoding(data: Any) -> None:
    assert load_all(data) == ["é", 1]


def test_what_a_console_wrote_is_read_in_its_code_page() -> None:
    data = DOCUMENT.encode("cp437")
    with pytest.raises(ClixmlError, match=r"byte 83 is not utf-8"):
        load_all(data)
    assert load_all(data, encoding="cp437") == ["é", 1]
    assert load_all(DOCUMENT.encode("utf-8-sig"), encoding="cp437") == ["é", 1]
    with pytest.raises(ClixmlError, match="no encoding is called 'klingon'"):
        decode_text(b"abc", "klingon")


def test_items_keep_their_streams() -> None:
    assert load_all(ERRORS) == [StreamItem("Error", "bad\r\n")]
    mixed = ERRORS.replace("<S S=", "<Nil/><S S=")
    assert load_all(mixed) == [None, StreamItem("Error", "bad\r\n")]
    assert load_streams(mixed) == [StreamItem(None, None), StreamItem("Error", "bad\r\n")]


def test_documents_and_text_of_one_stream_come_in_order() -> None:
    stream = f"WARNING: x\r\n#< CLIXML\r\n{ERRORS}native words\n#< CLIXML\n{DOCUMENT}\r\nend"
    assert load_streams(stream.encode()) == [
        StreamItem(None, RawText("WARNING: x\r\n")),
        StreamItem("Error", "bad\r\n"),
        StreamItem(None, RawText("native words\n")),
        StreamItem(None, "é"),
        StreamItem(None, 1),
        StreamItem(None, RawText("\r\nend")),
    ]
    assert load_all(stream) == [StreamItem("Error", "bad\r\n"), "é", 1]
    kinds = [type(item.value) for item in load_streams(stream)]
    assert kinds == [RawText, str, RawText, str, int, RawText]


def test_documents_may_follow_each_other_closely() -> None:
    assert load_all(DOCUMENT + DOCUMENT) == ["é", 1, "é", 1]
    assert load_all("#< CLIXML\r\n" + ERRORS + "#< CLIXML\r\n" + ERRORS) == load_all(ERRORS) * 2


def test_ids_do_not_reach_from_one_document_into_the_next() -> None:
    first = f'<Objs {NS}><Obj RefId="0"><LST><I32>1</I32></LST></Obj><Ref RefId="0" /></Objs>'
    one, again = load_all(first)
    assert one is again
    with pytest.raises(ClixmlError, match="RefId 0"):
        load_all(first + f'<Objs {NS}><Ref RefId="0" /></Objs>')


def test_an_end_tag_in_a_comment_or_cdata_ends_nothing() -> None:
    text = f'<Objs {NS} x=">"><!-- </Objs> --><S><![CDATA[</Objs>]]></S><?p </Objs>?></Objs>'
    assert load_all(text + DOCUMENT) == ["</Objs>", "é", 1]


def test_a_document_that_is_cut_off_still_gives_what_came_whole() -> None:
    whole = f"#< CLIXML\r\n{ERRORS}\r\n" + DOCUMENT
    cut = whole[: whole.index("</I32>")]
    got: list[StreamItem] = []
    with pytest.raises(ClixmlError) as caught:
        got.extend(iter_streams(cut))
    assert got == [StreamItem("Error", "bad\r\n"), StreamItem(None, "é")]
    assert caught.value.offset >= whole.index("<I32>")
    assert f"character {caught.value.offset}" in str(caught.value)
    with pytest.raises(ClixmlError):
        load_all(cut)


def test_the_offset_of_an_error_counts_from_the_beginning_of_the_stream() -> None:
    bad = DOCUMENT.replace("<I32>1", "<I32>one")
    stream = "x" * 100 + ERRORS + bad
    with pytest.raises(ClixmlError) as caught:
        load_streams(stream)
    assert caught.value.offset == stream.index("<I32>one")
    assert caught.value.path == "/Objs/I32"
    assert str(caught.value).count("character") == 1


@pytest.mark.parametrize(
    ("text", "values_in_it"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("#< CLIXML\r\n", None, id="nothing but the marker"),
        pytest.param("<S>bare</S>", ["bare"], id="a bare element"),
        pytest.param('<S S="Error">x</S>', [StreamItem("Error", "x")], id="one of a stream"),
        pytest.param(f"<Objs {NS} />", [], id="an empty document"),
    ],
)
def test_text_without_a_document_gives_no_values(text: str, values_in_it: list[Any] | None) -> None:
    assert load_all(text) == (values_in_it or [])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("just words", id="words"),
        pytest.param("<html><body/></html>", id="another root"),
        pytest.param("<Objs><S>x</S></Objs>", id="no namespace"),
        pytest.param(f'<!DOCTYPE Objs [<!ENTITY a "b">]><Objs {NS}><S>&a;</S></Objs>', id="dtd"),
        pytest.param("<Objs", id="half a tag"),
        pytest.param("<Objs x='", id="half an attribute"),
    ],
)
def test_text_that_is_not_clixml_is_refused(text: str) -> None:
    with pytest.raises(ClixmlError):
        load_all(text)


def test_an_html_page_on_the_error_stream_is_text() -> None:
    page = "<!DOCTYPE html><html><!-- <?xml <p></html>"
    assert load_streams(page + ERRORS) == [
        StreamItem(None, RawText(page)),
        StreamItem("Error", "bad\r\n"),
    ]


def test_secure_strings_are_opened_on_the_way() -> None:
    document = f"<Objs {NS}><SS>YWJj</SS></Objs>"
    assert load_all(document) == [SecureString.from_sealed("YWJj")]
    assert load_all(document, unseal=str.upper) == [SecureString("YWJJ")]
    assert b"<SS>sealed</SS>" in dump_all([SecureString("x")], seal=lambda _: "sealed")


@given(st.lists(values() | st.builds(StreamItem, strings(max_size=8), values()), max_size=4))
def test_what_is_dumped_is_loaded(items: list[Any]) -> None:
    again = load_all(dump_all(items))
    assert [_stream_and_value(item) for item in again] == [
        _stream_and_value(item) for item in items
    ]
    assert dump_all(again) == dump_all(items)


def _stream_and_value(item: Any) -> tuple[str | None, Any]:
    return (item.stream, item.value) if isinstance(item, StreamItem) else (None, item)


def test_a_stream_is_written_as_it_was_read() -> None:
    stream = f"WARNING: x\r\n#< CLIXML\r\n{ERRORS}native words\n".encode()
    again = dump_streams(load_streams(stream))
    assert again.startswith(b"WARNING: x\r\n#< CLIXML\r\n<Objs ")
    assert again.endswith(b"</Objs>native words\n")
    assert load_streams(again) == load_streams(stream)
    with pytest.raises(LocalProtocolError, match="surrogate"):
        dump_streams([StreamItem(None, RawText("\ud800"))])


@given(st.text("<>/Objs!-[]CDATA?xml\"' #\r\n", max_size=60))
def test_segments_lose_no_character_but_markers_and_blanks(text: str) -> None:
    at = 0
    for segment in segments(text):
        assert text[segment.offset :].startswith(segment.text)
        assert not text[at : segment.offset].replace("#< CLIXML", "").strip("\ufeff \t\r\n")
        at = segment.offset + len(segment.text)
    assert not text[at:].replace("#< CLIXML", "").strip("\ufeff \t\r\n")


@pytest.mark.parametrize(
    "unit",
    ["<!--", "<?xml ", "<Objs ", "<Objs>", "<Objs><!--", "</Objs ", "#< CLIXML   ", "<Objs '"],
)
def test_taking_a_stream_apart_is_linear(unit: str) -> None:
    """Count searches instead of time, which is not reliable on a busy machine."""

    def searches(text: str) -> int:
        count = 0

        def note(frame: object, event: str, arg: object) -> None:
            nonlocal count
            count += event == "c_call"

        sys.setprofile(note)
        try:
            for _ in segments(text):
                pass
        finally:
            sys.setprofile(None)
        return count

    assert searches(unit * 2000) <= 2 * searches(unit * 1000) + 50


@pytest.mark.parametrize("folder", ["exchange2019/*", "importexcel/*", "**/test_sanitise*"])
def test_recorded_files_survive_read_write_read(folder: str) -> None:
    files = sorted((WHOLE / "clixml").glob(f"{folder}.xml"))
    assert files
    for file in files:
        first = load_all(file.read_bytes())
        again = load_all(dump_all(first))
        for one, two in zip(first, again, strict=True):
            assert _stream_and_value(one)[0] == _stream_and_value(two)[0]
            assert identical(_stream_and_value(one)[1], _stream_and_value(two)[1]), file


def test_a_recorded_error_stream_has_its_streams() -> None:
    file = next(WHOLE.rglob("test_sanitise_clixml_with_error.xml"))
    streams = [item.stream for item in load_streams(file.read_bytes())]
    assert streams == ["progress"] * 2 + ["Error"] * 8


def test_dump_all_shares_an_object_between_values() -> None:
    one = List([1])
    document = dump_all([one, StreamItem("output", one)])
    assert b'<Ref S="output" RefId="0" />' in document
    assert dumps(load_all(document)[0]) == dumps(one)
