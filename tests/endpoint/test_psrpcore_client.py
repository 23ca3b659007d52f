"""The independent client psrpcore with the functions engine: errors and completions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psrpcore
import trio
from psrpcore import types as t

from psremoting.endpoint import Context, FunctionsEngine
from psremoting.endpoint.engine import Engine
from psremoting.endpoint.sender import local_sender
from psrp.sansio import Outgoing, Stream

_STREAMS = {
    Stream.DEFAULT: psrpcore.StreamType.default,
    Stream.PROMPT_RESPONSE: psrpcore.StreamType.prompt_response,
}
_BACK = {theirs: ours for ours, theirs in _STREAMS.items()}


class Link:
    sender = local_sender()

    def __init__(self) -> None:
        self.news = trio.Event()

    def wake(self) -> None:
        self.news.set()

    def report(self, text: str) -> None:
        raise AssertionError(text)

    fail = report


class TheirClient:
    def __init__(self, engine: Engine) -> None:
        self.link = Link()
        self.session = engine.open(self.link)
        self.pool = psrpcore.ClientRunspacePool()
        self.events: list[Any] = []

    async def until(self, done: Callable[[], bool]) -> None:
        """Move data in both directions until the condition holds."""
        while not done():
            while (payload := self.pool.data_to_send()) is not None:
                stream = _BACK[payload.stream_type]
                out = Outgoing(target=payload.pipeline_id, stream=stream, data=payload.data)
                self.session.receive(out)
            moved = False
            while (answer := self.session.data_to_send(32768)) is not None:
                moved = True
                if answer.data:
                    kind = _STREAMS[answer.stream]
                    self.pool.receive_data(psrpcore.PSRPPayload(answer.data, kind, answer.target))
            while (event := self.pool.next_event()) is not None:
                self.events.append(event)
            if not moved and not done():
                await self.link.news.wait()
                self.link.news = trio.Event()

    async def run(self, shell: psrpcore.ClientPowerShell) -> list[Any]:
        """Return the events of a pipeline up to its end."""
        over = (t.PSInvocationState.Completed, t.PSInvocationState.Failed)
        self.events.clear()
        shell.start()
        await self.until(lambda: shell.state in over)
        return list(self.events)


@asynccontextmanager
async def client_of(**commands: Any) -> AsyncIterator[TheirClient]:
    names = {name.replace("_", "-"): each for name, each in commands.items()}
    client = TheirClient(FunctionsEngine(names))
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.session.run)
            client.pool.open()
            await client.until(lambda: client.pool.state is t.RunspacePoolState.Opened)
            yield client
            nursery.cancel_scope.cancel()


async def complain(context: Context) -> None:
    await context.write_error("bad", error_id="Bad")
    await context.write_warning("careful")


async def test_psrpcore_reads_where_an_error_and_a_warning_came_from() -> None:
    async with client_of(Show_Complaint=complain) as client:
        options = t.RemoteStreamOptions(15)
        shell = psrpcore.ClientPowerShell(client.pool, remote_stream_options=options)
        shell.add_script("\n Show-Complaint; 5")
        events = await client.run(shell)
    (error,) = (each for each in events if isinstance(each, psrpcore.ErrorRecordEvent))
    (warning,) = (each for each in events if isinstance(each, psrpcore.WarningRecordEvent))
    assert str(error.record) == "bad"
    for info in (error.record.InvocationInfo, warning.record.InvocationInfo):
        assert (info.ScriptLineNumber, info.OffsetInLine) == (2, 2)
        assert info.Line == " Show-Complaint; 5"
        assert info.InvocationName == "Show-Complaint"
    assert error.record.FullyQualifiedErrorId == "Bad,Show-Complaint"


async def test_psrpcore_gets_a_completion() -> None:
    async with client_of(Show_Complaint=complain) as client:
        shell = psrpcore.ClientPowerShell(client.pool)
        shell.add_command("TabExpansion2")
        for argument in ("show-", 5, None):
            shell.add_argument(argument)
        events = await client.run(shell)
    (output,) = (each for each in events if isinstance(each, psrpcore.PipelineOutputEvent))
    (match,) = output.data.CompletionMatches
    assert (output.data.ReplacementIndex, output.data.ReplacementLength) == (0, 5)
    assert (match.CompletionText, match.ResultType) == ("Show-Complaint", "Command")
