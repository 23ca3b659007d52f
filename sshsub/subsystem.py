"""The out-of-process subsystem as a machine: packets in, events out, and what must be waited for.

One class plays both roles. `send` takes what a pool wants moved, `receive_data` takes bytes cut
anywhere, `next_event` tells what they meant, `data_to_send` gives the bytes for the peer. What
each side owes the other is in `sshsub.client_role` and `sshsub.server_role`.

The machine reads one packet for each `next_event`, so the order of a server's answers is the
order in which its user deals with events.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from psrp.sansio import LimitExceeded, LocalProtocolError, Outgoing, RemoteProtocolError, Side
from sshsub.client_role import ClientRole
from sshsub.events import REPLY_TIMEOUTS, ActReceived, BrokenLine, DataReceived, Event, PendingReply
from sshsub.packets import ERROR_PREFIXES, MAX_LINE, LineReader, Packet, PacketError, write
from sshsub.server_role import ServerRole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psrp.sansio import TransportAct
    from sshsub.packets import Line

__all__ = ["PACKET_SIZE", "Subsystem"]

PACKET_SIZE = 32768
"""Bytes of data in one packet, before base64; PowerShell never sends more."""


class Subsystem:
    """One end of the line protocol that runs over ssh, stdio, named pipes and sockets.

    ``reply_timeouts`` (client) maps an act to seconds, see `sshsub.events.REPLY_TIMEOUTS`.
    ``max_line`` limits one line of the peer in bytes. ``error_prefix`` (server) marks an error
    text among the packets; with None, error texts go to `errors_to_send` instead, for stderr, as
    ``pwsh -s`` does it.
    """

    def __init__(
        self,
        side: Side,
        *,
        reply_timeouts: Mapping[TransportAct, float] = REPLY_TIMEOUTS,
        max_line: int = MAX_LINE,
        packet_size: int = PACKET_SIZE,
        error_prefix: str | None = ERROR_PREFIXES[0],
    ) -> None:
        if packet_size < 1:
            raise LocalProtocolError(f"packets of {packet_size} bytes hold nothing")
        self.side = side
        self.packet_size = packet_size
        self._error_prefix = error_prefix
        self._lines = LineReader(max_line)
        self._overlong: LimitExceeded | None = None
        self._line: Line | None = None
        self._packets: Iterator[Packet] = iter(())
        self._events: deque[Event] = deque()
        self._out: list[bytes] = []
        self._out_size = 0
        self._errors: list[bytes] = []
        self._output_closed = False
        self._ended = False
        self._at_end = False
        self._over = False
        self._error: RemoteProtocolError | None = None
        serves = side is Side.SERVER
        self._client = None if serves else ClientRole(self, reply_timeouts)
        self._server = ServerRole(self) if serves else None
        self._role: ClientRole | ServerRole = self._server or self._client  # type: ignore[assignment]

    def __repr__(self) -> str:
        how = "over" if self.over else f"{self.pending} bytes pending"
        return f"<Subsystem of the {self.side.value}, {how}>"

    # -- out

    def send(self, out: Outgoing) -> None:
        """Queue what a pool wants moved or done.

        Client: acts go out when their turn has come. Server: data at once; STOP_PIPELINE,
        CLOSE_PIPELINE and CLOSE_POOL are the acknowledgements of what the client wanted, and
        nothing is written for one that nobody waits for. Once the stream has failed, a server
        drops what it is given. Raises LocalProtocolError, changing nothing, for what the
        carrier cannot do (`UnsupportedAct`) or what cannot follow.
        """
        self._role.send(out)

    def acknowledge(self, event: DataReceived | ActReceived) -> None:
        """Server: the event is dealt with, and its acknowledgement goes out.

        For DataReceived after the pool has processed the data and its answers were handed to
        `send`. For ActReceived only where the pool has no such pipeline and will not answer.
        Raises LocalProtocolError at a client: clients never acknowledge.
        """
        if self._server is None:
            raise LocalProtocolError("only servers acknowledge; it ends a real one")
        self._server.acknowledge(event)

    def report(self, text: str) -> None:
        """Server: put an error text out, as one line. Raises LocalProtocolError at a client.

        A message that could not be used is "Remote transport error: …", and the session lives.
        """
        if self._server is None:
            raise LocalProtocolError("only servers report errors in the stream")
        one_line = " ".join(text.split()).encode("utf-8", "replace")
        if self._error_prefix is None:
            self._errors.append(one_line + b"\n")
        elif not self._output_closed:
            self.put(self._error_prefix.encode() + one_line + b"\n")

    def data_to_send(self) -> bytes:
        """The bytes to write now; a server with no user any more still has its last words."""
        data = b"".join(self._out)
        self._out.clear()
        self._out_size = 0
        return data

    def errors_to_send(self) -> bytes:
        """What goes to stderr when there is no ``error_prefix``."""
        data = b"".join(self._errors)
        self._errors.clear()
        return data

    @property
    def pending(self) -> int:
        """Bytes that were queued and are not sent; hold back while it is large."""
        return self._out_size + self._role.queued

    def send_failed(self) -> None:
        """The stream takes nothing any more. What the peer still says can be read to its end."""
        self._output_closed = True
        self._out.clear()
        self._out_size = 0
        self._role.drop()

    def send_end(self) -> None:
        """We have ended our side: what the peer says with its last breath is no error."""
        self._ended = self._output_closed = True
        self._role.drop()

    # -- in

    def receive_data(self, data: bytes) -> None:
        """Bytes of the peer, cut anywhere; ``b""`` is the end of the stream."""
        if self._at_end:
            return
        if not data:
            self._at_end = True
            return
        if self._overlong is None:
            try:
                self._lines.receive_data(data)
            except LimitExceeded as error:
                self._overlong = error

    def next_event(self) -> Event | None:
        """The next event, or None until more bytes come.

        Raises RemoteProtocolError for a broken line or a packet that must not be; every later
        call raises it again. A server has put its error line out by then, and its process ends
        with EXIT_CODE.
        """
        while True:
            if self._events:
                return self._events.popleft()
            if self._error is not None:
                raise self._error
            if self._over or not self._step():
                return None

    def _step(self) -> bool:
        """Deal with one packet, line or end; False when there is none."""
        try:
            if self._role.holds:
                return self._at_end and self._end()
            return self._read() or (self._at_end and self._end())
        except PacketError as error:
            self._fail(self.fault(error.rule, error.words))
        except RemoteProtocolError as error:
            self._fail(error)
        return True

    def _read(self) -> bool:
        packet = next(self._packets, None)
        if packet is not None:
            self._role.packet(packet)
            return True
        line, whole = self._lines.next_line(), True
        if line is None:
            if self._overlong is not None:
                raise self._overlong
            if not self._at_end or (line := self._lines.rest()) is None:
                return False
            whole = False
        self._line = line
        self._packets = self._role.line(line, whole=whole)
        return True

    def _end(self) -> bool:
        self._role.end()
        return True

    def _fail(self, error: RemoteProtocolError) -> None:
        self._error = error
        if self._server is not None:
            self._server.drop()
            self.report(str(error))
        self._output_closed = True
        self._role.drop()

    # -- time

    @property
    def pending_replies(self) -> tuple[PendingReply, ...]:
        """The answers that are outstanding now. The driver measures; see `expired`."""
        if self._client is None or self.over:
            return ()
        return self._client.pending_replies

    def reply_timed_out(self, wait: PendingReply) -> None:
        """An answer took longer than ``wait.seconds``: give it up. A wait that is over is no-op."""
        if self._client is not None and wait in self.pending_replies:
            self._client.reply_timed_out(wait)

    # -- what the roles turn

    @property
    def over(self) -> bool:
        """Nothing more will come of this stream."""
        return self._over or self._error is not None

    @property
    def output_closed(self) -> bool:
        """Nobody takes what we write."""
        return self._output_closed

    @property
    def ended(self) -> bool:
        """We have said that we have nothing more to say."""
        return self._ended

    def fault(self, rule: str, words: str) -> BrokenLine:
        """The error for the line that is being read."""
        line = self._line
        return BrokenLine(rule, words, line.number if line else 0, line.offset if line else 0)

    def put(self, data: bytes) -> None:
        self._out.append(data)
        self._out_size += len(data)

    def put_packet(self, packet: Packet) -> None:
        self.put(write(packet))

    def tell(self, event: Event) -> None:
        self._events.append(event)

    def finish(self) -> None:
        """The end of the input was told; nothing that stands behind it is read."""
        self._over = True
