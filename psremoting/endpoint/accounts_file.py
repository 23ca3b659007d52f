"""The accounts file of an endpoint: reading, writing with mode 600, reloading after a change."""

from __future__ import annotations

import os
from pathlib import Path

from psremoting.file_replacement import replace_file
from wsman.accounts import Account, Accounts, AccountsError

__all__ = ["AccountsFile", "ReloadedAccounts", "read_accounts", "write_accounts"]

_OWNER_ONLY = 0o600
_OTHERS = 0o077


def read_accounts(path: Path) -> Accounts:
    """Return the accounts in a file. Raises AccountsError, which names the file, and OSError."""
    if path.exists() and not path.is_file():
        raise AccountsError(f"{path}: expected a regular file")
    try:
        return Accounts.parse(path.read_text("utf-8"), salt=os.urandom(16))
    except (AccountsError, UnicodeDecodeError) as error:
        raise AccountsError(f"{path}: {error}") from None


def write_accounts(path: Path, accounts: Accounts) -> None:
    """Replace the file atomically, with mode 600. Raises OSError."""
    replace_file(path, accounts.format().encode(), _OWNER_ONLY)


class ReloadedAccounts(Accounts):
    """Accounts that are kept elsewhere; `refresh` reads them again before they are used."""

    def refresh(self) -> None:
        """Read the accounts again if they have changed."""
        raise NotImplementedError

    @property
    def has_nt_hashes(self) -> bool:
        self.refresh()
        return super().has_nt_hashes

    def find(self, name: str, domain: str = "") -> Account | None:
        self.refresh()
        return super().find(name, domain)


class AccountsFile(ReloadedAccounts):
    """The accounts of a file, read again when the file has changed.

    Raises AccountsError and OSError when it cannot be read at first; later on the accounts that
    were read before stay.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._time()
        super().__init__(salt=os.urandom(16))
        self._take(read_accounts(path))

    @property
    def is_private(self) -> bool:
        """True if only the owner can read the file."""
        return not self._path.stat().st_mode & _OTHERS

    def _time(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

    def _take(self, accounts: Accounts) -> None:
        self._accounts = accounts._accounts

    def refresh(self) -> None:
        stamp = self._time()
        if stamp and stamp != self._stamp:
            self._stamp = stamp
            try:
                self._take(read_accounts(self._path))
            except (AccountsError, OSError):
                return
