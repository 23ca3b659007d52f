"""Files that Copy-Item moved through a session, put together from their fragments.

PowerShell copies with functions that it defines at the server: PSCopyToSessionHelper takes a
fragment as base64 (``-copyToFilePath``, ``-b64Fragment``, ``-createFile``), PSCopyFromSessionHelper
returns one (``-copyFromFilePath``, ``-copyFromStart``; ``b64Fragment``).
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from psremoting.capture.safe_names import safe_parts
from psrp import events as e
from psrp.clixml import Dictionary

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CopiedFiles"]

_TO, _FROM = "pscopytosessionhelper", "pscopyfromsessionhelper"
_MAX_HOLE = 64 << 20
"""Maximum bytes of a missing fragment that stay as zeros in a file."""


class CopiedFiles:
    """The copied files of one recording, below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[tuple[str, str], Path] = {}
        self._taken: set[Path] = set()

    def __len__(self) -> int:
        return len(self._paths)

    def command(self, event: e.Event) -> None:
        """Take a command; a fragment that it sends is written."""
        values = _parameters(event, _TO)
        path, text = values.get("copytofilepath"), values.get("b64fragment")
        if not isinstance(path, str):
            return
        data = _decoded(text)
        if data is None and not values.get("emptyfile"):
            return
        if isinstance(stream := values.get("streamname"), str):
            path = f"{path}_{stream}"
        if values.get("createfile"):
            self._paths.pop(("to-server", path), None)
        place = self._place("to-server", path)
        with place.open("ab") as file:
            file.write(data or b"")

    def output(self, event: e.Event, value: Any) -> None:
        """Take an output of a command; a fragment in it is written."""
        values = _parameters(event, _FROM)
        path, start = values.get("copyfromfilepath"), values.get("copyfromstart", 0)
        if not isinstance(path, str) or not isinstance(value, Dictionary | dict):
            return
        data = _decoded(value.get("b64Fragment"))
        if data is None or not isinstance(start, int):
            return
        if isinstance(stream := values.get("streamname"), str):
            path = f"{path}_{stream}"
        place = self._place("from-server", path)
        size = place.stat().st_size if place.exists() else 0
        if 0 <= start <= size + _MAX_HOLE:
            with place.open("r+b" if place.exists() else "wb") as file:
                file.seek(start)
                file.write(data)

    def _place(self, direction: str, path: str) -> Path:
        known = self._paths.get((direction, path))
        if known is not None:
            return known
        made = self._folder.joinpath(direction, *safe_parts(path))
        number = 1
        while made in self._taken or made.exists() or self._below_a_file(made):
            number += 1
            made = self._folder / direction / f"{number}" / safe_parts(path)[-1]
        made.parent.mkdir(parents=True, exist_ok=True)
        self._taken.add(made)
        self._paths[direction, path] = made
        return made

    def _below_a_file(self, path: Path) -> bool:
        return any(parent in self._taken for parent in path.parents)


def _parameters(event: e.Event, name: str) -> dict[str, Any]:
    """Return the parameters of the command ``name``, by lower-case names; empty for others."""
    if not isinstance(event, e.CreatePipeline):
        return {}
    for statement in event.powershell.statements:
        for command in statement:
            if command.text.lower() == name:
                return {(each.name or "").lower(): each.value for each in command.parameters}
    return {}


def _decoded(text: Any) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        return b64decode(text)
    except (binascii.Error, ValueError):
        return None
