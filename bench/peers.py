"""Two opened psrpcore pools with one running pipeline, and what the measurements do with them."""

from __future__ import annotations

from typing import Any

import psrpcore

ROOM = 32768


class PsrpcorePair:
    """A client and a server pool of psrpcore, opened, with one pipeline that runs."""

    def __init__(self) -> None:
        self.client = psrpcore.ClientRunspacePool()
        self.server = psrpcore.ServerRunspacePool()
        self.client.open()
        self._move(self.client, self.server)
        self._move(self.server, self.client)
        asked = psrpcore.ClientPowerShell(self.client)
        asked.add_script("1")
        asked.start()
        payload = self.client.data_to_send()
        assert payload is not None
        self.pipeline = psrpcore.ServerPipeline(self.server, payload.pipeline_id)
        self.server.receive_data(payload)
        while self.server.next_event() is not None:
            pass
        self.pipeline.start()
        self._move(self.server, self.client)

    @staticmethod
    def _move(one: Any, other: Any) -> int:
        """Everything that one has to say; how many events the other made of it."""
        while (payload := one.data_to_send(ROOM)) is not None:
            other.receive_data(payload)
        events = 0
        while other.next_event() is not None:
            events += 1
        return events

    def outputs(self, value: Any, count: int, every: int) -> None:
        """``count`` outputs from the server to the client, carried after every so many."""
        seen = 0
        for _ in range(count // every):
            for _ in range(every):
                self.pipeline.write_output(value)
            seen += self._move(self.server, self.client)
        assert seen == count


def psrpcore_queued(text: str) -> tuple[Any, Any]:
    """Client and server; one output of this text waits at the server."""
    pair = PsrpcorePair()
    pair.pipeline.write_output(text)
    return pair.client, pair.server


def psrpcore_drain(server: Any, cut: int) -> list[Any]:
    sent = []
    while (payload := server.data_to_send(cut)) is not None:
        sent.append(payload)
    return sent


def psrpcore_join(client: Any, payloads: list[Any]) -> None:
    """All payloads but the last, as they come from a carrier."""
    for payload in payloads[:-1]:
        client.receive_data(payload)
    assert client.next_event() is None
