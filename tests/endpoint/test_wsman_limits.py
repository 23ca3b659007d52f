"""The page "Running an endpoint safely" has every limit of the endpoint with its default."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from psremoting.cli.serve import serve
from wsman.service_checks import ServiceLimits
from wsman.trio_server import ServerLimits

PAGE = Path(__file__).resolve().parents[2] / "spec-notes" / "running-an-endpoint.md"
ROWS = {
    "max_connections": "connections",
    "max_head": "request line and headers",
    "request_time": "a request, from its first byte to its last",
    "idle_time": "a connection without a request",
    "handshake_time": "TLS handshake",
    "write_time": "a client that does not take its answer",
    "grace": "end by SIGTERM",
    "max_envelope_size": "body of a request",
    "max_timeout": "OperationTimeout",
    "max_shells_per_user": "shells of one user",
    "max_shells": "shells of all users",
    "max_users": "users with shells",
    "max_operations_per_user": "requests of one user that wait",
    "idle_timeout": "an unused shell",
    "min_idle_timeout": "an unused shell",
    "enumeration_timeout": "enumerations that wait for a Pull",
    "max_enumerations": "enumerations that wait for a Pull",
}
"""The row of each limit of the code."""
WITHOUT_ROW = {"gather_time", "max_idle_timeout", "max_batch_items"}
"""Not limits on what a client may use."""
SIZES = {"max_head", "max_envelope_size"}


def rows() -> dict[str, list[str]]:
    found = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4:
            found[cells[0]] = cells
    return found


def defaults() -> dict[str, float]:
    found: dict[str, float] = {}
    for each in (ServiceLimits(), ServerLimits()):
        found |= {field.name: getattr(each, field.name) for field in fields(each)}
    return found


def test_every_limit_has_a_row() -> None:
    assert defaults().keys() == ROWS.keys() | WITHOUT_ROW


@pytest.mark.parametrize("name", ROWS)
def test_the_page_has_the_default(name: str) -> None:
    _, default, option, _ = rows()[ROWS[name]]
    numbers = [int(each.replace(",", "")) for each in re.findall(r"\d[\d,]*", default)]
    value = defaults()[name]
    assert (value / 1024 if name in SIZES else value) in numbers
    for flag in re.findall(r"--[\w-]+", option):
        assert any(flag in each.opts for each in serve.params)
