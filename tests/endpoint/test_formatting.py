"""The Out-Default of the endpoint."""

from __future__ import annotations

from typing import Any

import trio

from psremoting.endpoint import FunctionsEngine
from psremoting.powershell.formatting import lines_of
from psrp import events as e
from psrp.clixml import PSObject
from psrp.commands import Command, PowerShell
from psrp.host import HostDefaultData, HostInfo, HostMethodId, Size
from psrp.properties import enum_object
from psrp.records import ErrorRecord, InformationalRecord
from tests.endpoint.clients import connected


def lines(*values: Any) -> list[str]:
    return lines_of(*values, received=False)


def test_values_of_functions_are_shown_as_live_ones() -> None:
    assert lines(enum_object("System.DayOfWeek", 5, "Friday")) == ["Friday"]
    assert lines(InformationalRecord(message="w").to_object("Warning")) == ["WARNING: w"]
    assert lines(PSObject(("HelpInfo",), {"Name": "x"}, to_string="help\ntext")) == [
        "help", "text",
    ]  # fmt: skip


def test_objects_of_one_shape_share_a_table() -> None:
    """Compare with the real server's lines: outofproc/sessions/enter-interactive."""
    size = PSObject(("System.Management.Automation.Host.Size",), {"Width": 300, "Height": 50})
    assert lines(size) == ["", "Width Height", "----- ------", "  300     50", ""]


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
