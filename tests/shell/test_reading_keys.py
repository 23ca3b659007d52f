"""Reading a single key of a terminal, cancelled at any moment."""

from __future__ import annotations

import os
import pty
from typing import cast

import pytest
import trio
import trio.testing

from psremoting.shell.plain_reader import read_one_key
from psremoting.shell.screen import Screen


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancelled_read_of_a_key_ends(steps: int) -> None:
    """A cancellation may also come before the thread of the read has started."""
    controller, terminal = pty.openpty()
    try:
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:

                async def read() -> None:
                    await read_one_key(terminal, cast("Screen", None), echo=False)

                nursery.start_soon(read)
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                if steps == 5:
                    await trio.testing.wait_all_tasks_blocked(0.05)
                nursery.cancel_scope.cancel()
        assert nursery.cancel_scope.cancelled_caught
    finally:
        os.close(controller)
        os.close(terminal)
