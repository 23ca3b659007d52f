"""HTTP/1.1 for both roles, without I/O: whole messages in and out, with size limits.

h11 does the parsing. This module adds the rest: limits for heads and bodies, the statuses that
refuse a request, writing each message as one piece (two writes cost 40 ms if the peer delays its
acknowledgements), and the decompression of bodies within the same limit.
[MS-WSMV] 3.1.4.1.31.8, RFC 9112
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import h11

from psrp.sansio import LimitExceeded, LocalProtocolError
from wsman.http_messages import (
    REASONS,
    SOAP,
    SOAP_UTF16,
    Headers,
    HttpError,
    HttpLimits,
    Request,
    Response,
    all_of,
    content_type,
    decoded,
)
from wsman.http_plain import (
    MAX_PLAIN_HEAD,
    Head,
    header_lines,
    read_request_head,
    read_response_head,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

_LIMITS = HttpLimits()
_TARGET = re.compile(r"[!-~]+")
_STANDING = frozenset(("host", "user-agent", "accept-encoding", "connection"))


# -- one connection


class _Connection:
    """The common part of both roles: reads whole messages, within the limits.

    Messages in the usual form are read here (`wsman.http_plain`). At the first other message h11
    takes over for the rest of the connection; until then it has seen nothing of it.
    """

    def __init__(
        self,
        role: type[h11.CLIENT] | type[h11.SERVER],
        limits: HttpLimits,
        read_head: Callable[[bytes], Head | None],
    ) -> None:
        self._limits = limits
        self._h11 = h11.Connection(role, max_incomplete_event_size=limits.max_head)
        self._body = bytearray()
        self._broken = False
        self._plain = True
        """True until h11 has taken over."""
        self._held = bytearray()
        self._ended = False
        self._found: Head | None = None
        """The head of the message whose body is not complete yet."""
        self._read_head = read_head

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the peer; ``b""`` if it has closed its side."""
        if self._broken:
            return
        if self._plain:
            self._held += data
            self._ended = self._ended or not data
            return
        try:
            self._h11.receive_data(data)
        except h11.RemoteProtocolError:
            # Data after the end of the message: the message itself was read before.
            self._broken = True

    def _plain_message(self) -> tuple[Head, bytes] | None:
        """Return the next message of the usual form, or None until more bytes come.

        Also returns None after h11 has taken over. Raises LimitExceeded.
        """
        if self._found is None:
            end = self._held.find(b"\r\n\r\n", 0, MAX_PLAIN_HEAD)
            if end < 0:
                if self._ended or len(self._held) >= min(MAX_PLAIN_HEAD, self._limits.max_head):
                    self._leave_to_h11()
                elif self._held and not self._held.startswith((b"POST /", b"HTTP/1.1 ")):
                    # Other beginnings are refused at once, without waiting for the whole head.
                    self._leave_to_h11()
                return None
            found = self._read_head(bytes(self._held[: end + 2]))
            if found is None:
                self._leave_to_h11()
                return None
            if found[3] > self._limits.max_body:
                self._broken = True
                raise LimitExceeded("Content-Length", found[3], self._limits.max_body)
            del self._held[: end + 4]
            self._found = found
        found = self._found
        if len(self._held) < found[3]:
            if self._ended:
                self._broken = True
                raise HttpError("HTTP: the peer closed the connection within a body", 400)
            return None
        with memoryview(self._held) as held:
            body = bytes(held[: found[3]])
        del self._held[: found[3]]
        self._found = None
        return found, body

    def _leave_to_h11(self) -> None:
        """Let h11 read this message and all that follow."""
        self._plain = False
        data, self._held = bytes(self._held), bytearray()
        if data:
            self.receive_data(data)
        if self._ended:
            self.receive_data(b"")

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
        length = next(iter(all_of(headers, "content-length")), "0")
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
        super().__init__(h11.SERVER, limits, read_request_head)
        self._head: h11.Request | None = None
        self._waiting = False
        self._out = b""

    @property
    def closing(self) -> bool:
        """True if no further request can follow: close the connection once everything is sent."""
        if self._broken:
            return True
        return not self._plain and self._h11.our_state in (h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)

    @property
    def idle(self) -> bool:
        """True if no byte of a request was received yet."""
        if self._plain:
            return not self._held and self._found is None
        return self._h11.their_state is h11.IDLE and not self._h11.trailing_data[0]

    @property
    def peer_closed(self) -> bool:
        """True if the client has closed its side."""
        if self._plain:
            return self._ended
        return self._h11.trailing_data[1] or self._h11.their_state is h11.CLOSED

    def next_request(self) -> Request | None:
        """Return the next whole request, or None until more bytes come.

        Raises HttpError and LimitExceeded; then answer with `refuse` and close the connection.
        """
        if self._plain and not self._waiting:
            message = self._plain_message()
            if message is not None:
                (method, target, headers, _), body = message
                self._waiting = True
                return Request(method=method, target=target, headers=headers, body=body)
        if self._plain:
            return None
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
        headers = _texts(head.headers)
        if all_of(headers, "transfer-encoding") and all_of(headers, "content-length"):
            # A proxy may have taken the other one. [RFC 9112] 6.1
            raise HttpError("both Content-Length and Transfer-Encoding", 400)
        self._check_length(headers)
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
            chunked=any("chunked" in each.lower() for each in all_of(headers, "transfer-encoding")),
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
        if self._plain:
            return self._plain_response(response, close=close)
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

    def _plain_response(self, response: Response, *, close: bool) -> bytes:
        reason = response.reason or REASONS.get(response.status, "")
        lines = header_lines(response.headers)
        last = "Connection: close\r\n" if close else ""
        head = (
            f"HTTP/1.1 {response.status} {reason}\r\n{lines}"
            f"Content-Length: {len(response.body)}\r\n{last}\r\n"
        )
        if close:
            self._broken = True
        return head.encode("latin-1") + response.body

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
        super().__init__(h11.CLIENT, limits, read_response_head)
        self._standing: Headers = (
            ("Host", host),
            ("User-Agent", user_agent),
            ("Accept-Encoding", "identity"),
            ("Connection", "Keep-Alive"),
        )
        self._head: h11.Response | None = None
        self._lines = header_lines(self._standing)
        self._asked: tuple[str, Headers, bytes] | None = None
        """Target, headers and body of the request without a response that h11 has not seen."""

    @property
    def reusable(self) -> bool:
        """True if another request may follow on this connection."""
        if self._plain:
            return not (self._broken or self._ended or self._asked or self._held)
        return not self._broken and self._h11.our_state is h11.IDLE

    def request(
        self, target: str, headers: Headers, body: bytes = b"", *, method: str = "POST"
    ) -> bytes:
        """Return the bytes of one request. Raises LocalProtocolError while another one is open."""
        if self._plain and method == "POST":
            if self._asked is not None:
                raise LocalProtocolError("cannot send the request: another one is open")
            data = self._plain_request(target, headers, body)
            self._asked = target, headers, body
            return data
        self._plain = False
        return self._h11_request(target, headers, body, method)

    def _plain_request(self, target: str, headers: Headers, body: bytes) -> bytes:
        if not _TARGET.fullmatch(target):
            raise LocalProtocolError(f"cannot send the request: bad target {target[:80]!r}")
        lines = self._lines
        own = {name.lower() for name, _ in headers}
        if not own.isdisjoint(_STANDING):
            lines = header_lines(each for each in self._standing if each[0].lower() not in own)
        head = (
            f"POST {target} HTTP/1.1\r\n{lines}{header_lines(headers)}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("latin-1") + body

    def _leave_to_h11(self) -> None:
        if self._asked is not None:
            self._h11_request(*self._asked, "POST")
            self._asked = None
        super()._leave_to_h11()

    def _h11_request(self, target: str, headers: Headers, body: bytes, method: str) -> bytes:
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
        if self._plain:
            message = self._plain_message() if self._asked is not None else None
            if message is not None:
                self._asked = None
                (status, reason, headers, _), body = message
                encoding = next(iter(all_of(headers, "content-encoding")), "")
                if encoding:
                    body = decoded(body, encoding, self._limits.max_body)
                return Response(status=int(status), reason=reason, headers=headers, body=body)
            if self._plain:
                return None
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
        encoding = next(iter(all_of(headers, "content-encoding")), "")
        body = decoded(self._whole_body(), encoding, self._limits.max_body)
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        return Response(
            status=head.status_code,
            reason=head.reason.decode("latin-1"),
            headers=headers,
            body=body,
        )
