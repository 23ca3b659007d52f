"""Copying of files to and from a session: `copy_to`, `copy_from`.

`files_of` finds out what the other side offers: the commands of this package, the language of
PowerShell, or the helper functions of a constrained PowerShell. spec-notes/copying.md
"""

from __future__ import annotations

from psremoting.copying.detecting import files_of
from psremoting.copying.remote_files import CopyError, RemoteEntry, RemoteFiles
from psremoting.copying.transfer import CopyOptions, copy_from, copy_to

__all__ = [
    "CopyError",
    "CopyOptions",
    "RemoteEntry",
    "RemoteFiles",
    "copy_from",
    "copy_to",
    "files_of",
]
