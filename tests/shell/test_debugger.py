"""A script that stops at a breakpoint: lines go to the debugger until one resumes the script."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from psremoting.client.debugger import ResumeAction, read_results, read_stop
from psremoting.shell.loop import Leaving
from psremoting.shell.reading import EndOfInput, Interrupted
from psrp import events as e
from psrp.clixml import List, PSObject
from psrp.properties import enum_object, unwrap
from psrp.records import ErrorCategory, ErrorRecord
from tests.session.servers import FakeServer, text_of
from tests.shell.scripted import Scene, scene

ACTION = "System.Management.Automation.DebuggerResumeAction"


def stop_event(position: str = "At line:1 char:1") -> e.UserEvent:
    point = PSObject(("System.Management.Automation.LineBreakpoint",), to_string="Line breakpoint")
    place = PSObject((), extended={"InvocationInfo_PositionMessage": position})
    told = PSObject(
        ("Deserialized.System.Management.Automation.DebuggerStopEventArgs",),
        extended={"Breakpoints": List([point]), "SerializedInvocationInfo": place},
    )
    return e.UserEvent(
        event_id=1, source_id="PSInternalRemoteDebuggerStopEvent", arguments=List([told])
    )


def results(action: ResumeAction | None) -> PSObject:
    value = None if action is None else enum_object(ACTION, action.value, action.name)
    return PSObject(
        ("Deserialized.System.Management.Automation.DebuggerCommandResults",),
        {"ResumeAction": value, "EvaluatedByDebugger": action is not None},
    )


class Debugged:
    """An engine whose command ``go`` stops twice."""

    def __init__(self) -> None:
        self.actions: list[int] = []
        self.lines: list[str] = []
        self._resumed = trio.Event()

    async def __call__(self, server: FakeServer, event: e.CreatePipeline) -> None:
        id, text = event.pipeline_id, text_of(event)
        if text == "__Set-PSDebuggerAction":
            (parameter,) = event.powershell.statements[0][0].parameters
            self.actions.append(unwrap(parameter.value))
            self._resumed.set()
        elif event.is_nested:
            self.lines.append(text)
            await server.output(id, *self._debugger(text))
            if text == "(":
                record = ErrorRecord.create(
                    "more", error_id="Incomplete", category=ErrorCategory.ParserError,
                    exception_type="System.Management.Automation.IncompleteParseException",
                )  # fmt: skip
                await server.end(id, e.InvocationState.FAILED, record)
        elif text == "go":
            for _ in range(2):
                self._resumed = trio.Event()
                server.say(stop_event())
                await server.flush()
                await self._resumed.wait()
            await server.output(id, "gone on")

    def _debugger(self, text: str) -> list[Any]:
        known = {
            "prompt": ["[DBG]: PS />> "],
            "$x": [5, results(None)],
            "s": [results(ResumeAction.StepInto)],
            "c": [results(ResumeAction.Continue)],
        }
        return known.get(text, [results(None)])


async def debug(*lines: str | Exception) -> tuple[Debugged, Scene, Leaving]:
    engine = Debugged()
    async with scene(engine, "go", *lines) as stage:
        leaving = await stage.shell.run()
    return engine, stage, leaving


async def test_lines_go_to_the_debugger_until_the_script_goes_on() -> None:
    engine, stage, leaving = await debug("$x", "s", "c", EndOfInput())
    assert leaving is Leaving.EXIT
    assert engine.actions == [ResumeAction.StepInto, ResumeAction.Continue]
    assert [line for line in engine.lines if line != "prompt"] == ["$x", "s", "c"]
    assert stage.lines == [
        "[lab]: PS> go",
        "Entering debug mode. Use h or ? for help.",
        "",
        "Hit Line breakpoint",
        "",
        "At line:1 char:1",
        "[lab]: [DBG]: PS />> $x",
        "5",
        "[lab]: [DBG]: PS />> s",
        "Hit Line breakpoint",
        "",
        "At line:1 char:1",
        "[lab]: [DBG]: PS />> c",
        "gone on",
        "[lab]: PS> ",
    ]


async def test_an_empty_line_is_the_debuggers_to_repeat() -> None:
    engine, _, __ = await debug("", "c", "c")
    assert [line for line in engine.lines if line != "prompt"] == ["", "c", "c"]


async def test_an_incomplete_line_goes_on_in_the_debugger_too() -> None:
    engine, stage, _ = await debug("(", "$x)", "", "c", "c")
    assert "(\n$x)" in engine.lines
    assert ">> " in stage.keyboard.asked


async def test_ctrl_c_at_the_debuggers_prompt_asks_again() -> None:
    engine, _, __ = await debug(Interrupted(), "c", "c")
    assert engine.actions == [0, 0]


async def test_the_end_of_the_input_continues_the_script() -> None:
    engine, _, __ = await debug(EndOfInput(), "c")
    assert engine.actions == [ResumeAction.Continue, ResumeAction.Continue]


def test_other_events_are_no_stops() -> None:
    assert read_stop(e.UserEvent(event_id=1, source_id="Other")) is None


def test_a_stop_that_tells_nothing_is_one() -> None:
    stop = read_stop(e.UserEvent(event_id=1, source_id="PSInternalRemoteDebuggerStopEvent"))
    assert stop is not None
    assert (stop.breakpoints, stop.position) == ((), "")


@pytest.mark.parametrize(
    ("code", "underline", "shown"),
    [
        ("+ Wait-Debugger; 'after'", "+ ~~~~", "+ ~~~~~~~~~~~~~~~~~~~~~~"),
        ("+ & { 1 }", "+     ~", "+     ~~~"),
        ("+ $long = 'cut ...", "+ ~~~~~", "+ ~~~~~~~~~~~~"),
        ("+ all", "+ ~~~", "+ ~~~"),
        ("+ other", "no underline", "no underline"),
    ],
)
def test_the_underline_of_a_stop_ends_with_the_line(code: str, underline: str, shown: str) -> None:
    stop = read_stop(stop_event(f"At line:1 char:1\n{code}\n{underline}"))
    assert stop is not None
    assert stop.position == f"At line:1 char:1\n{code}\n{shown}"


def test_an_action_that_nobody_knows_keeps_the_script_stopped() -> None:
    told = results(None)
    told.adapted = {"ResumeAction": 17}
    found = read_results(told)
    assert found is not None
    assert found.action is None
