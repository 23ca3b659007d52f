"""Words of our endpoint that a real client shows."""

from __future__ import annotations

from tests.live.peers import Clients, Hosts

_ERRORS = (
    "$e = $null; Invoke-Command {session} {{ }} -ErrorVariable e -ErrorAction SilentlyContinue"
    ' 2>$null; "$($e.Count) $($e | ForEach-Object FullyQualifiedErrorId)"'
)


def test_an_empty_script_is_what_it_is_at_a_real_endpoint_without_language(
    clients: Clients, restricted: str
) -> None:
    real, ours = (
        clients.real.run(_ERRORS.format(session=clients.theirs("stdio", server)))
        for server in (restricted, "demo")
    )
    assert ours == real


def test_the_end_of_a_server_process_has_one_full_stop(clients: Clients, hosts: Hosts) -> None:
    hosts.add_ours("dying", "--process", "/bin/false")
    parameters = hosts.peer("stdio", "dying").parameters
    shown = clients.real.run(
        f'$p = {parameters}; try {{ New-PSSession @p -ErrorAction Stop }} catch {{ "$_" }}'
    )
    assert "The server process has ended" in shown
    assert ".." not in shown
