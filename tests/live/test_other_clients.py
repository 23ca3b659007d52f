"""Third-party clients do the same work with the same results at the plugin and at
`psrp serve --process pwsh`: pypsrp 0.9.1, and the asynchronous client of pypsrp 1.0.0b1.

The latter runs in an environment of its own, whose Python PSREMOTING_PSRP_BETA names. The plugin's
server knows neither winrs shells nor disconnecting, so these run at ours only
(tests/endpoint/test_wsman_clients.py, and here).
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.endpoint.served_wsman import PASSWORD, USER, serving
from tests.endpoint.test_wsman_clients import _has_gssapi
from tests.live import kdc as kerberos
from tests.live.kdc import Kdc
from tests.live.wsman_peers import WSManServer

TIME_LIMIT = 300
pytestmark = pytest.mark.filterwarnings("ignore")

WAYS = ["basic", "https", "ntlm", "negotiate", "kerberos"]
FEW = ["https", "kerberos"]
"""At the plugin, unless PSREMOTING_ALL_ROWS is set."""
EXPECTED = {
    "numbers": [1, 2, 3, "é", True, None],
    "large argument": [300_000],
    "large output": [300 << 10],
    "input": [200],
    "error": [1, "error: e"],
    "throw": ["failed: boom"],
    "secret": ["sec"],
    "stop": "stopped",
    "two at once": [[1], [2]],
    "copy": True,
}


@pytest.fixture(scope="module")
def ours(
    kdc: Kdc | None, pwsh: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WSManServer]:
    folder = tmp_path_factory.mktemp("others")
    keytab = str(kdc.keytab) if kdc is not None and _has_gssapi() else ""
    environment = {"KRB5_CONFIG": str(kdc.config)} if kdc is not None else {}
    options = ("--process", f"{pwsh} -s -NoLogo -NoProfile", "--allow-unencrypted")
    with serving(folder, *options, keytab=keytab, environment=environment) as endpoint:
        yield WSManServer(endpoint.http, endpoint.https, kdc if keytab else None)


def servers_and_ways() -> list[tuple[str, str]]:
    there = WAYS if "PSREMOTING_ALL_ROWS" in os.environ else FEW
    return [("plugin", way) for way in there] + [("ours", way) for way in WAYS]


@pytest.fixture
def server(
    request: pytest.FixtureRequest, ours: WSManServer, wsman_server: WSManServer
) -> WSManServer:
    return wsman_server if request.param == "plugin" else ours


def options_of(server: WSManServer, way: str) -> dict[str, Any]:
    """Return the options that both clients share."""
    if way == "kerberos" and server.kdc is None:
        pytest.skip("no Kerberos here")
    if way == "https":
        return {"username": USER, "password": PASSWORD, "auth": "basic"}
    user = f"{USER}@{kerberos.REALM}" if way == "kerberos" else USER
    given = {"username": user, "password": PASSWORD, "auth": way}
    given["encryption"] = "never" if way == "basic" else "always"
    return given | ({"negotiate_service": "HTTP"} if way == "kerberos" else {})


# -- pypsrp 1.0.0b1


def beta(server: WSManServer, way: str, step: str, **more: Any) -> dict[str, Any]:
    """Run a step of psrp_beta_program.py."""
    python = os.environ.get("PSREMOTING_PSRP_BETA")
    if not python:
        pytest.skip("no pypsrp 1.0.0b1: set PSREMOTING_PSRP_BETA")
    options = options_of(server, way)
    host = "localhost" if way in ("https", "kerberos") else "127.0.0.1"
    url = f"https://{host}:{server.https}" if way == "https" else f"http://{host}:{server.http}"
    options |= {"url": url + "/wsman"} | ({"verify": False} if way == "https" else {}) | more
    environment = dict(os.environ)
    if server.kdc is not None:
        environment["KRB5_CONFIG"] = str(server.kdc.config)
    program = Path(__file__).with_name("psrp_beta_program.py")
    if way == "kerberos" and not has_kerberos(python):
        pytest.skip("pypsrp 1.0.0b1 without gssapi and krb5")
    done = subprocess.run(
        # Isolated: the working directory holds another package psrp.
        [python, "-I", str(program), step, json.dumps(options)],
        capture_output=True, text=True, timeout=120, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@cache
def has_kerberos(python: str) -> bool:
    tried = subprocess.run(
        [python, "-I", "-c", "import gssapi, krb5"], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.mark.parametrize(("server", "way"), servers_and_ways(), indirect=["server"])
def test_the_asynchronous_client_works(server: WSManServer, way: str) -> None:
    assert beta(server, way, "work") == EXPECTED


@pytest.mark.parametrize("way", ["ntlm", "https", "kerberos"])
def test_the_asynchronous_client_leaves_a_session_to_another_process(
    ours: WSManServer, way: str
) -> None:
    left = beta(ours, way, "leave")
    assert left["reconnected"] == [1, 2]
    assert beta(ours, way, "come back", pool=left["pool"]) == {"connected": [3, 4]}


# -- pypsrp 0.9.1


def connection(server: WSManServer, way: str) -> Any:
    wsman = pytest.importorskip("pypsrp.wsman")
    options = options_of(server, way)
    if way == "https":
        options["cert_validation"] = False
    host = "localhost" if way in ("https", "kerberos") else "127.0.0.1"
    port = server.https if way == "https" else server.http
    return wsman.WSMan(host, port=port, ssl=way == "https", **options)


@pytest.mark.parametrize(("server", "way"), servers_and_ways(), indirect=["server"])
def test_pypsrp_works(
    server: WSManServer, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if server.kdc is not None:
        monkeypatch.setenv("KRB5_CONFIG", str(server.kdc.config))
    # pypsrp 0.9.1 has an empty text for null.
    expected = EXPECTED | {"numbers": [1, 2, 3, "é", True, ""]}
    assert work(server, way, tmp_path) == expected


def work(server: WSManServer, way: str, folder: Path) -> dict[str, Any]:
    from pypsrp.complex_objects import PSInvocationState
    from pypsrp.exceptions import InvalidPipelineStateError  # noqa: F401
    from pypsrp.powershell import PowerShell, RunspacePool

    def run(pool: Any, script: str, *arguments: Any, data: Any = None) -> list[Any]:
        command = PowerShell(pool).add_script(script)
        for each in arguments:
            command.add_argument(each)
        output = [plain(each) for each in command.invoke(data)]
        if command.state == PSInvocationState.FAILED:
            return [f"failed: {command.streams.error[-1]}"]
        return output + [f"error: {each}" for each in command.streams.error]

    found: dict[str, Any] = {}
    with connection(server, way) as wsman, RunspacePool(wsman, max_runspaces=2) as pool:
        found["numbers"] = run(pool, "1..3; 'é'; $true; $null")
        found["large argument"] = run(pool, "param($x) $x.Length", "z" * 300_000)
        found["large output"] = [len(each) for each in run(pool, "'q' * 300kb")]
        found["input"] = run(pool, "$input | Measure-Object | % Count", data=list(range(200)))
        found["error"] = run(pool, "Write-Error e; 1")
        found["throw"] = run(pool, "throw 'boom'")
        pool.exchange_keys()
        script = "param($p) [pscredential]::new('x', $p).GetNetworkCredential().Password"
        found["secret"] = run(pool, script, pool.serialize("sec", secure(pool)))
        slow = PowerShell(pool).add_script("1; Start-Sleep 60; 2")
        slow.begin_invoke()
        time.sleep(0.5)
        slow.stop()
        found["stop"] = "stopped" if slow.state == PSInvocationState.STOPPED else "ended"
        two = [PowerShell(pool).add_script(f"Start-Sleep 1; {n}") for n in (1, 2)]
        for each in two:
            each.begin_invoke()
        for each in two:
            each.end_invoke()
        found["two at once"] = sorted([*each.output] for each in two)
    found["copy"] = copies(server, way, folder)
    return found


def secure(pool: Any) -> Any:
    from pypsrp.serializer import ObjectMeta

    return ObjectMeta("SS")


def plain(value: Any) -> Any:
    return value if isinstance(value, (int, str, bool, type(None))) else str(value)


def copies(server: WSManServer, way: str, folder: Path) -> bool:
    from pypsrp.client import Client

    options = options_of(server, way)
    if way == "https":
        options["cert_validation"] = False
    host = "localhost" if way in ("https", "kerberos") else "127.0.0.1"
    port = server.https if way == "https" else server.http
    here, there, back = (folder / name for name in ("here", "there", "back"))
    here.write_bytes(bytes(range(256)) * 1000)
    with Client(host, port=port, ssl=way == "https", **options) as client:
        client.copy(str(here), f"/tmp/{there.parent.name}-{os.getpid()}")
        client.fetch(f"/tmp/{there.parent.name}-{os.getpid()}", str(back))
        client.execute_ps(f"Remove-Item /tmp/{there.parent.name}-{os.getpid()}")
    return back.read_bytes() == here.read_bytes()
