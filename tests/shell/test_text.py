"""Filtering of remote text for the terminal."""

from __future__ import annotations

import getpass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.options import SessionOption
from psremoting.powershell.cells import width_of
from psremoting.powershell.progress import ProgressArea, progress_line
from psremoting.powershell.sanitizer import displayable, paint, title_sequence
from psremoting.shell.keyboard import key_of
from psremoting.targets import (
    ContainerTarget,
    HostProcessTarget,
    ProcessTarget,
    SocketTarget,
    SSHTarget,
    Target,
    carrier_for,
)
from psrp.enums import ProgressType
from psrp.records import ProgressRecord

KEPT = ["\x1b[32;1mgreen\x1b[0m", "\x1b[2J\x1b[H", "a\tb\n", "\x1b]8;;http://x\x1b\\link"]
DROPPED = {
    "\x1b]52;c;aGk=\x07": "",
    "\x1b]0;title\x07x": "x",
    "\x1b[6n": "",
    "\x1b[c": "",
    "\x1b[?1049h": "",
    "\x1bP$q\x1b\\x": "x",
    "\x1b[>0m": "",
    "\x1bc": "",
    "\x9b6n": "6n",
    "\x00\x0e": "",
    "\x1b[31": "",
    "\x1b": "",
    "\ud800": "?",
}


@pytest.mark.parametrize("text", KEPT)
def test_colours_and_cursor_movements_come_through(text: str) -> None:
    assert displayable(text, colours=True, moves=True) == text


@pytest.mark.parametrize("text", DROPPED)
def test_what_could_make_the_terminal_act_does_not(text: str) -> None:
    assert displayable(text, colours=True, moves=True) == DROPPED[text]


@given(st.text(alphabet="\x1b[]0;mKc\x07\\ab\x9b\x00P", max_size=40))
def test_without_colours_and_movements_nothing_but_text_is_left(text: str) -> None:
    shown = displayable(text, colours=False, moves=False)
    assert not set(shown) & set("\x1b\x9b\x00")


def test_console_colours_are_the_terminals() -> None:
    assert paint("x", 12) == "\x1b[91mx\x1b[0m"
    assert paint("x", 1, 6) == "\x1b[34;43mx\x1b[0m"
    assert paint("x", -1, -1) == paint("x", 99) == "x"


def test_a_title_cannot_end_its_own_sequence() -> None:
    assert title_sequence("a\x07\x1b\\b") == "\x1b]0;ab\x07"


ME = getpass.getuser()
CONTAINER_ID = "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("target", "prefix", "definition"),
    [
        (SSHTarget(host_name="server"), "[server]: ", ""),
        (SSHTarget(host_name=f"{ME}@server"), "[server]: ", ""),
        (SSHTarget(host_name="Other@server:22"), "[Other@server]: ", ""),
        (SSHTarget(host_name="server", user_name="other"), "[other@server]: ", ""),
        (SSHTarget(host_name="a@server", user_name="b"), "[a@server]: ", ""),
        (ProcessTarget(argv=("true",)), "[localhost]: ", ""),
        (HostProcessTarget(pid=1), "", "[Process:$($PID)]: PS "),
        (SocketTarget(path="/x"), "", ""),
        (ContainerTarget(container_id="web", program="true"), "", "[web]: PS "),
        (
            ContainerTarget(container_id=CONTAINER_ID, program="true"),
            "",
            "[0123456789abcd\u2026]: PS ",
        ),
    ],
)
def test_the_prompt_says_where_one_is(target: Target, prefix: str, definition: str) -> None:
    """Statement I95."""
    style = carrier_for(target, SessionOption()).prompt_style
    assert style.prefix == prefix
    assert definition in style.definition
    assert bool(style.definition) is bool(definition)


def test_a_progress_line_fits_its_window() -> None:
    record = ProgressRecord(activity="日本語" * 20, status="x", percent_complete=30)
    assert progress_line(record, 20) == "日本語日本… [x 30%]"
    assert progress_line(record, 1) == ""
    for width in range(130):
        assert width_of(progress_line(record, width)) <= width
        assert width_of(progress_line(record, width, styled=True, depth=3)) <= width


@pytest.mark.parametrize(
    ("percent", "width", "done"),
    [(42, 119, 48), (42, 79, 31), (50, 39, 17), (5, 59, 2), (-1, 119, 114)],
)
def test_the_part_that_is_done_is_as_long_as_powershells(
    percent: int, width: int, done: int
) -> None:
    name = "A1" if width == 59 else "A"
    record = ProgressRecord(activity=name, status="S", percent_complete=percent)
    line = progress_line(record, width, styled=True)
    assert line.startswith(f"\x1b[33;1m{name} [\x1b[7mS")
    assert len(line.partition("\x1b[7m")[2].partition("\x1b[0m")[0]) == done


def test_progress_shows_what_goes_on_and_forgets_what_is_done() -> None:
    area = ProgressArea()
    area.update(1, ProgressRecord(activity="one", percent_complete=50, seconds_remaining=65))
    area.update(1, ProgressRecord(activity="two", activity_id=1, parent_activity_id=0))
    assert area.draw(80).splitlines() == [
        "one [" + " " * 65 + "50% 65s]",
        "  two [" + " " * 70 + "]",
    ]
    assert area.erase() == "\r\x1b[K\x1b[1A\r\x1b[K"
    assert area.erase() == ""
    area.update(1, ProgressRecord(activity="one", type=ProgressType.Completed))
    assert area.draw(80) == "two [" + " " * 72 + "]"


def test_progress_of_activities_that_are_above_each_other_is_shown() -> None:
    area = ProgressArea()
    area.update(1, ProgressRecord(activity="a", activity_id=1, parent_activity_id=2))
    area.update(1, ProgressRecord(activity="b", activity_id=2, parent_activity_id=1))
    assert [line.split()[0] for line in area.draw(80).splitlines()] == ["a", "b"]


@pytest.mark.parametrize(
    ("sent", "code", "character", "state"),
    [
        ("q", 81, "q", 0),
        ("Q", 81, "Q", 0),
        ("5", 53, "5", 0),
        ("\r", 13, "\r", 0),
        ("\x7f", 8, "\x7f", 0),
        ("\x1b", 27, "\x1b", 0),
        ("\x1b[A", 38, "\0", 0),
        ("\x01", 65, "\x01", 0),
        ("!", 0, "!", 0),
        ("\t", 9, "\t", 0),
        ("\x1b[Z", 9, "\0", 0),
        ("\x1bx", 88, "x", 0),
        ("\x1b[1;5A", 38, "\0", 0),
        ("\x1b[1;2P", 112, "\0", 0),
        ("\x1b[3;5~", 46, "\0", 0),
        ("é", 0, "é", 0),
        ("🙂", 0, "\0", 0),
    ],
)
def test_keys_are_those_of_powershell(sent: str, code: int, character: str, state: int) -> None:
    key = key_of(sent)
    assert (key.virtual_key_code, key.character, key.control_key_state, key.key_down) == (
        code, character, state, True,
    )  # fmt: skip
