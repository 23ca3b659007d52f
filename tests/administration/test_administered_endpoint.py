"""An administered endpoint and real clients, before and after each administrative step."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from psremoting import PSSession, sync
from psremoting.administration.configurations import TransportOption
from psremoting.administration.sockets import local_socket, subsystem_socket
from psremoting.errors import PSRemotingError
from psremoting.wsman_target import WSManTarget
from tests.administration.running_endpoint import (
    ALLOWED,
    CONFIGURATION,
    DENIED,
    PASSWORD,
    PROGRAM,
    REFUSED,
    RunningEndpoint,
    running_endpoint,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("administered"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEndpoint]:
    with running_endpoint(tmp_path_factory.mktemp("administered")) as made:
        yield made


@pytest.fixture
def endpoint(served: RunningEndpoint) -> RunningEndpoint:
    """The server with the configuration as it was first."""
    with served.store as store, store.transaction():
        for each in store.configurations():
            store.remove_configuration(each.name)
        store.put_configuration(CONFIGURATION)
    return served


def change(endpoint: RunningEndpoint, *words: str) -> None:
    done = endpoint.psrp(*words)
    assert done.returncode == 0, done.stderr


STEPS: list[tuple[tuple[str, ...], bool, bool]] = [
    (("Disable-PSRemoting", "-Force"), False, False),
    (("Enable-PSRemoting", "-Force", "-Port", "0", "-WhatIf"), False, False),
    (("Enable-PSSessionConfiguration", "*"), True, False),
    (("Disable-PSSessionConfiguration", "Microsoft.PowerShell"), False, False),
    (("Set-PSSessionConfiguration", "Microsoft.PowerShell", "-AccessMode", "Remote"), True, False),
    (
        ("Set-PSSessionConfiguration", "Microsoft.PowerShell", "-SecurityDescriptorSddl",
         "D:P(A;;GA;;;AU)"), True, True,
    ),
    (
        ("Set-PSSessionConfiguration", "Microsoft.PowerShell", "-SecurityDescriptorSddl",
         "D:P(A;;GA;;;AU)(D;;GX;;;AU)"), False, False,
    ),
    (
        ("Set-PSSessionConfiguration", "Microsoft.PowerShell", "-SecurityDescriptorSddl",
         "D:P(A;;GR;;;AU)"), False, False,
    ),
    (("Unregister-PSSessionConfiguration", "*", "-Force"), False, False),
]  # fmt: skip
"""A command, and whether the member of Remote Management Users and the stranger connect then."""


@pytest.mark.parametrize("way", ["ntlm", "basic"])
def test_each_step_holds_for_allowed_and_refused_users(endpoint: RunningEndpoint, way: str) -> None:
    assert endpoint.outcome(endpoint.target(ALLOWED, way)) == "open"
    assert endpoint.outcome(endpoint.target(REFUSED, way)) == DENIED
    for words, allowed, stranger in STEPS:
        if "-WhatIf" in words:
            words = (*words[:2], words[-1])
        change(endpoint, *words)
        for user, expected in ((ALLOWED, allowed), (REFUSED, stranger)):
            found = endpoint.outcome(endpoint.target(user, way))
            assert (found == "open") is expected, (words, user, found)
            if not expected and words[0] != "Unregister-PSSessionConfiguration":
                assert found == DENIED, (words, user)


@pytest.mark.parametrize("way", ["ntlm", "basic"])
def test_pypsrp_is_allowed_and_refused_in_the_same_way(endpoint: RunningEndpoint, way: str) -> None:
    pytest.importorskip("pypsrp")
    assert endpoint.pypsrp_outcome(ALLOWED, way) == "open"
    assert "Access is denied" in endpoint.pypsrp_outcome(REFUSED, way)
    change(endpoint, "Disable-PSRemoting", "-Force")
    assert "Access is denied" in endpoint.pypsrp_outcome(ALLOWED, way)
    change(endpoint, "Enable-PSSessionConfiguration", "*")
    assert endpoint.pypsrp_outcome(ALLOWED, way) == "open"


def test_a_change_holds_for_the_next_session_and_leaves_others_alone(
    endpoint: RunningEndpoint,
) -> None:
    with sync.connect(endpoint.target(ALLOWED)) as session:
        change(endpoint, "Unregister-PSSessionConfiguration", "*", "-Force")
        assert session.run("Get-Answer").output == [42]
        assert endpoint.outcome(endpoint.target(ALLOWED)) != "open"
        assert session.run("Get-Answer").output == [42]


def test_accounts_and_members_are_taken_up(endpoint: RunningEndpoint) -> None:
    with endpoint.store as store:
        account = store.accounts().find(REFUSED)
        assert account is not None
        store.remove_account(REFUSED)
    assert endpoint.outcome(endpoint.target(REFUSED, "basic")) != "open"
    endpoint.until(
        lambda store: (
            ("log-on failed", REFUSED) in {(each.action, each.who) for each in store.audit_trail()}
        )
    )
    with endpoint.store as store:
        store.put_account(account)
        store.set_members("helpers", (REFUSED,))
        sid = store.sid_of("helpers")
    change(endpoint, "Set-PSSessionConfiguration", "Microsoft.PowerShell",
           "-SecurityDescriptorSddl", f"D:(A;;GA;;;{sid})")  # fmt: skip
    assert endpoint.outcome(endpoint.target(REFUSED)) == "open"
    assert endpoint.outcome(endpoint.target(ALLOWED)) == DENIED
    with endpoint.store as store:
        store.set_members("helpers", ())
    assert endpoint.outcome(endpoint.target(REFUSED)) == DENIED


def loopback(endpoint: RunningEndpoint, *, interactive: bool) -> WSManTarget:
    return WSManTarget(
        computer_name="localhost",
        local_socket=str(local_socket(endpoint.path)),
        interactive=interactive,
    )


def test_after_disabling_only_interactive_loopback_connections_work(
    endpoint: RunningEndpoint,
) -> None:
    """Statement I90."""
    assert endpoint.outcome(loopback(endpoint, interactive=False)) == "open"
    assert endpoint.outcome(loopback(endpoint, interactive=True)) == "open"
    change(endpoint, "Disable-PSRemoting", "-Force")
    assert endpoint.outcome(loopback(endpoint, interactive=False)) == DENIED
    assert endpoint.outcome(loopback(endpoint, interactive=True)) == "open"


@pytest.mark.trio
async def test_an_interactive_session_is_only_taken_over_on_this_computer(
    endpoint: RunningEndpoint,
) -> None:
    here, network = (loopback(endpoint, interactive=each) for each in (True, False))
    async with PSSession.connect(here) as session:
        await session.disconnect()
    with pytest.raises(PSRemotingError) as caught:
        async with PSSession.connect(network.with_shell(session.id)):
            pass
    assert caught.value.error_id.startswith("AccessDenied,")
    async with PSSession.connect(here.with_shell(session.id)) as again:
        assert (await again.run("Get-Answer")).output == [42]


def test_a_socket_takes_no_other_log_on(endpoint: RunningEndpoint) -> None:
    given = endpoint.target(ALLOWED, local_socket="")
    over_socket = replace(given, local_socket=str(local_socket(endpoint.path)), interactive=False)
    # The user is the one of the process, whatever credential the client has.
    with sync.connect(over_socket), endpoint.store as store:
        endpoint.until(lambda store: bool(store.sessions()))
        owners = {each.owner for each in store.sessions()}
    assert ALLOWED not in owners


def refusal(target: WSManTarget) -> str:
    """Return the message of a session that is refused."""
    with pytest.raises(PSRemotingError) as caught, sync.connect(target):
        pass
    return caught.value.message


def test_quotas_have_winrms_faults(endpoint: RunningEndpoint) -> None:
    with endpoint.store as store:
        store.put_configuration(
            replace(CONFIGURATION, transport_option=TransportOption(max_sessions_per_user=1))
        )
    with sync.connect(endpoint.target(ALLOWED)):
        assert "concurrent shells for this user" in refusal(endpoint.target(ALLOWED))
        assert endpoint.outcome(loopback(endpoint, interactive=True)) == "open"
    with endpoint.store as store:
        store.put_configuration(
            replace(CONFIGURATION, transport_option=TransportOption(max_sessions=1))
        )
    with sync.connect(endpoint.target(ALLOWED)):
        assert "concurrent shells has been exceeded" in refusal(
            loopback(endpoint, interactive=True)
        )
    with endpoint.store as store:
        store.put_configuration(
            replace(CONFIGURATION, transport_option=TransportOption(max_concurrent_users=1))
        )
    with sync.connect(endpoint.target(ALLOWED)):
        assert "concurrent users has been exceeded" in refusal(loopback(endpoint, interactive=True))


def test_commands_at_the_same_time_are_limited(endpoint: RunningEndpoint, tmp_path: Path) -> None:
    option = TransportOption(max_concurrent_commands_per_session=1)
    with endpoint.store as store:
        store.put_configuration(replace(CONFIGURATION, transport_option=option))
    flag = tmp_path / "flag"
    with sync.connect(endpoint.target(ALLOWED)) as session:
        waiting = threading.Thread(target=session.run, args=(f"Wait-For {flag}",))
        waiting.start()
        try:
            endpoint.until(
                lambda store: any("Wait-For" in each.detail for each in store.audit_trail())
            )
            with pytest.raises(PSRemotingError, match="concurrent commands of this shell"):
                session.run("Get-Answer", check=True)
        finally:
            flag.touch()
            waiting.join()
        # A command that has ended does not count, also before the client closes it.
        for _ in range(50):
            assert session.run("Get-Answer").output == [42]


def new_session(endpoint: RunningEndpoint, before: set[str]) -> str:
    """Wait for a session that was not there before; return its id."""
    endpoint.until(lambda store: bool({each.id for each in store.sessions()} - before))
    with endpoint.store as store:
        (id,) = {each.id for each in store.sessions()} - before
    return id


def listed(endpoint: RunningEndpoint) -> set[str]:
    with endpoint.store as store:
        return {each.id for each in store.sessions()}


def test_the_sessions_of_all_users_are_listed_disconnected_and_removed(
    endpoint: RunningEndpoint,
) -> None:
    before = listed(endpoint)
    with sync.connect(endpoint.target(ALLOWED)):
        id = new_session(endpoint, before)
        shown = endpoint.psrp("endpoint", "sessions").stdout
        (row,) = [line.split() for line in shown.splitlines() if line.startswith(id)]
        assert row[1:6] == [ALLOWED, "127.0.0.1", "WSMan", "Microsoft.PowerShell", "Connected"]
        assert all(cell.count(":") == 2 for cell in row[6:8])
        done = endpoint.psrp("endpoint", "disconnect", id[:8])
        assert (done.returncode, done.stdout) == (0, f"{id}: disconnected\n"), done.stderr
    before = listed(endpoint)
    with sync.connect(endpoint.target(ALLOWED)) as session:
        id = new_session(endpoint, before)
        done = endpoint.psrp("endpoint", "remove", id)
        assert (done.returncode, done.stdout) == (0, f"{id}: removed\n"), done.stderr
        with pytest.raises(PSRemotingError):
            session.run("Get-Answer", check=True)
    missing = endpoint.psrp("endpoint", "remove", "FFFF")
    assert "no session has an id that begins with FFFF" in missing.stderr


def test_the_audit_trail_has_log_ons_sessions_commands_and_changes(
    endpoint: RunningEndpoint,
) -> None:
    change(endpoint, "Set-PSSessionConfiguration", "Microsoft.PowerShell", "-PSVersion", "7.4")
    endpoint.outcome(endpoint.target(ALLOWED))
    endpoint.outcome(endpoint.target(REFUSED))
    target = endpoint.target(ALLOWED, "basic")
    assert target.credential is not None
    endpoint.outcome(replace(target, credential=type(target.credential)(ALLOWED, "wrong")))
    endpoint.until(
        lambda store: any(each.action == "log-on failed" for each in store.audit_trail())
    )
    with endpoint.store as store:
        trail = store.audit_trail(last=1000)
    found = {(each.who, each.address, each.action, each.target) for each in trail}
    name = "Microsoft.PowerShell"
    assert (ALLOWED, "127.0.0.1", "log-on", "") in found
    assert (ALLOWED, "127.0.0.1", "log-on failed", "") in found
    assert (ALLOWED, "127.0.0.1", "session opened", name) in found
    assert (ALLOWED, "127.0.0.1", "session ended", name) in found
    assert (REFUSED, "127.0.0.1", "session refused", name) in found
    assert any(each.action == "command" and each.detail == "Get-Answer" for each in trail)
    assert any(each.action == "Set-PSSessionConfiguration" for each in trail)
    text = endpoint.psrp("endpoint", "audit").stdout
    assert "session refused" in text
    assert PASSWORD not in text


def test_a_session_through_the_subsystem_is_listed_and_can_be_removed(
    endpoint: RunningEndpoint,
) -> None:
    from psremoting.targets import ProcessTarget

    argv = [*PROGRAM, "endpoint", "subsystem", "--socket", str(subsystem_socket(endpoint.path))]
    target = ProcessTarget(argv=tuple(argv))
    with sync.connect(target) as session:
        assert session.run("Get-Answer").output == [42]
        endpoint.until(lambda store: any(each.transport == "SSH" for each in store.sessions()))
        with endpoint.store as store:
            (found,) = [each for each in store.sessions() if each.transport == "SSH"]
        refused = endpoint.psrp("endpoint", "disconnect", found.id)
        assert "cannot be disconnected" in refused.stderr
        done = endpoint.psrp("endpoint", "remove", found.id)
        assert done.returncode == 0, done.stderr
        with pytest.raises(PSRemotingError):
            session.run("Get-Answer", check=True)
    change(endpoint, "Disable-PSRemoting", "-Force")
    with pytest.raises(PSRemotingError, match="Access is denied"), sync.connect(target):
        pass


def test_listeners_follow_the_store(endpoint: RunningEndpoint) -> None:
    from psremoting.administration.configurations import ListenerSetting

    with endpoint.store as store:
        http = next(each for each in store.listeners() if each.transport == "HTTP")
        store.remove_listener(http)
    target = endpoint.target(ALLOWED)
    until = threading.Event()
    for _ in range(100):
        if endpoint.outcome(target) != "open":
            break
        until.wait(0.05)
    assert endpoint.outcome(target).startswith("CannotConnect")
    with endpoint.store as store:
        store.put_listener(ListenerSetting(address="IP:127.0.0.1", port=endpoint.http))
    for _ in range(100):
        if endpoint.outcome(target) == "open":
            break
        until.wait(0.05)
    assert endpoint.outcome(target) == "open"


def test_status_says_what_is_reachable_from_where(endpoint: RunningEndpoint) -> None:
    change(endpoint, "Set-PSSessionConfiguration", "Microsoft.PowerShell", "-AccessMode", "Local")
    shown = endpoint.psrp("endpoint", "status").stdout
    assert "Server:    running" in shown
    assert "Microsoft.PowerShell: Local; reachable from this computer, with " in shown
    assert "NT AUTHORITY\\NETWORK AccessDenied" in shown


def test_a_client_of_another_program_of_this_computer_has_its_own_name() -> None:
    """The kernel names the user of a socket; psrp sends no name at all."""
    sent = subprocess.run(
        [sys.executable, "-c", "from wsman.local_logon import LocalClient as C;"
         "print(C(interactive=True).headers())"], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert sent.strip() == "(('Authorization', 'Local interactive'),)"
