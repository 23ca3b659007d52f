"""Completion by the server, and no result where it has none."""

from __future__ import annotations

import pytest
import trio

from psremoting.shell.remote_completion import Match, RemoteCompletion, read_completion
from psrp import events as e
from psrp.clixml import List, PSObject
from psrp.records import ErrorRecord
from tests.session.servers import FakeServer, text_of
from tests.shell.scripted import scene


def completion(*texts: str) -> PSObject:
    matches = [PSObject.custom(CompletionText=text, ListItemText=text) for text in texts]
    return PSObject.custom(CompletionMatches=List(matches), ReplacementIndex=4, ReplacementLength=2)


async def test_the_other_side_is_asked_with_text_and_place() -> None:
    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        (command,) = event.powershell.statements[0]
        given = {each.name: each.value for each in command.parameters}
        assert (command.text, given) == (
            "TabExpansion2",
            {"inputScript": "cat Ge", "cursorColumn": 6},
        )
        await server.output(event.pipeline_id, completion("Get-Item", "Get-Date"))

    async with scene(engine) as stage:
        found = await RemoteCompletion(stage.session).matches("cat Ge", 6)
    assert found == [
        Match("Get-Item", 4, 2, "Get-Item", ""),
        Match("Get-Date", 4, 2, "Get-Date", ""),
    ]


async def test_a_server_without_completion_is_asked_once() -> None:
    asked: list[str] = []

    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        asked.append(text_of(event))
        record = ErrorRecord.create("no such command", error_id="CommandNotFoundException")
        await server.end(event.pipeline_id, e.InvocationState.FAILED, record)

    async with scene(engine) as stage:
        completer = RemoteCompletion(stage.session)
        assert await completer.matches("a", 1) == []
        assert await completer.matches("ab", 2) == []
    assert asked == ["TabExpansion2 a 1", "Get-Command List(['*']) True"]


async def test_a_completion_that_does_not_come_is_given_up(
    autojump_clock: trio.abc.Clock,
) -> None:
    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        await trio.sleep_forever()

    async with scene(engine) as stage:
        assert await RemoteCompletion(stage.session).matches("a", 1) == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        PSObject.custom(),
        PSObject.custom(CompletionMatches="x", ReplacementIndex=0, ReplacementLength=0),
        PSObject.custom(CompletionMatches=List(), ReplacementIndex=-1, ReplacementLength=0),
        PSObject.custom(
            CompletionMatches=List([1, PSObject.custom(CompletionText=5)]),
            ReplacementIndex=0,
            ReplacementLength=0,
        ),
    ],
)
def test_what_is_no_completion_completes_nothing(value: object) -> None:
    assert read_completion(value) == []


def described(name: str, *parameters: PSObject) -> PSObject:
    only = PSObject.custom(Name="all", IsDefault=True, Parameters=List(parameters))
    return PSObject.custom(Name=name, CommandType="Function", ParameterSets=List([only]))


def parameter(name: str, *values: str, position: int = -1, type: str = "System.Int32") -> PSObject:
    return PSObject.custom(
        Name=name,
        IsMandatory=False,
        ValueFromPipeline=False,
        Position=position,
        ParameterType=PSObject.custom(FullName=type, IsArray=False, EnumValues=List()),
        ValidParamSetValues=List(values),
    )


_KNOWN = [
    described("Get-Date", parameter("Year", "2020", "2 1"), parameter("Format")),
    described("Get-Thing", parameter("x", "left", "right", position=0), parameter("Verbose")),
    described("/bin/uname"),
]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", ["/bin/uname", "Get-Date", "Get-Thing"]),
        ("get-t", ["Get-Thing"]),
        ("Get-Date | Get-T", ["Get-Thing"]),
        ("Get-Date -y", ["-Year"]),
        ("Get-Date -Year ", ["2020", "'2 1'"]),
        ("Get-Date -ye 2", ["2020", "'2 1'"]),
        ("Get-Date -Year '2 ", []),
        ("Get-Date -Year:202", ["2020"]),
        ('Get-Date -Year "202', ['"2020"']),
        ("Get-Thing ", ["left", "right"]),
        ("😀; Get-Thing r", ["right"]),
        ("Get-Thing left ", []),
        ("Get-Thing -v", ["-Verbose"]),
        ("Get-Command get-d", ["Get-Date"]),
        ("Get-Nothing -", []),
        ("$x", []),
    ],
)
async def test_commands_are_described_where_tab_expansion_fails(
    typed: str, expected: list[str]
) -> None:
    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        (command,) = event.powershell.statements[0]
        if command.text == "TabExpansion2":
            record = ErrorRecord.create("no files", error_id="ProviderNotFoundException")
            await server.end(event.pipeline_id, e.InvocationState.FAILED, record)
            return
        for each in (*_KNOWN, described("Get-Command", parameter("Name", position=0))):
            await server.output(event.pipeline_id, each)
        await server.end(event.pipeline_id)

    async with scene(engine) as stage:
        cursor = len(typed.encode("utf-16-le")) // 2
        found = await RemoteCompletion(stage.session).matches(typed, cursor)
    texts = [each.text for each in found if each.text != "Get-Command"]
    assert texts == expected
    assert all(each.start + each.length == cursor for each in found)
