"""The server's driver on loopback: hostile clients, slow ones, connections that break."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from tests.endpoint.served_wsman import write_certificate
from tests.wsman.served import SHELL
from tests.wsman.served_http import (
    IDENTIFY,
    PASSWORD,
    Client,
    authenticated,
    basic,
    envelope,
    read,
    served,
    trusting,
)
from wsman import queries
from wsman import shell_values as v
from wsman.auth import CERTIFICATE_SCHEME, Authentication, Credential
from wsman.auth_client import AuthOptions, ClientAuthenticator
from wsman.certificates import CertificateMapping, channel_binding, client_certificate
from wsman.http import SOAP, HttpClient, HttpError
from wsman.trio_server import ServerLimits
from wsman.trio_tls import TlsIdentity


async def test_a_request_is_served() -> None:
    async with served() as table:
        client = await Client.connect(table)
        created = read(await client.ask(v.Create(shell_id=SHELL)))
        assert isinstance(created, v.CreateResponse)
        assert table.work.request.owner == "carol"
        async with trio.open_nursery() as nursery:

            async def later() -> None:
                await trio.sleep(0.05)
                table.work.put(b"output")

            nursery.start_soon(later)
            received = read(await client.ask(v.Receive()))
        assert received.streams[0].data == b"output"


async def test_identify_needs_no_credentials_and_tells_no_version() -> None:
    async with served() as table:
        client = await Client.connect(table)
        response = await client.post(
            IDENTIFY, ("Content-Type", SOAP), ("WSMANIDENTIFY", "unauthenticated")
        )
        assert isinstance(read(response), queries.IdentifyResponse)
        assert response.status == 200
        refused = await client.post(
            envelope(v.Create()), ("Content-Type", SOAP), ("WSMANIDENTIFY", "unauthenticated")
        )
        assert refused.status == 400
        assert not table.endpoint.works


async def test_without_credentials_the_ways_in_are_listed() -> None:
    async with served() as table:
        client = await Client.connect(table)
        response = await client.post(envelope(v.Create()), ("Content-Type", SOAP))
        assert response.status == 401
        assert response.all("WWW-Authenticate") == ("Negotiate", 'Basic realm="WSMAN"')
        assert response.body == b""
        assert not table.endpoint.works


STATUSES: list[tuple[dict[str, str], bytes, tuple[tuple[str, str], ...], int]] = [
    ({"target": "/other"}, b"", (), 404),
    ({"target": "/wsman/more"}, b"", (), 404),
    ({"method": "GET"}, b"", (), 405),
    ({"method": "PUT"}, b"", (), 405),
    ({}, IDENTIFY, (("Content-Type", "text/xml"),), 415),
    ({}, IDENTIFY, (("Content-Type", SOAP.replace("UTF-8", "UTF-7")),), 415),
    ({}, IDENTIFY, (), 415),
    ({}, b"xx", (("Content-Type", SOAP), ("Content-Encoding", "br")), 415),
    ({}, b"xx", (("Content-Type", SOAP), ("Content-Encoding", "gzip")), 400),
    ({}, b"xx", (("Content-Type", 'multipart/encrypted;boundary="Encrypted Boundary"'),), 400),
    ({}, b"no xml", (("Content-Type", SOAP),), 500),
    ({"target": "/WSMAN/?PSVersion=7.6"}, IDENTIFY, (("Content-Type", SOAP),), 200),
    ({}, b"", (), 200),
]


@pytest.mark.parametrize(("how", "body", "headers", "status"), STATUSES)
async def test_a_request_refused_by_http_leaves_the_connection_usable(
    how: dict[str, str], body: bytes, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    async with served() as table:
        client = await Client.connect(table)
        signed = (*headers, ("Authorization", basic()))
        assert (await client.post(body, *signed, **how)).status == status
        # The connection is still usable.
        assert (await client.post(IDENTIFY, ("Content-Type", SOAP), signed[-1])).status == 200


async def test_a_wrong_password_is_told_late_and_counted() -> None:
    async with served() as table:
        for user, password in (("carol", "wrong"), ("nobody", PASSWORD)):
            client = await Client.connect(table)
            header = ("Authorization", basic(user, password))
            response = await client.post(IDENTIFY, ("Content-Type", SOAP), header)
            assert response.status == 401
        assert table.lines == ["127.0.0.1: a log-on failed"] * 2
        assert PASSWORD not in "".join(table.lines)


async def test_a_body_over_the_limit_is_refused_before_it_comes() -> None:
    """Statement H77."""
    async with served() as table:
        client = await Client.connect(table)
        await client.stream.send_all(
            b"POST /wsman HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nbegin"
        )
        client.http.request("/", ())
        response = await client.response()
        assert response.status == 413
        assert await client.stream.receive_some(10) == b""


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\x05hello\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_ends_the_connection(data: bytes, status: int) -> None:
    async with served() as table:
        client = await Client.connect(table)
        client.http.request("/", ())
        await client.stream.send_all(data)
        assert (await client.response()).status == status


async def test_a_slow_request_is_ended() -> None:
    async with served(limits=ServerLimits(request_time=0.1, grace=0.1)) as table:
        client = await Client.connect(table)
        client.http.request("/", ())
        await client.stream.send_all(b"POST /wsman HTTP/1.1\r\nHost: h\r\nContent-Le")
        assert (await client.response()).status == 408
        assert await client.stream.receive_some(10) == b""


async def test_an_idle_connection_is_closed() -> None:
    async with served(limits=ServerLimits(idle_time=0.05, grace=0.1)) as table:
        client = await Client.connect(table)
        assert await client.stream.receive_some(10) == b""


async def test_too_many_connections_are_refused() -> None:
    async with served(limits=ServerLimits(max_connections=3, grace=0.1)) as table:
        clients = [await Client.connect(table) for _ in range(3)]
        for each in clients:
            assert (await each.ask(v.Create())).status == 200
        refused = await Client.connect(table)
        refused.http.request("/", ())
        assert (await refused.response()).status == 503
        await clients[0].stream.aclose()
        await trio.sleep(0.1)
        again = await Client.connect(table)
        assert (await again.ask(v.Create())).status == 200


async def test_a_client_that_hangs_up_leaves_its_output() -> None:
    async with served() as table:
        client = await Client.connect(table)
        await client.ask(v.Create(shell_id=SHELL))
        other = await Client.connect(table)
        await other.stream.send_all(
            other.http.request(
                "/wsman",
                (("Content-Type", SOAP), ("Authorization", basic())),
                envelope(v.Receive()),
            )
        )
        while not any(shell.waiting for shell in table.service.shells):
            await trio.sleep(0.005)
        await other.stream.aclose()
        while any(shell.waiting for shell in table.service.shells):
            await trio.sleep(0.005)
        table.work.put(b"kept")
        assert read(await client.ask(v.Receive())).streams[0].data == b"kept"


async def test_another_user_reaches_nothing() -> None:
    async with served() as table:
        client = await Client.connect(table)
        await client.ask(v.Create(shell_id=SHELL))
        stranger = await Client.connect(table)
        for value in (v.Delete(), v.Receive(), v.Disconnect()):
            assert read(await stranger.ask(value, "mallory")).wsman_code == 2150858843
        # The same connection with other credentials is another user.
        assert read(await client.ask(v.Delete(), "mallory")).wsman_code == 2150858843
        assert not table.work.gone


async def test_a_chunked_request_gets_code_50() -> None:
    """Statement H77."""
    async with served() as table:
        client = await Client.connect(table)
        body = envelope(v.Create(shell_id=SHELL))
        client.http.request("/", ())
        await client.stream.send_all(
            b"POST /wsman HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
            + f"Content-Type: {SOAP}\r\nAuthorization: {basic()}\r\n\r\n".encode()
            + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        )
        assert read(await client.response()).wsman_code == 50


async def test_requests_that_come_at_once_are_answered_in_turn() -> None:
    async with served() as table:
        client = await Client.connect(table)
        one = (
            f"POST /wsman HTTP/1.1\r\nHost: h\r\nContent-Type: {SOAP}\r\n"
            f"Authorization: {basic()}\r\nContent-Length: {len(IDENTIFY)}\r\n\r\n"
        ).encode() + IDENTIFY
        await client.stream.send_all(one * 3)
        for _ in range(3):
            client.http.request("/", ())
            assert (await client.response()).status == 200


# -- sealing


async def test_a_sealed_request_is_answered_sealed() -> None:
    async with served(allow_unencrypted=False) as table:
        client = await Client.connect(table)
        auth = await authenticated(client, Authentication.NTLM)
        kind, body = auth.seal(SOAP, envelope(v.Create(shell_id=SHELL)))
        response = await client.post(body, ("Content-Type", kind))
        assert response.status == 200
        assert b"CreateResponse" not in response.body
        opened = auth.unseal(response.header("Content-Type") or "", response.body, max_size=1 << 20)
        assert b"CreateResponse" in opened[0].body
        # The same bytes cannot be decrypted a second time, and nothing is executed.
        assert (await client.post(body, ("Content-Type", kind))).status == 400
        assert len(table.endpoint.works) == 1


async def test_a_message_in_the_clear_is_refused_where_it_has_to_be_sealed() -> None:
    async with served(allow_unencrypted=False) as table:
        client = await Client.connect(table)
        await authenticated(client, Authentication.NTLM)
        response = await client.post(envelope(v.Create()), ("Content-Type", SOAP))
        assert response.status == 500
        assert read(response).wsman_code == 5
        assert not table.endpoint.works


async def test_a_sealed_message_on_a_new_connection_is_asked_to_sign_in() -> None:
    async with served() as table:
        client = await Client.connect(table)
        auth = await authenticated(client, Authentication.NTLM)
        kind, body = auth.seal(SOAP, envelope(v.Create()))
        other = await Client.connect(table)
        assert (await other.post(body, ("Content-Type", kind))).status == 401


# -- TLS


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    write_certificate(path)
    return path


async def test_a_renewed_certificate_is_used_without_a_restart(pem: Path) -> None:
    identity = TlsIdentity(pem)
    async with served(identity=identity) as table:
        old = trusting(pem)
        first = await Client.connect(table, tls=old)
        assert (await first.ask(v.Create())).status == 200
        binding = identity.current()[1]
        write_certificate(pem)
        os.utime(pem, ns=(1, 1))
        second = await Client.connect(table, tls=trusting(pem))
        assert (await second.ask(v.Create())).status == 200
        assert identity.current()[1] != binding
        assert (await first.ask(v.Create())).status == 200
        pem.write_text("no certificate")
        os.utime(pem, ns=(2, 2))
        identity.current()
        assert "cannot use" in identity.trouble
        assert identity.current()[1] != binding


async def test_a_client_certificate_signs_in(pem: Path, tmp_path: Path) -> None:
    own = tmp_path / "client.pem"
    write_certificate(own, "carol")
    der = ssl.PEM_cert_to_DER_cert(own.read_text().partition("-----END PRIVATE KEY-----\n")[2])
    shown = client_certificate([der])
    assert shown is not None
    mapping = CertificateMapping(account="carol", issuer=shown.thumbprint, subject="*@example.org")
    identity = TlsIdentity(pem, client_authorities=own)
    async with served(identity=identity, mappings=(mapping,)) as table:
        signed = await Client.connect(table, tls=trusting(pem, own))
        header = ("Authorization", CERTIFICATE_SCHEME)
        response = await signed.post(envelope(v.Create()), ("Content-Type", SOAP), header)
        assert response.status == 200
        assert table.work.request.owner == "carol"
        anonymous = await Client.connect(table, tls=trusting(pem))
        response = await anonymous.post(envelope(v.Create()), ("Content-Type", SOAP), header)
        assert response.status == 401


async def test_ntlm_over_https_is_bound_to_the_channel(pem: Path) -> None:
    der = ssl.PEM_cert_to_DER_cert(pem.read_text().partition("-----END PRIVATE KEY-----\n")[2])
    async with served(identity=TlsIdentity(pem)) as table:
        for binding, status in ((channel_binding(der), 200), (b"tls-server-end-point:x", 401)):
            client = await Client.connect(table, tls=trusting(pem))
            made = ClientAuthenticator(
                AuthOptions(
                    authentication=Authentication.NTLM,
                    credential=Credential(user_name="carol", password=PASSWORD),
                    host="127.0.0.1",
                    port=1,
                    secure=True,
                ),
                channel_binding=binding,
                random=os.urandom,
            )
            first = await client.post(b"", *made.first().headers)
            leg = made.receive(first.status, first.headers)
            assert leg is not None
            last = await client.post(IDENTIFY, ("Content-Type", SOAP), *leg.headers)
            assert last.status == status


# -- cuts

Cut = Callable[[bytes, int], bytes]


async def test_a_request_cut_anywhere_hurts_nobody() -> None:
    async with served() as table:
        body = envelope(v.Create())
        whole = HttpClient("h").request(
            "/wsman", (("Content-Type", SOAP), ("Authorization", basic())), body
        )
        for at in range(0, len(whole), 37):
            stream = await trio.open_tcp_stream("127.0.0.1", table.ports["http"])
            await stream.send_all(whole[:at])
            await stream.aclose()
        assert not table.endpoint.works
        client = await Client.connect(table)
        assert (await client.ask(v.Create())).status == 200
        assert table.server._connections <= 300


async def test_the_end_answers_who_waits(pem: Path) -> None:
    async with served() as table:
        client = await Client.connect(table)
        await client.ask(v.Create(shell_id=SHELL))
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                await trio.sleep(0.05)
                table.stop.set()

            nursery.start_soon(end)
            response = await client.ask(v.Receive())
        assert "shutting down" in read(response).message
        assert response.header("Connection") == "close"
        assert table.work.gone


async def test_a_fault_of_the_host_costs_one_connection() -> None:
    async with served() as table:
        await (await Client.connect(table)).ask(v.Create(shell_id=SHELL))
        broken = table.work
        table.endpoint.open = lambda *_: 1 / 0  # type: ignore[assignment]
        client = await Client.connect(table)
        with pytest.raises(HttpError):
            await client.ask(v.Create())
        assert "ZeroDivisionError" in table.lines[-1]
        del table.endpoint.open
        other = await Client.connect(table)
        assert (await other.ask(v.Create())).status == 200
        poll = await Client.connect(table)
        await poll.stream.send_all(
            poll.http.request(
                "/wsman",
                (("Content-Type", SOAP), ("Authorization", basic())),
                envelope(v.Receive()),
            )
        )
        while not any(shell.waiting for shell in table.service.shells):
            await trio.sleep(0.005)
        broken.data_to_send = lambda *_: 1 / 0  # type: ignore[assignment,method-assign]
        broken.link.wake()
        while len(table.service.shells) > 1:
            await trio.sleep(0.005)
        assert (await other.ask(v.Create())).status == 200


async def test_a_flood_of_requests_without_credentials_stays_bounded() -> None:
    async with served() as table:

        async def flood() -> None:
            client = await Client.connect(table)
            try:
                for _ in range(20):
                    await client.post(os.urandom(2000), ("Content-Type", SOAP))
            except (HttpError, trio.BrokenResourceError):
                return

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(flood)
        assert not table.endpoint.works
        assert not table.server._slots
        client = await Client.connect(table)
        assert (await client.ask(v.Create())).status == 200
