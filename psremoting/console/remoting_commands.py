"""Enable-PSRemoting and Disable-PSRemoting."""

from __future__ import annotations

import datetime
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from psremoting.administration.configurations import (
    AdministrationError,
    EngineKind,
    ListenerSetting,
    SessionConfiguration,
    TransportOption,
    checked_listener,
)
from psremoting.administration.identities import current_user
from psremoting.administration.installing import (
    Installation,
    RunCommand,
    Step,
    SubsystemLine,
    service_steps,
)
from psremoting.administration.permissions import denies_network, with_network_denied
from psremoting.administration.self_signed import make_certificate
from psremoting.administration.sockets import is_served, local_socket, subsystem_socket
from psremoting.administration.store import Store
from psremoting.administration.store_file import SYSTEM_STORE, default_store_path, store_exists
from psremoting.console.configuration_commands import change_configuration, enable_all
from psremoting.console.configuration_settings import DEFAULT_PROCESS
from psremoting.console.confirmation import Confirmation, show_verbose, show_warning
from psremoting.console.error_reports import CommandFailure
from psremoting.console.wsman_connections import ask_credential
from psrp.clixml import Credential
from psrp.records import ErrorCategory
from wsman.accounts import Account, AccountsError, checked_account_name, new_account

if TYPE_CHECKING:
    from psremoting.console.calls import Call

__all__ = ["disable_psremoting", "enable_psremoting"]

_HTTP, _HTTPS = 5985, 5986
_DEMO = "psremoting.endpoint.demo:DEMO"
_DEFAULT_NAME = "Microsoft.PowerShell"
_VERSION = re.compile(r"PowerShell (\d+)([.\d]*)(-[\w.]+)?")
_SSHD_CONFIG = "/etc/ssh/sshd_config"
_ELEVATION = (
    'Access is denied. To run this cmdlet, start PowerShell with the "Run as administrator" option.'
)
_ENABLE_WARNING = (
    "PowerShell remoting has been enabled only for PowerShell 6+ configurations and does not "
    "affect Windows PowerShell remoting configurations. Run this cmdlet in Windows PowerShell to "
    "affect all PowerShell remoting configurations."
)
_DISABLE_WARNINGS = (
    "PowerShell remoting has been disabled only for PowerShell 6+ configurations and does not "
    "affect Windows PowerShell remoting configurations. Run this cmdlet in Windows PowerShell to "
    "affect all PowerShell remoting configurations.",
    "Disabling the session configurations does not undo all the changes made by the "
    "Enable-PSRemoting or Enable-PSSessionConfiguration cmdlet. You might have to manually undo "
    "the changes by following these steps:\n"
    "    1. Stop and disable the WinRM service.\n"
    "    2. Delete the listener that accepts requests on any IP address.\n"
    "    3. Disable the firewall exceptions for WS-Management communications.\n"
    "    4. Restore the value of the LocalAccountTokenFilterPolicy to 0, which restricts remote "
    "access to members of the Administrators group on the computer.",
)
_FIREWALLS = {
    "ufw": "ufw allow {port}/tcp",
    "firewall-cmd": "firewall-cmd --permanent --add-port={port}/tcp",
    "nft": "nft add rule inet filter input tcp dport {port} accept",
}


class _NotElevated(CommandFailure):
    error_id = "System.InvalidOperationException"
    category = ErrorCategory.NotSpecified
    exception_type = "System.InvalidOperationException"


class _CannotDisable(CommandFailure):
    error_id = "CannotDisableRemoting"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.InvalidOperationException"


class _CannotEnable(CommandFailure):
    error_id = "CannotEnableRemoting"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.InvalidOperationException"


def _store_path(call: Call) -> Path:
    """Return the path of the store. Raises CommandFailure without root and without -User."""
    given = call.binding["Store"] or os.environ.get("PSRP_STORE")
    if os.geteuid() != 0 and not call.binding["User"] and not given:
        raise _NotElevated(_ELEVATION)
    return Path(given).expanduser() if given else default_store_path()


# -- Enable-PSRemoting


async def enable_psremoting(call: Call) -> None:
    await call.bind()
    try:
        await _enable(call, _store_path(call))
    except AdministrationError as error:
        raise _CannotEnable(str(error)) from None


async def _enable(call: Call, path: Path) -> None:
    given = call.binding
    installation = Installation(_steps(call, path))
    if given["Print"]:
        call.workspace.surface.output(_printed(call, path, installation))
        return
    if not given["WhatIf"]:
        show_warning(call, _ENABLE_WARNING)
    ask = Confirmation(call)
    account = await _account(call)
    planned = "\n".join(
        f"    {at}. {text}" for at, text in enumerate(_plan(call, path, installation), 1)
    )
    wanted = await ask.allow_described(
        f'Performing operation "Set-WSManQuickConfig".\n{planned}'.rstrip(),
        'Running command "Set-WSManQuickConfig" to enable remote management of this computer by '
        f"using WS-Management.\n This includes:\n{planned}\n\nDo you want to continue?",
        "WinRM Quick Configuration",
    )
    if given["WhatIf"] and not store_exists(path):
        call.workspace.surface.output(f"What if: {_registered(call)}.")
        return
    with Store.open(path, create=True) as store:
        if wanted:
            with store.transaction():
                _prepare(call, store, account)
        await enable_all(call, store, ask, ["*"])
        await _register_missing(call, store, ask)
    if wanted:
        for done in installation.apply():
            show_verbose(call, f"Done: {done}.")
        _name_firewall(call, path)
        if not _has_service(call, path) and not is_served(local_socket(path)):
            show_warning(
                call,
                "No service was installed. This command serves the store: "
                f"psrp endpoint serve --store {shlex.quote(str(path.absolute()))}",
            )


def _listeners(path: Path) -> Sequence[ListenerSetting]:
    if not store_exists(path):
        return []
    with Store.open(path) as store:
        return store.listeners()


def _wanted(call: Call, path: Path, there: Sequence[ListenerSetting]) -> list[ListenerSetting]:
    """Return the listeners to create or change. Without -Address those of ``there`` suffice."""
    given = call.binding
    secure = bool(given["UseSSL"])
    wanted: list[ListenerSetting] = []
    for transport, default in (("HTTP", _HTTP), ("HTTPS", _HTTPS))[: 2 if secure else 1]:
        port = given["Port"] if secure == (transport == "HTTPS") else 0
        same = {each.address: each for each in there if each.transport == transport}
        if given["Address"]:
            address = given["Address"]
            addresses = [address if address == "*" else f"IP:{address.removeprefix('IP:')}"]
        else:
            addresses = [each.address for each in same.values() if each.enabled]
            addresses = addresses or list(same) or ["*"]
        for address in addresses:
            old = same.get(address)
            if old is not None and old.enabled and not port:
                continue
            made = ListenerSetting(address=address, transport=transport, port=port or default)
            if transport == "HTTPS":
                made = replace(
                    made, hostname=socket.gethostname(), certificate=str(_certificate(path))
                )
            wanted.append(checked_listener(made))
    return wanted


def _certificate(path: Path) -> Path:
    return path.absolute().parent / "certificate.pem"


def _has_service(call: Call, path: Path) -> bool:
    own = path.absolute() == SYSTEM_STORE or call.binding["User"]
    return bool(own and not call.binding["NoService"])


def _steps(call: Call, path: Path) -> list[Step]:
    """Return the steps outside of the store: the server, and sshd's subsystem."""
    program = os.path.abspath(shutil.which("psrp") or sys.argv[0])
    steps: list[Step] = []
    if _has_service(call, path):
        steps += service_steps(program, path.absolute(), user=bool(call.binding["User"]))
    if call.binding["Subsystem"]:
        found = path.absolute() in (SYSTEM_STORE, default_store_path({}).absolute())
        configuration = Path(call.binding["SshdConfig"] or _SSHD_CONFIG)
        steps.append(
            SubsystemLine(program, configuration, socket=None if found else subsystem_socket(path))
        )
        if Path("/run/systemd/system").is_dir() and not call.binding["SshdConfig"]:
            steps.append(RunCommand("systemctl", "reload", "ssh"))
    return steps


def _plan(call: Call, path: Path, installation: Installation) -> list[str]:
    """Return what is done besides the session configurations, a line each."""
    lines = [f"Creating the store {path}"] if not store_exists(path) else []
    for each in _wanted(call, path, _listeners(path)):
        where = "any IP address" if each.address == "*" else each.address.removeprefix("IP:")
        lines.append(
            f"Creating a listener to accept {each.transport} requests on {where}, port {each.port}"
        )
    if call.binding["UseSSL"] and not os.path.exists(_certificate(path)):
        lines.append(f"Making a self-signed certificate, {_certificate(path)}")
    if call.binding["Account"]:
        lines.append(f"Creating the account {call.binding['Account']}")
    lines += [f"{str(each)[:1].upper()}{str(each)[1:]}" for each in installation.steps]
    return lines


def _printed(call: Call, path: Path, installation: Installation) -> str:
    parts = _plan(call, path, installation)
    parts.append(_registered(call))
    for each in installation.steps:
        if each.details:
            parts += ["", f"# {each.path}" if not isinstance(each, RunCommand) else "",
                      each.details.rstrip("\n")]  # fmt: skip
    return "\n".join(parts)


def _registered(call: Call) -> str:
    names = ", ".join(name for name, _, _ in _standard(call.binding["Functions"]))
    return f"Registering, if missing, and enabling the session configurations {names}"


async def _account(call: Call) -> Account | None:
    """Return the account to create; its password is asked for if it is not in PSRP_PASSWORD."""
    name = call.binding["Account"]
    if not name:
        return None
    try:
        checked_account_name(name)
        if call.binding["WhatIf"]:
            return None
        call.binding.values["Credential"] = name
        await ask_credential(call, call.binding, always=True)
        found = call.binding.values.pop("Credential")
        assert isinstance(found, Credential)
        password = found.password.reveal()
        return new_account(name, password, salt=os.urandom(16), ntlm=True)
    except AccountsError as error:
        raise _CannotEnable(str(error)) from None


def _prepare(call: Call, store: Store, account: Account | None) -> None:
    """Create listeners, certificate and account, as far as they are missing."""
    for each in _wanted(call, store.path, store.listeners()):
        if each.transport == "HTTPS":
            found = make_certificate(
                Path(each.certificate), each.hostname, now=datetime.datetime.now(datetime.UTC)
            )
            each = replace(each, thumbprint=found.sha1)
            call.workspace.surface.output(
                f"Certificate of {each.hostname}: thumbprint {found.sha1}, SHA-256 {found.sha256}"
            )
        with store.changing(
            who=current_user(), action=call.table.name, target="listener",
            detail=f"{each.transport} {each.address} {each.port}",
        ):  # fmt: skip
            store.put_listener(each)
        show_verbose(
            call,
            f"A listener for {each.transport} at {each.address}, port {each.port} was created.",
        )
    if account is not None:
        with store.changing(who=current_user(), action=call.table.name, target="account",
                            detail=account.name):  # fmt: skip
            store.put_account(account)
        show_verbose(call, f"The account {account.name} was created.")


def _standard(functions: str | None) -> list[tuple[str, EngineKind, str]]:
    """Return the session configurations of this computer: name, kind and source.

    PowerShell registers one for its version and one for its major version; clients ask for
    Microsoft.PowerShell if they name none.
    """
    program = None if functions else shutil.which("pwsh")
    if program is None:
        return [(_DEFAULT_NAME, EngineKind.FUNCTIONS, functions or _DEMO)]
    names = [_DEFAULT_NAME]
    try:
        said = subprocess.run(
            [program, "-NoLogo", "-Version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    if (found := _VERSION.fullmatch(said.strip())) is not None:
        major, rest, preview = found[1], found[2], found[3] or ""
        names.append(f"PowerShell.{major}{'-preview' if preview else ''}")
        names.append(f"PowerShell.{major}{rest}{preview}")
    return [(name, EngineKind.PROCESS, DEFAULT_PROCESS) for name in names]


async def _register_missing(call: Call, store: Store, ask: Confirmation) -> None:
    for name, kind, source in _standard(call.binding["Functions"]):
        if store.configuration(name) is not None:
            continue
        if not await ask.allow(
            f'The session configuration "{name}" was not found. Running command '
            f'"Register-PSSessionConfiguration {name} -force" to create the "{name}" session '
            "configuration.",
            "Registering session configuration",
        ):
            continue
        made = SessionConfiguration(
            name=name, kind=kind, source=source,
            transport_option=TransportOption(max_sessions_per_user=25, max_idle_timeout=2_147_483),
        )  # fmt: skip
        with store.changing(
            who=current_user(), action=call.table.name, target=name, detail="registered"
        ):
            store.put_configuration(made)
        show_verbose(call, f'The session configuration "{name}" was registered.')


def _name_firewall(call: Call, path: Path) -> None:
    """Name a firewall that may keep clients away; nothing is changed."""
    for program, command in _FIREWALLS.items():
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            ports = sorted({each.port for each in _listeners(path) if each.enabled})
            admit = "; ".join(command.format(port=port) for port in ports)
            show_warning(
                call, f"The firewall was not changed. If {program} is in use, clients need: {admit}"
            )
            return


# -- Disable-PSRemoting


async def disable_psremoting(call: Call) -> None:
    await call.bind()
    try:
        await _disable(call, _store_path(call))
    except AdministrationError as error:
        raise _CannotDisable(str(error)) from None


async def _disable(call: Call, path: Path) -> None:
    for text in _DISABLE_WARNINGS:
        show_warning(call, text)
    if not store_exists(path):
        return
    ask = Confirmation(call)
    with Store.open(path) as store:
        for each in store.configurations():
            if not each.enabled or denies_network(each.sddl):
                continue
            sddl = with_network_denied(each.sddl)
            if await ask.allow(
                f"Name: {each.name} SDDL: {sddl}. This denies remote access to this session "
                "configuration.",
                "Set-PSSessionConfiguration",
            ):
                change_configuration(
                    store, call, each.name,
                    lambda old: replace(old, sddl=with_network_denied(old.sddl)),
                )  # fmt: skip
