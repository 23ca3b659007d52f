"""Starts a program with a user, limits and a directory of its own. Run as a script:

    python -I -S program_launcher.py SETTINGS PROGRAM ARGUMENTS...

SETTINGS is JSON: ``user``, ``directory``, ``memory`` (MiB), ``processes``. It runs between the
server and the program, so that the server itself changes neither user nor limits.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

__all__ = ["change_directory", "launch"]

_FIRST_DESCRIPTOR = 3
_LAST_DESCRIPTOR = 65536


def launch(settings: dict[str, Any], argv: list[str]) -> None:
    """Replace this process by the program. Raises OSError and KeyError."""
    import resource

    os.closerange(_FIRST_DESCRIPTOR, _LAST_DESCRIPTOR)
    user = settings.get("user")
    if user is not None:
        import pwd

        entry = pwd.getpwnam(user)
        if os.geteuid() != entry.pw_uid:
            os.initgroups(user, entry.pw_gid)
            os.setgid(entry.pw_gid)
    if settings.get("memory") is not None:
        size = int(settings["memory"]) << 20
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    if settings.get("processes") is not None:
        count = int(settings["processes"])
        resource.setrlimit(resource.RLIMIT_NPROC, (count, count))
    if user is not None and os.geteuid() != entry.pw_uid:
        os.setuid(entry.pw_uid)
    required = bool(settings.get("directory_required"))
    change_directory(settings.get("directory") or "/", required=required)
    os.execve(argv[0], argv, os.environ)


def change_directory(path: str, *, required: bool) -> None:
    """Change to ``path``, or to the root if it cannot be used and is not ``required``."""
    try:
        os.chdir(path)
    except OSError:
        if required:
            raise
        os.chdir("/")


if __name__ == "__main__":
    try:
        launch(json.loads(sys.argv[1]), sys.argv[2:])
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"cannot start {sys.argv[2:3]}: {error}")
