"""A session whose commands are written to the audit trail before they run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from psremoting.endpoint.received_sizes import ReceivedSizes
from psrp.channels import ANY_TARGET, AnyTarget
from psrp.events import CreatePipeline
from psrp.fragments import Defragmenter
from psrp.messages import decode
from psrp.sansio import Outgoing, ProtocolError, Side, Stream, TransportAct

if TYPE_CHECKING:
    import trio

    from psremoting.endpoint.engine import Session

__all__ = ["ObservedSession"]

_MOST_TEXT = 500
_MOST_BEGUN = 256
"""Commands whose first message is not complete yet; a client with more is not read further."""
_MOST_MESSAGE = 1 << 20


class ObservedSession:
    """Passes everything on to ``session``. ``on_command`` gets the text of each new command,
    without the values of its parameters; ``on_end`` is called when the session is over. A client
    that exceeds ``sizes`` ends the session: ``on_excess`` gets the reason."""

    def __init__(
        self,
        session: Session,
        *,
        on_command: Callable[[str], None],
        on_end: Callable[[], None] = lambda: None,
        sizes: ReceivedSizes | None = None,
        on_excess: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._sizes = sizes
        self._on_excess = on_excess
        self._exceeded = False
        self._session = session
        self._on_command = on_command
        self._on_end = on_end
        self._begun: dict[UUID, Defragmenter] = {}
        self._known: set[UUID] = set()
        self.takes_more = session.takes_more
        self.pending = session.pending

    def data_to_send(
        self, room: int, target: UUID | AnyTarget | None = ANY_TARGET
    ) -> Outgoing | None:
        out = self._session.data_to_send(room, target)
        if out is not None and out.act is TransportAct.CLOSE_PIPELINE and out.target is not None:
            self._known.discard(out.target)
            self._begun.pop(out.target, None)
            if self._sizes is not None:
                self._sizes.forget(out.target)
        return out

    def receive(self, item: Outgoing) -> None:
        if self._exceeded:
            return
        if self._sizes is not None and (text := self._sizes.take(item.target, item.data)):
            self._exceeded = True
            self._on_excess(text)
            self._session.client_gone()
            return
        if item.target is not None and item.data and item.stream is Stream.DEFAULT:
            self._look(item.target, item.data)
        self._session.receive(item)

    def _look(self, target: UUID, data: bytes) -> None:
        if target in self._known:
            return
        machine = self._begun.get(target)
        if machine is None:
            if len(self._begun) >= _MOST_BEGUN:
                return
            machine = self._begun[target] = Defragmenter(max_message=_MOST_MESSAGE)
        try:
            machine.receive_data(data)
            message = machine.next_message()
        except ProtocolError:
            # The session itself answers what cannot be read.
            self._on_command("(a command that cannot be read)")
            message = b""
        if message is None:
            return
        del self._begun[target]
        self._known.add(target)
        if len(self._known) > 4 * _MOST_BEGUN:
            self._known.pop()
        if message:
            self._on_command(_text(message))

    def client_gone(self) -> None:
        self._session.client_gone()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await self._session.run(task_status=task_status)
        finally:
            self._on_end()


def _text(message: bytes) -> str:
    """Return the commands or the script of a CREATE_PIPELINE; the kind of another message."""
    with suppress(ProtocolError):
        _, event = decode(message, side=Side.SERVER)
        if not isinstance(event, CreatePipeline):
            return type(event).__name__
        statements = event.powershell.statements
        return "; ".join(" | ".join(each.text for each in one) for one in statements)[:_MOST_TEXT]
    return "(a command that cannot be read)"
