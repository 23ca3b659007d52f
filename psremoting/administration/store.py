"""The store of an endpoint: what its administrators have set, and what happened.

    with Store.open(path) as store, store.changing(who="root", action="Set-...", target="Test"):
        store.put_configuration(configuration)

Names are compared without case. A change and its audit record are one transaction.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from psremoting.administration.configurations import (
    AdministrationError,
    AuditRecord,
    ListenerSetting,
    SessionConfiguration,
    SessionRecord,
)
from psremoting.administration.security_identifiers import WELL_KNOWN_NAMES, well_known_sid
from psremoting.administration.store_file import StoreFile
from psremoting.administration.value_codec import from_json, to_json
from wsman.accounts import Account, Accounts, AccountsError
from wsman.certificates import CertificateMapping

__all__ = ["ADMINISTRATORS", "REMOTE_MANAGEMENT", "Store"]

ADMINISTRATORS = "BUILTIN\\Administrators"
REMOTE_MANAGEMENT = "BUILTIN\\Remote Management Users"
_FIRST_RID = 1000
_MOST_NAME = 256
_MOST_AUDIT = 100_000
"""Audit records that are kept; the oldest go first."""
_T = TypeVar("_T")


class Store:
    """Sessions, configurations, listeners, accounts, groups and the audit trail of one endpoint.

    Every method raises StoreError.
    """

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> Store:
        """Open a store, or create a missing one. Raises StoreError."""
        return cls(StoreFile(path, create=create))

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def close(self) -> None:
        self._file.close()

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def is_private(self) -> bool:
        """True if only the owner can read the file."""
        return self._file.is_private

    @property
    def version(self) -> int:
        """A number that changes whenever another connection has changed the store."""
        return self._file.version

    # -- changes and the audit trail

    @contextmanager
    def changing(
        self, *, who: str, action: str, target: str = "", detail: str = ""
    ) -> Iterator[None]:
        """Make the block one transaction that includes its audit record."""
        with self._file.change():
            yield
            self.audit(
                AuditRecord(time=time.time(), who=who, action=action, target=target, detail=detail)
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the block one transaction without an audit record."""
        with self._file.change():
            yield

    def audit(self, *records: AuditRecord) -> None:
        """Append records to the audit trail."""
        with self._file.change():
            for each in records:
                self._file.run(
                    "INSERT INTO audit (time, who, address, action, target, detail)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    *(each.time, each.who, each.address, each.action, each.target, each.detail),
                )
            self._file.run(
                "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", _MOST_AUDIT
            )

    def audit_trail(self, *, last: int = 100, since: float = 0.0) -> list[AuditRecord]:
        """Return the newest ``last`` records, oldest first."""
        rows = self._file.rows(
            "SELECT id, time, who, address, action, target, detail FROM audit"
            " WHERE time >= ? ORDER BY id DESC LIMIT ?", since, last,
        )  # fmt: skip
        names = ("id", "time", "who", "address", "action", "target", "detail")
        return [AuditRecord(**dict(zip(names, row, strict=True))) for row in reversed(rows)]

    # -- session configurations

    def configurations(self) -> tuple[SessionConfiguration, ...]:
        """Return every configuration, in the order of their names."""
        return self._all("configurations", SessionConfiguration)

    def configuration(self, name: str) -> SessionConfiguration | None:
        """Return the configuration of exactly this name."""
        return self._one("configurations", name.casefold(), SessionConfiguration)

    def put_configuration(self, configuration: SessionConfiguration) -> None:
        """Add a configuration; it replaces one of the same name."""
        self._put("configurations", configuration.name.casefold(), configuration)

    def remove_configuration(self, name: str) -> bool:
        """Remove a configuration; return False if there is none."""
        return self._remove("configurations", name.casefold())

    # -- listeners

    def listeners(self) -> tuple[ListenerSetting, ...]:
        return self._all("listeners", ListenerSetting)

    def put_listener(self, listener: ListenerSetting) -> None:
        """Add a listener; it replaces the one of the same address and transport."""
        self._put("listeners", _listener_key(listener), listener)

    def remove_listener(self, listener: ListenerSetting) -> bool:
        return self._remove("listeners", _listener_key(listener))

    # -- accounts

    def accounts(
        self,
        *,
        salt: bytes = bytes(16),
        on_error: Callable[[AccountsError], None] | None = None,
    ) -> Accounts:
        """Return the accounts; see `wsman.accounts.Accounts` for ``salt`` and ``on_error``.

        Raises AdministrationError with the line number for a wrong line without ``on_error``.
        """
        lines = self._file.rows("SELECT line FROM accounts ORDER BY key")
        text = "\n".join(line for (line,) in lines)
        try:
            return Accounts.parse(text, salt=salt, on_error=on_error)
        except AccountsError as error:
            raise AdministrationError(f"the accounts of the store: {error}") from None

    def put_account(self, account: Account) -> None:
        """Add an account; it replaces one of the same name."""
        line = Accounts([account]).format().rstrip("\n")
        self._file.run("INSERT OR REPLACE INTO accounts VALUES (?, ?)", account.name.lower(), line)
        self.sid_of(account.name)

    def remove_account(self, name: str) -> bool:
        return self._file.run("DELETE FROM accounts WHERE key = ?", name.lower()) > 0

    def mappings(self) -> tuple[CertificateMapping, ...]:
        """Return the rules that map client certificates to accounts."""
        rows = self._file.rows("SELECT body FROM mappings ORDER BY id")
        return tuple(_value(CertificateMapping, body) for (body,) in rows)

    def set_mappings(self, mappings: tuple[CertificateMapping, ...]) -> None:
        """Replace the rules for certificates."""
        with self._file.change():
            self._file.run("DELETE FROM mappings")
            for each in mappings:
                self._file.run("INSERT INTO mappings (body) VALUES (?)", _text(each))

    # -- users and groups as SIDs

    def sid_of(self, name: str) -> str:
        """Return the SID of a user or group; a new name gets the next one."""
        found = self.known_sid(name)
        if found:
            return found
        with self._file.change():
            found = self.known_sid(name)
            if not found:
                rid = int(self.setting("next-rid", str(_FIRST_RID)))
                self.set_setting("next-rid", str(rid + 1))
                found = f"{self._machine_sid()}-{rid}"
                self._file.run(
                    "INSERT INTO principals VALUES (?, ?, ?)", found, _account_key(name), name
                )
        return found

    def known_sid(self, name: str) -> str:
        """Return the SID of a user or group, or an empty text for a name without one."""
        if well_known := well_known_sid(name):
            return well_known
        rows = self._file.rows("SELECT sid FROM principals WHERE key = ?", _account_key(name))
        return str(rows[0][0]) if rows else ""

    def name_of(self, sid: str) -> str:
        """Return the name of a SID, ``COMPUTER\\name`` for a local one; else the SID."""
        rows = self._file.rows("SELECT name FROM principals WHERE sid = ?", sid)
        if not rows:
            return WELL_KNOWN_NAMES.get(sid, sid)
        name = str(rows[0][0])
        return name if "\\" in name or "@" in name else f"{_computer()}\\{name}"

    def principals(self) -> dict[str, str]:
        """Return the names of the store's users and groups by SID."""
        return dict(self._file.rows("SELECT sid, name FROM principals ORDER BY sid"))

    def put_principal(self, sid: str, name: str) -> None:
        """Give a name the SID that it has in another store.

        Raises AdministrationError if the SID belongs to another name here.
        """
        with self._file.change():
            there = self.principals().get(sid)
            if there is not None and _account_key(there) != _account_key(name):
                raise AdministrationError(f"principals: {sid} is {there} here, not {name}")
            self._file.run("DELETE FROM principals WHERE key = ?", _account_key(name))
            self._file.run(
                "INSERT OR REPLACE INTO principals VALUES (?, ?, ?)", sid, _account_key(name), name
            )

    def _machine_sid(self) -> str:
        found = self.setting("machine-sid")
        if not found:
            parts = (secrets.randbits(32) for _ in range(3))
            found = "-".join(("S-1-5-21", *map(str, parts)))
            self.set_setting("machine-sid", found)
        return found

    def members(self, group: str) -> tuple[str, ...]:
        """Return the users, and the groups of the operating system (``@name``), of a group."""
        rows = self._file.rows(
            "SELECT member FROM members WHERE key = ? ORDER BY member", group.casefold()
        )
        return tuple(member for (member,) in rows)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return the groups of the store with their members."""
        found: dict[str, list[str]] = {}
        for key, member in self._file.rows("SELECT key, member FROM members ORDER BY key, member"):
            found.setdefault(key, []).append(member)
        return {key: tuple(members) for key, members in found.items()}

    def set_members(self, group: str, members: tuple[str, ...]) -> None:
        """Replace the members of a group; ``@name`` is a group of the operating system.

        Raises AdministrationError for a name that no user and no group can have.
        """
        for name in (group, *members):
            _check_name(name.removeprefix("@") if name is not group else name)
        with self._file.change():
            self._file.run("DELETE FROM members WHERE key = ?", group.casefold())
            for each in members:
                self._file.run(
                    "INSERT OR IGNORE INTO members VALUES (?, ?)", group.casefold(), each
                )
            self.sid_of(group)

    # -- settings

    def setting(self, name: str, default: str = "") -> str:
        """Return a setting such as ``MaxShellsPerUser``."""
        rows = self._file.rows("SELECT value FROM settings WHERE name = ?", name)
        return str(rows[0][0]) if rows else default

    def settings(self) -> dict[str, str]:
        return dict(self._file.rows("SELECT name, value FROM settings ORDER BY name"))

    def set_setting(self, name: str, value: str) -> None:
        """Set a setting; an empty value removes it."""
        if value:
            self._file.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value)
        else:
            self._file.run("DELETE FROM settings WHERE name = ?", name)

    # -- running sessions

    def sessions(self) -> tuple[SessionRecord, ...]:
        """Return the sessions that servers have entered, oldest first."""
        rows = self._file.rows("SELECT body FROM sessions")
        found = [_value(SessionRecord, body) for (body,) in rows]
        return tuple(sorted(found, key=lambda each: (each.started, each.id)))

    def put_session(self, session: SessionRecord) -> None:
        self._put("sessions", session.id, session, column="id")

    def remove_session(self, id: str) -> bool:
        return self._remove("sessions", id, column="id")

    def request(self, session: str, action: str, who: str) -> None:
        """Ask the server of a session to ``disconnect`` or ``remove`` it."""
        self._file.run(
            "INSERT INTO session_requests (session, action, who) VALUES (?, ?, ?)",
            *(session, action, who),
        )

    def take_requests(self, sessions: frozenset[str]) -> list[tuple[str, str, str]]:
        """Return and remove the requests for these sessions: session, action, administrator."""
        found = [
            (number, (session, action, who))
            for number, session, action, who in self._file.rows(
                "SELECT id, session, action, who FROM session_requests ORDER BY id"
            )
            if session in sessions
        ]
        if found:
            with self._file.change():
                for number, _ in found:
                    self._file.run("DELETE FROM session_requests WHERE id = ?", number)
        return [request for _, request in found]

    # -- rows with a body

    def _all(self, table: str, kind: type[_T]) -> tuple[_T, ...]:
        rows = self._file.rows(f"SELECT body FROM {table} ORDER BY key")
        return tuple(_value(kind, body) for (body,) in rows)

    def _one(self, table: str, key: str, kind: type[_T]) -> _T | None:
        rows = self._file.rows(f"SELECT body FROM {table} WHERE key = ?", key)
        return _value(kind, rows[0][0]) if rows else None

    def _put(self, table: str, key: str, value: Any, *, column: str = "key") -> None:
        self._file.run(
            f"INSERT OR REPLACE INTO {table} ({column}, body) VALUES (?, ?)", key, _text(value)
        )

    def _remove(self, table: str, key: str, *, column: str = "key") -> bool:
        return self._file.run(f"DELETE FROM {table} WHERE {column} = ?", key) > 0


def _check_name(name: str) -> None:
    shown = f"{name[:80]!r}"
    if not 0 < len(name) <= _MOST_NAME or not name.isprintable() or name != name.strip():
        raise AdministrationError(
            f"the name of a user or group has 1 to {_MOST_NAME} printable characters and no space "
            f"at either end, got {shown}"
        )
    if ":" in name or name.startswith("@"):
        raise AdministrationError(
            f"the name of a user or group has no colon and one @ at most before it, got {shown}"
        )


def _computer() -> str:
    return socket.gethostname().partition(".")[0]


def _account_key(name: str) -> str:
    """Return the key of a name; ``COMPUTER\\name`` and ``.\\name`` are the local ``name``."""
    domain, _, rest = name.rpartition("\\")
    if domain == "." or (domain and domain.casefold() == _computer().casefold()):
        name = rest
    return name.casefold()


def _listener_key(listener: ListenerSetting) -> str:
    return f"{listener.address}+{listener.transport}".casefold()


def _text(value: Any) -> str:
    return json.dumps(to_json(value), ensure_ascii=False)


def _value(kind: type[_T], body: str) -> _T:
    try:
        return from_json(kind, json.loads(body))
    except ValueError as error:
        raise AdministrationError(f"the store holds no {kind.__name__}: {error}") from None
