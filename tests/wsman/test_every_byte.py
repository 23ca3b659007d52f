"""A connection that is cut after every single byte of a conversation, on either side."""

from __future__ import annotations

import pytest

from tests.wsman.cut_exchanges import (
    COMMAND,
    INPUT,
    POOL_DATA,
    WORDS,
    Conversation,
    Cut,
    Seen,
    answer_seen,
    request_seen,
)
from wsman.http import HttpServer

OUTPUT = b"".join(WORDS)
WHOLE = Conversation().run()
OPERATIONS = [each.request.operation for each in WHOLE.exchanges]
NUMBERS = range(1, len(OPERATIONS) + 1)


def test_the_conversation_without_a_cut() -> None:
    assert OPERATIONS[0] == "Create"
    assert OPERATIONS[-1] == "Delete"
    assert set(OPERATIONS) == {"Create", "Receive", "Command", "Send", "Signal", "Delete"}
    assert WHOLE.data == {None: POOL_DATA, COMMAND: OUTPUT}
    assert WHOLE.lost is not None
    assert WHOLE.lost.error is None
    assert WHOLE.service.shells == ()


def check(talk: Conversation) -> None:
    """All output came once, or there is an error; no shell is left that the client closed."""
    said = talk.data.get(COMMAND, b"")
    assert OUTPUT.startswith(said), said
    assert POOL_DATA.startswith(talk.data.get(None, b""))
    assert talk.lost is not None
    assert talk.input in (b"", INPUT)
    if talk.lost.error is None and not talk.failed:
        assert said == OUTPUT
        assert talk.input == INPUT
    if talk.lost.error is None:
        assert talk.service.shells == ()
    # A shell that the client could not close ends by itself.
    for _ in range(3):
        talk.service.advance(talk.now + 10 * 7200.0)
    assert talk.service.shells == ()


@pytest.mark.parametrize("number", NUMBERS, ids=[f"{n}-{OPERATIONS[n - 1]}" for n in NUMBERS])
def test_a_request_that_is_cut_after_any_byte(number: int) -> None:
    """The rest depends only on the bytes that the server could read, so each case runs once."""
    wire = WHOLE.exchanges[number - 1].sent
    seen: dict[Seen, int] = {}
    for at in range(len(wire) + 1):
        seen.setdefault(request_seen(HttpServer(), wire, at), at)
    # Only the last byte makes a request of it.
    assert seen == {
        Seen(complete=False, partial=False): 0,
        Seen(complete=False, partial=True): 1,
        Seen(complete=True, partial=True): len(wire),
    }
    for at in seen.values():
        check(Conversation(Cut(number, answer=False, at=at)).run())


@pytest.mark.parametrize("believed", [False, True], ids=["failed writes", "lost writes"])
@pytest.mark.parametrize("number", NUMBERS, ids=[f"{n}-{OPERATIONS[n - 1]}" for n in NUMBERS])
def test_an_answer_that_is_cut_after_any_byte(number: int, believed: bool) -> None:
    """``lost writes``: the server's own system took the whole answer. An answer that arrived whole
    was always written."""
    wire = WHOLE.exchanges[number - 1].answered
    seen: dict[Seen, int] = {}
    for at in range(len(wire) + 1):
        seen.setdefault(answer_seen(wire, at), at)
    assert seen == {
        Seen(complete=False, partial=False): 0,
        Seen(complete=False, partial=True): 1,
        Seen(complete=True, partial=True): len(wire),
    }
    for at in seen.values():
        written = believed or at == len(wire)
        talk = Conversation(Cut(number, answer=True, at=at, believed=written)).run()
        check(talk)
        if at == 0 and OPERATIONS[number - 1] not in ("Create", "Command", "Send"):
            # Nothing of the answer came: the request is made again, and nothing is missed.
            assert talk.data == {None: POOL_DATA, COMMAND: OUTPUT}
            assert talk.failed == []
