"""One HTTP connection to a WS-Management service: TCP, proxy, TLS, authentication, sealing.

A connection whose exchange was abandoned is closed: nothing else can be read from it.
"""

from __future__ import annotations

import os
import select
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from psrp.frozen import dataclass
from psrp.sansio import LimitExceeded, LocalProtocolError, ProtocolError
from wsman import errors
from wsman.auth import (
    Authentication,
    AuthenticationRefused,
    CannotAuthenticate,
    Credential,
    basic_header,
    challenges,
)
from wsman.auth_client import AuthOptions, ClientAuthenticator, Leg
from wsman.certificates import channel_binding
from wsman.digest import DigestClient
from wsman.errors import TransportFailure
from wsman.http import Headers, HttpClient, HttpError, HttpLimits, Response
from wsman.local_logon import LocalClient
from wsman.locations import Location
from wsman.sealing import is_sealed
from wsman.trio_client_tls import TlsOptions, check_certificate, make_context
from wsman.trio_sending import PromptStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsman.taps import MakeTap

__all__ = ["Connection", "Endpoint", "Proxy"]

_CHUNK = 256 << 10
_BROKEN = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError)
_REDIRECTS = (301, 302, 307, 308)
_REFUSED = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy. ``authentication`` is BASIC, DIGEST or NEGOTIATE; it needs a credential."""

    location: Location
    authentication: Authentication = Authentication.NEGOTIATE
    credential: Credential | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The settings of a connection. Times are seconds."""

    location: Location
    auth: AuthOptions
    tls: TlsOptions = TlsOptions()
    proxy: Proxy | None = None
    connect_timeout: float = 30.0
    max_body: int = 16 << 20
    tap: MakeTap | None = None
    """Called for each new connection; its result observes the messages in the clear."""
    cookies: dict[str, str]
    """Cookies of the service; every answer may change them."""
    unix_path: str = ""
    """A socket of this machine to connect to; the server learns the user from the kernel."""
    interactive: bool = False
    """Ask for an interactive log-on at ``unix_path``."""


def _is_readable(descriptor: int) -> bool:
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], 0)[0])
    # Unlike select, poll takes descriptors above 1023.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


class Connection:
    """One connection. Only one task at a time may call `exchange`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._stream: trio.abc.Stream | None = None
        self._socket: trio.SocketStream | None = None
        self._http = self._new_http()
        self._auth: ClientAuthenticator | LocalClient | None = None
        self._tap = endpoint.tap() if endpoint.tap is not None else None
        self._relayed: Headers = ()
        """Proxy-Authorization of requests that a proxy relays without a tunnel."""
        self.exchanges = 0
        self.idle_since = 0.0

    def _new_http(self) -> HttpClient:
        limits = HttpLimits(max_body=self._endpoint.max_body)
        return HttpClient(self._endpoint.location.authority, limits=limits)

    @property
    def reusable(self) -> bool:
        """True if another exchange may follow: nothing was cut off and the server keeps it open."""
        if self._stream is None or self._socket is None or not self._http.reusable:
            return False
        # Unrequested data or the end of the stream: the server has closed the connection.
        return not _is_readable(self._socket.socket.fileno())

    async def aclose(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await trio.aclose_forcefully(stream)

    # -- opening

    async def open(self) -> None:
        """Connect and perform the TLS handshake. Raises TransportFailure."""
        endpoint = self._endpoint
        try:
            with trio.fail_after(endpoint.connect_timeout):
                await self._connect()
        except trio.TooSlowError:
            seconds = f"{endpoint.connect_timeout:g}"
            text = f"cannot connect to {endpoint.location.authority}: no answer in {seconds} s"
            raise TransportFailure(text) from None
        except BaseException:
            await self.aclose()
            raise

    async def _connect(self) -> None:
        location = self._endpoint.location
        if path := self._endpoint.unix_path:
            try:
                self._stream = self._socket = await trio.open_unix_socket(path)
            except OSError as error:
                raise TransportFailure(f"cannot connect to {path}: {error.strerror}") from None
            self._auth = LocalClient(interactive=self._endpoint.interactive)
            return
        proxy = self._endpoint.proxy
        peer = proxy.location if proxy is not None else location
        try:
            self._socket = await trio.open_tcp_stream(peer.host, peer.port)
        except OSError as error:
            raise _cannot_connect(peer, error) from None
        self._stream = PromptStream(self._socket)
        with suppress(OSError):
            self._socket.setsockopt(6, 1, 1)  # TCP_NODELAY
        if proxy is not None:
            await self._pass_proxy(proxy)
        if location.secure:
            await self._start_tls(location)
        binding = self._channel_binding()
        self._auth = ClientAuthenticator(
            self._endpoint.auth, channel_binding=binding, random=os.urandom
        )

    async def _start_tls(self, location: Location) -> None:
        if self._stream is None:
            raise TransportFailure("the connection was closed")
        context = make_context(self._endpoint.tls)
        secured = trio.SSLStream(
            self._stream, context, server_hostname=location.host, https_compatible=True
        )
        self._stream = secured
        try:
            await secured.do_handshake()
        except _BROKEN as error:
            cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
            reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or cause
            text = f"cannot establish TLS with {location.authority}: {reason}"
            final = isinstance(cause, ssl.SSLCertVerificationError)
            raise TransportFailure(text, final=final) from None
        certificate = secured.getpeercert(binary_form=True)
        check_certificate(certificate or b"", location.host, self._endpoint.tls)

    def _channel_binding(self) -> bytes | None:
        if not isinstance(self._stream, trio.SSLStream):
            return None
        certificate = self._stream.getpeercert(binary_form=True)
        return channel_binding(certificate) if certificate else None

    # -- proxies

    async def _pass_proxy(self, proxy: Proxy) -> None:
        """Open a tunnel through the proxy; plain HTTP is relayed if Basic or nothing is needed."""
        basic = proxy.authentication is Authentication.BASIC and proxy.credential is not None
        own: Headers = ()
        if basic and proxy.credential is not None:
            own = (("Proxy-Authorization", basic_header(proxy.credential)),)
        if not self._endpoint.location.secure and (basic or proxy.credential is None):
            self._relayed = own
            return
        authority = self._endpoint.location.authority
        response = await self._ask_proxy(authority, own)
        step = _proxy_steps(proxy, authority)
        for _ in range(4):
            if response.status != 407 or basic or proxy.credential is None:
                break
            if (header := step(response)) is None:
                break
            if not self._http.reusable:
                await self._connect_again(proxy)
            response = await self._ask_proxy(authority, (("Proxy-Authorization", header),))
        if response.status != 200:
            text = f"the proxy {proxy.location.authority} answered HTTP {response.status}"
            raise TransportFailure(text, code=errors.HTTP_ERROR, final=response.status == 407)
        self._http = self._new_http()

    async def _connect_again(self, proxy: Proxy) -> None:
        await self.aclose()
        self._http = self._new_http()
        try:
            self._socket = await trio.open_tcp_stream(proxy.location.host, proxy.location.port)
        except OSError as error:
            raise _cannot_connect(proxy.location, error) from None
        self._stream = PromptStream(self._socket)

    async def _ask_proxy(self, authority: str, headers: Headers) -> Response:
        response, _ = await self._round_trip(authority, headers, b"", method="CONNECT")
        return response

    # -- exchanges

    async def exchange(
        self, content_type: str, body: bytes, *, target: str = "", headers: Headers = ()
    ) -> tuple[int, list[bytes]]:
        """Post one envelope; return the status and the envelopes of the answer.

        The connection is authenticated before the first body is sent. Raises TransportFailure; the
        connection is closed then.
        """
        try:
            found = await self._exchange(content_type, body, target or self._target, headers)
        except BaseException:
            # Also on cancellation: the answer would be taken for the answer to the next request.
            await self.aclose()
            raise
        self.exchanges += 1
        return found

    @property
    def _target(self) -> str:
        location = self._endpoint.location
        relayed = self._endpoint.proxy is not None and not location.secure
        if relayed and not isinstance(self._stream, trio.SSLStream) and self._is_relayed:
            return location.url
        return location.path

    @property
    def _is_relayed(self) -> bool:
        proxy = self._endpoint.proxy
        if proxy is None or self._endpoint.location.secure:
            return False
        return proxy.credential is None or proxy.authentication is Authentication.BASIC

    async def _exchange(
        self, content_type: str, body: bytes, target: str, headers: Headers
    ) -> tuple[int, list[bytes]]:
        assert self._auth is not None
        given = (("Content-Type", content_type), *headers)
        if not self._auth.established:
            answer = await self._authenticate(target, given, body)
            if answer is not None:
                return self._opened(answer)
        plain = body
        if self._auth.seals:
            sealed_type, body = self._auth.seal(content_type, body)
            given = (("Content-Type", sealed_type), *headers)
        given += self._auth.headers()
        self._observe_request(target, given, plain, len(body))
        response, _ = await self._round_trip(target, given, body)
        return self._opened(response)

    async def _authenticate(self, target: str, given: Headers, body: bytes) -> Response | None:
        """Perform the handshake; return the answer to the body if the last leg carried it."""
        assert self._auth is not None
        leg: Leg | None = await self._step(self._auth.first)
        while leg is not None:
            carried = leg.with_body
            sent = body if carried else b""
            self._observe_request(target, given + leg.headers, sent, len(sent))
            response, _ = await self._round_trip(target, given + leg.headers, sent)
            self._check_redirect(response)
            if response.status in (400, 404, 503) and not carried:
                raise TransportFailure.of_status(response.status)
            leg = await self._step(self._auth.receive, response.status, response.headers)
            if leg is not None or not carried:
                self._observe_response(response, b"")
            if leg is None:
                return response if carried else None
            if not self._http.reusable:
                text = "the server closed the connection during authentication"
                raise TransportFailure(text, status=_REFUSED)
        return None

    async def _step(self, function: Callable[..., Leg | None], *arguments: object) -> Leg | None:
        """Run one step of the authentication machine, in a thread if it may contact a KDC."""
        assert self._auth is not None
        try:
            if self._auth.blocking:
                return await trio.to_thread.run_sync(function, *arguments)
            return function(*arguments)
        except (CannotAuthenticate, AuthenticationRefused) as error:
            code = error.code or errors.ACCESS_DENIED
            raise TransportFailure(str(error), code=code, status=_REFUSED, final=True) from error

    def _opened(self, response: Response) -> tuple[int, list[bytes]]:
        """Unseal an answer."""
        assert self._auth is not None
        self._check_redirect(response)
        content_type = response.header("content-type") or ""
        if not is_sealed(content_type):
            self._observe_response(response, response.body)
            if response.status == _REFUSED and self.exchanges:
                # The server has lost the authentication of this connection.
                raise TransportFailure.of_status(_REFUSED)
            return response.status, [response.body]
        try:
            limit = self._endpoint.max_body
            plain = self._auth.unseal(content_type, response.body, max_size=limit)
        except ProtocolError as error:
            text = f"cannot open the server's sealed answer: {error}"
            raise TransportFailure(text, code=errors.HTTP_ERROR, sent=True, partial=True) from error
        for each in plain:
            self._observe_response(response, each.body)
        return response.status, [each.body for each in plain]

    def _observe_request(self, target: str, headers: Headers, envelope: bytes, size: int) -> None:
        if self._tap is not None:
            self._tap("client", f"POST {target} HTTP/1.1", headers, envelope, size)

    def _observe_response(self, response: Response, envelope: bytes) -> None:
        if self._tap is not None:
            start = f"HTTP/1.1 {response.status} {response.reason}".rstrip()
            self._tap("server", start, response.headers, envelope, len(response.body))

    def _check_redirect(self, response: Response) -> None:
        if response.status in _REDIRECTS:
            location = response.header("location") or ""
            text = f"the server redirects to {location or 'no URL'}"
            raise TransportFailure(
                text, code=errors.REDIRECT_REQUIRED, status=response.status, final=True,
                location=location,
            )  # fmt: skip

    # -- bytes

    async def _round_trip(
        self, target: str, headers: Headers, body: bytes, *, method: str = "POST"
    ) -> tuple[Response, bool]:
        """Send one request and read its response. Raises TransportFailure."""
        stream = self._stream  # `aclose` of another task may set it to None meanwhile
        if stream is None:
            raise TransportFailure("the connection was closed")
        sent = partial = False
        try:
            data = self._http.request(
                target, self._relayed + self._cookies() + headers, body, method=method
            )
            sent = bool(body)
            await stream.send_all(data)
            while (response := self._http.next_response()) is None:
                received = await stream.receive_some(_CHUNK)
                partial = partial or bool(received)
                if not partial:
                    raise trio.BrokenResourceError("the server closed it without an answer")
                self._http.receive_data(bytes(received))
        except (HttpError, LimitExceeded, LocalProtocolError) as error:
            raise TransportFailure(
                str(error), code=errors.HTTP_ERROR, sent=sent, partial=partial
            ) from error
        except _BROKEN as error:
            text = f"the connection to {self._endpoint.location.authority} was lost: {error}"
            raise TransportFailure(text, sent=sent, partial=partial) from error
        except ProtocolError as error:
            raise TransportFailure(str(error), sent=sent, partial=partial) from error
        self._keep_cookies(response)
        return response, partial

    def _cookies(self) -> Headers:
        cookies = self._endpoint.cookies
        if not cookies:
            return ()
        return (("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())),)

    def _keep_cookies(self, response: Response) -> None:
        """Store the name and the value of each cookie: MS-WSMAN, or those of Exchange."""
        for text in response.all("set-cookie"):
            name, found, value = text.partition(";")[0].partition("=")
            if found and name.strip() and len(self._endpoint.cookies) < 50:
                self._endpoint.cookies[name.strip()] = value.strip()


def _proxy_steps(proxy: Proxy, authority: str) -> Callable[[Response], str | None]:
    """Return a function that answers each 407 of a proxy with a Proxy-Authorization value."""
    if proxy.authentication is Authentication.DIGEST:

        def digest(response: Response) -> str | None:
            renamed = _as_origin(response.headers)
            for scheme, _, given in challenges(renamed):
                if scheme == "digest" and proxy.credential is not None:
                    client = DigestClient(given, proxy.credential, os.urandom)
                    return client.header("CONNECT", authority)
            return None

        return digest
    options = AuthOptions(
        authentication=Authentication.NEGOTIATE,
        credential=proxy.credential,
        host=proxy.location.host,
        port=proxy.location.port,
        secure=False,
        no_encryption=True,
        allow_unencrypted=True,
        trusted_hosts=("*",),
    )
    machine = ClientAuthenticator(options, random=os.urandom)
    started = False

    def negotiate(response: Response) -> str | None:
        nonlocal started
        try:
            if not started:
                started = True
                leg: Leg | None = machine.first()
            else:
                leg = machine.receive(_REFUSED, _as_origin(response.headers))
        except (CannotAuthenticate, AuthenticationRefused) as error:
            text = f"the proxy {proxy.location.authority} does not accept us: {error}"
            raise TransportFailure(text, code=errors.ACCESS_DENIED, final=True) from error
        return leg.headers[0][1] if leg is not None and leg.headers else None

    return negotiate


def _as_origin(headers: Headers) -> Headers:
    """Return the challenges of a proxy under the header names of a server."""
    return tuple(
        ("WWW-Authenticate" if name.lower() == "proxy-authenticate" else name, value)
        for name, value in headers
    )


def _cannot_connect(peer: Location, error: OSError) -> TransportFailure:
    unknown = type(error).__name__ == "gaierror"
    reason = error.strerror or str(error)
    if unknown:
        text = f"the computer {peer.host} was not found: {reason}"
        return TransportFailure(text, code=errors.COMPUTER_NOT_FOUND)
    return TransportFailure(f"cannot connect to {peer.authority}: {reason}")
