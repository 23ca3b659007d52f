"""10 000 outputs through a complete client and server, from the value to the event."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from bench import bodies
from bench.peers import ROOM, PsrpcorePair
from bench.report import OURS, Clock, Row, Table
from bench.values import our_mixed
from psrp import Pool, Side
from psrp import events as e
from psrp.commands import script
from psrp.host import HostInfo

POOL_ID = UUID("3a1c0b5e-6f0e-4a2b-9d4e-0c5f5d7a9b01")
PIPELINE_ID = UUID("3a1c0b5e-6f0e-4a2b-9d4e-0c5f5d7a9b02")
WAYS = {"one by one": 1, "100 at a time": 100}


class OurPair:
    """The same with our client and server pools."""

    def __init__(self) -> None:
        self.client = Pool(Side.CLIENT, id=POOL_ID)
        self.server = Pool(Side.SERVER)
        host = HostInfo.null()
        self.client.send(e.SessionCapability(protocol_version=self.client.own_version))
        self.client.send(e.InitRunspacePool(host_info=host))
        self._move(self.client, self.server)
        self.server.send(e.ApplicationPrivateData(data={}))
        self.server.send(e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))
        self._move(self.server, self.client)
        self.client.send(
            e.CreatePipeline(pipeline_id=PIPELINE_ID, powershell=script("1"), host_info=host)
        )
        self._move(self.client, self.server)
        self._move(self.server, self.client)

    @staticmethod
    def _move(one: Pool, other: Pool) -> int:
        while (out := one.data_to_send(ROOM)) is not None:
            if out.data:
                other.receive_data(out.data, out.target, out.stream)
            if out.act is not None:
                other.receive_act(out.act, out.target)
        events = 0
        while other.next_event() is not None:
            events += 1
        return events

    def outputs(self, value: Any, count: int, every: int) -> None:
        seen = 0
        for _ in range(count // every):
            for _ in range(every):
                self.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=value))
            seen += self._move(self.server, self.client)
        assert seen == count

    def wire_size(self, value: Any) -> int:
        """Return the bytes of one such output, its fragment header included."""
        self.server.send(e.PipelineOutput(pipeline_id=PIPELINE_ID, data=value))
        out = self.server.data_to_send(ROOM)
        assert out is not None
        return len(out.data)


def table(clock: Clock, *, quick: bool) -> Table:
    count = 1000 if quick else 10_000
    text = "hello from the pipeline"
    values = [
        ("int", 7, 7),
        ("string", text, text),
        ("object of 10", our_mixed(5), bodies.psrpcore_mixed(5)),
    ]
    rows = []
    for name, ours, theirs in values:
        size = OurPair().wire_size(ours) * count
        for way, every in WAYS.items():
            case = f"{count} x {name}, {way}"

            def run(pair: Any, value: Any, every: int = every) -> None:
                pair.outputs(value, count, every)

            for who, make, value in (
                (OURS, OurPair, ours),
                ("psrpcore", PsrpcorePair, theirs),
            ):
                seconds = clock.prepared(lambda pair, value=value: run(pair, value), make)
                rows.append(Row(subject="pools", case=case, who=who, seconds=seconds, size=size))
    return Table(
        title="Pools: outputs from a server to a client",
        rows=rows,
        others=("psrpcore",),
        aims={row.case: "10x" for row in rows},
        elsewhere={},
        notes=["MB/s: of fragments on the wire"],
    )
