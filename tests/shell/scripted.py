"""A shell over a fake server, with a scripted keyboard."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from uuid import UUID

import trio
import trio.testing

from psremoting.session import PSSession
from psremoting.shell.keyboard import key_of
from psremoting.shell.loop import Shell
from psremoting.shell.reading import Complete, EndOfInput, Interrupted
from psremoting.shell.remote_completion import Match
from psremoting.shell.screen import Screen
from psremoting.shell.terminal_host import TerminalHost
from psrp import events as e
from psrp.clixml import PSObject
from psrp.host_values import KeyInfo
from tests.session.servers import Engine, FakeServer, carrier_over, text_of


class Keyboard:
    """A `Reader` with given lines; prompts are written to the screen."""

    def __init__(self, screen: Screen, *lines: str | Exception) -> None:
        self.screen = screen
        self.lines = list(lines)
        self.asked: list[str] = []
        self.matches: list[Match] = []

    async def read_command(self, prompt: str) -> str:
        await trio.lowlevel.checkpoint()
        self.asked.append(prompt)
        self.screen.write(prompt)
        line = self.lines.pop(0) if self.lines else EndOfInput()
        if isinstance(line, Exception):
            raise line
        self.screen.write_line(line)
        return line

    async def read_line(self, prompt: str) -> str:
        return await self.read_command(prompt)

    async def read_secret(self, prompt: str) -> str:
        return await self.read_command(prompt)

    async def read_key(self, *, echo: bool) -> KeyInfo:
        return key_of(await self.read_command(""))

    def interrupt(self) -> bool:
        return False

    def silenced(self) -> AbstractContextManager[None]:
        return nullcontext()

    def completes_with(self, complete: Complete) -> None:
        return


class ShellServer(FakeServer):
    """A `FakeServer` that can be entered: it has the two required commands and a prompt."""

    def _deal_with(self, event: e.Event, nursery: trio.Nursery) -> None:
        if isinstance(event, e.GetCommandMetadata):
            nursery.start_soon(self._metadata, event.pipeline_id)
        else:
            super()._deal_with(event, nursery)

    provided = ("Out-Default", "Exit-PSSession")

    async def _metadata(self, id: UUID) -> None:
        count = PSObject(
            ("Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo",),
            extended={"Count": len(self.provided)},
        )
        found = [PSObject.custom(Name=name) for name in self.provided]
        await self.output(id, count, *found)
        await self.end(id)


@dataclass
class Scene:
    server: ShellServer
    session: PSSession
    shell: Shell
    keyboard: Keyboard
    shown: io.StringIO

    @property
    def lines(self) -> list[str]:
        return self.shown.getvalue().splitlines()


def with_prompt(engine: Engine, prompt: str = "PS> ") -> Engine:
    """Wrap ``engine`` to also answer ``prompt``."""

    async def answer(server: FakeServer, event: e.CreatePipeline) -> None:
        if text_of(event) == "prompt" and not event.is_nested:
            await server.output(event.pipeline_id, prompt)
        elif not text_of(event).startswith("__") or text_of(event) == "__Set-PSDebuggerAction":
            await engine(server, event)

    return answer


@asynccontextmanager
async def scene(
    engine: Callable[[FakeServer, e.CreatePipeline], Awaitable[None]],
    *lines: str | Exception,
    kind: type[ShellServer] = ShellServer,
) -> AsyncIterator[Scene]:
    ours, theirs = trio.testing.memory_stream_pair()
    server = kind(theirs, with_prompt(engine))
    shown = io.StringIO()
    screen = Screen(shown, terminal=False, colours=False)
    keyboard = Keyboard(screen, *lines)
    host = TerminalHost(screen, keyboard, instance_id=UUID(int=1))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve)
            async with PSSession.connect(carrier_over(ours), host=host) as session:
                yield Scene(server, session, Shell(session, host), keyboard, shown)
            nursery.cancel_scope.cancel()


__all__ = ["Interrupted", "Keyboard", "Scene", "ShellServer", "scene"]
