"""The file of the store: opening, versions, transactions, and errors in one line.

SQLite with a rollback journal: after a kill at any moment the next open undoes what was not
committed. Several processes may change one store at the same time; each change is one transaction
that waits up to five seconds for its turn.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from psremoting.administration.configurations import AdministrationError
from psremoting.administration.schema import APPLICATION_ID, MIGRATIONS

__all__ = [
    "SYSTEM_STORE",
    "StoreError",
    "StoreFile",
    "default_store_path",
    "state_folder",
    "store_exists",
]

SYSTEM_STORE = Path("/var/lib/psremoting/endpoint.db")
"""The store of root."""
_WAIT = 5.0
"""Seconds to wait for the end of another process's change."""
_OWNER_ONLY, _OTHERS = 0o600, 0o077
_REASONS = {
    sqlite3.SQLITE_FULL: "there is no space left",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_BUSY: f"another program has kept it locked for {_WAIT:.0f} seconds",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_CANTOPEN: "it or its folder cannot be opened",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_NOLFS: "the file system does not allow large files",
}


class StoreError(AdministrationError):
    """The store cannot be read or changed. The text is one line that names the file."""


def default_store_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return ``PSRP_STORE``, or the store of the system for root, or that of the user."""
    if given := environment.get("PSRP_STORE"):
        return Path(given)
    return state_folder(environment) / SYSTEM_STORE.name


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of an endpoint's data: that of the system for root, or the user's."""
    if os.geteuid() == 0:
        return SYSTEM_STORE.parent
    state = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "psremoting"


def store_exists(path: Path) -> bool:
    """Return whether there is a file at ``path``. Raises StoreError if the system does not say."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"cannot open the store {path}: {reason}") from None
    return True


class StoreFile:
    """One connection to the store's file. Threads may share it; calls wait for each other.

    ``create`` makes a missing file and its folder, for their owner only. Raises StoreError.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        if not store_exists(path) and not create:
            raise StoreError(f"there is no store {path}; Enable-PSRemoting creates it")
        with self._explained("open"):
            if create:
                self._make_file()
            self._db = sqlite3.connect(
                path, timeout=_WAIT, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained("open"):
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> StoreFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_private(self) -> bool:
        """True if only the owner can read the file."""
        return not stat.S_IMODE(self.path.stat().st_mode) & _OTHERS

    @property
    def version(self) -> int:
        """A number that changes whenever another connection has changed the store."""
        with self._lock, self._explained("read"):
            (found,) = self._db.execute("PRAGMA data_version").fetchone()
            return int(found)

    def _make_file(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY))

    def _prepare(self) -> None:
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA trusted_schema = OFF")
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (schema,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise StoreError(f"cannot open the store {self.path}: it belongs to another program")
        if schema > len(MIGRATIONS):
            raise StoreError(
                f"cannot open the store {self.path}: a newer program has written it (version "
                f"{schema}, expected at most {len(MIGRATIONS)})"
            )
        if schema < len(MIGRATIONS):
            self._migrate()

    def _migrate(self) -> None:
        with self.change():
            # Another process may have been faster.
            (schema,) = self._db.execute("PRAGMA user_version").fetchone()
            for number, script in enumerate(MIGRATIONS[schema:], schema + 1):
                for statement in filter(str.strip, script.split(";")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {number}")
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    # -- transactions

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make the changes of the block one transaction, or none if it raises.

        Blocks may be nested: the outermost is the transaction. Raises StoreError.
        """
        with self._lock, self._explained("change"):
            if not self._depth:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._db.execute("COMMIT")
            except BaseException:
                if self._depth == 1:
                    with suppress(sqlite3.Error):
                        self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def run(self, statement: str, *values: Any) -> int:
        """Run a statement that changes rows; return their number. Raises StoreError."""
        with self.change():
            return self._db.execute(statement, values).rowcount

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a query. Raises StoreError."""
        with self._lock, self._explained("read"):
            return self._db.execute(statement, values).fetchall()

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn errors of SQLite and of the system into one line."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            reason = _REASONS.get(code, str(error))
            raise StoreError(f"cannot {what} the store {self.path}: {reason}") from None
        except OSError as error:
            raise StoreError(
                f"cannot {what} the store {self.path}: {error.strerror or error}"
            ) from None
