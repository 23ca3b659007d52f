"""A temporary OpenSSH server on loopback, for one test module."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.recordings import ROOT

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))

# HOME: the start-up files of the user's shell must not be read.
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/id.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv PYTHONPATH={root} HOME={folder}
Subsystem powershell {program}
"""


@dataclass(frozen=True)
class Server:
    """The address of the server, and the client's credentials."""

    port: int
    folder: Path

    @property
    def key(self) -> str:
        return str(self.folder / "id")

    @property
    def options(self) -> dict[str, str]:
        return {
            "UserKnownHostsFile": str(self.folder / "known_hosts"),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
        }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, program: str = "") -> Iterator[Server]:
    """Run sshd with ``program`` as its subsystem "powershell" for the duration of the block."""
    assert SSHD is not None
    if os.geteuid() == 0:
        # Needed if no init script created it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "id", "other"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make, check=True)
    port = free_port()
    program = program or f"{sys.executable} {ROOT / 'tests' / 'sshsub' / 'echo_program.py'}"
    config = CONFIG.format(port=port, folder=folder, root=ROOT, program=program)
    (folder / "sshd_config").write_text(config)
    host_key = (folder / "host_key.pub").read_text().split()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key[0]} {host_key[1]}\n")
    daemon = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            if daemon.poll() is not None:
                raise RuntimeError("sshd does not start")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Server(port, folder)
    finally:
        daemon.terminate()
        daemon.wait()


USER = getpass.getuser()
