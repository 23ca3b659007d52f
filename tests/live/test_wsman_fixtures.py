"""The WS-Man fixtures: our client and the native one reach PowerShell's plugin."""

from __future__ import annotations

import pytest

from psremoting import sync
from tests.live.wsman_peers import NativeClient, WSManServer

WAYS = [
    ("basic", False),
    ("basic", True),
    ("ntlm", False),
    ("negotiate", False),
    ("kerberos", False),
]


@pytest.mark.parametrize(("authentication", "tls"), WAYS)
def test_our_client_reaches_the_plugin(
    wsman_server: WSManServer, authentication: str, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if authentication == "kerberos":
        if wsman_server.kdc is None:
            pytest.skip("no KDC")
        pytest.importorskip("krb5", reason="no gssapi and krb5 for Python")
        monkeypatch.setenv("KRB5_CONFIG", str(wsman_server.kdc.config))
    target = wsman_server.target(authentication, tls=tls)
    with sync.connect(target, options=wsman_server.options) as session:
        result = session.run("1..3; $PSVersionTable.PSEdition; [Environment]::UserName")
    assert result.output == [1, 2, 3, "Core", "wsuser"]


@pytest.mark.parametrize("way", ["-Authentication Negotiate", "-UseSSL -Authentication Basic"])
def test_the_native_client_reaches_the_plugin(
    native_client: NativeClient, wsman_server: WSManServer, way: str
) -> None:
    port = wsman_server.https if "SSL" in way else wsman_server.http
    option = "-SessionOption $o" if "SSL" in way else ""
    text = native_client.run(
        f"Invoke-Command -ComputerName 127.0.0.1 -Port {port} {way} {option}"
        " -Credential $c { 1..3; [Environment]::UserName }"
    )
    assert text.split() == ["1", "2", "3", "wsuser"]
