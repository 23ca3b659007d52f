"""DateTime and TimeSpan: every tick, every kind, every spelling."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.clixml import DateTime, DateTimeKind, TimeSpan, dumps, loads, to_plain
from psrp.clixml.times import MAX_DATETIME
from psrp.sansio import ClixmlError, LocalProtocolError

DAY = 864_000_000_000
YEAR_2024 = 638_396_640_000_000_000


@pytest.mark.parametrize(
    ("text", "ticks", "kind", "offset"),
    [
        ("2024-01-01T00:00:00", YEAR_2024, "UNSPECIFIED", 0),
        ("2024-01-01T00:00:00Z", YEAR_2024, "UTC", 0),
        ("2024-01-01T00:00:00.1234567", YEAR_2024 + 1234567, "UNSPECIFIED", 0),
        ("2024-01-01T00:00:00.1234567Z", YEAR_2024 + 1234567, "UTC", 0),
        ("2024-01-01T00:00:00.12+09:30", YEAR_2024 + 1200000, "LOCAL", 570),
        ("2024-01-01T00:00:00-15:00", YEAR_2024, "LOCAL", -900),
        ("2024-01-01T00:00:00+00:00", YEAR_2024, "LOCAL", 0),
        ("0001-01-01T00:00:00", 0, "UNSPECIFIED", 0),
        ("9999-12-31T23:59:59.9999999Z", MAX_DATETIME, "UTC", 0),
    ],
)
def test_a_datetime_keeps_ticks_kind_and_offset(
    text: str, ticks: int, kind: str, offset: int
) -> None:
    """Statement E50."""
    value = loads(f"<DT>{text}</DT>")
    assert value == DateTime(ticks, DateTimeKind[kind], offset)
    assert (value.ticks, value.kind.name, value.offset) == (ticks, kind, offset)
    assert dumps(value).decode() == f"<DT>{text}</DT>"
    assert hash(value) == hash(loads(f"<DT>{text}</DT>"))
    assert text in repr(value)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-02-29", "2024-02-29T00:00:00"),
        ("2024-02-29Z", "2024-02-29T00:00:00Z"),
        ("2024-02", "2024-02-01T00:00:00"),
        ("2024", "2024-01-01T00:00:00"),
        (" 2024-02-29T01:02:03 ", "2024-02-29T01:02:03"),
        ("2024-02-29T01:02:03Z ", "2024-02-29T01:02:03Z"),
        ("2024-02-29T01:02:03.12345674", "2024-02-29T01:02:03.1234567"),
        ("2024-02-29T01:02:03.12345675", "2024-02-29T01:02:03.1234568"),
        ("2024-02-29T23:59:59.99999999", "2024-03-01T00:00:00"),
    ],
)
def test_other_spellings_of_a_datetime_are_read(text: str, same: str) -> None:
    """Statement E54."""
    assert loads(f"<DT>{text}</DT>") == loads(f"<DT>{same}</DT>")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "12:34:56",
        "2024-02-30T00:00:00",
        "2024-02-29T24:00:00",
        "2024-02-29T12:34:60",
        "2024-02-29t12:34:56",
        "2024-02-29T12:34:56z",
        "2024-02-29 12:34:56",
        "2024-02-29T12:34:56,5",
        "2024-02-29T12:34:56.",
        "2024-02-29T12:34:56+9:00",
        "2024-02-29T12:34:56+09:60",
        "2024-02-29T12:34",
        "2024-W01-1T12:34:56",
        "10000-01-01T00:00:00",
        "0000-01-01T00:00:00",
        "9999-12-31T23:59:59.99999999",
        "202\u0664-02-29T12:34:56",
        "02/29/2024",
    ],
)
def test_text_that_is_not_a_datetime_is_refused(text: str) -> None:
    with pytest.raises(ClixmlError, match="DT"):
        loads(f"<DT>{text}</DT>")


def test_python_datetimes_become_datetimes_and_back() -> None:
    east = timezone(timedelta(hours=2))
    for moment, kind in [
        (datetime(2024, 7, 1, 12, 34, 56, 789), DateTimeKind.UNSPECIFIED),
        (datetime(2024, 7, 1, 12, 34, 56, 789, tzinfo=UTC), DateTimeKind.UTC),
        (datetime(2024, 7, 1, 12, 34, 56, 789, tzinfo=east), DateTimeKind.LOCAL),
        (datetime(1, 1, 1), DateTimeKind.UNSPECIFIED),
        (datetime.max, DateTimeKind.UNSPECIFIED),
    ]:
        value = DateTime.from_datetime(moment)
        assert value.kind is kind
        assert value.to_datetime() == moment
        assert loads(dumps(moment)) == value
    assert DateTime.from_datetime(datetime(2024, 7, 1, 2, tzinfo=east)).utc_ticks == (
        DateTime.from_datetime(datetime(2024, 7, 1)).ticks
    )


def test_a_seventh_digit_is_cut_off_for_python() -> None:
    assert DateTime(19).to_datetime() == datetime(1, 1, 1, 0, 0, 0, 1)


def test_an_offset_of_odd_seconds_cannot_be_written() -> None:
    odd = datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=1)))
    with pytest.raises(LocalProtocolError, match="odd seconds"):
        dumps([odd])


@pytest.mark.parametrize(
    ("ticks", "kind", "offset"),
    [
        (-1, DateTimeKind.UTC, 0),
        (MAX_DATETIME + 1, DateTimeKind.UTC, 0),
        (0, DateTimeKind.UTC, 5),
        (0, DateTimeKind.LOCAL, 6000),
    ],
)
def test_a_datetime_out_of_range_cannot_be_made(
    ticks: int, kind: DateTimeKind, offset: int
) -> None:
    with pytest.raises(ValueError, match=r"DateTime|offset"):
        DateTime(ticks, kind, offset)


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("PT0S", 0),
        ("PT0.0000001S", 1),
        ("-PT0.0000001S", -1),
        ("PT10S", 100_000_000),
        ("PT1M40S", 1_000_000_000),
        ("P1D", DAY),
        ("P400D", 400 * DAY),
        ("P1DT1S", DAY + 10_000_000),
        ("PT1H", 36_000_000_000),
        ("P1DT2H3M4.5678901S", 937_845_678_901),
        ("-P10675199DT2H48M5.4775808S", -(2**63)),
        ("P10675199DT2H48M5.4775807S", 2**63 - 1),
    ],
)
def test_a_timespan_keeps_every_tick(text: str, ticks: int) -> None:
    """Statement E54."""
    assert loads(f"<TS>{text}</TS>") == TimeSpan(ticks)
    assert dumps(TimeSpan(ticks)).decode() == f"<TS>{text}</TS>"
    assert text in repr(TimeSpan(ticks))


@pytest.mark.parametrize(
    ("text", "ticks"),
    [
        ("P1Y", 365 * DAY),
        ("P1M", 30 * DAY),
        ("PT86400S", DAY),
        ("PT1.S", 10_000_000),
        ("PT0.99999999S", 9_999_999),
        (" PT1S ", 10_000_000),
        ("-PT0S", 0),
    ],
)
def test_other_spellings_of_a_timespan_are_read(text: str, ticks: int) -> None:
    assert loads(f"<TS>{text}</TS>") == TimeSpan(ticks)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "P",
        "PT",
        "P1DT",
        "P1W",
        "+PT1S",
        "01:02:03",
        "PT.5S",
        "P10675200D",
        f"P{'9' * 5000}D",
        "p1d",
    ],
)
def test_text_that_is_not_a_timespan_is_refused(text: str) -> None:
    with pytest.raises(ClixmlError, match="TS"):
        loads(f"<TS>{text}</TS>")


def test_timedeltas_become_timespans_and_back() -> None:
    for delta in (timedelta(0), timedelta(seconds=10), timedelta(days=-1, microseconds=1)):
        assert TimeSpan.from_timedelta(delta).to_timedelta() == delta
        assert loads(dumps(delta)) == TimeSpan.from_timedelta(delta)
    assert TimeSpan(-19).to_timedelta() == -timedelta(microseconds=1)
    with pytest.raises(LocalProtocolError):
        dumps({"a": timedelta.max})


def test_times_are_immutable_and_can_be_copied() -> None:
    moment, span = DateTime(5, DateTimeKind.UTC), TimeSpan(5)
    for value in (moment, span):
        assert copy.deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value
        assert value != 5
        with pytest.raises(AttributeError):
            value.ticks = 6  # type: ignore[misc]
        with pytest.raises(AttributeError):
            del value.ticks
    assert TimeSpan(1) < TimeSpan(2)
    assert len({TimeSpan(1), TimeSpan(1), moment}) == 2


@given(st.integers(0, MAX_DATETIME), st.sampled_from(DateTimeKind), st.integers(-5999, 5999))
def test_every_datetime_comes_back(ticks: int, kind: DateTimeKind, offset: int) -> None:
    value = DateTime(ticks, kind, offset if kind is DateTimeKind.LOCAL else 0)
    assert loads(dumps(value)) == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_timespan_comes_back(ticks: int) -> None:
    assert loads(dumps(TimeSpan(ticks))) == TimeSpan(ticks)


def test_a_date_is_written_as_its_midnight() -> None:
    assert dumps(date(2024, 1, 2)) == b"<DT>2024-01-02T00:00:00</DT>"
    assert loads(dumps([date(2024, 1, 2)]))[0] == loads(dumps(datetime(2024, 1, 2)))
    assert to_plain(date(2024, 1, 2)) == datetime(2024, 1, 2)
