"""A truncated or invalid stream of a client ends its server, and nothing hangs."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psremoting.endpoint import FunctionsEngine
from psremoting.endpoint.demo import DEMO
from psremoting.endpoint.driver import serve_stream
from sshsub.events import EXIT_CODE
from tests.endpoint.replays import packets
from tests.recordings import FIXTURES

RECORDED = FIXTURES / "outofproc" / "sessions"
SAID = {
    name: b"".join(
        one.line + b"\n" for one in packets(RECORDED / f"{name}.jsonl") if one.sender == "client"
    )
    for name in ("hello", "input")
}


async def serve(data: bytes) -> bytes:
    """Return a server's whole output for these bytes, sent at once."""
    ours, theirs = trio.testing.memory_stream_pair()
    answer = b""
    codes: list[int] = []

    async def run() -> None:
        codes.append(await serve_stream(theirs, FunctionsEngine(DEMO, protocol_version="2.4")))

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await ours.send_all(data)
            await ours.send_eof()
            while more := await ours.receive_some():
                answer += bytes(more)
    assert codes == [EXIT_CODE]
    return answer


@pytest.mark.parametrize("name", SAID)
async def test_a_stream_cut_anywhere_ends_with_the_last_words(name: str) -> None:
    data = SAID[name]
    step = max(1, len(data) // 60)
    for stop in [*range(0, len(data), step), *range(len(data) - 40, len(data) + 1)]:
        answer = await serve(data[:stop])
        assert answer.count(b"__NamedPipeError__") >= 1
        assert answer.endswith(b"\n")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(SAID["hello"].splitlines(keepends=True)),
            st.sampled_from(SAID["input"].splitlines(keepends=True)),
        ),
        max_size=12,
    )
)
def test_any_bytes_are_answered_and_the_server_ends(pieces: list[bytes]) -> None:
    answer = trio.run(serve, b"".join(pieces))
    assert b"__NamedPipeError__" in answer


async def test_bytes_of_a_session_may_come_one_by_one() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, theirs, FunctionsEngine(DEMO, protocol_version="2.4"))
            data = SAID["hello"].split(b"\n")[0] + b"\n"
            for at in range(len(data)):
                await ours.send_all(data[at : at + 1])
            answer = b""
            while b"DataAck" not in answer:
                answer += bytes(await ours.receive_some())
            assert answer.endswith(b"<DataAck PSGuid='00000000-0000-0000-0000-000000000000' />\n")
            assert answer.count(b"<Data ") >= 1
            await ours.aclose()
