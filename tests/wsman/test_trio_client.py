"""The client over real sockets: connections, TLS, proxies, redirects, cuts, and whole shells."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import trio

from psrp.sansio import Outgoing, TransportAct
from tests.wsman.servers import Authority, Served, Server, make_authority, serve
from wsman import errors, faults, names, operations, queries, soap
from wsman import shell_values as v
from wsman.auth import Authentication, Credential
from wsman.auth_client import AuthOptions
from wsman.envelopes import Headers
from wsman.errors import TransportFailure, WSManError, WSManFault
from wsman.http import Request, Response
from wsman.locations import Location
from wsman.requests import Requests, ShellConfig
from wsman.trio_client import ShellClient, ask, commands_of, identify, shells_on
from wsman.trio_client_tls import TlsOptions
from wsman.trio_connection import Endpoint, Proxy
from wsman.trio_pool import Connections, Redirection

A = TransportAct
SOAP = "application/soap+xml;charset=UTF-8"
USER = Credential(user_name="user", password="secret word")
COMMAND = UUID("9e2b1c3d-0000-4000-8000-00000000000a")


_made: list[Connections] = []


@pytest.fixture(autouse=True)
async def _close_connections() -> AsyncIterator[None]:
    yield
    for each in _made:
        await each.aclose()
    _made.clear()


def connections(
    server: Server | int,
    *,
    host: str = "127.0.0.1",
    secure: bool = False,
    tls: TlsOptions = TlsOptions(),  # noqa: B008
    proxy: Proxy | None = None,
    redirection: Redirection = Redirection(),  # noqa: B008
) -> Connections:
    port = server if isinstance(server, int) else server.port
    location = Location.of_computer(host, port=port, secure=secure)
    cookies: dict[str, str] = {}

    def endpoint(place: Location) -> Endpoint:
        auth = AuthOptions(
            authentication=Authentication.BASIC, credential=USER, host=place.host,
            port=place.port, secure=place.secure, allow_unencrypted=True,
        )  # fmt: skip
        return Endpoint(
            location=place, auth=auth, tls=tls, proxy=proxy, connect_timeout=5.0, cookies=cookies
        )

    made = Connections(location, endpoint, redirection)
    _made.append(made)
    return made


def answer_to(request: Request, value: Any, *, status: int = 200) -> Response:
    relates = soap.parse(request.body).message_id
    body = operations.write(Headers(relates_to=relates), value)
    return Response(status=status, headers=(("Content-Type", SOAP),), body=body)


def config(server: Server, **changes: Any) -> ShellConfig:
    shell_id = str(uuid4()).upper()
    url = f"http://127.0.0.1:{server.port}/wsman"
    return ShellConfig(**({"url": url, "shell_id": shell_id, "retries": 2} | changes))


async def post(made: Connections, body: bytes = b"<x/>") -> tuple[int, list[bytes]]:
    with trio.fail_after(10):
        return await made.exchange(SOAP, body)


async def echo(request: Request, _served: Served) -> Response:
    return Response(status=200, body=request.body)


# -- connections


async def test_a_connection_is_used_again_when_it_is_idle() -> None:
    async with serve(echo) as server:
        made = connections(server)
        for _ in range(3):
            assert await post(made) == (200, [b"<x/>"])
        assert len(server.connections) == made.opened == 1
        headers = dict(server.requests[0].headers)
        assert headers["authorization"].startswith("Basic ")
        assert headers["content-type"] == SOAP
        assert headers["accept-encoding"] == "identity"
        await made.aclose()


async def test_requests_at_one_time_have_a_connection_each() -> None:
    """Statement H74. A long poll does not delay other requests."""
    release = trio.Event()

    async def answer(request: Request, served: Served) -> Response:
        if request.body == b"poll":
            await release.wait()
        return await echo(request, served)

    async with serve(answer) as server, trio.open_nursery() as nursery:
        made = connections(server)
        nursery.start_soon(post, made, b"poll")
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert (await post(made, b"other"))[1] == [b"other"]
        release.set()
        nursery.start_soon(post, made, b"last")
    assert len(server.connections) == 2


async def test_a_connection_that_the_server_closed_in_the_meantime_is_replaced() -> None:
    """Statement H74. The new connection is authenticated before anything else."""

    async def answer(request: Request, served: Served) -> Response:
        return Response(status=200, body=request.body)

    async with serve(answer) as server:
        made = connections(server)
        await post(made)
        await trio.aclose_forcefully(server.connections[0].stream)
        await trio.sleep(0.05)
        assert (await post(made))[0] == 200
        assert len(server.connections) == 2
        assert dict(server.requests[-1].headers)["authorization"].startswith("Basic ")


async def test_cookies_are_sent_back() -> None:
    async def answer(request: Request, served: Served) -> Response:
        return Response(
            status=200,
            headers=(("Set-Cookie", "MS-WSMAN=abc; Path=/; HttpOnly"), ("Set-Cookie", "b=2")),
        )

    async with serve(answer) as server:
        made = connections(server)
        await post(made)
        await post(made)
    assert "cookie" not in dict(server.requests[0].headers)
    assert dict(server.requests[1].headers)["cookie"] == "MS-WSMAN=abc; b=2"


async def test_a_refused_password_is_tried_once() -> None:
    async def answer(request: Request, served: Served) -> Response:
        return Response(status=401, headers=(("WWW-Authenticate", 'Basic realm="WSMAN"'),))

    async with serve(answer) as server:
        client = ShellClient(config(server, retries=5), connections(server))
        client.send(Outgoing(act=A.CREATE_POOL, data=b"first"))
        user = Recorder()
        with trio.fail_after(10):
            await client.run(user)
        assert user.error is not None
        assert user.error.code == errors.ACCESS_DENIED
        assert "secret word" not in str(user.error)
    assert len(server.requests) == 1


async def test_no_listener_and_no_host_are_errors_that_name_them() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    with pytest.raises(TransportFailure, match=f"cannot connect to 127.0.0.1:{port}") as caught:
        await post(connections(port))
    assert caught.value.error_id("X") == "CannotConnect,X"
    with pytest.raises(TransportFailure, match=r"no\.such\.host\.invalid was not found") as caught:
        await post(connections(port, host="no.such.host.invalid"))
    assert caught.value.error_id("X") == "ComputerNotFound,X"


async def test_an_exchange_that_was_given_up_leaves_no_connection_for_others() -> None:
    async def answer(request: Request, served: Served) -> Response:
        if served.number == 1:
            await trio.sleep_forever()
        return await echo(request, served)

    async with serve(answer) as server:
        made = connections(server)
        with trio.move_on_after(0.1):
            await made.exchange(SOAP, b"first")
        assert (await post(made, b"second"))[1] == [b"second"]
        assert not made._all - set(made._idle)


# -- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate for another name, of another authority."""
    return make_authority(tmp_path_factory.mktemp("other"), names=("other.example",))


async def test_a_server_of_a_trusted_authority_is_accepted(authority: Authority) -> None:
    async with serve(echo, context=authority.context()) as server:
        for host in ("127.0.0.1", "localhost"):
            made = connections(
                server, host=host, secure=True, tls=TlsOptions(ca_file=str(authority.ca))
            )
            assert (await post(made))[0] == 200


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "certificate verify failed|self-signed|unable to get local issuer"),
        ({"skip_cn_check": True}, "unable to get local issuer|self-signed"),
        ({"skip_ca_check": True}, "not for the name 127.0.0.1"),
        ({"pinned": "00" * 32}, "not the pinned one"),
        ({"ca": True}, "mismatch"),
        ({"ca": True, "skip_cn_check": True}, ""),
        ({"skip_ca_check": True, "skip_cn_check": True}, ""),
        ({"pin": hashlib.sha256}, ""),
        ({"pin": hashlib.sha1}, ""),
    ],
)
async def test_each_check_of_a_certificate_has_its_option(
    stranger: Authority, options: dict[str, Any], complaint: str
) -> None:
    given = dict(options)
    if given.pop("ca", False):
        given["ca_file"] = str(stranger.ca)
    if pin := given.pop("pin", None):
        given["pinned"] = pin(stranger.der).hexdigest().upper()
    async with serve(echo, context=stranger.context()) as server:
        made = connections(server, secure=True, tls=TlsOptions(**given))
        if not complaint:
            assert (await post(made))[0] == 200
            return
        with pytest.raises(TransportFailure, match=complaint) as caught:
            await post(made)
        assert caught.value.final
        assert not server.requests


async def test_a_client_certificate_is_shown(authority: Authority) -> None:
    async with serve(echo, context=authority.context(clients=True)) as server:
        tls = TlsOptions(
            ca_file=str(authority.ca), certificate=str(authority.certificate),
            key=str(authority.key),
        )  # fmt: skip
        assert (await post(connections(server, secure=True, tls=tls)))[0] == 200
        without = connections(server, secure=True, tls=TlsOptions(ca_file=str(authority.ca)))
        with pytest.raises(TransportFailure):
            await post(without)


async def test_a_certificate_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    missing = str(tmp_path / "none.pem")
    made = connections(
        listeners[0].socket.getsockname()[1], secure=True, tls=TlsOptions(ca_file=missing)
    )
    with pytest.raises(TransportFailure, match=r"cannot use .*none\.pem"):
        await post(made)
    await listeners[0].aclose()


# -- proxies


def proxy_to(
    port: int, authentication: Authentication = Authentication.BASIC, *, user: bool = True
) -> Proxy:
    return Proxy(
        location=Location(host="127.0.0.1", port=port, path="/"),
        authentication=authentication,
        credential=Credential(user_name="proxyuser", password="proxyword") if user else None,
    )


async def tunnel(request: Request, served: Served) -> None:
    """Answer CONNECT and connect the two sides."""
    host, _, port = request.target.partition(":")
    onward = await trio.open_tcp_stream(host, int(port))
    await served.stream.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def copy(source: trio.abc.Stream, sink: trio.abc.Stream) -> None:
        try:
            while data := await source.receive_some(65536):
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        nursery.cancel_scope.cancel()

    async with onward, trio.open_nursery() as nursery:
        nursery.start_soon(copy, served.stream, onward)
        nursery.start_soon(copy, onward, served.stream)


async def test_https_goes_through_the_tunnel_of_a_proxy(authority: Authority) -> None:
    async def answer(request: Request, served: Served) -> None:
        await tunnel(request, served)

    async with serve(echo, context=authority.context()) as server, serve(answer) as proxy:
        tls = TlsOptions(ca_file=str(authority.ca))
        made = connections(server, secure=True, tls=tls, proxy=proxy_to(proxy.port))
        assert (await post(made))[0] == 200
        (asked,) = proxy.requests
        assert (asked.method, asked.target) == ("CONNECT", f"127.0.0.1:{server.port}")
        expected = base64.b64encode(b"proxyuser:proxyword").decode()
        assert asked.header("proxy-authorization") == f"Basic {expected}"
        # The target server never receives the proxy's password.
        assert all(not r.header("proxy-authorization") for r in server.requests)


async def test_plain_http_is_relayed_with_its_whole_url() -> None:
    async with serve(echo) as proxy:
        made = connections(59999, proxy=proxy_to(proxy.port))
        assert (await post(made))[0] == 200
        (asked,) = proxy.requests
        assert asked.target == "http://127.0.0.1:59999/wsman"
        assert asked.header("proxy-authorization")
        assert asked.header("authorization")


async def test_a_proxy_that_asks_for_digest_gets_it() -> None:
    challenge = 'Digest realm="proxy", nonce="n1", qop="auth", algorithm=SHA-256'

    async def answer(request: Request, served: Served) -> Response | None:
        if not (request.header("proxy-authorization") or "").startswith("Digest "):
            return Response(status=407, headers=(("Proxy-Authenticate", challenge),))
        await tunnel(request, served)
        return None

    async with serve(echo) as server, serve(answer) as proxy:
        made = connections(server, proxy=proxy_to(proxy.port, Authentication.DIGEST))
        assert (await post(made))[0] == 200
        text = proxy.requests[-1].header("proxy-authorization") or ""
        assert 'username="proxyuser"' in text
        assert "proxyword" not in text


async def test_a_proxy_that_refuses_us_is_named() -> None:
    async def answer(request: Request, served: Served) -> Response:
        return Response(status=407, headers=(("Proxy-Authenticate", "Basic"),))

    async with serve(answer) as proxy, serve(echo) as server:
        made = connections(server, secure=True, proxy=proxy_to(proxy.port))
        with pytest.raises(TransportFailure, match=f"the proxy 127.0.0.1:{proxy.port}") as caught:
            await post(made)
        assert caught.value.final
        assert len(proxy.requests) == 1


# -- redirects


def to(url: str) -> Any:
    async def answer(request: Request, served: Served) -> Response:
        return Response(status=302, headers=(("Location", url),))

    return answer


async def test_a_redirect_is_reported_unless_it_is_allowed() -> None:
    async with serve(echo) as there, serve(to(f"http://127.0.0.1:{there.port}/other")) as here:
        with pytest.raises(TransportFailure, match="redirects to") as caught:
            await post(connections(here))
        assert caught.value.error_id("X") == "RedirectInformationRequired,X"
        made = connections(here, redirection=Redirection(count=5))
        assert (await post(made))[0] == 200
        assert made.location.port == there.port
        assert [r.path for r in there.requests] == ["/other"]
        # Later requests go to the new location at once.
        await post(made)
        assert len(here.requests) == 2


async def test_redirects_end_after_the_number_that_is_allowed() -> None:
    places: list[int] = []

    async def answer(request: Request, served: Served) -> Response:
        url = f"http://127.0.0.1:{places[0]}/again"
        return Response(status=301, headers=(("Location", url),))

    async with serve(answer) as server:
        places.append(server.port)
        with pytest.raises(TransportFailure, match="redirects to"):
            await post(connections(server, redirection=Redirection(count=5)))
    assert len(server.requests) == 6


async def test_credentials_go_to_no_other_host_unless_it_is_named() -> None:
    async with serve(echo) as there, serve(to(f"http://localhost:{there.port}/")) as here:
        made = connections(here, redirection=Redirection(count=5))
        with pytest.raises(TransportFailure, match="may not see the credentials"):
            await post(made)
        assert there.requests == []
        named = Redirection(count=5, hosts=("localhost",))
        assert (await post(connections(here, redirection=named)))[0] == 200


async def test_no_redirect_leads_from_https_to_http(authority: Authority) -> None:
    async with (
        serve(echo) as there,
        serve(to(f"http://127.0.0.1:{there.port}/"), context=authority.context()) as here,
    ):
        made = connections(
            here, secure=True, tls=TlsOptions(ca_file=str(authority.ca)),
            redirection=Redirection(count=5, hosts=("*",)),
        )  # fmt: skip
        with pytest.raises(TransportFailure, match="may not see the credentials"):
            await post(made)
        assert there.requests == []


# -- shells


class Recorder:
    """A user of `ShellClient` that records events."""

    def __init__(self) -> None:
        self.data: dict[UUID | None, bytes] = {}
        self.acts: list[tuple[A, UUID | None]] = []
        self.failed: list[tuple[A, UUID | None, WSManError]] = []
        self.ended: list[UUID] = []
        self.retries = 0
        self.error: WSManError | None = None
        self.is_lost = False
        self.on_data: Any = lambda: None

    def received(self, data: bytes, target: UUID | None) -> None:
        self.data[target] = self.data.get(target, b"") + data
        self.on_data()

    def act_done(self, act: A, target: UUID | None) -> None:
        self.acts.append((act, target))

    def act_failed(self, act: A, target: UUID | None, error: WSManError) -> None:
        self.failed.append((act, target, error))
        self.on_data()

    def command_ended(self, target: UUID) -> None:
        self.ended.append(target)

    def retrying(self, event: Any) -> None:
        self.retries += 1

    def ready_again(self, target: UUID | None) -> None:
        pass

    def lost(self, error: WSManError | None) -> None:
        assert not self.is_lost
        self.is_lost = True
        self.error = error

    async def wait_for_reader(self, target: UUID | None) -> None:
        await trio.lowlevel.checkpoint()


class SmallServer:
    """A minimal service: one shell, one command with some output, long polls."""

    words = (b"one ", b"two ", b"three")

    def __init__(self) -> None:
        self.log: list[str] = []
        self.output: dict[str, list[bytes]] = {"": [b"pool"]}
        self.closed: set[str] = set()
        self.change = trio.Event()

    def touch(self) -> None:
        self.change.set()
        self.change = trio.Event()

    async def answer(self, request: Request, served: Served) -> Response | bytes | None:
        envelope = soap.parse(request.body)
        value = operations.read(envelope)
        self.log.append(type(value).__name__)
        return answer_to(request, await self.value(envelope, value))

    async def value(self, envelope: soap.Envelope, value: Any) -> Any:
        match value:
            case v.Create():
                selectors = ((v.SHELL_SELECTOR, value.shell_id),)
                return v.CreateResponse(resource_uri=envelope.resource_uri, selectors=selectors)
            case v.Command():
                self.output[value.command_id] = list(self.words)
                self.touch()
                return v.CommandResponse(command_id=value.command_id)
            case v.Receive():
                return await self.receive(value.command_id)
            case v.Signal():
                self.closed.add(value.command_id)
                self.touch()
                return v.SignalResponse()
            case v.Send():
                return v.SendResponse()
            case v.Delete():
                self.closed.add("")
                self.touch()
                return v.DeleteResponse()
            case v.Disconnect():
                return v.DisconnectResponse()
        raise AssertionError(value)

    def take_back(self, response: Response) -> None:
        """No byte of the response was written, so its output is still available."""
        value = operations.read(soap.parse(response.body))
        for stream in reversed(value.streams if isinstance(value, v.ReceiveResponse) else ()):
            self.output[stream.command_id].insert(0, stream.data)

    async def receive(self, command_id: str) -> Any:
        while not self.output[command_id]:
            if command_id in self.closed:
                return faults.make_fault("InvalidSelectors")
            await self.change.wait()
        data = self.output[command_id].pop(0)
        states = ()
        if command_id and not self.output[command_id]:
            states = (soap.CommandState(state="Done", command_id=command_id),)
        stream = v.StreamData(name="stdout", data=data, command_id=command_id)
        return v.ReceiveResponse(streams=(stream,), states=states)


async def run_shell(client: ShellClient, user: Recorder) -> None:
    """Open, run one command to its end, close."""

    def drive() -> None:
        if user.data.get(None) and COMMAND not in user.data and "command" not in seen:
            seen.add("command")
            client.send(Outgoing(act=A.CREATE_PIPELINE, target=COMMAND, data=b"command"))
        whole = user.data.get(COMMAND, b"").endswith(b"three")
        if (whole or user.failed) and "close" not in seen:
            seen.add("close")
            client.send(Outgoing(act=A.CLOSE_PIPELINE, target=COMMAND))
            client.send(Outgoing(act=A.CLOSE_POOL))

    seen: set[str] = set()
    user.on_data = drive
    client.send(Outgoing(act=A.CREATE_POOL, data=b"first"))
    with trio.fail_after(30):
        try:
            await client.run(user)
        finally:
            await client.aclose()


async def test_a_shell_is_opened_used_and_closed_in_few_round_trips() -> None:
    played = SmallServer()
    async with serve(played.answer) as server:
        user = Recorder()
        client = ShellClient(config(server), connections(server))
        await run_shell(client, user)
    assert user.is_lost
    assert user.error is None
    assert user.data == {None: b"pool", COMMAND: b"one two three"}
    # Create, the pool's two Receives, Command, one Receive per word, terminate, Delete.
    assert client.round_trips == len(played.log) == 9
    assert played.log.count("Receive") == 5
    assert (A.CLOSE_POOL, None) in user.acts


async def test_cutting_the_connection_after_every_byte_hangs_nothing_and_loses_nothing() -> None:
    """Cut the n-th response after k bytes: all output arrives once, or the error is reported."""
    outcomes = {"whole": 0, "failed": 0}
    for victim in range(1, 10):
        for cut in (0, 1, 20, 200, 700, 100_000):
            played = SmallServer()
            await one_cut(played, victim, cut, outcomes)
    assert outcomes["whole"] > 10
    assert outcomes["failed"] > 10


async def one_cut(played: SmallServer, victim: int, cut: int, outcomes: dict[str, int]) -> None:
    count = 0

    async def answer(request: Request, served: Served) -> Response | bytes | None:
        nonlocal count
        count += 1
        mine = count
        made = await played.answer(request, served)
        assert isinstance(made, Response)
        if mine != victim:
            return made
        if cut == 0:
            played.take_back(made)
        head = f"HTTP/1.1 {made.status} X\r\nContent-Length: {len(made.body)}\r\n\r\n"
        return (head.encode() + made.body)[:cut] if cut < 100_000 else head.encode() + made.body

    async with serve(answer) as server:
        user = Recorder()
        await run_shell(ShellClient(config(server), connections(server)), user)
    assert user.is_lost
    said = user.data.get(COMMAND, b"")
    if user.error is None and not user.failed:
        outcomes["whole"] += 1
        if cut:
            assert said == b"one two three"
    else:
        outcomes["failed"] += 1
        assert b"one two three".startswith(said)


async def test_a_poll_that_is_cancelled_costs_no_time_at_the_end() -> None:
    """Closing does not wait for the outstanding Receive, which the server answers late."""

    class Slow(SmallServer):
        async def receive(self, command_id: str) -> Any:
            if not self.output[command_id]:
                await trio.sleep_forever()
            return await super().receive(command_id)

    played = Slow()
    async with serve(played.answer) as server:
        user = Recorder()
        start = trio.current_time()
        await run_shell(ShellClient(config(server), connections(server)), user)
        assert user.error is None
        assert trio.current_time() - start < 20


async def test_a_client_that_is_cancelled_deletes_its_shell() -> None:
    played = SmallServer()
    async with serve(played.answer) as server:
        user = Recorder()
        client = ShellClient(config(server), connections(server))
        client.send(Outgoing(act=A.CREATE_POOL, data=b"first"))
        with trio.move_on_after(1) as scope:
            user.on_data = scope.cancel
            await client.run(user)
        await client.aclose()
    assert played.log[-1] == "Delete"


async def test_a_disconnected_shell_is_left_alone() -> None:
    played = SmallServer()
    async with serve(played.answer) as server:
        user = Recorder()
        client = ShellClient(config(server), connections(server))
        user.on_data = lambda: client.send(Outgoing(act=A.DISCONNECT))
        client.send(Outgoing(act=A.CREATE_POOL, data=b"first"))
        with trio.fail_after(20):
            await client.run(user)
            await client.aclose()
    assert user.error is None
    assert (A.DISCONNECT, None) in user.acts
    assert "Delete" not in played.log


# -- single operations


async def test_shells_are_enumerated_and_foreign_rows_are_left_out() -> None:
    """Statement H86."""
    powershell = names.POWERSHELL_PREFIX + "Microsoft.PowerShell"
    row = {"shell_id": "A", "name": "n", "state": "Connected", "resource_uri": powershell}
    rows = [
        v.ShellInfo(**row),
        v.ShellInfo(**(row | {"resource_uri": names.RESOURCE_CMD})),
        *(v.ShellInfo(**(row | {missing: ""})) for missing in row),
    ]
    asked: list[Any] = []

    async def answer(request: Request, served: Served) -> Response:
        envelope = soap.parse(request.body)
        value = operations.read(envelope)
        asked.append((envelope.resource_uri, value))
        if isinstance(value, queries.Enumerate):
            made = queries.EnumerateResponse(context="uuid:1", shells=tuple(rows[:3]))
            return answer_to(request, made)
        return answer_to(request, queries.PullResponse(shells=tuple(rows[3:]), end=True))

    async with serve(answer) as server:
        found = await shells_on(connections(server), config(server))
    assert [shell.shell_id for shell in found] == ["A"]
    assert [uri for uri, _ in asked] == [names.RESOURCE_SHELL] * 2
    assert asked[0][1] == queries.Enumerate(optimized=True, max_elements=32000)
    assert asked[1][1].context == "uuid:1"


async def test_the_commands_of_a_shell_are_enumerated_with_a_filter() -> None:
    async def answer(request: Request, served: Served) -> Response:
        envelope = soap.parse(request.body)
        value = operations.read(envelope)
        assert envelope.resource_uri == names.RESOURCE_COMMAND
        assert value.dialect == names.SELECTOR_FILTER
        command = queries.CommandInfo(shell_id=value.selectors[0][1], command_id=str(COMMAND))
        made = queries.EnumerateResponse(commands=(command,), end=True)
        return answer_to(request, made)

    async with serve(answer) as server:
        requests = Requests(config(server, shell_id="S"), uuid4)
        found = await commands_of(connections(server), requests)
    assert found == [queries.CommandInfo(shell_id="S", command_id=str(COMMAND))]


async def test_a_server_is_identified() -> None:
    async def answer(request: Request, served: Served) -> Response:
        assert isinstance(operations.read(soap.parse(request.body)), queries.Identify)
        return answer_to(request, queries.IdentifyResponse(product_vendor="us"))

    async with serve(answer) as server:
        assert (await identify(connections(server), config(server))).product_vendor == "us"


async def test_a_request_without_an_answer_ends_with_its_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    silent = trio.socket.socket()
    await silent.bind(("127.0.0.1", 0))
    silent.listen()
    made = connections(silent.getsockname()[1])
    requests = Requests(ShellConfig(url="http://x/", operation_timeout=5.0), uuid4)
    with pytest.raises(TransportFailure, match="no answer within 35 seconds") as caught:
        await ask(made, requests.make(v.Delete()))
    assert caught.value.error_id("X") == "WinRMOperationTimeout,X"
    silent.close()


async def test_a_fault_of_an_enumeration_is_raised() -> None:
    async def answer(request: Request, served: Served) -> Response:
        return answer_to(request, faults.make_fault("AccessDenied"), status=500)

    async with serve(answer) as server:
        with pytest.raises(WSManFault) as caught:
            await shells_on(connections(server), config(server))
    assert caught.value.code == 5
