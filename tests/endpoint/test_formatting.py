"""Objects as PowerShell's default views show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import trio

from psremoting.endpoint import FunctionsEngine
from psremoting.endpoint.formatting import Formatter, error_lines, show
from psrp import events as e
from psrp.clixml import Dictionary, PSObject, SecureString, Version
from psrp.commands import Command, PowerShell
from psrp.host import HostDefaultData, HostInfo, HostMethodId, Size
from psrp.properties import enum_object
from psrp.records import ErrorCategory, ErrorRecord, InformationalRecord
from tests.endpoint.clients import connected


def lines(*values: Any, width: int = 80) -> list[str]:
    formatter = Formatter(width)
    return [line for value in values for line in formatter.feed(value)] + formatter.flush()


PLAIN: list[tuple[Any, list[str]]] = [
    ("text", ["text"]),
    ("two\nlines", ["two", "lines"]),
    (None, []),
    (5, ["5"]),
    (True, ["True"]),
    (2.0, ["2"]),
    (0.1, ["0.1"]),
    (1e22, ["1E+22"]),
    (1e-7, ["1E-07"]),
    (float("inf"), ["∞"]),
    ([1, "a"], ["1", "a"]),
    (b"ab", ["{97, 98}"]),
    (SecureString("x"), ["System.Security.SecureString"]),
    (enum_object("System.DayOfWeek", 5, "Friday"), ["Friday"]),
    (datetime(2026, 11, 21, 8, 5, 9), ["", "Saturday, 21 November 2026 08:05:09", ""]),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN)
def test_simple_values_are_shown_as_they_are(value: Any, expected: list[str]) -> None:
    assert lines(value) == expected


def test_objects_of_one_shape_share_a_table() -> None:
    """The real server's lines: outofproc/sessions/enter-interactive."""
    size = PSObject(("System.Management.Automation.Host.Size",), {"Width": 300, "Height": 50})
    assert lines(size) == ["", "Width Height", "----- ------", "  300     50", ""]
    one, two = (PSObject.custom(Name=name, FullName="/" + name) for name in ("a", "long"))
    assert lines(one, two, "end") == [
        "", "Name FullName", "---- --------", "a    /a", "long /long", "", "end",
    ]  # fmt: skip


def test_larger_objects_are_lists_and_other_shapes_begin_anew() -> None:
    big = PSObject.custom(A=1, Bcd=None, C=[1, 2], D={"x": 1}, E="two\nlines")
    assert lines(big, PSObject.custom(Z=1)) == [
        "", "A   : 1", "Bcd :", "C   : {1, 2}", "D   : {[x, 1]}", "E   : two", "      lines", "",
        "", "Z", "-", "1", "",
    ]  # fmt: skip


def test_a_narrow_window_cuts_cells() -> None:
    wide = PSObject.custom(A="a" * 50, B="b" * 50)
    shown = lines(wide, width=30)
    assert max(len(line) for line in shown) <= 30
    assert "…" in shown[3]


def test_many_rows_come_before_the_end() -> None:
    formatter = Formatter(80)
    counts = [len(formatter.feed(PSObject.custom(A=n))) for n in range(200)]
    assert sum(counts[:70]) > 60
    assert formatter.flush()[-1] == ""


def test_known_types_have_their_views() -> None:
    assert lines(timedelta(days=1, seconds=2))[1] == "Days              : 1"
    assert lines(UUID(int=1))[3] == "00000000-0000-0000-0000-000000000001"
    assert lines(Version("5.1"))[3].split() == ["5", "1", "-1", "-1"]
    assert Formatter(80).feed_entry("k", 1)[1:] == [
        f"{'Name':<30} Value",
        f"{'----':<30} -----",
        f"{'k':<30} 1",
    ]


def test_cells_show_values_in_short() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert show(moment) == "01/02/2026 03:04:05"
    assert show(timedelta(hours=1, microseconds=5)) == "01:00:00.0000050"
    assert show(PSObject.custom(a=1, b="x")) == "@{a=1; b=x}"
    assert show(list(range(9))) == "{0, 1, 2, 3…}"
    assert show(Dictionary({"a": SecureString("never shown")})) == (
        "{[a, System.Security.SecureString]}"
    )


def test_records_are_shown_as_what_they_are() -> None:
    record = ErrorRecord.create("bad\nvery", category=ErrorCategory.InvalidData, activity="Get-X")
    assert error_lines(record) == ["Get-X: bad", "very"]
    assert lines(record.to_object()) == ["Get-X: bad", "very"]
    assert lines(InformationalRecord(message="w").to_object("Warning")) == ["WARNING: w"]
    broken = PSObject(("System.Management.Automation.ErrorRecord",), to_string="half")
    assert lines(broken) == ["Error: half"]


async def test_the_window_of_the_client_decides_the_width() -> None:
    size = Size(40, 10)
    host = HostInfo.full(HostDefaultData(buffer_size=size, window_size=size))
    wide = PSObject.custom(A="a" * 50, B="b")
    async with connected(FunctionsEngine({"Get-Wide": lambda: wide}), host=host) as client:
        result = await client.type("Get-Wide")
        assert max(len(line) for line in result.lines) <= 40
        assert result.output == []


async def test_merged_errors_go_to_the_error_line_and_input_errors_to_the_output() -> None:
    def fail() -> None:
        raise ValueError("wrong")

    async with connected(FunctionsEngine({"Invoke-Fail": fail})) as client:
        result = await client.type("Invoke-Fail")
        assert result.calls == [(HostMethodId.WriteErrorLine, "Invoke-Fail: wrong")]
        record = ErrorRecord.create("sent back")
        shown = PowerShell.of(Command("Out-Default", merge_previous_results=3))
        result = await client.invoke(shown, [record.to_object()])
        assert result.calls == [(HostMethodId.WriteLine2, "Error: sent back")]


async def test_rows_do_not_wait_for_the_end_of_a_slow_command() -> None:
    release = trio.Event()

    async def slow() -> Any:
        yield PSObject.custom(A=1)
        await release.wait()
        yield PSObject.custom(A=2)

    async with connected(FunctionsEngine({"Get-Slow": slow})) as client:
        result = client.start(PowerShell.of(Command("Get-Slow"), Command("Out-Default")))
        while "1" not in result.lines:
            await trio.sleep(0.01)
        release.set()
        await result.done.wait()
        assert result.lines == ["", "A", "-", "1", "2", ""]
        assert not result.of(e.PipelineOutput)
