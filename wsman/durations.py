"""Durations in the form that WS-Management uses: a subset of xs:duration, in seconds here.

Windows writes ``PT60.000S`` and ``P0DT0H0M9S``, OMI ``PT1M``. A year counts as 365 days and a
month as 30, as in .NET.
"""

from __future__ import annotations

import re

__all__ = ["format_duration", "parse_duration"]

_DURATION = re.compile(
    r"(-)?P(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})D)?"
    r"(T(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{1,12}(?:\.\d{1,9})?)S)?)?",
    re.ASCII,
)
_DAY = 86400.0
_WEIGHTS = (365 * _DAY, 30 * _DAY, _DAY, 3600.0, 60.0, 1.0)


def parse_duration(text: str) -> float | None:
    """Return the seconds of an xs:duration, or None for text that is not one."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    sign, years, months, days, time, hours, minutes, seconds = found.groups()
    parts = (years, months, days, hours, minutes, seconds)
    if not any(parts) or time == "T":
        return None
    total = sum(float(part) * weight for part, weight in zip(parts, _WEIGHTS, strict=True) if part)
    return -total if sign else total


def format_duration(seconds: float) -> str:
    """Write seconds as Windows does: ``PT60.000S``."""
    return f"PT{max(seconds, 0.0):.3f}S"
