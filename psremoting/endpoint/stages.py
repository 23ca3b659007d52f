"""The commands of one statement, which run concurrently as a pipeline.

Every command runs in a task of its own, with a short queue to the next, so that a fast command
waits for a slow one. When a command needs no more input (Select-Object -First), those before it
end at their next object, without an error.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections import deque
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import trio

from psremoting.endpoint.binding import Bound, bind, bind_object, givens, missing_error
from psremoting.endpoint.conduit import Conduit, NoMoreWanted
from psremoting.endpoint.context import Context
from psremoting.endpoint.error_records import (
    CommandError,
    RecordError,
    leaves_of,
    local_scope_refused,
)
from psremoting.endpoint.mandatory import ask_for
from psremoting.endpoint.outputs import as_clixml, unroll
from psremoting.endpoint.record_streams import Actions, Streams
from psremoting.endpoint.statements import INPUT, Literal
from psremoting.endpoint.sync_context import SyncContext
from psremoting.endpoint.threads import CommandStopped, ThreadSide
from psrp.commands import Command, Parameter
from psrp.records import ErrorRecord
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from psremoting.endpoint.interfaces import RunningPipeline
    from psremoting.powershell.syntax import Place

__all__ = ["Merged", "Script", "Stage", "run_statement"]


@dataclass(frozen=True, slots=True)
class Merged:
    """An error record that was merged into the output; Out-Default shows it as an error."""

    record: ErrorRecord


def _is_async(function: Any) -> bool:
    return any(
        check(each)
        for check in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
        for each in (function, type(function).__call__)
    )


_LOG = logging.getLogger("psremoting.endpoint")
_LOG.addHandler(logging.NullHandler())
_HELP = "?"


class _Enough(BaseException):
    """The next command takes no more input. A function must not catch it."""


_NOT_OURS = (trio.Cancelled, KeyboardInterrupt)
"""Exceptions that end more than one command."""


def _wraps(stage: Stage) -> bool:
    """True if the command's output are PSObjects in PowerShell; functions put out bare values."""
    found = stage.found
    return found is not None and (found.built_in or found.name.casefold() == "write-output")


async def run_statement(
    pipeline: RunningPipeline,
    parts: Sequence[Command | Literal],
    *,
    script: Script | None = None,
    places: Sequence[Place] = (),
    takes_input: bool = True,
) -> None:
    """Run the commands of a pipeline. Raises RecordError for the first that failed.

    ``script`` is the command that these stand in, at ``places``; it takes their output.
    ``takes_input`` says whether the first reads what the client, or the command before the
    script, sends.
    """
    stages = [_stage(pipeline, part, at, script, takes_input) for at, part in enumerate(parts)]
    for stage, place in zip(stages, places, strict=False):
        stage.place = place
    for stage in stages:
        stage.length = len(stages)
        await stage.prepare()
    for before, after in pairwise(stages):
        before.outbox = after.inbox = Conduit()
        after.takes_wrapped = _wraps(before)
        before.next = after
        if after.command is not None and after.command.merge_previous_results:
            for each in stages[: after.at]:
                each.errors_into = stages[after.at - 1]
    if len(stages) == 1:
        await stages[0].run()
        return
    failed: list[BaseException] = []
    async with trio.open_nursery() as nursery:
        for stage in stages:
            nursery.start_soon(_run_beside, stage, failed, nursery.cancel_scope)
    if failed:
        raise failed[0]


def _stage(
    pipeline: RunningPipeline,
    part: Command | Literal,
    at: int,
    script: Script | None,
    takes_input: bool,
) -> Stage:
    kind = Script if isinstance(part, Command) and part.is_script else Stage
    return kind(pipeline, part, at, script, takes_input)


async def _run_beside(stage: Stage, failed: list[BaseException], scope: trio.CancelScope) -> None:
    try:
        await stage.run()
    except Exception as error:
        # Earlier output is shown before the error.
        await stage.settled()
        if isinstance(error, RecordError):
            failed.append(error)
        else:
            failed.append(RecordError(stage.record_of(error)))
        scope.cancel()


class Stage(Streams):
    """One command of a statement."""

    def __init__(
        self,
        pipeline: RunningPipeline,
        part: Command | Literal,
        at: int,
        script: Script | None = None,
        takes_input: bool = True,
    ) -> None:
        self.takes_input = takes_input
        self.script = script
        command = part if isinstance(part, Command) else None
        self.literal = part if isinstance(part, Literal) else None
        self.inbox: Conduit | None = None
        self.takes_wrapped = False
        self.outbox: Conduit | None = None
        self.next: Stage | None = None
        """The command that reads the output."""
        self.bound = Bound()
        super().__init__(pipeline, "" if command is None else command.text, script)
        self.command = command
        self.at = at

    async def prepare(self) -> None:
        """Find the command and bind its arguments. Raises RecordError.

        The client is asked for mandatory parameters that have no value.
        """
        if self.command is None:
            return
        self.take_merges(self.command)
        try:
            if self.command.use_local_scope is False:
                raise local_scope_refused()
            self.found = self.pipeline.find(self.command.text)
            parameters = self._help_asked_for() or self.command.parameters
            self.name = self.found.name
            given = givens(parameters)
            self.bound = bind(self.found.table, given, has_input=self._has_input)
            if self.bound.missing:
                given += await ask_for(self, self.bound.missing)
                self.bound = bind(self.found.table, given, has_input=self._has_input)
            if self.bound.missing:
                raise missing_error(self.bound.missing)
            self.actions = Actions.of(self.bound.common)
            self._transcribe()
        except CommandError as error:
            raise RecordError(self.record_of(error)) from None

    def _transcribe(self) -> None:
        transcript, binding = self.pipeline.session.transcript, self.bound.binding
        if transcript is None or binding is None:
            return
        secret = {each.name for each in binding.table.parameters if each.secret}
        shown = {k: "***" if k in secret else v for k, v in binding.values.items()}
        transcript.command(self.pipeline.id, self.name, shown)

    def _help_asked_for(self) -> tuple[Parameter, ...]:
        """Replace the command by Get-Help if -? is among its arguments."""
        assert self.command is not None
        assert self.found is not None
        names = (each.name for each in self.command.parameters if each.name)
        if all(name.lstrip("-") != _HELP for name in names):
            return ()
        about = self.found.name
        self.found = self.pipeline.find("Get-Help")
        return (Parameter("Name", about),)

    @property
    def _has_input(self) -> bool:
        if self.at > 0:
            return True
        if not self.takes_input:
            return False
        return self.pipeline.has_input if self.script is None else self.script._has_input

    # -- running

    async def run(self) -> None:
        try:
            await self._run()
        except _NOT_OURS:
            raise
        except BaseException as error:
            if isinstance(error, BaseExceptionGroup) and (rest := error.split(_NOT_OURS)[0]):
                raise rest from None
            self._ended_by(error)
        finally:
            self.over = True
            if self.inbox is not None:
                self.inbox.close_reader()
            if self.outbox is not None:
                self.outbox.close_writer()

    def _ended_by(self, error: BaseException) -> None:
        """Raise the error that ended the function; a nursery in it wraps errors into groups."""
        leaves = list(leaves_of(error))
        for leaf in leaves:
            if isinstance(leaf, (CommandStopped, RecordError)):
                raise leaf
        if any(not isinstance(leaf, _Enough) for leaf in leaves):
            if not isinstance(error, CommandError):
                _LOG.error("%s failed", self.name, exc_info=error)
            raise RecordError(self.record_of(error)) from error

    async def _run(self) -> None:
        if self.literal is None:
            await self._run_command()
        elif self.literal.value is INPUT:
            async for item in self.items():
                await self.put(item)
        else:
            value = self.literal.value
            # $null is an object of the pipeline, unlike the None of a function.
            await self.put_all([None] if value is None else list(unroll(value)))

    async def _run_command(self) -> None:
        assert self.found is not None
        if _is_async(self.found.function):
            await self._run_async()
        else:
            await self._run_in_thread()

    async def _run_async(self) -> None:
        assert self.found is not None
        signature = self.found.signature
        context = Context(self)
        fixed = self._arguments(context)
        if signature.input is not None:
            fixed[signature.input] = self.items()
        if not self._by_object:
            await self._refuse_input()
            await self._emit(self._call(fixed))
            return
        async for item in self.items():
            arguments = await self._for_object(item)
            if arguments is not None:
                await self._emit(self._call(fixed | arguments))

    async def _emit(self, result: Any) -> None:
        if inspect.isawaitable(result):
            result = await result
        if hasattr(result, "__aiter__"):
            async with aclosing(result) if hasattr(result, "aclose") else nullcontext():
                async for item in result:
                    await self.put(as_clixml(item))
            return
        for item in unroll(result):
            await self.put(as_clixml(item))

    async def _run_in_thread(self) -> None:
        side = ThreadSide(self)
        failed: list[BaseException] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, side, failed, nursery.cancel_scope)
            try:
                await trio.to_thread.run_sync(
                    self._thread_body,
                    side,
                    abandon_on_cancel=True,
                    limiter=self.pipeline.session.engine.threads,
                )
                await side.drain()
            except CommandStopped:
                await trio.lowlevel.checkpoint_if_cancelled()
            except (RecordError, _Enough) as error:
                failed.append(error)
            finally:
                self.over = True
                side.end()
            nursery.cancel_scope.cancel()
        if failed:
            raise failed[0]

    async def _pump(
        self, side: ThreadSide, failed: list[BaseException], scope: trio.CancelScope
    ) -> None:
        try:
            await side.pump()
        except (Exception, _Enough) as error:
            self.over = True
            failed.append(error)
            scope.cancel()

    def _thread_body(self, side: ThreadSide) -> None:
        process = os.getpid()
        try:
            self._call_in_thread(side)
        except BaseException as error:
            self._ended_by(error)
        finally:
            if os.getpid() != process:
                # The function has forked; the child has no event loop.
                os._exit(0)

    def _call_in_thread(self, side: ThreadSide) -> None:
        assert self.found is not None
        signature = self.found.signature
        fixed = self._arguments(SyncContext(Context(self), side))
        if signature.input is not None:
            fixed[signature.input] = side.input()
        if not self._by_object:
            if self._has_input:
                side.ask(self._refuse_input)
            self._put_result(side, self._call(fixed))
            return
        for item in side.input():
            arguments = side.ask(self._for_object, item)
            if arguments is not None:
                self._put_result(side, self._call(fixed | arguments))

    def _put_result(self, side: ThreadSide, result: Any) -> None:
        """Write a result to the output; an awaitable result runs in the event loop."""
        if hasattr(result, "__await__") or hasattr(result, "__aiter__"):
            side.ask(self._emit, result)
        else:
            side.put_result(result)

    def _call(self, arguments: dict[str, Any]) -> Any:
        assert self.found is not None
        named = dict(arguments)
        first = [named.pop(name, value) for name, value in self.found.signature.by_position]
        return self.found.function(*first, *self.bound.rest, **named)

    def _arguments(self, context: Any) -> dict[str, Any]:
        assert self.found is not None
        arguments = dict(self.bound.values)
        if self.found.signature.context is not None:
            arguments[self.found.signature.context] = context
        return arguments

    # -- input

    @property
    def _by_object(self) -> bool:
        """True if the function is called for each object of the pipeline."""
        assert self.found is not None
        return self._has_input and self.found.takes_objects

    async def _refuse_input(self) -> None:
        """Report an error for each pipeline object that no parameter accepts."""
        assert self.found is not None
        if self._has_input and not self.found.built_in and self.found.signature.input is None:
            async for item in self.items():
                await self._for_object(item)

    async def _for_object(self, item: Any) -> dict[str, Any] | None:
        """Return the arguments that an object of the pipeline gives; None after an error."""
        assert self.found is not None
        self.objects += 1
        try:
            wrapped = self.inbox is None or self.takes_wrapped
            return bind_object(self.bound, item, wrapped=wrapped)
        except CommandError as error:
            await self.error(self.record_of(error))
            return None

    def items(self) -> AsyncIterator[Any]:
        """Return all input, object by object; merged errors come as record objects."""
        return _Items(self)

    async def next_batch(self, *, plain: bool = True) -> list[Any]:
        """Return the waiting objects, at least one; empty at the end of the input."""
        if self.inbox is None:
            if self.at or not self.takes_input:
                return []
            source = self.pipeline.next_input if self.script is None else self.script.next_batch
            return await source()
        batch = await self.inbox.take()
        if plain:
            return [each.record.to_object() if type(each) is Merged else each for each in batch]
        return batch

    # -- output

    async def put(self, value: Any) -> None:
        """Send one object to the next command, the script or the client."""
        if self.out_of_sight:
            await trio.lowlevel.checkpoint()
        elif self.outbox is None:
            if self.script is None:
                await self._send(value)
            else:
                await self.script.put(value)
        else:
            try:
                await self.outbox.put(value)
            except NoMoreWanted:
                raise _Enough from None

    async def _send(self, value: Any) -> None:
        """Send an object to the client; one that CLIXML cannot hold is an error of its own."""
        try:
            await self.pipeline.output(value)
        except LocalProtocolError as error:
            if self.pipeline.ended:
                return
            await self.error(self.record_of(error))

    async def settled(self) -> None:
        """Wait until the following commands have processed all output so far."""
        stage: Stage | None = self
        while stage is not None:
            while stage.outbox is not None and stage.next is not None:
                await stage.outbox.settled()
                stage = stage.next
            stage = stage.script

    async def put_all(self, values: list[Any]) -> None:
        for value in values:
            await self.put(value)

    async def put_merged(self, record: ErrorRecord) -> None:
        """Write an error to the output of this command."""
        if self.outbox is not None:
            await self.put(Merged(record))
        elif self.script is not None:
            await self.script.put_merged(record)
        else:
            await self.pipeline.output(record.to_object())


class _Items:
    """The input of a command. Not a generator: a command may stop reading at any point."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._batch: deque[Any] = deque()

    def __aiter__(self) -> _Items:
        return self

    async def __anext__(self) -> Any:
        if not self._batch:
            self._batch.extend(await self._stage.next_batch())
            if not self._batch:
                raise StopAsyncIteration
        return self._batch.popleft()


class Script(Stage):
    """A command that is a script: its statements run one after the other, as one command.

    A statement that fails writes its error, and the next one runs, as in PowerShell; only
    -ErrorAction Stop and a script that cannot be parsed end it.
    """

    async def prepare(self) -> None:
        from psremoting.endpoint.language import parse

        assert self.command is not None
        self.name = ""
        self.take_merges(self.command)
        try:
            self.statements = parse(self.command.text)
        except CommandError as error:
            raise RecordError(self.record_of(error)) from None

    async def _run(self) -> None:
        for at, statement in enumerate(self.statements):
            try:
                await run_statement(
                    self.pipeline,
                    statement.parts,
                    script=self,
                    places=statement.places,
                    takes_input=self.takes_input and not at,
                )
            except RecordError as error:
                if error.fatal:
                    raise
                await self.error(error.record)
