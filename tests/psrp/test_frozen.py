"""Our data classes behave like the frozen ones of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from dataclasses import KW_ONLY, FrozenInstanceError, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp import frozen
from psrp.host_values import Coordinates
from tests.recordings import ROOT


@frozen.dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A data class made as in the package."""

    name: str
    size: int = 3
    secret: bytes = field(default=b"", repr=False)
    note: Any = field(default=None, compare=False)


@frozen.dataclass(frozen=True, slots=True, kw_only=True)
class Below(Ours):
    """A subclass with one more field."""

    more: tuple[int, ...] = ()


@frozen.dataclass(frozen=True, slots=True)
class Placed:
    """A data class with positional and keyword-only fields."""

    x: int
    y: int = 0
    _: KW_ONLY
    z: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """The same as `Ours`, made with the standard library."""

    name: str
    size: int = 3
    secret: bytes = field(default=b"", repr=False)
    note: Any = field(default=None, compare=False)


GIVEN = st.fixed_dictionaries(
    {"name": st.text(max_size=2)},
    optional={
        "size": st.integers(0, 2),
        "secret": st.binary(max_size=1),
        "note": st.integers(0, 1),
    },
)


@given(GIVEN, GIVEN)
def test_values_repr_equality_and_hash_are_the_standard_librarys(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    ours, theirs = Ours(**first), Theirs(**first)
    assert dataclasses.astuple(ours) == dataclasses.astuple(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert (ours == Ours(**second)) is (theirs == Theirs(**second))
    assert (hash(ours) == hash(Ours(**second))) is (hash(theirs) == hash(Theirs(**second)))
    assert ours != theirs
    assert not hasattr(ours, "__dict__")


def test_nothing_can_be_changed() -> None:
    one = Ours(name="a")
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'size'"):
        one.size = 4  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'size'"):
        del one.size
    with pytest.raises(FrozenInstanceError):
        one.other = 1  # type: ignore[attr-defined]
    assert one == Ours(name="a")


def test_a_class_below_has_the_fields_above() -> None:
    one = Below(name="a", more=(1,))
    assert (one.name, one.size, one.more) == ("a", 3, (1,))
    assert one != Ours(name="a")
    assert repr(one) == "Below(name='a', size=3, note=None, more=(1,))"


def test_fields_come_by_place_where_the_class_says_so() -> None:
    assert Placed(1, 2, z=3) == Placed(x=1, y=2, z=3)
    with pytest.raises(TypeError, match=r"Placed\.__init__\(\) takes from 2 to 3 positional"):
        Placed(1, 2, 3)  # type: ignore[misc]
    with pytest.raises(TypeError, match=r"Ours\.__init__\(\) missing 1 required keyword-only"):
        Ours()  # type: ignore[call-arg]
    match Placed(1, 2):
        case Placed(x, y):
            assert (x, y) == (1, 2)


@pytest.mark.parametrize("one", [Ours(name="a", note=[1]), Below(name="b"), Placed(1, z=2)])
def test_copies_of_a_frozen_object_are_equal(one: Any) -> None:
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert type(other) is type(one)
        assert dataclasses.astuple(other) == dataclasses.astuple(one)
    assert dataclasses.replace(one) == one


def test_the_signature_is_known_before_the_first_one_is_made() -> None:
    program = """
import inspect
from psrp.host_values import Size
print(inspect.signature(Size), Size(1) == Size(1, 0))
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert said == "(width: 'int' = 0, height: 'int' = 0) True\n"
    assert str(inspect.signature(Coordinates)) == "(x: 'int' = 0, y: 'int' = 0)"


def test_a_default_that_is_made_each_time_is_refused() -> None:
    class Wrong:
        """A data class with a default_factory, which is refused."""

        items: list[int] = field(default_factory=list)

    made = frozen.dataclass(frozen=True, slots=True)(Wrong)
    with pytest.raises(TypeError, match=r"Wrong\.items: no default_factory here"):
        made()
