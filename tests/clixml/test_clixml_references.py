"""Identity: a shared object is written once and read as one object, cycles included."""

from __future__ import annotations

from typing import Any

import pytest

from psrp.clixml import (
    Dictionary,
    Enumerable,
    List,
    PSObject,
    Stack,
    dump_all,
    dumps,
    identical,
    load_all,
    loads,
)
from psrp.sansio import ClixmlError


def test_one_object_met_twice_is_one_object() -> None:
    shared, table = PSObject.custom(a=1), {"x": 1}
    value = loads(dumps([shared, shared, table, {"again": table}, shared]))
    assert value[0] is value[1] is value[4]
    assert value[2] is value[3]["again"]
    assert dumps([shared, shared]).count(b"<Ref ") == 1


def test_equal_objects_are_not_one_object() -> None:
    value = loads(dumps([PSObject.custom(a=1), PSObject.custom(a=1)]))
    assert value[0] is not value[1]


def test_type_names_are_written_once() -> None:
    text = dumps([PSObject.custom(a=1), PSObject.custom(b=2)]).decode()
    assert text.count("PSCustomObject") == 1
    assert text.count('<TNRef RefId="1" />') == 1


def test_every_message_counts_anew_and_objects_apart_from_type_names() -> None:
    """Statement E49."""
    first = dumps([PSObject.custom(a=1)])
    assert dumps([PSObject.custom(a=1)]) == first
    assert first.startswith(b'<Obj RefId="0"><TN RefId="0">')
    assert b'<Obj RefId="1"><TN RefId="1">' in first
    with pytest.raises(ClixmlError, match="RefId 0"):
        loads('<Ref RefId="0" />')
    with pytest.raises(ClixmlError, match="RefId 0"):
        loads('<Obj RefId="0"><TNRef RefId="0" /></Obj>')


def holder(kind: str) -> Any:
    value: Any
    if kind == "dict":
        value = {}
        value["me"] = value
    elif kind == "Dictionary":
        value = Dictionary()
        value.add("me", value)
    elif kind == "PSObject":
        value = PSObject(extended={})
        value.extended["me"] = value
    elif kind == "adapted":
        value = PSObject(adapted={})
        value.adapted["me"] = value
    else:
        value = {"list": list, "List": List, "Stack": Stack, "Enumerable": Enumerable}[kind]()
        value.append(value)
    return value


KINDS = ["list", "List", "Stack", "Enumerable", "dict", "Dictionary", "PSObject", "adapted"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_contains_itself_comes_back_containing_itself(kind: str) -> None:
    value = loads(dumps(holder(kind)))
    inside = value["me"] if kind in ("dict", "Dictionary", "PSObject", "adapted") else value[0]
    assert inside is value
    assert dumps(value) == dumps(holder(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cycle_deep_inside_is_closed_as_well(kind: str) -> None:
    value = holder(kind)
    outer = [1, PSObject.custom(deep={"x": [value]}), value]
    read = loads(dumps(outer))
    assert read[2] is read[1]["deep"]["x"][0]
    assert dumps(read) == dumps(outer)
    assert identical(load_all(dump_all([outer, outer])), load_all(dump_all([outer, outer])))


def test_a_container_may_be_its_own_key() -> None:
    text = (
        '<Obj RefId="0"><DCT><En><Ref N="Key" RefId="0" /><I32 N="Value">1</I32></En>'
        '<En><S N="Key">x</S><Ref N="Value" RefId="0" /></En></DCT></Obj>'
    )
    value = loads(text)
    assert value[value] == 1
    assert value["x"] is value
    assert dumps(value).decode() == text


def test_a_container_with_notes_that_contains_itself_is_the_object_not_its_container() -> None:
    text = (
        '<Obj RefId="0"><LST><Ref RefId="0" /><I32>1</I32></LST>'
        '<MS><Ref N="me" RefId="0" /></MS></Obj>'
    )
    value = loads(text)
    assert value["me"] is value
    assert value.value[0] is value
    assert dumps(value).decode() == text


def test_the_container_inside_an_object_refers_to_the_object() -> None:
    inner = [1]
    obj = PSObject(extended={"a": inner}, value=inner)
    assert b'<Ref N="a" RefId="0" />' in dumps(obj)


def test_one_id_used_twice_means_the_last_object() -> None:
    text = (
        '<Obj RefId="9"><LST><Obj RefId="0"><MS><I32 N="a">1</I32></MS></Obj>'
        '<Obj RefId="0"><MS><I32 N="a">2</I32></MS></Obj><Ref RefId="0" /></LST></Obj>'
    )
    value = loads(text)
    assert value[2] is value[1]


def test_an_id_reused_inside_its_own_object_means_the_inner_one() -> None:
    text = '<Obj RefId="0"><LST><Obj RefId="0"><LST /></Obj><Ref RefId="0" /></LST></Obj>'
    value = loads(text)
    assert value[1] is value[0]
    assert value[1] is not value


def test_an_unknown_element_is_skipped_in_a_newer_version_only() -> None:
    text = (
        '<Objs Version="1.2.0.0" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        '<Obj RefId="0"><New a="b"><S>x</S><Deep><Nil /></Deep></New><Newer />'
        '<MS><I32 N="a">1</I32></MS></Obj></Objs>'
    )
    assert loads(text) == PSObject(extended={"a": 1})
    with pytest.raises(ClixmlError, match="unknown element New"):
        loads(text.replace("1.2.0.0", "1.1.0.1"))
    with pytest.raises(ClixmlError, match="ends <Deep>"):
        loads(text.replace("</Deep>", "</New>"))


def test_ids_inside_skipped_members_count() -> None:
    """Statement J109. A record's properties refer to objects in the parts that are read last."""
    text = (
        '<Obj RefId="0"><TN RefId="0"><T>A</T></TN><ToString>e</ToString>'
        '<Props><Obj N="Hidden" RefId="1"><TN RefId="1"><T>B</T></TN><LST><I32>1</I32></LST></Obj>'
        '</Props><MS><Ref N="Shown" RefId="1" /><Obj N="More" RefId="2"><TNRef RefId="1" /></Obj>'
        "</MS></Obj>"
    )
    value = loads(text)
    assert value["Shown"] is value["Hidden"]
    assert value["More"].type_names == ("B",)
    assert dumps(value).decode() == text


def test_references_reach_across_the_values_of_a_document() -> None:
    shared = PSObject.custom(a=1)
    values = load_all(dump_all([shared, [shared], shared]))
    assert values[0] is values[1][0] is values[2]


def test_ids_may_be_missing_or_any_text() -> None:
    text = (
        '<Obj><LST><Obj RefId="abc"><LST /></Obj><Ref RefId="abc" /><Obj RefId="-1"><LST /></Obj>'
        '<Ref RefId="-1" /><Obj RefId=""><LST /></Obj><Ref RefId="" /></LST></Obj>'
    )
    value = loads(text)
    assert [value[0] is value[1], value[2] is value[3], value[4] is value[5]] == [True] * 3
