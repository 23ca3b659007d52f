"""`psrp replay` and `psrp diff`: both sides of recordings, over both carriers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psrpcore
import pytest
import trio
import trio.testing
from click.testing import CliRunner
from psrpcore import types as t

from psremoting import PSSession
from psremoting.cli.main import main
from psremoting.endpoint.driver import serve_stream
from psremoting.replay import IgnoreRules, ReplayEngine, read_script, read_scripts
from psrp.sansio import Side
from tests.endpoint.served_wsman import PASSWORD, USER, psrp, serving
from tests.endpoint.test_psrpcore_client import TheirClient
from tests.live import powershell
from tests.recordings import FIXTURES, ROOT
from tests.session.servers import carrier_over

SESSIONS = FIXTURES / "outofproc" / "sessions"
HELLO = SESSIONS / "hello.jsonl"
START = [sys.executable, "-c", "from psremoting.cli.entry import main; main()"]
needs_pwsh = pytest.mark.skipif(powershell.find() is None, reason="no PowerShell here")


def as_server(recording: Path, *more: str) -> str:
    """Return the target of a replayed server."""
    return f"process:{sys.executable} -c '{START[2]}' replay {recording} --as-server --stdio " + (
        " ".join(("--fast", *more))
    )


def test_the_recorded_client_reads_without_ids_and_negotiation() -> None:
    script = read_script(HELLO)
    assert script.versions == {Side.CLIENT: "2.4", Side.SERVER: "2.4"}
    assert [str(each.begin.powershell).strip()[:9] for each in script.pipelines] == [  # type: ignore[union-attr]
        "__Set-PSD", "__Set-PSU", "'hello'; ",
    ]  # fmt: skip


def test_our_client_runs_a_recorded_session_and_its_deviations_are_shown() -> None:
    done = psrp("invoke", as_server(HELLO), "'hello'; 1 + 1")
    assert done.stdout.split() == ["hello", "2"]
    assert "missing: pipeline 1, CREATE_PIPELINE of the client" in done.stderr
    assert "verdict: " in done.stderr


async def replayed(recording: Path, script: str) -> tuple[list[object], ReplayEngine]:
    """Run a script of our client, as PowerShell's, against a replayed server."""
    engine = ReplayEngine(read_script(recording), ignore=IgnoreRules(), fast=True)
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, engine)
        carrier = carrier_over(ours)
        async with PSSession.connect(carrier, version="2.4", like_powershell=True) as session:
            output = (await session.run(script, as_script=True)).output
        nursery.cancel_scope.cancel()
    return output, engine


async def test_a_client_that_does_as_recorded_has_no_deviation_in_its_commands() -> None:
    script = read_script(HELLO).pipelines[2].begin
    text = script.powershell.statements[0][0].text  # type: ignore[union-attr]
    output, engine = await replayed(HELLO, text)
    assert output == ["hello", 2]
    assert engine.matched
    assert all("powershell" not in place for each in engine.deviations for place in each.places)


async def test_a_command_that_was_not_recorded_is_answered_and_reported() -> None:
    output, engine = await replayed(HELLO, "Get-Something")
    assert output == ["hello", 2]
    (found,) = [each for each in engine.deviations if "Get-Something" in each.got]
    assert (found.kind, found.type) == ("different", "CREATE_PIPELINE")
    assert "'hello'; 1 + 1" in found.recorded
    lines = list(found.lines())
    assert lines[1].startswith("    recorded:")
    assert lines[2].startswith("    got:")


async def test_pipelines_beyond_the_recording_fail() -> None:
    script = read_script(SESSIONS / "open-close.jsonl")
    engine = ReplayEngine(script, ignore=IgnoreRules(), fast=True)
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, engine)
        carrier = carrier_over(ours)
        async with PSSession.connect(carrier) as session:
            for _ in range(3):
                result = await session.run("Get-Date")
        nursery.cancel_scope.cancel()
    assert result.error is not None
    assert "The recording has no further pipeline." in str(result.error)
    assert any(each.kind == "extra" for each in engine.deviations)


@needs_pwsh
@pytest.mark.parametrize("name", ["input", "host-calls", "pipeline-shapes"])
def test_powershells_server_answers_the_recorded_client_as_recorded(name: str) -> None:
    target = f"process:{powershell.find()} -s -NoLogo -NoProfile"
    done = psrp("replay", str(SESSIONS / f"{name}.jsonl"), "--as-client", target, "--fast")
    assert "verdict: no deviations" in done.stderr, done.stderr
    assert done.returncode == 0


@needs_pwsh
def test_powershells_client_runs_the_recorded_session_over_ssh(tmp_path: Path) -> None:
    program = tmp_path / "ssh"
    verdict = tmp_path / "verdict"
    program.write_text(
        f"#!/bin/sh\n{sys.executable} -c '{START[2]}' replay {HELLO} --as-server --stdio --fast "
        f"2>{verdict}\n"
    )
    program.chmod(0o755)
    recorded = read_script(HELLO).pipelines[2].begin
    text = recorded.powershell.statements[0][0].text  # type: ignore[union-attr]
    done = subprocess.run(
        [str(powershell.find()), "-NoProfile", "-Command",
         f"$s = New-PSSession -HostName lab01; Invoke-Command -Session $s {{{text}}}; "
         "Remove-PSSession $s"],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["hello", "2"], done.stderr
    assert verdict.read_text() == "verdict: no deviations, 4 messages of the client as recorded\n"


@contextmanager
def listening(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a replayed server over HTTP; give its URL and the process."""
    process = subprocess.Popen(
        [*START, "replay", *words], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("listening on "), line
        yield line.split()[-1], process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    path = tmp_path / "accounts"
    added = psrp(
        "account", "add", USER, "--accounts", str(path), "--ntlm", "--password-file", "-",
        text=PASSWORD + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    return path


def test_pypsrp_runs_the_recorded_session_over_wsman(accounts: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wsman = pytest.importorskip("pypsrp.wsman")
        from pypsrp.powershell import PowerShell, RunspacePool
    words = (str(HELLO), "--as-server", "--http", "0", "--accounts", str(accounts), "--fast")
    with listening(*words) as (url, process):
        port = int(url.rpartition(":")[2].partition("/")[0])
        given = {"username": USER, "password": PASSWORD, "ssl": False, "auth": "ntlm"}
        connection = wsman.WSMan("127.0.0.1", port=port, **given)
        with connection, RunspacePool(connection) as pool:
            command = PowerShell(pool).add_script("'hello'; 1 + 1")
            assert command.invoke() == ["hello", 2]
        _, report = process.communicate(timeout=30)
    assert "verdict: " in report
    assert process.returncode == 1


async def test_psrpcore_runs_the_recorded_session() -> None:
    client = TheirClient(ReplayEngine(read_script(HELLO), ignore=IgnoreRules(), fast=True))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.session.run)
            client.pool.open()
            await client.until(lambda: client.pool.state is t.RunspacePoolState.Opened)
            shell = psrpcore.ClientPowerShell(client.pool)
            shell.add_script("'hello'; 1 + 1")
            events = await client.run(shell)
            nursery.cancel_scope.cancel()
    output = [each.data for each in events if isinstance(each, psrpcore.PipelineOutputEvent)]
    assert output == ["hello", 2]
    assert shell.state is t.PSInvocationState.Completed


def test_a_recorded_session_of_ours_replays_as_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "ours.jsonl"
    words = ("invoke", "--record", str(path), "local", "Write-Output 5; Show-Streams")
    assert "5" in psrp(*words).stdout
    again = psrp("invoke", as_server(path), "Write-Output 5; Show-Streams")
    assert "verdict: no deviations" in again.stderr, again.stderr
    client = psrp("replay", str(path), "--as-client", "local", "--fast")
    assert "verdict: no deviations" in client.stderr, client.stderr
    assert client.returncode == 0


def test_the_recorded_client_meets_another_server(tmp_path: Path) -> None:
    """A server that this project did not write: psrpcore's."""
    path = tmp_path / "psrpcore.jsonl"
    server = f"process:{sys.executable} -m tests.session.psrpcore_program"
    assert "2" in psrp("invoke", "--record", str(path), server, "count 3").stdout
    done = psrp("replay", str(path), "--as-client", server, "--fast")
    assert "verdict: no deviations" in done.stderr, done.stderr


def test_a_server_that_answers_otherwise_is_reported_with_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "ours.jsonl"
    psrp("invoke", "--record", str(path), "local", "Get-Random")
    done = psrp("replay", str(path), "--as-client", "local", "--fast", "--ignore", "times")
    assert done.returncode == 1
    assert "different: pipeline 1, PIPELINE_OUTPUT of the server" in done.stderr


def test_waits_are_those_of_the_recording(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in HELLO.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["t"] = number * 0.02
    path = tmp_path / "slow.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    target = as_server(path).replace("--fast", "")
    done = psrp("invoke", target, "'hello'; 1 + 1")
    assert done.stdout.split() == ["hello", "2"]


def diff(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["diff", *words])
    return result.exit_code, result.output


def test_a_recording_does_not_differ_from_itself() -> None:
    assert diff(str(HELLO), str(HELLO)) == (0, "no differences\n")


def test_two_recordings_differ_by_meaning(tmp_path: Path) -> None:
    code, text = diff(str(HELLO), str(SESSIONS / "streams.jsonl"))
    assert code == 1
    assert "different: pipeline 3, PIPELINE_OUTPUT of the server (line 25)\n" in text
    assert "    A: PIPELINE_OUTPUT hello\n" in text
    assert "    B: PIPELINE_OUTPUT out\n" in text
    assert "only in B: pipeline 3, WARNING_RECORD of the server\n" in text
    assert text.endswith(" differences\n")


def test_ids_and_times_count_only_if_asked_for(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("one.jsonl", "two.jsonl")]
    for path in paths:
        psrp("invoke", "--record", path, "local", "Get-Date")
    assert diff(*paths) == (0, "no differences\n")
    code, text = diff("--ignore", "ids", *paths)
    assert code == 1
    assert "PIPELINE_OUTPUT of the server" in text
    assert diff("--ignore", "ids", "--ignore", "path:*", *paths)[0] in (0, 1)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["replay", str(HELLO)], "expected one of --as-server and --as-client"),
        (["replay", str(HELLO), "--as-server"], "expected one of --stdio"),
        (["replay", str(HELLO), "--as-server", "--http", "0"], "--http needs --accounts"),
        (["replay", "/no/such", "--as-server", "--stdio"], "No such file"),
        (["diff", str(HELLO), "/no/such"], "No such file"),
        (["diff", "--ignore", "colour", str(HELLO), str(HELLO)], "--ignore: expected one of ids"),
        (["replay", str(FIXTURES / "clixml"), "--as-server", "--stdio"], "Is a directory"),
    ],
)
def test_wrong_command_lines_and_files_are_one_error(words: list[str], complaint: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_server_that_does_not_answer_ends_the_play(tmp_path: Path) -> None:
    sleeper = shutil.which("sleep")
    assert sleeper is not None
    words = ("replay", str(HELLO), "--as-client", f"process:{sleeper} 60", "--patience", "0.5")
    done = psrp(*words)
    assert done.returncode == 1
    assert "the pool: " in done.stderr
    assert "did not come (after 0.5 s)" in done.stderr


# -- recordings of several sessions

SEVERAL = FIXTURES / "wsman-live" / "managed-options.jsonl"


def test_all_sessions_of_a_recording_are_read_apart() -> None:
    first, second = read_scripts(SEVERAL)
    assert (first.configuration, second.configuration) == (
        "My.Endpoint", "Microsoft.PowerShell",
    )  # fmt: skip
    assert [len(each.pipelines) for each in (first, second)] == [4, 1]
    for each in (first, second):
        assert each.versions == {Side.CLIENT: "2.4", Side.SERVER: "2.4"}


def sequence(folder: Path) -> Path:
    """Record two sessions of ours over WS-Man, in one file of the server."""
    path = folder / "server.jsonl"
    password = folder / "password"
    password.write_text(PASSWORD)
    with serving(folder, "--record", str(path)) as served:
        for command in ("Write-Output 5", "Write-Output 6; Write-Output 7"):
            done = psrp(
                "invoke", f"http://localhost:{served.http}/wsman", command, "--user-name", USER,
                "--password-file", str(password), "--authentication", "ntlm",
                "--trusted-host", "*",
            )  # fmt: skip
            assert done.stdout.split()[-1] in ("5", "7"), done.stderr
    return path


def test_each_client_gets_the_next_session_of_the_recording(tmp_path: Path) -> None:
    path = sequence(tmp_path)
    assert len(read_scripts(path)) == 2

    async def both() -> tuple[list[object], ReplayEngine]:
        engine = ReplayEngine(read_scripts(path), ignore=IgnoreRules(), fast=True)
        output: list[object] = []
        for command in ("Write-Output 5", "Write-Output 6; Write-Output 7"):
            ours, theirs = trio.testing.memory_stream_pair()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve_stream, theirs, engine)
                assert not engine.over.is_set()
                async with PSSession.connect(carrier_over(ours)) as session:
                    output.append((await session.run(command, as_script=True)).output)
                nursery.cancel_scope.cancel()
        return output, engine

    output, engine = trio.run(both)
    assert output == [[5], [6, 7]]
    assert engine.over.is_set()
    assert {each.session for each in engine.deviations} <= {0, 1}


def test_all_sessions_are_played_as_client_and_one_can_be_chosen(tmp_path: Path) -> None:
    path = sequence(tmp_path)
    done = psrp("replay", str(path), "--as-client", "local", "--fast")
    assert "verdict: no deviations" in done.stderr, done.stderr
    single = psrp("replay", str(path), "--as-client", "local", "--fast", "--session", "2")
    assert "verdict: no deviations" in single.stderr, single.stderr
    counts = [int(run.stderr.rpartition("deviations, ")[2].split()[0]) for run in (done, single)]
    assert counts[0] > counts[1] > 0
    wrong = CliRunner().invoke(
        main, ["replay", str(path), "--as-client", "local", "--session", "3"]
    )
    assert wrong.exit_code == 2
    assert "--session: the recording has 2, got 3" in wrong.stderr


def test_two_recordings_are_compared_session_by_session(tmp_path: Path) -> None:
    path = sequence(tmp_path)
    assert diff(str(path), str(path)) == (0, "no differences\n")
    one = tmp_path / "one.jsonl"
    psrp("invoke", "--record", str(one), "local", "Write-Output 5")
    code, text = diff(str(path), str(one))
    assert code == 1
    assert "only in A: session 2, pipeline 1, CREATE_PIPELINE of the client" in text
