"""The out-of-process subsystem as a machine: packets in, events out, and the waiting in between.

One class plays both roles. `send` takes the output of a pool, `receive_data` takes bytes cut
anywhere, `next_event` returns the peer's events, `data_to_send` returns the bytes for the peer. The
rules of each side are in `sshsub.client_role` and `sshsub.server_role`.

The machine reads one packet for each `next_event`, so that a server's answers are in the order in
which its user handles events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psrp.sansio import LimitExceeded, LocalProtocolError, Outgoing, RemoteProtocolError, Side
from sshsub.client_role import ClientRole
from sshsub.events import REPLY_TIMEOUTS, ActReceived, DataReceived, Event, PendingReply
from sshsub.link import Link
from sshsub.packets import ERROR_PREFIXES, MAX_LINE, LineReader, Packet, PacketError
from sshsub.server_role import MAX_COMMANDS, ServerRole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psrp.sansio import TransportAct

__all__ = ["PACKET_SIZE", "Subsystem"]

PACKET_SIZE = 32768
"""Bytes of data in one packet, before base64; PowerShell never sends more."""


class Subsystem:
    """One end of the line protocol that runs over ssh, stdio, named pipes and sockets.

    ``reply_timeouts`` (client) maps an act to seconds, see `sshsub.events.REPLY_TIMEOUTS`.
    ``max_line`` limits one line of the peer in bytes, ``max_commands`` (server) the commands that
    a client has not closed. ``error_prefix`` (server) marks an error text among the packets; with
    None, error texts go to `errors_to_send` instead, for stderr, as with ``pwsh -s``. Raises
    LocalProtocolError for a ``packet_size`` below 1.
    """

    def __init__(
        self,
        side: Side,
        *,
        reply_timeouts: Mapping[TransportAct, float] = REPLY_TIMEOUTS,
        max_line: int = MAX_LINE,
        packet_size: int = PACKET_SIZE,
        max_commands: int = MAX_COMMANDS,
        error_prefix: str | None = ERROR_PREFIXES[0],
    ) -> None:
        if packet_size < 1:
            raise LocalProtocolError(f"expected a packet_size of at least 1, got {packet_size}")
        self.side = side
        self.packet_size = packet_size
        self._link = Link(packet_size)
        self._error_prefix = error_prefix
        self._lines = LineReader(max_line)
        self._overlong: LimitExceeded | None = None
        self._packets: Iterator[Packet] = iter(())
        self._errors: list[bytes] = []
        self._at_end = False
        self._error: RemoteProtocolError | None = None
        serves = side is Side.SERVER
        self._client = None if serves else ClientRole(self._link, reply_timeouts)
        self._server = ServerRole(self._link, max_commands) if serves else None
        self._role: ClientRole | ServerRole = self._server or self._client  # type: ignore[assignment]

    def __repr__(self) -> str:
        how = "over" if self.over else f"{self.pending} bytes pending"
        return f"<Subsystem of the {self.side.value}, {how}>"

    # -- sending

    def send(self, out: Outgoing) -> None:
        """Queue an item of a pool's output.

        Client: acts are sent once the answers that they wait for were received. Server: data is
        sent at once; STOP_PIPELINE, CLOSE_PIPELINE and CLOSE_POOL are the acknowledgements of the
        client's requests, and nothing is written if there is no such request. Once the stream has
        failed, a server drops its output. Raises LocalProtocolError, changing nothing, for an act
        that the carrier does not have (`UnsupportedAct`) or that is not legal now.
        """
        self._role.send(out)

    def acknowledge(self, event: DataReceived | ActReceived) -> None:
        """Acknowledge an event that was handled (server).

        DataReceived: after the pool has processed the data and its answers were passed to
        `send`. ActReceived: only if the pool has no such pipeline and will not answer. Raises
        LocalProtocolError at a client: an acknowledgement from a client ends a real server.
        """
        if self._server is None:
            raise LocalProtocolError("acknowledge: only servers acknowledge")
        self._server.acknowledge(event)

    def report(self, text: str) -> None:
        """Send an error text as one line (server). Raises LocalProtocolError at a client.

        A text that begins with `sshsub.events.TRANSPORT_ERROR` means that one message was
        discarded and that the session continues.
        """
        if self._server is None:
            raise LocalProtocolError("report: only servers report errors in the stream")
        one_line = " ".join(text.split()).encode("utf-8", "replace")
        if self._error_prefix is None:
            self._errors.append(one_line + b"\n")
        elif not self._link.output_closed:
            self._link.write(self._error_prefix.encode() + one_line + b"\n")

    def data_to_send(self) -> bytes:
        """Return the bytes to write now, also after an error: the error text may be among them."""
        return self._link.take()

    def errors_to_send(self) -> bytes:
        """Return the error texts for stderr, if there is no ``error_prefix``."""
        data = b"".join(self._errors)
        self._errors.clear()
        return data

    @property
    def pending(self) -> int:
        """Number of bytes that are queued and not sent. Hold back output while it is large."""
        return self._link.pending + self._role.queued

    def send_failed(self) -> None:
        """Stop writing: the stream accepts nothing more. The peer's data can still be read."""
        self._link.output_closed = True
        self._link.discard()
        self._role.discard()

    def send_end(self) -> None:
        """Record that we have ended our side: the end of the peer's side is expected then."""
        self._link.output_ended = self._link.output_closed = True
        self._role.discard()

    # -- receiving

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the peer, cut anywhere; ``b""`` is the end of the stream."""
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
        """Return the next event, or None until more bytes come.

        Raises RemoteProtocolError for a broken line or an illegal packet; every later call raises
        it again. A server has written its error line then, and its process ends with EXIT_CODE.
        """
        while True:
            if self._link.events:
                return self._link.events.popleft()
            if self._error is not None:
                raise self._error
            if self._link.input_ended or not self._step():
                return None

    def _step(self) -> bool:
        """Handle one packet, line or end of input; return False if there is none."""
        try:
            if self._role.paused:
                return self._at_end and self._end()
            return self._read() or (self._at_end and self._end())
        except PacketError as error:
            self._fail(self._link.fault(error.rule, error.words))
        except RemoteProtocolError as error:
            self._fail(error)
        return True

    def _read(self) -> bool:
        packet = next(self._packets, None)
        if packet is not None:
            self._role.receive_packet(packet)
            return True
        line, whole = self._lines.next_line(), True
        if line is None:
            if self._overlong is not None:
                raise self._overlong
            if not self._at_end or (line := self._lines.rest()) is None:
                return False
            whole = False
        self._link.line = line
        self._packets = self._role.packets_of(line, whole=whole)
        return True

    def _end(self) -> bool:
        self._role.end_of_input()
        return True

    def _fail(self, error: RemoteProtocolError) -> None:
        self._error = error
        if self._server is not None:
            self._server.discard()
            self.report(str(error))
        self._link.output_closed = True
        self._role.discard()

    # -- time

    @property
    def pending_replies(self) -> tuple[PendingReply, ...]:
        """The answers that are outstanding now. The driver measures; see `reply_timed_out`."""
        if self._client is None or self.over:
            return ()
        return self._client.pending_replies

    def reply_timed_out(self, reply: PendingReply) -> None:
        """Abandon an answer that took longer than its ``seconds``; ignored if it was received."""
        if self._client is not None and reply in self.pending_replies:
            self._client.reply_timed_out(reply)

    # -- the state of the stream

    @property
    def over(self) -> bool:
        """True if the stream has no further events."""
        return self._link.input_ended or self._error is not None

    @property
    def output_closed(self) -> bool:
        """True if the peer no longer reads."""
        return self._link.output_closed
