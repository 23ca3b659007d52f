"""Servers over WS-Man that end and start again on the same port: ours, and PowerShell's plugin."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from psremoting import WSManTarget
from psrp.clixml import Credential
from tests.endpoint.served_wsman import PASSWORD, ROOT, USER, psrp
from tests.live import wsman_peers
from tests.live.wsman_peers import WSManServer
from tests.sshsub.sshd import free_port

__all__ = ["SERVERS", "OurServer", "PluginServer", "RestartingServer"]

_START = 30.0


class RestartingServer:
    """One of the servers; ``begin`` and ``end`` may alternate any number of times."""

    port: int

    def begin(self) -> None:
        raise NotImplementedError

    def end(self, number: signal.Signals) -> None:
        raise NotImplementedError

    def restart(self, number: signal.Signals) -> None:
        self.end(number)
        self.begin()

    def target(self, port: int) -> WSManTarget:
        """The server, through a proxy on ``port``, whose requests are readable there."""
        return WSManTarget(
            computer_name="127.0.0.1", port=port, credential=Credential(USER, PASSWORD),
            authentication="basic", allow_unencrypted=True,
        )  # fmt: skip


class PluginServer(RestartingServer):
    """PowerShell's plugin behind OMI's server; skips the test without it."""

    command = "'one'; Start-Sleep -Milliseconds 600; 'two'"
    takes_input = "$input | % { $_ * 2 }"
    result: tuple[str, ...] = ("one", "two")

    def __init__(self, folder: Path) -> None:
        if reason := wsman_peers.why_not():
            pytest.skip(reason)
        self._server = WSManServer(free_port(), free_port(), None)
        self.port = self._server.http

    def begin(self) -> None:
        self._process = wsman_peers.start(self._server)

    def end(self, number: signal.Signals) -> None:
        wsman_peers.end(self._process, number)


class OurServer(RestartingServer):
    """`psrp serve` with functions."""

    command = "Wait-A 0.6"
    takes_input = "Get-Doubled"
    result = ("a", "b")

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._accounts = folder / "accounts"
        if not self._accounts.exists():
            added = psrp(
                "account", "add", USER, "--accounts", str(self._accounts), "--ntlm",
                "--password-file", "-", text=PASSWORD + "\n",
            )  # fmt: skip
            assert added.returncode == 0, added.stderr

    def begin(self) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable, "-c", "from psremoting.cli.entry import main; main()", "serve",
                "--http", f"127.0.0.1:{self.port}", "--accounts", str(self._accounts),
                "--allow-unencrypted", "--functions", "tests.live.restarting:FUNCTIONS",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        assert self._process.stderr is not None
        text = b""
        deadline = time.monotonic() + _START
        while b"listening on" not in text:
            left = max(0, deadline - time.monotonic())
            ready, _, _ = select.select([self._process.stderr], [], [], left)
            read = self._process.stderr.read1(4096) if ready else b""  # type: ignore[attr-defined]
            text += read
            if not read:
                raise RuntimeError(f"the endpoint does not start: {text.decode()}")

    def end(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


async def wait_a(seconds: float = 1.0):  # type: ignore[no-untyped-def]
    """Gets a, and b after some time."""
    import trio

    yield "a"
    await trio.sleep(seconds)
    yield "b"


def get_doubled(input) -> int:  # type: ignore[no-untyped-def]
    """Gets twice each input."""
    return (each * 2 for each in input)  # type: ignore[return-value]


FUNCTIONS = {"Wait-A": wait_a, "Get-Doubled": get_doubled}
SERVERS: dict[str, type[OurServer | PluginServer]] = {"ours": OurServer, "plugin": PluginServer}
