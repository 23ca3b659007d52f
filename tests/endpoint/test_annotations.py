"""Arguments are converted to the types of a function's annotations."""

from __future__ import annotations

import enum
import math
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.endpoint import FROM_PIPELINE, FunctionsEngine, Param
from psremoting.endpoint.annotations import kind_of
from psremoting.endpoint.signatures import describe
from psremoting.powershell.conversion import ConversionError
from psrp.clixml import DateTime, Dictionary, List, PSObject, SecureString, TimeSpan
from psrp.commands import command
from tests.endpoint.clients import connected


def convert(value: Any, annotation: Any) -> Any:
    return kind_of(annotation).make(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00:01", timedelta(seconds=1)),
        ("-00:00:01", timedelta(seconds=-1)),
        ("01:02", timedelta(hours=1, minutes=2)),
        ("1.02:03:04.5", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("-1.02:03", -timedelta(days=1, hours=2, minutes=3)),
        ("1:02:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0:00:00.0000019", timedelta(microseconds=1)),
        ("5", timedelta(days=5)),
        (50_000_000, timedelta(seconds=5)),
        (TimeSpan.from_timedelta(timedelta(3)), timedelta(3)),
    ],
)
def test_a_span_of_time_is_read_as_dotnet_does(text: Any, expected: timedelta) -> None:
    assert convert(text, timedelta) == expected


@given(st.timedeltas(min_value=timedelta(-9000), max_value=timedelta(9000)))
def test_a_span_in_dotnets_writing_comes_back(span: timedelta) -> None:
    whole = abs(span)
    hours, rest = divmod(whole.seconds, 3600)
    text = f"{'-' if span < timedelta(0) else ''}{whole.days}.{hours:02}:{rest // 60:02}"
    text += f":{rest % 60:02}.{whole.microseconds * 10:07}"
    assert convert(text, timedelta) == span


MOMENT = datetime(2020, 1, 2, 15, 4, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-02", datetime(2020, 1, 2)),
        ("2020/1/2", datetime(2020, 1, 2)),
        ("1/2/2020", datetime(2020, 1, 2)),
        ("01/02/2020 15:04:05", MOMENT),
        ("1/2/2020 3:04:05 PM", MOMENT),
        ("1/2/2020 12:04 am", datetime(2020, 1, 2, 0, 4)),
        ("2020-01-02T15:04:05Z", MOMENT.replace(tzinfo=UTC)),
        ("2020-1-2 15:04:05.1234567", MOMENT.replace(microsecond=123456)),
        ("1/2/2020 15:04:05 +02:00", MOMENT.replace(tzinfo=timezone(timedelta(hours=2)))),
        (DateTime.from_datetime(MOMENT), MOMENT),
    ],
)
def test_a_moment_is_read_as_dotnet_does(text: Any, expected: datetime) -> None:
    assert convert(text, datetime) == expected
    assert convert(text, date) == expected.date()


def test_a_time_alone_is_todays() -> None:
    before = datetime.now().date()
    assert before <= convert("12:30", datetime).date() <= datetime.now().date()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *((each, timedelta) for each in ("", "x", "25:00", "1:60", "1.2", "1:2:3:4:5", "--1")),
        *((each, datetime) for each in ("", "x", "13/13/2020", "25:00", "13:00 PM")),
        ("Infinity", Decimal),
        (math.inf, Decimal),
        ("nano", float),
    ],
)
def test_what_is_none_of_these_is_refused(value: Any, kind: Any) -> None:
    with pytest.raises(ConversionError):
        convert(value, kind)


@given(st.text(alphabet="0123456789.:-/ TZAPM+", max_size=20))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for kind in (datetime, timedelta, date):
        with suppress(ConversionError):
            assert isinstance(convert(text, kind), kind)


def test_other_types_are_made_as_annotated() -> None:
    assert math.isnan(convert("NaN", float))
    assert convert("-Infinity", float) == -math.inf
    assert convert("/a", Path) == Path("/a")
    assert type(convert("/a", PurePosixPath)) is PurePosixPath
    assert convert(" 1.50 ", Decimal) == Decimal("1.50")


@pytest.mark.parametrize("kind", [int | None, str | None, Annotated[float | None, "x"]])
def test_null_stays_none_where_none_is_meant(kind: Any) -> None:
    assert convert(None, kind) is None


@pytest.mark.parametrize(("kind", "expected"), [(int, 0), (str, ""), (list[int], []), (bytes, b"")])
def test_null_is_what_powershell_makes_of_it_elsewhere(kind: Any, expected: Any) -> None:
    assert convert(None, kind) == expected


async def test_an_object_that_gives_too_little_or_the_wrong_thing_is_named() -> None:
    def both(
        size: Annotated[int, Param(by_property_name=True)],
        name: Annotated[str, Param(by_property_name=True)],
    ) -> None: ...

    def secret(text: Annotated[SecureString, Param(from_pipeline=True, secret=True)]) -> None: ...

    def number(n: Annotated[int, FROM_PIPELINE]) -> int:
        return n

    functions: dict[str, Any] = {"Test-Both": both, "Test-Secret": secret, "Test-Number": number}
    async with connected(FunctionsEngine(functions)) as client:
        result = await client.invoke(command("Test-Both"), [PSObject.custom(Size=1)])
        (error,) = result.errors
        assert error.fully_qualified_error_id == "InputObjectMissingMandatory,Test-Both"
        assert error.message.endswith("mandatory parameters:  Name")
        result = await client.invoke("1, 'x', 3 | Test-Number")
        (error,) = result.errors
        assert (result.output, error.category_target_name) == ([1, 3], "x")
        (error,) = (await client.invoke("'hush' | Test-Secret")).errors
        assert "hush" not in repr(error)


@dataclass
class Point:
    x: int
    y: str = "none"


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Dictionary({"X": "3", "y": 4}), Point, Point(3, "4")),
        (PSObject.custom(x=1), Point, Point(1)),
        ("red", Color, Color.RED),
        ("g", Color, Color.GREEN),
        (1, Color, Color.GREEN),
        (List(["1", 2]), tuple[int, str], (1, "2")),
        (List(["1", 2]), set[int], {1, 2}),
        ("5", int | None, 5),
        (Dictionary({"a": "1"}), dict[str, int], {"a": 1}),
        (PSObject(value=7, to_string="007"), str, "007"),
        (PSObject(value=7, to_string="007"), Any, 7),
        (PSObject(value=7, to_string="007"), int, 7),
    ],
)
def test_an_argument_becomes_what_the_annotation_says(value: Any, kind: Any, expected: Any) -> None:
    assert convert(value, kind) == expected


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (
            Dictionary({"x": 1, "z": 2}),
            Point,
            "Cannot create object of type \"Point\". The property 'z' was not found for the "
            "'Point' object. The settable properties are: [x <System.Int64>], [y <System.String>].",
        ),
        (
            Dictionary({"x": "q"}),
            Point,
            'Cannot create object of type "Point". Cannot convert value "q" to type '
            '"System.Int64". Error: "The input string \'q\' was not in a correct format."',
        ),
        (5, Point, 'Cannot convert the "5" value of type "System.Int32" to type "Point".'),
        (None, UUID, 'Cannot convert null to type "System.Guid".'),
        (None, datetime, 'Cannot convert null to type "System.DateTime".'),
        (
            "blue",
            Color,
            'Cannot convert value "blue" to type "Color". Error: "Unable to match the identifier '
            "name blue to a valid enumerator name. Specify one of the following enumerator names "
            'and try again:\nRED, GREEN"',
        ),
        (List([1]), tuple[int, str], "expected 2 values, got 1"),
    ],
)
def test_what_an_annotation_forbids_is_refused(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(value, kind)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "kind", [socket.socket, Callable[[], int], type(None), list[socket.socket]]
)
def test_an_annotation_that_no_argument_can_satisfy_is_refused_when_loaded(kind: Any) -> None:
    def function(x: Any) -> None: ...

    function.__annotations__["x"] = kind
    with pytest.raises(TypeError, match=r"function: parameter x: no argument"):
        describe(function)
