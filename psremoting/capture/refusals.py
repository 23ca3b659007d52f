"""Marking of recorded requests that the server refused.

The payload of a refused request never reached a session: a client may send it again, and
its errors are not errors of the recording. A request with a payload is therefore held until its
response has been read; the wait is bounded.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psremoting.capture.http_message import HttpMessage
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psremoting.capture.http_text import OtherText
    from psremoting.capture.notices import Notice
    from psremoting.capture.source import Damage

__all__ = ["MAX_HELD", "MAX_HELD_CHARACTERS", "mark_refused"]

MAX_HELD = 1000
"""Maximum number of messages that wait for the response to an earlier request."""
MAX_HELD_CHARACTERS = 16 << 20
_PAYLOAD = re.compile(r"<(?:[\w.-]+:)?(?:Stream|Arguments|creationXml|connectXml)[\s>]")


@dataclass(slots=True)
class _Held:
    message: HttpMessage | OtherText | Damage | Notice
    waits: bool
    size: int


def mark_refused(
    messages: Iterable[HttpMessage | OtherText | Damage | Notice],
) -> Iterator[HttpMessage | OtherText | Damage | Notice]:
    """Yield the messages in their order, requests that were answered with 400 or more marked."""
    queue: deque[_Held] = deque()
    asked: dict[int, _Held] = {}
    size = 0
    for message in messages:
        held = _Held(message, False, 0)
        if isinstance(message, HttpMessage):
            held.size = len(message.soap or "") + len(message.body or b"")
            if message.side is Side.CLIENT:
                held.waits = message.soap is not None and bool(_PAYLOAD.search(message.soap))
                asked[message.connection] = held
            elif (request := asked.pop(message.connection, None)) is not None:
                _answer(request, message.status)
        queue.append(held)
        size += held.size
        while queue and (not queue[0].waits or len(queue) > MAX_HELD or size > MAX_HELD_CHARACTERS):
            first = queue.popleft()
            size -= first.size
            message = first.message
            if isinstance(message, HttpMessage) and asked.get(message.connection) is first:
                # Its answer comes too late, or does not matter.
                del asked[message.connection]
            yield message
    for held in queue:
        yield held.message


def _answer(request: _Held, status: int | None) -> None:
    if request.waits and status is not None and status >= 400:
        assert isinstance(request.message, HttpMessage)
        request.message = replace(request.message, refused=True)
    request.waits = False
