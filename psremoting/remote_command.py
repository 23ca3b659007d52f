"""The core of Invoke-Command: one command for many sessions, and the results in their order.

`psrp invoke` and the local prompt show the results each in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from psremoting.client.invocation import Invocation
from psremoting.client.pipeline_input import Input, needs_parser
from psremoting.client.streams import StreamKind
from psremoting.errors import STATE_BROKEN, PSRemotingError, PSRemotingTransportError
from psremoting.session import PSSession
from psrp.commands import Command
from psrp.sansio import LocalProtocolError

__all__ = ["RemoteCommand", "Show", "StartedCommand", "invoke_error"]

Show = Callable[[StreamKind, Any], None]
"""A function that takes an output object or a record of a stream."""


@dataclass(slots=True, kw_only=True)
class RemoteCommand:
    """A command with its values; the fields are the arguments of `PSSession.invoke`."""

    what: str | Command
    arguments: Sequence[Any] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    using: Mapping[str, Any] = field(default_factory=dict)
    input: Input | None = None
    as_script: bool = False
    tag: bool = False

    async def start(self, session: PSSession, show: Show) -> StartedCommand:
        """Start the command in ``session``; ``show`` gets the results as they arrive.

        Raises PSRemotingError, with the id CannotSerialize for values that cannot be sent.
        """
        results = _Results(show)
        try:
            invocation = await session.invoke(
                self.what, tag=self.tag, show=results.take, **self._values
            )
        except LocalProtocolError as error:
            raise _cannot_send(error, session.computer) from None
        return StartedCommand(invocation, results, session.computer)

    async def start_disconnected(self, session: PSSession) -> None:
        """Start the command in ``session`` and disconnect it; the output stays at the server.

        Raises PSRemotingError, with the id CannotSerialize for values that cannot be sent.
        """
        try:
            await session.invoke_disconnected(self.what, **self._values)
        except LocalProtocolError as error:
            raise _cannot_send(error, session.computer) from None

    @property
    def needs_parser(self) -> bool:
        """True if the command is a text that has to be parsed before it is sent."""
        return needs_parser(self.what, self.arguments, self.parameters, as_script=self.as_script)

    @property
    def _values(self) -> dict[str, Any]:
        return {
            "arguments": self.arguments,
            "parameters": self.parameters,
            "using": self.using,
            "input": self.input,
            "as_script": self.as_script,
        }


class StartedCommand:
    """A command that runs in one session."""

    def __init__(self, invocation: Invocation, results: _Results, computer: str) -> None:
        self.invocation = invocation
        self._results = results
        self._computer = computer

    async def wait(self) -> None:
        """Wait for the end. Raises what the command and ``show`` raise."""
        try:
            with self._results.failing:
                async for _ in self.invocation.merged():
                    pass  # they were shown on arrival
        except LocalProtocolError as error:
            raise _cannot_send(error, self._computer) from None
        self._results.check()


class _Results:
    """The results of one command, in the order in which they and the host calls arrived.

    ``show`` is called in the session's reader, so its exception is kept for the command's task.
    """

    def __init__(self, show: Show) -> None:
        self.failing = trio.CancelScope()
        self._show = show
        self._error: Exception | None = None

    def take(self, kind: StreamKind, item: Any) -> None:
        if self._error is not None:
            return
        try:
            self._show(kind, item)
        except Exception as error:
            self._error = error
            self.failing.cancel()

    def check(self) -> None:
        if self._error is not None:
            raise self._error


def _cannot_send(error: LocalProtocolError, computer: str) -> PSRemotingError:
    return PSRemotingError(
        f"cannot send the values: {error}", error_id="CannotSerialize", computer=computer
    )


def invoke_error(error: PSRemotingError) -> PSRemotingError:
    """Return the error of a session as Invoke-Command reports it."""
    if isinstance(error, PSRemotingTransportError) and "Open" in error.error_id:
        return error.with_id(STATE_BROKEN)
    return error
