"""`make bench`: our figures and those of the peers, in one process and one run.

usage: python -m bench.run [--quick] [--only SUBJECT] [--repeats N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from bench import (
    captures,
    clixml,
    copies,
    fragments,
    latency,
    pools,
    powershell,
    prompt,
    scale,
    sessions,
    wsman,
    wsman_layers,
    wsman_load,
)
from bench.report import Clock, Table, as_json, lines, losing

SUBJECTS = (
    "clixml", "fragments", "pools", "sessions", "latency", "prompt", "powershell", "wsman",
    "scale", "captures", "copies",
)  # fmt: skip
PEERS = ("psrpcore", "pypsrp", "lxml")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.run", description="Speed, as ratios in one run.")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, no 64 MiB messages")
    parser.add_argument("--only", choices=SUBJECTS, action="append", help="may be repeated")
    parser.add_argument("--repeats", type=int, help="of every figure (7, quick: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the rows as JSON as well")
    return parser.parse_args()


def machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in PEERS},
    }


def figures(subject: str, clock: Clock, quick: bool) -> Iterator[Table | list[str]]:
    """Return the tables of a subject as they are measured, and further lines."""
    if subject == "clixml":
        yield clixml.table(clock)
        yield clixml.growing(clock, quick=quick)
    elif subject == "fragments":
        yield (found := fragments.table(clock, quick=quick))
        yield fragments.growing(found)
    elif subject == "pools":
        yield pools.table(clock, quick=quick)
    elif subject == "sessions":
        yield from sessions.tables(clock, quick=quick)
    elif subject == "latency":
        yield latency.lines()
    elif subject == "prompt":
        yield prompt.table(clock)
    elif subject == "powershell":
        yield from powershell.tables(clock, quick=quick)
    elif subject == "wsman":
        yield wsman_layers.table(clock)
        yield from wsman.tables(clock, quick=quick)
        yield wsman_load.lines(quick=quick)
    elif subject == "copies":
        yield from copies.tables(clock, quick=quick)
    elif subject == "scale":
        yield from scale.tables(quick=quick)
    else:
        yield from captures.tables(clock, quick=quick)


def main() -> None:
    logging.disable(logging.CRITICAL)  # psrpcore and pypsrp log every message
    asked = arguments()
    clock = Clock(asked.repeats or (3 if asked.quick else 7))
    print(
        f"{machine()}; median and least of {clock.repeats};"
        " 'vs': how many times as long they take, by the least\n"
    )
    tables: list[Table] = []
    failed = []
    for subject in asked.only or SUBJECTS:
        start = perf_counter()
        try:
            for found in figures(subject, clock, asked.quick):
                if isinstance(found, Table):
                    tables.append(found)
                print("\n".join(lines(found) if isinstance(found, Table) else found), flush=True)
        except Exception:
            traceback.print_exc()
            failed.append(subject)
        print(f"  ({subject}: {perf_counter() - start:.0f} s)\n", flush=True)
    print("\n".join(losing(tables)), flush=True)
    if asked.json is not None:
        report = {**machine(), "repeats": clock.repeats, "tables": [*map(as_json, tables)]}
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
