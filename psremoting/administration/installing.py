"""The steps by which Enable-PSRemoting installs the server: each can be shown, done and undone."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from psremoting.administration.configurations import AdministrationError
from psremoting.administration.service_files import (
    LAUNCHD_LABEL,
    SERVICE_NAME,
    SOCKET_NAME,
    launchd_plist,
    systemd_service,
    systemd_socket,
)
from psremoting.file_replacement import replace_file

__all__ = ["Installation", "RunCommand", "Step", "SubsystemLine", "WriteFile", "service_steps"]

_COMMAND_TIME = 60.0
_OUTPUT = 2000


class WriteFile:
    """Write a file; an existing one is replaced, and comes back when the step is undone."""

    def __init__(self, path: Path, text: str, *, mode: int = 0o644) -> None:
        self.path = path
        self.text = text
        self.mode = mode
        self._before: tuple[bytes, int] | None = None
        """Content and permission bits of the file that is replaced."""

    def __str__(self) -> str:
        return f"write {self.path}"

    @property
    def details(self) -> str:
        """The text for --print."""
        return self.text

    @property
    def needed(self) -> bool:
        """False if the file has this text already."""
        try:
            return self.path.read_text("utf-8") != self.text
        except (OSError, UnicodeDecodeError):
            return True

    def apply(self) -> None:
        """Replace the file atomically. Raises AdministrationError."""
        try:
            if self.path.exists():
                self._before = self.path.read_bytes(), self.path.stat().st_mode & 0o777
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, self.text.encode(), self.mode)
        except OSError as error:
            raise AdministrationError(f"cannot {self}: {error.strerror}") from None

    def undo(self) -> None:
        with suppress(OSError):
            if self._before is None:
                self.path.unlink()
            else:
                replace_file(self.path, *self._before)


class RunCommand:
    """Run a program, and another one when the step is undone."""

    details = ""
    needed = True

    def __init__(self, *argv: str, undo: Sequence[str] = ()) -> None:
        self.argv = argv
        self._undo = tuple(undo)

    def __str__(self) -> str:
        return f"run {' '.join(self.argv)}"

    def apply(self) -> None:
        """Run it. Raises AdministrationError with its output if it fails."""
        _run(self.argv)

    def undo(self) -> None:
        if self._undo:
            with suppress(AdministrationError):
                _run(self._undo)


def _run(argv: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, errors="replace", timeout=_COMMAND_TIME,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AdministrationError(f"cannot run {' '.join(argv)}: {error}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[:_OUTPUT]
        raise AdministrationError(f"{' '.join(argv)} failed: {said or done.returncode}")


class SubsystemLine:
    """The line for the subsystem in sshd's configuration, in front of everything else.

    ``socket`` is that of a server whose store the subsystem does not find by itself.
    `sshd -t` checks the new file before it takes the place of the old one.
    """

    def __init__(
        self, program: str, configuration: Path, *, sshd: str = "", socket: Path | None = None
    ) -> None:
        self.path = configuration
        self._sshd = sshd or shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        option = f" --socket {shlex.quote(str(socket))}" if socket else ""
        self.line = f"Subsystem powershell {program} endpoint subsystem{option}"
        self._before: bytes | None = None

    def __str__(self) -> str:
        return f"add the subsystem to {self.path}"

    @property
    def details(self) -> str:
        return self.line + "\n"

    @property
    def needed(self) -> bool:
        """False if the line is there."""
        try:
            return self.line not in self.path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return True

    def apply(self) -> None:
        """Check and change the file. Raises AdministrationError, and then nothing has changed."""
        if not self._sshd:
            raise AdministrationError("cannot add the subsystem: there is no sshd")
        try:
            before = self.path.read_bytes()
            mode = self.path.stat().st_mode & 0o777
            replace_file(self.path, self.line.encode() + b"\n" + before, mode)
        except OSError as error:
            raise AdministrationError(f"cannot change {self.path}: {error.strerror}") from None
        self._before = before
        try:
            _run((self._sshd, "-t", "-f", str(self.path)))
        except AdministrationError as error:
            self.undo()
            raise AdministrationError(
                f"sshd refuses the subsystem, and {self.path} was left as it was: {error}"
            ) from None

    def undo(self) -> None:
        if self._before is not None:
            with suppress(OSError):
                replace_file(self.path, self._before, self.path.stat().st_mode & 0o777)


Step = WriteFile | RunCommand | SubsystemLine


class Installation:
    """Steps that are done together: if one fails, those before it are undone."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = [each for each in steps if each.needed]

    def apply(self) -> list[str]:
        """Carry out the steps; return what was done. Raises AdministrationError."""
        done: list[Step] = []
        try:
            for each in self.steps:
                each.apply()
                done.append(each)
        except BaseException:
            for each in reversed(done):
                each.undo()
            raise
        return [str(each) for each in done]


def service_steps(program: str, store: Path, *, user: bool = False) -> list[Step]:
    """Return the steps that install and start the server on this system."""
    if sys.platform == "darwin":
        return _launchd_steps(program, store, user=user)
    folder = Path("/etc/systemd/system")
    manager = ["systemctl"]
    if user:
        home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        folder = Path(home).expanduser() / "systemd" / "user"
        manager = ["systemctl", "--user"]
    steps: list[Step] = [
        WriteFile(folder / SERVICE_NAME, systemd_service(program, store, user=user)),
        WriteFile(folder / SOCKET_NAME, systemd_socket(store)),
    ]
    changed = any(each.needed for each in steps)
    if changed and shutil.which("systemctl") and Path("/run/systemd/system").is_dir():
        units = (SOCKET_NAME, SERVICE_NAME)
        steps += [
            RunCommand(*manager, "daemon-reload", undo=[*manager, "daemon-reload"]),
            RunCommand(*manager, "enable", "--now", *units, undo=[*manager, "disable", *units]),
        ]
    return steps


def _launchd_steps(program: str, store: Path, *, user: bool) -> list[Step]:
    folder = Path.home() / "Library/LaunchAgents" if user else Path("/Library/LaunchDaemons")
    path = folder / f"{LAUNCHD_LABEL}.plist"
    write = WriteFile(path, launchd_plist(program, store))
    domain = f"gui/{os.getuid()}" if user else "system"
    if not write.needed:
        return [write]
    return [
        write,
        RunCommand(
            "launchctl", "bootstrap", domain, str(path),
            undo=("launchctl", "bootout", f"{domain}/{LAUNCHD_LABEL}"),
        ),
    ]  # fmt: skip
