"""Detection of output that was lost between two answers, by the ids of fragments.

A client cannot tell whether an answer that it did not get was lost, or never made. If it asks again
and the server does not repeat the answer, the next fragment does not follow the last one.
PowerShell numbers the messages of a process in one row, so an id that is missing in one target may
be that of another one. A server whose ids are not in a row is not judged. [MS-PSRP] 2.2.4
"""

from __future__ import annotations

from collections import OrderedDict
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FragmentOrder", "SeenIds"]

_HEADER = Struct(">QQBI")
_START, _END = 1, 2
_KEPT = 256


class SeenIds:
    """The last object ids that a shell has received, of all targets."""

    def __init__(self) -> None:
        self._ids: OrderedDict[int, None] = OrderedDict()
        self.highest = 0
        self.in_a_row = True
        """True while the first id of each target is the next one of the shell."""

    def add(self, number: int) -> None:
        self._ids[number] = None
        self.highest = max(self.highest, number)
        if len(self._ids) > _KEPT:
            self._ids.popitem(last=False)

    def has_all_between(self, last: int, number: int) -> bool:
        """Return whether every id between two ids has been received."""
        return 0 < number - last <= _KEPT and all(
            each in self._ids for each in range(last + 1, number)
        )


class FragmentOrder:
    """The last fragment of one target, and whether its ids have been in a row so far."""

    def __init__(self, seen: SeenIds) -> None:
        self._seen = seen
        self._object = 0
        self._fragment = 0
        self._whole = True
        self._regular = True
        self._rest = 0
        """Bytes of the last fragment that are still to come."""
        self._head = b""
        """The beginning of a header that was cut."""

    def take(self, pieces: Iterable[bytes], *, judge: bool) -> bool:
        """Note the data of one answer; with ``judge``, return False if something is missing before
        its first fragment."""
        judge = judge and self._regular and not (self._rest or self._head)
        for piece in pieces:
            data = self._head + piece
            self._head = b""
            at = min(self._rest, len(data))
            self._rest -= at
            while at < len(data):
                if len(data) - at < _HEADER.size:
                    self._head = data[at:]
                    break
                number, fragment, flags, size = _HEADER.unpack_from(data, at)
                if self._object:
                    follows = self._follows(number, fragment, flags)
                else:
                    follows = self._begins(number, fragment, judge=judge)
                if judge and not follows:
                    return False
                judge = False
                self._regular = self._regular and follows
                self._seen.in_a_row = self._seen.in_a_row and follows
                self._object, self._fragment = number, fragment
                self._whole = bool(flags & _END)
                self._seen.add(number)
                at += _HEADER.size + size
            self._rest += max(at - len(data), 0)
        return True

    def _begins(self, number: int, fragment: int, *, judge: bool) -> bool:
        """Return whether the first fragment of this target may be that."""
        seen = self._seen
        next_one = not seen.highest or (number == seen.highest + 1 and not fragment)
        if judge:
            return next_one or not seen.in_a_row
        seen.in_a_row = seen.in_a_row and next_one
        return True

    def _follows(self, number: int, fragment: int, flags: int) -> bool:
        if self._whole:
            started = bool(flags & _START) and not fragment
            return started and self._seen.has_all_between(self._object, number)
        return (number, fragment) == (self._object, self._fragment + 1)
