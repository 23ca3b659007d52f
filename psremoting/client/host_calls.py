"""Host calls of one session: in order within a pipeline, each answered once.

A call may wait for the user. If its pipeline ends meanwhile, the question is cancelled, but text
that the pipeline wrote before is still shown before the invocation ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import trio

from psremoting.client.hosts import Host, answer_call
from psrp import events as e
from psrp.host import VOID_CALL_ID
from psrp.records import ErrorRecord
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from psrp.pool import Pool

__all__ = ["HostCall", "HostCalls"]

HostCall = e.PipelineHostCall | e.RunspacePoolHostCall


class _CallQueue:
    """The unanswered calls of one pipeline, or of the pool."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.calls: deque[HostCall | Callable[[], None]] = deque()
        self.question: trio.CancelScope | None = None
        """The cancel scope of the call in progress; None if there is none."""
        self.on_end: Callable[[], None] | None = None
        """Function to call after the last call; set when the pipeline has ended."""


class HostCalls:
    """Handler of host calls, with one task for each pipeline that has calls."""

    def __init__(self, pool: Pool, computer: str, flush: Callable[[], None]) -> None:
        self._pool = pool
        self._computer = computer
        self._flush = flush
        self._queues: dict[UUID | None, _CallQueue] = {}
        self._emptied = trio.Event()

    def waiting(self, key: UUID | None) -> int:
        """Return the number of calls of a pipeline that are not carried out yet."""
        queue = self._queues.get(key)
        return len(queue.calls) if queue is not None else 0

    async def all_done(self) -> None:
        """Wait until no call is left."""
        while self._queues:
            self._emptied = trio.Event()
            await self._emptied.wait()

    def run_in_order(self, key: UUID | None, action: Callable[[], None]) -> None:
        """Call ``action``, after the calls of the pipeline that arrived before."""
        queue = self._queues.get(key)
        if queue is None:
            action()
        else:
            queue.calls.append(action)

    def add(self, call: HostCall, host: Host, nursery: trio.Nursery) -> None:
        key = getattr(call, "pipeline_id", None)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _CallQueue(host)
            queue.calls.append(call)
            nursery.start_soon(self._answer_all, key, queue)
        else:
            queue.calls.append(call)

    def end(self, key: UUID | None, then: Callable[[], None]) -> None:
        """Call ``then`` once the calls of a pipeline that has ended are carried out."""
        queue = self._queues.get(key)
        if queue is None:
            then()
            return
        queue.on_end = then
        if queue.question is not None:
            queue.question.cancel()

    def withdraw(self, key: UUID | None) -> None:
        """Cancel the question of a pipeline that is being stopped."""
        queue = self._queues.get(key)
        if queue is not None and queue.question is not None:
            queue.question.cancel()

    async def _answer_all(self, key: UUID | None, queue: _CallQueue) -> None:
        try:
            while queue.calls:
                call = queue.calls.popleft()
                if callable(call):
                    call()
                else:
                    await self._answer(key, queue, call)
        finally:
            # Also when the session is cancelled: a caller may wait for the end of the pipeline.
            del self._queues[key]
            self._emptied.set()
            if queue.on_end is not None:
                queue.on_end()

    async def _answer(self, key: UUID | None, queue: _CallQueue, call: HostCall) -> None:
        if call.call_id == VOID_CALL_ID:
            await answer_call(queue.host, call.method, call.arguments, self._computer)
            return
        with trio.CancelScope() as queue.question:
            if queue.on_end is not None:
                queue.question.cancel()
            result, error = await answer_call(
                queue.host, call.method, call.arguments, self._computer
            )
            self._respond(key, call, result, error)
        queue.question = None

    def _respond(
        self, key: UUID | None, call: HostCall, result: Any, error: ErrorRecord | None
    ) -> None:
        try:
            self._pool.send(_response(key, call, result, error))
        except LocalProtocolError as problem:
            record = ErrorRecord.create(str(problem), error_id="RemoteHostExecutionException")
            try:
                self._pool.send(_response(key, call, None, record))
            except LocalProtocolError:
                # The pipeline has ended and needs no response.
                return
        self._flush()


def _response(
    key: UUID | None, call: HostCall, result: Any, error: ErrorRecord | None
) -> e.PipelineHostResponse | e.RunspacePoolHostResponse:
    if key is None:
        return e.RunspacePoolHostResponse(
            call_id=call.call_id, method=call.method, result=result, error=error
        )
    return e.PipelineHostResponse(
        pipeline_id=key, call_id=call.call_id, method=call.method, result=result, error=error
    )
