"""The accounts and certificate mappings of a store, read again when the store has changed."""

from __future__ import annotations

import os

from psremoting.administration.configurations import AdministrationError
from psremoting.administration.store import Store
from wsman.accounts import Account, Accounts

__all__ = ["StoreAccounts"]


class StoreAccounts(Accounts):
    """The accounts of a store. If the store cannot be read, the last ones stay."""

    def __init__(self, store: Store) -> None:
        super().__init__(salt=os.urandom(16))
        self._store = store
        self._version = -1

    def refresh(self) -> None:
        """Read the accounts again if another process has changed the store."""
        try:
            version = self._store.version
            if version != self._version:
                self._accounts = self._store.accounts()._accounts
                self._version = version
        except AdministrationError:
            return

    @property
    def has_nt_hashes(self) -> bool:
        self.refresh()
        return super().has_nt_hashes

    def find(self, name: str, domain: str = "") -> Account | None:
        self.refresh()
        return super().find(name, domain)
