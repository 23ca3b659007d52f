"""Streams that are read piece by piece: the same items and errors, and bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from psrp.clixml import List, PSObject, SecureString, incremental, kept_objects
from psrp.clixml.document_writer import DocumentWriter
from psrp.clixml.file_text import TextDecoder, decode_text
from psrp.clixml.files import (
    RawText,
    StreamItem,
    dump_all,
    dump_streams,
    iter_streams,
    load_streams,
)
from psrp.clixml.incremental import StreamReader
from psrp.clixml.jsonform import JsonItems, to_json
from psrp.clixml.jsonread import JsonItemsReader, from_json
from psrp.clixml.kept_objects import ReferenceScan
from psrp.clixml.strategies import strings, values
from psrp.sansio import ClixmlError, LocalProtocolError
from tests.fuzz.mutator import mutated
from tests.fuzz.seeds import clixml_documents
from tests.properties.steps import calls

OBJS = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
Outcome = tuple[list[StreamItem], str | None]


def read(pieces: Iterable[str], **options: Any) -> Outcome:
    """Return the items of a stream and the text of the error that ends it."""
    reader = StreamReader(**options)
    found: list[StreamItem] = []
    try:
        for piece in pieces:
            reader.receive_text(piece)
            found.extend(items(reader))
        reader.end()
        found.extend(items(reader))
    except ClixmlError as error:
        return found, str(error)
    return found, None


def items(reader: StreamReader) -> Iterator[StreamItem]:
    while (item := reader.next_item()) is not None:
        yield item


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def whole(text: str) -> Outcome:
    """Return what `load_streams` gives, with the items before its error."""
    found: list[StreamItem] = []
    try:
        for item in iter_streams(text):
            found.append(item)
    except ClixmlError as error:
        return found, str(error)
    return found, None


@given(
    st.lists(
        st.builds(StreamItem, st.none() | strings(max_size=8), values())
        | st.builds(StreamItem, st.none(), st.just(RawText("native words\n"))),
        max_size=4,
    ),
    st.integers(1, 60),
)
def test_a_stream_in_pieces_has_the_items_of_the_whole(content: list[Any], size: int) -> None:
    try:
        text = dump_streams(content).decode()
    except LocalProtocolError:
        return
    assume("<Objs" in text)
    expected = load_streams(text)
    for referred in (None, scanned(text)):
        found, error = read(cut(text, size), referred=referred)
        assert error is None
        assert repr(found) == repr(expected)
        assert dump_streams(found) == dump_streams(expected)


def scanned(text: str) -> frozenset[str] | None:
    scan = ReferenceScan()
    for piece in cut(text, 50):
        scan.receive_text(piece)
    return scan.found


#: Errors of a whole document, which are found before its first item is read.
AHEAD = ("unescaped", "unterminated", "malformed markup", "document type", "'--'")


@pytest.mark.parametrize("size", [1, 13, 10**9])
def test_damaged_streams_have_the_same_errors_at_the_same_places(size: int) -> None:
    corpus = list(clixml_documents())
    compared = 0
    for data in islice(mutated(corpus, 3), 250):
        text = data.decode("utf-8", "replace")[:3000]
        found, error = read(cut(text, size))
        if "Objs" not in text:
            continue
        expected, its_error = whole(text)
        if its_error is not None and any(word in its_error for word in AHEAD):
            assert error is not None
            continue
        compared += 1
        assert error == its_error
        # An element before misplaced text is complete.
        assert repr(found[: len(expected)]) == repr(expected)
        assert len(found) <= len(expected) + 1
    assert compared > 40


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_result_does_not_depend_on_the_pieces(size: int) -> None:
    for data in islice(mutated(list(clixml_documents()), 4), 150):
        text = data.decode("utf-8", "replace")[:3000]
        assert repr(read(cut(text, size))) == repr(read([text]))


def test_an_item_is_there_as_soon_as_its_end_tag_is() -> None:
    reader = StreamReader()
    reader.receive_text(f"words\n{OBJS}<I32>1</I32")
    assert [item.value for item in items(reader)] == ["words\n"]
    reader.receive_text(">")
    assert [item.value for item in items(reader)] == [1]
    reader.receive_text("<Obj RefId='0'><LST><I32>2</I32></LST></Obj><Ref RefId='0'/>")
    first, again = (item.value for item in items(reader))
    assert list(first) == [2]
    assert again is first


def test_reading_goes_on_after_a_damaged_document() -> None:
    text = f"{OBJS}<I32>1</I32><I32>x</I32><S>lost</S></Objs>{OBJS}<I32>2</I32></Objs>"
    reader = StreamReader()
    reader.receive_text(text)
    reader.end()
    assert reader.next_item() == StreamItem(None, 1)
    with pytest.raises(ClixmlError, match="character 92"):
        reader.next_item()
    assert reader.next_item() == StreamItem(None, 2)
    assert reader.next_item() is None
    assert reader.size == len(text)
    assert text[len(OBJS) + 12 :][: reader.lost] == "<I32>x</I32><S>lost</S></Objs>"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param(f"{OBJS}<S>1</S><S>{'x' * 50_000}</S></Objs>", "a value", id="a value"),
        pytest.param(f"{'x' * 50_000}{OBJS}</Objs>", "text", id="text"),
        pytest.param(
            f"{OBJS}<S>1</S><Obj><MS><S N='{'x' * 50_000}'/></MS></Obj>", "a value", id="tag"
        ),
        pytest.param(f"<Objs a='{'x' * 50_000}' />", "a value", id="root"),
    ],
)
def test_a_value_over_the_limit_is_refused_without_being_kept(text: str, what: str) -> None:
    reader = StreamReader(max_value=1000)
    errors = []
    for piece in cut(text, 1000):
        reader.receive_text(piece)
        try:
            list(items(reader))
        except ClixmlError as error:
            errors.append(str(error))
        assert reader._held_size + len(reader._text) < 8000
    assert f"{what} of more than 1000 characters" in errors[0]


@pytest.mark.parametrize("text", ["a<" + "b" * 100, "<!--" + "x" * 100, "<" * 100])
def test_a_limit_below_the_length_of_a_tag_ends_the_text(text: str) -> None:
    reader = StreamReader(max_value=50)
    reader.receive_text(text)
    with pytest.raises(ClixmlError, match="text of more than 50 characters"):
        reader.next_item()
    assert reader.next_item() is None
    reader.end()
    with suppress(ClixmlError):  # the rest may be no text
        assert reader.next_item() is not None
    assert reader.next_item() is None
    assert reader.size == len(text)


def far(between: int) -> str:
    """Return a document whose last element refers to its first, far away."""
    filler = "".join(f"<S>{number:0100}</S>" for number in range(between // 107))
    return f'{OBJS}<Obj RefId="7"><LST><I32>1</I32></LST></Obj>{filler}<Ref RefId="7" /></Objs>'


def test_an_object_that_a_later_reference_names_is_kept_for_any_distance() -> None:
    text = far(3 * incremental.WINDOW)
    found, error = read(cut(text, 50_000), referred=scanned(text))
    assert error is None
    assert found[0].value is found[-1].value


def test_a_stream_that_is_read_once_keeps_objects_for_a_distance() -> None:
    near, error = read(cut(far(incremental.WINDOW // 2), 50_000))
    assert error is None
    assert near[0].value is near[-1].value
    _, error = read(cut(far(3 * incremental.WINDOW), 50_000))
    assert error is not None
    assert "unknown RefId 7, or its object is too far away" in error


def test_an_object_that_is_named_again_and_again_is_kept() -> None:
    filler = "".join(f"<S>{number:0100}</S>" for number in range(5000))
    text = f'{OBJS}<Obj RefId="7"><LST/></Obj>' + (filler + '<Ref RefId="7" />') * 6 + "</Objs>"
    found, error = read(cut(text, 50_000))
    assert error is None
    assert found[-1].value is found[0].value


@pytest.mark.parametrize("referred", [None, frozenset(map(str, range(10_000)))])
def test_kept_objects_have_a_limit(referred: frozenset[str] | None) -> None:
    pieces = [OBJS]
    for number in range(40):
        pieces.append(f'<Obj RefId="{number}"><LST><S>{"x" * 60_000}</S></LST></Obj>')
        pieces.append("".join(f'<Ref RefId="{each}" />' for each in range(number)))
    _, error = read(pieces, referred=referred, max_value=100_000)
    assert error is not None
    assert "the objects that are referred to need too much memory" in error


def test_type_names_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psrp.clixml.document_parts._MOST_TYPE_NAMES", 1000)
    names = (f'<Obj RefId="{at}"><TN RefId="{at}"><T>{at:050}</T></TN></Obj>' for at in range(100))
    found, error = read([OBJS, *names])
    assert error is not None
    assert "more than 1000 characters of type names" in error
    assert 15 < len(found) < 25


def test_values_that_are_dropped_are_told_before() -> None:
    """Otherwise another object with the same id() would be taken for the dropped one."""
    told: list[set[int]] = []
    text = far(3 * incremental.WINDOW)
    found, _ = read(cut(text, 50_000), referred=scanned(text), forget=told.append)
    assert told[0] == set()
    assert told[-1] == {id(found[0].value)}


# -- references


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('<Ref RefId="1" />', {"1"}),
        ("<p:Ref N='x' RefId = '2'/>", {"2"}),
        ('<Ref N="a&gt;b" RefId="&#51;"/>', {"3"}),
        ('<Ref\n RefId="4"></Ref>', {"4"}),
        ('<RefId RefId="5"/><Obj RefId="6"/><TNRef RefId="7"/>', set()),
        ('<Ref RefId="8', set()),
        ('<Ref N="x"/><Ref/>', set()),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_ids_of_references_are_found_in_pieces(text: str, ids: set[str], size: int) -> None:
    scan = ReferenceScan()
    for piece in cut(text, size):
        scan.receive_text(piece)
    assert scan.found == ids


def test_too_many_references_are_not_collected() -> None:
    scan = ReferenceScan(most=3)
    scan.receive_text("".join(f'<Ref RefId="{at}" />' for at in range(5)))
    assert scan.found is None
    scan.receive_text('<Ref RefId="9" />')
    assert scan.found is None
    long = ReferenceScan()
    long.receive_text('<Ref RefId="' + "9" * (kept_objects.LONGEST_TAG + 1))
    assert long.found is None


# -- encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_text_is_decoded_in_pieces(encoding: str, size: int) -> None:
    data = "<S>é\U0001f600</S>".encode(encoding)
    decoder = TextDecoder()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    text = "".join(map(decoder.decode, pieces)) + decoder.decode(b"", last=True)
    assert (text, decoder.error) == ("<S>é\U0001f600</S>", None)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [(b"ab\xffc", None), (b"ab\xc3", None), (b"\xef\xbb\xbfab\xff", None), (b"<\x00S", None),
     (b"a\xff", "ascii"), (b"abc", "klingon")],
)  # fmt: skip
def test_bytes_that_are_no_text_have_the_error_of_the_whole(
    data: bytes, encoding: str | None
) -> None:
    with pytest.raises(ClixmlError) as caught:
        decode_text(data, encoding)
    for size in (1, 2, 100):
        decoder = TextDecoder(encoding)
        for at in range(0, len(data), size):
            decoder.decode(data[at : at + size])
        decoder.decode(b"", last=True)
        assert str(decoder.error) == str(caught.value)
        assert decoder.decode(b"more") == ""


# -- the JSON form and documents, item by item


def shared_values() -> list[Any]:
    thing = PSObject.custom(a=1)
    inner = List([thing])
    return [thing, inner, List([inner, thing]), thing]


def test_items_of_known_references_have_the_json_form_of_their_list() -> None:
    content = shared_values()
    first_two = {id(content[0]), id(content[1])}
    writer = JsonItems(lambda value: id(value) in first_two)
    assert [writer.write(value) for value in content] == to_json(content)


def test_items_of_unknown_references_are_written_twice_at_most() -> None:
    content = shared_values()
    writer = JsonItems(lambda value: False)
    forms = [writer.write(value) for value in content]
    assert forms[0] == {"$type": "PSCustomObject", "extended": {"a": 1}}
    assert forms[1]["items"][0] == {"$type": "PSCustomObject", "$id": 1, "extended": {"a": 1}}
    assert forms[2]["items"] == [
        {"$type": "List", "$id": 2, "items": [{"$ref": 1}]},
        {"$ref": 1},
    ]
    assert forms[3] == {"$ref": 1}
    reader = JsonItemsReader()
    again = [reader.read(form) for form in forms]
    assert dump_all([*map(repr, again)]) == dump_all([*map(repr, content)])
    assert from_json(to_json(content[2])) == again[2]
    assert reader.numbered == 2
    assert reader.alive() == {id(again[1][0]), id(again[2][0])}


def test_a_forgotten_container_is_written_anew() -> None:
    thing = List([1])
    writer = JsonItems(lambda value: True)
    assert writer.write(thing)["$id"] == 1
    assert writer.write(thing) == {"$ref": 1}
    writer.forget({id(thing)})
    assert writer.write(thing) == {"$ref": 1}
    writer.forget(set())
    assert writer.write(thing)["$id"] == 2


def test_a_document_is_written_item_by_item_as_at_once() -> None:
    content = [*shared_values(), SecureString.from_sealed("YQ==")]
    writer = DocumentWriter(shared=True)
    written = b"".join(map(writer.add, content)) + writer.end()
    assert written.strip() == dump_all(content)


def test_a_value_that_cannot_be_written_leaves_a_shared_document_valid() -> None:
    thing = List([1])
    writer = DocumentWriter(shared=True)
    first = writer.add(thing)
    with pytest.raises(LocalProtocolError):
        writer.add(List([List([2]), object()]))
    writer.forget({id(thing)})
    rest = writer.add(thing) + writer.end()
    assert (first + rest).strip() == dump_all([thing, thing])


Work = Callable[[], object]


def test_the_work_is_linear_in_the_text_for_any_pieces() -> None:
    def work(count: int, size: int) -> Work:
        text = OBJS + "<S>a</S>\n" * count + "</Objs>"
        return lambda: read(cut(text, size))

    for size in (5, 1000):
        small, large = calls(work(200, size)), calls(work(1600, size))
        assert large < 10 * small
