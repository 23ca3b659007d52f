"""Hypothesis strategies for CLIXML values; `psrp.strategies` exports them all.

Every value equals ``loads(dumps(value))``, and most are identical to it. Values that CLIXML reads
back as another type are not generated: no tuple, no `datetime`, no integer beyond 64 bits.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from psrp.clixml.containers import Dictionary, Enumerable, List, Queue, Stack
from psrp.clixml.numbers import Char, Single, SizedInt
from psrp.clixml.objects import (
    CUSTOM_OBJECT,
    MemberSet,
    ProgressRecord,
    PSObject,
    ScriptBlock,
    SecureString,
    Uri,
    Version,
    XmlDocument,
)
from psrp.clixml.times import MAX_DATETIME, DateTime, DateTimeKind, TimeSpan

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["brief", "containers", "objects", "scalars", "strings", "values"]

T = TypeVar("T")

_HARD = ("", "_x", "_x0041_", "_X005f_", "\ud83d", "\udc00", "\0", "\ufffe", "\uffff", " a ", "]]>")
_TYPE_NAMES = (
    (),
    CUSTOM_OBJECT,
    ("System.Collections.Hashtable", "System.Object"),
    ("System.Object[]", "System.Array", "System.Object"),
    ("Deserialized.System.Diagnostics.Process", "Deserialized.System.Object"),
)
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_DAY_TYPES = ("System.DayOfWeek", "System.Enum", "System.ValueType", "System.Object")


def brief(strategy: SearchStrategy[T]) -> SearchStrategy[T]:
    """Return the strategy with a short repr, because nested ones grow without bound."""

    @st.composite
    def inner(draw: DrawFn) -> T:
        return draw(strategy)

    return inner()


def _joined(text: str) -> str:
    """Join surrogate pairs into single characters, as on the wire."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@lru_cache(maxsize=64)
def strings(*, min_size: int = 0, max_size: int = 50) -> SearchStrategy[str]:
    """Generate text of any UTF-16 units, with controls, lone surrogates and apparent escapes.

    Shrinks to the shortest, then towards ``0``.
    """
    if not 0 <= min_size <= max_size:
        raise ValueError(f"min_size is {min_size} and max_size is {max_size}")
    anything = st.text(st.characters(exclude_categories=()), min_size=min_size, max_size=max_size)
    hard = st.lists(st.sampled_from(_HARD), max_size=4).map("".join)
    fitting = hard.filter(lambda text: min_size <= len(_joined(text)) <= max_size)
    return brief((anything | fitting).map(_joined).filter(lambda text: len(text) >= min_size))


def _date_times() -> SearchStrategy[DateTime]:
    ticks = st.integers(0, MAX_DATETIME)
    return (
        st.builds(DateTime, ticks, st.just(DateTimeKind.UTC))
        | st.builds(DateTime, ticks)
        | st.builds(DateTime, ticks, st.just(DateTimeKind.LOCAL), st.integers(-840, 840))
    )


def _decimals() -> SearchStrategy[Decimal]:
    digits = st.integers(0, 2**96 - 1).map(lambda number: tuple(map(int, str(number))))
    # The sign of a zero is lost on the wire.
    return st.builds(
        lambda digits, minus, scale: Decimal((int(minus and any(digits)), digits, -scale)),
        digits,
        st.booleans(),
        st.integers(0, 28),
    )


def _numbers(allow_nan: bool) -> SearchStrategy[Any]:
    sized = [st.integers(kind.MIN, kind.MAX).map(kind) for kind in SizedInt.__subclasses__()]
    return st.one_of(
        st.integers(-(2**31), 2**31 - 1),
        *sized,
        st.floats(allow_nan=allow_nan),
        st.floats(allow_nan=allow_nan, width=32).map(Single),
        _decimals(),
    )


def _progress(text: SearchStrategy[str]) -> SearchStrategy[ProgressRecord]:
    number = st.integers(-(2**31), 2**31 - 1)
    return st.builds(
        ProgressRecord,
        activity=text,
        activity_id=number,
        status=text,
        current_operation=st.none() | text,
        parent_activity_id=number,
        percent=st.integers(-1, 100),
        seconds=number,
        type=st.sampled_from(["Processing", "Completed"]),
    )


@lru_cache(maxsize=64)
def scalars(*, allow_nan: bool = False) -> SearchStrategy[Any]:
    """Generate every value that is one element: null, booleans, numbers of every width, text ...

    ``allow_nan`` adds NaN, which equals nothing (compare with `psrp.clixml.identical`).
    SecureStrings are not included. Shrinks to None, then False, then 0.
    """
    text = brief(strings())
    every = st.one_of(
        st.none(),
        st.booleans(),
        _numbers(allow_nan),
        text,
        st.binary(max_size=50),
        st.uuids(),
        st.integers(0, 0xFFFF).map(Char),
        _date_times(),
        st.integers(-(2**63), 2**63 - 1).map(TimeSpan),
        st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=4).map(
            lambda parts: Version(".".join(map(str, parts)))
        ),
        st.sampled_from(["https://example.com/a b?c=d&e", "relative/ä", "urn:x", ""]).map(Uri),
        text.map(ScriptBlock),
        st.sampled_from(["<a/>", '<?xml version="1.0"?><a xmlns="urn:x">&lt;</a>']).map(
            XmlDocument
        ),
        _progress(text),
    )
    return brief(every)


@lru_cache(maxsize=64)
def _type_names() -> SearchStrategy[tuple[str, ...]]:
    own = st.lists(strings(min_size=1, max_size=20), max_size=3).map(tuple)
    return st.sampled_from(_TYPE_NAMES) | own


def _sequences(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    items = st.lists(inner, max_size=5)
    kinds = (List, Enumerable, Stack, Queue)
    return items | st.one_of(*(st.builds(kind, items, _type_names()) for kind in kinds))


@lru_cache(maxsize=64)
def _keys() -> SearchStrategy[Any]:
    return strings(max_size=10) | scalars().filter(lambda key: key is not None)


def _dictionaries(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    keys = _keys() | inner.filter(lambda key: key is not None)
    pairs = st.lists(st.tuples(keys, inner), max_size=5)
    plain = st.dictionaries(strings(max_size=10), inner, max_size=5)
    return plain | st.builds(Dictionary, pairs, _type_names())


def containers(inner: SearchStrategy[Any] | None = None) -> SearchStrategy[Any]:
    """Generate lists, stacks, queues, other enumerables, and dictionaries with keys of any type.

    ``inner`` draws their items (default: `scalars`). Shrinks to an empty plain list.
    """
    inner = scalars() if inner is None else brief(inner)
    return brief(_sequences(inner) | _dictionaries(inner))


def _members(inner: SearchStrategy[Any], *, folded: bool) -> SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["Name", "Id", "PSComputerName"]) | strings(min_size=1, max_size=10)
    return st.lists(
        st.tuples(names, inner),
        max_size=5,
        unique_by=lambda pair: pair[0].lower() if folded else pair[0],
    ).map(dict)


def objects(inner: SearchStrategy[Any] | None = None) -> SearchStrategy[PSObject]:
    """Generate objects with adapted and extended properties, member sets, enums, noted values.

    ``inner`` draws the values of their properties (default: `scalars`). Shrinks to an
    enum, the day Sunday; without enums to an object with no type name and no property.
    """
    inner = scalars() if inner is None else brief(inner)
    member_sets = _members(inner, folded=True).map(MemberSet)
    extended = _members(inner | member_sets, folded=True)
    bags = st.builds(
        PSObject,
        _type_names(),
        st.none() | _members(inner, folded=False),
        extended,
        st.none() | strings(),
    )
    enums = st.sampled_from(range(len(_DAYS))).map(
        lambda day: PSObject(_DAY_TYPES, to_string=_DAYS[day], value=day)
    )
    # A container without properties would be read as the bare container.
    holders = st.builds(
        lambda names, notes, value: PSObject(names, {}, notes, value=_nameless(value)),
        _type_names(),
        extended,
        scalars() | containers(inner).filter(lambda value: type(value) not in (list, dict)),
    )
    return brief(bags | enums | holders)


def _nameless(value: T) -> T:
    """Remove the type names of a container inside an object: only the object has them."""
    if isinstance(value, (List, Enumerable, Stack, Queue, Dictionary)):
        value.type_names = ()
    return value


def values(
    *,
    max_leaves: int = 12,
    allow_nan: bool = False,
    shared: bool = True,
    secure_strings: SearchStrategy[SecureString] | None = None,
) -> SearchStrategy[Any]:
    """Generate every value of CLIXML, nested.

    ``max_leaves`` is the maximum number of scalars; ``allow_nan`` as in `scalars`;
    ``shared`` lets one container occur in several places, including inside itself;
    ``secure_strings`` adds SecureStrings, which are omitted otherwise. Shrinks to None, then to
    small scalars, then to small containers without references.
    """
    if max_leaves < 1:
        raise ValueError(f"max_leaves is {max_leaves}; at least one is needed")
    leaves = scalars(allow_nan=allow_nan)
    if secure_strings is not None:
        leaves |= secure_strings
    nested = st.recursive(
        leaves, lambda inner: containers(inner) | objects(inner), max_leaves=max_leaves
    )
    return _with_references(nested) if shared else nested


@st.composite
def _with_references(draw: DrawFn, nested: SearchStrategy[Any]) -> Any:
    value = draw(nested)
    found = [part for part in _inside(value) if _can_hold(part)]
    if not found:
        return value
    places = st.sampled_from(found)
    for holder, held in draw(st.lists(st.tuples(places, places), max_size=2)):
        _put(holder, held)
    return value


def _inside(value: Any) -> list[Any]:
    """Return all containers of a value without references, in the order of the wire."""
    found = [value]
    below: list[Any] = []
    if isinstance(value, PSObject):
        # References treat an object and the container that is its value as one: the object.
        found += _inside(value.value)[1:]
        below = [*(value.adapted or {}).values(), *value.extended.values()]
    elif isinstance(value, list):
        below = list(value)
    elif isinstance(value, (dict, Dictionary)):
        # Keys are not changed.
        below = list(value.values())
    else:
        return []
    return found + [deeper for part in below for deeper in _inside(part)]


def _can_hold(part: Any) -> bool:
    return not isinstance(part, MemberSet) and type(part) is not dict


def _put(holder: Any, held: Any) -> None:
    if isinstance(holder, list):
        holder.append(held)
    elif isinstance(holder, Dictionary):
        holder.add("again", held)
    else:
        holder.extended["again"] = held
