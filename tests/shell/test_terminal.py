"""The real program at a terminal, with an endpoint in a separate process."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from tests.shell.terminal import CTRL_C, CTRL_D, PROMPT, Terminal, entered


def run(terminal: Terminal, line: str) -> None:
    terminal.see_prompt()
    terminal.enter(line)


def test_a_command_runs_and_its_table_is_shown(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Get-Table")
        terminal.see(r"one +3\n")
        terminal.see_prompt()
        assert f"{PROMPT} Get-Table" in terminal.lines
        terminal.enter("exit")
        assert terminal.end() == 0


@pytest.mark.parametrize("words", ["exit", " EXIT ", "Exit-PSSession"])
def test_exit_and_its_variants_leave_the_session(tmp_path: Path, words: str) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, words)
        assert terminal.end() == 0


def test_ctrl_d_at_an_empty_prompt_leaves_the_session(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.type(CTRL_D)
        assert terminal.end() == 0


def test_an_error_is_shown_and_the_session_goes_on(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Get-NoSuchThing")
        terminal.see(r"Error: The term 'Get-NoSuchThing' is not recognized")
        run(terminal, "Write-Wide")
        terminal.see("日 ?本 ?語")


def test_a_question_is_answered(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Read-Name")
        terminal.see("Your name:")
        terminal.enter("Ada")
        terminal.see("Your name: Ada\nhello Ada\n")
        terminal.see_prompt()


def test_a_secret_is_not_shown_and_asking_for_it_is_announced(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Read-Secret")
        terminal.see("Secret:")
        terminal.enter("hunter2")
        terminal.see("Secret: [*]{7}\n7 characters\n")
        assert "WARNING: The remote computer LOCALHOST asks for a secret" in terminal.text
        assert "hunter2" not in terminal.written
    assert "hunter2" not in (tmp_path / "psremoting" / "history").read_text()


def test_a_credential_is_asked_for_with_a_warning(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Read-Credential")
        terminal.see("Password for user bob:")
        terminal.enter("abc")
        terminal.see("Password for user bob: [*]{3}\n\nbob 3\n")
        assert "asks for your credentials" in terminal.text


def test_a_choice_is_offered_until_it_is_one(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Read-Choice")
        terminal.see(r'Title\nPick one\n\[Y\] Yes  \[N\] No  \[\?\] Help \(default is "Y"\):')
        terminal.enter("maybe")
        terminal.see(r"maybe\n\[Y\] Yes  .*:")
        terminal.enter("n")
        terminal.see("chosen 1")


def test_one_key_is_read_without_enter(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Read-Key")
        # The key may be typed before it is requested; it stays in the terminal's input buffer.
        terminal.see("Read-Key\n?")
        terminal.type("q")
        terminal.see("key q 81")
        terminal.see_prompt()


def test_ctrl_c_stops_what_runs_and_keeps_the_session(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Wait-Forever")
        terminal.see("\nwaiting")
        terminal.type(CTRL_C)
        terminal.see("pipeline has been stopped")
        run(terminal, "Read-Name")
        terminal.see("Your name:")


def test_ctrl_c_in_a_question_is_an_error_of_the_question(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Read-Name")
        terminal.see("Your name:")
        terminal.type("Ad" + CTRL_C)
        terminal.see("pipeline has been stopped")
        terminal.see_prompt()
        assert "hello" not in terminal.text


def test_ctrl_c_at_the_prompt_drops_the_line(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.type("Get-Ta")
        terminal.see("Get-Ta")
        terminal.type(CTRL_C)
        terminal.see_prompt()
        terminal.enter("Write-Wide")
        terminal.see("日 ?本 ?語")


def test_an_incomplete_line_goes_on_until_it_is_complete(tmp_path: Path) -> None:
    """Statement I96."""
    with entered(tmp_path) as terminal:
        run(terminal, "Get-Table |")
        terminal.see_prompt(">>")
        terminal.enter("Select-Object Length")
        terminal.see(r"Length\n-+\n +3\n +3")
        terminal.see_prompt()


def test_progress_comes_and_goes(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Show-Progress")
        terminal.see("Go on:")
        assert re.search(r"Working \[(\x1b\[7m)?first half +", terminal.written)
        terminal.enter("x")
        terminal.see("worked")
        terminal.see_prompt()
        assert "first half" not in terminal.text


def test_colours_come_through_and_what_would_reach_the_clipboard_does_not(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Show-Colour")
        terminal.see("green")
        terminal.see_prompt()
        red, green = (terminal.lines.index(word) for word in ("red", "green"))
        assert terminal.screen.buffer[red][0].fg == "brightred"
        assert terminal.screen.buffer[green][0].fg == "green"
        assert "]52" not in terminal.written


def test_without_colours_there_are_none(tmp_path: Path) -> None:
    with entered(tmp_path, NO_COLOR="1") as terminal:
        run(terminal, "Show-Colour")
        terminal.see("green")
        terminal.see_prompt()
        colours = {cell.fg for row in terminal.screen.buffer.values() for cell in row.values()}
        assert colours == {"default"}


def test_lines_are_kept_for_the_next_time_where_only_their_owner_reads(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Write-Wide")
        run(terminal, "exit")
        assert terminal.end() == 0
    kept = tmp_path / "psremoting" / "history"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.type("\x1b[A\x1b[A")
        terminal.see_prompt(f"{PROMPT} Write-Wide")


def test_tab_completes_with_what_the_other_side_knows(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.type("get-ta\t")
        terminal.see_prompt(f"{PROMPT} Get-Table")


def test_pasted_lines_are_run_together(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.type("\x1b[200~Get-Table\nWrite-Wide\x1b[201~")
        terminal.see("Write-Wide")
        terminal.type("\r")
        terminal.see(r"two +3\n")
        terminal.see("日 ?本 ?語")
        terminal.see_prompt()


def test_lines_pasted_into_a_terminal_without_brackets_run_one_by_one(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.type("Get-Table\rRead-Name\r")
        terminal.see("Your name:")
        terminal.enter("Ada")
        terminal.see("hello Ada")


def test_a_narrow_window_gets_narrow_tables(tmp_path: Path) -> None:
    with entered(tmp_path, columns=40) as terminal:
        run(terminal, "Get-Command -Name Out-Default")
        terminal.see("Get-Command -Name Out-D\nefault")
        terminal.see_prompt()
        table = terminal.text.split("CommandType")[1].splitlines()
        assert all(len(line) <= 40 for line in table)
        terminal.enter("Read-Name")
        terminal.see("Your name:")
        terminal.enter("x" * 60)
        terminal.see("hello x{34}\n")


def test_a_window_that_changes_its_size_goes_on(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.resize(50, 10)
        terminal.enter("Write-Wide")
        terminal.see("日 ?本 ?語")
        terminal.see_prompt()


def test_what_comes_while_a_line_is_typed_stands_above_it(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Start-Notice")
        terminal.see("\nstarted")
        terminal.see_prompt()
        terminal.type("Write-")
        terminal.see("from beside\n")
        terminal.see_prompt(f"{PROMPT} Write-")
        terminal.enter("Wide")
        terminal.see("日 ?本 ?語")
        assert terminal.text.count("from beside") == 1


def test_the_screen_is_cleared_and_the_title_set(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Get-Table")
        terminal.see(r"two +3\n")
        run(terminal, "Clear-Screen")
        while terminal.text != PROMPT:
            terminal.see("PS>")
            terminal.wait()
        assert terminal.screen.title == "from remote"


def test_wide_characters_are_typed_and_taken_back(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        terminal.see_prompt()
        terminal.type("Write-Back 'ünï日本語x\x7f\x7f語'\r")
        terminal.see("<ünï日 ?本 ?語 ?>")


@pytest.mark.parametrize(
    ("line", "question"),
    [("Read-Secret", "Secret:"), ("Read-Choice", "Help"), ("Read-Credential", "bob:")],
)
def test_ctrl_c_in_any_question_stops_its_command(tmp_path: Path, line: str, question: str) -> None:
    with entered(tmp_path, columns=160) as terminal:
        run(terminal, line)
        terminal.see(question)
        terminal.type(CTRL_C)
        terminal.see("pipeline has been stopped")
        run(terminal, "Get-Table")
        terminal.see(r"two +3\n")


def test_ctrl_c_where_a_key_is_read_stops_the_command(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Read-Key")
        terminal.see("Read-Key\n?")
        terminal.type(CTRL_C)
        terminal.see("pipeline has been stopped")
        terminal.see_prompt()


def test_ctrl_d_in_a_question_is_an_error_of_the_command(tmp_path: Path) -> None:
    with entered(tmp_path) as terminal:
        run(terminal, "Read-Name")
        terminal.see("Your name:")
        terminal.type(CTRL_D)
        terminal.see("no more input")
        terminal.see_prompt()
