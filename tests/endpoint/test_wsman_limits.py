"""The page "Running an endpoint safely" has every limit of the endpoint with its default."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from psremoting.cli.serve import serve
from psremoting.endpoint import pipeline, process, programs
from psremoting.endpoint.functions import FunctionsEngine
from wsman import auth_server, powershell_work, program_work, service_checks, serving, trio_server
from wsman.accounts import LogonGuard
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


#: Limits that are no settings: the value in the unit of the page, and the page's words.
CONSTANTS: list[tuple[float, str]] = [
    (powershell_work._MAX_COMMANDS, "{:,} in the carrier"),
    (FunctionsEngine({}).max_pipelines, "{} with `--functions`"),
    (program_work._MAX_COMMANDS, "{:,} with `--winrs`"),
    (auth_server._MAX_TOKEN >> 10, "{} KiB, 16 KiB | | 401, 400"),
    (serving._MAX_IDENTIFY >> 10, "64 KiB, {} KiB | | 401, 400"),
    (service_checks._MAX_SELECTORS, "| {}, 2,048 |"),
    (service_checks._MAX_MESSAGE_ID, "| 32, {:,} |"),
    (pipeline._UNSENT >> 10, "{} KiB for a command of functions or of a process"),
    (process._UNSENT >> 10, "{} KiB for a command of functions or of a process"),
    (programs._UNREAD >> 20, "{} MiB for a program of `--winrs`"),
    (powershell_work.KEPT >> 10, "with BufferMode Drop {} KiB"),
    (trio_server._CHECKS, "| passwords that are checked at the same time | {} |"),
    (0.25, "is delayed by {} s"),
    (8, "up to {} s, until ten minutes"),
    (10_000, "{:,} users and addresses are remembered"),
]


@pytest.mark.parametrize(("value", "words"), CONSTANTS, ids=[words for _, words in CONSTANTS])
def test_the_page_has_the_constant(value: float, words: str) -> None:
    assert words.format(value) in " ".join(PAGE.read_text("utf-8").split())


def test_the_guard_has_the_times_of_the_page() -> None:
    defaults = {
        name: each.default for name, each in inspect.signature(LogonGuard).parameters.items()
    }
    assert defaults == {"first": 0.25, "most": 8.0, "forget": 600.0, "size": 10_000}


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
