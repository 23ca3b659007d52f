"""The local prompt with the recorded real server: open, enter twice, list and remove a session."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from psremoting.client.carrier import PromptStyle
from psremoting.console.prompt import converse
from psremoting.console.terminal_surface import TerminalSurface
from psremoting.console.workspace import Workspace
from psremoting.session import PSSession
from psremoting.shell.entering import Console
from psremoting.shell.plain_reader import PlainReader
from psremoting.shell.screen import Screen
from tests.recordings import WHOLE
from tests.session.servers import carrier_over
from tests.shell.recorded_server import RecordedServer

_HERE, _THERE = "PS /home/psremote> ", "[127.0.0.1]: PS /home/psremote> "


def recorded_lines() -> list[str]:
    """Return the screen up to the first error, with our prompt in place of PowerShell's."""
    path = WHOLE / "outofproc/sessions/enter-by-name.screen.txt"
    text = path.read_text(encoding="utf-8").replace("\n" + _HERE, "\npsrp> ")
    text = text.replace(_HERE, "psrp> ", 1)
    return text[: text.index("psrp> Enter-PSSession -Id 999")].splitlines()


def typed_lines() -> list[str]:
    return [
        line.removeprefix(prompt)
        for line in recorded_lines()
        for prompt in ("psrp> ", _THERE)
        if line.startswith(prompt)
    ]


@asynccontextmanager
async def recorded_server(_: object, **more: Any) -> AsyncIterator[PSSession]:
    ours, theirs = trio.testing.memory_stream_pair()
    server = RecordedServer(theirs, WHOLE / "outofproc/sessions/enter-by-name.jsonl")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve)
        carrier = carrier_over(ours, "SSH")
        carrier.computer = "127.0.0.1"
        carrier.prompt_style = PromptStyle(prefix="[127.0.0.1]: ")
        async with PSSession.connect(carrier, **more) as session:
            yield session
        nursery.cancel_scope.cancel()


async def test_the_recorded_screen_comes_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement I97."""
    monkeypatch.setenv("LOGNAME", "psremote")
    monkeypatch.setenv("COLUMNS", "120")
    shown = io.StringIO()
    screen = Screen(shown, terminal=False, colours=False)
    keyboard = io.StringIO("".join(line + "\n" for line in typed_lines()))
    console = Console(screen, PlainReader(keyboard, screen))
    surface = TerminalSurface(console)
    with trio.fail_after(60):
        async with Workspace.open(surface, connect=recorded_server) as workspace:
            # In the recording the first id was already used.
            workspace.table.new_id()
            await converse(workspace, console, surface)
            ((entry),) = workspace.table.entries
            assert entry.state == "Opened"
    assert entry.state == "Closed"
    lines = [line.rstrip() for line in shown.getvalue().splitlines()]
    assert lines == [*recorded_lines(), "psrp>"]
