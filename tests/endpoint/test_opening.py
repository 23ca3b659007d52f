"""The opening of a session is answered by blocking calls; then a driver takes over."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psremoting.endpoint import FunctionsEngine
from psremoting.endpoint.demo import DEMO
from psremoting.endpoint.driver import serve_outofproc, serve_wire
from psremoting.endpoint.functions import FunctionsSession
from psremoting.endpoint.opening import answer_opening
from psremoting.endpoint.outofproc_server import OutOfProcServer
from psrp.states import PoolState
from sshsub.events import EXIT_CODE
from sshsub.trio_server import serve_stdio
from sshsub.trio_stream import StreamWire
from tests.endpoint.test_broken_streams import SAID, serve
from tests.recordings import ROOT

OPENING = SAID["hello"].split(b"\n")[0] + b"\n"
ALWAYS = (b"<CommandAck ", b"<DataAck PSGuid='00000000-0000-0000-0000-000000000000'")
LINES = [line for said in SAID.values() for line in said.splitlines(keepends=True)]
ROOM = 1 << 20
PACKET = re.compile(rb"<(\w+)[^>]*>")


def new_desk() -> OutOfProcServer:
    return OutOfProcServer(FunctionsEngine(DEMO, protocol_version="2.4"))


@contextmanager
def descriptors(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the descriptors where a server reads ``data``, where it writes, and where its output
    is read."""
    server_in, client_out = os.pipe()
    client_in, server_out = os.pipe()
    for fd in (client_out, server_out):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, ROOM)
    assert len(data) <= ROOM
    os.write(client_out, data)
    os.close(client_out)
    try:
        yield server_in, server_out, client_in
    finally:
        for fd in (server_in, server_out, client_in):
            with suppress(OSError):
                os.close(fd)


def served(data: bytes) -> bytes:
    """Return the whole output of the blocking opening and then a driver for these bytes."""
    with descriptors(data) as (server_in, server_out, client_in):
        server = new_desk()
        over = answer_opening(server, server_in, server_out)
        rest = partial(serve_outofproc, server=server, over=over)
        assert trio.run(serve_stdio, rest, (server_in, server_out)) == EXIT_CODE
        answer = b""
        while more := os.read(client_in, 1 << 16):
            answer += more
        return answer


def acknowledged(answer: bytes) -> list[bytes]:
    """Return the acknowledgements that do not depend on the scheduler."""
    return sorted(line for line in answer.splitlines() if line.startswith(ALWAYS))


def packets(answer: bytes) -> list[bytes]:
    return [found[1] for found in PACKET.finditer(answer)]


def test_the_greeting_ends_when_the_pool_is_open() -> None:
    with descriptors(OPENING) as (server_in, server_out, client_in):
        server = new_desk()
        assert answer_opening(server, server_in, server_out) is False
        assert isinstance(server.session, FunctionsSession)
        assert server.session.pool.state is PoolState.OPENED
        answer = os.read(client_in, 1 << 16)
    assert packets(answer) == [b"Data", b"DataAck"]


@pytest.mark.parametrize("name", SAID)
def test_everything_is_acknowledged_that_a_driver_alone_acknowledges(name: str) -> None:
    data = SAID[name]
    assert acknowledged(served(data)) == acknowledged(trio.run(serve, data)) != []


@pytest.mark.parametrize("name", SAID)
def test_a_stream_cut_anywhere_ends_with_the_last_words(name: str) -> None:
    data = SAID[name]
    step = max(1, len(data) // 40)
    for stop in [*range(0, len(data), step), *range(len(OPENING) - 3, len(OPENING) + 4)]:
        answer = served(data[:stop])
        assert answer.count(b"__NamedPipeError__") >= 1
        assert answer.endswith(b"\n")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.integers(0, len(LINES) - 1),
        ),
        max_size=8,
    )
)
def test_any_bytes_are_acknowledged_as_a_driver_alone_does_it(pieces: list[bytes | int]) -> None:
    data = b"".join(LINES[each] if isinstance(each, int) else each for each in pieces)
    assert acknowledged(served(data)) == acknowledged(trio.run(serve, data))


def test_descriptors_that_do_not_block_are_left_to_the_driver() -> None:
    with descriptors(OPENING) as (server_in, server_out, client_in):
        os.set_blocking(server_in, False)
        server = new_desk()
        assert answer_opening(server, server_in, server_out) is False
        assert server.session is None
        os.set_blocking(client_in, False)
        with pytest.raises(BlockingIOError):
            os.read(client_in, 1)


def test_a_client_that_no_longer_reads_ends_the_session_in_order() -> None:
    with descriptors(OPENING) as (server_in, server_out, client_in):
        os.close(client_in)
        server = new_desk()
        over = answer_opening(server, server_in, server_out)
        rest = partial(serve_outofproc, server=server, over=over)
        assert trio.run(serve_stdio, rest, (server_in, server_out)) == EXIT_CODE


def test_the_opening_needs_no_event_loop() -> None:
    program = """
import os, sys
from psremoting.endpoint.demo import DEMO
from psremoting.endpoint.outofproc_server import OutOfProcServer
from psremoting.endpoint.functions import FunctionsEngine
from psremoting.endpoint.opening import answer_opening
answer_opening(OutOfProcServer(FunctionsEngine(DEMO)), 0, 1)
sys.stderr.write(" ".join(name for name in ("trio", "asyncio", "click") if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input=OPENING, capture_output=True, check=True, cwd=ROOT
    )
    assert packets(done.stdout) == [b"Data", b"DataAck"]
    assert done.stderr == b""


async def test_the_first_answer_on_a_socket_is_held_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    serve_slowly = partial(
        serve_wire, StreamWire(theirs), FunctionsEngine(DEMO), first_answer_delay=0.01
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_slowly)
        began = trio.current_time()
        await ours.send_all(SAID["hello"])
        assert await ours.receive_some()
        assert trio.current_time() - began >= 0.01
        nursery.cancel_scope.cancel()
