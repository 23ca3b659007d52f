"""Comparison of the results of two clients, row by row, with accepted differences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Comparison", "canonical"]


def canonical(document: str | bytes) -> str:
    """Return a CLIXML document as one element without indentation; several elements, or none, are
    unchanged."""
    text = document.decode("utf-8", "surrogatepass") if isinstance(document, bytes) else document
    text = re.sub(r">\r?\n *<", "><", text.strip())
    found = re.fullmatch(r"(?:<\?xml.*?\?>)?<Objs [^>]*?(?:/>|>(.*)</Objs>)", text, re.DOTALL)
    return (found[1] or "") if found else text


@dataclass
class Comparison:
    """A collector of the rows of one table that differ. `check` fails with all of them."""

    accepted: Mapping[str, str] = field(default_factory=dict)
    """Row to the reason for its difference; such a row must differ."""
    by_chance: frozenset[str] = frozenset()
    """Accepted rows that may also be equal by chance."""
    equal: int = 0
    differing: dict[str, str] = field(default_factory=dict)

    def add(self, row: str, real: Any, ours: Any) -> None:
        if real == ours:
            self.equal += 1
            return
        start = 0
        if isinstance(real, str) and isinstance(ours, str):
            start = max(0, _common(real, ours) - 200)
        self.differing[row] = (
            f"{row}\n  PowerShell: {_cut(real, start)}\n  ours:       {_cut(ours, start)}"
        )

    def check(self, rows: Iterable[str]) -> None:
        """Fail if a row differs that is not accepted, or if an accepted row does not differ."""
        rows = list(rows)
        wrong = [text for row, text in self.differing.items() if row not in self.accepted]
        settled = self.accepted.keys() - self.by_chance - self.differing.keys()
        stale = [row for row in rows if row in settled]
        summary = f"{self.equal} rows are equal, {len(wrong)} differ"
        assert not wrong, "\n".join([summary, *wrong])
        assert not stale, "\n".join(["accepted, but equal:", *stale])
        assert self.equal + len(self.differing) >= len(rows)


def _common(one: str, other: str) -> int:
    """Return the length of the common prefix."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _cut(value: Any, start: int, limit: int = 1000) -> str:
    """Return the part of a value around its first difference."""
    text = value if isinstance(value, str) else repr(value)
    before, after = "... " * (start > 0), " ..." * (len(text) > start + limit)
    return before + text[start : start + limit] + after
