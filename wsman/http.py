"""HTTP/1.1 for both roles, without I/O: whole messages in and out, with size limits.

h11 does the parsing. This module adds the rest: limits for heads and bodies, the statuses that
refuse a request, writing each message as one piece (two writes cost 40 ms if the peer delays its
acknowledgements), and the decompression of bodies within the same limit.
[MS-WSMV] 3.1.4.1.31.8, RFC 9112
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import h11

from psrp.frozen import dataclass
from psrp.sansio import LimitExceeded, LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "REASONS",
    "SOAP",
    "SOAP_UTF16",
    "Headers",
    "HttpClient",
    "HttpError",
    "HttpLimits",
    "HttpServer",
    "Request",
    "Response",
    "content_type",
    "decoded",
]

SOAP = "application/soap+xml;charset=UTF-8"
SOAP_UTF16 = "application/soap+xml;charset=UTF-16"

Headers = tuple[tuple[str, str], ...]

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
"""The reason phrases of HTTP.sys for the statuses used here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Limits on one message, in bytes."""

    max_head: int = 64 << 10
    """Request or status line and header lines; a Kerberos token alone can have 64,000 bytes."""
    max_body: int = 16 << 20


_LIMITS = HttpLimits()


class HttpError(RemoteProtocolError):
    """The peer broke HTTP. ``status`` is a server's answer before it closes the connection."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def _all(headers: Headers, name: str) -> tuple[str, ...]:
    wanted = name.lower()
    return tuple(value for key, value in headers if key.lower() == wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. ``chunked`` is true if its body had no Content-Length."""

    method: str
    target: str
    headers: Headers
    body: bytes
    chunked: bool = False

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None; names are compared without case."""
        return next(iter(_all(self.headers, name)), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header."""
        return _all(self.headers, name)

    @property
    def path(self) -> str:
        """The target's path, without scheme, host, query and trailing slashes."""
        target = self.target
        if "://" in target:
            target = "/" + target.partition("://")[2].partition("/")[2]
        return target.partition("?")[0].rstrip("/") or "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response. ``headers`` of a response to send do not contain Content-Length."""

    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None; names are compared without case."""
        return next(iter(_all(self.headers, name)), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header."""
        return _all(self.headers, name)


# -- bodies


def content_type(value: str) -> tuple[str, str]:
    """Return the media type and the charset (or empty) of a Content-Type, in lower case."""
    kind, *parameters = value.split(";")
    charset = ""
    for each in parameters:
        name, _, text = each.partition("=")
        if name.strip().lower() == "charset":
            charset = text.strip().strip('"').lower()
    return kind.strip().lower(), charset


def decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a body without its Content-Encoding.

    Raises HttpError for an unknown encoding (415) and for damaged data (400), LimitExceeded for
    more than ``limit`` bytes.
    """
    kind = encoding.strip().lower()
    if kind in ("", "identity"):
        return body
    if kind in ("gzip", "x-gzip"):
        return _inflated(body, zlib.MAX_WBITS | 16, limit)
    if kind == "deflate":
        # The name means the zlib format; some servers send raw deflate data.
        wrapped = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
        return _inflated(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, limit)
    raise HttpError(f"Content-Encoding: expected gzip, deflate or identity, got {encoding!r}", 415)


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    stream = zlib.decompressobj(window)
    try:
        data = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise HttpError(f"cannot decompress the body: {error}", 400) from None
    if len(data) > limit:
        raise LimitExceeded("bytes of a decompressed body", len(data), limit)
    if not stream.eof:
        raise HttpError("cannot decompress the body: it is cut short", 400)
    return data


# -- one connection


class _Connection:
    """The common part of both roles: joins h11's events to whole messages, within the limits."""

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER], limits: HttpLimits) -> None:
        self._limits = limits
        self._h11 = h11.Connection(role, max_incomplete_event_size=limits.max_head)
        self._body = bytearray()
        self._broken = False

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the peer; ``b""`` if it has closed its side."""
        if self._broken:
            return
        try:
            self._h11.receive_data(data)
        except h11.RemoteProtocolError:
            # Data after the end of the message: the message itself was read before.
            self._broken = True

    def _event(self) -> object:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            self._broken = True
            raise HttpError(f"HTTP: {error}", error.error_status_hint) from None

    def _keep(self, data: bytes) -> None:
        if len(self._body) + len(data) > self._limits.max_body:
            self._broken = True
            raise LimitExceeded(
                "bytes of an HTTP body", len(self._body) + len(data), self._limits.max_body
            )
        self._body += data

    def _whole_body(self) -> bytes:
        body = bytes(self._body)
        self._body.clear()
        return body

    def _check_length(self, headers: Headers) -> None:
        length = next(iter(_all(headers, "content-length")), "0")
        if int(length) > self._limits.max_body:
            self._broken = True
            raise LimitExceeded("Content-Length", int(length), self._limits.max_body)


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)


def _octets(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class HttpServer(_Connection):
    """One connection of a client: `receive_data`, `next_request`, then `respond`."""

    def __init__(self, *, limits: HttpLimits = _LIMITS) -> None:
        super().__init__(h11.SERVER, limits)
        self._head: h11.Request | None = None
        self._waiting = False
        self._out = b""

    @property
    def closing(self) -> bool:
        """True if no further request can follow: close the connection once everything is sent."""
        return self._broken or self._h11.our_state in (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)

    @property
    def idle(self) -> bool:
        """True if no byte of a request was received yet."""
        return self._h11.their_state is h11.IDLE and not self._h11.trailing_data[0]

    @property
    def peer_closed(self) -> bool:
        """True if the client has closed its side."""
        return self._h11.trailing_data[1] or self._h11.their_state is h11.CLOSED

    def next_request(self) -> Request | None:
        """Return the next whole request, or None until more bytes come.

        Raises HttpError and LimitExceeded; then answer with `refuse` and close the connection.
        """
        while True:
            event = self._event()
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._keep(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return self._request()
            else:
                return None

    def _begin(self, head: h11.Request) -> None:
        self._head = head
        self._check_length(_texts(head.headers))
        if self._h11.they_are_waiting_for_100_continue:
            going_on = h11.InformationalResponse(status_code=100, reason=b"Continue", headers=[])
            self._out += self._h11.send(going_on) or b""

    def _request(self) -> Request:
        assert self._head is not None
        head = self._head
        headers = _texts(head.headers)
        self._head = None
        self._waiting = True
        return Request(
            method=head.method.decode("ascii"),
            target=head.target.decode("latin-1"),
            headers=headers,
            body=self._whole_body(),
            chunked=any("chunked" in each.lower() for each in _all(headers, "transfer-encoding")),
        )

    def data_to_send(self) -> bytes:
        """Return the bytes to send before a response: ``100 Continue``, or none."""
        data = self._out
        self._out = b""
        return data

    def respond(self, response: Response, *, close: bool = False) -> bytes:
        """Return the bytes of the response to the request that `next_request` returned.

        ``close`` closes the connection after it. Raises LocalProtocolError out of turn.
        """
        if not self._waiting:
            raise LocalProtocolError("cannot respond: no request waits for a response")
        self._waiting = False
        headers = list(response.headers)
        headers.append(("Content-Length", str(len(response.body))))
        if close:
            headers.append(("Connection", "close"))
        reason = response.reason or REASONS.get(response.status, "")
        head = h11.Response(
            status_code=response.status,
            reason=reason.encode("latin-1"),
            headers=_octets(tuple(headers)),
        )
        try:
            pieces = [
                self._h11.send(head),
                self._h11.send(h11.Data(data=response.body)) if response.body else b"",
                self._h11.send(h11.EndOfMessage()),
            ]
            if not self.closing and self._h11.their_state is h11.DONE:
                self._h11.start_next_cycle()
        except h11.LocalProtocolError as error:
            raise LocalProtocolError(f"cannot respond: {error}") from None
        return b"".join(piece or b"" for piece in pieces)

    def refuse(self, status: int) -> bytes:
        """Return the bytes of an answer to an invalid request; the connection ends with it."""
        self._broken = True
        reason = REASONS.get(status, "")
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        return head.encode("latin-1")


class HttpClient(_Connection):
    """One connection to a server: `request`, then `receive_data` and `next_response`.

    ``host`` is the value of the Host header.
    """

    def __init__(
        self, host: str, *, limits: HttpLimits = _LIMITS, user_agent: str = "psremoting"
    ) -> None:
        super().__init__(h11.CLIENT, limits)
        self._standing: Headers = (
            ("Host", host),
            ("User-Agent", user_agent),
            ("Accept-Encoding", "identity"),
            ("Connection", "Keep-Alive"),
        )
        self._head: h11.Response | None = None

    @property
    def reusable(self) -> bool:
        """True if another request may follow on this connection."""
        return not self._broken and self._h11.our_state is h11.IDLE

    def request(
        self, target: str, headers: Headers, body: bytes = b"", *, method: str = "POST"
    ) -> bytes:
        """Return the bytes of one request. Raises LocalProtocolError while another one is open."""
        own = {name.lower() for name, _ in headers}
        standing = tuple(each for each in self._standing if each[0].lower() not in own)
        length = () if method == "CONNECT" else (("Content-Length", str(len(body))),)
        try:
            pieces = [
                self._h11.send(
                    h11.Request(
                        method=method, target=target, headers=_octets(standing + headers + length)
                    )
                ),
                self._h11.send(h11.Data(data=body)) if body else b"",
                self._h11.send(h11.EndOfMessage()),
            ]
        except h11.LocalProtocolError as error:
            raise LocalProtocolError(f"cannot send the request: {error}") from None
        return b"".join(piece or b"" for piece in pieces)

    def next_response(self) -> Response | None:
        """Return the whole response, or None until more bytes come.

        Raises HttpError, also when the connection ends before or inside the response, and
        LimitExceeded.
        """
        while True:
            event = self._event()
            if isinstance(event, h11.Response):
                self._head = event
                self._check_length(_texts(event.headers))
            elif isinstance(event, h11.Data):
                self._keep(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return self._response()
            elif event is h11.PAUSED and self._head is not None:
                # The answer to CONNECT: the bytes after it are not HTTP.
                return self._response()
            elif isinstance(event, h11.ConnectionClosed):
                self._broken = True
                raise HttpError("HTTP: the server hung up without a response", 0)
            elif not isinstance(event, h11.InformationalResponse):
                return None

    def _response(self) -> Response:
        assert self._head is not None
        head = self._head
        headers = _texts(head.headers)
        self._head = None
        encoding = next(iter(_all(headers, "content-encoding")), "")
        body = decoded(self._whole_body(), encoding, self._limits.max_body)
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        return Response(
            status=head.status_code,
            reason=head.reason.decode("latin-1"),
            headers=headers,
            body=body,
        )
