"""One TCP connection as HTTP, plain or inside TLS, with its log-ons and opened bodies.

WS-Man is found by content. Records of TLS that no key opens have no content to tell: connections
of the port of WinRM over HTTPS are listed run by run, any other one in a single line.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from psremoting.capture.http_message import HttpMessage, classify_body
from psremoting.capture.network.http_flows import UNKNOWN_GAP, FlowReader
from psremoting.capture.network.tcp import Piece
from psremoting.capture.network.tls import UNKNOWN, TlsSession
from psremoting.capture.network.tls_records import starts_tls
from psremoting.capture.network.unsealing import ConnectionKeys, sealed
from psremoting.capture.notices import Notice
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.http_flows import RawMessage
    from psremoting.capture.network.layers import Address
    from psremoting.capture.network.secrets import PacketSecrets
    from psremoting.capture.network.tcp import Flow
    from psremoting.capture.network.tls import TlsPiece
    from psremoting.capture.network.unsealing import Peers

__all__ = ["Found", "Talk"]

_WINRM_TLS = 5986
_MAX_EARLY = 16
_MAX_EARLY_BYTES = 1 << 20
Found = HttpMessage | Notice


class Talk:
    """Reader of one connection. ``numbers`` counts the lines of the whole capture."""

    def __init__(
        self,
        number: int,
        flows: tuple[Flow, Flow],
        secrets: PacketSecrets,
        peers: Peers,
        numbers: Iterator[int],
        *,
        tls: bool,
    ) -> None:
        self._number = number
        self._client, self._server = flows
        self._numbers = numbers
        self._readers = {side: FlowReader(side) for side in Side}
        self._keys = ConnectionKeys(secrets, peers, self._client.source, self._server.source)
        self._tls = TlsSession(secrets.tls) if tls else None
        ports = self._client.source[1], self._server.source[1]
        self._listed = _WINRM_TLS in ports
        self._run: tuple[Side, int, Piece] | None = None
        """Sealed records of one side after each other: their bytes and first piece."""
        self._last = Piece(0.0, 0)
        self._shown = False
        self.about_wsman = False
        self._early: list[RawMessage] = []
        """Messages from before the connection was known to be WS-Man."""
        self._early_bytes = 0
        self._early_gaps: dict[Side, Piece] = {}
        self._secrets = secrets
        self._through = ""
        """The address behind a proxy that the client asked for."""
        self._tunnel = False

    def receive(self, flow: Flow, piece: Piece) -> Iterator[Found]:
        """Take the next piece of one direction; yield the lines that it completes."""
        side = Side.CLIENT if flow is self._client else Side.SERVER
        self._last = piece
        if self._tunnel and side is Side.CLIENT and piece.data:
            # The first bytes through the proxy tell what is in the tunnel.
            self._tunnel = False
            if starts_tls(piece.data) is not None:
                self._tls = TlsSession(self._secrets.tls)
        if self._tls is None:
            yield from self._plain(side, piece)
            return
        read = self._tls.gap(side, piece.gap) if piece.gap else self._tls.receive(side, piece.data)
        for each in read:
            yield from self._from_tls(each, piece)

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of a message or for keys."""
        waiting = self._tls.held if self._tls is not None else 0
        return waiting + self._early_bytes + sum(r.held for r in self._readers.values())

    def give_up(self) -> Iterator[Found]:
        """Stop waiting for the rest of messages and for keys, to free memory."""
        self._early, self._early_bytes = [], 0
        if self._tls is not None:
            for each in self._tls.give_up():
                yield from self._from_tls(each, self._last)
        for reader in self._readers.values():
            for message in reader.give_up("given up: too much of the capture waits for its rest"):
                yield from self._message(message)

    def end(self) -> Iterator[Found]:
        """End the connection; yield what is left of it."""
        if self._tls is not None:
            for each in self._tls.end():
                yield from self._from_tls(each, self._last)
        for reader in self._readers.values():
            for message in reader.end():
                yield from self._message(message)
        yield from self._end_run()
        if self._tls is not None and not self.about_wsman and not self._listed:
            yield from self._total(self._tls)

    # -- TLS

    def _from_tls(self, found: TlsPiece, piece: Piece) -> Iterator[Found]:
        if found.data:
            yield from self._plain(
                found.side, Piece(piece.time, piece.packet, found.data, 0, piece.offset)
            )
        if found.gap:
            gap = UNKNOWN_GAP if found.gap == UNKNOWN else found.gap
            yield from self._plain(
                found.side, Piece(piece.time, piece.packet, b"", gap, piece.offset)
            )
        if found.sealed and (self._listed or self.about_wsman):
            if self._run is not None and self._run[0] is found.side:
                side, size, first = self._run
                self._run = side, size + found.sealed, first
                return
            yield from self._end_run()
            self._run = found.side, found.sealed, piece

    def _end_run(self) -> Iterator[Found]:
        if self._run is None or self._tls is None:
            return
        (side, size, piece), self._run = self._run, None
        yield from self._connection(piece.time, piece.packet, "")
        data = {"bytes": size, "protocol": self._tls.version}
        data["note"] = f"missing: {self._tls.missing}"
        yield self._notice("tls:Sealed", side, piece.time, piece.packet, data)

    def _total(self, tls: TlsSession) -> Iterator[Found]:
        """Yield one line for a connection of which everything stays sealed."""
        if tls.opened or not any(tls.sealed.values()):
            return
        yield from self._connection(self._last.time, self._last.packet, "", plumbing=True)
        data = {
            "bytes": sum(tls.sealed.values()),
            "from_client": tls.sealed[Side.CLIENT],
            "from_server": tls.sealed[Side.SERVER],
            "protocol": tls.version,
            "note": f"missing: {tls.missing}",
        }
        last = self._last
        yield self._notice("tls:Sealed", None, last.time, last.packet, data, plumbing=True)

    # -- HTTP

    def _plain(self, side: Side, piece: Piece) -> Iterator[Found]:
        for message in self._readers[side].receive(piece):
            yield from self._message(message)
        if piece.gap and (lost := self._readers[side].take_lost()) is not None:
            if self.about_wsman:
                yield self._gap(side, lost)
            else:
                self._early_gaps.setdefault(side, lost)

    def _gap(self, side: Side, lost: Piece) -> Notice:
        """Return the line of bytes that are missing where messages may have been."""
        data: dict[str, Any] = {"note": "missing in the capture"}
        if lost.gap < UNKNOWN_GAP:
            data = {"bytes": lost.gap} | data
        return self._notice("net:Gap", side, lost.time, lost.packet, data)

    def _ask_tunnel(self, message: RawMessage) -> Iterator[Found]:
        """Follow a CONNECT of the client: after a success, the connection begins anew."""
        if message.side is Side.CLIENT:
            if message.start.startswith("CONNECT "):
                self._through = message.start.split()[1]
                self._readers[Side.SERVER].tunnel = True
            return
        if not self._readers[Side.SERVER].tunnel or message.status is None or message.status < 200:
            return
        self._readers[Side.SERVER].tunnel = False
        if message.status >= 300:
            self._through = ""
            return
        self._tunnel = True
        self._listed = self._listed or self._through.endswith(f":{_WINRM_TLS}")
        rests = {side: reader.take_rest() for side, reader in self._readers.items()}
        self._readers = {side: FlowReader(side) for side in Side}
        for side, flow in ((Side.CLIENT, self._client), (Side.SERVER, self._server)):
            if rests[side]:
                piece = Piece(message.time, message.packet, rests[side], 0, message.offset)
                yield from self.receive(flow, piece)

    def _message(self, message: RawMessage) -> Iterator[Found]:
        yield from self._ask_tunnel(message)
        if not self.about_wsman:
            if not _about_wsman(message):
                if (
                    len(self._early) < _MAX_EARLY
                    and self._early_bytes + len(message.body) < _MAX_EARLY_BYTES
                ):
                    self._early.append(message)
                    self._early_bytes += len(message.body)
                return
            self.about_wsman = True
        early, self._early, self._early_bytes = self._early, [], 0
        gaps, self._early_gaps = self._early_gaps, {}
        for each in (*early, message):
            yield from self._connection(each.time, each.packet, each.header("Host"))
            for side, lost in gaps.items():
                yield self._gap(side, lost)
            gaps = {}
            yield from self._opened(each)

    def _opened(self, message: RawMessage) -> Iterator[Found]:
        for finding in self._keys.receive(message):
            yield self._notice(
                finding.type, finding.side, message.time, message.packet, finding.data
            )
        common: dict[str, Any] = {
            "side": message.side,
            "offset": message.packet,
            "in_packet": True,
            "file_offset": message.offset if message.offset >= 0 else None,
            "connection": self._number,
            "time": message.time,
            "start": message.start,
            "status": message.status,
            "headers": message.headers,
            "raw": True,
        }
        outer = self._tls.version if self._tls is not None else ""
        if not sealed(message) or not message.body:
            soap, body = classify_body(message.body, message.headers)
            note = message.note
            if message.holes:
                note = "; ".join(filter(None, (note, "bytes of the body are missing")))
            torn = bool(message.holes)
            yield self._made(common, soap=soap, body=body, note=note, opened=outer, torn=torn)
            return
        for part in self._keys.open(message):
            if part.text is None:
                yield self._made(common, body=part.sealed, note=part.problem, torn=part.torn)
                continue
            kind = (("Content-Type", part.content_type),)
            soap, body = classify_body(part.text.rstrip(b"\0"), kind)
            opened = ", ".join(filter(None, (outer, part.key)))
            yield self._made(common | {"headers": message.headers + kind}, soap=soap, body=body,
                             opened=opened)  # fmt: skip

    def _made(self, common: dict[str, Any], **more: Any) -> HttpMessage:
        return HttpMessage(number=next(self._numbers), **common, **more)

    # -- notices

    def _connection(
        self, time: float, packet: int, host: str, *, plumbing: bool = False
    ) -> Iterator[Found]:
        """Yield the line of the connection itself, once."""
        if self._shown:
            return
        self._shown = True
        data = {"client": _address(self._client.source), "server": _address(self._server.source)}
        if self._tls is not None:
            host = host or self._tls.server_name
            data |= {"tls": self._tls.version, "suite": self._tls.suite, "key": self._tls.origin}
        if host:
            data["host"] = host
        if self._through:
            data["through"] = self._through
        shown = {name: value for name, value in data.items() if value}
        yield self._notice("net:Connection", None, time, packet, shown, plumbing=plumbing)

    def _notice(
        self,
        kind: str,
        side: Side | None,
        time: float,
        packet: int,
        data: dict[str, Any],
        *,
        plumbing: bool = False,
    ) -> Notice:
        return Notice(
            number=next(self._numbers), type=kind, side=side, offset=packet,
            connection=self._number, time=time, data=data, plumbing=plumbing,
        )  # fmt: skip


def _address(address: Address) -> str:
    host = ip_address(address[0])
    return f"[{host}]:{address[1]}" if host.version == 6 else f"{host}:{address[1]}"


def _about_wsman(message: RawMessage) -> bool:
    kind = message.header("Content-Type").lower()
    if "soap+xml" in kind or (kind.startswith("multipart/") and "encrypted" in kind):
        return True
    return "/wsman" in message.start.lower() or "/powershell" in message.start.lower()
