"""Authentication of our client at an HTTP server that is not ours: lighttpd.

What the real WS-Man server offers (Basic, NTLM, Kerberos) is in tests/live. No foreign server with
CredSSP runs on Linux; foreign clients use it with ours in tests/endpoint/test_wsman_clients.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.wsman import lighttpd
from tests.wsman.servers import make_authority, serve
from tests.wsman.test_trio_client import COMMAND, Recorder, SmallServer, run_shell
from wsman.auth import Authentication, Credential
from wsman.auth_client import AuthOptions
from wsman.errors import TransportFailure
from wsman.locations import Location
from wsman.requests import ShellConfig
from wsman.trio_client import ShellClient
from wsman.trio_client_tls import TlsOptions
from wsman.trio_connection import Endpoint
from wsman.trio_pool import Connections

USER, PASSWORD = "carol", 'a "quoted" pässword'
SHELL = "76056A84-51DC-4F24-9262-CA2A55464B2B"


def connections(
    port: int, authentication: Authentication, password: str = PASSWORD, *,
    tls: TlsOptions | None = None,
) -> Connections:  # fmt: skip
    location = Location.of_computer("127.0.0.1", port=port, secure=tls is not None)
    certificate = authentication is Authentication.CERTIFICATE
    auth = AuthOptions(
        authentication=authentication,
        credential=None if certificate else Credential(user_name=USER, password=password),
        host="127.0.0.1", port=port, secure=tls is not None, target="/wsman",
        allow_unencrypted=True,
    )  # fmt: skip
    return Connections(
        location,
        lambda place: Endpoint(location=place, auth=auth, tls=tls or TlsOptions(), cookies={}),
    )


async def whole_shell(made: Connections) -> tuple[Recorder, ShellClient]:
    user = Recorder()
    client = ShellClient(ShellConfig(url=made.location.url, shell_id=SHELL), made)
    await run_shell(client, user)
    return user, client


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_whole_shell_with_digest(algorithm: str, tmp_path: Path) -> None:
    """Each connection answers its own challenge, and each request has its own header."""
    played = SmallServer()
    async with serve(played.answer) as server:
        digest = (algorithm, USER, PASSWORD)
        with lighttpd.running(tmp_path, server.port, digest=digest) as port:
            user, _ = await whole_shell(connections(port, Authentication.DIGEST))
    assert user.error is None
    assert user.data[COMMAND] == b"one two three"
    assert played.log[0] == "Create"
    assert played.log[-1] == "Delete"
    sent = [dict(each.headers).get("authorization", "") for each in server.requests]
    assert all(each.startswith("Digest ") for each in sent)
    assert len(set(sent)) == len(sent)


async def test_a_wrong_password_is_refused_with_digest(tmp_path: Path) -> None:
    played = SmallServer()
    async with serve(played.answer) as server:
        digest = ("MD5", USER, PASSWORD)
        with lighttpd.running(tmp_path, server.port, digest=digest) as port:
            user, _ = await whole_shell(connections(port, Authentication.DIGEST, "wrong"))
    assert isinstance(user.error, TransportFailure)
    assert user.error.code == 5
    assert played.log == []


async def test_a_whole_shell_with_a_client_certificate(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The server asks for it in the TLS handshake; without it there is no connection."""
    authority = make_authority(tmp_path_factory.mktemp("ca"))
    played = SmallServer()
    async with serve(played.answer) as server:
        with lighttpd.running(tmp_path, server.port, certificates=authority) as port:
            shown = TlsOptions(
                ca_file=str(authority.ca), certificate=str(authority.certificate),
                key=str(authority.key),
            )  # fmt: skip
            user, _ = await whole_shell(connections(port, Authentication.CERTIFICATE, tls=shown))
            none = TlsOptions(ca_file=str(authority.ca))
            made = connections(port, Authentication.BASIC, tls=none)
            with trio.fail_after(20), pytest.raises(TransportFailure):
                await made.exchange("text/plain", b"x")
            await made.aclose()
    assert user.error is None
    assert user.data[COMMAND] == b"one two three"
    (scheme,) = {dict(each.headers).get("authorization", "") for each in server.requests}
    assert scheme.endswith("/secprofile/https/mutual")
