"""Connections to one service: authenticated, reused while idle, replaced when stale.

An outstanding long poll occupies one connection; other requests use an idle or a new connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError
from wsman import errors
from wsman.errors import TransportFailure
from wsman.locations import Location, may_follow
from wsman.trio_connection import Connection, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Connections", "Redirection"]

MAX_IDLE = 8
IDLE_SECONDS = 90.0
"""HTTP.sys drops an idle connection, and its authentication, after two minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirection:
    """The rules for following redirects."""

    count: int = 0
    """Maximum number of consecutive redirects. PowerShell's default is 5 with -AllowRedirection."""
    hosts: tuple[str, ...] = ()
    """Other hosts that may receive the credentials; ``*`` is any."""


class Connections:
    """All connections of one client to one service.

    ``make_endpoint`` returns the endpoint of a location: the target's, or that of a redirect.
    """

    def __init__(
        self,
        location: Location,
        make_endpoint: Callable[[Location], Endpoint],
        redirection: Redirection = Redirection(),  # noqa: B008 - a frozen value
    ) -> None:
        self.location = location
        self._make_endpoint = make_endpoint
        self._endpoint = make_endpoint(location)
        self._redirection = redirection
        self._redirected = 0
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._closed = False
        self.opened = 0
        """The number of connections that were opened."""

    async def exchange(
        self, content_type: str, body: bytes, *, headers: tuple[tuple[str, str], ...] = ()
    ) -> tuple[int, list[bytes]]:
        """Post one envelope on a connection that no other exchange uses meanwhile.

        Raises TransportFailure.
        """
        while True:
            connection = await self._take()
            try:
                found = await connection.exchange(content_type, body, headers=headers)
            except TransportFailure as failure:
                self._all.discard(connection)
                if not failure.location:
                    raise
                await self._redirect(failure)
                continue
            except BaseException:
                self._all.discard(connection)
                raise
            await self._give_back(connection)
            return found

    async def _take(self) -> Connection:
        if self._closed:
            raise TransportFailure("the client is closed", final=True)
        now = trio.current_time()
        while self._idle:
            connection = self._idle.pop()
            if now - connection.idle_since < IDLE_SECONDS and connection.reusable:
                return connection
            self._all.discard(connection)
            await connection.aclose()
        connection = Connection(self._endpoint)
        self._all.add(connection)
        try:
            await connection.open()
        except BaseException:
            self._all.discard(connection)
            raise
        if self._closed:
            await connection.aclose()
            raise TransportFailure("the client is closed", final=True)
        self.opened += 1
        return connection

    async def _give_back(self, connection: Connection) -> None:
        if self._closed or not connection.reusable or len(self._idle) >= MAX_IDLE:
            self._all.discard(connection)
            await connection.aclose()
            return
        connection.idle_since = trio.current_time()
        self._idle.append(connection)

    async def _redirect(self, failure: TransportFailure) -> None:
        """Switch to the new location. Raises TransportFailure if that is not allowed."""
        if self._redirected >= self._redirection.count:
            raise failure
        try:
            new = Location.of_url(failure.location)
        except LocalProtocolError as error:
            raise TransportFailure(str(error), code=errors.REDIRECT_INVALID, final=True) from None
        if not may_follow(self.location, new, self._redirection.hosts):
            text = f"{failure.message}, which may not see the credentials"
            raise TransportFailure(
                text, code=errors.REDIRECT_REQUIRED, final=True, location=failure.location
            )
        self._redirected += 1
        self.location = new
        self._endpoint = self._make_endpoint(new)
        for connection in self._idle:
            await connection.aclose()
        self._all.difference_update(self._idle)
        self._idle.clear()

    async def aclose(self) -> None:
        """Close every connection, including those with an exchange in progress."""
        self._closed = True
        for connection in list(self._all):
            await connection.aclose()
        self._all.clear()
        self._idle.clear()
