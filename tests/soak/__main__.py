"""`make soak`: 200 clients for an hour; print what they did and how the server's memory went.

python -m tests.soak [--seconds 3600] [--clients 200] [--seed 1] [--log FILE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.running import Measures, soak

GROWTH = 1.25
"""Tolerated growth of memory from the first third of the time to the last."""
LIMIT = 600.0
"""Seconds for each action, on a machine that is busy with other work."""
IDLE = 300.0
"""Seconds that a client may be held up by a busy machine before its shell ends."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="write a line with each measure to FILE")
    options = parser.parse_args()

    def note(seconds: float, measures: Measures) -> None:
        if options.log is not None:
            with options.log.open("a", encoding="utf-8") as log:
                log.write(
                    f"{seconds:.0f} s: {measures.memory >> 10} KiB, {measures.descriptors} "
                    f"descriptors, {measures.threads} threads\n"
                )

    with tempfile.TemporaryDirectory() as folder:
        found, measured = soak(
            Path(folder), clients=options.clients, rounds=10**9, seconds=options.seconds,
            seed=options.seed, idle=IDLE, limit=LIMIT, note=note,
        )  # fmt: skip
    third = max(1, len(measured) // 3)
    early, late = (
        max(each.memory for each in part) for part in (measured[:third], measured[-third:])
    )
    print("actions:", ", ".join(f"{count} {name}" for name, count in sorted(found.done.items())))
    print(f"memory: at most {early >> 20} MiB in the first third, {late >> 20} MiB in the last")
    print(f"descriptors: {measured[0].descriptors} first, {measured[-1].descriptors} last")
    return 0 if late <= early * GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
