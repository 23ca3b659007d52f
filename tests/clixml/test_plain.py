"""to_plain returns data in plain Python types only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    DateTimeKind,
    Dictionary,
    Enumerable,
    Int64,
    List,
    MemberSet,
    ProgressRecord,
    PSObject,
    Queue,
    ScriptBlock,
    SecureString,
    Single,
    Stack,
    TimeSpan,
    Uri,
    Version,
    XmlDocument,
)
from psrp.clixml.plain import MAX_DEPTH, to_plain
from psrp.clixml.strategies import values
from psrp.sansio import LocalProtocolError
from tests.rows import rows

DAY = ("System.DayOfWeek", "System.Enum", "System.ValueType", "System.Object")
ID = UUID(int=7)

CASES = [
    pytest.param(None, None, id="null"),
    pytest.param(True, True, id="bool"),
    pytest.param(Byte(5), 5, id="byte"),
    pytest.param(Int64(5), 5, id="int64"),
    pytest.param(Single(1.5), 1.5, id="single"),
    pytest.param(Decimal("1.10"), Decimal("1.10"), id="decimal"),
    pytest.param(Char("x"), "x", id="char"),
    pytest.param("a\ud83d", "a\ud83d", id="string with half a pair"),
    pytest.param(b"ab", b"ab", id="bytes"),
    pytest.param(bytearray(b"ab"), b"ab", id="bytearray"),
    pytest.param(ID, ID, id="guid"),
    pytest.param(Version("1.2"), "1.2", id="version"),
    pytest.param(Uri("urn:x"), "urn:x", id="uri"),
    pytest.param(ScriptBlock("1"), "1", id="script block"),
    pytest.param(XmlDocument("<a/>"), "<a/>", id="xml"),
    pytest.param(DateTime(10_000_007), datetime(1, 1, 1, 0, 0, 1), id="a naive date, cut"),
    pytest.param(DateTime(0, DateTimeKind.UTC), datetime(1, 1, 1, tzinfo=UTC), id="utc"),
    pytest.param(
        DateTime(0, DateTimeKind.LOCAL, 120),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        id="local",
    ),
    pytest.param(TimeSpan(-19), timedelta(microseconds=-1), id="a span, cut towards zero"),
    pytest.param(List([1, List([2])]), [1, [2]], id="list"),
    pytest.param(Stack([1, 2]), [1, 2], id="stack, top last"),
    pytest.param(Queue([1, 2]), [1, 2], id="queue"),
    pytest.param(PSObject((), {"Count": 1}, value=Enumerable([1])), [1], id="enumerable"),
    pytest.param((1, 2), [1, 2], id="tuple"),
    pytest.param({"a": (1,)}, {"a": [1]}, id="dict"),
    pytest.param(Dictionary([(Int64(1), "a"), ("b", None)]), {1: "a", "b": None}, id="dictionary"),
    pytest.param(PSObject(DAY, to_string="Friday", value=5), "Friday", id="enum"),
    pytest.param(
        PSObject(["Deserialized.System.Enum"], to_string="A, B", value=3), "A, B", id="old enum"
    ),
    pytest.param(PSObject(DAY, value=77), 77, id="enum without a name"),
    pytest.param(PSObject((), {}, {"PSPath": "x"}, value="text"), "text", id="value with notes"),
    pytest.param(
        PSObject((), {"Name": 1, "Id": 2}, {"name": 3}), {"Id": 2, "name": 3}, id="properties"
    ),
    pytest.param(PSObject((), to_string="shown"), "shown", id="nothing but a text"),
    pytest.param(PSObject((), {"a": 1}, to_string="shown"), {"a": 1}, id="text and properties"),
    pytest.param(PSObject.custom(), {}, id="nothing at all"),
    pytest.param(PSObject.custom(s=MemberSet(a=Byte(1))), {"s": {"a": 1}}, id="member set"),
    pytest.param(
        ProgressRecord(activity="a", activity_id=1, status="s"),
        {
            "activity": "a",
            "activity_id": 1,
            "status": "s",
            "current_operation": None,
            "parent_activity_id": -1,
            "percent": -1,
            "seconds": -1,
            "type": "Processing",
        },
        id="progress",
    ),
]


@rows(("value", "plain"), CASES)
def test_each_kind_has_its_plain_form(value: Any, plain: Any) -> None:
    made = to_plain(value)
    assert made == plain
    assert type(made) is type(plain)


PLAIN = (
    type(None), bool, int, float, str, bytes, list, dict, datetime, timedelta, Decimal, UUID
)  # fmt: skip


def _all_types(value: Any, seen: set[int]) -> set[type]:
    if id(value) in seen:
        return set()
    found = {type(value)}
    if isinstance(value, (list, dict)):
        seen.add(id(value))
        parts = value if isinstance(value, list) else [*value, *value.values()]
        found.update(*(_all_types(part, seen) for part in parts))
    return found


@given(values(allow_nan=True))
def test_nothing_but_everyday_types_comes_out(value: Any) -> None:
    assert _all_types(to_plain(value), set()) <= set(PLAIN)


@given(values(allow_nan=True))
def test_with_a_text_for_cycles_the_result_is_a_tree_for_json(value: Any) -> None:
    def depth(plain: Any) -> int:
        below = plain.values() if isinstance(plain, dict) else plain
        return 1 + max(map(depth, below), default=0) if isinstance(plain, (dict, list)) else 0

    assert depth(to_plain(value, cycle="(again)")) <= MAX_DEPTH


def test_keys_that_clash_or_cannot_be_hashed_make_a_list_of_pairs() -> None:
    assert to_plain(Dictionary([(1, "a"), (Int64(1), "b")])) == [[1, "a"], [1, "b"]]
    assert to_plain(Dictionary([(1, "a"), (True, "b")])) == [[1, "a"], [True, "b"]]
    assert to_plain(Dictionary([(List([1]), "a")])) == [[[1], "a"]]
    assert to_plain(Dictionary([(PSObject.custom(k=1), "a")])) == [[{"k": 1}, "a"]]
    day = PSObject(DAY, to_string="Friday", value=5)
    assert to_plain(Dictionary([(day, 1), (PSObject((), to_string="t"), 2)])) == {
        "Friday": 1,
        "t": 2,
    }
    holder = PSObject((), {}, value=List([1]))
    assert to_plain(Dictionary([(holder, 1)])) == [[[1], 1]]


def test_a_value_that_contains_itself_stays_one() -> None:
    items = List([1])
    items.append(items)
    plain = to_plain(items)
    assert plain[1] is plain
    thing = PSObject.custom(n=1)
    thing.extended["self"] = Dictionary([("x", thing)])
    plain = to_plain(thing)
    assert plain["self"]["x"] is plain
    table = Dictionary()
    table.add("me", table)
    plain = to_plain(table)
    assert plain["me"] is plain


def test_a_text_may_stand_where_a_value_contains_itself() -> None:
    thing = PSObject.custom(n=1, twice=List([2]))
    thing.extended.update(self=thing, other=thing.extended["twice"])
    assert to_plain(thing, cycle="...") == {"n": 1, "twice": [2], "self": "...", "other": [2]}


def test_what_was_shared_is_shared() -> None:
    one = List([1])
    plain = to_plain([one, one])
    assert plain[0] is plain[1]


def test_a_secret_becomes_plain_only_on_demand() -> None:
    holder = PSObject.custom(password=SecureString("hunter2"))
    with pytest.raises(LocalProtocolError, match=r"\$\.password: ") as caught:
        to_plain(holder)
    assert "hunter2" not in str(caught.value)
    assert to_plain(holder, reveal=True) == {"password": "hunter2"}
    with pytest.raises(LocalProtocolError, match="sealed"):
        to_plain(SecureString.from_sealed("YQ=="), reveal=True)


def test_an_object_that_is_not_a_value_is_refused_with_its_place() -> None:
    with pytest.raises(LocalProtocolError, match=r"\$\.a\[1\]: set is not a CLIXML value"):
        to_plain(PSObject.custom(a=[1, {2}]))
    with pytest.raises(LocalProtocolError, match=r"\$\[0\]"):
        to_plain({"x": DateTime(10**13, DateTimeKind.LOCAL, 5999)})


def test_plain_values_nested_too_deep_are_refused() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert to_plain(value)
    with pytest.raises(LocalProtocolError, match="nested more than 100 deep"):
        to_plain([value])
