"""The JSON form keeps every type in both directions, through JSON text."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    DateTimeKind,
    Dictionary,
    Int16,
    Int64,
    List,
    MemberSet,
    ProgressRecord,
    PSObject,
    SByte,
    SecureString,
    Single,
    Stack,
    TimeSpan,
    UInt32,
    UInt64,
    Version,
    dumps,
    equal,
    identical,
    loads,
)
from psrp.clixml.files import load_all
from psrp.clixml.jsonform import MAX_DEPTH, from_json, to_json
from psrp.clixml.strategies import values
from psrp.sansio import LocalProtocolError
from tests.recordings import WHOLE
from tests.rows import rows


def _typed(kind: str, value: Any) -> dict[str, Any]:
    return {"$type": kind, "value": value}


CASES = [
    pytest.param(None, None, id="null"),
    pytest.param(True, True, id="bool"),
    pytest.param("a\ud83d", "a\ud83d", id="text"),
    pytest.param(-(2**31), -(2**31), id="I32"),
    pytest.param(1.5, 1.5, id="fraction"),
    pytest.param(5.0, _typed("Double", 5.0), id="whole double"),
    pytest.param(-0.0, _typed("Double", "-0"), id="negative zero"),
    pytest.param(math.inf, _typed("Double", "INF"), id="infinite"),
    pytest.param(Single("nan"), _typed("Single", "NaN"), id="nan"),
    pytest.param(Single(0.5), _typed("Single", 0.5), id="single"),
    pytest.param(Int64(1), _typed("Int64", "1"), id="I64"),
    pytest.param(UInt64(2**64 - 1), _typed("UInt64", "18446744073709551615"), id="U64"),
    pytest.param(Byte(1), _typed("Byte", 1), id="By"),
    pytest.param(SByte(-1), _typed("SByte", -1), id="SB"),
    pytest.param(Int16(1), _typed("Int16", 1), id="I16"),
    pytest.param(UInt32(1), _typed("UInt32", 1), id="U32"),
    pytest.param(Decimal("-1.10"), _typed("Decimal", "-1.10"), id="decimal"),
    pytest.param(Char("\ud800"), _typed("Char", "\ud800"), id="char"),
    pytest.param(b"ab", _typed("Bytes", "YWI="), id="bytes"),
    pytest.param(UUID(int=1), _typed("Guid", "00000000-0000-0000-0000-000000000001"), id="guid"),
    pytest.param(DateTime(1), _typed("DateTime", "0001-01-01T00:00:00.0000001"), id="date"),
    pytest.param(
        DateTime(0, DateTimeKind.LOCAL), _typed("DateTime", "0001-01-01T00:00:00+00:00"), id="local"
    ),
    pytest.param(TimeSpan(-1), _typed("TimeSpan", "-PT0.0000001S"), id="span"),
    pytest.param(Version("1.2"), _typed("Version", "1.2"), id="version"),
    pytest.param([1, [2]], [1, [2]], id="python list"),
    pytest.param({"a": {"b": 1}}, {"a": {"b": 1}}, id="python dict"),
    pytest.param({"$a": 1}, {"$type": "dict", "entries": {"$a": 1}}, id="dict with $"),
    pytest.param({1: 2}, {"$type": "dict", "entries": [[1, 2]]}, id="dict with a number"),
    pytest.param(List([1]), {"$type": "List", "items": [1]}, id="array"),
    pytest.param(
        Stack([1], ["My.Stack"]),
        {"$type": "Stack", "type_names": ["My.Stack"], "items": [1]},
        id="stack of a type",
    ),
    pytest.param(List([], ()), {"$type": "List", "type_names": [], "items": []}, id="no type"),
    pytest.param(
        Dictionary([("a", 1)]), {"$type": "Dictionary", "entries": {"a": 1}}, id="hashtable"
    ),
    pytest.param(
        Dictionary([("a", 1), ("a", 2), (Int64(3), None)]),
        {"$type": "Dictionary", "entries": [["a", 1], ["a", 2], [_typed("Int64", "3"), None]]},
        id="odd keys",
    ),
    pytest.param(
        PSObject(["T"], {"A": 1}, {"b": MemberSet(c=2)}, "shown"),
        {
            "$type": "Object",
            "type_names": ["T"],
            "to_string": "shown",
            "adapted": {"A": 1},
            "extended": {"b": {"$type": "MemberSet", "members": {"c": 2}}},
        },
        id="object",
    ),
    pytest.param(
        PSObject.custom(a=1), {"$type": "PSCustomObject", "extended": {"a": 1}}, id="custom"
    ),
    pytest.param(PSObject((), {}), {"$type": "Object", "adapted": {}}, id="empty Props"),
    pytest.param(PSObject(value="x"), {"$type": "Object", "value": "x"}, id="wrapped"),
    pytest.param(
        SecureString.from_sealed("YQ=="), {"$type": "SecureString", "sealed": "YQ=="}, id="sealed"
    ),
    pytest.param(
        ProgressRecord(activity="a", activity_id=1, status="s"),
        {
            "$type": "ProgressRecord",
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


@rows(("value", "form"), CASES)
def test_each_kind_has_its_form(value: Any, form: Any) -> None:
    assert to_json(value) == form
    again = from_json(json.loads(json.dumps(form)))
    assert identical(again, value)


@given(values(allow_nan=True))
def test_every_value_comes_back_through_the_text_of_json(value: Any) -> None:
    text = json.dumps(to_json(value), allow_nan=False)
    again = from_json(json.loads(text))
    assert identical(again, value)
    assert dumps(again) == dumps(value)
    assert json.dumps(to_json(again)) == text


@given(values())
def test_what_was_read_comes_back_as_well(value: Any) -> None:
    read = loads(dumps(value))
    assert equal(from_json(to_json(read)), value)


def _loosely(form: Any) -> Any:
    """Return a form as rewritten by a tool with one type of number."""
    if isinstance(form, float) and form.is_integer():
        return int(form)
    if isinstance(form, list):
        return [_loosely(part) for part in form]
    return {k: _loosely(v) for k, v in form.items()} if isinstance(form, dict) else form


@given(values())
def test_a_tool_that_knows_one_kind_of_number_does_no_harm(value: Any) -> None:
    assert dumps(from_json(_loosely(to_json(value)))) == dumps(value)


def test_what_is_written_like_something_else_becomes_that() -> None:
    pairs = [
        ((1, 2), [1, 2]),
        (2**40, Int64(2**40)),
        (2**63, UInt64(2**63)),
        (datetime(1, 1, 1, tzinfo=UTC), DateTime(0, DateTimeKind.UTC)),
        (timedelta(seconds=1), TimeSpan(10_000_000)),
        (bytearray(b"x"), b"x"),
        (DateTimeKindNumber(3), 3),
    ]
    for given_, becomes in pairs:
        again = from_json(to_json(given_))
        assert identical(again, becomes)
        assert dumps(again) == dumps(given_)
    assert from_json(to_json(-(2**70))) == -(2**70)
    assert to_json(2**70) == _typed("BigInteger", str(2**70))


class DateTimeKindNumber(int):
    """A caller-defined subclass of int."""


def test_a_container_met_twice_is_written_once() -> None:
    shared = [1]
    assert to_json([shared, {"a": shared}]) == [
        {"$type": "list", "$id": 1, "items": [1]},
        {"a": {"$ref": 1}},
    ]
    table: dict[Any, Any] = {}
    table["me"] = table
    form = to_json(table)
    assert form == {"$type": "dict", "$id": 1, "entries": {"me": {"$ref": 1}}}
    again = from_json(form)
    assert again["me"] is again
    thing = PSObject.custom()
    thing.extended["list"] = List([thing, thing])
    again = from_json(to_json(thing))
    assert again.extended["list"][1] is again


def test_numbers_of_references_count_in_the_order_of_the_text() -> None:
    one, two = List(["one"]), List(["two"])
    text = json.dumps(to_json([two, one, one, two]))
    assert text.index('"$id": 1') < text.index('"two"') < text.index('"$id": 2')


def test_a_secret_is_written_only_on_demand() -> None:
    holder = PSObject.custom(list=[SecureString("hunter2")])
    with pytest.raises(LocalProtocolError, match=r"\$\.list\[0\]: ") as caught:
        to_json(holder)
    assert "hunter2" not in str(caught.value)
    form = to_json(holder, reveal=True)
    assert form["extended"]["list"] == [{"$type": "SecureString", "open": "hunter2"}]
    assert from_json(form) == holder


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({1, 2}, r"\$: set is not a CLIXML value", id="a set"),
        pytest.param({"a": [object()]}, r"\$\.a\[0\]: object is no", id="inside"),
        pytest.param([timedelta(days=10**8)], r"\$\[0\]: ", id="a span too long"),
        pytest.param(10**5000, r"\$: ", id="too many digits"),
    ],
)
def test_what_has_no_form_is_refused_with_its_place(value: Any, text: str) -> None:
    with pytest.raises(LocalProtocolError, match=text):
        to_json(value)


@rows(
    ("form", "text"),
    [
        pytest.param(2**31, r"\$: 2147483648 is no I32", id="a wide number"),
        pytest.param([b"x"], r"\$\[0\]: bytes is not of JSON", id="not JSON"),
        pytest.param({"a": {"$x": 1}}, r"\$\.a: names with \$", id="a stray name"),
        pytest.param({1: 2}, r"\$: not all names are str", id="a name that is none"),
        pytest.param({"$type": "Int32"}, r"unknown \$type 'Int32'", id="unknown type"),
        pytest.param({"$type": []}, r"unknown \$type \[\]", id="unhashable type"),
        pytest.param({"$type": "Byte"}, r"Byte without 'value'", id="a field missing"),
        pytest.param(_typed("Byte", 256), r"Byte cannot be read: 256", id="out of range"),
        pytest.param(_typed("Byte", True), r"'value' of type bool, not int", id="wrong type"),
        pytest.param(_typed("Int64", "x"), r"Int64 cannot be read", id="no number"),
        pytest.param(_typed("Double", "x"), r"Double cannot be read", id="no double"),
        pytest.param(_typed("Decimal", "NaN"), r"Decimal cannot be read", id="nan"),
        pytest.param(_typed("Decimal", "x"), r"Decimal cannot be read", id="no decimal"),
        pytest.param(_typed("Char", "ab"), r"Char cannot be read", id="two chars"),
        pytest.param(_typed("Bytes", "?"), r"Bytes cannot be read", id="no base64"),
        pytest.param(_typed("Guid", "?"), r"Guid cannot be read", id="no guid"),
        pytest.param(_typed("DateTime", "?"), r"DateTime cannot be read", id="no date"),
        pytest.param(_typed("Version", "?"), r"Version cannot be read", id="no version"),
        pytest.param({**_typed("Byte", 1), "x": 1}, r"has no field 'x'", id="a field too many"),
        pytest.param({**_typed("Byte", 1), "$id": 1}, r"cannot have an \$id", id="a byte's id"),
        pytest.param({"$ref": 1}, r"\$ref 1 has no \$id before it", id="nothing to refer to"),
        pytest.param({"$ref": "1"}, r"\$ref '1' has no", id="a text as number"),
        pytest.param(
            [{"$type": "list", "$id": 1, "items": []}, {"$ref": 1, "a": 1}],
            r"\$\[1\]: a \$ref stands alone",
            id="a crowded ref",
        ),
        pytest.param(
            [{"$type": "list", "$id": 1, "items": []}] * 2, r"has the \$id 1", id="an id twice"
        ),
        pytest.param({"$type": "List", "$id": 0, "items": []}, r"\$id 0", id="id zero"),
        pytest.param({"$type": "List", "items": {}}, r"'items' of type dict", id="no items"),
        pytest.param(
            {"$type": "List", "type_names": [1], "items": []}, r"not all str", id="odd type names"
        ),
        pytest.param({"$type": "Dictionary", "entries": [1]}, r"entry 0 .* no pair", id="no pair"),
        pytest.param({"$type": "dict", "entries": [[[], 1]]}, r"cannot hash", id="a list as key"),
        pytest.param({"$type": "Object", "extended": []}, r"of type list", id="members as list"),
        pytest.param({"$type": "SecureString"}, r"without 'open'", id="an empty secret"),
        pytest.param({"$type": "ProgressRecord"}, r"needs activity", id="no activity"),
    ],
)
def test_a_bad_form_is_refused_with_its_place(form: Any, text: str) -> None:
    with pytest.raises(LocalProtocolError, match=text):
        from_json(form)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["$type", "$id", "$ref", "value", "items", "entries", "a"]),
            inner | st.sampled_from(["List", "Byte", "Object", "dict", "Dictionary", "Char"]),
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_json_is_a_value_or_our_callers_mistake(form: Any) -> None:
    try:
        value = from_json(form)
    except LocalProtocolError:
        return
    assert identical(from_json(to_json(value)), value)


def test_json_nested_more_than_100_deep_is_refused() -> None:
    deep: Any = []
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert from_json(to_json(deep)) == deep
    with pytest.raises(LocalProtocolError, match="nested more than 100 deep"):
        to_json([deep])
    with pytest.raises(LocalProtocolError, match="nested more than 100 deep"):
        from_json([deep])
    endless = MemberSet()
    endless["me"] = endless
    with pytest.raises(LocalProtocolError, match="nested more than 100 deep"):
        to_json(PSObject.custom(set=endless))


def test_open_secrets_and_python_numbers_may_be_written_by_hand() -> None:
    assert from_json({"$type": "SecureString", "open": "x"}) == SecureString("x")
    assert from_json(_typed("Int64", 5)) == Int64(5)
    assert identical(from_json(_typed("Double", 5)), 5.0)


@pytest.mark.parametrize("folder", ["exchange2019", "importexcel"])
def test_recorded_files_come_back_from_json(folder: str) -> None:
    for file in sorted((WHOLE / "clixml" / folder).glob("*.xml")):
        found = load_all(file.read_bytes())
        again = from_json(json.loads(json.dumps(to_json(found))))
        assert identical(again, found), file
