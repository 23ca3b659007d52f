"""Every test of CLIXML runs with the fast paths and without them."""

from __future__ import annotations

import pytest

from psrp.clixml import fastpaths

_NO_CODEC = ("test_base64_text.py", "test_stderr_text.py", "test_clixml_times.py")
"""Tests that neither read nor write elements."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not metafunc.module.__file__.endswith(_NO_CODEC):
        metafunc.fixturenames.append("fast_paths")
        metafunc.parametrize("fast_paths", [True, False], ids=["fast", "plain"], indirect=True)


@pytest.fixture
def fast_paths(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastpaths, "enabled", request.param)
