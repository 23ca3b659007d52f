"""What a client sends in the types that functions want."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.endpoint import FROM_PIPELINE, FunctionsEngine, Param
from psremoting.endpoint.coercion import CoercionError, convert
from psrp.clixml import DateTime, PSObject, SecureString, TimeSpan
from psrp.commands import command
from tests.endpoint.clients import connected


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
        (5, timedelta(seconds=5)),
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
        *((each, datetime) for each in ("", "x", "13/13/2020", "25:00", "13:00 PM", "1/2", 5)),
        ("Infinity", Decimal),
        (math.inf, Decimal),
        ("nano", float),
    ],
)
def test_what_is_none_of_these_is_refused(value: Any, kind: Any) -> None:
    with pytest.raises(CoercionError):
        convert(value, kind)


@given(st.text(alphabet="0123456789.:-/ TZAPM+", max_size=20))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for kind in (datetime, timedelta, date):
        with suppress(CoercionError):
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


@pytest.mark.parametrize(("kind", "expected"), [(int, 0), (str, ""), (bool, False)])
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
        assert error.message.endswith("mandatory parameters: Name")
        result = await client.invoke("1, 'x', 3 | Test-Number")
        (error,) = result.errors
        assert (result.output, error.target_object) == ([1, 3], "x")
        (error,) = (await client.invoke("'hush' | Test-Secret")).errors
        assert "hush" not in repr(error)
