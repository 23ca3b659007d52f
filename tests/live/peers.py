"""Servers by name, their carriers, and open clients of both kinds.

A server is a program, ``hosts/NAME`` in a folder of the test run. Our client and the real one use
these carriers:

========  =============================================  =======================================
carrier   our client                                     the real client
========  =============================================  =======================================
stdio     a child process                                ``New-PSSession -HostName NAME``; the
                                                         ``ssh`` first on its PATH is a stand-in
                                                         that runs ``hosts/NAME``
ssh       the system's ``ssh``, a throw-away ``sshd``    the same; NAME is the subsystem
========  =============================================  =======================================
"""

from __future__ import annotations

import contextlib
import getpass
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from psremoting import ProcessTarget, SessionOption, SSHTarget, Target, sync
from tests.live import powershell
from tests.live.powershell import PowerShell, hashtable, quoted
from tests.recordings import ROOT
from tests.sshsub import sshd

__all__ = ["CARRIERS", "Clients", "Hosts", "Peer"]

CARRIERS = ("stdio", "ssh")

_SSH = """#!/bin/sh
# ssh ... HOST SUBSYSTEM: the program of the host when there is one, else the real ssh.
for word; do host=$subsystem; subsystem=$word; done
[ -x {hosts}/"$host" ] && exec {hosts}/"$host"
exec {ssh} "$@"
"""


@dataclass(frozen=True)
class Peer:
    """The address of one server over one carrier, for each client."""

    name: str
    target: Target
    """For our client."""
    parameters: str
    """For the real New-PSSession and Enter-PSSession: a hashtable literal to splat."""


@dataclass
class Hosts:
    """The folder of servers. A server is added once and available over each carrier."""

    folder: Path
    sshd: sshd.Server | None = None
    others: dict[tuple[str, str], tuple[Target, SessionOption]] = field(default_factory=dict)
    """Servers over other carriers, for our client only: by carrier and name."""
    _names: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """HOME of every server and client."""
        return self.folder / "home"

    @property
    def bin(self) -> Path:
        """The folder with the stand-in for ssh, to be prepended to a real client's PATH."""
        return self.folder / "bin"

    def program(self, name: str) -> Path:
        return self.folder / "hosts" / name

    def make(self) -> None:
        for path in (self.home, self.bin, self.folder / "hosts"):
            path.mkdir(parents=True, exist_ok=True)
        ssh = shutil.which("ssh") or "/bin/false"
        hosts = shlex.quote(str(self.folder / "hosts"))
        _executable(self.bin / "ssh", _SSH.format(hosts=hosts, ssh=shlex.quote(ssh)))

    def add(self, name: str, argv: list[str], **environment: str) -> None:
        """Add a server; adding it again has no effect. ``environment`` is added to its environment.

        It starts in its HOME: LIVE_HOME of the client's environment, otherwise the common folder.
        """
        if name in self._names:
            return
        given = powershell.environment(self.home, **environment)
        del given["HOME"]
        assignments = [shlex.quote(f"{key}={value}") for key, value in given.items()]
        home = f'"${{LIVE_HOME:-{self.home}}}"'
        line = f"exec env -i HOME={home} {' '.join(assignments)} {shlex.join(argv)}"
        _executable(self.program(name), f"#!/bin/sh\ncd {home}\n{line}\n")
        self._names.append(name)

    def add_ours(self, name: str, *serve: str) -> None:
        """Add `psrp serve --stdio` of this source tree, with more options."""
        start = "from psremoting.cli.entry import main; main()"
        argv = [sys.executable, "-c", start, "serve", "--stdio", *serve]
        self.add(name, argv, PYTHONPATH=str(ROOT))

    def peer(self, carrier: str, name: str) -> Peer:
        """Return the server ``name`` over ``carrier``."""
        if carrier == "stdio":
            target: Target = ProcessTarget(argv=(str(self.program(name)),))
            return Peer(name, target, hashtable({"HostName": name}))
        assert self.sshd is not None
        options = self.sshd.options
        target = SSHTarget(
            host_name="127.0.0.1",
            port=self.sshd.port,
            key_file_path=self.sshd.key,
            subsystem=name,
            options=options,
        )
        given = {
            "HostName": "127.0.0.1",
            "UserName": getpass.getuser(),
            "Port": self.sshd.port,
            "KeyFilePath": self.sshd.key,
            "Subsystem": name,
        }
        literal = hashtable(given)[:-2] + f"; Options = {hashtable(options)} }}"
        return Peer(name, target, literal)


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


SUBSYSTEMS = ("powershell", "restricted", "functions", "process", "demo")
"""Names of sshd's subsystems: a server with another name is available over stdio only."""


@contextmanager
def with_sshd(hosts: Hosts) -> Iterator[None]:
    """Run a temporary sshd with a subsystem for each name in `SUBSYSTEMS`."""
    folder = hosts.folder / "sshd"
    folder.mkdir()
    first, *others = SUBSYSTEMS
    lines = [f"Subsystem {name} {hosts.program(name)}" for name in others]
    with sshd.running(folder, "\n".join([str(hosts.program(first)), *lines])) as server:
        hosts.sshd = server
        try:
            yield
        finally:
            hosts.sshd = None


class Clients:
    """Sessions of our client and of one process of the real client, opened once and shared."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.real = PowerShell(hosts.home, path=str(hosts.bin))
        self._ours: dict[tuple[str, str], tuple[ExitStack, sync.SyncSession]] = {}
        self._registered: set[str] = set()

    def ours(self, carrier: str, name: str = "powershell") -> sync.SyncSession:
        """Return our open session, or a new one if the last has ended."""
        key = (carrier, name)
        found = self._ours.get(key)
        if found is not None:
            if found[1].state == "Opened":
                return found[1]
            self._drop(key)
        stack = ExitStack()
        if key in self.hosts.others:
            target, options = self.hosts.others[key]
        else:
            target, options = self.hosts.peer(carrier, name).target, SessionOption()
        session = stack.enter_context(sync.connect(target, options=options))
        self._ours[key] = stack, session
        return session

    def theirs(self, carrier: str, name: str = "powershell") -> str:
        """Return the PowerShell expression of the real client's open session: ``(Get-LiveSession
        'ssh/powershell')``.

        `New-LivePipeline` takes the name alone: see `pipeline`.
        """
        return f"(Get-LiveSession {self._register(carrier, name)})"

    def pipeline(self, carrier: str, name: str = "powershell") -> str:
        """Return the PowerShell expression of a [powershell] in the real client's session."""
        return f"(New-LivePipeline {self._register(carrier, name)})"

    def _register(self, carrier: str, name: str) -> str:
        if (carrier, name) in self.hosts.others:
            carrier = "stdio"
        key = quoted(f"{carrier}/{name}")
        if key not in self._registered:
            parameters = self.hosts.peer(carrier, name).parameters
            self.real.prepare(f"$global:LiveParameters[{key}] = {parameters}")
            self._registered.add(key)
        return key

    def _drop(self, key: tuple[str, str]) -> None:
        stack, _ = self._ours.pop(key)
        with contextlib.suppress(Exception):
            stack.close()

    def close(self) -> None:
        for key in list(self._ours):
            self._drop(key)
        self.real.close()
