"""`psrp decode` at the command line: output, filters, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from psremoting.cli.main import main
from tests.capture.makers import OTHER, fragments, output, packet, transcript
from tests.recordings import FIXTURES

HELLO = str(FIXTURES / "outofproc" / "sessions" / "hello.jsonl")
STREAMS = str(FIXTURES / "outofproc" / "sessions" / "streams.jsonl")


def run(*words: str, **more: Any) -> Result:
    return CliRunner().invoke(main, ["decode", *words], **more)


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_session_reads_as_a_timeline_that_ends_with_its_summary() -> None:
    result = run(HELLO)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == [
        "1", "0.000", "→", "pool", "SESSION_CAPABILITY",
        "protocol", "2.4,", "PowerShell", "2.0,", "serialization", "1.1.0.1",
    ]  # fmt: skip
    assert any("PIPELINE_OUTPUT" in line and line.endswith(" hello") for line in lines)
    assert "0 errors, 0 bytes not accounted for" in lines[-1]
    assert "see --all" in lines[-1]
    assert not any("DataAck" in line for line in lines)
    assert sum("DataAck" in line for line in run("--all", HELLO).stdout.splitlines()) == 4


def test_json_lines_are_the_contract() -> None:
    found = rows(run("--json", HELLO))
    first = found[0]
    assert first["carrier"].pop("time") >= 0
    assert first == {
        "n": 1,
        "direction": "client",
        "target": None,
        "stream": "default",
        "type": "SESSION_CAPABILITY",
        "rpid": first["rpid"],
        "pid": None,
        "object_id": 4,
        "fragments": 1,
        "size": 202,
        "carrier": {"packet": 1, "line": 1, "offset": 0},
        "data": {
            "protocol_version": "2.4",
            "ps_version": "2.0",
            "serialization_version": "1.1.0.1",
            "time_zone": None,
        },
    }
    assert found[-1]["type"] == "summary"
    assert found[-1]["data"]["messages"] == 15
    texts = [row["data"] for row in found if row["type"] == "PIPELINE_OUTPUT"]
    assert texts == ["hello", 2]
    ends = [row for row in found if row["type"] == "END_OF_PIPELINE_INPUT"]
    assert all(row["data"] is None for row in ends)


def test_records_and_host_calls_become_named_data() -> None:
    found = rows(run("--json", STREAMS))
    error = next(row["data"]["record"] for row in found if row["type"] == "ERROR_RECORD")
    assert error["fully_qualified_error_id"] == "My.Id"
    assert error["category"] == "InvalidData"
    assert error["exception"]["adapted"]["Message"] == "an error"
    call = next(row["data"] for row in found if row["type"] == "PIPELINE_HOST_CALL")
    assert (call["method"], call["method_id"]) == ("WriteWarningLine", 22)
    assert call["arguments"] == ["warn"]
    create = next(row["data"] for row in found if row["type"] == "CREATE_PIPELINE")
    command = create["powershell"]["statements"][0][0]
    assert command["text"] == "__Set-PSDebugMode"


def test_filters_choose_lines_and_the_summary_counts_all() -> None:
    only = rows(run("--json", "--type", "pipeline_*", "--type", "warning_record", STREAMS))
    assert {row["type"] for row in only[:-1]} == {
        "PIPELINE_OUTPUT", "PIPELINE_STATE", "PIPELINE_HOST_CALL", "WARNING_RECORD",
    }  # fmt: skip
    assert only[-1]["data"]["messages"] == 41
    pool = rows(run("--json", "--pipeline", "pool", STREAMS))
    assert all(row["target"] is None and row["pid"] is None for row in pool)
    target = next(row["target"] for row in only if row["target"])
    one = rows(run("--json", "--pipeline", target[:8].upper(), STREAMS))
    assert {row["target"] for row in one[:-1]} == {target}
    assert len(rows(run("--json", "--stream", "prompt_response", STREAMS))) == 1


def test_bodies_are_shown_on_demand_and_hold_no_xml() -> None:
    result = run("-v", "--type", "CREATE_PIPELINE", HELLO)
    assert "          powershell:" in result.stdout
    assert "<Obj" not in result.stdout


def test_forms_of_the_host_are_named_data_and_words() -> None:
    path = str(FIXTURES / "wsman" / "test_psrp_pshost_raw_ui_mocked_methods.yml")
    calls = [row["data"] for row in rows(run("--json", "--type", "*_HOST_CALL", path))[:-1]]
    position = next(call for call in calls if call["method"] == "SetCursorPosition")
    assert position["arguments"] == [{"x": 11, "y": 12}]
    assert "SetCursorPosition(Coordinates(11, 12))" in run(path).stdout
    result = run("-v", "--type", "INIT_RUNSPACEPOOL", HELLO)
    assert "          min_runspaces: 1" in result.stdout.splitlines()


def test_broken_bytes_are_error_lines_and_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    good = packet(fragments(1, output("after"))[0])
    path.write_text(transcript([("client", b"hello\n"), ("server", good)]))
    result = run(str(path))
    assert result.exit_code == 1
    assert 'node type "Text"' in result.stdout
    assert "after" in result.stdout


def test_a_torn_file_is_one_line_on_stderr_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "torn.jsonl"
    text = transcript([("server", packet(fragments(1, output("before"))[0]))] * 2)
    path.write_text(text[:-20])
    result = run(str(path), HELLO)
    assert result.exit_code == 2
    assert result.stderr == (
        f"psrp decode: {path}: byte {text.index(chr(10)) + 1}: the recording ends inside a line\n"
    )
    assert "before" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("2 files: 16 messages")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["/no/such/file"], "No such file"),
        ([str(FIXTURES / "wsman" / "test_rsa_private_key.pem")], "PEM file"),
        (["--rsa-key", HELLO, HELLO], "not an unencrypted RSA private key"),
        (["--format", "hex", HELLO], "not hex"),
    ],
)
def test_what_cannot_be_read_is_one_line_on_stderr(words: list[str], complaint: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_standard_input_is_a_dash() -> None:
    result = run("--json", "-", input=Path(HELLO).read_bytes())
    assert rows(result)[-1]["data"]["file"] == "standard input"


def test_several_files_have_a_summary_each_and_one_for_all() -> None:
    found = [row for row in rows(run("--json", HELLO, STREAMS)) if row["type"] == "summary"]
    assert [row["data"]["messages"] for row in found] == [15, 41, 56]
    assert found[2]["data"]["files"] == 2
    assert found[2]["data"]["unaccounted"] == 0


def test_colour_is_for_terminals_or_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in run(HELLO).stdout
    assert "\x1b[" in run("--color", "always", HELLO).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run(HELLO, color=True).stdout


def test_what_a_peer_sends_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil.jsonl"
    message = output("\x1b]0;owned\x07\u202e\r\n" + "x" * 500, OTHER)
    path.write_text(transcript([("server", packet(fragments(1, message)[0], OTHER))]))
    for words in ([str(path)], ["-v", str(path)]):
        text = run(*words).stdout
        assert not set(text) & set("\x1b\x07\u202e\r")
    assert "(513 characters)" in run(str(path)).stdout


def test_help_is_a_manual() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for word in ("Examples:", "Exit codes:", "--rsa-key", "--show-secrets", "--json"):
        assert word in result.stdout


def test_the_command_starts_without_what_it_does_not_need() -> None:
    code = (
        "import sys; from psremoting.cli.main import main;"
        "print([m for m in ('trio', 'lxml', 'cryptography', 'yaml', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["no-such"])
    assert result.exit_code == 2
    assert "No such command" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--type", "CREATE_PIPELIN"], "no line has the type 'CREATE_PIPELIN'"),
        (["--type", "ssh:Command"], "no line has the type 'ssh:Command'"),
        (["--pipeline", "xyz"], "no pipeline has the id 'xyz'"),
    ],
)
def test_a_filter_that_no_line_can_match_is_refused(words: list[str], said: str) -> None:
    result = run(HELLO, *words)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("words", [["--type", "winrs:*"], ["--pipeline", "ffffffff"]])
def test_filters_that_match_nothing_are_reported(words: list[str]) -> None:
    result = run(HELLO, *words)
    assert result.exit_code == 0
    assert re.search(r"0 of \d+ lines match the filters", result.stderr)


def test_the_lines_of_a_pipe_are_shown_as_they_come() -> None:
    """A recording that is still being written."""
    first, rest = Path(HELLO).read_bytes().split(b"\n", 1)
    program = [sys.executable, "-c", "from psremoting.cli.main import main; main()", "decode", "-"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(first + b"\n")
        child.stdin.flush()
        assert b"SESSION_CAPABILITY" in child.stdout.readline()
        child.stdin.write(rest)
        child.stdin.close()
        assert b"0 bytes not accounted for" in child.stdout.read()
        assert child.wait(60) == 0
