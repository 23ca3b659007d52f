"""A real PowerShell: its program, its environment, and a process that is kept open."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "PeerFailed",
    "PowerShell",
    "environment",
    "find",
    "hashtable",
    "quoted",
    "why_not",
]

SHORT_LIVED = {"DOTNET_TieredPGO": "0", "DOTNET_TC_CallCounting": "0"}
"""Variables for processes of PowerShell that live for seconds: code is not compiled a second time,
which takes a fifth of their processor time."""

_DRIVER = Path(__file__).with_name("driver.ps1")


class PeerFailed(AssertionError):
    """A command of the real PowerShell that failed or did not end in time."""


@functools.cache
def find() -> str | None:
    """Return the absolute path of ``pwsh``: PSREMOTING_PWSH, otherwise the first on PATH, or
    None."""
    given = os.environ.get("PSREMOTING_PWSH")
    found = shutil.which(given) if given else shutil.which("pwsh")
    return os.path.abspath(found) if found else None


def why_not() -> str | None:
    """Return the reason to skip live tests, or None if there is a PowerShell."""
    if find():
        return None
    given = os.environ.get("PSREMOTING_PWSH")
    if given:
        return f"PSREMOTING_PWSH is {given!r}, which is no program"
    return "no PowerShell: set PSREMOTING_PWSH, or put pwsh on PATH"


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a PowerShell that does not read or write the user's files."""
    names = ("PATH", "TZ", "USER", *SHORT_LIVED)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "POWERSHELL_TELEMETRY_OPTOUT": "1",
        "POWERSHELL_UPDATECHECK": "Off",
        **more,
    }


def quoted(text: str) -> str:
    """Return ``text`` as a PowerShell literal in single quotes."""
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"


class PowerShell:
    """A process that runs the code given to `run` in one global scope; started when needed.

    A command that exceeds its time limit ends the process; the next command starts a new one.
    """

    def __init__(self, home: Path, *, path: str = "") -> None:
        """Prepend ``path`` to PATH."""
        self._environment = environment(home)
        if path:
            self._environment["PATH"] = path + os.pathsep + self._environment.get("PATH", "")
        self._prelude = ""
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._mark = ""

    def prepare(self, code: str) -> None:
        """Run ``code`` now if the process runs, and first in every later process."""
        self._prelude += code + "\n"
        if self._process is not None and self._process.poll() is None:
            self._ask(code, 60.0)

    def run(self, code: str, *, timeout: float = 60.0) -> str:
        """Run ``code``; return its output objects as strings, joined by newlines.

        Errors are terminating (``$ErrorActionPreference`` is Stop). Raises PeerFailed.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        return self._ask(code, timeout)

    def json(self, code: str, *, timeout: float = 60.0) -> list[Any]:
        """Run ``code``; return its output objects through ConvertTo-Json, always a list."""
        written = "ConvertTo-Json -Depth 20 -Compress -AsArray -EnumsAsStrings"
        text = self.run(f"@(. {{ {code}\n}}) | {written}", timeout=timeout)
        return list(json.loads(text)) if text else []

    def close(self) -> None:
        """End the process and everything that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def _start(self) -> None:
        self.close()
        program = find()
        assert program is not None
        self._mark = f"##{uuid.uuid4()}"
        words = ["-NoLogo", "-NoProfile", "-NonInteractive", "-File", str(_DRIVER), self._mark]
        self._process = subprocess.Popen(
            [program, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=self._environment,
            start_new_session=True,
        )
        self._answers = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(self._process, self._answers), daemon=True)
        reader.start()
        if self._prelude:
            self._ask(self._prelude, 60.0)

    def _ask(self, code: str, timeout: float) -> str:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.write(base64.b64encode(code.encode()).decode() + "\n")
        process.stdin.flush()
        noise: list[str] = []
        while True:
            try:
                line = self._answers.get(timeout=timeout)
            except queue.Empty:
                os.killpg(process.pid, signal.SIGKILL)
                self.close()
                raise PeerFailed(f"no answer within {timeout:g} s: {code}") from None
            if line is None:
                self.close()
                raise PeerFailed(f"PowerShell has ended: {code}\n{''.join(noise)}")
            # Host output without a newline may precede the mark.
            _, mark, rest = line.partition(self._mark + " ")
            if mark:
                how, _, answer = rest.strip().partition(" ")
                text = base64.b64decode(answer).decode("utf-8", "surrogatepass")
                if how == "failed":
                    raise PeerFailed(f"{text}\n(running: {code})")
                return text
            noise.append(line)


def _read(process: subprocess.Popen[str], answers: queue.SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError, OSError):
        for line in process.stdout:
            answers.put(line)
    answers.put(None)


def hashtable(values: Mapping[str, object]) -> str:
    """Return a PowerShell hashtable literal of strings and numbers."""
    pairs = (
        f"{quoted(name)} = {value if isinstance(value, int) else quoted(str(value))}"
        for name, value in values.items()
    )
    return "@{ " + "; ".join(pairs) + " }"
