"""The endpoint answers malformed openings as a real server does.

The probes in which a pool opens run scripts, which this endpoint does not support;
`tests/psrp/test_recorded_conversations.py` replays them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import trio

from psrp.messages import MessageType
from psrp.sansio import Side
from sshsub.packets import PacketKind
from tests.conversations import Messages, Said, chunks, conversation, recordings, said_in
from tests.endpoint.test_broken_streams import serve

OPENED = re.compile(r"RUNSPACEPOOL_STATE 2")
STATE = re.compile(rb'<I32 N="RunspaceState">(\d)')


def shapes(lines: Iterable[Said]) -> Iterator[str]:
    """Return packets by kind and message type, and error lines without their text."""
    messages = Messages(lenient=True)
    for said in lines:
        if not said.packets:
            yield said.line[:20].decode()
        for packet in said.packets:
            if packet.kind is not PacketKind.DATA:
                yield f"{packet.kind.name} {packet.target}"
            for message in messages.of(packet.target, packet.data):
                kind = MessageType(int.from_bytes(message[4:8], "little")).name
                state = STATE.search(message)
                yield f"{kind} {state[1].decode()}" if state else kind


def answers(path: Path) -> list[str]:
    return list(shapes(said for said in conversation(path) if said.side is Side.SERVER))


UNOPENED = [
    path
    for path in recordings("probes")
    if path.stem != "garbage-at-once" and not OPENED.search(" ".join(answers(path)))
]
SHUT = [path for path in recordings("probes") if path.stem in ("capability-twice", "rpid-other")]


def test_there_are_probes_of_both_kinds() -> None:
    assert len(UNOPENED) > 8
    assert len(SHUT) == 2


@pytest.mark.parametrize("path", UNOPENED + SHUT, ids=lambda path: str(path.stem))
def test_an_odd_opening_is_answered_as_by_a_real_server(path: Path) -> None:
    asked = b"".join(data for side, data in chunks(path) if side is Side.CLIENT)
    answer = trio.run(serve, asked)
    assert list(shapes(said_in(Side.SERVER, answer))) == answers(path)
