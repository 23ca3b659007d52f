"""Protection of the protocol's stdio from the code that an engine runs.

Code in an engine that prints, reads or starts programs must not touch the protocol. So the real
descriptors are moved, and 0 and 1 are /dev/null.
"""

from __future__ import annotations

import os
import sys

__all__ = ["isolate_stdio"]


def isolate_stdio(*, output: int | None = None) -> tuple[int, int]:
    """Move the descriptors 0 and 1 away and put /dev/null there; return the moved ones.

    Children do not inherit them. ``output`` takes the place of stdout instead of /dev/null.
    stderr is unchanged; sshd discards that of a subsystem.
    """
    if sys.stdout is not None:
        sys.stdout.flush()
    moved = (os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null if output is None else output, 1)
    os.close(null)
    return moved
