"""`psrp invoke` as a process: output, streams, exit codes and signals."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from psremoting.cli.display import Display, Origin
from psremoting.cli.main import main
from psremoting.cli.piping import argument, typed
from psremoting.cli.running import target_labels
from psremoting.powershell.script_file import decode_script
from psremoting.targets import parse_target
from psrp.clixml import (
    DateTime,
    DateTimeKind,
    PSObject,
    SecureString,
    Single,
    dump_all,
    load_all,
)
from tests.recordings import ROOT

PROGRAM = ROOT / "tests" / "session" / "psrpcore_program.py"
SERVER = f"process:{shlex.quote(sys.executable)} {PROGRAM}"
DEAD = "process:/bin/sh -c 'echo Welcome to the lab; exit 1'"


def psrp(*words: str, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["invoke", *words], input=input)


def test_output_is_printed_unchanged() -> None:
    ran = psrp(SERVER, "count 3")
    assert (ran.stdout, ran.stderr, ran.exit_code) == ("0\n1\n2\n", "", 0)


def test_errors_go_to_standard_error_with_their_id_and_computer() -> None:
    ran = psrp(SERVER, "error it is bad")
    assert (ran.stdout, ran.exit_code) == ("", 1)
    first, *more = ran.stderr.splitlines()
    assert first == "it is bad"
    assert "+ FullyQualifiedErrorId : Bad,Test" in more
    assert "+ PSComputerName        : localhost" in more


def test_warnings_are_marked_and_stay_out_of_the_output() -> None:
    ran = psrp(SERVER, "warn mind the gap", "--json")
    assert (ran.stdout, ran.stderr) == ("", "WARNING: mind the gap\n")


@pytest.mark.parametrize("code", [0, 7])
def test_a_remote_exit_is_our_exit_code(code: int) -> None:
    assert psrp(SERVER, f"exit {code}").exit_code == code


def test_a_banner_instead_of_a_server_is_quoted() -> None:
    ran = psrp(DEAD, "count 3")
    assert ran.exit_code == 3
    assert "Error reported: Welcome to the lab." in ran.stderr
    assert "FullyQualifiedErrorId : 2102,PSSessionStateBroken" in ran.stderr


def test_a_banner_cannot_steer_the_terminal() -> None:
    server = f"printf '\\033]0;owned\\007hi\\n'; exec {SERVER.removeprefix('process:')}"
    ran = psrp(f"process:/bin/sh -c {shlex.quote(server)}", "count 1")
    assert (ran.stdout, ran.exit_code) == ("0\n", 0)
    assert ran.stderr == "hi\n"


def test_a_missing_program_gives_an_error_without_a_traceback() -> None:
    ran = psrp("process:no-such-program", "count 3")
    assert ran.exit_code == 3
    assert "The term 'no-such-program' is not recognized" in ran.stderr


def test_a_key_that_is_not_there_is_named_in_full(tmp_path: Path, monkeypatch: Any) -> None:
    """As at the terminal of PowerShell: "Cannot find path '/home/psremote/nokey' ..."."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for given in ("~/nokey", "nokey", "./nokey"):
        ran = psrp("server", "x", "--key-file-path", given)
        assert ran.exit_code == 2
        assert f"Cannot find path '{tmp_path}/nokey' because it does not exist." in ran.stderr
        assert "FullyQualifiedErrorId : PathNotFound" in ran.stderr


def test_a_socket_that_is_not_there_is_named() -> None:
    ran = psrp("unix:/no/such.sock", "x")
    assert ran.exit_code == 3
    assert "No such file or directory: '/no/such.sock'" in ran.stderr


def test_a_server_without_a_command_line_is_refused() -> None:
    ran = CliRunner().invoke(main, ["serve", "--stdio", "--process", " "])
    assert (ran.exit_code, ran.stderr) == (1, "Error: --process needs a command line\n")


def test_a_target_that_fails_disturbs_no_other() -> None:
    ran = psrp(SERVER, DEAD, SERVER, "count 2", "--json")
    assert ran.exit_code == 3
    values = [json.loads(line) for line in ran.stdout.splitlines()]
    assert sorted(value["output"] for value in values if "output" in value) == [0, 0, 1, 1]
    (failure,) = [value for value in values if "failure" in value]
    assert failure["target"] == "localhost#2"
    assert "Welcome to the lab" in failure["failure"]["message"]
    assert failure["failure"]["id"] == "2102,PSSessionStateBroken"
    assert ran.stderr.endswith("1 of 3 failed: localhost#2\n")


def test_several_targets_say_where_text_came_from() -> None:
    ran = psrp(SERVER, SERVER, "count 1")
    assert sorted(ran.stdout.splitlines()) == ["[localhost#1] 0", "[localhost#2] 0"]
    ran = psrp(SERVER, SERVER, "count 1", "--hide-computer-name")
    assert ran.stdout == "0\n" * 2


PEOPLE = '{"Name": "ann", "Age": 3}\n{"Name": "bob", "Tags": ["x", "y"]}\n'


def test_json_lines_go_in_and_come_out() -> None:
    ran = psrp(SERVER, "echo", "--input-format", "json", "--json", input=PEOPLE)
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [
        {"target": "localhost", "output": json.loads(line)} for line in PEOPLE.splitlines()
    ]


@pytest.mark.parametrize("form", ["auto", "json"])
def test_objects_are_shown_as_a_table(form: str) -> None:
    ran = psrp(SERVER, "echo", "--input-format", form, input=PEOPLE)
    assert ran.stdout == "\nName Age\n---- ---\nann    3\nbob     \n\n"


@pytest.mark.parametrize("form", ["auto", "clixml"])
def test_clixml_goes_in_and_comes_out(form: str) -> None:
    values: list[Any] = [1, "two", PSObject.custom(a=1)]
    ran = psrp(SERVER, "echo", "--input-format", form, "--clixml", input=dump_all(values))
    assert load_all(ran.stdout_bytes) == values


def test_half_a_character_is_shown_as_a_question_mark() -> None:
    ran = psrp(SERVER, "echo", "--input-format", "json", input='"a\\ud800b"\n"c"\n')
    assert (ran.stdout, ran.exit_code) == ("a?b\nc\n", 0)


def test_lines_of_standard_input_become_pipeline_input() -> None:
    ran = psrp(SERVER, "echo", "--input-format", "text", input="one\n\ntwo\n")
    assert ran.stdout == "one\n\ntwo\n"


def test_a_time_out_stops_the_command() -> None:
    ran = psrp(SERVER, "sleep", "--timeout", "0.2")
    assert ran.exit_code == 124
    assert "FullyQualifiedErrorId : OperationTimeout" in ran.stderr


def test_the_time_out_covers_the_opening() -> None:
    ran = psrp("process:sleep 100", "count 1", "--timeout", "0.5", "--close-timeout", "1")
    assert ran.exit_code == 124
    assert "The command did not end within 0.5 seconds." in ran.stderr


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfcount 2", "count 2"),
        ("count 2".encode("utf-16"), "count 2"),
        (b"\xfe\xff" + "count 2".encode("utf-16-be"), "count 2"),
        (b"echo \xff", "echo \ufffd"),
    ],
)
def test_a_script_file_is_read_by_its_byte_order_mark(data: bytes, text: str) -> None:
    assert decode_script(data) == text


def test_one_value_that_cannot_be_written_is_an_error_of_its_own(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    display = Display("clixml")
    origin = Origin(label="lab", computer="lab")
    kept = [display.output(origin, value) for value in (1, SecureString("hidden"), "two")]
    display.finish()
    written, errors = capfdbinary.readouterr()
    assert kept == [True, False, True]
    assert load_all(written) == [1, "two"]
    assert b"ConvertToClixml" in errors
    assert b"hidden" not in written + errors


def test_json_masks_a_secret_and_keeps_all_digits(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display("json")
    origin = Origin(label="lab", computer="lab")
    note = PSObject(("System.String", "System.Object"), extended={"n": 1}, value="x")
    big = PSObject(("System.Numerics.BigInteger",), {"Sign": 1}, to_string="1" + "0" * 30)
    pattern = PSObject(("System.Text.RegularExpressions.Regex",), {"Options": 0}, to_string="a.b")
    noted = PSObject(big.type_names, big.adapted, {"n": 2}, to_string="7")
    for value in (
        PSObject.custom(p=SecureString("hidden")), Single(0.1), Decimal("1.10"), note, big, pattern,
        noted,
        DateTime(638397614450000001, DateTimeKind.UTC), float("nan"), 1e22,
    ):  # fmt: skip
        assert display.output(origin, value)
    lines = capsys.readouterr().out.splitlines()
    prefix = '{"target": "lab", "output": '
    assert [line.removeprefix(prefix)[:-1] for line in lines] == [
        '{"p": "********"}', "0.1", "1.10", '{"value": "x", "n": 1}', "1" + "0" * 30, '"a.b"',
        '{"value": 7, "n": 2}',
        '"2024-01-02T03:04:05.0000001Z"', '"NaN"', "1e+22",
    ]  # fmt: skip


def test_labels_tell_targets_of_one_computer_apart() -> None:
    targets = [
        parse_target(text)
        for text in ("a", "host:22", "me@host:2222", "local", "unix:/a", "unix:/b", "local")
    ]
    labels = target_labels(targets)
    listed = [labels[id(target)].pop(0) for target in targets]
    assert listed[:3] == ["a", "host:22", "host:2222"]
    assert len(set(listed)) == len(listed)


def test_a_script_file_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "script.ps1"
    file.write_text("count 2", encoding="utf-8-sig")
    assert psrp(SERVER, "--file-path", str(file)).stdout == "0\n1\n"


BAD = [
    ("only-a-target",),
    ("pid:x", "1"),
    ("a b", "1"),
    ("-oProxyCommand=x", "1"),
    (SERVER, "count 1", "--timeout", "-1"),
    (SERVER, "count 1", "--options", "nothing"),
    (SERVER, "count 1", "-a", "x:=nonsense"),
    (SERVER, "count 1", "--close-timeout", "-1"),
    ("server", "1", "--configuration-name", "x"),
]


@pytest.mark.parametrize("words", BAD, ids=lambda words: " ".join(words)[-30:])
def test_a_wrong_command_line_is_an_error(words: tuple[str, ...]) -> None:
    ran = psrp(*words)
    assert ran.exit_code == 2
    assert ran.stderr


@pytest.mark.parametrize("form", ["json", "clixml"])
@pytest.mark.parametrize("servers", [1, 2])
def test_unreadable_input_is_an_error(form: str, servers: int) -> None:
    ran = psrp(*[SERVER] * servers, "echo", "--input-format", form, input='{"a": 1}\n{"a"\n')
    assert ran.exit_code == 2
    assert "standard input" in ran.stderr


def test_a_reader_that_has_enough_ends_it_without_a_traceback() -> None:
    running = started(SERVER, "count 20000")
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline() == "0\n"
    running.stdout.close()
    assert running.stderr.read() == ""
    running.stderr.close()
    assert running.wait(timeout=60) == 1


def test_local_is_our_own_endpoint() -> None:
    ran = psrp("local", "--command", "Get-Command", "-a", "Name=Out-Default", "--json")
    assert [json.loads(line)["output"]["Name"] for line in ran.stdout.splitlines()] == [
        "Out-Default"
    ]
    ran = psrp("local", "1 + 1")
    assert ran.exit_code == 1
    assert "no-language mode" in ran.stderr


def test_arguments_are_texts_or_json() -> None:
    assert typed("Path=/tmp", "-a") == ("Path", "/tmp")
    assert typed("Count:=3", "-a") == ("Count", 3)
    assert typed("Recurse", "-a") == ("Recurse", True)
    assert typed("Text=a=b", "-a") == ("Text", "a=b")
    assert argument("5") == "5"
    assert argument(":=5") == 5
    assert argument(':={"a": 1}') == PSObject.custom(a=1)


def started(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from psremoting.cli.main import main; main()", "invoke"]
    return subprocess.Popen(
        [*command, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.parametrize(("word", "times"), [("sleep", 1), ("deaf", 2)])
def test_ctrl_c_stops_the_command_and_leaves_no_process(
    word: str, times: int, tmp_path: Path
) -> None:
    """The first Ctrl+C stops the command at the server; the second abandons it."""
    mark = tmp_path / "pid"
    script = f"echo $$ > {mark}; exec {shlex.quote(sys.executable)} {PROGRAM}"
    running = started(f"process:/bin/sh -c {shlex.quote(script)}", word)
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline() in ("asleep\n", "deaf\n")
    for _ in range(times):
        running.send_signal(signal.SIGINT)
        line = running.stderr.readline()
        assert line in ("\n", "")
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_ctrl_c_while_connecting_gives_up(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    running = started(f"process:/bin/sh -c 'echo $$ > {mark}; echo here >&2; exec sleep 99'", "x")
    assert running.stderr is not None
    assert running.stderr.readline() == "here\n"
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, "\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_the_error_of_a_refused_script_names_the_reason() -> None:
    ran = psrp("local", "Get-Number $x")
    assert ran.exit_code == 1
    assert "+ FullyQualifiedErrorId : ScriptsNotAllowed" in ran.stderr
    assert ran.stderr.splitlines()[-1] == (
        "Cannot send the text as commands: a variable that the endpoint would have to know: $x. "
        "Use --command to run one command by its name."
    )
    assert psrp("local", "Get-Number $x", "--json").stderr.count("\n") == 1


def test_a_script_can_be_forced() -> None:
    assert psrp("local", "Get-Number 2 | Measure-Object", "--json").exit_code == 0
    assert psrp("local", "--script", "Get-Number 2").stdout == "1\n2\n"
    ran = psrp("local", "--script", "--command", "Get-Number")
    assert (ran.exit_code, "mutually exclusive" in ran.stderr) == (2, True)
