"""The fast paths of the codec give what the general paths give: values, bytes, errors, places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    DateTimeKind,
    Dictionary,
    Int64,
    List,
    PSObject,
    SecureString,
    TimeSpan,
    UInt32,
    dumps,
    fastpaths,
    identical,
    loads,
    strategies,
)
from psrp.clixml.files import load_all
from psrp.sansio import ClixmlError, LocalProtocolError
from tests.properties.steps import calls


@contextmanager
def _paths(*, fast: bool) -> Iterator[None]:
    before, fastpaths.enabled = fastpaths.enabled, fast
    try:
        yield
    finally:
        fastpaths.enabled = before


def _outcome(work: Callable[[], Any]) -> Any:
    """Return the result, or the text of the error, which contains its place."""
    try:
        return work()
    except (ClixmlError, LocalProtocolError) as error:
        return f"{type(error).__name__}: {error}"


def _check_read(document: str | bytes) -> None:
    with _paths(fast=False):
        plain = _outcome(lambda: loads(document))
    with _paths(fast=True):
        for _ in range(5):  # the fourth document of a kind is compiled
            fast = _outcome(lambda: loads(document))
            assert type(fast) is type(plain)
            assert identical(fast, plain)


def _check_written(value: Any) -> bytes | None:
    with _paths(fast=False):
        plain = _outcome(lambda: dumps(value))
    with _paths(fast=True):
        for _ in range(3):  # from the second object of a kind on there is a template
            assert _outcome(lambda: dumps(value)) == plain
    return plain if isinstance(plain, bytes) else None


NAMES = st.sampled_from(
    ["Id", "Name", "id", "a%sb", "%", "_x0041_", "ä", "<>", '"', "A b", "PSComputerName"]
)
SCALARS = {
    "text": st.sampled_from(["", "a<b", "]]>", "_x0041_", "\ud83d", "\U0001f600", "a\nb", "%s"])
    | strategies.strings(max_size=8),
    "integer": st.integers(-(2**33), 2**33) | st.integers(-5, 5),
    "wide": st.integers(-(2**70), 2**70),
    "sized": st.integers(0, 2**32 - 1).map(UInt32),
    "long": st.integers(-(2**63), 2**63 - 1).map(Int64),
    "byte": st.integers(0, 255).map(Byte),
    "number": st.floats(),
    "truth": st.booleans(),
    "guid": st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number)),
    "time": st.integers(0, 3 * 10**11).map(lambda tenths: DateTime(tenths * 10**6)),
    "second": st.integers(0, 3 * 10**9).map(lambda at: DateTime(at * 10**7, DateTimeKind.UTC)),
    "clock": st.just(datetime(2026, 1, 2, tzinfo=UTC)),
    "span": st.integers(-(2**60), 2**60).map(TimeSpan),
    "bytes": st.binary(max_size=4),
    "char": st.integers(0, 0xFFFF).map(Char),
    "null": st.none(),
    "decimal": st.decimals(allow_nan=True, allow_infinity=False, places=2),
    "secret": st.just(SecureString("open")),
    "any": strategies.scalars(),
}  # fmt: skip


@st.composite
def kinds(draw: st.DrawFn) -> Callable[[], Any]:
    """Return a function that draws objects of one kind."""
    members = st.dictionaries(NAMES, st.sampled_from(sorted(SCALARS)), max_size=4)
    extended, adapted = draw(members), draw(st.none() | members)
    names = draw(st.sampled_from([(), ("A",), ("B%", "System.Object")]))
    text = draw(st.none() | st.sampled_from(["text"]))

    def values(given: dict[str, str]) -> dict[str, Any]:
        return {name: draw(SCALARS[kind]) for name, kind in given.items()}

    return lambda: PSObject(
        names,
        None if adapted is None else values(adapted),
        values(extended),
        None if text is None else draw(SCALARS[text]),
    )


@st.composite
def lists_with_runs(draw: st.DrawFn) -> Any:
    """Draw a list of runs of like items, with odd ones between, and references into the runs."""
    items: list[Any] = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            make = draw(kinds())
            items += [make() for _ in range(draw(st.integers(0, 12)))]
        else:
            items += draw(st.lists(SCALARS[draw(st.sampled_from(sorted(SCALARS)))], max_size=12))
        odd = draw(st.sampled_from(["none", "again", "value", "members", "nested"]))
        if odd == "again" and items:
            items.append(draw(st.sampled_from(items)))
        elif odd == "value":
            items.append(draw(strategies.values(max_leaves=4)))
        elif odd == "members" and items and isinstance(items[-1], PSObject):
            last = items[-1]
            items.append(PSObject(last.type_names, None, dict(reversed(last.extended.items()))))
        elif odd == "nested" and items:
            items.append(PSObject.custom(inner=items[-1], again=List([items[0]])))
    holder = draw(st.sampled_from(["list", "typed", "member", "dictionary"]))
    if holder == "typed":
        return List(items, ("T",))
    if holder == "member":
        return PSObject.custom(items=items, more=List(items[:3]))
    return Dictionary({"a": items, "b": 1}) if holder == "dictionary" else items


@given(lists_with_runs())
def test_lists_are_written_and_read_the_same_by_all_paths(value: Any) -> None:
    document = _check_written(value)
    if document is not None:
        _check_read(document)
        _check_read(_indented(document.decode()))
        _check_read(_indented(document.decode(), 20))


@given(strategies.values(allow_nan=True))
def test_any_values_are_written_and_read_the_same_by_all_paths(value: Any) -> None:
    document = _check_written(value)
    if document is not None:
        _check_read(document)


@given(st.data())
def test_objects_of_one_kind_are_written_and_read_one_by_one_the_same(data: st.DataObject) -> None:
    make = data.draw(kinds())
    for _ in range(6):
        document = _check_written(make())
        if document is not None:
            _check_read(document)


def _indented(document: str, blanks: int = 2) -> str:
    return document.replace("><", ">\n" + " " * blanks + "<")


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Draw the document of a list with runs, with a few changes."""
    document = _text_of(draw(lists_with_runs()))
    if blanks := draw(st.sampled_from([0, 2, 20])):
        document = _indented(document, blanks)
    for _ in range(draw(st.integers(1, 3))):
        document = _changed(draw, document)
    return document


def _text_of(value: Any) -> str:
    written = _outcome(lambda: dumps(value))
    return written.decode() if isinstance(written, bytes) else "<Nil />"


_PUT = (
    "<", ">", "/", '"', "&", "&amp;", "&#65;", "&x;", " ", "\n", "x", "7", "-", "</MS>", "</Obj>",
    "]]>", '<S N="Id">a</S>', '<Nil N="Id" />', '<Ref RefId="0" />', '<Ref RefId="3" />',
    "<I32>1</I32>",
    '<TN RefId="0"><T>Z</T></TN>', '<TNRef RefId="0" />', "<ToString>t</ToString>", "<MS />",
    "<!-- -->", "<![CDATA[<a>]]>", "<S/>", '<Obj RefId="1">', ' xmlns="urn:x"', "\r",
)  # fmt: skip


def _changed(draw: st.DrawFn, document: str) -> str:
    pieces = document.split("<")
    kind = draw(st.sampled_from(["cut", "put", "drop", "double", "swap", "refid", "character"]))
    at = draw(st.integers(0, max(len(document) - 1, 0)))
    place = draw(st.integers(0, len(pieces) - 1))
    if kind == "cut":
        return document[:at]
    if kind == "put":
        return document[:at] + draw(st.sampled_from(_PUT)) + document[at:]
    if kind == "character":
        return document[:at] + document[at + 1 :]
    if kind == "refid":
        number = draw(st.sampled_from(["0", "1", "-", "a&amp;b", ""]))
        found = document.find('RefId="', at)
        return document if found < 0 else f"{document[: found + 7]}{number}{document[found + 8 :]}"
    if kind == "drop":
        del pieces[place]
    elif kind == "double":
        pieces.insert(place, pieces[place])
    else:
        other = draw(st.integers(0, len(pieces) - 1))
        pieces[place], pieces[other] = pieces[other], pieces[place]
    return "<".join(pieces)


RUN = "".join(
    f'<Obj RefId="{n}"><TNRef RefId="0" /><MS><I32 N="a">{n}</I32><S N="b">x{n}</S></MS></Obj>'
    for n in range(1, 40)
)
LIST = f'<Obj RefId="0"><TN RefId="0"><T>A</T></TN><LST>{RUN}</LST></Obj>'


DEEP_LIST = _indented(LIST, 20)


@given(damaged())
@example(DEEP_LIST)
@example(DEEP_LIST.replace(">x20<", ">\n" + " " * 20 + "<"))
@example(DEEP_LIST.replace(">20<", ">x<"))
@example(DEEP_LIST.replace("x39</S>", "x39"))
@example(DEEP_LIST.replace("x39</S>", "x39</S >"))
@example(DEEP_LIST.replace(">x39</S>", ">\n" + " " * 20 + "<I32>1</I32></S>"))
@example(LIST.replace('<I32 N="a">20<', '<I32 N="a">x20<'))
@example(LIST.replace('<I32 N="a">20<', '<I32 N="a">&#50;0<'))
@example(LIST.replace("x20</S>", "x20</S >"))
@example(LIST.replace("x20</S>", "x20"))
@example(LIST.replace("x20</S></MS>", 'x20</S><S N="c">y</S></MS>'))
@example(LIST.replace("x39</S></MS></Obj>", "x39</S></MS></Obj>\n"))
@example(LIST.replace('RefId="20"', 'RefId="20" '))
@example(LIST.replace('RefId="20">', 'RefId="20'))
@example(LIST.replace('RefId="39">', 'RefId="39'))
@example(LIST.replace("</LST>", '<Ref RefId="17" /></LST>'))
@example(LIST.replace('RefId="20"', 'RefId="19"').replace("</LST>", '<Ref RefId="19" /></LST>'))
@example(LIST.replace('<S N="b"', '<S N="A"'))
@example(LIST.replace('<I32 N="a">20</I32>', '<I32 N="a">2147483648</I32>'))
@example(LIST.replace("x20<", "x20]]><"))
@example(LIST.replace("<MS><I32", "<MS >\n<I32"))
@example('<Obj RefId="0"><LST>' + "<I32>1</I32>" * 70 + "<I32>1</S></LST></Obj>")
@example('<Obj RefId="0"><LST>' + "<I32>1</I32>" * 70 + "<I32>1</I32></LST></Obj>x")
@example('<Obj RefId="0"><LST>' + "<B>true</B>" * 9 + "<B>True</B></LST></Obj>")
@example("<S>" + "a" * 20_000 + "&x;</S>")
@example("<S>" + "a" * 20_000 + "</S> ")
def test_documents_with_faults_give_the_same_value_or_error(document: str) -> None:
    _check_read(document)
    with _paths(fast=False):
        plain = _outcome(lambda: load_all(document))
    with _paths(fast=True):
        fast = _outcome(lambda: load_all(document))
    assert type(fast) is type(plain)
    assert repr(fast) == repr(plain)


@pytest.mark.parametrize("part", [100, 700])
def test_a_run_over_the_end_of_a_part_is_read_whole(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psrp.clixml.tokens._PART", part)
    monkeypatch.setattr("psrp.clixml.tokens._FIRST_PART", part)
    _check_read(LIST)
    _check_read(_indented(LIST))
    _check_read(LIST.replace("x20<", "]]><"))
    _check_read(dumps(list(range(500))))
    _check_read(dumps({"a": "b" * 5000, "c": list(range(90)), "d": None}))


def _window_ends(count: int) -> str:
    """Return a list in which each window ends with an object of another kind."""
    texts = []
    length, at = 1, 0
    while at < count:
        texts += [
            f'<Obj RefId="{at + n}"><MS><I32 N="a">{n}</I32></MS></Obj>' for n in range(length)
        ]
        texts.append(f'<Obj RefId="{at + length}"><MS><S N="a">z</S></MS></Obj>')
        at += length + 1
        length = length * 8 if length < 64 else 1
    return f'<Obj RefId="x"><LST>{"".join(texts)}</LST></Obj>'


def _alike_but_every_ninth(number: int) -> str:
    tag = "S" if number % 9 == 8 else "I32"
    return f'<Obj RefId="{number}"><MS><{tag} N="a">1</{tag}></MS></Obj>'


HOSTILE: list[Callable[[int], str]] = [
    _window_ends,
    lambda count: '<Obj RefId="x"><LST>'
    + "".join(map(_alike_but_every_ninth, range(count)))
    + "</LST></Obj>",
    lambda count: '<Obj RefId="x"><LST>' + '<Obj RefId="1"><LST><I32>1</I32></LST></Obj>' * count,
    lambda count: '<Obj RefId="x"><LST>' + "<I32>1</I32>" * count + "<S>a</S></LST></Obj>",
    lambda count: '<Obj RefId="x"><LST>' + '<Obj RefId="1"><LST><I32>1</I32>' * 40
    + "<I32>1</I32>" * count,
]  # fmt: skip


@pytest.mark.parametrize("make", HOSTILE)
def test_a_mismatch_at_the_end_of_every_window_keeps_the_work_linear(
    make: Callable[[int], str],
) -> None:
    def work(count: int, fast: bool) -> int:
        document = make(count)
        with _paths(fast=fast):
            return calls(lambda: _outcome(lambda: loads(document)))

    work(100, True)  # create what is created only once
    assert work(2000, True) <= 2.2 * work(1000, True)
    assert work(2000, True) <= 1.5 * work(2000, False)
