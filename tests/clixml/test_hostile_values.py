"""Values that take more work than their size suggests, and text that is almost valid."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from psrp.clixml import (
    Dictionary,
    Enumerable,
    List,
    MemberSet,
    PSObject,
    Queue,
    SecureString,
    Stack,
    Uri,
    Version,
    dumps,
    loads,
    roots,
    to_plain,
    tokens,
    typenames,
    write,
)
from psrp.sansio import ClixmlError, LocalProtocolError
from tests.properties.steps import calls, grows_linearly
from tests.rows import DEEP

SELF_LIST = '<Obj RefId="0"><LST><Ref RefId="0"/></LST></Obj>'
SELF_KEY = (
    '<Obj RefId="0"><DCT><En><Ref N="Key" RefId="0"/><Ref N="Value" RefId="0"/></En></DCT></Obj>'
)


def doubling(depth: int = 12, width: int = 10) -> Any:
    """Return a list of ten references to a list of ten references ..., small in memory."""
    value: Any = List([1])
    for _ in range(depth):
        value = List([value] * width)
    return value


def read_or_refuse(document: str) -> None:
    with suppress(ClixmlError):
        loads(document)


@pytest.mark.parametrize("show", [repr, str])
@pytest.mark.parametrize("kind", [List, Enumerable, Stack, Queue])
def test_a_container_that_contains_itself_is_shown(show: Any, kind: Any) -> None:
    value = kind()
    value.append(value)
    assert "..." in show(value)
    table = Dictionary({"a": value})
    table.add(table, table)
    assert "..." in show(table)
    members = MemberSet({"a": table})
    members["b"] = members
    assert "..." in show(members)


@pytest.mark.parametrize("show", [repr, str])
def test_showing_a_shared_value_is_bounded_work(show: Any) -> None:
    value = doubling()
    assert len(show(value)) < 20_000
    assert len(show(Dictionary({"a": value, "b": value}))) < 20_000
    assert len(show(MemberSet({"a": value}))) < 20_000
    deep: Any = List()
    for _ in range(5000):
        deep = List([deep])
    assert len(show(deep)) < 20_000


def test_a_small_container_is_shown_whole() -> None:
    assert repr(List([1, "a", None])) == "List([1, 'a', None])"
    assert repr(Dictionary({"a": [1, (2,)]})) == "Dictionary([('a', [1, (2,)])])"
    assert repr(Dictionary()) == "Dictionary()"
    assert repr(MemberSet({"a": 1})) == "MemberSet({'a': 1})"


def test_comparing_shared_values_is_bounded_work() -> None:
    assert doubling() == doubling()
    assert doubling() != doubling(11)
    long, short = List(), List()
    for loop, length in ((long, 101), (short, 103)):
        at = loop
        for _ in range(length - 1):
            at.append(List())
            at = at[0]
        at.append(loop)
    assert calls(lambda: long == short) < 20_000


def test_dictionaries_with_keys_that_collide_are_read_in_linear_time() -> None:
    def document(keys: list[str]) -> str:
        entries = "".join(f'<En>{key}<I32 N="Value">1</I32></En>' for key in keys)
        return f'<Obj RefId="0"><DCT>{entries}</DCT></Obj>'

    prime = 2**61 - 1
    for make in (
        lambda i: f'<G N="Key">{UUID(int=5 + i * prime)}</G>',
        lambda i: f'<D N="Key">{5 + i * prime}</D>',
        lambda i: f'<D N="Key">0.{i * prime + 7:027d}1</D>',
    ):
        keys = [make(i) for i in range(4000)]
        table = loads(document(keys))
        assert len(table) == 4000
        hashes = {hash(token) for token in table._entries}
        assert len(hashes) > 3900
    table = Dictionary({UUID(int=5): 1, Decimal("0.5"): 2, Decimal("1.00"): 3, 2.25: 4})
    assert table[UUID(int=5)] == 1
    assert table[0.5] == table[Decimal("0.50")] == 2
    assert table[1] == table[1.0] == 3
    assert table[Decimal("2.250")] == 4
    assert Dictionary({2**70: 1})[Decimal(2**70)] == Dictionary({float(2**70): 1})[2**70] == 1


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("Db", lambda n: "1" * n + "x"),
        ("Db", lambda n: "1" * n),
        ("Sg", lambda n: "1" * n + "."),
        ("D", lambda n: "1" * n + "x"),
        ("D", lambda n: "0" * n + "." + "0" * n + "1"),
        ("I32", lambda n: "0" * n + "x"),
        ("TS", lambda n: "P" + "1" * n),
        ("DT", lambda n: "2024-01-01T00:00:00." + "0" * n + "x"),
        ("Version", lambda n: "1." * n),
        ("URI", lambda n: "http://a/" + "e\u0301" * n),
        ("URI", lambda n: "http://" + "\u0301" * n),
        ("G", lambda n: "{" * n),
        ("BA", lambda n: "A " * n + "="),
        ("S", lambda n: "_x00" * n),
        ("SBK", lambda n: "&amp;" * n),
    ],
)
def test_reading_a_scalar_is_linear_work(kind: str, make: Callable[[int], str]) -> None:
    def work(n: int) -> Callable[[], object]:
        document = f"<{kind}>{make(n)}</{kind}>"
        return lambda: read_or_refuse(document)

    assert grows_linearly(work)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "<" + "a" * n,
        lambda n: "<S>" + "<" * n,
        lambda n: "<!-- x -->" * n + "<I32>1</I32>",
        lambda n: "<?pi x?>" * n + "<I32>1</I32>",
        lambda n: "<S " + "a='b' " * n,
        lambda n: "<S>" + "<![CDATA[x]]>" * n + "</S>",
        lambda n: "<Obj>" * 40 + "<" + "b-" * n,
    ],
)
def test_reading_markup_is_linear_work(make: Callable[[int], str]) -> None:
    def work(n: int) -> Callable[[], object]:
        document = make(n)
        return lambda: read_or_refuse(document)

    assert grows_linearly(work)


@pytest.mark.parametrize(
    "document",
    [
        "<DT>2024-01-01T00:00:Z</DT>",
        "<DT>2024-01-01T00:00:0Z</DT>",
        "<DT>2024-W01-1T00:00:00</DT>",
        "<DT>2024-01-01T00:00:00+</DT>",
        "<SS>&</SS>",
        "<SS>&x;</SS>",
        '<Obj RefId="0"><Ref RefId="0"/></Obj>',
        "<URI>http://[::1</URI>",
        "<URI>http://a]b/</URI>",
        "<Version>5</Version>",
        "<Version>1.2.3.4.5</Version>",
        "<Version>1.-2</Version>",
        "<Version>1.99999999999</Version>",
    ],
)
def test_what_powershell_refuses_is_a_clixml_error(document: str) -> None:
    with pytest.raises(ClixmlError):
        loads(document)


@pytest.mark.parametrize("count", [3999, 4000, 4001, 5000, 70_000])
def test_white_space_of_any_length_is_a_string(count: int) -> None:
    text = " " * count
    assert loads(dumps(text)) == text
    assert loads(dumps([text, "a"])) == [text, "a"]
    assert loads(dumps(PSObject(extended={"A": text, "B": 1})))["A"] == text
    assert loads(dumps(Dictionary({"k": text, text: 1})))["k"] == text
    assert loads(dumps(text + "x\t")) == text + "x\t"


@pytest.mark.parametrize("text", ["_x0041_", "a_x", "\x01<&>", "&lt;", "_X000D_x", "\ud800"])
def test_the_text_of_a_sealed_string_survives_round_trips(text: str) -> None:
    once = dumps(SecureString.from_sealed(text))
    assert loads(once).sealed == text
    assert dumps(loads(dumps(loads(once)))) == once


@pytest.mark.parametrize(
    ("document", "value"),
    [
        ("<Nil>text</Nil>", None),
        ("<Nil><S>x</S></Nil>", None),
        ("<Version> 1.2 </Version>", "1.2"),
        ("<Version>1. 2</Version>", "1.2"),
        ("<Version>+1.2</Version>", "1.2"),
        ("<Version>01.2</Version>", "1.2"),
    ],
)
def test_what_powershell_reads_is_read(document: str, value: Any) -> None:
    assert loads(document) == value
    named = document.replace(">", ' N="A">', 1)
    assert loads(f'<Obj RefId="0"><MS>{named}</MS></Obj>')["A"] == value


def test_a_uri_may_be_as_long_as_powershell_takes_it() -> None:
    text = "http://x/" + "a" * 70_000
    assert loads(f"<URI>{text}</URI>") == Uri(text)


def test_plain_values_of_cycles_need_no_recursion_of_python() -> None:
    value = PSObject()
    value.value = value
    assert repr(value)
    with pytest.raises(LocalProtocolError, match="deep"):
        to_plain(value)
    table = loads(SELF_KEY)
    assert to_plain(table, cycle="...") == [["...", "..."]]
    assert to_plain(loads(SELF_LIST), cycle="...") == ["..."]


def test_caches_are_bounded_in_bytes() -> None:
    long = "n" * 10_000
    for i in range(3000):
        dumps(PSObject(extended={f"{long}{i}": 1}))
        name = f"{long}{i}"
        loads(
            f'<Obj RefId="0"><TN RefId="0"><T>{name[:900]}{i}</T></TN><MS><S N="a">x</S></MS></Obj>'
        )
        types = "".join(f"<T>{i}{j}</T>" for j in range(20))
        loads(f'<Obj RefId="0"><TN RefId="0">{types}</TN><MS><S N="a">x</S></MS></Obj>')
    kept = (
        sum(len(key) + len(value) for key, value in write._NAMES.items())
        + sum(map(len, roots._ROOTS))
        + sum(map(len, tokens.KNOWN))
        + sum(len(name) for names in typenames._KNOWN for name in names)
    )
    assert kept < 4 << 20


@pytest.mark.parametrize(
    "item",
    [
        "<Obj/>",
        "<S/>",
        "<Nil/>",
        "<I32>1</I32>",
        "<D>1</D>",
        "<LST/>",
        "<DT>2024-01-01</DT>",
        "<Obj><LST/></Obj>",
        "<Obj><DCT/></Obj>",
        "<Obj><MS/></Obj>",
        "<TS>P1D</TS>",
        "<C>1</C>",
        "<G>00000000000000000000000000000001</G>",
        "<SS/>",
        "<BA/>",
        "<Version>1.2</Version>",
    ],
)
def test_a_byte_of_input_costs_a_bounded_number_of_bytes(item: str) -> None:
    count = 20_000 if DEEP else 4_000
    document = "<Obj><LST>" + item * count + "</LST></Obj>"
    tracemalloc.start()
    try:
        value = loads(document) if item != "<LST/>" else None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert value is None or len(value) == count
    assert peak < 45 * len(document)
    assert sys.version_info >= (3, 11)


def test_versions_are_read_as_dot_net_parses_numbers() -> None:
    assert isinstance(loads("<Version> +1 . 02.3 </Version>"), Version)
