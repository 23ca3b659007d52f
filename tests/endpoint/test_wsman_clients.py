"""Third-party clients, unchanged, with `psrp serve --http --https`."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.endpoint.served_wsman import (
    PASSWORD,
    USER,
    Endpoint,
    psrp,
    serving,
    write_certificate,
)
from tests.live import kdc as kerberos
from wsman.certificates import client_certificate

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("wsman-clients"),
]


async def wait_a(seconds: float = 1.0) -> Any:
    import trio

    yield "a"
    await trio.sleep(seconds)
    yield "b"


def get_length(text: str) -> int:
    return len(text)


def get_text(length: int = 1000) -> str:
    return "x" * length


def fail() -> None:
    raise ValueError("it went wrong")


COMMANDS = {"Wait-A": wait_a, "Get-Length": get_length, "Get-Text": get_text, "Get-Failure": fail}
OTHER = {"Get-Other": lambda: "other"}


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kerberos.Kdc | None]:
    if kerberos.why_not():
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
    options = ["--functions", "tests.endpoint.test_wsman_clients:COMMANDS", "--winrs"]
    folder = tmp_path_factory.mktemp("served")
    options += ["--allow-unencrypted", *client_certificate_options(folder)]
    keytab = str(realm.keytab) if realm and _has_gssapi() else ""
    with serving(folder, *options, keytab=keytab) as made:
        yield made


def client_certificate_options(folder: Path) -> list[str]:
    """Write ``client.pem``, a certificate with its key that stands for the account; return the
    endpoint's options for it."""
    own = folder / "client.pem"
    write_certificate(own, USER)
    der = ssl.PEM_cert_to_DER_cert(own.read_text().partition("-----END PRIVATE KEY-----\n")[2])
    shown = client_certificate([der])
    assert shown is not None
    (folder / "mappings").write_text(f"{USER} {shown.thumbprint} *@example.org *\n")
    return ["--client-ca", str(own), "--certificate-mapping", str(folder / "mappings")]


def _has_gssapi() -> bool:
    try:
        import gssapi  # noqa: F401
        import krb5  # noqa: F401
    except ImportError:
        return False
    return True


PYPSRP: dict[str, dict[str, Any]] = {
    "basic": {"auth": "basic", "encryption": "never"},
    "basic over HTTPS": {"auth": "basic", "ssl": True},
    "ntlm": {"auth": "ntlm", "encryption": "always"},
    "ntlm over HTTPS": {"auth": "ntlm", "ssl": True},
    "negotiate": {"auth": "negotiate", "encryption": "always"},
    "kerberos": {"auth": "kerberos", "encryption": "always"},
    "kerberos in negotiate": {"auth": "negotiate", "encryption": "always", "kerberos": True},
    "credssp": {"auth": "credssp", "encryption": "always"},
    "credssp over HTTPS": {"auth": "credssp", "ssl": True},
    "certificate": {"auth": "certificate", "ssl": True},
}


def pypsrp(endpoint: Endpoint, mode: str, **changes: Any) -> Any:
    """Open a connection of pypsrp."""
    wsman = pytest.importorskip("pypsrp.wsman")
    values = dict(PYPSRP[mode])
    if values["auth"] == "credssp":
        pytest.importorskip("requests_credssp")
    user, host = USER, "127.0.0.1"
    if values.pop("kerberos", False) or values["auth"] == "kerberos":
        if kerberos.why_not() or not _has_gssapi():
            pytest.skip("no Kerberos here")
        user, host = f"{USER}@{kerberos.REALM}", "localhost"
        values["negotiate_service"] = "HTTP"
    ssl = values.pop("ssl", False)
    if ssl:
        host, values["cert_validation"] = "localhost", str(endpoint.certificate)
    given = {"username": user, "password": PASSWORD, "ssl": ssl} | values | changes
    if values["auth"] == "certificate":
        own = str(endpoint.folder / "client.pem")
        given |= {"certificate_pem": own, "certificate_key_pem": own}
    return wsman.WSMan(host, port=endpoint.https if ssl else endpoint.http, **given)


@pytest.mark.parametrize("mode", PYPSRP)
def test_pypsrp_runs_commands(endpoint: Endpoint, mode: str) -> None:
    from pypsrp.powershell import PowerShell, RunspacePool

    with pypsrp(endpoint, mode) as connection, RunspacePool(connection) as pool:
        first = PowerShell(pool).add_cmdlet("Get-Length").add_parameter("Text", "y" * 200_000)
        assert first.invoke() == [200_000]
        second = PowerShell(pool).add_cmdlet("Get-Text").add_parameter("Length", 300_000)
        assert second.invoke() == ["x" * 300_000]
        third = PowerShell(pool).add_cmdlet("Get-Failure")
        third.invoke()
        assert "it went wrong" in str(third.streams.error[0])


@pytest.mark.parametrize("mode", ["ntlm", "basic over HTTPS"])
def test_pypsrp_stops_a_command(endpoint: Endpoint, mode: str) -> None:
    from pypsrp.complex_objects import PSInvocationState
    from pypsrp.powershell import PowerShell, RunspacePool

    with pypsrp(endpoint, mode) as connection, RunspacePool(connection) as pool:
        slow = PowerShell(pool).add_cmdlet("Wait-A").add_parameter("Seconds", 60)
        slow.begin_invoke()
        slow.stop()
        assert slow.state == PSInvocationState.STOPPED
        again = PowerShell(pool).add_cmdlet("Get-Length").add_parameter("Text", "abc")
        assert again.invoke() == [3]


@pytest.mark.parametrize("mode", ["ntlm", "basic over HTTPS"])
def test_pypsrp_leaves_a_session_and_comes_back(endpoint: Endpoint, mode: str) -> None:
    from pypsrp.powershell import PowerShell, RunspacePool

    with pypsrp(endpoint, mode) as connection:
        pool = RunspacePool(connection)
        pool.open()
        command = PowerShell(pool).add_cmdlet("Wait-A")
        command.begin_invoke()
        pool.disconnect()
        pool.connect()
        command.connect()
        command.end_invoke()
        assert command.output == ["a", "b"]
        command.close()
        second = PowerShell(pool).add_cmdlet("Wait-A")
        second.begin_invoke()
        pool.disconnect()
        # A second process would get only the name of the user.
        with pypsrp(endpoint, "basic over HTTPS") as other:
            found = [each for each in RunspacePool.get_runspace_pools(other) if each.id == pool.id]
            assert len(found) == 1
            found[0].connect()
            (waiting,) = found[0].create_disconnected_power_shells()
            waiting.connect()
            waiting.end_invoke()
            assert waiting.output == ["a", "b"]
            found[0].close()


@pytest.mark.parametrize("mode", PYPSRP)
def test_pypsrp_runs_programs(endpoint: Endpoint, mode: str) -> None:
    from pypsrp.shell import Process, WinRS

    with pypsrp(endpoint, mode) as connection, WinRS(connection) as shell:
        process = Process(shell, "echo out; echo err >&2; exit 3")
        process.invoke()
        assert (process.stdout, process.stderr, process.rc) == (b"out\n", b"err\n", 3)


def test_pypsrp_feeds_a_program(endpoint: Endpoint) -> None:
    from pypsrp.shell import Process, WinRS

    with pypsrp(endpoint, "ntlm") as connection, WinRS(connection) as shell:
        process = Process(shell, "wc -c")
        process.begin_invoke()
        process.send(b"z" * 100_000, end=False)
        process.send(b"z", end=True)
        while process.rc is None:
            process.poll_invoke()
        assert process.stdout.strip() == b"100001"


@pytest.mark.parametrize("mode", ["basic", "ntlm", "negotiate", "credssp"])
@pytest.mark.parametrize("user", [USER, "nobody"])
def test_a_wrong_password_is_refused(endpoint: Endpoint, mode: str, user: str) -> None:
    from pypsrp.exceptions import AuthenticationError
    from pypsrp.powershell import RunspacePool

    # A success ends the delays after earlier failures, which are counted by user and by address.
    with pypsrp(endpoint, "basic") as connection, RunspacePool(connection):
        pass
    changes = {"username": user if user == USER else f"{user}-{mode}", "password": "wrong"}
    with pypsrp(endpoint, mode, **changes) as connection:
        pool = RunspacePool(connection)
        # requests-credssp has no specific error for a refusal during the exchange.
        with pytest.raises((AuthenticationError, Exception), match=r"(?i)auth|credential|CredSSP"):
            pool.open()


PYWINRM: dict[str, dict[str, Any]] = {
    "basic": {"transport": "basic", "message_encryption": "never"},
    "basic over HTTPS": {"transport": "basic"},
    "ntlm": {"transport": "ntlm", "message_encryption": "always"},
    "ntlm over HTTPS": {"transport": "ntlm"},
    "credssp": {"transport": "credssp", "message_encryption": "always"},
    "certificate over HTTPS": {"transport": "certificate"},
}


@pytest.mark.parametrize("mode", PYWINRM)
def test_pywinrm_runs_a_program(endpoint: Endpoint, mode: str) -> None:
    winrm = pytest.importorskip("winrm")
    if "credssp" in mode:
        pytest.importorskip("requests_credssp")
    values = dict(PYWINRM[mode])
    url = f"http://127.0.0.1:{endpoint.http}/wsman"
    if "HTTPS" in mode:
        url = f"https://localhost:{endpoint.https}/wsman"
        values["ca_trust_path"] = str(endpoint.certificate)
    if mode == "certificate over HTTPS":
        own = str(endpoint.folder / "client.pem")
        values |= {"cert_pem": own, "cert_key_pem": own}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = winrm.Session(url, auth=(USER, PASSWORD), **values)
        result = session.run_cmd("echo out; echo err >&2; exit 5")
    assert (result.std_out, result.std_err, result.status_code) == (b"out\n", b"err\n", 5)


NODE = r"""
const winrm = require('winrm-client');
const [password, port, user] = process.argv.slice(1);
const run = (name, command) =>
    winrm.runCommand(command, '127.0.0.1', name, password, Number(port));
(async () => {
    console.log(await run(user, 'echo basic'));
    console.log(await run('.\\' + user, 'echo ntlm'));
})().catch(error => { console.error(error); process.exit(1); });
"""


def test_winrm_client_of_npm_runs_programs(endpoint: Endpoint) -> None:
    """An implementation of its own in JavaScript, with one MessageID for all requests. It signs in
    with Basic, and with NTLM if the user has a domain."""
    folder = os.environ.get("PSREMOTING_NODE_CLIENTS")
    if not folder:
        pytest.skip("no winrm-client: set PSREMOTING_NODE_CLIENTS")
    done = subprocess.run(
        ["node", "-e", NODE, PASSWORD, str(endpoint.http), USER],
        capture_output=True, text=True, timeout=60, check=False, cwd=folder,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.split() == ["basic", "ntlm"]


CURL = [
    (["--basic"], "http", "200"),
    (["--ntlm"], "http", "200"),
    (["--ntlm"], "https", "200"),
]


@pytest.mark.parametrize(("options", "scheme", "status"), CURL)
def test_curl_identifies_the_endpoint(
    endpoint: Endpoint, options: list[str], scheme: str, status: str
) -> None:
    port = endpoint.http if scheme == "http" else endpoint.https
    envelope = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i='
        '"http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/>'
        "<s:Body><i:Identify/></s:Body></s:Envelope>"
    )
    try:
        done = subprocess.run(
            ["curl", "-sk", *options, "-u", f"{USER}:{PASSWORD}", "-w", "%{http_code}",
             "-H", "Content-Type: application/soap+xml;charset=UTF-8", "-d", envelope,
             f"{scheme}://127.0.0.1:{port}/wsman"],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("no curl")
    if done.returncode == 4 or ("--ntlm" in options and "not" in done.stderr):
        pytest.skip("this curl has no NTLM")
    assert done.stdout.endswith(status)
    assert "<wsmid:ProductVendor>psremoting" in done.stdout or "ProductVendor" in done.stdout


def test_accounts_are_kept_by_the_command(endpoint: Endpoint) -> None:
    path = str(endpoint.accounts)
    assert endpoint.accounts.stat().st_mode & 0o777 == 0o600
    added = psrp("account", "add", "dave", "--accounts", path, "--password-file", "-", text="pw\n")
    assert (added.returncode, added.stdout) == (0, "")
    listed = psrp("account", "list", "--accounts", path)
    assert re.findall(r"(\w+)( +ntlm)?$", listed.stdout, re.MULTILINE) == [
        (USER, "  ntlm"),
        ("dave", ""),
    ]
    # The running endpoint sees the new account.
    changes = {"username": "dave", "password": "pw"}
    from pypsrp.powershell import PowerShell, RunspacePool

    with pypsrp(endpoint, "basic over HTTPS", **changes) as made, RunspacePool(made) as pool:
        command = PowerShell(pool).add_cmdlet("Get-Length").add_parameter("Text", "abcd")
        assert command.invoke() == [4]
    removed = psrp("account", "remove", "dave", "--accounts", path)
    assert removed.returncode == 0
    assert psrp("account", "remove", "dave", "--accounts", path).returncode == 1
    assert "pw" not in endpoint.accounts.read_text()
