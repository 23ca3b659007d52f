"""The engine that serves a session configuration to one user."""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psremoting.administration.configurations import (
    AdministrationError,
    ConnectedUser,
    EngineKind,
    SessionConfiguration,
)
from psremoting.administration.security_identifiers import well_known_sid
from psremoting.configuration_files.file_reading import (
    ConfigurationFile,
    ConfigurationFileError,
    read_configuration_file,
)
from psremoting.configuration_files.roles import (
    check_usable,
    meets_required_groups,
    module_folders,
    with_roles,
)
from psremoting.configuration_files.visibility import visibility_of
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Engine
    from psremoting.endpoint.sender import Sender
    from psremoting.endpoint.transcripts import Transcript

__all__ = ["check_configuration_file", "engine_for", "is_role_of"]

_NOT_HERE = {
    "RunAsVirtualAccount": "virtual accounts exist on Windows only; RunAsCredential names a local "
    "user to run sessions as",
    "RunAsVirtualAccountGroups": "virtual accounts exist on Windows only",
    "GroupManagedServiceAccount": "group managed service accounts exist on Windows only; "
    "RunAsCredential names a local user to run sessions as",
}
_REQUIRED = (
    "Access is denied: {user} is not a member of the groups that the session configuration {name} "
    "requires."
)


def engine_for(
    configuration: SessionConfiguration, user: ConnectedUser, *, reconnects: bool = False
) -> Engine:
    """Return the engine of ``configuration`` for the session of ``user``.

    ``reconnects``: the carrier lets clients disconnect and connect. Raises AdministrationError.
    """
    try:
        table = _table(configuration, user)
        if configuration.kind is EngineKind.PROCESS:
            return _process(configuration, user, table, reconnects=reconnects)
        return _functions(configuration, user, table)
    except ConfigurationFileError as error:
        raise AdministrationError(f"{configuration.name}: {error.message}") from None


def _table(configuration: SessionConfiguration, user: ConnectedUser) -> Dictionary | None:
    """Return the keys of the configuration's file for a user, or None if there is nothing to
    apply. Raises ConfigurationFileError and AdministrationError."""
    if not configuration.path:
        return _own_keys(configuration)
    file = read_configuration_file(Path(configuration.path))
    file.check()
    _refuse_what_is_not_here(configuration.name, file)
    is_member = partial(is_role_of, user)
    groups = file.get("RequiredGroups")
    if groups is not None and not meets_required_groups(groups, is_member):
        raise AdministrationError(_REQUIRED.format(user=user.name, name=configuration.name))
    table = with_roles(file, is_member, module_folders())
    for name, value in (_own_keys(configuration) or Dictionary()).items():
        if name == "ScriptsToProcess":
            before = table.get(name)
            scripts = [] if before is None else [before] if isinstance(before, str) else [*before]
            table[name] = [*scripts, *value]
        elif name not in table:
            table[name] = value
    return table


def check_configuration_file(path: Path) -> None:
    """Check a .pssc file before it is registered. Raises ConfigurationFileError and
    AdministrationError."""
    file = read_configuration_file(path)
    file.check()
    check_usable(file)
    _refuse_what_is_not_here(path.name, file)


def _own_keys(configuration: SessionConfiguration) -> Dictionary | None:
    """Return the keys that are set without a file."""
    found: dict[str, Any] = {}
    if configuration.session_type:
        found["SessionType"] = configuration.session_type
    if configuration.modules_to_import:
        found["ModulesToImport"] = list(configuration.modules_to_import)
    if configuration.startup_script:
        found["ScriptsToProcess"] = [configuration.startup_script]
    return Dictionary({"SchemaVersion": "2.0.0.0", **found}) if found else None


def _refuse_what_is_not_here(name: str, file: ConfigurationFile) -> None:
    for key, reason in _NOT_HERE.items():
        if file.get(key):
            position = file.position(key)
            raise AdministrationError(
                f"{name}: {key} cannot be used ({file.name}, {position}): {reason}."
            )


def is_role_of(user: ConnectedUser, role: str) -> bool:
    """Return True if ``role`` names the user or one of the user's groups.

    Takes a SID, a well-known name such as ``BUILTIN\\Administrators``, the name of an account or
    a group, also after ``.\\`` or this computer's name, and ``DOMAIN\\name`` for the principal
    ``name@DOMAIN``.
    """
    if role in user.sids:
        return True
    if sid := well_known_sid(role):
        return sid in user.sids
    names = {user.name, user.local_user, *user.groups} - {""}
    if role in names:
        return True
    domain, backslash, name = role.partition("\\")
    if not backslash:
        return False
    if domain.casefold() in (".", socket.gethostname().casefold()):
        return name in names
    principal, at, realm = user.name.rpartition("@")
    return bool(at) and principal == name and realm.casefold() == domain.casefold()


# -- a program for each session


def _process(
    configuration: SessionConfiguration,
    user: ConnectedUser,
    table: Dictionary | None,
    *,
    reconnects: bool,
) -> Engine:
    from psremoting.endpoint.configured_process import ConfiguredProcess, ProcessSettings

    command = shlex.split(configuration.source)
    if not command:
        raise AdministrationError(f"{configuration.name}: the command line is empty")
    return ConfiguredProcess(
        command,
        ProcessSettings(
            name=configuration.name,
            table=table,
            run_as=_run_as(configuration, user),
            environment=configuration.environment,
            working_directory=configuration.working_directory,
            max_memory=configuration.transport_option.max_memory_per_session,
            max_processes=configuration.transport_option.max_processes_per_session,
        ),
        client=user.name,
        reconnects=reconnects,
    )


def _run_as(configuration: SessionConfiguration, user: ConnectedUser) -> str:
    """Return the local user that a program runs as; empty for the server's own.

    A server that runs as root starts nothing as root for a client who is not: without
    RunAsCredential the program runs as the client. Raises AdministrationError.
    """
    if configuration.run_as_user or os.geteuid() != 0:
        return configuration.run_as_user
    if not user.local_user:
        raise AdministrationError(
            f"{configuration.name}: {user.name} is no user of this computer, and the server runs "
            "as root: RunAsCredential has to name the user to run sessions as"
        )
    return user.local_user


# -- functions


def _functions(
    configuration: SessionConfiguration, user: ConnectedUser, table: Dictionary | None
) -> Engine:
    from psremoting.endpoint.catalog import Catalog
    from psremoting.endpoint.functions import FunctionsEngine
    from psremoting.endpoint.restricted_commands import restricted_catalog

    if configuration.run_as_user:
        raise AdministrationError(
            f"{configuration.name}: RunAsCredential needs a program for each session; Python "
            "functions run in the server, as its user"
        )
    copying = _copy_commands(configuration, user, table)
    if table is None:
        return FunctionsEngine({**_load(configuration), **copying})
    if table.get("ScriptsToProcess"):
        raise AdministrationError(
            f"{configuration.name}: the functions engine cannot run the scripts of "
            "ScriptsToProcess or StartupScript; only PowerShell can"
        )
    visibility = visibility_of(table)
    # As with PowerShell's user drive, the commands for copying are visible without being named.
    shown = Catalog.of(copying)
    directory = to_text(table.get("TranscriptDirectory"))
    engine = FunctionsEngine(
        _load(configuration),
        transcribe=_transcriber(directory, configuration.name) if directory else None,
        restrict=lambda catalog: restricted_catalog(catalog, visibility) | shown,
    )
    # What the file cannot mean for these functions is an error now, not in the first command.
    engine.prepare()
    return engine


def _transcriber(directory: str, name: str) -> Callable[[Sender], Transcript]:
    from psremoting.endpoint.transcripts import Transcript

    return lambda sender: Transcript.open(Path(directory), sender, configuration_name=name)


def _copy_commands(
    configuration: SessionConfiguration, user: ConnectedUser, table: Dictionary | None
) -> Mapping[str, Callable[..., Any]]:
    """Return the commands for copying files, where a folder is configured."""
    from psremoting.endpoint.confined_folder import ConfinedFolder
    from psremoting.endpoint.copy_commands import copy_commands, user_folder

    try:
        if configuration.copy_folder:
            root = Path(configuration.copy_folder)
            if not root.is_dir():
                raise AdministrationError(f"{configuration.name}: there is no folder {root}")
            return copy_commands(ConfinedFolder(root))
        if table is not None and table.get("MountUserDrive"):
            limit = table.get("UserDriveMaximumSize")
            return copy_commands(user_folder(_drives(), user.name, int(limit or 0)))
    except OSError as error:
        raise AdministrationError(
            f"{configuration.name}: cannot make the user's drive: {error.strerror}"
        ) from None
    return {}


def _drives() -> Path:
    """Return the folder of the user drives."""
    from psremoting.administration.store_file import state_folder

    return state_folder() / "drives"


def _load(configuration: SessionConfiguration) -> Mapping[str, Callable[..., Any]]:
    """Return the functions of ``MODULE:NAME``: a mapping, or a callable that returns one."""
    module, _, name = configuration.source.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not isinstance(found, Mapping) and callable(found):
            found = found()
    except Exception as error:
        # The module's own code may raise anything.
        raise AdministrationError(
            f"{configuration.name}: cannot load {configuration.source}: "
            f"{type(error).__name__}: {error}"
        ) from None
    if not isinstance(found, Mapping):
        raise AdministrationError(
            f"{configuration.name}: {configuration.source} is no mapping of commands to functions"
        )
    return found
