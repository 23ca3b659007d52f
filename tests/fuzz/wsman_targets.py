"""Targets in wsman: envelopes, sealed bodies, xpress, HTTP, log-ons, both shell machines."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID

from psrp.sansio import LocalProtocolError, Outgoing, RemoteProtocolError, TransportAct
from tests.fuzz import seeds
from tests.fuzz.target import LOCAL, Finding, target
from tests.recordings import FIXTURES
from tests.wsman.served import Table
from wsman import operations, soap, xpress
from wsman.accounts import Accounts, AccountsError, LogonGuard, new_account
from wsman.auth_server import Accepted, ServerAuthenticator, ServerAuthOptions
from wsman.envelopes import Headers
from wsman.http import HttpClient, HttpLimits, HttpServer
from wsman.requests import ShellConfig
from wsman.sealing import SealedReader, SealingFormat, seal, unseal
from wsman.shell import Shell

HTTP_LIMITS = HttpLimits(max_head=32_768, max_body=100_000)


def _envelopes(*, requests: bool | None = None) -> list[bytes]:
    return [data for asks, data in seeds.envelopes() if requests is None or asks is requests]


@target("envelope", _envelopes)
def one_envelope(data: bytes) -> None:
    """An envelope is a value of an operation that is written and read again, or refused."""
    envelope = soap.parse(data, max_size=200_000)
    value = operations.read(envelope)
    with suppress(LocalProtocolError):
        written = operations.write(Headers(), value)
        again = operations.read(soap.parse(written))
        if repr(operations.write(Headers(), again)) != repr(written):
            raise Finding("written again differently")


def _sealed() -> Iterator[bytes]:
    for form in SealingFormat:
        for body in (b"", b"<x/>", b"y" * 500):
            _, data = seal(
                form, "application/soap+xml;charset=UTF-8", body, lambda each: (b"head", each, 0)
            )
            yield data


@target("sealed-body", _sealed)
def sealed_body(data: bytes) -> None:
    """Parts are the same if the body arrives in pieces of 3 bytes."""

    def parts(size: int) -> list[Any]:
        reader = SealedReader(max_size=100_000)
        found: list[Any] = []
        try:
            for at in range(0, len(data), size):
                reader.receive_data(data[at : at + size])
                found.extend(reader)
            reader.end()
        except RemoteProtocolError as error:
            found.append(str(error))
        return found

    if parts(3) != parts(len(data) + 1):
        raise Finding("cut into pieces of 3 bytes")
    for content_type in (
        'multipart/encrypted;protocol="x";boundary="Encrypted Boundary"',
        'multipart/x-multi-encrypted;protocol="x";boundary="Encrypted Boundary"',
    ):
        with suppress(RemoteProtocolError):
            unseal(content_type, data, lambda _, body: body, max_size=100_000)


def _packed() -> Iterator[bytes]:
    for name in ("abc", "x"):
        yield (FIXTURES / f"wsman-omi/xpress-vectors/{name}.xpress-huffman").read_bytes()
    for plain in (b"", b"a", b"ab" * 300, bytes(range(256)) * 4):
        yield xpress.compress(plain)


@target("xpress", _packed, calls=(200_000, 2_000))
def xpress_stream(data: bytes) -> None:
    """Unpacked data has a limit; packing and unpacking give the same bytes."""
    if xpress.decompress(xpress.compress(data), max_size=len(data)) != data:
        raise Finding("packed and unpacked differently")
    if len(xpress.decompress(data, max_size=70_000)) > 70_000:
        raise Finding("more than the limit was unpacked")


def _requests() -> Iterator[bytes]:
    yield b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    head = b"POST /wsman HTTP/1.1\r\nHost: h\r\n"
    yield head + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    for data in _envelopes(requests=True)[:10]:
        yield head + b"Content-Length: %d\r\n\r\n" % len(data) + data


def _responses() -> Iterator[bytes]:
    yield b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end"
    for data in _envelopes(requests=False)[:10]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data


@target("http-server", _requests)
def http_server(data: bytes) -> None:
    """Requests are the same if they arrive in pieces of 11 bytes."""

    def read(size: int) -> list[Any]:
        server = HttpServer(limits=HTTP_LIMITS)
        found: list[Any] = []
        try:
            for at in range(0, len(data), size):
                server.receive_data(data[at : at + size])
                if (request := server.next_request()) is not None:
                    found.append(request)
                    return found
                server.data_to_send()
        except RemoteProtocolError as error:
            found.append(type(error))
        return found

    if read(11) != read(len(data) + 1):
        raise Finding("cut into pieces of 11 bytes")


@target("http-client", _responses, LOCAL)
def http_client(data: bytes) -> None:
    """A response is the same if it arrives in pieces of 11 bytes."""

    def read(size: int) -> object:
        client = HttpClient("h", limits=HTTP_LIMITS)
        client.request("/wsman", ())
        try:
            for piece in (*(data[at : at + size] for at in range(0, len(data), size)), b""):
                client.receive_data(piece)
                if (response := client.next_response()) is not None:
                    return response.status, response.headers, response.body
        except RemoteProtocolError:
            return "refused"
        return None

    if read(11) != read(len(data) + 1):
        raise Finding("cut into pieces of 11 bytes")


@target("service", lambda: _envelopes(requests=True), LOCAL)
def service(data: bytes) -> None:
    """Every request has one answer at most, also of a user who owns no shell."""
    table = Table()
    work = table.open()
    target_id = table.start()
    work.put(b"output", target_id)
    for user in ("carol", "mallory"):
        table.raw(data, user)
        table.advance(1.0)
    table.advance(100_000.0)
    if any(len(each.data) > 600_000 for each in table.answers.values()):
        raise Finding("an answer above the envelope size")


@target("shell", lambda: _envelopes(requests=False), LOCAL)
def shell(data: bytes) -> None:
    """The client machine takes any answer to each of its requests, and ends."""
    ids = count(1)
    machine = Shell(ShellConfig(url="http://h:5985/wsman"), new_id=lambda: UUID(int=next(ids)))
    machine.send(Outgoing(act=TransportAct.CREATE_POOL, data=b"create"))
    now = 0.0
    for _ in range(60):
        request = machine.next_request(now)
        if request is None:
            if machine.over:
                return
            due = machine.next_time()
            if due is None or due <= now:
                return
            now = due
            continue
        machine.receive_answer(request.number, 200, [data], now)
        for _ in range(1000):
            if machine.next_event() is None:
                break
        else:
            raise Finding("events without end")


@cache
def _accounts() -> Accounts:
    return Accounts([new_account("carol", "secret", salt=bytes(16), ntlm=True)])


@target("accounts", lambda: [_accounts().format().encode()], (AccountsError,))
def accounts_file(data: bytes) -> None:
    """A list of accounts that can be read is written and read again."""
    text = data.decode("utf-8", "replace")
    written = Accounts.parse(text).format()
    if Accounts.parse(written).format() != written:
        raise Finding("written again differently")


def _tokens() -> Iterator[bytes]:
    yield base64.b64decode("TlRMTVNTUAABAAAAN4II4AAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw==")
    yield b"NTLMSSP\x00\x03\x00\x00\x00" + bytes(80)
    yield b"\x60\x48\x06\x06\x2b\x06\x01\x05\x05\x02" + bytes(60)


@target("log-on", _tokens, (LocalProtocolError, RemoteProtocolError))
def log_on(data: bytes) -> None:
    """A token without the password is answered with a challenge."""
    for scheme in ("Negotiate", "Basic", "NTLM", data[:20].decode("latin-1")):
        machine = ServerAuthenticator(
            ServerAuthOptions(accounts=_accounts()),
            LogonGuard(),
            secure=True,
            random=bytes,
            wall_time=lambda: 1.7e9,
        )
        for _ in range(2):
            answer = machine.receive(f"{scheme} {base64.b64encode(data).decode()}", 0.0)
            if isinstance(answer, Accepted):
                raise Finding("a client without the password was accepted")
