"""Bags of properties: exact types, names without case, and enums in every form."""

from __future__ import annotations

from typing import Any

import pytest

from psrp.clixml import Int64, PSObject, ScriptBlock, UInt32, Version
from psrp.enums import (
    CommandTypes,
    InvocationState,
    PipelineResultTypes,
    RemoteStreamOptions,
    RunspaceState,
)
from psrp.properties import Properties, bag, enum_number, int64, uint32
from psrp.sansio import LocalProtocolError, MessageError

FULL = Properties(
    "TEST", bag({"Number": 5, "Wide": Int64(5), "Text": "t", "Nil": None, "Object": bag({"In": 1})})
)


def test_a_property_is_found_without_regard_to_case() -> None:
    """Statement A15."""
    assert FULL.take("NUMBER", int) == 5
    assert FULL.child("object").take("in", int) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Wide", int), ("Number", Int64), ("Number", str), ("Text", Version), ("Nil", int)],
)
def test_another_element_is_refused(name: str, kind: type) -> None:
    """Statement A14."""
    with pytest.raises(MessageError) as caught:
        FULL.take(name, kind)
    assert (caught.value.message, caught.value.element) == ("TEST", name)


def test_nil_and_absence_are_allowed_where_they_are() -> None:
    assert FULL.take_or_nil("Nil", int) is None
    assert FULL.find("Absent", int) is None
    for read in (FULL.take_or_nil, FULL.find):
        with pytest.raises(MessageError, match="expected an element I32"):
            read("Text", int)
    with pytest.raises(MessageError, match="missing"):
        FULL.take_or_nil("Absent", int)
    with pytest.raises(MessageError, match="not an object"):
        FULL.child("Text")


def test_an_object_that_is_its_own_value_holds_nothing() -> None:
    odd = PSObject()
    odd.value = odd
    source = Properties("TEST", bag({"Number": odd}))
    assert source.find("Number", int) is None
    with pytest.raises(MessageError):
        source.take("Number", int)


def test_a_script_block_passes_for_a_string_as_in_powershell() -> None:
    assert Properties("TEST", bag({"a": ScriptBlock("1")})).take("a", str) == "1"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (None, 0),
        (8, 8),
        (UInt32(8), 8),
        (PSObject(to_string="Cmdlet", value=8), 8),
        ("cmdlet", 8),
        ("Alias, Cmdlet", 9),
        ("+8", 8),
        ("x", None),
        ("\u0661", None),
        ("9" * 30, None),
        (b"8", None),
    ],
)
def test_an_enum_in_any_form(value: Any, number: int | None) -> None:
    """Statement A15."""
    assert enum_number(value, CommandTypes) == number


def test_an_enum_is_named_as_dotnet_names_it() -> None:
    assert CommandTypes.text(271) == ("Alias, Function, Filter, Cmdlet, Configuration")
    assert RemoteStreamOptions.text(0) == "0"
    assert RemoteStreamOptions.text(15) == "AddInvocationInfo"
    assert CommandTypes.text(1 << 20 | 1) == "1048577"
    assert PipelineResultTypes.text(77) == "77"


def test_what_does_not_fit_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        int64("x", 1 << 63)
    with pytest.raises(LocalProtocolError):
        uint32("x", -1)


@pytest.mark.parametrize("text", ["+-2", "--1", "-", "+", "1 2", "0x1", "1.0", "9" * 30, "\u0662"])
def test_what_is_neither_number_nor_name_of_an_enum_is_none(text: str) -> None:
    assert enum_number(text, CommandTypes) is None
    with pytest.raises(MessageError, match="neither a number nor a name"):
        Properties("TEST", bag({"Kind": text})).enum("Kind", CommandTypes)


def test_an_enum_shows_powershells_names() -> None:
    assert [str(state) for state in RunspaceState][:3] == ["BeforeOpen", "Opening", "Opened"]
    assert str(InvocationState.COMPLETED) == f"{InvocationState.COMPLETED!s}" == "Completed"
    assert InvocationState.known(99) == 99
    assert InvocationState.known(4) is InvocationState.COMPLETED
