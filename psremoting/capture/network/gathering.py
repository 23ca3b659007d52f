"""The keys that captures hold themselves: exchanges with a KDC, and embedded TLS key logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psremoting.capture.network.capture_files import read_packets
from psremoting.capture.network.layers import Datagram, Layers, Segment
from psremoting.capture.network.tcp import Connection, TcpStreams
from psremoting.capture.source import CaptureError

if TYPE_CHECKING:
    from psremoting.capture.network.secrets import PacketSecrets
    from psremoting.capture.network.tcp import Piece
    from psremoting.capture.source import Source

__all__ = ["KdcReader", "gather_keys"]

_KDC_PORTS = (88, 464)
_MAX_KDC_MESSAGE = 1 << 20


def gather_keys(source: Source, secrets: PacketSecrets) -> None:
    """Read only the Kerberos exchanges and the TLS key logs of a capture into ``secrets``.

    A damaged capture is read up to the damage, without an error; decoding it reports the damage.
    """
    layers, streams = Layers(), TcpStreams()
    kdc = KdcReader(secrets)
    kerberos = bool(secrets.kerberos)
    try:
        for packet in read_packets(source, secrets.tls.add_log):
            if not kerberos:
                continue
            found = layers.unwrap(packet)
            if isinstance(found, Datagram):
                kdc.datagram(found)
            elif found is not None and _may_be_kdc(found):
                for connection in streams.receive(found):
                    kdc.connection(connection)
    except CaptureError:
        pass
    for connection in streams.end():
        kdc.connection(connection)


def _may_be_kdc(segment: Segment) -> bool:
    """Return True if a segment may belong to an exchange with a KDC.

    By port, or by content: a length of four bytes and an element [APPLICATION 10..14, 30].
    """
    ports = (segment.source[1], segment.target[1])
    return not (5985 in ports or 5986 in ports or 443 in ports or 22 in ports)


class _KdcStream:
    """Messages of one direction, each after its length of four bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.other = False

    def receive(self, piece: Piece, secrets: PacketSecrets) -> None:
        if self.other:
            return
        if piece.gap:
            self.other = True
            return
        self._buffer += piece.data
        while len(self._buffer) >= 5:
            size = int.from_bytes(self._buffer[:4], "big")
            if size > _MAX_KDC_MESSAGE or self._buffer[4] & 0xE0 != 0x60:
                self.other = True
                self._buffer.clear()
                return
            if len(self._buffer) < 4 + size:
                return
            secrets.kerberos.receive(bytes(self._buffer[4 : 4 + size]))
            del self._buffer[: 4 + size]


class KdcReader:
    """Feeds the messages between clients and a KDC into the secrets."""

    def __init__(self, secrets: PacketSecrets) -> None:
        self._secrets = secrets
        self._streams: dict[int, _KdcStream] = {}

    def datagram(self, datagram: Datagram) -> None:
        if datagram.source[1] in _KDC_PORTS or datagram.target[1] in _KDC_PORTS:
            self._secrets.kerberos.receive(datagram.data)

    @staticmethod
    def is_kdc(connection: Connection) -> bool:
        """Return True for a connection of the port of a KDC."""
        return any(flow.source[1] in _KDC_PORTS for flow in connection.flows)

    def connection(self, connection: Connection) -> None:
        """Take what has become ready of a connection."""
        for flow, piece in connection.take():
            self._streams.setdefault(id(flow), _KdcStream()).receive(piece, self._secrets)
        if connection.ended:
            for flow in connection.flows:
                self._streams.pop(id(flow), None)
