"""The process engine of a session configuration: which program, as which user, with what.

The program gets an environment of its own, and nothing of the server's. A `.pssc` file reaches
PowerShell as ``-ConfigurationFile``, with the roles of the client already applied, because
PowerShell on Linux refuses role definitions there.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from psremoting.administration.configurations import AdministrationError
from psremoting.configuration_files.file_keys import SERVER_KEYS, hashtables
from psremoting.endpoint import program_launcher
from psremoting.endpoint.process import ProcessEngine, ProcessSession
from psremoting.powershell.data_language import write_data
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary
from psrp.frozen import dataclass

if TYPE_CHECKING:
    import pwd

    from psremoting.endpoint.engine import Link

__all__ = ["CONFIGURATION_PLACE", "ConfiguredProcess", "ProcessSettings"]

CONFIGURATION_PLACE = "{configuration}"
"""Stands for the path of the configuration file in a command line."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("LANG", "LC_ALL", "TZ", "TMPDIR", "DOTNET_ROOT", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT")
"""The variables that a program gets from the server; none of them is secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """The settings of a configuration that concern its program."""

    name: str
    table: Dictionary | None = None
    """The keys of a `.pssc` file for this client, or None."""
    run_as: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    working_directory: str = ""
    max_memory: int | None = None
    """MiB of memory of each process."""
    max_processes: int | None = None
    """Processes that the user may have; the kernel counts all of the user's."""


class ConfiguredProcess(ProcessEngine):
    """Engine that starts the program of a configuration for one client. Raises
    AdministrationError."""

    def __init__(
        self,
        command: Sequence[str],
        settings: ProcessSettings,
        *,
        client: str,
        reconnects: bool = False,
    ) -> None:
        user = _local_user(settings)
        environment = _environment(settings, user, client)
        program = _program(settings, command[0], environment)
        if settings.table is not None:
            _check_table(settings, command)
        super().__init__((program, *command[1:]), env=environment, reconnects=reconnects)
        self._settings = settings
        self._user = user

    def open(self, link: Link) -> ProcessSession:
        return _ConfiguredSession(self, link)

    def start(self, folder: str | None) -> ProcessEngine:
        """Return the engine of one session, whose configuration file is in ``folder``."""
        argv = list(self.argv)
        table = self._settings.table
        if table is not None and folder is not None:
            path = str(_write_configuration(Path(folder), table, self._user))
            if any(CONFIGURATION_PLACE in each for each in argv):
                argv = [each.replace(CONFIGURATION_PLACE, path) for each in argv]
            else:
                argv += ["-ConfigurationFile", path]
        launch: dict[str, Any] = {
            "directory": self._settings.working_directory or self._home(),
            "directory_required": bool(self._settings.working_directory),
            "memory": self._settings.max_memory,
            "processes": self._settings.max_processes,
        }
        if self._user is not None and self._settings.run_as:
            launch["user"] = self._user.pw_name
        launcher = [sys.executable, "-I", "-S", program_launcher.__file__, json.dumps(launch)]
        return ProcessEngine(
            [*launcher, *argv], env=self.env, patience=self.patience, reconnects=self.reconnects
        )

    @property
    def has_file(self) -> bool:
        return self._settings.table is not None

    def _home(self) -> str:
        return (self.env or {}).get("HOME", "/")


class _ConfiguredSession(ProcessSession):
    """A session whose configuration file exists as long as its program."""

    def __init__(self, engine: ConfiguredProcess, link: Link) -> None:
        folder = tempfile.mkdtemp(prefix="psrp-") if engine.has_file else None
        try:
            super().__init__(engine.start(folder), link)
        except BaseException:
            _remove(folder)
            raise
        self._folder = folder

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            await super().run(task_status=task_status)
        finally:
            _remove(self._folder)


def _remove(folder: str | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _local_user(settings: ProcessSettings) -> pwd.struct_passwd | None:
    """Return the user that the program runs as. Raises AdministrationError."""
    import pwd

    if not settings.run_as:
        try:
            return pwd.getpwuid(os.geteuid())
        except KeyError:
            return None
    try:
        user = pwd.getpwnam(settings.run_as)
    except KeyError:
        raise AdministrationError(
            f"{settings.name}: RunAsCredential: there is no local user {settings.run_as!r}"
        ) from None
    if os.geteuid() not in (0, user.pw_uid):
        raise AdministrationError(
            f"{settings.name}: RunAsCredential: only a server that runs as root can run sessions "
            f"as {settings.run_as!r}"
        )
    return user


def _environment(
    settings: ProcessSettings, user: pwd.struct_passwd | None, client: str
) -> dict[str, str]:
    found = {name: os.environ[name] for name in _KEPT if name in os.environ}
    is_own = user is None or user.pw_uid == os.geteuid()
    found["PATH"] = os.environ.get("PATH", _PATH) if is_own else _PATH
    if user is not None:
        found |= {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
        found["SHELL"] = user.pw_shell or "/bin/sh"
    found["PSRP_CLIENT"] = client
    if settings.table is not None:
        for table in hashtables(settings.table.get("EnvironmentVariables")) or ():
            found |= {to_text(name): to_text(value) for name, value in table.items()}
    found |= dict(settings.environment)
    return found


def _program(settings: ProcessSettings, name: str, environment: Mapping[str, str]) -> str:
    """Return the full path of the program. Raises AdministrationError."""
    places = [each for each in environment["PATH"].split(os.pathsep) if os.path.isabs(each)]
    found = shutil.which(name, path=None if os.path.dirname(name) else os.pathsep.join(places))
    if found is None:
        raise AdministrationError(f"{settings.name}: the program {name!r} was not found")
    return os.path.abspath(found)


def _check_table(settings: ProcessSettings, command: Sequence[str]) -> None:
    """Raise AdministrationError unless the program takes the file."""
    is_powershell = os.path.basename(command[0]).casefold().startswith(("pwsh", "powershell"))
    if not is_powershell and not any(CONFIGURATION_PLACE in each for each in command):
        raise AdministrationError(
            f"{settings.name}: {command[0]} takes no configuration file: expected pwsh, or "
            f"{CONFIGURATION_PLACE} in the command line"
        )


def _write_configuration(folder: Path, table: Dictionary, user: pwd.struct_passwd | None) -> Path:
    """Write the file for PowerShell, which only the user of the session can read."""
    known = {each.casefold() for each in SERVER_KEYS}
    own = Dictionary(
        (key, value) for key, value in table.items() if to_text(key).casefold() in known
    )
    path = folder / "session.pssc"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write("\ufeff" + write_data(own))
    if user is not None and os.geteuid() == 0:
        os.chown(path, user.pw_uid, user.pw_gid)
        os.chown(folder, user.pw_uid, user.pw_gid)
    return path
