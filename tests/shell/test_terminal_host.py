"""The terminal as a host: host calls and their results."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import trio

from psremoting.client.hosts import HostRefusal, answer_call
from psremoting.powershell.host_questions import hot_key, plain_label
from psremoting.powershell.progress import progress_line
from psremoting.shell.reading import EndOfInput, Interrupted
from psremoting.shell.screen import Screen
from psremoting.shell.terminal_host import TerminalHost
from psrp.clixml import SecureString
from psrp.host import METHODS, HostMethodId
from psrp.host_values import (
    BufferCell,
    ChoiceDescription,
    Coordinates,
    Credential,
    FieldDescription,
    Rectangle,
)
from psrp.records import ProgressRecord
from tests.shell.scripted import Keyboard

M = HostMethodId
CHOICES = (ChoiceDescription("&Yes", "do it"), ChoiceDescription("&No", "leave it"))


class Window(io.StringIO):
    """A terminal of 20 by 5."""


def host_with(*answers: str | Exception, terminal: bool = False) -> tuple[TerminalHost, Window]:
    window = Window()
    screen = Screen(window, terminal=terminal, colours=terminal)
    return TerminalHost(screen, Keyboard(screen, *answers), instance_id=UUID(int=1)), window


def field(name: str, type_name: str = "System.String", **more: Any) -> FieldDescription:
    return FieldDescription(name=name, parameter_assembly_full_name=type_name, **more)


async def ask(method: int, arguments: tuple[Any, ...], *answers: str | Exception) -> Any:
    host, _ = host_with(*answers)
    return await host.call(method, arguments)


PROGRESS = ProgressRecord(activity="a")


@pytest.mark.parametrize(
    ("method", "arguments", "shown"),
    [
        (M.Write1, ("a",), "a"),
        (M.Write2, (1, 2, "a"), "a"),
        (M.WriteLine1, (), "\n"),
        (M.WriteLine2, ("a",), "a\n"),
        (M.WriteLine2, (None,), "\n"),
        (M.WriteLine3, (1, 2, "a"), "a\n"),
        (M.WriteErrorLine, ("a",), "a\n"),
        (M.WriteDebugLine, ("a",), "DEBUG: a\n"),
        (M.WriteVerboseLine, ("a",), "VERBOSE: a\n"),
        (M.WriteWarningLine, ("a",), "WARNING: a\n"),
        (M.SetWindowTitle, ("a",), ""),
        (M.SetCursorPosition, (Coordinates(1, 1),), ""),
        (M.WriteProgress, (0, ProgressRecord(activity="a")), ""),
        (M.SetShouldExit, (3,), ""),
    ],
)
async def test_what_is_written_without_a_terminal(
    method: int, arguments: tuple[Any, ...], shown: str
) -> None:
    host, window = host_with()
    assert await host.call(method, arguments) is None
    assert window.getvalue() == shown


@pytest.mark.parametrize(
    ("method", "arguments", "written"),
    [
        (M.WriteLine3, (12, -1, "a"), "\x1b[91ma\x1b[0m\n"),
        (M.WriteErrorLine, ("a",), "\x1b[91ma\x1b[0m\n"),
        (M.SetWindowTitle, ("a",), "\x1b]0;a\x07"),
        (M.SetCursorPosition, (Coordinates(2, 1),), "\x1b[2;3H"),
        (
            M.SetBufferContents1,
            (Rectangle(-1, -1, -1, -1), BufferCell(" ", -1, -1)),
            "\x1b[H\x1b[2J\x1b[3J",
        ),
        (
            M.SetBufferContents1,
            (Rectangle(1, 1, 2, 2), BufferCell("x", -1, -1)),
            "\x1b[2;2Hxx\x1b[3;2Hxx",
        ),
        (
            M.SetBufferContents2,
            (Coordinates(0, 0), ((BufferCell("日", -1, -1, 1), BufferCell("日", -1, -1, 2)),)),
            "\x1b[1;1H日",
        ),
        (M.WriteProgress, (0, PROGRESS), progress_line(PROGRESS, 79, styled=True)),
    ],
)
async def test_what_is_written_to_a_terminal(
    method: int, arguments: tuple[Any, ...], written: str
) -> None:
    host, window = host_with(terminal=True)
    await host.call(method, arguments)
    assert window.getvalue() == written


async def test_colours_that_were_set_are_those_of_plain_text() -> None:
    host, window = host_with(terminal=True)
    await host.call(M.SetForegroundColor, (12,))
    await host.call(M.Write1, ("a",))
    assert await host.call(M.GetForegroundColor, ()) == 12
    assert window.getvalue() == "\x1b[91ma\x1b[0m"


ANSWERED = {
    M.GetName, M.GetVersion, M.GetInstanceId, M.GetCurrentCulture, M.GetCurrentUICulture,
    M.GetForegroundColor, M.GetBackgroundColor, M.GetCursorPosition, M.GetWindowPosition,
    M.GetCursorSize, M.GetBufferSize, M.GetWindowSize, M.GetWindowTitle, M.GetMaxWindowSize,
    M.GetMaxPhysicalWindowSize, M.GetKeyAvailable, M.GetIsRunspacePushed,
}  # fmt: skip


@pytest.mark.parametrize("method", sorted(ANSWERED))
async def test_every_getter_answers_what_can_be_sent(method: int) -> None:
    host, _ = host_with()
    result = METHODS[method].result
    assert result is not None
    result.write(await host.call(method, ()))


async def test_an_unwanted_method_is_refused() -> None:
    with pytest.raises(HostRefusal, match="PushRunspace"):
        await ask(M.PushRunspace, (None,))


async def test_the_window_is_told_when_the_session_opens() -> None:
    host, _ = host_with()
    data = host.info.default_data
    assert data is not None
    assert data.window_size == data.buffer_size == host.screen.size


async def test_an_empty_error_line_shows_nothing() -> None:
    host, window = host_with()
    for text in ("wrong", "", None):
        await host.call(M.WriteErrorLine, (text,))
    assert window.getvalue() == "wrong\n"


# -- questions


async def test_fields_are_asked_by_label_and_answered_by_name() -> None:
    """As text: the peer converts them."""
    host, window = host_with("Ada", "five", "yes")
    fields = (
        field("name", label="&Your name"),
        field("count", "System.Int32"),
        field("sure", "System.Boolean, mscorlib"),
    )
    answers = await host.call(M.Prompt, ("Caption", "Message", fields))
    assert answers == {"name": "Ada", "count": "five", "sure": "yes"}
    lines = window.getvalue().splitlines()
    assert lines == ["", "Caption", "Message", "Your name: Ada", "count: five", "sure: yes"]


async def test_a_list_ends_with_an_empty_answer() -> None:
    answers = await ask(M.Prompt, ("", "", (field("n", "System.Int32[]"),)), "1", "2", "")
    assert answers == {"n": ["1", "2"]}


async def test_help_for_a_field_is_shown_and_it_is_asked_again() -> None:
    host, window = host_with("!?", "x")
    fields = (field("a", help_message="what a is"),)
    assert await host.call(M.Prompt, ("", "", fields)) == {"a": "x"}
    assert "(Type !? for Help.)" in window.getvalue()
    assert "what a is" in window.getvalue()


async def test_secrets_and_credentials_are_fields_too() -> None:
    fields = (
        field("s", "System.Security.SecureString"),
        field("c", "System.Management.Automation.PSCredential"),
    )
    answers = await ask(M.Prompt, ("", "", fields), "one", "bob", "two")
    assert answers == {
        "s": SecureString("one"),
        "c": Credential("bob", SecureString("two")),
    }


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [(("n",), 1), (("",), 0), (("YES",), 0), (("what", "?", "no"), 1)],
)
async def test_a_choice_is_taken_by_key_or_label(answers: tuple[str, ...], chosen: int) -> None:
    assert await ask(M.PromptForChoice, ("T", "M", CHOICES, 0), *answers) == chosen


async def test_without_a_default_an_empty_answer_is_none() -> None:
    host, window = host_with("", "y")
    assert await host.call(M.PromptForChoice, ("T", "M", CHOICES, -1)) == 0
    assert "default" not in window.getvalue()


async def test_help_lists_the_choices() -> None:
    host, window = host_with("?", "y")
    await host.call(M.PromptForChoice, ("T", "M", CHOICES, 0))
    assert "Y - do it\nN - leave it\n" in window.getvalue()


@pytest.mark.parametrize(
    ("answers", "defaults", "chosen"),
    [(("y", "n", ""), (), [0, 1]), (("",), (1,), [1]), (("?", "x", "n", ""), (0, 1), [1])],
)
async def test_several_choices_are_read_until_an_empty_line(
    answers: tuple[str, ...], defaults: tuple[int, ...], chosen: list[int]
) -> None:
    method = M.PromptForChoiceMultipleSelection
    assert await ask(method, ("T", "M", CHOICES, defaults), *answers) == chosen


def test_labels_show_their_key() -> None:
    assert (hot_key("&Yes"), plain_label("&Yes")) == ("Y", "Yes")
    assert (hot_key("E&xit"), plain_label("E&xit")) == ("X", "Exit")
    assert (hot_key("Plain"), plain_label("Plain")) == ("", "Plain")


async def test_the_end_of_the_input_is_an_error_of_the_command() -> None:
    with pytest.raises(HostRefusal, match="no more input"):
        await ask(M.ReadLine, (), EndOfInput())


async def test_ctrl_c_in_a_question_answers_with_an_error() -> None:
    host, _ = host_with(Interrupted())
    result, error = await answer_call(host, M.ReadLine, (), "lab")
    assert result is None
    assert error is not None
    assert error.message == "The pipeline has been stopped."
    assert error.fully_qualified_error_id == "PipelineStopped"


async def test_questions_of_two_pipelines_do_not_mix() -> None:
    host, _ = host_with("a", "b", "c", "d")
    fields = (field("x"), field("y"))
    found: list[Any] = []

    async def one() -> None:
        found.append(await host.call(M.Prompt, ("", "", fields)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert found == [{"x": "a", "y": "b"}, {"x": "c", "y": "d"}]


def raising(error: Exception) -> Callable[[str], int]:
    def write(_: str) -> int:
        raise error

    return write


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(5, "EIO"), ValueError("closed")])
def test_a_window_that_is_gone_is_told_once(error: Exception) -> None:
    host, window = host_with()
    gone: list[int] = []
    host.screen.on_gone = lambda: gone.append(1)
    window.write = raising(error)  # type: ignore[method-assign]
    host.screen.write_line("a")
    host.screen.write_line("b")
    assert gone == [1]
