"""Processing of one HTTP request in a server, without I/O: checks, unsealing, sealing."""

from __future__ import annotations

from enum import Enum, auto

from psrp.frozen import dataclass
from psrp.sansio import LimitExceeded, RemoteProtocolError
from wsman import names, operations, soap
from wsman.auth_server import ServerAuthenticator
from wsman.envelopes import Headers
from wsman.faults import make_fault
from wsman.http import (
    SOAP,
    SOAP_UTF16,
    HttpError,
    Request,
    Response,
    content_type,
    decoded,
)
from wsman.http import Headers as HttpHeaders
from wsman.local_logon import LocalAuthenticator
from wsman.sealing import is_sealed
from wsman.service_calls import Answer

__all__ = [
    "Authenticator",
    "Opened",
    "Plan",
    "open_request",
    "plan",
    "resource_uri",
    "sealed_response",
]

Authenticator = ServerAuthenticator | LocalAuthenticator
_CHARSETS = ("", "utf-8", "utf-16")
_MAX_IDENTIFY = 16 << 10


class Plan(Enum):
    """The next step for a request that is not refused at once."""

    AUTHENTICATE = auto()
    IDENTIFY = auto()
    """Answer an Identify request without authentication."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The envelope of a request, and whether its answer has to be sealed."""

    data: bytes
    sealed: bool


def plan(request: Request, path: str) -> Plan | Response:
    """Return the next step for a request, based on its request line and headers."""
    if request.path.lower() != path.lower():
        return Response(status=404)
    if request.method != "POST":
        return Response(status=405, headers=(("Allow", "POST"),))
    if request.header("Authorization") is None:
        anonymous = (request.header("WSMANIDENTIFY") or "").strip().lower()
        if anonymous == "unauthenticated" and len(request.body) <= _MAX_IDENTIFY:
            return Plan.IDENTIFY if _asks_identify(request.body) else Response(status=400)
    return Plan.AUTHENTICATE


def _asks_identify(body: bytes) -> bool:
    try:
        return soap.parse(body, max_size=_MAX_IDENTIFY).operation == "Identify"
    except RemoteProtocolError:
        return False


def resource_uri(body: bytes) -> str:
    """Return the ResourceURI of an envelope; empty if it cannot be read."""
    try:
        return soap.parse(body).resource_uri
    except RemoteProtocolError:
        return ""


def open_request(request: Request, auth: Authenticator, max_size: int) -> Opened | Response:
    """Return the envelope in the body of a request whose user is known.

    Returns a Response if the request is a handshake leg without a body, or has to be refused.
    Raises LimitExceeded.
    """
    kind = request.header("Content-Type") or ""
    try:
        body = decoded(request.body, request.header("Content-Encoding") or "", max_size)
    except HttpError as error:
        return Response(status=error.status)
    if not body:
        return Response(status=200)
    if is_sealed(kind):
        return _unsealed(kind, body, auth, max_size)
    if (status := _refused_type(kind)) is not None:
        return Response(status=status)
    if auth.must_seal:
        return _fault("The message has to be encrypted, or sent over HTTPS.")
    return Opened(data=body, sealed=False)


def _refused_type(kind: str) -> int | None:
    media, charset = content_type(kind)
    return None if media == "application/soap+xml" and charset in _CHARSETS else 415


def _unsealed(kind: str, body: bytes, auth: Authenticator, max_size: int) -> Opened | Response:
    if not auth.can_seal:
        return Response(status=400)
    try:
        messages = auth.unseal(kind, body, max_size=max_size)
    except LimitExceeded:
        raise
    except RemoteProtocolError:
        return Response(status=400)
    if len(messages) != 1:
        return Response(status=400)
    if (status := _refused_type(messages[0].content_type)) is not None:
        return Response(status=status)
    return Opened(data=messages[0].body, sealed=True)


def _fault(text: str) -> Response:
    body = operations.write(Headers(to=names.ANONYMOUS), make_fault("AccessDenied", text))
    return Response(status=500, headers=(("Content-Type", SOAP),), body=body)


def sealed_response(
    answer: Answer, auth: Authenticator, opened: Opened, headers: HttpHeaders
) -> Response:
    """Return the HTTP response for an answer of the service, sealed if the request was sealed."""
    if not answer.data:
        return Response(status=answer.status, headers=headers)
    kind = SOAP_UTF16 if answer.encoding == "utf-16" else SOAP
    body = answer.data
    if opened.sealed:
        kind, body = auth.seal(kind, body)
    return Response(status=answer.status, headers=(*headers, ("Content-Type", kind)), body=body)
