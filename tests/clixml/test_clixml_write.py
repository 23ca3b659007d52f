"""Values without a CLIXML form raise LocalProtocolError with the path of the value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from psrp.clixml import Dictionary, PSObject, Stack, UInt32, dumps, identical, loads
from psrp.clixml.strategies import values
from psrp.sansio import LocalProtocolError


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (object(), "/"),
        ({1, 2}, "/"),
        (1j, "/"),
        ([1, [2, object()]], "/1/1"),
        ({"a": {5: object()}}, "/a/5"),
        ({(1, 2): object()}, "/tuple"),
        ({None: 1}, "/"),
        (PSObject(extended={"n": [object()]}), "/n/0"),
        (PSObject(adapted={"n": Decimal("NaN")}), "/n"),
        (PSObject(extended={"": 1}), "/"),
        (PSObject(extended={5: 1}), "/"),  # type: ignore[dict-item]
        (Stack([object()]), "/0"),
        (b"x".join, "/"),
    ],
)
def test_a_value_without_a_form_is_refused_with_its_place(value: Any, place: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        dumps(value)
    assert str(caught.value).endswith(f"(at {place})")


def test_a_class_that_extends_one_of_ours_is_written_as_that() -> None:
    class Names(list[str]):
        pass

    class Table(dict[str, int]):
        pass

    class Mine(PSObject):
        __slots__ = ()

    class Text(str):
        __slots__ = ()

    class Wide(UInt32):
        __slots__ = ()

    assert dumps(Names(["a"])) == dumps(["a"])
    assert dumps(Table(a=1)) == dumps({"a": 1})
    assert dumps(Mine(extended={"a": 1})) == dumps(PSObject(extended={"a": 1}))
    assert dumps([Text("a"), Wide(5)]) == dumps(["a", UInt32(5)])


def test_an_empty_object_is_an_empty_element() -> None:
    assert dumps(PSObject()) == b'<Obj RefId="0" />'
    assert dumps(PSObject(value=PSObject())) == b'<Obj RefId="0" />'
    assert dumps(PSObject(adapted={})) == b'<Obj RefId="0"><Props /></Obj>'
    assert dumps(PSObject(to_string="")) == b'<Obj RefId="0"><ToString /></Obj>'


def test_below_the_depth_an_object_is_its_text_and_keeps_its_notes() -> None:
    """Statement E55."""
    deep = PSObject(["T"], adapted={"x": 1}, extended={"n": 1})
    assert dumps(PSObject(adapted={"a": deep}), depth=1) == (
        b'<Obj RefId="0"><Props><Obj N="a" RefId="1"><S>T</S><MS><I32 N="n">1</I32></MS></Obj>'
        b"</Props></Obj>"
    )
    free = {"list": [[deep]], "note": PSObject.custom(a=PSObject.custom(b=deep))}
    assert dumps(free, depth=1) == dumps(free)
    assert dumps(deep, depth=0) == b'<Obj RefId="0"><S>T</S><MS><I32 N="n">1</I32></MS></Obj>'


def test_lists_of_one_kind_are_written_as_lists_of_many() -> None:
    for items in ([1, 2, -(2**31)], ["a", "<b>", ""], [1, 2**31], [True, False], [1, "a", None]):
        separate = [dumps(item) for item in items]
        assert b"<LST>" + b"".join(separate) + b"</LST>" in dumps(items)
        assert loads(dumps(items)) == items


def test_properties_with_many_names_are_written_all_the_same() -> None:
    obj = PSObject(extended={f"name {n}": n for n in range(5000)})
    assert loads(dumps(obj)) == obj


@given(values())
def test_what_is_written_is_read_again(value: Any) -> None:
    text = dumps(value)
    again = loads(text)
    assert again == value
    assert identical(again, loads(text))
    assert dumps(again) == text


@given(values())
def test_a_value_among_others_is_what_it_is_alone(value: Any) -> None:
    table = Dictionary([("k", value), (7, [value])])
    read = loads(dumps(table, max_depth=60), max_depth=60)
    assert read["k"] == value
    assert read[7] == [value]
