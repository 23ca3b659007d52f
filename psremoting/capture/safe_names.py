"""File names made of text from a peer."""

from __future__ import annotations

import re

__all__ = ["safe_name", "safe_parts"]

MAX_NAME = 100
_MAX_PARTS = 20
_UNSAFE = re.compile(r"[^\w.+@=,-]+", re.ASCII)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


def safe_name(text: str, size: int = MAX_NAME) -> str:
    """Return one name of ASCII letters, digits and ``_.+@=,-`` that every system accepts.

    It never begins or ends with a dot, and is never empty or the name of a device.
    """
    name = _UNSAFE.sub("_", text[: size * 4]).strip("._")[:size].rstrip(".")
    return f"_{name}" if not name or _RESERVED.match(name) else name


def safe_parts(path: str) -> tuple[str, ...]:
    """Return the parts of a path of any system as safe names; ``.`` and ``..`` are dropped."""
    parts = [part for part in re.split(r"[\\/]+", path) if part.strip(" .")]
    return tuple(safe_name(part) for part in parts[-_MAX_PARTS:]) or ("_",)
