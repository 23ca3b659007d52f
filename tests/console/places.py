"""A surface of the local prompt without a terminal, and fake remote computers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psremoting.client.hosts import NULL_HOST, Host
from psremoting.console.interpreter import run_text
from psremoting.console.workspace import Workspace
from psremoting.errors import PSRemotingTransportError, process_ended
from psremoting.powershell.parse_errors import ParseError
from psremoting.session import PSSession
from psrp.records import ProgressRecord
from tests.session.servers import fake_server


class Place:
    """A surface that records its output. Entering a session runs the lines of ``typed`` in it."""

    width = 120

    def __init__(self) -> None:
        self.out: list[str] = []
        self.errors: list[str] = []
        self.notices: list[str] = []
        self.entered: list[PSSession] = []
        self.answers: list[str] = []
        self.questions: list[str] = []
        self.typed: list[str] = []
        self.records: list[ProgressRecord] = []

    @property
    def host(self) -> Host:
        return NULL_HOST

    def output(self, text: str) -> None:
        self.out.append(text)

    def error(self, text: str) -> None:
        self.errors.append(text)

    def warning(self, text: str) -> None:
        self.out.append(f"WARNING: {text}")

    def progress(self, record: ProgressRecord) -> None:
        self.records.append(record)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def clear(self) -> None:
        self.out.append("(an empty screen)")

    async def enter(self, session: PSSession) -> bool:
        assert session.state == "Opened"
        self.entered.append(session)
        for line in self.typed:
            result = await session.run(line)
            self.out += [str(value) for value in result.output]
        return True

    async def ask(self, question: str, *, confirming: bool = False) -> str | None:
        self.questions.append(question)
        return self.answers.pop(0) if self.answers else None


class Machines:
    """An opener that connects every target to a fake server and records the targets."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.names: list[str] = []
        """Return the names of the opened servers."""

    @asynccontextmanager
    async def connect(self, target: Any, **more: Any) -> AsyncIterator[PSSession]:
        self.asked.append(target)
        name = getattr(target, "computer", "")
        if name.startswith("dead"):
            raise process_ended(name, ssh=True)
        if name.startswith("broken"):
            raise PSRemotingTransportError("It broke.", error_id="2102,PSSessionOpenFailed")
        more.pop("on_notice", None)
        self.names.append(more.pop("name", ""))
        async with fake_server() as (carrier, _):
            carrier.transport = "SSH"
            carrier.computer = name
            more["like_powershell"] = False
            async with PSSession.connect(carrier, **more) as session:
                yield session


class Prompt:
    """Return a workspace with its own surface and fake computers."""

    def __init__(self, workspace: Workspace, place: Place, machines: Machines) -> None:
        self.workspace = workspace
        self.place = place
        self.machines = machines

    async def __call__(self, text: str) -> str:
        """Run ``text``; return its output, followed by its errors."""
        out, errors = len(self.place.out), len(self.place.errors)
        try:
            await run_text(self.workspace, text)
        except ParseError as error:
            return f"{error} ..."
        return "\n".join(self.place.out[out:] + self.place.errors[errors:])

    def error_ids(self) -> list[str]:
        """Return the records of $Error, the oldest first."""
        return [each.fully_qualified_error_id for each in reversed(self.workspace.errors)]


@asynccontextmanager
async def prompt(connect: Any = None) -> AsyncIterator[Prompt]:
    place, machines = Place(), Machines()
    async with Workspace.open(place, connect=connect or machines.connect) as workspace:
        yield Prompt(workspace, place, machines)
