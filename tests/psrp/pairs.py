"""Two pools connected directly: all output of one is input of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from psrp import events as e
from psrp.channels import Channel
from psrp.commands import script
from psrp.host import HostInfo
from psrp.pool import Pool
from psrp.sansio import Outgoing, Side, Stream, TransportAct

POOL_ID = UUID("11111111-2222-3333-4444-555555555555")
PIPELINE_ID = UUID("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
OTHER_ID = UUID("99999999-8888-7777-6666-555555555555")
SESSION_KEY = bytes(range(32))

Cut = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> Iterable[bytes]:
    return (data,)


def byte_by_byte(data: bytes) -> Iterable[bytes]:
    return (data[i : i + 1] for i in range(len(data)))


def deliver(out: Outgoing, to: Pool, cut: Cut = whole) -> None:
    """Act as a carrier: deliver bytes to their target, then the act."""
    if out.data:
        for piece in cut(out.data):
            to.receive_data(piece, out.target, out.stream)
    if out.act is not None:
        to.receive_act(out.act, out.target)


def drain(pool: Pool) -> list[e.Event]:
    """Return all available events."""
    events = []
    while (event := pool.next_event()) is not None:
        events.append(event)
    return events


def sent(pool: Pool, room: int | None = None) -> list[Outgoing]:
    out = []
    while (item := pool.data_to_send(room)) is not None:
        out.append(item)
    return out


def channel_of(pool: Pool, target: UUID | None = None) -> Channel:
    """Return the channel of a target, for tests that send what a pool would refuse."""
    channel = pool._channels.find(target)
    assert channel is not None
    return channel


def force(pool: Pool, event: e.Event, channel: Channel | None = None, **more: Any) -> None:
    """Queue a message, legal or not."""
    pool._context.queue(event, channel, **more)


def force_bytes(pool: Pool, message: bytes, channel: Channel | None = None) -> None:
    """Queue a whole message unchanged."""
    pool._channels.add(channel or channel_of(pool), message)


class Pair:
    """A client and a server. `move` delivers the output of both until nothing is in transit."""

    def __init__(
        self,
        *,
        cut: Cut = whole,
        room: int = 32768,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
    ) -> None:
        self.client = Pool(Side.CLIENT, id=POOL_ID, **(client or {}))
        self.server = Pool(Side.SERVER, **{"session_key": SESSION_KEY, **(server or {})})
        self.cut = cut
        self.room = room
        self.at_client: list[e.Event] = []
        self.at_server: list[e.Event] = []

    def move(self) -> None:
        moved = True
        while moved:
            moved = False
            for one, other, log in (
                (self.client, self.server, self.at_server),
                (self.server, self.client, self.at_client),
            ):
                for out in sent(one, self.room):
                    moved = True
                    deliver(out, other, self.cut)
                log += drain(other)

    def open(self, **init: Any) -> Pair:
        self.client.send(e.SessionCapability(protocol_version=self.client.own_version))
        self.client.send(e.InitRunspacePool(host_info=HostInfo.null(), **init))
        self.move()
        self.server.send(e.ApplicationPrivateData(data={"PSVersionTable": {"PSVersion": "7.6.5"}}))
        self.server.send(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))
        self.move()
        return self

    def create(self, id: UUID = PIPELINE_ID, **more: Any) -> UUID:
        """Start a pipeline at the client and deliver it to the server."""
        powershell = more.pop("powershell", script("1 + 1"))
        self.client.send(
            e.CreatePipeline(
                pipeline_id=id, powershell=powershell, host_info=HostInfo.null(), **more
            )
        )
        self.move()
        return id

    def end(
        self, id: UUID = PIPELINE_ID, state: e.InvocationState = e.InvocationState.COMPLETED
    ) -> None:
        self.server.send(e.PipelineStateMessage(pipeline_id=id, state=state))
        self.move()

    def close(self, id: UUID = PIPELINE_ID) -> None:
        self.client.send(e.ClosePipeline(pipeline_id=id))
        self.move()
        self.server.send(e.ClosePipeline(pipeline_id=id))
        self.move()


__all__ = [
    "OTHER_ID",
    "PIPELINE_ID",
    "POOL_ID",
    "SESSION_KEY",
    "Pair",
    "Stream",
    "TransportAct",
    "byte_by_byte",
    "channel_of",
    "deliver",
    "drain",
    "force",
    "force_bytes",
    "sent",
    "whole",
]
