"""Plain Python values as JSON for people: no types, no references."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psrp.clixml import TimeSpan
from psrp.clixml.plain import to_plain
from psrp.sansio import LocalProtocolError

__all__ = ["MOST", "plain_json"]

MOST = 5_000_000
"""How many values are printed: objects that share parts may unfold without end."""

CYCLE = "(contains itself)"


def plain_json(value: Any) -> Any:
    """`to_plain` in the types of JSON: bytes as base64, dates and spans as ISO 8601 text.

    A part that stands in several places is printed in each. Raises LocalProtocolError, also for
    more than `MOST` values.
    """
    return _Unfolding().make(to_plain(value, cycle=CYCLE))


class _Unfolding:
    def __init__(self) -> None:
        self.count = 0

    def make(self, value: Any) -> Any:
        self.count += 1
        if self.count > MOST:
            raise LocalProtocolError(f"more than {MOST} values when shared parts are unfolded")
        if isinstance(value, list):
            return [self.make(item) for item in value]
        if isinstance(value, dict):
            names = {_name(key): self.make(item) for key, item in value.items()}
            if len(names) == len(value):
                return names
            return [[_leaf(key), self.make(item)] for key, item in value.items()]
        return _leaf(value)


def _name(key: Any) -> str:
    """JSON has only text as a name."""
    leaf = _leaf(key)
    return leaf if isinstance(leaf, str) else json.dumps(leaf)


def _leaf(value: Any) -> Any:
    convert = _LEAVES.get(type(value))
    return value if convert is None else convert(value)


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"


_LEAVES: dict[type, Callable[[Any], Any]] = {
    float: _float,
    bytes: lambda value: base64.b64encode(value).decode("ascii"),
    datetime: datetime.isoformat,
    timedelta: lambda value: str(TimeSpan.from_timedelta(value)),
    Decimal: str,
    UUID: str,
}
