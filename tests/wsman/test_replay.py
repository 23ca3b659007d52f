"""Every recorded server is replayed to our client machine, which sends the same requests."""

from __future__ import annotations

from pathlib import Path

from psrp.sansio import TransportAct
from tests.recordings import FIXTURES
from tests.rows import rows
from tests.wsman.exchanges import read, recordings
from tests.wsman.replaying import replay
from wsman import client_events as ev
from wsman.errors import WSManFault

HAND_MADE = {
    "raw-create-and-headers.jsonl": "requests that a client must not make",
    "raw-timeout-disconnect.jsonl": "commands and receives in a disconnected shell",
    "openwsman-headers.jsonl": "a server without shells",
    "pypsrp-delete-not-answered.jsonl": "the server never answers",
}
#: Recordings without an orderly close, and how they end.
ENDS: dict[str, type[Exception] | None] = {
    "pwsh-agent-dies.jsonl": WSManFault,
    "pwsh-hello-omi-unpatched.jsonl": WSManFault,
}
NOT_CLOSED = {
    "test_psrp_is_alive_http_error.yml",
    "test_psrp_is_alive_invalid_selectors.yml",
    "test_psrp_is_alive_state_disconnected.yml",
}


def playable() -> list[Path]:
    return [path for path in recordings() if path.name not in HAND_MADE]


@rows("path", playable(), ids=lambda path: path.name)
def test_our_client_does_the_recorded_work_and_asks_for_nothing_else(path: Path) -> None:
    for shell in replay(read(path)):
        shell.check()
        ends = [event.error for event in shell.events if isinstance(event, ev.Lost)]
        expected = ENDS.get(path.name)
        if expected is not None:
            assert len(ends) == 1
            assert isinstance(ends[0], expected)
        elif ends:
            assert ends == [None]
        else:
            assert path.name in NOT_CLOSED or "disconnect" in path.name


def test_every_finished_command_is_terminated() -> None:
    """Statement H75. The recorded client leaves the signal out; our machine sends it."""
    (shell,) = replay(read(FIXTURES / "wsman" / "test_psrp_reset_runspace_state.yml"))
    created = [
        event.target
        for event in shell.events
        if isinstance(event, ev.ActDone) and event.act is TransportAct.CREATE_PIPELINE
    ]
    closed = [
        event.target
        for event in shell.events
        if isinstance(event, ev.ActDone) and event.act is TransportAct.CLOSE_PIPELINE
    ]
    assert shell.terminated == len(created) == 2
    assert sorted(map(str, closed)) == sorted(map(str, created))


def test_a_shell_is_disconnected_and_connected_to_as_recorded() -> None:
    """Statement H83. Two shells are disconnected by one client and connected to by another."""
    shells = replay(read(FIXTURES / "wsman" / "test_psrp_disconnect_runspaces.yml"))
    acts = [
        [event.act for event in shell.events if isinstance(event, ev.ActDone)] for shell in shells
    ]
    assert acts[0][:2] == [TransportAct.CREATE_POOL, TransportAct.DISCONNECT]
    assert acts[2] == acts[3] == [TransportAct.CONNECT, TransportAct.CLOSE_POOL]
