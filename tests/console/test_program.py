"""The program `psrp`: a prompt that reads a pipe, -c, and PowerShell's command names."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from psremoting.cli.local_prompt import given_of
from psremoting.cli.main import main
from psremoting.console.tables import COMMANDS, ENTER, INVOKE, NEW, REMOVE
from psremoting.powershell.binder import Given, bind
from psrp.clixml import ScriptBlock

_SSH = """#!{python}
import os, sys
with open({log!r}, "a") as log:
    print(*sys.argv[1:], file=log)
if any("dead" in word for word in sys.argv):
    sys.exit("ssh: Could not resolve hostname dead: Name or service not known")
start = "from psremoting.cli.main import main; main(prog_name='psrp')"
os.execv({python!r}, [{python!r}, "-c", start, "serve", "--stdio"])
"""


class Program:
    """psrp with a stand-in for ssh that runs the embedded endpoint for every host."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log"
        ssh = folder / "ssh"
        ssh.write_text(_SSH.format(python=sys.executable, log=str(self._log)), encoding="utf-8")
        ssh.chmod(ssh.stat().st_mode | stat.S_IXUSR)
        self._environment = {
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder),
            "COLUMNS": "120",
        }

    def __call__(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        start = "from psremoting.cli.main import main; main(prog_name='psrp')"
        return subprocess.run(
            [sys.executable, "-c", start, *words],
            input=typed,
            capture_output=True,
            text=True,
            env=self._environment,
            check=False,
        )

    def ssh_lines(self) -> list[str]:
        return self._log.read_text(encoding="utf-8").splitlines()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_the_examples_of_the_page_run_as_they_are_written(program: Program) -> None:
    """Enter by name, by session and by options; the session of a variable stays open."""
    (Path(program._environment["HOME"]) / "userAKey_rsa").touch()
    done = program(typed="""\
$s = New-PSSession -HostName UserA@LinuxServer01
Enter-PSSession -Session $s
ConvertTo-Upper first
exit
$s.State
Enter-PSSession -HostName UserA@LinuxServer02:22 -KeyFilePath ~/userAKey_rsa
ConvertTo-Upper second
Exit-PSSession
$options = @{
    Port=22
    User = 'UserA'
    Host = 'LinuxServer02'
}
Enter-PSSession -KeyFilePath ~/userAKey_rsa -Options $options
exit
Get-PSSession | Format-Table Id, ComputerName, State
Get-PSSession | Remove-PSSession
$s.State
Get-PSSession
""")  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert "[UserA@LinuxServer01]: PS> ConvertTo-Upper first" in lines
    assert "FIRST" in lines
    assert "[UserA@LinuxServer02]: PS> ConvertTo-Upper second" in lines
    assert "SECOND" in lines
    assert lines.count("Opened") == 1
    assert " 1 LinuxServer01 Opened" in lines
    assert lines[-4:] == ["psrp> $s.State", "Closed", "psrp> Get-PSSession", "psrp> "]
    key = Path(program._environment["HOME"]) / "userAKey_rsa"
    assert program.ssh_lines() == [
        "-l UserA -s LinuxServer01 powershell",
        f"-i {key} -l UserA -p 22 -s LinuxServer02 powershell",
        f"-i {key} -o Port=22 -o User=UserA -s LinuxServer02 powershell",
    ]


def test_a_text_runs_without_a_prompt(program: Program) -> None:
    done = program("-c", "'one'; exit 7")
    assert (done.stdout, done.returncode) == ("one\n", 7)
    wrong = program("-c", "Get-PSSession -Id 5")
    assert wrong.stdout == ""
    assert wrong.returncode == 1
    assert "RemoteRunspaceNotAvailableForSpecifiedSessionId," in wrong.stderr
    cut = program("-c", "New-PSSession {")
    assert "MissingEndCurlyBrace" in cut.stderr
    assert cut.returncode == 1


def test_a_script_runs_in_sessions_and_objects_say_where_they_came_from(program: Program) -> None:
    done = program(
        "-c",
        "$all = New-PSSession -HostName a, b\n"
        "$word = 'x'\n"
        "(Invoke-Command $all { ConvertTo-Upper abc }).PSComputerName\n"
        "Invoke-Command -HostName c { ConvertTo-Upper def }\n"
        "Invoke-Command -HostName dead { ConvertTo-Upper def }\n",
    )
    assert sorted(done.stdout.splitlines()) == ["DEF", "a", "b"]
    assert "ssh: Could not resolve hostname dead" in done.stderr
    assert "Invoke-Command : [dead] The SSH client session has ended" in done.stderr
    assert "+ FullyQualifiedErrorId : PSSessionStateBroken" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize(
    "words",
    [
        ["Enter-PSSession", "-HostName", "UserA@server"],
        ["enter-pssession", "--host-name", "UserA@server"],
        ["ETSN", "-HostName:UserA@server"],
        ["Enter-PSSession", "--host-name=server", "--user-name=UserA"],
    ],
)
def test_powershells_names_work_on_the_command_line(program: Program, words: list[str]) -> None:
    done = program(*words, typed="ConvertTo-Upper abc\nexit\n")
    assert done.returncode == 0, done.stderr
    assert "ABC" in done.stdout.splitlines()
    assert program.ssh_lines() == ["-l UserA -s server powershell"]


def test_a_wrong_call_is_an_error_on_standard_error(program: Program) -> None:
    done = program("Enter-PSSession", "-HostName", "a", "-ComputerName", "b")
    assert done.stdout == ""
    assert done.returncode == 1
    assert done.stderr.endswith(
        "+ FullyQualifiedErrorId : AmbiguousParameterSet,"
        "Microsoft.PowerShell.Commands.EnterPSSessionCommand\n"
    )
    missing = program("Enter-PSSession", "-UserName", "a")
    assert "MissingMandatoryParameter," in missing.stderr


@pytest.mark.parametrize(
    "words", [["-HostName", "@{a="], ["-Options", "@{ a = $x }"], ["-Id", "{"]]
)
def test_a_value_that_cannot_be_read_is_an_error(program: Program, words: list[str]) -> None:
    done = program("Enter-PSSession", *words)
    assert done.returncode == 2
    assert f"Error: Invalid value: {words[1]!r}: " in done.stderr


@pytest.mark.parametrize("name", ["New-PSSession", "gsn", "remove-pssession", "Exit-PSSession"])
def test_a_command_without_effect_names_what_to_use(program: Program, name: str) -> None:
    done = program(name, "-Name", "x")
    assert done.returncode == 2
    assert "has no effect here" in done.stderr
    assert "psrp enter TARGET" in done.stderr
    assert "SYNTAX" in program(name, "--help").stdout


def test_no_question_is_asked_without_a_terminal(program: Program) -> None:
    done = program(typed="New-PSSession -UserName u\n'next'\n")
    assert "one or more missing mandatory parameters: HostName." in done.stdout
    assert "next" in done.stdout.splitlines()


def test_help_is_there_in_every_way(program: Program) -> None:
    for words in (["Get-Help", "Enter-PSSession"], ["Enter-PSSession", "--help"]):
        done = program(*words)
        assert done.returncode == 0
        assert "Enter-PSSession [-HostName] <String>" in done.stdout
    assert "local prompt" in program("--help").stdout
    assert "mutually exclusive" in program("-c", "x", "decode").stderr


def test_the_words_of_a_command_line_are_arguments() -> None:
    words = ["--host-name", "a,b", "-Options", "@{ Port = 22; User = UserA }", "-Name:x,y"]
    bound = bind(NEW, given_of(NEW, words))
    assert bound.values == {
        "HostName": ["a", "b"],
        "Options": {"Port": 22, "User": "UserA"},
        "Name": ["x", "y"],
    }
    assert given_of(REMOVE, ["1,2"]) == [Given(None, [1, 2])]
    assert given_of(ENTER, ["-UseSSL:$false", "a,b"])[1] == Given(None, "a,b")
    assert bind(ENTER, given_of(ENTER, ["a", "-UseSSL:$false"]))["UseSSL"] is False
    block = bind(INVOKE, given_of(INVOKE, ["-HostName", "a", "{ 1 }"]))["ScriptBlock"]
    assert block == ScriptBlock(" 1 ")


def test_main_knows_the_names_of_the_prompts_own_commands() -> None:
    found = {name: main.get_command(None, name) for name in ("gsn", "New-PSSession")}  # type: ignore[arg-type]
    assert [type(each).__name__ for each in found.values()] == ["Cmdlet", "Cmdlet"]
    for table in COMMANDS:
        if table.name.endswith("-PSSession"):
            assert main.get_command(None, table.name) is not None  # type: ignore[arg-type]
