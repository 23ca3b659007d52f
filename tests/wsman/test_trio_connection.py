"""One connection of the client."""

from __future__ import annotations

import os
import socket

import pytest

from wsman import trio_connection


def test_a_connection_with_a_high_descriptor_is_checked() -> None:
    """A program with a thousand sessions has descriptors that select refuses."""
    fcntl = pytest.importorskip("fcntl")
    here, there = socket.socketpair()
    with here, there:
        try:
            high = fcntl.fcntl(here.fileno(), fcntl.F_DUPFD, 1100)
        except OSError:
            pytest.skip("this system allows fewer open files")
        try:
            assert not trio_connection._is_readable(high)
            there.send(b"x")
            assert trio_connection._is_readable(high)
        finally:
            os.close(high)
