"""The hosts of `psrp invoke`: text is shown once, prompts have PowerShell's layout."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import pexpect
import pytest

from psremoting.cli.display import Display
from psremoting.cli.prompting import asking_host, showing_host
from psremoting.client.hosts import HostRefusal
from psremoting.shell.entering import Console
from psremoting.shell.plain_reader import PlainReader
from psremoting.shell.screen import Screen
from psrp.host import ChoiceDescription, FieldDescription, HostMethodId, KeyInfo

M = HostMethodId
YES_NO = (ChoiceDescription("&Yes", "agree"), ChoiceDescription("&No", "refuse"))


def asking(*lines: str) -> tuple[Screen, io.StringIO, PlainReader]:
    out = io.StringIO()
    screen = Screen(out, terminal=False, colours=False)
    return screen, out, PlainReader(io.StringIO("".join(f"{line}\n" for line in lines)), screen)


async def answer(
    lines: Sequence[str], method: HostMethodId, *arguments: object
) -> tuple[object, str]:
    screen, out, reader = asking(*lines)
    host = asking_host(Console(screen, reader))
    return await host.call(method, arguments), out.getvalue()


async def test_what_comes_twice_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Statement J107."""
    host = showing_host(Display())
    for method in (M.WriteWarningLine, M.WriteVerboseLine, M.WriteDebugLine):
        await host.call(method, ("shown as a record",))
    await host.call(M.WriteLine2, ("line",))
    await host.call(M.WriteLine1, ())
    await host.call(M.Write2, (1, 2, "part"))
    await host.call(M.WriteLine2, (None,))
    await host.call(M.WriteErrorLine, ("wrong",))
    assert capsys.readouterr() == ("line\n\npart\n", "wrong\n")


async def test_text_of_the_host_stays_out_of_data(capsys: pytest.CaptureFixture[str]) -> None:
    await showing_host(Display("json")).call(M.WriteLine2, ("line",))
    assert capsys.readouterr() == ("", "line\n")


async def test_the_size_of_the_window_is_known_without_questions() -> None:
    host = showing_host(Display())
    assert host.info.default_data is not None
    assert (await host.call(M.GetWindowSize, ())).width > 0


async def test_without_a_person_questions_are_refused() -> None:
    with pytest.raises(HostRefusal, match="NonInteractive"):
        await showing_host(Display()).call(M.ReadLine, ())


async def test_fields_are_asked_one_by_one() -> None:
    fields = (
        FieldDescription(name="Name", label="&Name"),
        FieldDescription(name="Pin", parameter_assembly_full_name="System.Security.SecureString"),
        FieldDescription(name="List", parameter_assembly_full_name="System.String[]"),
        FieldDescription(name="Count", parameter_assembly_full_name="System.Int32"),
    )
    lines = ["me", "1234", "a", "b", "", "5"]
    answers, shown = await answer(lines, M.Prompt, "Caption", "Message", fields)
    assert isinstance(answers, dict)
    assert answers["Pin"].reveal() == "1234"
    assert (answers["Name"], answers["List"], answers["Count"]) == ("me", ["a", "b"], "5")
    assert shown.splitlines() == [
        "", "Caption", "Message", "Name: me", "Pin: ****", "List[0]: a", "List[1]: b", "List[2]: ",
        "Count: 5",
    ]  # fmt: skip


async def test_a_choice_shows_its_help_and_its_default() -> None:
    chosen, shown = await answer(["?", ""], M.PromptForChoice, "c", "m", YES_NO, 1)
    assert chosen == 1
    assert shown.splitlines() == [
        "", "c", "m",
        '[Y] Yes  [N] No  [?] Help (default is "N"): ?',
        "Y - agree", "N - refuse",
        '[Y] Yes  [N] No  [?] Help (default is "N"): ',
    ]  # fmt: skip


async def test_a_key_is_read() -> None:
    key, _ = await answer(["x"], M.ReadKey, 0)
    assert isinstance(key, KeyInfo)
    assert key.character == "x"


async def test_texts_of_a_question_cannot_move_the_cursor() -> None:
    """The line that names the computer is not moved or erased."""
    out = io.StringIO()
    screen = Screen(out, terminal=True, colours=True)
    reader = PlainReader(io.StringIO("secret\n"), screen)
    host = asking_host(Console(screen, reader))
    moves = "\x1b[1A\x1b[2K\rfrom here\x1b]0;t\x07"
    fields = (
        FieldDescription(
            name="x", label=moves, parameter_assembly_full_name="System.Security.SecureString"
        ),
    )
    await host.call(M.Prompt, (moves, moves, fields))
    shown = out.getvalue()
    assert "\x1b[1A" not in shown
    assert "\x1b[2K" not in shown
    assert "\r" not in shown
    assert "\x1b]" not in shown


async def test_nothing_moves_while_a_secret_is_typed() -> None:
    out = io.StringIO()
    screen = Screen(out, terminal=True, colours=True)
    screen.still = True
    screen.write("\x1b[Aup\x1b[2J")
    screen.move_to(0, 0)
    screen.clear()
    screen.set_title("t")
    assert out.getvalue() == "up"


def test_a_question_on_a_terminal_ends_with_the_time_limit() -> None:
    """The thread that reads keys once ended the interpreter with a fatal error."""
    program = "from psremoting.cli.main import main; main(prog_name='psrp')"
    words = ["invoke", "local", "Show-Greeting", "--interactive", "--timeout", "10"]
    terminal = pexpect.spawn(sys.executable, ["-c", program, *words], encoding="utf-8", timeout=60)
    try:
        terminal.expect("Your name")
        terminal.expect(pexpect.EOF)
        shown = terminal.before or ""
    finally:
        terminal.close()
    assert "did not end within 10 seconds" in shown
    assert "Fatal Python error" not in shown
    assert terminal.exitstatus == 124
