"""The commands for copying, for the folder that COPY_FOLDER names: for endpoints in a process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from psremoting.endpoint.confined_folder import ConfinedFolder
from psremoting.endpoint.copy_commands import copy_commands

__all__ = ["commands"]


def commands() -> dict[str, Callable[..., Any]]:
    return copy_commands(ConfinedFolder(Path(os.environ["COPY_FOLDER"])))
