"""A real PowerShell over SSH at an administered endpoint, before and after each step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from psremoting.administration.sockets import subsystem_socket
from tests.administration.running_endpoint import (
    CONFIGURATION,
    PROGRAM,
    RunningEndpoint,
    running_endpoint,
)
from tests.live.peers import Clients, Hosts

NAME = "administered"
_TRY = """
$p = {parameters}
try {{
    $s = New-PSSession @p -ErrorAction Stop
    $found = Invoke-Command -Session $s {{ Get-Answer }} -ErrorAction Stop
    Remove-PSSession $s
    "open $found"
}} catch {{ "refused $($_.Exception.Message)" }}
"""


@pytest.fixture(scope="module")
def endpoint(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEndpoint]:
    with running_endpoint(tmp_path_factory.mktemp("administered")) as made:
        socket = str(subsystem_socket(made.path))
        hosts.add(NAME, [*PROGRAM, "endpoint", "subsystem", "--socket", socket])
        yield made


def test_a_real_client_is_allowed_and_refused_at_each_step(
    endpoint: RunningEndpoint, hosts: Hosts, clients: Clients
) -> None:
    parameters = hosts.peer("stdio", NAME).parameters

    def outcome() -> str:
        (line,) = clients.real.json(f"@({_TRY.format(parameters=parameters)})", timeout=60)
        return str(line)

    with endpoint.store as store:
        store.put_configuration(CONFIGURATION)
    assert outcome() == "open 42"
    for words, allowed in (
        (("Disable-PSRemoting", "-Force"), False),
        (("Enable-PSSessionConfiguration", "*"), True),
        (("Disable-PSSessionConfiguration", "*"), False),
        (("Set-PSSessionConfiguration", CONFIGURATION.name, "-AccessMode", "Remote"), True),
        (("Set-PSSessionConfiguration", CONFIGURATION.name, "-SecurityDescriptorSddl",
          "D:(A;;GA;;;RM)"), False),
        (("Set-PSSessionConfiguration", CONFIGURATION.name, "-SecurityDescriptorSddl",
          "D:(A;;GA;;;BA)"), True),
    ):  # fmt: skip
        done = endpoint.psrp(*words)
        assert done.returncode == 0, done.stderr
        found = outcome()
        assert found.startswith("open 42" if allowed else "refused "), (words, found)
        if not allowed:
            assert "Access is denied" in found
