"""Reconnection to a server process that supports only one client.

A protocol machine of our own follows the pool messages between client and process. When a new
client connects, it answers in place of the process, with the data that the process sent when the
pool was opened. See spec-notes/wsman-service.md#gateway.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from psremoting.endpoint.fragment_watch import FragmentWatch
from psrp import events as e
from psrp.fragments import split
from psrp.pool import Pool
from psrp.sansio import LocalProtocolError, RemoteProtocolError, Side, TransportAct

__all__ = ["ShadowPool"]

_POOL_STATE = 0x00021005
_PRIVATE_DATA = 0x00021009
_TOLD = (_PRIVATE_DATA, _POOL_STATE)
"""Data from the process at the opening of the pool, also sent to new clients."""
_FRAGMENT = 32768
_OBJECT_ID = 1
"""Object ids of the process continue; a new client accepts any first id."""


class ShadowPool:
    """Follower of one pool that answers clients that connect later."""

    def __init__(self) -> None:
        self._pool = Pool(Side.SERVER, session_key=lambda: os.urandom(32))
        self._watch = FragmentWatch(keep=_TOLD)
        self._opening: dict[int, bytes] = {}

    def from_client(self, data: bytes) -> None:
        """Observe pool bytes sent to the process."""
        try:
            self._pool.receive_data(data)
            for event in self._events():
                if isinstance(event, e.InitRunspacePool):
                    self._pool.send(e.ApplicationPrivateData(data={}))
                    self._pool.send(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))
                elif isinstance(event, e.ResetRunspaceState):
                    self._pool.send(e.RunspaceAvailability(call_id=event.call_id, answer=True))
        except (RemoteProtocolError, LocalProtocolError):
            # The process reports the error to its client.
            return
        finally:
            self._drain()

    def from_process(self, data: bytes) -> None:
        """Observe pool bytes sent to the client."""
        for seen in self._watch.take(data):
            if seen.kind in _TOLD:
                self._opening.setdefault(seen.kind, seen.beginning)

    def act(self, act: TransportAct) -> None:
        """Process a disconnect or reconnect of the client."""
        self._pool.receive_act(act)
        for event in self._events():
            if isinstance(event, e.Disconnect | e.Reconnect):
                self._pool.send(event)
        self._drain()

    def connect(self, data: bytes) -> list[bytes]:
        """Return the response to a new client's connectXml, in fragments; none if refused."""
        answers: list[bytes] = []
        try:
            self._pool.receive_data(data)
            connected = any(isinstance(each, e.ConnectRunspacePool) for each in self._events())
        except RemoteProtocolError:
            connected = False
        while (out := self._pool.data_to_send(_FRAGMENT)) is not None:
            if out.data:
                answers.append(out.data)
        if not connected:
            return []
        self._pool.send(e.ApplicationPrivateData(data={}))
        self._drain()
        for number, kind in enumerate(_TOLD, _OBJECT_ID):
            answers += split(number, self._opening.get(kind, b""), _FRAGMENT)
        return answers

    def _events(self) -> Iterator[e.Event]:
        while (event := self._pool.next_event()) is not None:
            yield event

    def _drain(self) -> None:
        while self._pool.data_to_send(_FRAGMENT) is not None:
            pass
