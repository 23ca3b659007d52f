"""`make bench`: our figures and those of the peers, in one process and one run.

usage: python -m bench.run [--quick] [--only SUBJECT] [--repeats N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import (
    captures,
    clixml,
    fragments,
    pools,
    powershell,
    prompt,
    sessions,
    wsman,
    wsman_layers,
    wsman_load,
)
from bench.report import Clock, Table, as_json, lines, losing

SUBJECTS = ("clixml", "fragments", "pools", "sessions", "prompt", "powershell", "wsman", "captures")
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


def main() -> None:
    logging.disable(logging.CRITICAL)  # psrpcore and pypsrp log every message
    asked = arguments()
    clock = Clock(asked.repeats or (3 if asked.quick else 7))
    print(
        f"{machine()}; median and least of {clock.repeats};"
        " 'vs': how many times as long they take, by the least\n"
    )
    tables: list[Table] = []

    def show(found: Table, growth: list[str]) -> None:
        tables.append(found)
        print("\n".join([*lines(found), *growth]), flush=True)

    for subject in asked.only or SUBJECTS:
        if subject == "clixml":
            show(clixml.table(clock), clixml.growing(clock, quick=asked.quick))
        elif subject == "fragments":
            found = fragments.table(clock, quick=asked.quick)
            show(found, fragments.growing(found))
        elif subject == "pools":
            show(pools.table(clock, quick=asked.quick), [])
        elif subject == "prompt":
            show(prompt.table(clock), [])
        elif subject == "captures":
            for found in captures.tables(clock, quick=asked.quick):
                show(found, [])
        elif subject == "powershell":
            for found in powershell.tables(clock, quick=asked.quick):
                show(found, [])
        elif subject == "wsman":
            show(wsman_layers.table(clock), [])
            for found in wsman.tables(clock, quick=asked.quick):
                show(found, [])
            print("\n".join(wsman_load.lines(quick=asked.quick)), flush=True)
        else:
            for found in sessions.tables(clock, quick=asked.quick):
                show(found, [])
    print("\n".join(losing(tables)), flush=True)
    if asked.json is not None:
        report = {**machine(), "repeats": clock.repeats, "tables": [*map(as_json, tables)]}
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
