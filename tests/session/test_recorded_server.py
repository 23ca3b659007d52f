"""Our client with the recorded PowerShell server: complete, and cut anywhere.

`make test-deep` cuts after every byte; otherwise every byte at the ends of lines, and each ninth.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import pytest
import trio
import trio.testing

from psremoting.client.hosts import TableHost
from psremoting.errors import PSRemotingError, PSRemotingTransportError
from psremoting.session import PSSession
from psrp.host import HostInfo
from tests.rows import DEEP
from tests.session.replay import RecordedServer
from tests.session.servers import carrier_over

PARTS = 6
STEP = 9
NEAR = 2
"""Every cut within so many bytes of a line's end is tried."""


def cuts(size: int, lines: Sequence[int]) -> list[int]:
    """Return where to cut so many bytes whose lines have these lengths."""
    ends = {end + near for end in accumulate(lines) for near in range(-NEAR, NEAR + 1)}
    return [at for at in range(size) if DEEP or at in ends or at % STEP == 0]


async def talk(limit: int | None) -> tuple[list[object], PSRemotingError | None, RecordedServer]:
    """Open, run the recorded script, close; return the output, the reason of the end, and the
    server."""
    ours, theirs = trio.testing.memory_stream_pair()
    server = RecordedServer(theirs, "hello", limit)
    host = TableHost(info=HostInfo.full())
    got: list[object] = []
    error: PSRemotingError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve)
        try:
            carrier = carrier_over(ours, "SSH")
            async with PSSession.connect(carrier, host=host, like_powershell=True) as session:
                async for value in await session.invoke(" 'hello'; 1 + 1 "):
                    got.append(value)
        except PSRemotingError as caught:
            error = caught
        nursery.cancel_scope.cancel()
    return got, error, server


async def test_the_recorded_server_serves_our_client() -> None:
    """Statement J106: the last line is an error line, and the end is orderly."""
    got, error, server = await talk(None)
    assert got == ["hello", 2]
    assert error is None
    assert server.size > 3000


@pytest.mark.parametrize("part", range(PARTS))
async def test_cut_after_every_byte_it_ends_clearly(
    part: int, autojump_clock: trio.testing.MockClock
) -> None:
    """No hang, no lost or repeated output, and the real client's message."""
    _, _, server = await talk(None)
    began = trio.current_time()
    for limit in cuts(server.size, server.lines)[part::PARTS]:
        got, error, _ = await talk(limit)
        assert got == ["hello", 2][: len(got)]
        if error is None:
            assert got == ["hello", 2]
        else:
            assert isinstance(error, PSRemotingTransportError)
            assert "SSH transport process has abruptly terminated" in str(error)
            expected = "PSSessionOpenFailed" if not got else "JobFailure"
            assert error.error_id in (expected, "JobFailure")
    assert trio.current_time() == began
