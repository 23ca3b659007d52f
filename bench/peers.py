"""Two opened psrpcore pools with one running pipeline, for the measurements."""

from __future__ import annotations

from typing import Any

import psrpcore

ROOM = 32768


class PsrpcorePair:
    """A client and a server pool of psrpcore, opened, with one running pipeline."""

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
        """Deliver all output of one pool to the other; return the number of events there."""
        while (payload := one.data_to_send(ROOM)) is not None:
            other.receive_data(payload)
        events = 0
        while other.next_event() is not None:
            events += 1
        return events

    def outputs(self, value: Any, count: int, every: int) -> None:
        """Send ``count`` outputs from the server to the client, delivered after every ``every``
        outputs."""
        seen = 0
        for _ in range(count // every):
            for _ in range(every):
                self.pipeline.write_output(value)
            seen += self._move(self.server, self.client)
        assert seen == count


def psrpcore_queued(text: str) -> tuple[Any, Any]:
    """Return client and server; one output of this text is queued at the server."""
    pair = PsrpcorePair()
    pair.pipeline.write_output(text)
    return pair.client, pair.server


def psrpcore_drain(server: Any, cut: int) -> list[Any]:
    sent = []
    while (payload := server.data_to_send(cut)) is not None:
        sent.append(payload)
    return sent


def psrpcore_join(client: Any, payloads: list[Any]) -> None:
    """Deliver all payloads but the last, as from a carrier."""
    for payload in payloads[:-1]:
        client.receive_data(payload)
    assert client.next_event() is None
