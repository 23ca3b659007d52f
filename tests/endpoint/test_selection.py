"""Select-Object, Measure-Object, and queries about commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from psremoting.endpoint import Context, FunctionsEngine
from psremoting.endpoint.demo import DEMO
from psrp import events as e
from psrp.clixml import PSObject
from psrp.properties import enum_object
from tests.endpoint.clients import Client, Result, connected

_THURSDAY = enum_object("System.DayOfWeek", 4, "Thursday")


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with connected(FunctionsEngine(DEMO)) as one:
        yield one


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        ("-First 2 -Skip 1", [2, 3]),
        ("-Last 2", [4, 5]),
        ("-Last 2 -Skip 1", [3, 4]),
        ("-First 1 -Last 1", [1, 5]),
        ("-First 9 -Last 9", [1, 2, 3, 4, 5]),
        ("-First 1 -Last 1 -Skip 1", [2, 5]),
        ("-First 0", []),
        ("-Last 0", []),
        ("-SkipLast 2", [1, 2, 3]),
        ("-Skip 2", [3, 4, 5]),
        ("-Index 0,3", [1, 4]),
        ("-Index 9", []),
        ("-SkipIndex 0,3", [2, 3, 5]),
        ("-InputObject 7", [7]),
    ],
)
async def test_objects_are_selected_as_powershell_does(
    client: Client, arguments: str, output: list[int]
) -> None:
    result = await client.invoke(f"Get-Number 5 | Select-Object {arguments}")
    assert (result.output, result.errors) == (output, [])


async def test_selecting_objects_by_number_ends_the_producers(client: Client) -> None:
    result = await client.invoke("Get-Number 100000000 | Select-Object -Index 1,0")
    assert result.output == [1, 2]


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("Get-Date 2020-01-02T03:04:05 | Select-Object -ExpandProperty Year", [2020]),
        ("Get-Date 2020-01-02T03:04:05 | Select-Object -ExpandProperty DayOfWeek", [_THURSDAY]),
        ("Get-Uptime | Select-Object -ExpandProperty Days", [0]),
    ],
)
async def test_times_have_properties(client: Client, line: str, output: list[Any]) -> None:
    assert (await client.invoke(line)).output == output


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1,'2',3 | Measure-Object -Sum", {"Count": 3, "Sum": 6.0}),
        ("'10','9' | Measure-Object -Sum -Maximum", {"Count": 2, "Sum": 19.0, "Maximum": 10.0}),
        ("Measure-Object -InputObject 5", {"Count": 1}),
        ("'a b','c' | Measure-Object -Word -Line", {"Lines": 2, "Words": 3}),
        ('"a`nbc" | Measure-Object -Character -Line', {"Lines": 2, "Characters": 4}),
    ],
)
async def test_measure_object_gives_powershells_figures(
    client: Client, line: str, expected: dict[str, Any]
) -> None:
    result = await client.invoke(line)
    (measured,) = result.output
    assert {name: item for name, item in measured.items() if item is not None} == expected
    assert result.errors == []


async def ask(client: Client, **question: Any) -> list[Any]:
    result = Result(uuid4())
    client.results[result.id] = result
    client.send(e.GetCommandMetadata(pipeline_id=result.id, **question))
    await result.done.wait()
    count, *found = result.output
    assert (result.state, count["Count"]) == ("COMPLETED", len(found))
    return [(each["Name"], each["ResolvedCommandName"]) for each in found]


async def test_metadata_has_aliases_and_is_chosen_by_module(client: Client) -> None:
    assert await ask(client, names=("gcm", "get-d*"), command_types=383) == [
        ("Get-Date", None),
        ("gcm", "Get-Command"),
    ]
    assert len(await ask(client, names=("*",), command_types=1)) == 6
    assert len(await ask(client, names=(), namespaces=("PSR*",), command_types=383)) == 8
    assert await ask(client, names=(), namespaces=("nope",), command_types=383) == []


async def test_commands_are_chosen_by_module(client: Client) -> None:
    mine = await client.invoke("Get-Command -Module psremoting")
    assert len(mine.output) == 8
    assert (await client.invoke("Get-Command -Module Nope")).output == []


async def test_help_of_parameters_takes_wildcards_and_names_what_is_not_there(
    client: Client,
) -> None:
    (found,) = (await client.invoke("Get-Help Get-Random -Parameter m*")).output
    assert found["name"] == "Minimum"
    (error,) = (await client.invoke("Get-Help Get-Random -Parameter Nope")).errors
    assert error.fully_qualified_error_id == "NoParmsFound,Get-Help"


async def test_a_warning_that_is_to_stop_ends_the_whole_script(client: Client) -> None:
    result = await client.invoke("Show-Streams -WarningAction Stop; 'next'")
    assert (result.state, result.output) == ("FAILED", ["output"])
    assert result.end.error.fully_qualified_error_id == (
        "ActionPreferenceStop,Microsoft.PowerShell.Commands.WriteWarningCommand"
    )


async def test_merged_information_is_an_object_of_its_type() -> None:
    async def tell(context: Context) -> None:
        await context.write_information("told", "tag")

    async with connected(FunctionsEngine({"Show-It": tell})) as client:
        (record,) = (await client.invoke("Show-It 6>&1")).output
        assert isinstance(record, PSObject)
        assert record.type_names[0] == "System.Management.Automation.InformationRecord"
        assert (record.to_string, record["MessageData"]) == ("told", "told")
        assert "told" in (await client.type("Show-It 6>&1")).lines


async def test_write_output_takes_a_list_apart(client: Client) -> None:
    assert (await client.invoke("Write-Output -InputObject 1,2")).output == [1, 2]
