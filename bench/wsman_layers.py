"""The cost of each layer of a WS-Man exchange, in one process and without a network.

A small exchange is a Receive and its answer with half a kilobyte; a large one has an answer of 32
KiB, which is what the plugin sends at once. Both sides are counted.
"""

from __future__ import annotations

import ssl
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import h11
import pybase64

from bench.report import OURS, Clock, Row, Table
from tests.endpoint.served_wsman import write_certificate
from tests.wsman import test_authentication as authentication
from wsman import names, operations, soap, xpress
from wsman import shell_values as v
from wsman.auth import Authentication
from wsman.envelopes import Headers
from wsman.http import SOAP, HttpClient, HttpServer, Response
from wsman.requests import Requests, ShellConfig

__all__ = ["table"]

SIZES = {"small": 512, "large": 32 << 10}
_ID = str(UUID(int=1)).upper()
_HEADERS = (("Content-Type", SOAP), ("Authorization", "Basic d3N1c2VyOnB3"))
_LIMIT = 1 << 20
STANDARD, H11 = "base64 module", "h11"


def table(clock: Clock) -> Table:
    """Return the rows of all layers."""
    rows = []

    def add(case: str, who: str, work: Callable[[], object], size: int) -> None:
        rows.append(Row(subject=TITLE, case=case, who=who, seconds=clock.simple(work), size=size))

    for name, size in SIZES.items():
        data = bytes(range(256)) * (size // 256)
        for layer, make in _LAYERS.items():
            for who, work in make(data).items():
                add(f"{layer}, {name}", who, work, size)
    return Table(
        title=TITLE, rows=rows, others=[STANDARD, H11], aims={}, elsewhere={},
        notes=["request and answer together, both sides; TLS and sealing without a handshake"],
    )  # fmt: skip


TITLE = "WS-Man, cost of the layers of one exchange"


def _requests() -> Requests:
    made = Requests(
        ShellConfig(
            url="http://h:5985/wsman", resource_uri=names.POWERSHELL_PREFIX + "x", shell_id=_ID,
            session_id=_ID,
        ),
        uuid4,
    )  # fmt: skip
    made.selectors = ((v.SHELL_SELECTOR, _ID),)
    return made


def _answer(data: bytes) -> bytes:
    stream = v.StreamData(name="stdout", data=data, command_id=_ID)
    state = soap.CommandState(state="Running", command_id=_ID)
    headers = Headers(to=names.ANONYMOUS, message_id=f"uuid:{_ID}", relates_to=f"uuid:{_ID}")
    return operations.write(headers, v.ReceiveResponse(streams=(stream,), states=(state,)))


def _soap(data: bytes) -> dict[str, Callable[[], object]]:
    requests = _requests()

    def work() -> None:
        operations.read(soap.parse(requests.make(v.Receive(command_id=_ID)).body))
        operations.read(soap.parse(_answer(data)))

    return {OURS: work}


def _base64(data: bytes) -> dict[str, Callable[[], object]]:
    return {
        OURS: lambda: pybase64.b64decode(pybase64.b64encode(data), validate=True),
        STANDARD: lambda: b64decode(b64encode(data), validate=True),
    }


def _http(data: bytes) -> dict[str, Callable[[], object]]:
    client, server = HttpClient("h:5985"), HttpServer()
    body = _requests().make(v.Receive(command_id=_ID)).body
    answer = Response(status=200, headers=(("Content-Type", SOAP),), body=_answer(data))

    def work() -> None:
        server.receive_data(client.request("/wsman", _HEADERS, body))
        assert server.next_request() is not None
        client.receive_data(server.respond(answer))
        assert client.next_response() is not None

    return {OURS: work, H11: lambda: _by_h11(body, answer.body)}


def _by_h11(body: bytes, answer: bytes) -> None:
    client, server = h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)

    def move(one: h11.Connection, other: h11.Connection, head: object, content: bytes) -> None:
        for event in (head, h11.Data(data=content), h11.EndOfMessage()):
            other.receive_data(one.send(event) or b"")  # type: ignore[arg-type]
        while not isinstance(other.next_event(), h11.EndOfMessage):
            pass

    standing = [("User-Agent", "psremoting"), ("Host", "h"), ("Connection", "Keep-Alive")]
    length = ("Content-Length", str(len(body)))
    asked = h11.Request(method="POST", target="/wsman", headers=[*standing, *_HEADERS, length])
    move(client, server, asked, body)
    length = ("Content-Length", str(len(answer)))
    told = h11.Response(status_code=200, headers=[("Content-Type", SOAP), length])
    move(server, client, told, answer)


def _sealed(data: bytes) -> dict[str, Callable[[], object]]:
    ours = authentication.client(Authentication.NTLM, host="127.0.0.1")
    theirs = authentication.server()
    authentication.join(ours, theirs)
    body, answer = _requests().make(v.Receive(command_id=_ID)).body, _answer(data)

    def work() -> None:
        theirs.unseal(*ours.seal(SOAP, body), max_size=_LIMIT)
        ours.unseal(*theirs.seal(SOAP, answer), max_size=_LIMIT)

    return {OURS: work}


class _Tls:
    """A TLS connection within this process."""

    def __init__(self) -> None:
        with TemporaryDirectory() as name:
            pem = Path(name) / "server.pem"
            write_certificate(pem)
            accepts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            accepts.load_cert_chain(pem)
        asks = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        asks.check_hostname, asks.verify_mode = False, ssl.CERT_NONE
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = asks.wrap_bio(back, there)
        self.server = accepts.wrap_bio(there, back, server_side=True)
        for _ in range(3):
            for side in (self.client, self.server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue

    @staticmethod
    def move(one: ssl.SSLObject, other: ssl.SSLObject, data: bytes) -> None:
        one.write(data)
        left = len(data)
        while left:
            left -= len(other.read(left))


def _tls(data: bytes) -> dict[str, Callable[[], object]]:
    tls = _Tls()
    body, answer = _requests().make(v.Receive(command_id=_ID)).body, _answer(data)

    def work() -> None:
        tls.move(tls.client, tls.server, body)
        tls.move(tls.server, tls.client, answer)

    return {OURS: work}


def _compressed(data: bytes) -> dict[str, Callable[[], object]]:
    return {OURS: lambda: xpress.decompress(xpress.compress(data))}


_LAYERS: dict[str, Callable[[bytes], dict[str, Callable[[], object]]]] = {
    "SOAP with base64": _soap,
    "base64 alone": _base64,
    "HTTP": _http,
    "sealing (NTLM)": _sealed,
    "TLS": _tls,
    "xpress": _compressed,
}
