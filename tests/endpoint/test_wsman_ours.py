"""Our client with our endpoint, with every authentication method."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from psremoting import SessionOption, sync
from psremoting.endpoint import SyncContext
from psremoting.errors import PSRemotingError, PSRemotingTransportError
from psremoting.wsman_target import WSManTarget
from psrp.clixml import Credential
from psrp.events import InvocationState
from tests.endpoint.served_wsman import PASSWORD, USER, Endpoint, serving
from tests.endpoint.test_wsman_clients import (
    COMMANDS,
    _has_gssapi,
    client_certificate_options,
)
from tests.live import kdc as kerberos

pytestmark = pytest.mark.xdist_group("wsman-ours")


def get_sender(context: SyncContext) -> str:
    sender = context.sender
    return " ".join(
        (
            sender.user_name,
            sender.authentication_type,
            sender.connection_string,
            sender.configuration_name,
            sender.address,
        )
    )


def get_environment() -> str:
    names = sorted(each for each in os.environ if each.startswith(("PSRP_SENDER", "LC_MESS")))
    return " ".join(f"{name}={os.environ[name]}" for name in names)


OFFERED = {**COMMANDS, "Get-Sender": get_sender}
LOCAL = {"Get-Environment": get_environment}


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kerberos.Kdc | None]:
    if kerberos.why_not() or not _has_gssapi():
        yield None
        return
    with kerberos.running(tmp_path_factory.mktemp("realm"), {USER: PASSWORD}) as running:
        before = os.environ.get("KRB5_CONFIG")
        os.environ["KRB5_CONFIG"] = str(running.config)
        yield running
        os.environ.pop("KRB5_CONFIG")
        if before is not None:
            os.environ["KRB5_CONFIG"] = before


@pytest.fixture(scope="module")
def endpoint(
    realm: kerberos.Kdc | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("served")
    options = ["--functions", "tests.endpoint.test_wsman_ours:OFFERED", "--allow-unencrypted"]
    options += client_certificate_options(folder)
    options += ["--configuration", "Other=functions:tests.endpoint.test_wsman_clients:OTHER"]
    program = [sys.executable, "-c", "from psremoting.cli.entry import main; main()", "serve"]
    command = shlex.join([*program, "--stdio", "--functions", f"{__name__}:LOCAL"])
    options += ["--configuration", f"Process=process:{command}"]
    keytab = str(realm.keytab) if realm else ""
    with serving(folder, *options, keytab=keytab) as made:
        yield made


def target(endpoint: Endpoint, way: str, tls: bool, **changes: Any) -> WSManTarget:
    if way == "kerberos" and endpoint.process.args and "--keytab" not in endpoint.process.args:  # type: ignore[operator]
        pytest.skip("no Kerberos here")
    user = f"{USER}@{kerberos.REALM}" if way == "kerberos" else USER
    values: dict[str, Any] = {
        "computer_name": "localhost" if tls or way == "kerberos" else "127.0.0.1",
        "port": endpoint.https if tls else endpoint.http,
        "use_ssl": tls,
        "credential": Credential(user, PASSWORD),
        "authentication": way,
        "allow_unencrypted": way == "basic",
        "ca_file": str(endpoint.certificate) if tls else "",
    }
    if way == "certificate":
        values |= {"credential": None, "certificate": str(endpoint.folder / "client.pem")}
    return WSManTarget(**values | changes)


WAYS = [
    ("basic", False),
    ("basic", True),
    ("ntlm", False),
    ("ntlm", True),
    ("negotiate", False),
    ("kerberos", False),
    ("kerberos", True),
    ("credssp", False),
    ("certificate", True),
]


@pytest.mark.parametrize(("way", "tls"), WAYS)
def test_large_arguments_and_output_pass_with_each_authentication(
    endpoint: Endpoint, way: str, tls: bool
) -> None:
    with sync.connect(target(endpoint, way, tls)) as session:
        assert session.call("Get-Length", "y" * 100_000).output == [100_000]
        assert session.call("Get-Text", 300_000).output == ["x" * 300_000]


MECHANISMS = {"negotiate": "NTLM", "ntlm": "NTLM", "basic": "Basic", "kerberos": "Kerberos"}
MECHANISMS |= {"credssp": "CredSSP", "certificate": "Certificate"}


@pytest.mark.parametrize(("way", "tls"), WAYS)
def test_a_function_learns_who_asks(endpoint: Endpoint, way: str, tls: bool) -> None:
    user = f"{USER}@{kerberos.REALM}" if way == "kerberos" else USER
    host = "localhost" if tls or way == "kerberos" else "127.0.0.1"
    url = f"https://{host}:{endpoint.https}" if tls else f"http://{host}:{endpoint.http}"
    with sync.connect(target(endpoint, way, tls)) as session:
        (text,) = session.call("Get-Sender").output
    assert text.split() == [
        user,
        MECHANISMS[way],
        url + "/wsman",
        "Microsoft.PowerShell",
        "127.0.0.1",
    ]


def test_a_process_learns_who_asks(endpoint: Endpoint) -> None:
    given = target(endpoint, "ntlm", False, configuration_name="Process")
    with sync.connect(given, options=SessionOption(culture="de-DE")) as session:
        (text,) = session.call("Get-Environment").output
    url = f"http://127.0.0.1:{endpoint.http}/wsman"
    assert text.split() == [
        "LC_MESSAGES=de_DE.UTF-8",
        "PSRP_SENDER_ADDRESS=127.0.0.1",
        "PSRP_SENDER_AUTHENTICATION=NTLM",
        "PSRP_SENDER_CONFIGURATION=Process",
        f"PSRP_SENDER_CONNECTION={url}",
        f"PSRP_SENDER_USER={USER}",
    ]


@pytest.mark.parametrize("no_compression", [False, True])
def test_streams_are_compressed_or_not(endpoint: Endpoint, no_compression: bool) -> None:
    options = SessionOption(no_compression=no_compression)
    with sync.connect(target(endpoint, "ntlm", False), options=options) as session:
        assert session.call("Get-Text", 200_000).output == ["x" * 200_000]


def test_a_configuration_is_chosen_by_its_name(endpoint: Endpoint) -> None:
    given = target(endpoint, "ntlm", False, configuration_name="other")
    with sync.connect(given) as session:
        assert session.call("Get-Other").output == ["other"]
    unknown = target(endpoint, "ntlm", False, configuration_name="Nope")
    with pytest.raises(PSRemotingError) as caught, sync.connect(unknown):
        pass
    assert "Nope" in str(caught.value)


@pytest.mark.parametrize("way", ["basic", "ntlm", "negotiate"])
def test_a_wrong_password_is_refused(endpoint: Endpoint, way: str) -> None:
    given = target(endpoint, way, True, credential=Credential(USER, "wrong"))
    with pytest.raises(PSRemotingError) as caught, sync.connect(given):
        pass
    assert "wrong" not in str(caught.value)


def test_a_server_that_is_gone_is_an_error_and_no_hang(tmp_path: Path) -> None:
    """The first call meets the loss, the second comes after it: both have it as their error."""
    options = ["--functions", "tests.endpoint.test_wsman_clients:COMMANDS"]
    with serving(tmp_path, *options) as endpoint:
        given = target(endpoint, "ntlm", False)
        quick = SessionOption(max_connection_retries=1)
        with sync.connect(given, options=quick) as session:
            assert session.call("Get-Length", "abc").output == [3]
            endpoint.process.kill()
            endpoint.process.wait()
            for _ in range(2):
                result = session.call("Get-Length", "abc")
                assert result.state is InvocationState.FAILED
                assert isinstance(result.error, PSRemotingTransportError)
                assert "127.0.0.1" in str(result.error)
            assert session.state == "Broken"
            with pytest.raises(PSRemotingTransportError):
                session.call("Get-Length", "abc").raise_for_errors()
