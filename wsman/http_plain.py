"""The usual form of HTTP messages, read and written without h11.

Heads in the form that WS-Man peers normally use are recognized here: HTTP/1.1, one Content-Length,
no other framing. Everything else is left to h11, so the accepted forms stay those of h11. This
saves 10 to 22 % of the processor time of a small command, of client and server together
(bench/README.md).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_PLAIN_HEAD", "Head", "header_lines", "read_request_head", "read_response_head"]

MAX_PLAIN_HEAD = 8 << 10
"""Bytes of a head above which h11 reads the message."""

_LINES = rb"((?:[A-Za-z0-9_-]+: ?[!-~](?:[ -~]*[!-~])?\r\n)+)"
_REQUEST = re.compile(rb"(POST) (/[!-~]*) HTTP/1\.1\r\n" + _LINES)
_RESPONSE = re.compile(rb"HTTP/1\.1 ([2345][0-9][0-9]) ([ -~]*)\r\n" + _LINES)
_OTHER_FRAMING = frozenset(("transfer-encoding", "expect", "upgrade", "trailer", "te"))
_KEEPS = frozenset(("keep-alive",))
_WITHOUT_BODY = (b"204", b"304")
_UNSAFE = re.compile(r"[\r\n\0]|^[ \t]|[ \t]$")
_NAME = re.compile(r"[A-Za-z0-9_-]+")

Head = tuple[str, str, tuple[tuple[str, str], ...], int]
"""Method and target, or status and reason; headers with names in lower case; body length."""


def read_request_head(head: bytes) -> Head | None:
    """Return a request's head, given up to and including the CRLF of its last header line.

    None if it does not have the usual form.
    """
    return _head(_REQUEST.fullmatch(head), wants_host=True)


def read_response_head(head: bytes) -> Head | None:
    """Return a response's head as `read_request_head` does."""
    found = _RESPONSE.fullmatch(head)
    if found is not None and found[1] in _WITHOUT_BODY:
        return None
    return _head(found, wants_host=False)


def _head(found: re.Match[bytes] | None, *, wants_host: bool) -> Head | None:
    if found is None:
        return None
    length: int | None = None
    hosts = 0
    headers = []
    for line in found[3].decode("ascii").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name = name.lower()
        value = value.lstrip(" ")
        if name == "content-length":
            if length is not None or not value.isdigit() or len(value) > 10:
                return None
            length = int(value)
        elif name == "host":
            hosts += 1
        elif name in _OTHER_FRAMING or (name == "connection" and value.lower() not in _KEEPS):
            return None
        headers.append((name, value))
    if length is None or (wants_host and hosts != 1):
        return None
    return found[1].decode("ascii"), found[2].decode("ascii"), tuple(headers), length


def header_lines(headers: Iterable[tuple[str, str]]) -> str:
    """Return header lines with their CRLF. Raises LocalProtocolError for a line break in one."""
    lines = []
    for name, value in headers:
        if _UNSAFE.search(value) or not _NAME.fullmatch(name):
            raise LocalProtocolError(f"cannot send the header {name[:40]!r}: not allowed in HTTP")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)
