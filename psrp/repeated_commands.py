"""The last few CREATE_PIPELINE messages of a session in decoded form.

A client often runs the same command again: a prompt after each line, a monitor, a loop. Apart from
the pipeline's id, which is in the header, such messages are equal byte for byte, and reading one
takes more time than the rest of a small command.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psrp import events as e
from psrp.messages import MessageType, decode_body

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psrp.versions import ProtocolVersion

__all__ = ["RepeatedCommands"]

KEPT = 4
"""Messages that are kept for one session."""
LARGEST = 8 << 10
"""Bytes of the largest message that is kept."""
_UNCHANGEABLE = (str, int, float, bool, type(None))


class RepeatedCommands:
    """Decodes bodies as `psrp.messages.decode_body` does.

    Only messages whose arguments are strings, numbers, booleans and null are kept, because the
    events that are returned for equal messages share their values.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, e.CreatePipeline] = OrderedDict()

    def decode_body(
        self,
        message_type: int,
        pid: UUID | None,
        body: bytes,
        *,
        version: ProtocolVersion,
        unseal: Callable[[str], str] | None,
    ) -> e.Event:
        """Return the event of a body. Raises MessageError and ClixmlError."""
        if message_type != MessageType.CREATE_PIPELINE or pid is None or len(body) > LARGEST:
            return decode_body(message_type, pid, body, version=version, unseal=unseal)
        if (known := self._kept.get(body)) is not None:
            self._kept.move_to_end(body)
            return replace(known, pipeline_id=pid)
        event = decode_body(message_type, pid, body, version=version, unseal=unseal)
        if isinstance(event, e.CreatePipeline) and _is_unchangeable(event):
            self._kept[body] = event
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return event


def _is_unchangeable(event: e.CreatePipeline) -> bool:
    values: list[Any] = [
        each.value
        for statement in event.powershell.statements
        for command in statement
        for each in command.parameters
    ]
    return all(type(value) in _UNCHANGEABLE for value in values)
