"""The lines that were typed, kept between runs."""

from __future__ import annotations

import os
import re
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

__all__ = ["history_path", "open_history"]

_SENSITIVE = re.compile(
    r"password|asplaintext|token|apikey|secret|connectionstring|credential.*'", re.IGNORECASE
)


def history_path() -> Path:
    """Under XDG_STATE_HOME, where programs keep what outlives them but is no configuration."""
    base = os.environ.get("XDG_STATE_HOME", "")
    state = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state"
    return state / "psremoting" / "history"


class _Kept(FileHistory):
    """A file that only its owner reads, and that gets no line that may hold a secret."""

    def store_string(self, string: str) -> None:
        if _SENSITIVE.search(string):
            return
        try:
            super().store_string(string)
        except OSError:
            # A full disk must not end the session.
            return


def open_history(path: Path | None = None) -> History:
    """The history in ``path`` (`history_path` by default), in memory when it cannot be kept."""
    path = path or history_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return _Kept(path)
