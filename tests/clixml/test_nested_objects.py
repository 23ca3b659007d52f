"""An object inside an object is one object with the members of both, as PowerShell reads it."""

from __future__ import annotations

import pytest

from psrp.clixml import List, PSObject, dumps, loads
from psrp.sansio import ClixmlError, LocalProtocolError

NS = "http://schemas.microsoft.com/powershell/2004/04"
INNER = (
    '<Obj RefId="1"><TN RefId="1"><T>Inner</T></TN><ToString>inner</ToString>'
    '<Props><S N="Name">in</S></Props><MS><S N="A">in</S><S N="Z">in</S></MS></Obj>'
)


def test_both_parts_are_one_object() -> None:
    value = loads(
        '<Obj RefId="0"><TN RefId="0"><T>My.Item</T><T>System.Object</T></TN>'
        "<ToString>My.Item</ToString>"
        '<Obj RefId="1"><TNRef RefId="0" /><ToString>My.Item</ToString><Props>'
        '<S N="Name">Home</S><I32 N="Size">3</I32></Props></Obj>'
        '<MS><S N="Title">Welcome</S><Nil N="Empty" /></MS></Obj>'
    )
    assert dict(value.items()) == {"Name": "Home", "Size": 3, "Title": "Welcome", "Empty": None}
    assert value.type_names == ("My.Item", "System.Object")
    assert value.value is None
    assert loads(dumps(value)) == value


def test_the_outer_object_takes_precedence() -> None:
    value = loads(
        f'<Obj RefId="0"><TN RefId="0"><T>Outer</T></TN>{INNER}'
        '<Props><S N="name">out</S></Props><MS><S N="a">out</S><S N="B">out</S></MS></Obj>'
    )
    assert value.type_names == ("Outer",)
    assert value.to_string == "inner"
    assert value.adapted == {"name": "out"}
    assert value.extended == {"Z": "in", "a": "out", "B": "out"}


def test_what_the_outer_object_leaves_open_is_the_inner_ones() -> None:
    value = loads(f'<Obj RefId="0">{INNER}</Obj>')
    assert (value.type_names, value.to_string) == (("Inner",), "inner")
    deep = loads(f'<Obj RefId="0"><Obj RefId="2">{INNER}</Obj><MS><S N="B">out</S></MS></Obj>')
    assert deep.extended == {"A": "in", "Z": "in", "B": "out"}


def test_references_to_either_are_references_to_the_one_object() -> None:
    value = loads(
        f'<Obj RefId="0">{INNER}<MS><Ref N="Self" RefId="0"/><Ref N="In" RefId="1"/></MS></Obj>'
    )
    assert value["Self"] is value
    assert value["In"] is value
    inside = loads('<Obj RefId="0"><Obj RefId="1"><MS><Ref N="Me" RefId="1"/></MS></Obj></Obj>')
    assert inside["Me"] is inside


def test_a_container_inside_an_object_is_its_value() -> None:
    value = loads(
        '<Obj RefId="0"><TN RefId="0"><T>Outer</T></TN><Obj RefId="1"><TN RefId="1">'
        "<T>System.Object[]</T></TN><LST><I32>1</I32></LST></Obj>"
        '<MS><S N="A">out</S></MS></Obj>'
    )
    assert isinstance(value.value, List)
    assert value.value == [1]
    assert value.type_names == ("Outer",)


def test_a_reference_in_place_of_a_value_is_refused() -> None:
    with pytest.raises(ClixmlError, match="a Ref in place of"):
        loads('<Obj RefId="0"><MS><Obj N="X" RefId="1"/></MS><Ref RefId="1"/></Obj>')


def test_an_object_whose_value_is_an_object_is_written_as_one() -> None:
    value = PSObject(("Outer",), value=PSObject(("Inner",), {"Name": 1}, {"A": 2}, "inner"))
    written = loads(dumps(value))
    assert written == PSObject(("Outer",), {"Name": 1}, {"A": 2}, "inner")
    cycle = PSObject()
    cycle.value = cycle
    with pytest.raises(LocalProtocolError, match="written before"):
        dumps(cycle)


@pytest.mark.parametrize(
    "document",
    [
        f'<Obj RefId="0" xmlns="{NS}"><MS><S N="A">x</S></MS></Obj>',
        f'<Obj RefId="0" xmlns="{NS}"><MS><S N="A" xmlns="{NS}">x</S></MS></Obj>',
        f'<p:Obj RefId="0" xmlns:p="{NS}"><p:MS><p:S N="A">x</p:S></p:MS></p:Obj>',
    ],
)
def test_a_bare_element_may_repeat_the_namespace(document: str) -> None:
    assert loads(document)["A"] == "x"


def test_a_bare_element_of_another_namespace_has_no_strings() -> None:
    with pytest.raises(ClixmlError, match="foreign namespace"):
        loads('<Obj RefId="0" xmlns="urn:other"><MS><S N="A">x</S></MS></Obj>')
    assert loads(f'<S xmlns="{NS}">x</S>') == "x"
