"""The limits on what a client sends: the data of one command, and one object.

The server of PowerShell counts the fragments as they arrive, and ends the session with these texts.
facts.md 1.5
"""

from __future__ import annotations

from struct import Struct
from uuid import UUID

__all__ = ["ReceivedSizes"]

_HEADER = Struct(">QQBI")
_START = 1


class _Count:
    """The bytes of one target."""

    __slots__ = ("head", "left", "object", "total")

    def __init__(self) -> None:
        self.head = b""
        self.left = 0
        """Bytes of the current fragment's blob that are to come."""
        self.object = 0
        self.total = 0


class ReceivedSizes:
    """Counts what arrives for each target. Limits are bytes, None for none."""

    def __init__(self, *, per_command: int | None, per_object: int | None) -> None:
        self._per_command = per_command
        self._per_object = per_object
        self._counts: dict[UUID | None, _Count] = {}

    def take(self, target: UUID | None, data: bytes) -> str:
        """Count data for a target; return PowerShell's text once a limit is exceeded, else ""."""
        count = self._counts.setdefault(target, _Count())
        count.total += len(data)
        most = self._per_command
        if target is not None and most is not None and count.total > most:
            return (
                "The total data received from the remote client exceeded the allowed maximum. The "
                f"allowed maximum is {most}."
            )
        at = 0
        while at < len(data):
            if count.left:
                taken = min(count.left, len(data) - at)
                count.left -= taken
                at += taken
                continue
            taken = min(_HEADER.size - len(count.head), len(data) - at)
            count.head += data[at : at + taken]
            at += taken
            if len(count.head) == _HEADER.size and (text := self._begin(count)):
                return text
        return ""

    def _begin(self, count: _Count) -> str:
        _, _, flags, size = _HEADER.unpack(count.head)
        count.head = b""
        count.object = size if flags & _START else count.object + size
        count.left = size
        most = self._per_object
        if most is None or count.object <= most:
            return ""
        return (
            "The current deserialized object size of the data received from the remote client "
            "computer exceeded the allowed maximum object size. The current deserialized object "
            f"size is {count.object}. The allowed maximum object size is {most}."
        )

    def forget(self, target: UUID) -> None:
        """Forget a command that has ended."""
        self._counts.pop(target, None)
