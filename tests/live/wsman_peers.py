"""A real PowerShell behind WS-Man, as server (OMI with PowerShell's plugin) and as client.

PSREMOTING_WSMAN_DIR is the folder of the unpacked kit, PSREMOTING_WSMAN_START the program that
starts its server. The server needs root, and its sessions run as the account ``wsuser``.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from psremoting import SessionOption, Target
from psremoting.wsman_target import WSManTarget
from psrp.clixml import Credential
from tests.live.kdc import REALM, Kdc
from tests.sshsub.sshd import free_port

__all__ = [
    "PASSWORD",
    "USER",
    "NativeClient",
    "WSManServer",
    "client_program",
    "end",
    "serving",
    "start",
    "why_not",
]

USER, PASSWORD = "wsuser", "P@ss-w0rd1"
_START = 30.0
"""Seconds for the server to answer."""


def _kit() -> Path | None:
    folder = os.environ.get("PSREMOTING_WSMAN_DIR")
    return Path(folder) if folder else None


def client_program() -> str | None:
    """Return PowerShell with its native WS-Man client; None without the kit."""
    kit = _kit()
    program = kit / "pwsh-wsman" if kit else None
    return str(program) if program and program.exists() else None


def why_not() -> str | None:
    """Return the reason why the WS-Man server cannot run here, or None."""
    if client_program() is None:
        return "no WS-Man kit: set PSREMOTING_WSMAN_DIR"
    if not os.environ.get("PSREMOTING_WSMAN_START"):
        return "no WS-Man server: set PSREMOTING_WSMAN_START"
    if os.geteuid() != 0:
        return "the WS-Man server needs root"
    return None


@dataclass(frozen=True)
class WSManServer:
    """A running server and its credentials."""

    http: int
    https: int
    kdc: Kdc | None

    def target(self, authentication: str = "basic", *, tls: bool = False) -> Target:
        """For our client: ``basic``, ``ntlm``, ``negotiate`` or ``kerberos``."""
        user = f"{USER}@{REALM}" if authentication == "kerberos" else USER
        return WSManTarget(
            computer_name="localhost" if authentication == "kerberos" else "127.0.0.1",
            port=self.https if tls else self.http,
            use_ssl=tls,
            credential=Credential(user, PASSWORD),
            authentication=authentication,
            allow_unencrypted=True,
            trusted_hosts=("*",),
        )

    @property
    def options(self) -> SessionOption:
        """Session options that accept the server's self-signed certificate."""
        return SessionOption(skip_ca_check=True, skip_cn_check=True)


@contextmanager
def serving(kdc: Kdc | None) -> Iterator[WSManServer]:
    """Start the server with Basic, NTLM, HTTPS, and Kerberos if there is a KDC.

    Skips the test, with the reason, if a requirement is missing.
    """
    reason = why_not()
    if reason:
        pytest.skip(reason)
    server = WSManServer(free_port(), free_port(), kdc)
    process = start(server)
    try:
        yield server
    finally:
        end(process, signal.SIGTERM)


def start(server: WSManServer) -> subprocess.Popen[str]:
    """Start a server on these ports and wait until it listens."""
    argv = [os.environ["PSREMOTING_WSMAN_START"], os.environ["PSREMOTING_WSMAN_DIR"]]
    argv += ["--http", str(server.http), "--https", str(server.https), "--ntlm", USER, PASSWORD]
    environment = dict(os.environ)
    if server.kdc is not None:
        argv += ["--keytab", str(server.kdc.keytab)]
        environment["KRB5_CONFIG"] = str(server.kdc.config)
    process = subprocess.Popen(
        ["bash", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        env=environment,
    )
    try:
        _wait(process)
    except BaseException:
        end(process, signal.SIGTERM)
        raise
    return process


def end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """End a server that was started by `start`, and wait for its end."""
    process.send_signal(number)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def _wait(process: subprocess.Popen[str]) -> None:
    """Read until both ports listen."""
    assert process.stdout is not None
    text = b""
    deadline = time.monotonic() + _START
    while text.count(b"listening on") < 2:
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        read = os.read(process.stdout.fileno(), 4096) if ready else b""
        text += read
        if not read:
            said = text.decode(errors="replace")
            if "missing Debian packages" in said or "cannot reach" in said:
                pytest.skip(said.strip())
            raise RuntimeError(f"the WS-Man server does not start: {said}")


class NativeClient:
    """PowerShell's native WS-Man client. Each use is a separate process, because the old C code may
    crash."""

    def __init__(self, home: Path, server: WSManServer) -> None:
        self.deaths = 0
        """The number of processes that crashed and were started again."""
        self._home = home
        self._server = server

    def run(self, script: str, *, timeout: float = 90.0) -> str:
        """Return the standard output of ``pwsh-wsman -c script``. A process that crashes is started
        once more. Raises AssertionError after the time limit, and for a second crash.

        ``$c`` is the credential, ``$o`` the session option for the server's certificate.
        """
        for last in (False, True):
            code, output, ended = self._once(script, timeout)
            if not ended:
                raise AssertionError(f"no end within {timeout:g} s: {script}\n{output}")
            if code >= 0:
                return output
            if not last:
                self.deaths += 1
        raise AssertionError(f"pwsh-wsman died twice, of {signal.Signals(-code).name}: {script}")

    def run_once(self, script: str, *, timeout: float) -> tuple[bool, str]:
        """Return True if the process crashed or did not end in time, and its output until then."""
        code, output, ended = self._once(script, timeout)
        self.deaths += code < 0 or not ended
        return code < 0 or not ended, output

    def _once(self, script: str, timeout: float) -> tuple[int, str, bool]:
        program = client_program()
        assert program is not None
        prelude = (
            "$ProgressPreference = 'SilentlyContinue'; $PSStyle.OutputRendering = 'PlainText';"
            f"$c = [pscredential]::new('{USER}',"
            f" (ConvertTo-SecureString '{PASSWORD}' -AsPlainText -Force));"
            "$o = New-PSSessionOption -SkipCACheck -SkipCNCheck;\n"
        )
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._home),
            "LC_ALL": "C.UTF-8",
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            "POWERSHELL_UPDATECHECK": "Off",
        }
        if self._server.kdc is not None:
            environment["KRB5_CONFIG"] = str(self._server.kdc.config)
        process = subprocess.Popen(
            [program, "-NoLogo", "-NoProfile", "-NonInteractive", "-c", prelude + script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return 0, output, False
        # An intermediate shell reports a signal as 128 plus its number.
        code = process.returncode
        return (128 - code if code in (134, 139) else code), output, True
