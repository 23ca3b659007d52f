"""The history of typed commands, kept between runs."""

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
    """Return the path of the history, under XDG_STATE_HOME."""
    base = os.environ.get("XDG_STATE_HOME", "")
    state = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state"
    return state / "psremoting" / "history"


class _Kept(FileHistory):
    """A history file without commands that may contain secrets."""

    def store_string(self, string: str) -> None:
        if _SENSITIVE.search(string):
            return
        try:
            super().store_string(string)
        except OSError:
            # A full disk must not end the session.
            return


def open_history(path: Path | None = None) -> History:
    """Open the history in ``path`` (default: `history_path`); in memory if that fails."""
    path = path or history_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return _Kept(path)
