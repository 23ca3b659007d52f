"""The life of an entered session, over servers with one behaviour each."""

from __future__ import annotations

from uuid import UUID

import pytest
import trio

from psremoting.errors import PSRemotingError
from psremoting.shell.loop import Leaving
from psremoting.shell.reading import EndOfInput, Interrupted
from psrp import events as e
from psrp.host import HostMethodId
from psrp.records import ErrorCategory, ErrorRecord
from tests.session.servers import FakeServer, text_of
from tests.shell.scripted import ShellServer, scene


async def quiet(server: FakeServer, event: e.CreatePipeline) -> None:
    return


async def failing(server: FakeServer, event: e.CreatePipeline) -> None:
    """Fail every line, and also the request to show the error."""
    record = ErrorRecord.create("no", error_id="No", category=ErrorCategory.NotSpecified)
    await server.end(event.pipeline_id, e.InvocationState.FAILED, record)


async def test_a_session_without_the_needed_commands_is_not_entered() -> None:
    """Statement I93."""

    class Poor(ShellServer):
        provided = ("Out-Default",)

    async with scene(quiet, kind=Poor) as stage:
        with pytest.raises(PSRemotingError, match="does not provide required commands"):
            await stage.shell.run()


async def test_blank_lines_are_not_sent() -> None:
    async with scene(quiet, "", "  ", EndOfInput()) as stage:
        assert await stage.shell.run() is Leaving.EXIT
        births = [each for each in stage.server.seen if isinstance(each, e.CreatePipeline)]
    assert {text_of(each) for each in births} == {"prompt"}


async def test_a_server_without_a_prompt_gets_powershells() -> None:
    class Promptless(ShellServer):
        async def output(self, id: object, *values: object) -> None:
            if values != ("PS> ",):
                await super().output(id, *values)

    async with scene(quiet, EndOfInput(), kind=Promptless) as stage:
        await stage.shell.run()
    assert stage.keyboard.asked == ["[lab]: PS>"]


async def test_an_error_that_the_server_cannot_show_is_shown_here() -> None:
    async with scene(failing, "line", EndOfInput()) as stage:
        await stage.shell.run()
    assert stage.lines[1] == "Exception: no"


async def test_output_that_did_not_go_through_out_default_is_shown() -> None:
    async def plain(server: FakeServer, event: e.CreatePipeline) -> None:
        await server.output(event.pipeline_id, "text", 5)

    async with scene(plain, "line", EndOfInput()) as stage:
        await stage.shell.run()
    assert stage.lines[1:3] == ["text", "5"]


async def test_errors_that_came_as_records_are_shown() -> None:
    async def errors(server: FakeServer, event: e.CreatePipeline) -> None:
        record = ErrorRecord.create("bad", error_id="Bad", activity="Get-Item")
        server.say(e.ErrorRecordMessage(pipeline_id=event.pipeline_id, record=record))

    async with scene(errors, "line", EndOfInput()) as stage:
        await stage.shell.run()
    assert stage.lines[1] == "Get-Item: bad"


async def test_the_other_side_can_end_the_stay() -> None:
    async def pop(server: FakeServer, event: e.CreatePipeline) -> None:
        server.say(
            e.PipelineHostCall(
                pipeline_id=event.pipeline_id,
                call_id=-100,
                method=HostMethodId.PopRunspace,
                arguments=(),
            )
        )

    async with scene(pop, "anything", "never typed") as stage:
        assert await stage.shell.run() is Leaving.EXIT
    assert stage.keyboard.lines == ["never typed"]


async def test_setshouldexit_ends_an_entered_session() -> None:
    async def leave(server: FakeServer, event: e.CreatePipeline) -> None:
        server.say(
            e.PipelineHostCall(
                pipeline_id=event.pipeline_id,
                call_id=-100,
                method=HostMethodId.SetShouldExit,
                arguments=(3,),
            )
        )

    async with scene(leave, "exit 3", "", EndOfInput()) as stage:
        assert await stage.shell.run() is Leaving.EXIT
    assert stage.shell.exit_code == 3
    assert len(stage.keyboard.lines) == 2


async def test_a_session_that_ends_while_a_line_is_typed_is_left() -> None:
    async with scene(quiet) as stage:

        async def never(prompt: str) -> str:
            await stage.server.stream.aclose()
            await trio.sleep_forever()
            return ""

        stage.keyboard.read_command = never  # type: ignore[method-assign]
        assert await stage.shell.run() is Leaving.LOST
        assert stage.session.error is not None


async def test_ctrl_c_while_more_is_asked_for_drops_the_block() -> None:
    """Statement I96."""

    async def incomplete(server: FakeServer, event: e.CreatePipeline) -> None:
        record = ErrorRecord.create(
            "more", error_id="More",
            exception_type="System.Management.Automation.IncompleteParseException",
        )  # fmt: skip
        await server.end(event.pipeline_id, e.InvocationState.FAILED, record)

    async with scene(incomplete, "if (", "$true", Interrupted(), EndOfInput()) as stage:
        assert await stage.shell.run() is Leaving.EXIT
    assert stage.keyboard.asked == ["[lab]: PS> ", ">> ", ">> ", "[lab]: PS> "]


async def test_ctrl_c_stops_a_prompt_that_never_comes() -> None:
    class Slow(ShellServer):
        async def output(self, id: object, *values: object) -> None:
            stage.shell.interrupt()
            await trio.sleep_forever()

    async with scene(quiet, EndOfInput(), kind=_Metadata) as stage:
        stage.server.output = Slow.output.__get__(stage.server)  # type: ignore[method-assign]
        assert await stage.shell.run() is Leaving.EXIT
    assert stage.keyboard.asked == ["[lab]: PS>"]


class _Metadata(ShellServer):
    """A server that answers the command metadata without calling `output`."""

    async def _metadata(self, id: object) -> None:
        for each in range(3):
            self.say(e.PipelineOutput(pipeline_id=id, data=each))  # type: ignore[arg-type]
        await self.end(id)


async def test_output_and_host_calls_are_shown_in_the_order_in_which_they_came(
    autojump_clock: trio.abc.Clock,
) -> None:
    """The server sends everything at once, so that the order of the tasks is open."""

    def write(id: UUID, text: str) -> e.PipelineHostCall:
        method = HostMethodId.WriteLine2
        return e.PipelineHostCall(pipeline_id=id, call_id=-100, method=method, arguments=(text,))

    async def mixed(server: FakeServer, event: e.CreatePipeline) -> None:
        id = event.pipeline_id
        for number in range(20):
            server.say(e.PipelineOutput(pipeline_id=id, data=f"output {number}"))
            server.say(write(id, f"call {number}"))

    async with scene(mixed, "go", EndOfInput()) as stage:
        await stage.shell.run()
    wanted = [f"{kind} {number}" for number in range(20) for kind in ("output", "call")]
    assert [line for line in stage.lines if line.split()[0] in ("output", "call")] == wanted


async def test_input_that_ends_inside_a_command_is_an_error() -> None:
    async def nothing(server: FakeServer, event: e.CreatePipeline) -> None:
        raise AssertionError("it must not run")

    async with scene(nothing, "if (1) {", "'x'", EndOfInput()) as stage:
        assert await stage.shell.run() is Leaving.CUT_OFF
    assert "The input ended inside a command, which was not run:" in stage.lines


async def test_an_empty_line_in_a_text_belongs_to_it() -> None:
    ran: list[str] = []

    async def keep(server: FakeServer, event: e.CreatePipeline) -> None:
        ran.append(event.powershell.history)

    async with scene(keep, "@'", "a", "", "b", "'@", EndOfInput()) as stage:
        await stage.shell.run()
    assert ran == ["@'\na\n\nb\n'@"]
