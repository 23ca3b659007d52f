"""`psrp account`: the accounts of a WS-Man endpoint."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from psremoting.cli.shell_completion import complete_file
from psremoting.endpoint.accounts_file import read_accounts, write_accounts
from wsman.accounts import Accounts, AccountsError, new_account

__all__ = ["account"]

_ADD = """psrp account add carol --accounts /etc/psrp/accounts
  psrp account add carol --accounts /etc/psrp/accounts --ntlm --password-file secret.txt"""
_LIST = "psrp account list --accounts /etc/psrp/accounts"
_REMOVE = "psrp account remove carol --accounts /etc/psrp/accounts"


def _epilog(*examples: str) -> str:
    return "\b\nExamples:\n" + "".join(f"  {each}\n" for each in examples)


_ACCOUNTS = click.option(
    "--accounts",
    "path",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    shell_complete=complete_file,
    help="Use this accounts file. It is created with mode 600.",
)


@click.group(epilog=_epilog(_ADD, _LIST, _REMOVE))
def account() -> None:
    """Manage the accounts of clients of `psrp serve --http` and `--https`.

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
        prompted: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return prompted
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"cannot read {file}: {error}") from None
    return text.removesuffix("\n").removesuffix("\r")


@account.command(epilog=_epilog(_ADD))
@click.argument("name")
@_ACCOUNTS
@click.option(
    "--password-file",
    metavar="FILE",
    help="Read the password from FILE (-: standard input). Default: PSRP_PASSWORD if set, "
    "otherwise ask.",
)
@click.option("--ntlm", is_flag=True, help="Also allow NTLM and CredSSP for the account.")
def add(name: str, path: Path, password_file: str | None, ntlm: bool) -> None:
    """Add an account, or change its password."""
    accounts = _read(path, must_exist=False)
    try:
        accounts.add(new_account(name, _password(password_file), salt=os.urandom(16), ntlm=ntlm))
    except AccountsError as error:
        raise click.ClickException(str(error)) from None
    _write(path, accounts)


@account.command("list", epilog=_epilog(_LIST))
@_ACCOUNTS
def list_accounts(path: Path) -> None:
    """List the accounts and mark those that allow NTLM."""
    accounts = _read(path, must_exist=True)
    for name in accounts.names:
        found = accounts.find(name)
        click.echo(f"{name}  ntlm" if found is not None and found.nt_hash else name)


@account.command(epilog=_epilog(_REMOVE))
@click.argument("name")
@_ACCOUNTS
def remove(name: str, path: Path) -> None:
    """Remove an account."""
    accounts = _read(path, must_exist=True)
    if not accounts.remove(name):
        raise click.ClickException(f"there is no account {name}")
    _write(path, accounts)
