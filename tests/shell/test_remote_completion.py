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


async def test_who_cannot_complete_is_asked_once() -> None:
    asked: list[str] = []

    async def engine(server: FakeServer, event: e.CreatePipeline) -> None:
        asked.append(text_of(event))
        record = ErrorRecord.create("no such command", error_id="CommandNotFoundException")
        await server.end(event.pipeline_id, e.InvocationState.FAILED, record)

    async with scene(engine) as stage:
        completer = RemoteCompletion(stage.session)
        assert await completer.matches("a", 1) == []
        assert await completer.matches("ab", 2) == []
    assert asked == ["TabExpansion2 a 1"]


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
