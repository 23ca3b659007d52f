"""Fixtures for tests against a real PowerShell. `README.md` in this folder describes their use.

Without PowerShell every test in this folder is skipped with a reason.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.live import kdc as kerberos
from tests.live import powershell, wsman_peers
from tests.live.kdc import Kdc
from tests.live.peers import CARRIERS, Clients, Hosts, with_sshd
from tests.live.restricted import write_configuration
from tests.live.screens import Screens
from tests.live.wsman_peers import NativeClient, WSManServer
from tests.sshsub import sshd

# For the processes that inherit the environment of the tests.
os.environ.update(powershell.SHORT_LIVED)

_HERE = Path(__file__).parent
_LIMIT = 120
"""Seconds for one test; a module sets another as TIME_LIMIT."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one module on one worker, where they share servers and clients."""
    reason = powershell.why_not()
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.xdist_group(f"live-{item.path.stem}"))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that hangs. This fixture runs first, so that the servers' start is not
    counted."""
    seconds = getattr(request.module, "TIME_LIMIT", _LIMIT)

    def give_up(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"the test took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def pwsh() -> str:
    """Return the path of the real PowerShell."""
    found = powershell.find()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory, pwsh: str) -> Iterator[Hosts]:
    """The servers: ``powershell`` (real), ``restricted`` (real, see `restricted`), and ours."""
    made = Hosts(tmp_path_factory.mktemp("live"))
    made.make()
    made.add("powershell", [pwsh, "-sshs", "-NoLogo", "-NoProfile"])
    made.add_ours("demo")
    made.add_ours("process", "--process", f"{pwsh} -sshs -NoLogo -NoProfile")
    if sshd.SSHD is None:
        yield made
    else:
        with with_sshd(made):
            yield made


@pytest.fixture(scope="session")
def clients(hosts: Hosts) -> Iterator[Clients]:
    """Open sessions of our client and of the real client, shared by the tests of a worker."""
    made = Clients(hosts)
    yield made
    made.close()


@pytest.fixture(scope="session")
def real(clients: Clients) -> powershell.PowerShell:
    """A real PowerShell process that is kept open: ``real.run(code)``, ``real.json(code)``."""
    return clients.real


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest, hosts: Hosts) -> str:
    """Each carrier of the servers."""
    name = str(request.param)
    if name == "ssh" and hosts.sshd is None:
        pytest.skip("no sshd")
    return name


@pytest.fixture(params=[*CARRIERS, "wsman"])
def table_carrier(request: pytest.FixtureRequest, hosts: Hosts) -> str:
    """Each carrier of a real server; only our client uses ``wsman``.

    For ``wsman`` the results are compared with those of the real client over stdio.
    """
    name = str(request.param)
    if name == "ssh" and hosts.sshd is None:
        pytest.skip("no sshd")
    if name == "wsman":
        server: WSManServer = request.getfixturevalue("wsman_server")
        hosts.others[name, "powershell"] = server.target("ntlm"), server.options
    return name


@pytest.fixture(scope="session")
def restricted(hosts: Hosts, clients: Clients) -> str:
    """The name of a real server without language (``-ConfigurationFile``), with the functions
    of `tests.live.restricted`."""
    file = hosts.folder / "restricted.pssc"
    write_configuration(clients.real, file)
    pwsh = powershell.find()
    assert pwsh is not None
    words = ["-sshs", "-NoLogo", "-NoProfile", "-ConfigurationFile", str(file)]
    hosts.add("restricted", [pwsh, *words])
    return "restricted"


@pytest.fixture(scope="session")
def screens(hosts: Hosts) -> Iterator[Screens]:
    """Pairs of the real Enter-PSSession and `psrp enter`: ``with screens.entered() as pair``."""
    made = Screens(hosts)
    yield made
    made.close()


# -- WS-Man


@pytest.fixture(scope="session")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc | None]:
    """A running MIT KDC with the account of the WS-Man server; None if no KDC is installed."""
    if kerberos.why_not():
        yield None
        return
    folder = tmp_path_factory.mktemp("kdc")
    # The server's sessions run as another account.
    for each in (folder, *list(folder.parents)[:2]):
        each.chmod(0o755)
    with kerberos.running(folder, {wsman_peers.USER: wsman_peers.PASSWORD}) as running:
        yield running


@pytest.fixture(scope="session")
def wsman_server(kdc: Kdc | None) -> Iterator[WSManServer]:
    """PowerShell's WS-Man plugin in OMI's HTTP server; skips the test with a reason without it."""
    with wsman_peers.serving(kdc) as server:
        yield server


@pytest.fixture
def native_client(
    hosts: Hosts, wsman_server: WSManServer, request: pytest.FixtureRequest
) -> Iterator[NativeClient]:
    """PowerShell's native WS-Man client; its crashes are counted in the summary."""
    client = NativeClient(hosts.home, wsman_server)
    yield client
    if client.deaths:
        request.node.user_properties.append(("native client deaths", client.deaths))
