"""A subsystem program for sshd: returns every Data, and prints to stdout."""

from __future__ import annotations

import sys

import trio

from psrp.sansio import Outgoing, RemoteProtocolError, Side
from sshsub.events import EXIT_CODE, DataReceived, Ended
from sshsub.subsystem import Subsystem
from sshsub.trio_server import serve_stdio
from sshsub.trio_stream import Wire


async def serve(wire: Wire) -> int:
    server = Subsystem(Side.SERVER)
    print("this must not reach the protocol", flush=True)
    print("hello on stderr", file=sys.stderr, flush=True)
    while not server.over:
        server.receive_data(await wire.receive_some())
        try:
            while (event := server.next_event()) is not None:
                if isinstance(event, Ended):
                    server.report(event.reason)
                    continue
                if isinstance(event, DataReceived):
                    out = Outgoing(target=event.target, stream=event.stream, data=event.data)
                    server.send(out)
                server.acknowledge(event)
        except RemoteProtocolError:
            pass
        if data := server.data_to_send():
            await wire.send_all(data)
    return EXIT_CODE


if __name__ == "__main__":
    sys.exit(trio.run(serve_stdio, serve))
