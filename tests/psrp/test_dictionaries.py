"""Application arguments and private data: the contents of a PSPrimitiveDictionary."""

from __future__ import annotations

from typing import Any

import pytest

from psrp.clixml import Int16, List, PSObject, SecureString
from psrp.dictionaries import PRIMITIVE_DICTIONARY, primitive_dictionary
from psrp.sansio import LocalProtocolError

SECRET = SecureString("secret")


def test_a_primitive_dictionary_is_typed_all_the_way_down() -> None:
    made = primitive_dictionary({"a": {"b": [1, {"c": None}]}, "d": List([2], ("T[]",))})
    assert made.type_names == PRIMITIVE_DICTIONARY
    assert made["a"].type_names == PRIMITIVE_DICTIONARY
    assert made["a"]["b"][1].type_names == PRIMITIVE_DICTIONARY
    assert made["d"].type_names == ("T[]",)
    assert primitive_dictionary(made) is made


def endless() -> dict[str, Any]:
    values: dict[str, Any] = {}
    values["self"] = values
    return values


def endless_list() -> dict[str, Any]:
    values: list[Any] = []
    values.append(values)
    return {"self": values}


@pytest.mark.parametrize(
    "values",
    [
        {1: "key"},
        {"a": PSObject()},
        {"a": SECRET},
        {"a": Int16(1)},
        {"a": 1 << 64},
        {"a": [object()]},
        endless(),
        endless_list(),
    ],
    ids=["key", "object", "secret", "Int16", "big", "inside", "endless", "endless list"],
)
def test_what_a_primitive_dictionary_may_not_hold(values: dict[Any, Any]) -> None:
    """Statement E56."""
    with pytest.raises(LocalProtocolError):
        primitive_dictionary(values)
