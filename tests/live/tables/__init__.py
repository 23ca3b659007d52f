"""The rows of the differential tables: text files, one row per line, in named sections."""

from __future__ import annotations

from pathlib import Path

__all__ = ["sections"]

_HERE = Path(__file__).parent


def sections(name: str) -> dict[str, list[str]]:
    """Return the rows of ``name``.txt by section: ``# -- NAME`` begins one, another # is a
    comment."""
    found: dict[str, list[str]] = {}
    rows: list[str] = []
    for line in (_HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# -- "):
            rows = found.setdefault(line.removeprefix("# -- "), [])
        elif line and not line.startswith("#"):
            rows.append(line)
    return found
