"""HTTP messages as values, their limits, and the decoding of bodies."""

from __future__ import annotations

import zlib

from psrp.frozen import dataclass
from psrp.sansio import LimitExceeded, RemoteProtocolError

__all__ = [
    "REASONS",
    "SOAP",
    "SOAP_UTF16",
    "Headers",
    "HttpError",
    "HttpLimits",
    "Request",
    "Response",
    "all_of",
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


class HttpError(RemoteProtocolError):
    """The peer broke HTTP. ``status`` is a server's answer before it closes the connection."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def all_of(headers: Headers, name: str) -> tuple[str, ...]:
    """Return every value of a header; names are compared without case."""
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
        return next(iter(all_of(self.headers, name)), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header."""
        return all_of(self.headers, name)

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
        return next(iter(all_of(self.headers, name)), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header."""
        return all_of(self.headers, name)


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
