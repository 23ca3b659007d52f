"""Whole legal conversations of a pool and its pipelines, as steps that one side takes after
the other, drawn along the tables of `psrp.states`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from psrp import events as e
from psrp.clixml.strategies import values
from psrp.host import VOID_CALL_ID
from psrp.sansio import Side
from psrp.states import PIPELINE, POOL, PipelinePhase, PoolState, next_state, trigger_kind
from psrp.strategies import parts
from psrp.strategies.messages import host_calls, host_responses, messages_of
from psrp.versions import CONNECT_SINCE, OLDEST, RESET_SINCE, number

__all__ = ["Step", "conversations"]

C, S = Side.CLIENT, Side.SERVER
_RUNS = (PipelinePhase.READING, PipelinePhase.RUNNING)
_ENDS = (e.InvocationState.COMPLETED, e.InvocationState.STOPPED, e.InvocationState.FAILED)
_ANSWERED = (e.SetMinRunspaces, e.SetMaxRunspaces, e.GetAvailableRunspaces)


class Step(NamedTuple):
    """A sender and its event. All data in transit is delivered before the next step."""

    side: Side
    event: e.Event


class _Talk:
    """A conversation under construction: states by the tables, and open calls."""

    def __init__(self, draw: DrawFn, version: str) -> None:
        self.draw = draw
        self.version = number(version)
        self.pool = PoolState.BEFORE_OPEN
        self.pipelines: dict[UUID, PipelinePhase] = {}
        self.calls: dict[tuple[UUID | None, int], int] = {}
        self.most = 1
        self.asked = 0
        self.steps: list[Step] = []

    def say(self, side: Side, event: e.Event) -> None:
        """Add a step, which the tables must allow."""
        target = getattr(event, "pipeline_id", None)
        if target is None:
            state = next_state(POOL, self.pool, (side, trigger_kind(event, POOL)))
            assert state is not None, (side, event, self.pool)
            self.pool = state
        else:
            before = self.pipelines.get(target, PipelinePhase.NOT_STARTED)
            after = next_state(PIPELINE, before, (side, trigger_kind(event, PIPELINE)))
            assert after is not None, (side, event, before)
            self.pipelines[target] = after
            if after not in _RUNS and after is not PipelinePhase.STOPPING:
                self.calls = {key: kind for key, kind in self.calls.items() if key[0] != target}
        self.steps.append(Step(side, event))

    def begin(self, version: str) -> None:
        draw = self.draw
        self.say(C, e.SessionCapability(protocol_version=version))
        # The server's machine answers the capability on its own.
        self.pool = next_state(POOL, self.pool, (S, e.SessionCapability)) or self.pool
        low, self.most = sorted(draw(st.tuples(*[st.integers(1, 3)] * 2)))
        init = e.InitRunspacePool(
            min_runspaces=low, max_runspaces=self.most, host_info=draw(parts.host_infos())
        )
        self.low = low
        self.say(C, init)
        if draw(st.booleans()):
            data = draw(parts.primitive_dictionaries())
            self.say(S, e.ApplicationPrivateData(data=data))
        self.say(S, e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED))

    def finish(self) -> None:
        self.say(C, e.ClosePool())
        for state in (e.RunspaceState.CLOSING, e.RunspaceState.CLOSED):
            self.say(S, e.RunspacePoolStateMessage(state=state))
        self.say(S, e.ClosePool())

    def ids_in(self, *states: PipelinePhase) -> SearchStrategy[UUID]:
        return st.sampled_from([id for id, state in self.pipelines.items() if state in states])

    def fresh(self) -> UUID:
        return self.draw(_ID.filter(lambda id: id not in self.pipelines))

    def next_question(self) -> int:
        self.asked += 1
        return self.asked

    # -- steps on an open pool; `moves` lists those that are possible

    def create(self) -> None:
        draw = self.draw
        event = e.CreatePipeline(
            pipeline_id=self.fresh(),
            powershell=draw(parts.power_shells(self.version)),
            no_input=draw(st.booleans()),
            host_info=draw(parts.host_infos()),
        )
        self.say(C, event)

    def metadata(self) -> None:
        self.say(C, e.GetCommandMetadata(pipeline_id=self.fresh(), names=("*",)))

    def bring(self) -> None:
        target, data = self.draw(self.ids_in(PipelinePhase.READING)), self.draw(_DATA)
        self.say(C, e.PipelineInput(pipeline_id=target, data=data))

    def bring_no_more(self) -> None:
        target = self.draw(self.ids_in(PipelinePhase.READING))
        self.say(C, e.EndOfPipelineInput(pipeline_id=target))

    def output(self) -> None:
        target, data = self.draw(self.ids_in(*_RUNS)), self.draw(_DATA)
        self.say(S, e.PipelineOutput(pipeline_id=target, data=data))

    def record(self) -> None:
        kind, drawn = self.draw(st.sampled_from(_RECORDS))
        target = self.draw(st.none() | self.ids_in(*_RUNS) if self.runs() else st.none())
        self.say(S, kind(pipeline_id=target, record=self.draw(drawn)))

    def call(self) -> None:
        targets = st.none() | self.ids_in(*_RUNS) if self.runs() else st.none()
        target = self.draw(targets)
        ids = st.integers(1, 99).filter(lambda id: (target, id) not in self.calls)
        if target is None:
            event = self.draw(host_calls(e.RunspacePoolHostCall, call_id=ids))
        else:
            event = self.draw(
                host_calls(e.PipelineHostCall, call_id=ids, pipeline_id=st.just(target))
            )
        self.say(S, event)
        if event.call_id != VOID_CALL_ID:
            self.calls[target, event.call_id] = event.method

    def answer(self) -> None:
        (target, call_id), method = self.draw(st.sampled_from(list(self.calls.items())))
        fields: dict[str, Any] = {"call_id": st.just(call_id), "method": st.just(method)}
        if target is None:
            event = self.draw(host_responses(e.RunspacePoolHostResponse, **fields))
        else:
            fields["pipeline_id"] = st.just(target)
            event = self.draw(host_responses(e.PipelineHostResponse, **fields))
        self.calls.pop((target, call_id))
        self.say(C, event)

    def ask(self) -> None:
        """Add a query that the server's machine answers on its own."""
        kind = self.draw(st.sampled_from(_ANSWERED))
        if kind is e.GetAvailableRunspaces:
            self.say(C, kind(call_id=self.next_question()))
            return
        low, most = self.low, self.most
        count = self.draw(st.integers(0, 4))
        low, most = (count, most) if kind is e.SetMinRunspaces else (low, count)
        if 1 <= low <= most:
            self.low, self.most = low, most
            self.say(C, kind(count=count, call_id=self.next_question()))

    def reset(self) -> None:
        question = self.next_question()
        self.say(C, e.ResetRunspaceState(call_id=question))
        done = self.draw(st.booleans())
        self.say(S, e.RunspaceAvailability(call_id=question, answer=done))

    def user_event(self) -> None:
        self.say(S, self.draw(messages_of(e.UserEvent)))

    def leave(self) -> None:
        for side, kind in (
            (C, e.Disconnect),
            (S, e.Disconnect),
            (C, e.Reconnect),
            (S, e.Reconnect),
        ):
            self.say(side, kind())

    def stop(self) -> None:
        target = self.draw(self.ids_in(*_RUNS))
        self.say(C, e.StopPipeline(pipeline_id=target))
        if self.draw(st.booleans()):
            stopped = e.InvocationState.STOPPED
            self.say(S, e.PipelineStateMessage(pipeline_id=target, state=stopped))
        self.say(S, e.StopPipeline(pipeline_id=target))

    def end(self) -> None:
        target, state = self.draw(self.ids_in(*_RUNS)), self.draw(st.sampled_from(_ENDS))
        error = None
        if state is e.InvocationState.FAILED:
            error = self.draw(parts.error_records())
        self.say(S, e.PipelineStateMessage(pipeline_id=target, state=state, error=error))

    def close_pipeline(self) -> None:
        target = self.draw(self.ids_in(*_RUNS, PipelinePhase.ENDED))
        self.say(C, e.ClosePipeline(pipeline_id=target))
        if self.pipelines[target] is PipelinePhase.ABANDONED:
            stopped = e.InvocationState.STOPPED
            self.say(S, e.PipelineStateMessage(pipeline_id=target, state=stopped))
        self.say(S, e.ClosePipeline(pipeline_id=target))

    def runs(self) -> bool:
        return any(state in _RUNS for state in self.pipelines.values())

    def reads(self) -> bool:
        return PipelinePhase.READING in self.pipelines.values()

    def moves(self) -> list[Callable[[], None]]:
        """Return the possible next steps, the simplest first."""
        found = [self.create, self.metadata, self.ask, self.record, self.call, self.user_event]
        if self.runs():
            found += [self.output, self.end, self.stop]
        if self.reads():
            found += [self.bring, self.bring_no_more]
        if self.runs() or PipelinePhase.ENDED in self.pipelines.values():
            found.append(self.close_pipeline)
        if self.calls:
            found.append(self.answer)
        if self.version >= CONNECT_SINCE:
            found.append(self.leave)
        if self.version >= RESET_SINCE and self.most == 1:
            found.append(self.reset)
        return found


_ID = st.uuids(version=4)
_DATA = values(max_leaves=4)
_NOTE = parts.informational_records()
_RECORDS: list[tuple[Any, SearchStrategy[Any]]] = [
    (e.WarningRecordMessage, _NOTE),
    (e.VerboseRecordMessage, _NOTE),
    (e.DebugRecordMessage, _NOTE),
    (e.ErrorRecordMessage, parts.error_records()),
    (e.ProgressRecordMessage, parts.progress_records()),
    (e.InformationRecordMessage, parts.information_records()),
]


@st.composite
def _conversations(draw: DrawFn, versions: tuple[str, ...], max_moves: int) -> list[Step]:
    version = draw(st.sampled_from(versions))
    talk = _Talk(draw, version)
    talk.begin(version)
    for _ in range(draw(st.integers(0, max_moves))):
        draw(st.sampled_from(talk.moves()))()
    talk.finish()
    return talk.steps


def conversations(
    *, versions: tuple[str, ...] = ("2.3", "2.2", "2.1", "2.0", "2.4"), max_moves: int = 12
) -> SearchStrategy[list[Step]]:
    """Generate whole conversations of a client and a server.

    The result is a list of steps (sender and event); each is taken after the previous one was
    delivered. A conversation opens a pool of a protocol version out of ``versions``, makes up to
    ``max_moves`` moves of one or a few steps each (pipelines with input, output, records, host
    calls and their answers, an end, a stop or a close; queries about runspaces; reset; disconnect
    and reconnect), and closes the pool. The steps are those of the callers; messages that the
    machines send on their own (the server's SESSION_CAPABILITY, most RUNSPACE_AVAILABILITY) are not
    included. There are no SecureStrings, so no keys, and no second client. Shrinks to a pool of 2.3
    that is opened and closed.
    """
    if not versions or any(number(version) < OLDEST for version in versions):
        raise ValueError(f"versions is {versions!r}; at least one, of 2.0 or later, is needed")
    if max_moves < 0:
        raise ValueError(f"max_moves is {max_moves}")
    return _conversations(tuple(versions), max_moves)
