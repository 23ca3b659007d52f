"""`psrp account`: the accounts of a WS-Man endpoint."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psremoting.cli.shell_completion import complete_file
from psremoting.endpoint.accounts_file import read_accounts, write_accounts
from wsman.accounts import Account, Accounts, AccountsError, checked_account_name, new_account

if TYPE_CHECKING:
    from psremoting.administration.store import Store

__all__ = ["account"]

_ADD = """psrp account add carol --accounts /etc/psrp/accounts
  psrp account add carol --accounts /etc/psrp/accounts --ntlm --password-file secret.txt
  psrp account add carol --store /var/lib/psremoting/endpoint.db --ntlm"""
_LIST = "psrp account list --accounts /etc/psrp/accounts"
_REMOVE = "psrp account remove carol --accounts /etc/psrp/accounts"


def _epilog(*examples: str) -> str:
    return "\b\nExamples:\n" + "".join(f"  {each}\n" for each in examples)


_INTERRUPTED = 130
_FILE = click.Path(path_type=Path, dir_okay=False)


def _where(function: Any) -> Any:
    """Add the options that say where the accounts are."""
    for name, destination, metavar, text in (
        ("--store", "store", "PATH", "Use the accounts of this endpoint's store."),
        ("--accounts", "path", "FILE", "Use this accounts file. It is created with mode 600."),
    ):
        function = click.option(
            name, destination, metavar=metavar, type=_FILE, shell_complete=complete_file, help=text
        )(function)
    return function


@contextmanager
def _opened(path: Path | None, store: Path | None, *, must_exist: bool) -> Iterator[Accounts]:
    """Yield the accounts of a file or of a store; what the block changed is kept."""
    if (path is None) == (store is None):
        raise click.UsageError("expected one of --accounts FILE and --store PATH")
    if path is not None:
        accounts = _read(path, must_exist=must_exist)
        before = accounts.format()
        yield accounts
        if accounts.format() != before or (not must_exist and not path.exists()):
            _write(path, accounts)
        return
    assert store is not None
    from psremoting.administration.configurations import AdministrationError
    from psremoting.administration.store import Store

    try:
        with Store.open(store, create=not must_exist) as opened, opened.transaction():
            accounts = opened.accounts(on_error=_warn)
            old = {name: accounts.find(name) for name in accounts.names}
            yield accounts
            _keep(opened, old, {name: accounts.find(name) for name in accounts.names})
    except AdministrationError as error:
        raise click.ClickException(str(error)) from None


def _warn(error: AccountsError) -> None:
    click.echo(f"psrp: the accounts of the store: {error}", err=True)


def _keep(store: Store, old: dict[str, Account | None], new: dict[str, Account | None]) -> None:
    """Change a store's accounts, with a record in its audit trail."""
    from psremoting.administration.identities import current_user

    for name in old.keys() - new.keys():
        with store.changing(who=current_user(), action="account remove", target=name):
            store.remove_account(name)
    for name, account in new.items():
        if account is not None and account != old.get(name):
            with store.changing(who=current_user(), action="account add", target=name):
                store.put_account(account)


@click.group(epilog=_epilog(_ADD, _LIST, _REMOVE))
def account() -> None:
    """Manage the accounts of clients of `psrp serve --http`, `--https` and `psrp endpoint serve`.

    The file contains a salted hash of each password and, with --ntlm, its NT hash. An NT hash
    must be protected like the password: NTLM accepts it in place of the password. A running
    endpoint applies changes immediately.
    """


def _read(path: Path, *, must_exist: bool) -> Accounts:
    try:
        if not must_exist and not path.exists():
            return Accounts()
        return read_accounts(path)
    except OSError as error:
        raise click.ClickException(f"cannot read {path}: {error.strerror}") from None
    except AccountsError as error:
        raise click.ClickException(str(error)) from None


def _write(path: Path, accounts: Accounts) -> None:
    try:
        write_accounts(path, accounts)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None


def _password(file: str | None) -> str:
    if file is None:
        if (given := os.environ.get("PSRP_PASSWORD")) is not None:
            return given
        try:
            prompted: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        except click.Abort:
            click.echo("Aborted!", err=True)
            raise click.exceptions.Exit(_INTERRUPTED) from None
        return prompted
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"cannot read {file}: {error}") from None
    return text.removesuffix("\n").removesuffix("\r")


@account.command(epilog=_epilog(_ADD))
@click.argument("name")
@_where
@click.option(
    "--password-file",
    metavar="FILE",
    help="Read the password from FILE (-: standard input). Default: PSRP_PASSWORD if set, "
    "otherwise ask.",
)
@click.option("--ntlm", is_flag=True, help="Also allow NTLM and CredSSP for the account.")
def add(
    name: str, path: Path | None, store: Path | None, password_file: str | None, ntlm: bool
) -> None:
    """Add an account, or change its password."""
    try:
        checked_account_name(name)
        with _opened(path, store, must_exist=False) as accounts:
            password = _password(password_file)
            accounts.add(new_account(name, password, salt=os.urandom(16), ntlm=ntlm))
    except AccountsError as error:
        raise click.ClickException(str(error)) from None


@account.command("list", epilog=_epilog(_LIST))
@_where
def list_accounts(path: Path | None, store: Path | None) -> None:
    """List the accounts and mark those that allow NTLM."""
    with _opened(path, store, must_exist=True) as accounts:
        for name in accounts.names:
            found = accounts.find(name)
            click.echo(f"{name}  ntlm" if found is not None and found.nt_hash else name)


@account.command(epilog=_epilog(_REMOVE))
@click.argument("name")
@_where
def remove(name: str, path: Path | None, store: Path | None) -> None:
    """Remove an account."""
    with _opened(path, store, must_exist=True) as accounts:
        if not accounts.remove(name):
            raise click.ClickException(f"there is no account {name}")
