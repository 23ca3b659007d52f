"""Every output of a peer's text to a terminal, with control sequences in the text."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from psremoting.capture.summaries import short
from psremoting.cli.display import Display, Origin
from psremoting.client.streams import StreamKind
from psremoting.powershell.progress import progress_line
from psremoting.powershell.sanitizer import displayable, one_line, title_sequence, visible
from psremoting.shell.output import OutputView
from psremoting.shell.screen import Screen
from psrp.clixml import Dictionary, List, PSObject
from psrp.enums import ProgressType
from psrp.records import ErrorRecord, InformationalRecord, ProgressRecord

STEERING = (
    "\x1b]52;c;aGk=\x07",  # the clipboard
    "\x1b[6n",  # DSR
    "\x1b[c",  # DA
    "\x1b[>c",
    "\x1b[=c",
    "\x1bP$q\x1b\\",  # DECRQSS
    "\x1b[?4m",
    "\x1b[2;1$u",
    "\x1b[?1049h",
    "\x1b[?1000h",
    "\x1b]0;title\x07",
    "\x1b]2;title\x1b\\",
    "\x1b[21t",
    "\x1bc",
    "\x1b(0",
    "\x05",  # ENQ
    "\x9b6n",
    "\x9d52;c;aGk=\x9c",
    "\x90$q\x9c",
)
EVIL = "a" + "b".join(STEERING) + "z"
#: Sequences that must not be in any output; ``\x1b[`` followed by m is a colour.
FORBIDDEN = (
    "\x1b]5",
    "\x1b[6n",
    "c\x1b",
    "\x1bP",
    "\x1b[?",
    "\x1b[2",
    "\x05",
    "\x9b",
    "\x9d",
    "\x90",
)

ORIGIN = Origin(label=EVIL, computer=EVIL)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _screen() -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(out, terminal=True, colours=True), out


def _display(show: Callable[[Display], Any], **options: Any) -> str:
    out, errors = Terminal(), Terminal()
    with (
        mock.patch("sys.stdout", out),
        mock.patch("sys.stderr", errors),
        mock.patch.dict("os.environ", {"TERM": "xterm"}),
    ):
        display = Display(many=True, **options)
        show(display)
        display.finish(2, [EVIL])
    return out.getvalue() + errors.getvalue()


def _record() -> ErrorRecord:
    return ErrorRecord.create(
        EVIL, error_id=EVIL, activity=EVIL, target_name=EVIL, script_stack_trace=EVIL
    )


def _progress() -> ProgressRecord:
    return ProgressRecord(
        activity=EVIL, status=EVIL, current_operation=EVIL, type=ProgressType.Processing
    )


def _output_view(value: Any, kind: StreamKind = StreamKind.OUTPUT) -> str:
    screen, out = _screen()
    view = OutputView(screen)
    view.add(kind, value)
    view.end()
    return out.getvalue()


def _written(text: str) -> str:
    screen, out = _screen()
    screen.write_line(text)
    screen.error(text)
    screen.warning(text)
    screen.progress(1, _progress())
    return out.getvalue()


VALUES: dict[str, Any] = {
    "a text": EVIL,
    "a property": PSObject.custom(a=EVIL, b=1),
    "a name": PSObject.custom(**{EVIL: 1}),
    "a list": PSObject.custom(**{f"{EVIL}{n}": EVIL for n in range(6)}),
    "a type": PSObject((EVIL, "System.Object"), to_string=EVIL),
    "items": List([EVIL, PSObject.custom(a=List([EVIL]))]),
    "a dictionary": Dictionary({EVIL: EVIL}),
    "an error": _record().to_object(),
}
SINKS: dict[str, Callable[[], str]] = {
    **{f"output: {name}": lambda v=value: _display(lambda d: d.output(ORIGIN, v))
       for name, value in VALUES.items()},
    **{f"entered: {name}": lambda v=value: _output_view(v) for name, value in VALUES.items()},
    **{f"decode: {name}": lambda v=value: short(v) for name, value in VALUES.items()},
    **{f"json: {name}": lambda v=value: _display(lambda d: d.output(ORIGIN, v), form="json")
       for name, value in VALUES.items()},
    **{f"error in the {view} view": lambda v=view: _display(
        lambda d: d.error(ORIGIN, _record()), error_view=v)
       for view in ("normal", "concise", "detailed", "category")},
    "an entered error": lambda: _output_view(_record(), StreamKind.ERROR),
    "a failed target": lambda: _display(lambda d: d.failed(ORIGIN, _record())),
    "a failed target in JSON": lambda: _display(lambda d: d.failed(ORIGIN, _record()), form="json"),
    "a warning": lambda: _display(lambda d: d.record(
        ORIGIN, StreamKind.WARNING, InformationalRecord(message=EVIL))),
    "progress": lambda: _display(lambda d: d.record(ORIGIN, StreamKind.PROGRESS, _progress())),
    "a notice": lambda: _display(lambda d: d.notice(ORIGIN, EVIL)),
    "host text": lambda: _display(lambda d: d.host_text(EVIL)),
    "a host error": lambda: _display(lambda d: d.host_error(EVIL)),
    "a screen": lambda: _written(EVIL),
    "a progress line": lambda: progress_line(_progress(), 200, EVIL),
    "a label": lambda: one_line(EVIL),
    "a title": lambda: title_sequence(EVIL)[4:-1],
    "a recording": lambda: visible(EVIL),
    "plain text": lambda: displayable(EVIL),
}  # fmt: skip


@pytest.mark.parametrize("sink", SINKS, ids=list(SINKS))
def test_no_sink_passes_a_sequence_that_steers_the_terminal(sink: str) -> None:
    """All text of a peer passes one allow-list before it reaches a terminal."""
    shown = SINKS[sink]()
    assert "a" in shown
    # JSON writes control characters as escapes.
    shown = shown.replace("\\u001b", "")
    assert not [each for each in FORBIDDEN if each in shown]
    without_colours = displayable(shown, colours=True, moves=True)
    assert without_colours.replace("\r", "") == shown.replace("\r", "")
