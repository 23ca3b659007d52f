"""Requests that break a rule, over real sockets: in the clear, over TLS, and sealed by NTLM.

Each gets the status or fault that WinRM gives, whatever protects it; afterwards the same
connection serves a request that keeps the rules, and the shell of the user is unchanged.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import lockstep_stream_pair

from psrp.sansio import TransportAct
from tests.endpoint.served_wsman import write_certificate
from tests.wsman.served import SHELL
from tests.wsman.served_http import (
    Client,
    Table,
    authenticated,
    basic,
    envelope,
    read,
    served,
    trusting,
)
from wsman import names, soap
from wsman import shell_values as v
from wsman.auth import Authentication
from wsman.auth_client import ClientAuthenticator
from wsman.auth_server import ServerAuthenticator
from wsman.http import SOAP, HttpClient, Response
from wsman.trio_server import ServerLimits, _Connection
from wsman.trio_tls import TlsIdentity

PROTECTIONS = ["clear", "tls", "sealed"]
STRANGE = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    write_certificate(path)
    return path


class Sender:
    """One client whose requests are protected in one way."""

    def __init__(self, client: Client, auth: ClientAuthenticator | None, user: str) -> None:
        self.client = client
        self.auth = auth
        self.user = user

    @classmethod
    async def signed_in(
        cls, table: Table, protection: str, pem: Path, user: str = "carol"
    ) -> Sender:
        tls: ssl.SSLContext | None = trusting(pem) if protection == "tls" else None
        client = await Client.connect(table, tls=tls)
        auth = None
        if protection == "sealed":
            auth = await authenticated(client, Authentication.NTLM, user)
        return cls(client, auth, user)

    def protected(self, body: bytes) -> tuple[tuple[tuple[str, str], ...], bytes]:
        """Return the headers and the body to send."""
        if self.auth is None:
            return (("Content-Type", SOAP), ("Authorization", basic(self.user))), body
        kind, sealed = self.auth.seal(SOAP, body)
        return (("Content-Type", kind),), sealed

    def opened(self, response: Response) -> bytes:
        kind = response.header("Content-Type") or ""
        if self.auth is None or not response.body:
            return response.body
        (plain,) = self.auth.unseal(kind, response.body, max_size=1 << 20)
        return plain.body

    async def post(self, body: bytes, *, chunked: bool = False) -> tuple[int, bytes]:
        """Send an envelope; return the status and the unsealed body of the answer."""
        headers, sent = self.protected(body)
        if chunked:
            lines = [f"{name}: {value}" for name, value in headers]
            head = "\r\n".join(["POST /wsman HTTP/1.1", "Host: h", *lines])
            self.client.http.request("/", ())
            await self.client.stream.send_all(
                head.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
                + b"%x\r\n%b\r\n0\r\n\r\n" % (len(sent), sent)
            )  # fmt: skip
            response = await self.client.response()
        else:
            response = await self.client.post(sent, *headers)
        return response.status, self.opened(response)

    async def ask(self, value: object, **headers: Any) -> Any:
        status, body = await self.post(envelope(value, **headers))
        assert status in (200, 500)
        return read(Response(status=status, body=body))


def serving(protection: str, pem: Path) -> AbstractAsyncContextManager[Table]:
    return served(
        identity=TlsIdentity(pem, None, None) if protection == "tls" else None,
        allow_unencrypted=protection == "clear",
    )


def changed(value: object, old: str, new: str) -> bytes:
    text = envelope(value).decode()
    assert old in text
    return text.replace(old, new, 1).encode()


def in_header(xml: str) -> bytes:
    return changed(v.Receive(), "</s:Header>", xml + "</s:Header>")


def without(name: str) -> bytes:
    text = envelope(v.Receive()).decode()
    begin = text.index(f"<{name}")
    end = text.index(f"</{name}>", begin) + len(name) + 3
    return (text[:begin] + text[end:]).encode()


INVALID_SELECTORS = 2150858843
#: The envelope, the status, the subcode and the code of the fault (None: any).
FAULTS: dict[str, tuple[Callable[[], bytes], str, int | None]] = {
    "MaxEnvelopeSize below 8192": (
        lambda: changed(v.Receive(), ">153600<", ">8191<"), "EncodingLimit", None,
    ),
    "no To": (lambda: without("a:To"), "MessageInformationHeaderRequired", None),
    "no ReplyTo": (lambda: without("a:ReplyTo"), "MessageInformationHeaderRequired", None),
    "no ResourceURI": (
        lambda: without("w:ResourceURI"), "MessageInformationHeaderRequired", None,
    ),
    "no MessageID": (lambda: without("a:MessageID"), "InvalidMessageInformationHeader", None),
    "two MessageIDs": (
        lambda: in_header("<a:MessageID>uuid:2</a:MessageID>"),
        "InvalidMessageInformationHeader", None,
    ),
    "an OperationTimeout that is none": (
        lambda: changed(v.Receive(), "PT20.000S", "soon"),
        "InvalidMessageInformationHeader", None,
    ),
    "an unknown header that must be understood": (
        lambda: in_header('<x:New xmlns:x="urn:x" s:mustUnderstand="true"/>'), "", None,
    ),
    "a Locale that must be understood": (
        lambda: in_header('<w:Locale s:mustUnderstand="true" xml:lang="en"/>'),
        "UnsupportedFeature", None,
    ),
    "a selector twice": (
        lambda: changed(
            v.Receive(), "</w:SelectorSet>",
            f'<w:Selector Name="shellid">{SHELL}</w:Selector></w:SelectorSet>',
        ),
        "InvalidSelectors", INVALID_SELECTORS,
    ),
    "an unknown shell": (
        lambda: envelope(v.Receive(), shell=STRANGE), "InvalidSelectors", INVALID_SELECTORS,
    ),
    "an unknown action": (
        lambda: changed(v.Receive(), f"{names.SHELL}/Receive<", f"{names.SHELL}/Dance<"),
        "ActionNotSupported", None,
    ),
    "an unknown configuration": (
        lambda: changed(v.Create(), "Microsoft.PowerShell<", "Missing<"),
        "DestinationUnreachable", None,
    ),
    "a document type": (
        lambda: b'<!DOCTYPE s:Envelope [<!ENTITY a "x">]>' + envelope(v.Delete()),
        "SchemaValidationError", None,
    ),
    "entities that grow": (
        lambda: b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        "SchemaValidationError", None,
    ),
    "no XML": (lambda: b"no xml", "SchemaValidationError", None),
    "an envelope that is cut": (lambda: envelope(v.Delete())[:-9], "SchemaValidationError", None),
    "elements that nest too deep": (
        lambda: b"<a>" * 20_000 + b"</a>" * 20_000, "SchemaValidationError", None,
    ),
    "input that is no base64": (
        lambda: changed(
            v.Send(streams=(v.StreamData(name="stdin", data=b"abc"),)), "YWJj", "?!?!"
        ),
        "InternalError", 0x80540FA0,
    ),
    "a protocolversion of another world": (
        lambda: changed(v.Create(), ">2.3<", ">3.0<"), "InternalError", 0x80540BC5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("protection", PROTECTIONS)
@pytest.mark.parametrize("name", FAULTS)
async def test_a_request_that_breaks_a_rule_gets_its_fault(
    protection: str, name: str, pem: Path
) -> None:
    """Statement H77."""
    make, subcode, code = FAULTS[name]
    async with serving(protection, pem) as table:
        sender = await Sender.signed_in(table, protection, pem)
        assert isinstance(await sender.ask(v.Create(shell_id=SHELL)), v.CreateResponse)
        status, body = await sender.post(make())
        fault = read(Response(status=status, body=body))
        assert (status, type(fault), fault.subcode) == (500, soap.Fault, subcode)
        if not subcode:
            assert fault.code == "MustUnderstand"
        if code is not None:
            assert fault.wsman_code == code
        assert b"Traceback" not in body
        (shell,) = table.service.shells
        assert not shell.waiting
        assert [item.act for item in table.work.received] == [TransportAct.CREATE_POOL]
        assert isinstance(await sender.ask(v.Delete()), v.DeleteResponse)


@pytest.mark.parametrize("protection", PROTECTIONS)
async def test_a_chunked_request_gets_code_50_whatever_protects_it(
    protection: str, pem: Path
) -> None:
    """Statement H77."""
    async with serving(protection, pem) as table:
        sender = await Sender.signed_in(table, protection, pem)
        status, body = await sender.post(envelope(v.Create(shell_id=SHELL)), chunked=True)
        assert read(Response(status=status, body=body)).wsman_code == 50
        assert not table.endpoint.works


@pytest.mark.parametrize("protection", PROTECTIONS)
async def test_a_request_over_the_limit_gets_413(protection: str, pem: Path) -> None:
    """Statement H77. A large body is refused by its length, one just over the limit after it
    came."""
    async with serving(protection, pem) as table:
        for size in (520_000, 3_000_000):
            sender = await Sender.signed_in(table, protection, pem)
            big = v.Create(shell_id=SHELL, creation_xml=bytes(size * 3 // 4))
            headers, body = sender.protected(envelope(big))
            client = sender.client
            data = client.http.request("/wsman", headers, body)
            async with trio.open_nursery() as nursery:

                async def send(data: bytes = data, client: Client = client) -> None:
                    try:
                        await client.stream.send_all(data)
                    except (trio.BrokenResourceError, trio.ClosedResourceError):
                        return

                nursery.start_soon(send)
                assert (await client.response()).status == 413
                nursery.cancel_scope.cancel()
        assert not table.endpoint.works


@pytest.mark.parametrize("protection", PROTECTIONS)
async def test_another_users_shell_is_an_unknown_shell(protection: str, pem: Path) -> None:
    async with serving(protection, pem) as table:
        owner = await Sender.signed_in(table, protection, pem)
        stranger = await Sender.signed_in(table, protection, pem, "mallory")
        await owner.ask(v.Create(shell_id=SHELL))
        command = v.Command(command_id=STRANGE, command="x", arguments=(b"pipe",))
        input_ = v.Send(streams=(v.StreamData(name="stdin", data=b"x"),))
        signal = v.Signal(command_id=STRANGE, code=names.SIGNAL_TERMINATE)
        for value in (
            command, input_, signal, v.Receive(), v.Disconnect(), v.Reconnect(),
            v.Connect(connect_xml=b"hello"), v.Delete(),
        ):  # fmt: skip
            mine = await stranger.ask(value, shell=STRANGE)
            theirs = await stranger.ask(value)
            assert theirs.wsman_code == INVALID_SELECTORS
            assert (theirs.subcode, theirs.message, theirs.reason) == (
                mine.subcode, mine.message, mine.reason,
            )  # fmt: skip
        assert len(table.work.received) == 1
        assert not table.work.gone
        assert isinstance(await owner.ask(v.Delete()), v.DeleteResponse)


# -- sealed messages


async def test_a_sealed_message_that_is_sent_again_or_changed_is_not_executed(pem: Path) -> None:
    """Each is answered with 400 and no body."""
    async with serving("sealed", pem) as table:
        for change in (False, True):
            sender = await Sender.signed_in(table, "sealed", pem)
            headers, body = sender.protected(envelope(v.Create()))
            if change:
                at = len(body) // 2
                body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            else:
                assert (await sender.client.post(body, *headers)).status == 200
            response = await sender.client.post(body, *headers)
            assert (response.status, response.body) == (400, b"")
        assert len(table.endpoint.works) == 1


async def test_a_sealed_message_of_another_connection_is_not_executed(pem: Path) -> None:
    async with serving("sealed", pem) as table:
        first = await Sender.signed_in(table, "sealed", pem)
        second = await Sender.signed_in(table, "sealed", pem)
        headers, body = first.protected(envelope(v.Create()))
        assert (await second.client.post(body, *headers)).status == 400
        fresh = await Client.connect(table)
        assert (await fresh.post(body, *headers)).status == 401
        assert not table.endpoint.works


async def test_random_sealed_bodies_are_refused(pem: Path) -> None:
    async with serving("sealed", pem) as table:
        for size in (0, 1, 20, 5000):
            sender = await Sender.signed_in(table, "sealed", pem)
            (header,), body = sender.protected(envelope(v.Create()))
            cut = body[: len(body) // 3] + os.urandom(size)
            response = await sender.client.post(cut, header)
            assert (response.status, response.body) == (400, b"")
        assert not table.endpoint.works


# -- floods and slow senders


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"".join(b"X-%d: y\r\n" % n for n in range(20_000)), 431),
        (b"X: " + b"y" * 200_000 + b"\r\n", 431),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    ],
    ids=["many headers", "a long header", "two lengths", "a negative length", "two framings"],
)
async def test_a_flood_of_headers_ends_the_connection(head: bytes, status: int, pem: Path) -> None:
    async with serving("clear", pem) as table:
        client = await Client.connect(table)
        client.http.request("/", ())
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                try:
                    await client.stream.send_all(b"POST /wsman HTTP/1.1\r\nHost: h\r\n" + head)
                    await client.stream.send_all(b"\r\n")
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return

            nursery.start_soon(send)
            with_status = await client.response()
            nursery.cancel_scope.cancel()
        assert with_status.status == status
        assert not table.server._slots


@pytest.mark.parametrize("protection", ["clear", "tls"])
async def test_a_client_that_sends_a_byte_at_a_time_is_ended(protection: str, pem: Path) -> None:
    """Each byte comes in time, the whole request does not."""
    limits = ServerLimits(request_time=0.3, idle_time=5, grace=0.1)
    async with served(identity=TlsIdentity(pem, None, None), limits=limits) as table:
        tls = trusting(pem) if protection == "tls" else None
        client = await Client.connect(table, tls=tls)
        client.http.request("/", ())
        async with trio.open_nursery() as nursery:

            async def drip() -> None:
                try:
                    for byte in b"POST /wsman HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 10_000:
                        await client.stream.send_all(bytes([byte]))
                        await trio.sleep(0.01)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return

            nursery.start_soon(drip)
            assert (await client.response()).status == 408
            nursery.cancel_scope.cancel()


async def test_a_tls_client_that_says_nothing_is_ended(pem: Path) -> None:
    limits = ServerLimits(handshake_time=0.1, grace=0.1)
    async with served(identity=TlsIdentity(pem, None, None), limits=limits) as table:
        stream = await trio.open_tcp_stream("127.0.0.1", table.ports["https"])
        assert await stream.receive_some(10) == b""
        assert table.server._connections == 0 or await _until_gone(table)
        await stream.aclose()


async def _until_gone(table: Table) -> bool:
    while table.server._connections:
        await trio.sleep(0.005)
    return True


async def test_a_client_that_takes_no_answer_is_ended_and_its_output_kept() -> None:
    limits = ServerLimits(write_time=1, grace=0.1)
    async with served(limits=limits) as table:
        client = await Client.connect(table)
        await client.ask(v.Create(shell_id=SHELL))
        table.work.put(b"kept")
        # Each send on this stream waits until the other side has received it.
        ours, theirs = lockstep_stream_pair()
        auth = ServerAuthenticator(
            table.server._auth, table.server._guard, secure=True, random=os.urandom,
            wall_time=time.time,
        )  # fmt: skip
        asked = HttpClient("h").request(
            "/wsman", (("Content-Type", SOAP), ("Authorization", basic())), envelope(v.Receive())
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(theirs.send_all, asked)
            # It answers nothing more on this connection.
            with pytest.raises(trio.BrokenResourceError, match="does not take its answer"):
                await _Connection(table.server, ours, auth, "192.0.2.1").run()
        assert read(await client.ask(v.Receive())).streams[0].data == b"kept"


async def test_bodies_that_never_come_hold_no_request(pem: Path) -> None:
    """Many clients announce a large body each and send a part of it."""
    async with serving("clear", pem) as table:
        streams = []
        for _ in range(50):
            stream = await trio.open_tcp_stream("127.0.0.1", table.ports["http"])
            await stream.send_all(
                b"POST /wsman HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n" + b"x" * 100
            )
            streams.append(stream)
        client = await Client.connect(table)
        assert (await client.ask(v.Create())).status == 200
        assert not table.server._slots
        for stream in streams:
            await stream.aclose()
        while table.server._connections > 1:
            await trio.sleep(0.005)
