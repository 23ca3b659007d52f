"""The accounts and certificate mappings of a store, read again when the store has changed."""

from __future__ import annotations

import os
from collections.abc import Callable

from psremoting.administration.configurations import AdministrationError
from psremoting.administration.store import Store
from psremoting.endpoint.accounts_file import ReloadedAccounts
from wsman.accounts import AccountsError

__all__ = ["StoreAccounts"]


class StoreAccounts(ReloadedAccounts):
    """The accounts of a store. If the store cannot be read, the last ones stay.

    A line that is no account is reported once; the other accounts work.
    """

    def __init__(self, store: Store, *, report: Callable[[str], None] = lambda text: None) -> None:
        super().__init__(salt=os.urandom(16))
        self._store = store
        self._version = -1
        self._report = report
        self._wrong: frozenset[str] = frozenset()

    def refresh(self) -> None:
        """Read the accounts again if another process has changed the store."""
        try:
            version = self._store.version
            if version != self._version:
                wrong: list[AccountsError] = []
                self._accounts = self._store.accounts(on_error=wrong.append)._accounts
                self._version = version
                found = frozenset(map(str, wrong))
                for text in sorted(found - self._wrong):
                    self._report(f"the accounts of the store: {text}; the line is left out")
                self._wrong = found
        except AdministrationError:
            return
