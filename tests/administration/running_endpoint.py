"""`psrp endpoint serve` as a process, with a store of its own and clients for it."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psremoting import sync
from psremoting.administration.configurations import (
    EngineKind,
    ListenerSetting,
    SessionConfiguration,
)
from psremoting.administration.store import REMOTE_MANAGEMENT, Store
from psremoting.errors import PSRemotingError
from psremoting.wsman_target import WSManTarget
from psrp.clixml import Credential
from tests.endpoint.served_wsman import ROOT, write_certificate
from wsman.accounts import new_account

ALLOWED, REFUSED, PASSWORD = "wsuser", "stranger", "P@ss-w0rd1"
_START = 60.0
_WAIT = 30.0
DENIED = "AccessDenied,PSSessionOpenFailed"
PROGRAM = [sys.executable, "-c", "from psremoting.cli.entry import main; main()"]


@dataclass
class RunningEndpoint:
    """A running server. ``http`` and ``https`` are its ports."""

    folder: Path
    process: subprocess.Popen[bytes]
    http: int = 0
    https: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "endpoint.db"

    @property
    def store(self) -> Store:
        return Store.open(self.path)

    def psrp(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of psrp on the endpoint's store."""
        return subprocess.run(
            [*PROGRAM, *words], input=text, capture_output=True, text=True, timeout=90, cwd=ROOT,
            env=os.environ | {"PSRP_STORE": str(self.path), "COLUMNS": "150"}, check=False,
        )  # fmt: skip

    def target(self, user: str, way: str = "ntlm", **changes: Any) -> WSManTarget:
        """Return the target of ``user``: ``ntlm`` over HTTP, or ``basic`` over HTTPS."""
        fields: dict[str, Any] = {
            "computer_name": "localhost" if way == "basic" else "127.0.0.1",
            "port": self.https if way == "basic" else self.http,
            "use_ssl": way == "basic",
            "credential": Credential(user, PASSWORD),
            "authentication": way,
            "trusted_hosts": ("127.0.0.1",),
            "ca_file": str(self.folder / "server.pem") if way == "basic" else "",
        }
        return WSManTarget(**fields | changes)

    def outcome(self, target: WSManTarget) -> str:
        """Return ``open`` if a session opens and runs a command, else the error's id."""
        try:
            with sync.connect(target) as session:
                return "open" if session.run("Get-Answer").output == [42] else "no answer"
        except PSRemotingError as error:
            return error.error_id

    def pypsrp_outcome(self, user: str, way: str) -> str:
        """The same with pypsrp; an error is its text."""
        from pypsrp.powershell import PowerShell, RunspacePool
        from pypsrp.wsman import WSMan

        given: dict[str, Any] = {
            "auth": "ntlm",
            "encryption": "always",
            "ssl": False,
            "port": self.http,
        }
        host = "127.0.0.1"
        if way == "basic":
            host = "localhost"
            given = {"auth": "basic", "ssl": True, "port": self.https,
                     "cert_validation": str(self.folder / "server.pem")}  # fmt: skip
        wsman = WSMan(host, username=user, password=PASSWORD, **given)
        try:
            with wsman, RunspacePool(wsman) as pool:
                shell = PowerShell(pool)
                shell.add_cmdlet("Get-Answer")
                return "open" if list(shell.invoke()) == [42] else "no answer"
        except Exception as error:
            return str(error)

    def until(self, condition: Callable[[Store], bool]) -> None:
        """Wait until the store fulfils a condition."""
        end = time.monotonic() + _WAIT
        with self.store as store:
            while not condition(store):
                assert time.monotonic() < end, "the store does not change"
                time.sleep(0.05)


def get_answer() -> int:
    return 42


def wait_for(path: str = "") -> str:
    while path and not Path(path).exists():
        time.sleep(0.02)
    return "done"


COMMANDS = {"Get-Answer": get_answer, "Wait-For": wait_for}
CONFIGURATION = SessionConfiguration(
    name="Microsoft.PowerShell",
    kind=EngineKind.FUNCTIONS,
    source="tests.administration.running_endpoint:COMMANDS",
)


def filled_store(folder: Path, *, keytab: str = "") -> None:
    """Make a store with two accounts, two listeners and one configuration."""
    write_certificate(folder / "server.pem")
    with Store.open(folder / "endpoint.db", create=True) as store:
        for name in (ALLOWED, REFUSED):
            store.put_account(new_account(name, PASSWORD, salt=os.urandom(16), ntlm=True))
        store.set_members(REMOTE_MANAGEMENT, (ALLOWED, f"{ALLOWED}@TEST.LOCAL"))
        store.put_listener(ListenerSetting(address="IP:127.0.0.1", port=0))
        store.put_listener(
            ListenerSetting(
                address="IP:127.0.0.1", transport="HTTPS", port=0,
                certificate=str(folder / "server.pem"),
            )
        )  # fmt: skip
        store.put_configuration(CONFIGURATION)
        if keytab:
            store.set_setting("keytab", keytab)


@contextmanager
def running_endpoint(folder: Path, *, keytab: str = "") -> Iterator[RunningEndpoint]:
    """Run a server on a new store until the end of the block."""
    if not (folder / "endpoint.db").exists():
        filled_store(folder, keytab=keytab)
    process = subprocess.Popen(
        [*PROGRAM, "endpoint", "serve", "--store", str(folder / "endpoint.db")],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    made = RunningEndpoint(folder, process)
    try:
        _wait(made)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=_WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait(made: RunningEndpoint) -> None:
    assert made.process.stderr is not None
    text, end = "", time.monotonic() + _START
    while text.count("listening on http") < 2:
        ready, _, _ = select.select([made.process.stderr], [], [], max(0, end - time.monotonic()))
        read = os.read(made.process.stderr.fileno(), 4096) if ready else b""
        text += read.decode()
        if not read:
            raise RuntimeError(f"the endpoint does not start: {text}")
    ports = dict(re.findall(r"listening on (\w+)://127\.0\.0\.1:(\d+)/wsman", text))
    made.http, made.https = int(ports["http"]), int(ports["https"])
    made.log = text.splitlines()
