"""Show a scripted session live, for `make demo`.

    python -m tests.examples.demo

First with the endpoint of this package, then over ssh with a real OpenSSH server if one is
installed: it listens on loopback during the demo, with temporary keys and a temporary
configuration. The typed lines are piped in; psrp shows them after its prompt.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.sshsub.sshd import SSHD, USER, Server, running

PSRP = Path(sys.executable).with_name("psrp")
#: Time limit of each program, long enough for a busy machine.
PATIENCE = 60
TYPED = """\
Get-Endpoint
Get-Command Show-*
Show-Greeting
Anna
"one", "two" | ConvertTo-Upper
Get-Number 1000 | Measure-Object | Select-Object -Property Count
Show-Streams
Get-Nothing
exit
"""
TYPED_OVER_SSH = """\
Get-Date
Get-Number 3
exit
"""


def show(what: str, command: list[str], typed: str) -> int:
    """Run ``command`` with ``typed`` on its standard input; return its exit code."""
    shown = " ".join(command).replace(" --", " \\\n    --")
    print(f"\n# {what}\n$ {shown}", flush=True)
    ran = subprocess.Popen(
        [str(PSRP), *command[1:]], stdin=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        ran.communicate(typed, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        print(f"demo: not done after {PATIENCE} seconds", file=sys.stderr)
    finally:
        if ran.poll() is None:
            os.killpg(ran.pid, signal.SIGKILL)
            ran.wait()
    return ran.returncode


def over_ssh() -> int:
    """Show the same over a real server; return 0 if there is none or if it refuses the log-in."""
    if SSHD is None or shutil.which("ssh") is None:
        return _not_shown("there is no OpenSSH server here")
    with tempfile.TemporaryDirectory(prefix="psrp-demo-") as folder:
        try:
            with running(Path(folder), f"{PSRP} serve --stdio") as server:
                if problem := _closed_to_us(server):
                    return _not_shown(problem)
                return show("The same over ssh", _enter(server), TYPED_OVER_SSH)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            return _not_shown(str(error))


def _enter(server: Server) -> list[str]:
    needed = ("UserKnownHostsFile", "IdentitiesOnly", "BatchMode")
    options = [f"--options={name}={server.options[name]}" for name in needed]
    where = f"{USER}@127.0.0.1:{server.port}"
    return ["psrp", "enter", where, "--key-file-path", server.key, *options]


def _closed_to_us(server: Server) -> str:
    """Return the reason why ssh cannot log in (such as a locked account); empty if it can."""
    options = [f"-o{name}={value}" for name, value in server.options.items()]
    command = ["ssh", *options, "-i", server.key, "-p", str(server.port), f"{USER}@127.0.0.1"]
    tried = subprocess.run(
        [*command, "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return tried.stderr.strip() or f"ssh ends with {tried.returncode}" if tried.returncode else ""


def _not_shown(why: str) -> int:
    print(f"\n# The same over ssh: not shown, {why}")
    return 0


if __name__ == "__main__":
    code = show("A session, with the endpoint that psrp brings along", ["psrp", "enter"], TYPED)
    sys.exit(code or over_ssh())
