"""Host calls of one session on their way: one after the other within a pipeline, answered once.

A call may wait for a person. Meanwhile its pipeline may end: the question is withdrawn then,
but what the pipeline wrote to the screen before is still written, and only then has it ended
for its user.
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


class _Line:
    """The calls of one pipeline, or of the pool."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.calls: deque[HostCall] = deque()
        self.scope: trio.CancelScope | None = None
        """Around the question that is being asked; None while none is."""
        self.ended: Callable[[], None] | None = None


class HostCalls:
    """Starts a task for each pipeline that calls, in the session's own ``nursery``."""

    def __init__(self, pool: Pool, computer: str, flush: Callable[[], None]) -> None:
        self._pool = pool
        self._computer = computer
        self._flush = flush
        self._lines: dict[UUID | None, _Line] = {}

    def add(self, call: HostCall, host: Host, nursery: trio.Nursery) -> None:
        key = getattr(call, "pipeline_id", None)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(host)
            line.calls.append(call)
            nursery.start_soon(self._answer_all, key, line)
        else:
            line.calls.append(call)

    def end(self, key: UUID | None, then: Callable[[], None]) -> None:
        """The pipeline has ended: ``then`` is called once its writes are written."""
        line = self._lines.get(key)
        if line is None:
            then()
            return
        line.ended = then
        if line.scope is not None:
            line.scope.cancel()

    def withdraw(self, key: UUID | None) -> None:
        """The pipeline is being stopped: nobody waits for an answer any more."""
        line = self._lines.get(key)
        if line is not None and line.scope is not None:
            line.scope.cancel()

    async def _answer_all(self, key: UUID | None, line: _Line) -> None:
        try:
            while line.calls:
                await self._answer(key, line, line.calls.popleft())
        finally:
            # Also when the session is cancelled: somebody may wait for the pipeline's end.
            del self._lines[key]
            if line.ended is not None:
                line.ended()

    async def _answer(self, key: UUID | None, line: _Line, call: HostCall) -> None:
        if call.call_id == VOID_CALL_ID:
            await answer_call(line.host, call.method, call.arguments, self._computer)
            return
        with trio.CancelScope() as line.scope:
            if line.ended is not None:
                line.scope.cancel()
            result, error = await answer_call(
                line.host, call.method, call.arguments, self._computer
            )
            self._respond(key, call, result, error)
        line.scope = None

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
                # The pipeline is gone: nobody waits for the answer.
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
