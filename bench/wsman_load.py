"""A thousand shells at once in one endpoint, on one machine with their clients."""

from __future__ import annotations

import resource
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from bench.report import aligned, milliseconds
from tests.endpoint import many_shells, served_wsman

__all__ = ["lines"]

_FILES = 8192
"""Open files that clients and endpoint need for a thousand shells."""


def lines(*, quick: bool) -> list[str]:
    """Return the figures as a table; print the reason and return none without enough files."""
    count = 100 if quick else 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FILES:
        print(f"WS-Man, {count} shells: skipped, only {hard} open files are allowed\n")
        return []
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _FILES), hard))
    functions = ("--functions", "tests.endpoint.test_wsman_load:COMMANDS")
    with (
        TemporaryDirectory() as name,
        served_wsman.serving(Path(name), *functions, *many_shells.OPTIONS) as endpoint,
    ):
        load = trio.run(many_shells.measure, endpoint, count, "Get-Number")
    lost = sum(value != number for number, value in enumerate(load.values))
    cells = [
        ["memory of the server for an idle shell", f"{load.memory / 1024:.0f} KiB"],
        [f"opening of shell {count}", f"{milliseconds(load.last_open)} ms"],
        ["one command, no other shell", f"{milliseconds(load.alone)} ms"],
        [f"one command beside {count - 1} idle polls", f"{milliseconds(load.command)} ms"],
        [f"pipelines lost of {count} at once", str(lost)],
    ]
    return [f"WS-Man: {count} shells in one process (NTLM, sealed)", "", *aligned(cells), ""]
