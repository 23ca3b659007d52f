"""Our client enters the recorded real server with the recorded input and shows the same screen."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import trio
import trio.testing

from psremoting.session import PSSession
from psremoting.shell.loop import Leaving, Shell
from psremoting.shell.plain_reader import PlainReader
from psremoting.shell.screen import Screen
from psremoting.shell.terminal_host import TerminalHost
from psrp import events as e
from psrp.records import ErrorRecord
from psrp.sansio import Side
from tests.recordings import WHOLE, needs_collection
from tests.session.servers import carrier_over
from tests.shell.recorded_server import RecordedServer, typed

SESSIONS = WHOLE / ("outofproc/sessions")
RECORDING = SESSIONS / "enter-interactive.jsonl"
pytestmark = pytest.mark.skipif(not RECORDING.exists(), reason="the recording is not here")


@asynccontextmanager
async def played(
    recording: Path = RECORDING, transport: str = "SSH"
) -> AsyncIterator[tuple[RecordedServer, str, Leaving]]:
    """Replay the whole session, entered as often as recorded; return the server, the screen and the
    reason of the last exit."""
    ours, theirs = trio.testing.memory_stream_pair()
    server = RecordedServer(theirs, recording)
    if transport == "NamedPipe":
        # Enter-PSHostProcess sends its debug mode twice.
        first, second, *more = server.recorded
        assert told(first.said[0][1]) == told(second.said[0][1])
        server.recorded = [second, *more]
    shown = io.StringIO()
    screen = Screen(shown, terminal=False, colours=False)
    keyboard = io.StringIO("".join(line + "\n" for line in typed(server.recorded)))
    host = TerminalHost(screen, PlainReader(keyboard, screen), instance_id=UUID(int=1))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve)
            carrier = carrier_over(ours, transport=transport)
            async with PSSession.connect(carrier, host=host, like_powershell=True) as session:
                for _ in range(entries(server)):
                    shell = Shell(session, host)
                    nursery.start_soon(press_ctrl_c, server, shell)
                    leaving = await shell.run()
            nursery.cancel_scope.cancel()
    yield server, shown.getvalue(), leaving


async def press_ctrl_c(server: RecordedServer, shell: Shell) -> None:
    await server.waits_for_stop.wait()
    shell.interrupt()


def entries(server: RecordedServer) -> int:
    births = [each.said[0][1] for each in server.recorded]
    return sum(isinstance(birth, e.GetCommandMetadata) for birth in births)


def recorded_screen() -> list[str]:
    text = (SESSIONS / "enter-interactive.screen.txt").read_text("utf-8")
    _, *lines = text.replace("127.0.0.1", "lab").splitlines()
    # The recorded client, without PSReadLine, needed an empty line after a block, and wrote none
    # after the password of a credential; at a terminal PowerShell 7.6 does.
    kept = [line for line in lines[:-1] if line.rstrip() != ">>"]
    after = next(at for at, line in enumerate(kept) if line.startswith("Password for user")) + 1
    return [*kept[:after], "", *kept[after:]]


OURS = {
    "WARNING: A script": "WARNING: The remote computer LAB asks for a secret.",
    "PowerShell Credential Request: ": "PowerShell credential request",
    "Warning: A script": "Warning: the remote computer LAB asks for your credentials.",
}
"""Beginnings of lines that intentionally have another text here."""


async def test_the_screen_is_that_of_the_real_client() -> None:
    """Statement J108."""
    async with played() as (_, shown, leaving):
        lines = shown.splitlines()
    assert leaving is Leaving.EXIT
    recorded = recorded_screen()
    assert len(lines) == len(recorded)
    for here, there in zip(lines, recorded, strict=True):
        wanted = next((ours for start, ours in OURS.items() if there.startswith(start)), None)
        if wanted is not None:
            assert here.startswith(wanted)
        else:
            assert here.rstrip() == there.rstrip()


def told(event: e.Event) -> object:
    """Return a message without values that differ between runs: the id, and details of .NET's
    exceptions other than the fields of every error."""
    event = replace(event, pipeline_id=UUID(int=0))  # type: ignore[call-arg]
    if isinstance(event, e.PipelineInput):
        record = ErrorRecord.from_object(event.data)
        return (
            record.message,
            record.fully_qualified_error_id,
            int(record.category),
            record.category_reason,
            record.category_activity,
            record.category_target_name,
            record.category_target_type,
        )
    return event


@pytest.mark.parametrize(
    ("name", "transport", "count"),
    [
        ("enter-interactive", "SSH", 47),
        ("enter-by-name", "SSH", 11),
        pytest.param("host-process", "NamedPipe", 11, marks=needs_collection),
    ],
)
async def test_every_message_is_that_of_the_real_client(
    name: str, transport: str, count: int
) -> None:
    async with played(SESSIONS / f"{name}.jsonl", transport) as (server, _, leaving):
        assert leaving is Leaving.EXIT
    assert len(server.sent) == len(server.recorded) == count
    for ours, theirs in zip(server.sent, server.recorded, strict=True):
        assert [told(event) for event in ours.by(Side.CLIENT)] == [
            told(event) for event in theirs.by(Side.CLIENT)
        ]


async def test_the_session_is_opened_as_the_real_client_opens_it() -> None:
    async with played() as (server, _, __):
        pass
    recorded = server.recorded_pool.by(Side.CLIENT)
    (theirs,) = (event for event in recorded if isinstance(event, e.InitRunspacePool))
    (ours,) = (event for event in server.seen if isinstance(event, e.InitRunspacePool))
    assert (ours.min_runspaces, ours.max_runspaces) == (1, 1)
    assert not ours.host_info.is_host_null
    assert ours.host_info.default_data is not None
    assert theirs.host_info.default_data is not None
    versions = theirs.application_arguments["PSVersionTable"]
    mine = ours.application_arguments["PSVersionTable"]
    assert dict(mine.items()) | {"OS": ""} == dict(versions.items()) | {"OS": ""}
    assert replace(ours, host_info=theirs.host_info, application_arguments=None) == replace(
        theirs, application_arguments=None
    )
