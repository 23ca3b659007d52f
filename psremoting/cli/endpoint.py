"""`psrp endpoint`: the administered endpoint of this machine, its server and its sessions."""

from __future__ import annotations

import grp
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from psremoting.administration.configurations import AdministrationError, SessionRecord
from psremoting.administration.store import Store
from psremoting.administration.store_file import default_store_path
from psremoting.cli.shell_completion import complete_file

__all__ = ["endpoint"]

_CMDLETS = {
    "enable": "Enable-PSRemoting",
    "disable": "Disable-PSRemoting",
    "list": "Get-PSSessionConfiguration",
    "get": "Get-PSSessionConfiguration",
    "set": "Set-PSSessionConfiguration",
    "register": "Register-PSSessionConfiguration",
    "unregister": "Unregister-PSSessionConfiguration",
}
"""Our names of PowerShell's commands; they take the parameters of these."""
_STORE = click.option(
    "--store",
    "path",
    metavar="PATH",
    type=click.Path(path_type=Path, dir_okay=False),
    shell_complete=complete_file,
    help="The store (default: PSRP_STORE, /var/lib/psremoting/endpoint.db for root, else the "
    "user's own).",
)
_EPILOG = """\b
PowerShell's commands by other names, with the same parameters:
  enable, disable    Enable-PSRemoting, Disable-PSRemoting
  list, get          Get-PSSessionConfiguration
  set                Set-PSSessionConfiguration
  register           Register-PSSessionConfiguration
  unregister         Unregister-PSSessionConfiguration

\b
Examples:
  psrp endpoint enable --force
  psrp endpoint register Tools --functions mytools.remote:commands
  psrp endpoint set Tools --access-mode Local
  psrp endpoint status
  psrp endpoint sessions
"""


class _EndpointGroup(click.Group):
    """The group, with PowerShell's commands under our names."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _CMDLETS:
            from psremoting.cli.local_prompt import cmdlet

            return cmdlet(_CMDLETS[cmd_name])
        return super().get_command(ctx, cmd_name)


@contextmanager
def opened(path: Path | None, *, create: bool = False) -> Iterator[Store]:
    """Open the store; errors of the administration are errors of the command."""
    try:
        with Store.open((path or default_store_path()).expanduser(), create=create) as store:
            yield store
    except AdministrationError as error:
        raise click.ClickException(str(error)) from None


@click.group(cls=_EndpointGroup, epilog=_EPILOG)
def endpoint() -> None:
    """Administer this machine's endpoint: session configurations, access, sessions, and its server.

    Everything is kept in a store, which a running server follows without a restart.
    """


# -- the server


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint serve")
@_STORE
def serve(path: Path | None) -> None:
    """Run the server in the foreground until a signal arrives."""
    from psremoting.cli.endpoint_serving import run_endpoint

    with opened(path) as store:
        sys.exit(run_endpoint(store))


@endpoint.command(
    epilog="\b\nExamples:\n  psrp endpoint subsystem\n  psrp endpoint subsystem Tools"
)
@click.argument("configuration", default="")
@click.option(
    "--socket",
    type=click.Path(path_type=Path),
    help="The socket of the running server (default: that of this user's or the system's "
    "endpoint).",
)
def subsystem(configuration: str, socket: Path | None) -> None:
    """Connect stdin and stdout to the running server, as a subsystem of sshd.

    In sshd_config: Subsystem powershell /usr/bin/psrp endpoint subsystem

    CONFIGURATION is the session configuration (default: Microsoft.PowerShell).
    """
    from psremoting.cli.endpoint_serving import run_subsystem

    sys.exit(run_subsystem(configuration, socket))


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint status")
@_STORE
def status(path: Path | None) -> None:
    """Show listeners, configurations, sessions, and who can reach what from where."""
    from psremoting.cli.endpoint_status import status_lines

    with opened(path) as store:
        click.echo("\n".join(status_lines(store)))


# -- sessions


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint sessions")
@_STORE
def sessions(path: Path | None) -> None:
    """List the sessions with owner, client, state, idle and run time."""
    with opened(path) as store:
        found = store.sessions()
    now = time.time()
    rows = [_session_row(each, now) for each in found]
    head = ("Id", "Owner", "Client", "Transport", "Configuration", "State", "Idle", "Run time")
    click.echo(table([head, *rows]) if rows else "There are no sessions.")


def _session_row(session: SessionRecord, now: float) -> tuple[str, ...]:
    return (
        session.id,
        session.owner,
        session.address or "this computer",
        session.transport,
        session.configuration,
        session.state,
        span(now - session.active),
        span(now - session.started),
    )


def span(seconds: float) -> str:
    """Return a time span as PowerShell shows one: ``00:01:05``, ``1.02:03:04``."""
    from psremoting.powershell.string_conversion import to_text
    from psrp.clixml import TimeSpan

    return to_text(TimeSpan.from_timedelta(timedelta(seconds=max(int(seconds), 0))))


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows with aligned columns; the first row is the head."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _ask_server(path: Path | None, session: str, action: str) -> None:
    from psremoting.administration.identities import current_user

    with opened(path) as store:
        fitting = [each for each in store.sessions() if each.id.startswith(session.upper())]
        if len(fitting) != 1:
            found = f"{len(fitting)} sessions have" if fitting else "no session has"
            raise click.ClickException(f"{found} an id that begins with {session}")
        (chosen,) = fitting
        if action == "disconnect" and chosen.transport != "WSMan":
            raise click.ClickException(
                "a session over SSH cannot be disconnected; psrp endpoint remove ends it"
            )
        store.request(chosen.id, action, current_user())
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            now = {each.id: each.state for each in store.sessions()}
            if now.get(chosen.id, "gone") in ("gone", "Disconnected"):
                click.echo(f"{chosen.id}: {'removed' if chosen.id not in now else 'disconnected'}")
                return
            time.sleep(0.1)
    raise click.ClickException("the server of the session does not answer")


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint disconnect 0D1F")
@click.argument("session")
@_STORE
def disconnect(session: str, path: Path | None) -> None:
    """Disconnect the client of SESSION; its work continues, and the owner may reconnect.

    SESSION is the id, or its beginning.
    """
    _ask_server(path, session, "disconnect")


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint remove 0D1F")
@click.argument("session")
@_STORE
def remove(session: str, path: Path | None) -> None:
    """End SESSION and everything that runs in it."""
    _ask_server(path, session, "remove")


# -- the store


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint listener\n"
                  "  psrp endpoint listener --remove HTTP --address '*'")  # fmt: skip
@click.option("--remove", "transport", type=click.Choice(["HTTP", "HTTPS"], case_sensitive=False),
              help="Remove the listener with this transport.")  # fmt: skip
@click.option("--address", default="*", show_default=True, help="The address of that listener.")
@_STORE
def listener(transport: str | None, address: str, path: Path | None) -> None:
    """Show the listeners, or remove one; Enable-PSRemoting creates them.

    Open connections stay.
    """
    from psremoting.administration.identities import current_user
    from psremoting.cli.endpoint_status import listener_text

    with opened(path) as store:
        if transport is None:
            for each in store.listeners():
                click.echo(listener_text(each))
            return
        wanted = ("*" if address == "*" else f"IP:{address.removeprefix('IP:')}", transport.upper())
        for each in store.listeners():
            if (each.address, each.transport) == wanted:
                with store.changing(who=current_user(), action="listener remove",
                                    target=f"{each.transport} {each.address}"):  # fmt: skip
                    store.remove_listener(each)
                return
        raise click.ClickException(f"there is no listener for {transport} at {address}")


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint audit --last 20")
@click.option("--last", default=100, show_default=True, type=click.IntRange(1),
              help="Show this many records.")  # fmt: skip
@_STORE
def audit(last: int, path: Path | None) -> None:
    """Show the audit trail: log-ons, sessions, commands, and changes of the configuration."""
    with opened(path) as store:
        trail = store.audit_trail(last=last)
    for each in trail:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.time))
        words = (when, each.who or "-", each.address or "-", each.action, each.target, each.detail)
        click.echo("  ".join(_one_line(word) for word in words).rstrip())


def _one_line(text: str) -> str:
    from psremoting.powershell.sanitizer import one_line

    return one_line(text)


@endpoint.command("export", epilog="\b\nExamples:\n  psrp endpoint export > endpoint.json")
@click.option("--no-accounts", is_flag=True, help="Leave the accounts and their hashes out.")
@_STORE
def export_command(no_accounts: bool, path: Path | None) -> None:
    """Write the store as JSON: configurations, listeners, accounts, groups, quotas."""
    from psremoting.administration.exchange import export_store

    with opened(path) as store:
        click.echo(export_store(store, accounts=not no_accounts), nl=False)


@endpoint.command("import", epilog="\b\nExamples:\n  psrp endpoint import endpoint.json")
@click.argument("file", shell_complete=complete_file)
@_STORE
def import_command(file: str, path: Path | None) -> None:
    """Add what a JSON file (-: standard input) of `psrp endpoint export` holds; all or nothing."""
    from psremoting.administration.exchange import import_store
    from psremoting.administration.identities import current_user

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.ClickException(f"cannot read {file}: {reason}") from None
    with opened(path, create=True) as store:
        import_store(store, text, who=current_user())


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint group 'BUILTIN\\Administrators' @wheel "
                  "carol\n  psrp endpoint group")  # fmt: skip
@click.argument("name", default="")
@click.argument("members", nargs=-1)
@click.option("--clear", is_flag=True, help="Remove all members.")
@_STORE
def group(name: str, members: tuple[str, ...], clear: bool, path: Path | None) -> None:
    """Show the groups, or set the MEMBERS of one: users, and @GROUP of the operating system.

    The members of BUILTIN\\Administrators and BUILTIN\\Remote Management Users may use a new
    configuration.
    """
    from psremoting.administration.identities import current_user

    with opened(path, create=bool(name)) as store:
        if name and (members or clear):
            is_new = name.casefold() not in store.groups() and not store.known_sid(name)
            with store.changing(
                who=current_user(), action="group", target=name, detail=", ".join(members)
            ):
                store.set_members(name, members)
            _tell_unknown(name, members, is_new=is_new)
            return
        for each, found in store.groups().items():
            if not name or each == name.casefold():
                click.echo(_one_line(f"{each}: {', '.join(found)}"))


def _tell_unknown(group: str, members: tuple[str, ...], *, is_new: bool) -> None:
    """Say what may be a mistake: a group that was not there, and groups this system lacks."""
    if is_new and members:
        click.echo(f"The group {group} was not there and has been created.", err=True)
    known = {each.gr_name for each in grp.getgrall()}
    for each in members:
        if each.startswith("@") and each[1:] not in known:
            click.echo(f"This system has no group {each[1:]} at present.", err=True)


@endpoint.command(epilog="\b\nExamples:\n  psrp endpoint quota MaxShellsPerUser 10\n"
                  "  psrp endpoint quota")  # fmt: skip
@click.argument("name", default="")
@click.argument("value", default="")
@_STORE
def quota(name: str, value: str, path: Path | None) -> None:
    """Show the quotas of the service, or set one by WinRM's name.

    The server takes them up when it starts. Without VALUE defaults are shown, too.
    """
    from psremoting.administration.identities import current_user
    from psremoting.administration.service_settings import SETTING_DEFAULTS, checked_setting

    if name and value:
        try:
            checked_setting(name, value)
        except AdministrationError as error:
            raise click.ClickException(str(error)) from None
        if name == "keytab" and not Path(value).is_file():
            raise click.ClickException(f"keytab: there is no file {_one_line(value)}")
    with opened(path, create=bool(value)) as store:
        if name and value:
            with store.changing(who=current_user(), action="quota", target=name, detail=value):
                store.set_setting(name, value)
            return
        found = store.settings()
    for each, default in SETTING_DEFAULTS.items():
        if not name or each == name:
            text = found.get(each, f"{default or '-'} (default)")
            click.echo(f"{each} {_one_line(text)}")
