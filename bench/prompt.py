"""The interactive shell in a pseudo-terminal, with the embedded endpoint: time from the start of
`psrp enter` to its prompt, and from a keystroke to its echo."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pexpect

from bench.report import OURS, Clock, Row, Table

_PROMPT = "PS>"
_SUBJECT = "prompt"


def _started(state: str) -> Any:
    psrp = str(Path(sys.executable).with_name("psrp"))
    environment = {**os.environ, "TERM": "xterm", "XDG_STATE_HOME": state}
    child = pexpect.spawn(psrp, ["enter"], encoding="utf-8", env=environment, dimensions=(24, 80))
    # Otherwise pexpect waits 50 ms before each input.
    child.delaybeforesend = None
    child.expect_exact(_PROMPT)
    return child


def _left(child: Any) -> None:
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()


def table(clock: Clock) -> Table:
    """Return both figures; PowerShell's start is that over ssh, the only recorded one."""
    with TemporaryDirectory() as state:
        opened = []
        start = clock.simple(lambda: opened.append(_started(state)))
        child = opened.pop()
        for other in opened:
            _left(other)

        def key() -> None:
            child.send("x")
            child.expect_exact("x")

        echo = clock.simple(key)
        child.sendcontrol("u")
        _left(child)
    return Table(
        title="The interactive shell at a terminal",
        rows=[
            Row(subject=_SUBJECT, case=case, who=OURS, seconds=seconds, size=0)
            for case, seconds in (("start to prompt", start), ("keystroke to echo", echo))
        ],
        others=(),
        aims={},
        elsewhere={"start to prompt": "445 ms"},
        notes=["* PowerShell 7.6.5 over ssh, measured elsewhere; ours is wanted under 500 ms"],
    )
