"""Unusual functions: wrapped, with string annotations, exceptions and results of any type."""

from __future__ import annotations

import asyncio
import enum
import functools
import sqlite3
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import pytest
import trio

from psremoting.endpoint import FROM_PIPELINE, Context, FunctionsEngine, SyncContext
from psrp import events as e
from psrp.clixml import Dictionary, List, PSObject
from psrp.commands import command
from tests.endpoint.clients import Result, connected

if TYPE_CHECKING:
    from decimal import Context as Unknown


async def run(function: Callable[..., Any], line: str = "Test-It") -> Result:
    """Run a line and return its result; check that the session continues after it."""
    async with connected(FunctionsEngine({"Test-It": function})) as client:
        result = await client.invoke(line)
        assert (await client.invoke("'alive'")).output == ["alive"]
    return result


# -- exceptions


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text either")


class Severe(BaseException):
    pass


def raising(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def raising_async(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def function() -> None:
        raise error

    return function


def raising_in_a_nursery(*errors: BaseException) -> Callable[[], Awaitable[None]]:
    async def function() -> None:
        async with trio.open_nursery() as nursery:
            for error in errors:
                nursery.start_soon(raising_async(error))

    return function


SEVERE = [Severe("odd"), asyncio.CancelledError(), GeneratorExit(), SystemExit(3)]
RAISED: list[tuple[Callable[..., Any], str, str]] = [
    *((raising(each), type(each).__name__, "") for each in (*SEVERE, KeyboardInterrupt())),
    *((raising_async(each), type(each).__name__, "") for each in SEVERE),
    *((raising_in_a_nursery(each), type(each).__name__, "") for each in SEVERE),
    (raising(BaseExceptionGroup("", [KeyboardInterrupt()])), "KeyboardInterrupt", ""),
    (raising(StopIteration("at the end")), "StopIteration", "at the end"),
    (raising(Speechless()), "Speechless", 'An error of type "Speechless" has occurred.'),
    (raising_in_a_nursery(ValueError("inside")), "ValueError", "inside"),
    (
        raising_in_a_nursery(ValueError("one"), ValueError("one")),
        "ExceptionGroup",
        "One or more errors occurred. (one) (one)",
    ),
]


@pytest.mark.parametrize(("function", "name", "text"), RAISED)
async def test_no_exception_of_a_command_ends_more_than_the_command(
    function: Callable[..., Any], name: str, text: str
) -> None:
    (error,) = (await run(function)).errors
    assert error.fully_qualified_error_id == f"{name},Test-It"
    assert not text or error.message == text


async def test_an_error_while_a_stopped_command_cleans_up_ends_nothing_else() -> None:
    async def careless() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while cleaning up")

    async def function() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(careless)
            nursery.start_soon(trio.sleep_forever)

    async with connected(FunctionsEngine({"Test-It": function})) as client:
        result = client.start(command("Test-It"))
        await trio.testing.wait_all_tasks_blocked(0.02)
        client.send(e.StopPipeline(pipeline_id=result.id))
        await result.done.wait()
        assert result.state == "STOPPED"
        assert (await client.invoke("'alive'")).output == ["alive"]


async def test_enough_is_no_error_inside_a_nursery_and_no_exception_to_catch() -> None:
    async def nested(context: Context) -> None:
        async def write() -> None:
            while True:
                await context.write(1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)

    def catching(context: SyncContext) -> None:
        caught = 0
        while caught < 3:
            try:
                context.write(1)
                context.write_verbose("")
            except Exception:
                caught += 1
        raise AssertionError("told of the end by an exception")

    for function in (nested, catching):
        result = await run(function, "Test-It | Select-Object -First 2")
        assert (result.output, result.errors) == ([1, 1], [])


# -- shapes of functions


def plus(number: int, more: int = 1, *, context: SyncContext) -> int:
    return number + more + (context.command == "Test-It")


def unknown_hints(number: int, other: Unknown | None = None, *, told: SyncContext) -> int:
    return number + (told.command == "Test-It")


def own_context(context: Annotated[str, "named like ours"]) -> str:
    return context


class Adder:
    def __init__(self, number: int, more: int = 1) -> None:
        self.sum = number + more


async def answer() -> int:
    return 5


async def answers() -> AsyncIterator[int]:
    yield 5
    yield 6


class Answers:
    def __aiter__(self) -> AsyncIterator[int]:
        return answers()


async def give_answers() -> Answers:
    return Answers()


@pytest.mark.parametrize(
    ("function", "line", "output"),
    [
        (functools.partial(plus, more=10), "Test-It '5'", [16]),
        (functools.partial(plus, 3), "Test-It -More '5'", [9]),
        (functools.lru_cache(plus), "Test-It '5'", [7]),
        (unknown_hints, "Test-It '5'", [6]),
        (own_context, "Test-It x", ["x"]),
        (Adder, "Test-It '5' | Select-Object -ExpandProperty sum", [6]),
        (lambda: answer(), "Test-It", [5]),
        (lambda: answers(), "Test-It", [5, 6]),
        (lambda: Answers(), "Test-It", [5, 6]),
        (give_answers, "Test-It", [5, 6]),
    ],
)
async def test_a_function_is_what_it_wraps(
    function: Callable[..., Any], line: str, output: list[Any]
) -> None:
    result = await run(function, line)
    assert (result.output, result.errors) == (output, [])


async def test_a_null_that_is_typed_is_an_object_of_the_pipeline() -> None:
    def text(value: Annotated[Any, FROM_PIPELINE]) -> str:
        return repr(value)

    assert (await run(text, "$null | Test-It")).output == ["None"]


# -- results


class Slotted:
    __slots__ = ("_inside", "absent", "size")

    def __init__(self) -> None:
        self.size, self._inside = 1, 2


class Plain:
    pass


class Collection:
    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))


class Number:
    """A stand-in for numpy's arrays and scalars."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tolist(self) -> Any:
        return self.value


class Color(enum.Enum):
    RED = "r"


class Word(enum.StrEnum):
    RED = "r"


def row() -> Any:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    return connection.execute("select 1 as one, 'x' as two").fetchone()


_ORDERED = ("System.Collections.Specialized.OrderedDictionary", "System.Object")


def endless() -> Any:
    made: list[Any] = []
    made.append({"again": made})
    return made


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.items(), [List(["a", 1])]),
        (Collection(), [1, 2]),
        (array("i", [1, 2]), [1, 2]),
        (Number([1, 2]), [1, 2]),
        (Number(1.5), [1.5]),
        ({"in": Number([1])}, [Dictionary([("in", List([1]))], _ORDERED)]),
        (row(), [Dictionary([("one", 1), ("two", "x")], _ORDERED)]),
        (Color.RED, ["RED"]),
        (Word.RED, ["r"]),
        (Plain(), ["Plain"]),
        (Plain, [str(Plain)]),
        (Slotted(), [{"size": 1}]),
        (SimpleNamespace(keys=1), [{"keys": 1}]),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_result_of_any_type_has_a_shape(value: Any, output: list[Any]) -> None:
    result = await run(lambda: value)
    shown = [dict(each.items()) if isinstance(each, PSObject) else each for each in result.output]
    assert shown == output


async def test_an_enum_that_was_given_is_taken_again() -> None:
    def give(color: Color = Color.RED) -> list[Any]:
        return [color, color.name, color.value]

    for given in ("RED", "red", "r"):
        assert (await run(give, f"Test-It {given}")).output == ["RED", "RED", "r"]


async def test_a_value_that_holds_itself_is_cut_where_it_does() -> None:
    result = await run(endless)
    assert (result.state, result.errors) == ("COMPLETED", [])
    assert result.output == [Dictionary([("again", List([_ORDERED[0]]))], _ORDERED)]
