"""Errors of first attempts: failed connections, missing passwords, existing files, raw numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from psremoting.client.wsman_hints import wsman_hint
from tests.recordings import FIXTURES
from wsman.errors import TransportFailure

RECORDING = str(FIXTURES / "outofproc/sessions/streams.jsonl")
START = "from psremoting.cli.entry import main; main()"


def psrp(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run psrp without a terminal."""
    return subprocess.run(
        [sys.executable, "-c", START, *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        start_new_session=True, env=os.environ | environment,
    )  # fmt: skip


@pytest.fixture
def refusing_ssh(tmp_path: Path) -> str:
    """Return a PATH whose ssh prints a banner and fails."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\necho 'a banner' >&2\necho 'Connection refused' >&2\nexit 255\n")
    program.chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    "words",
    [
        ("enter", "user@host"),
        ("invoke", "user@host", "hostname"),
        ("-c", "New-PSSession -HostName user@host"),
        ("-c", "Invoke-Command -HostName user@host { 1 }"),
        ("Enter-PSSession", "-HostName", "user@host"),
    ],
)
def test_a_failure_of_ssh_is_shown_once(words: tuple[str, ...], refusing_ssh: str) -> None:
    shown = psrp(*words, PATH=refusing_ssh).stderr
    assert shown.count("Connection refused") == 1
    assert shown.count("a banner") == 1


@pytest.mark.parametrize("command", ["enter", "invoke"])
def test_without_a_terminal_the_password_is_not_asked_for(command: str) -> None:
    more = ["1"] if command == "invoke" else []
    shown = psrp(command, "http://127.0.0.1:9", *more, "--user-name", "me").stderr
    assert "cannot ask for the password: use --password-file or PSRP_PASSWORD" in shown
    assert "GetPassWarning" not in shown
    assert "Password for" not in shown


def test_the_help_names_the_variables_that_are_read() -> None:
    shown = psrp("--help").stdout
    for name in ("NO_COLOR", "PSRP_PASSWORD", "PSRP_TRUSTED_HOSTS", "TERM", "XDG_STATE_HOME"):
        assert f"  {name} " in shown


@pytest.mark.parametrize(
    ("message", "option"),
    [
        ("the host is not among the trusted hosts", "--trusted-host or PSRP_TRUSTED_HOSTS"),
        ("certificate verify failed: self-signed certificate", "--skip-ca-check"),
        ("certificate verify failed: Hostname mismatch, ...", "--skip-cn-check"),
        ("the certificate of the server is not for the name x", "--skip-cn-check"),
        ("use HTTPS, or allow unencrypted traffic by name", "--allow-unencrypted"),
    ],
)
def test_an_error_names_the_option_that_helps(message: str, option: str) -> None:
    assert option in wsman_hint(TransportFailure(message))


def test_an_untrusted_host_names_the_option() -> None:
    words = ("invoke", "http://10.1.1.1:9", "1", "--user-name", "me", "--authentication", "ntlm")
    done = psrp(*words, PSRP_PASSWORD="x")
    assert "Hint: use HTTPS, or trust the host with --trusted-host" in done.stderr
    assert done.returncode == 3


async def test_attempts_before_the_first_connection_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    from psremoting import PSRemotingError, PSSession
    from psremoting.targets import WSManTarget

    async def refuse(*_: object, **__: object) -> None:
        raise OSError("refused")

    monkeypatch.setattr(trio, "open_tcp_stream", refuse)
    notices: list[str] = []
    target = WSManTarget(computer_name="127.0.0.1", port=9)
    with pytest.raises(PSRemotingError, match="cannot connect"):
        async with PSSession.connect(target, on_notice=notices.append):
            pass
    assert notices == []


def test_a_recording_is_overwritten_only_by_force(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    file.touch()
    words = ("invoke", "local", "Get-Number 1", "--record", str(file))
    assert psrp(*words).returncode == 0
    before = file.read_bytes()
    assert before
    refused = psrp(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{file}: the file exists; use --force to overwrite it" in refused.stderr
    assert file.read_bytes() == before
    assert psrp(*words, "--force").returncode == 0
    assert file.read_bytes() != before


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("serve", "--unix", "/nosuch/x"), "cannot listen on /nosuch/x: No such file or directory"),
        (("serve", "--stdio", "--log", "/nosuch/x"), "cannot open the log /nosuch/x: No such file"),
        (("serve", "--http", "0", "--accounts", "/nosuch"), "/nosuch: No such file or directory"),
        (
            (
                "replay",
                RECORDING,
                "--as-server",
                "--unix",
                "/no/x",
            ),
            "cannot listen on /no/x: No such file or directory",
        ),
    ],
)
def test_reasons_of_the_system_have_no_numbers(words: tuple[str, ...], reason: str) -> None:
    done = psrp(*words)
    assert reason in done.stderr
    assert "Errno" not in done.stderr
    assert done.returncode


def test_times_count_from_the_beginning_of_the_recording() -> None:
    whole = psrp("decode", RECORDING).stdout.splitlines()
    chosen = psrp("decode", "--type", "PIPELINE_OUTPUT", RECORDING).stdout.splitlines()
    assert chosen[0] in whole
    assert chosen[0].split()[1] != "0.000"
