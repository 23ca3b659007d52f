"""Enumerations that a client pulls in pieces. [MS-WSMAN] 3.1.4.3, WS-Enumeration 3"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psrp.frozen import dataclass
from wsman import queries
from wsman.faults import make_fault
from wsman.hosting import Refusal
from wsman.shell_values import ShellInfo

if TYPE_CHECKING:
    from wsman.service_checks import ServiceLimits

__all__ = ["Enumerations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    user: str
    items: tuple[Any, ...]
    until: float


class Enumerations:
    """The remaining items of enumerations by context, limited in time and number."""

    def __init__(self, limits: ServiceLimits) -> None:
        self._limits = limits
        self._open: dict[str, _Open] = {}

    def begin(
        self,
        user: str,
        context: str,
        items: Sequence[Any],
        value: queries.Enumerate,
        now: float,
    ) -> queries.EnumerateResponse:
        """Return the first answer, with items if the client asked for them. Raises Refusal."""
        self._expire(now)
        first = self._count(value.max_elements) if value.optimized else 0
        given, rest = items[:first], items[first:]
        if value.optimized and not rest:
            return queries.EnumerateResponse(end=True, **_sorted(given))
        self._keep(user, context, rest, now)
        return queries.EnumerateResponse(context=context, **_sorted(given))

    def pull(self, user: str, value: queries.Pull, now: float) -> queries.PullResponse:
        """Return the next items. Raises Refusal."""
        left = self._take(user, value.context, now).items
        count = self._count(value.max_elements)
        given, rest = left[:count], left[count:]
        if not rest:
            return queries.PullResponse(end=True, **_sorted(given))
        self._keep(user, value.context, rest, now)
        return queries.PullResponse(context=value.context, **_sorted(given))

    def release(self, user: str, value: queries.Release, now: float) -> None:
        """Discard an enumeration. Raises Refusal."""
        self._take(user, value.context, now)

    def _count(self, asked: int | None) -> int:
        return max(1, min(asked if asked is not None else 1, self._limits.max_batch_items))

    def _keep(self, user: str, context: str, items: Sequence[Any], now: float) -> None:
        if len(self._open) >= self._limits.max_enumerations:
            raise Refusal(make_fault("QuotaLimit", "Too many enumerations are open."))
        until = now + self._limits.enumeration_timeout
        self._open[context] = _Open(user=user, items=tuple(items), until=until)

    def _take(self, user: str, context: str, now: float) -> _Open:
        self._expire(now)
        found = self._open.get(context)
        if found is None or found.user != user:
            raise Refusal(make_fault("InvalidEnumerationContext"))
        return self._open.pop(context)

    def _expire(self, now: float) -> None:
        for context, each in list(self._open.items()):
            if now >= each.until:
                del self._open[context]


def _sorted(items: Sequence[Any]) -> dict[str, Any]:
    shells = tuple(each for each in items if isinstance(each, ShellInfo))
    return {
        "shells": shells,
        "commands": tuple(each for each in items if not isinstance(each, ShellInfo)),
    }
