"""A short soak: clients that open, run, stop, vanish, reconnect and send garbage."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.soak.running import soak

ACTIONS = {"run", "stop", "vanish", "reconnect", "garbage"}


@pytest.mark.skipif(sys.platform != "linux", reason="measures need /proc")
def test_no_output_no_session_and_no_descriptor_is_lost(tmp_path: Path) -> None:
    found, measured = soak(tmp_path, clients=8, rounds=40, seconds=120)
    assert set(found.done) == ACTIONS
    assert sum(found.done.values()) == 40
    assert measured[-1].descriptors <= measured[0].descriptors + 8
    assert "Traceback" not in (tmp_path / "log").read_text()
