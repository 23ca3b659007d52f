"""The sessions of one user, by number, name and instance id: what Get-PSSession lists.

    async with SessionTable.open() as table:
        entry = await table.add("user@server", name="lab")
        assert table.find(name="lab") is entry

A session stays open until it is removed or the table is closed, also when it is entered and left.
Numbers are not used twice in the life of a table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import trio

from psremoting.client.background_session import HeldSession
from psremoting.errors import PSRemotingError
from psremoting.exception_groups import unwrapped
from psremoting.powershell.wildcards import has_wildcards, matches
from psremoting.session import PSSession
from psremoting.wsman_target import WSManTarget
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from psremoting.client.carrier import Carrier
    from psremoting.targets import Target

__all__ = [
    "PROPERTIES",
    "MultipleMatches",
    "NotAvailable",
    "SessionEntry",
    "SessionTable",
]

COMPUTER_TYPE = "RemoteMachine"
DEFAULT_CONFIGURATION = "DefaultShell"
"""The ConfigurationName column if no configuration was asked for."""

Opener = Callable[..., Any]
"""Function with the arguments of `PSSession.connect` that returns an async context manager."""


class _Lookup(PSRemotingError):
    category = ErrorCategory.InvalidArgument
    exception_type = "System.ArgumentException"

    def __init__(self, kind: str, value: object) -> None:
        id_part, text = self._texts[kind]
        super().__init__(
            text.format(value), error_id=f"RemoteRunspace{self._problem}ForSpecified{id_part}"
        )
        self.value = value

    _problem = ""
    _texts: dict[str, tuple[str, str]]


class NotAvailable(_Lookup):
    """No session has this id or name. ``value`` is the requested one."""

    _problem = "NotAvailable"
    _texts = {  # noqa: RUF012
        "id": ("SessionId", "The remote session with the session ID {} is not available."),
        "instance_id": ("RunspaceId", "Remote session is not available for {}."),
        "name": ("Name", "The remote session with the name {}  is not available."),
        "computer_name": ("Computer", "Remote session is not available for ComputerName {}."),
    }


class MultipleMatches(_Lookup):
    """Several sessions have this id or name, but one is required."""

    _problem = "HasMultipleMatches"
    _texts = {  # noqa: RUF012
        "id": ("SessionId", "Multiple matches found for session ID {}."),
        "instance_id": ("RunspaceId", "Multiple matches found for session ID {}."),
        "name": ("Name", "Multiple matches found for name {}."),
    }


class SessionEntry:
    """One row: a session with the number and the name that its user knows it by."""

    left: SessionEntry | None = None
    """The disconnected session at the server that this one has become, if any."""

    def __init__(
        self,
        session: PSSession,
        *,
        id: int,
        name: str,
        configuration_name: str,
        target: str | Target | Carrier = "",
    ) -> None:
        self.session = session
        self.target = target
        """The target of the user; it opens another session to the same place."""
        self.id = id
        self.name = name
        self.configuration_name = configuration_name
        self.computer_type = COMPUTER_TYPE

    def __repr__(self) -> str:
        return f"<SessionEntry {self.id} {self.name!r}: {self.session!r}>"

    def __str__(self) -> str:
        return f"[PSSession]{self.name}"

    @property
    def instance_id(self) -> UUID:
        return self.session.id

    @property
    def computer_name(self) -> str:
        return self.session.computer

    @property
    def transport(self) -> str:
        return self.session.transport

    @property
    def state(self) -> str:
        return self.session.state

    @property
    def availability(self) -> str:
        return self.session.availability

    @property
    def application_private_data(self) -> Any:
        """The data that the endpoint sent when the session opened."""
        return self.session.application_private_data


class SessionTable:
    """Made by `SessionTable.open`, which closes what is still open at the end of its block."""

    def __init__(self, nursery: trio.Nursery, connect: Opener) -> None:
        self._nursery = nursery
        self._connect = connect
        self._last_id = 0
        self._rows: dict[int, tuple[SessionEntry, HeldSession]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, *, connect: Opener = PSSession.connect) -> AsyncIterator[SessionTable]:
        """Open an empty table. ``connect`` opens its sessions."""
        with unwrapped():
            async with trio.open_nursery() as nursery:
                table = cls(nursery, connect)
                yield table
                await table.clear()
                nursery.cancel_scope.cancel()

    # -- lookup

    def __iter__(self) -> Iterator[SessionEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def entries(self) -> list[SessionEntry]:
        """All sessions, in the order of their numbers."""
        return [self._rows[number][0] for number in sorted(self._rows)]

    def find(
        self, *, id: int | None = None, instance_id: UUID | None = None, name: str | None = None
    ) -> SessionEntry:
        """Return the one session with this number, instance id or name (without wildcards).

        Raises NotAvailable and MultipleMatches; TypeError unless one of the three is given.
        """
        given = {"id": id, "instance_id": instance_id, "name": name}
        asked = [(kind, value) for kind, value in given.items() if value is not None]
        if len(asked) != 1:
            raise TypeError("give one of id, instance_id and name")
        kind, value = asked[0]
        found = [entry for entry in self.entries if _is(entry, kind, value)]
        if not found:
            raise NotAvailable(kind, value)
        if len(found) > 1:
            raise MultipleMatches(kind, value)
        return found[0]

    def match(
        self, kind: str, values: Iterable[object]
    ) -> tuple[list[SessionEntry], list[NotAvailable]]:
        """Return the sessions for ``values``, each once, and errors for values without one.

        ``kind`` is id, instance_id, name or computer_name; the latter two take wildcards, and a
        pattern without a match is not an error.
        """
        found: list[SessionEntry] = []
        missing: list[NotAvailable] = []
        for value in values:
            fitting = [entry for entry in self.entries if _fits(entry, kind, value)]
            found += [entry for entry in fitting if entry not in found]
            if not fitting and not (isinstance(value, str) and has_wildcards(value)):
                missing.append(NotAvailable(kind, value))
        return found, missing

    # -- opening and closing

    def new_id(self) -> int:
        """Return the next number; a session that is not kept here takes one, too."""
        self._last_id += 1
        return self._last_id

    async def add(
        self,
        target: str | Target | Carrier,
        *,
        id: int | None = None,
        name: str | None = None,
        configuration_name: str | None = None,
        **more: Any,
    ) -> SessionEntry:
        """Open a session and keep it. ``more`` is for `PSSession.connect`.

        ``id`` is a number of `new_id`, for callers that open several sessions at a time and
        want them in order. The default name is Runspace with the number. Raises
        PSRemotingError; a number is used up then as well.
        """
        number = self.new_id() if id is None else id
        shown = name or f"Runspace{number}"
        if isinstance(target, WSManTarget):
            # The server stores the name, so that other clients can find the session by it.
            more["name"] = shown
        held = HeldSession(lambda: self._connect(target, **more))
        session = await held.open(self._nursery.start_soon)
        entry = SessionEntry(
            session,
            id=number,
            name=shown,
            configuration_name=configuration_name or DEFAULT_CONFIGURATION,
            target=target,
        )
        self._rows[number] = entry, held
        return entry

    async def remove(self, entry: SessionEntry) -> None:
        """Close a session and remove it; do nothing if it is not in the table."""
        row = self._rows.pop(entry.id, None)
        if row is not None:
            await row[1].close()

    async def clear(self) -> None:
        """Close and remove all sessions concurrently."""
        async with trio.open_nursery() as nursery:
            for entry in self.entries:
                nursery.start_soon(self.remove, entry)


def _is(entry: SessionEntry, kind: str, value: object) -> bool:
    own = getattr(entry, kind)
    if isinstance(own, str):
        return own.casefold() == str(value).casefold()
    return bool(own == value)


def _fits(entry: SessionEntry, kind: str, value: object) -> bool:
    if isinstance(value, str):
        return matches(value, str(getattr(entry, kind)))
    return _is(entry, kind, value)


PROPERTIES = {
    "Id": "id",
    "Name": "name",
    "InstanceId": "instance_id",
    "Transport": "transport",
    "ComputerName": "computer_name",
    "ComputerType": "computer_type",
    "State": "state",
    "ConfigurationName": "configuration_name",
    "Availability": "availability",
    "ApplicationPrivateData": "application_private_data",
}
"""The properties of a session as PowerShell names them, and the attributes that have them."""
