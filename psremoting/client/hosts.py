"""Hosts, which answer a server's calls to read input, ask questions and write to the screen.

A host has a description and a coroutine. `TableHost` looks methods up in a table; the others are
answered as not implemented. Calls of one pipeline are answered one after the other, those of
several pipelines concurrently.

Every call is first made safe (`psrp.host.secure_request`): requests for credentials name the
computer that asks, and reading the screen is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from psremoting.errors import PipelineStopped
from psrp.host import HostInfo, HostMethodId, secure_request
from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["NULL_HOST", "Answer", "Host", "HostRefusal", "TableHost", "answer_call"]

Answer = Callable[..., Awaitable[Any]]
"""Function of the arguments of a call that returns its result (None if it has none)."""

_EXECUTION = "RemoteHostExecutionException"
_METHOD_CALL = "System.Management.Automation.Remoting.PSRemotingDataStructureException"


class Host(Protocol):
    """The interface of a host for remote commands."""

    @property
    def info(self) -> HostInfo:
        """The description that is sent with the opening, or with a pipeline of its own host."""

    async def call(self, method: int, arguments: tuple[Any, ...]) -> Any:
        """Carry out a call. Any Exception becomes an error of the remote command."""


class HostRefusal(Exception):
    """Refusal of a call by the host; the remote script gets the text as its error."""


class TableHost:
    """A host with a table of method ids and coroutine functions.

    TableHost({HostMethodId.ReadLine: ask}, info=HostInfo.full())
    """

    def __init__(
        self, table: Mapping[int, Answer] | None = None, *, info: HostInfo | None = None
    ) -> None:
        self._table = dict(table or {})
        self._info = info or HostInfo.null(use_runspace_host=False)

    @property
    def info(self) -> HostInfo:
        return self._info

    def ignore(self, methods: Iterable[int]) -> None:
        """Answer ``methods`` without doing anything."""
        self._table |= dict.fromkeys(methods, _nothing)

    async def call(self, method: int, arguments: tuple[Any, ...]) -> Any:
        answer = self._table.get(method)
        if answer is None:
            name = HostMethodId.text(method)
            raise HostRefusal(f"Remote host method {name} is not implemented.")
        return await answer(*arguments)


async def _nothing(*_: Any) -> None:
    """Answer a call that has no effect here."""


NULL_HOST = TableHost()
"""The host of a session without one: the server sends no calls, and its prompts fail."""


async def answer_call(
    host: Host, method: int, arguments: tuple[Any, ...], computer: str
) -> tuple[Any, ErrorRecord | None]:
    """Return result and error of one call. Exceptions of the host become the error."""
    secured = secure_request(method, arguments, computer)
    for warning in secured.warnings:
        await _carry_out(host, HostMethodId.WriteWarningLine, (warning,))
    if secured.refused is not None:
        return None, _error(method, secured.refused)
    return await _carry_out(host, method, secured.arguments)


async def _carry_out(
    host: Host, method: int, arguments: tuple[Any, ...]
) -> tuple[Any, ErrorRecord | None]:
    try:
        return await host.call(method, arguments), None
    except PipelineStopped as error:
        return None, error.record
    except Exception as error:
        return None, _error(method, str(error) or type(error).__name__)


def _error(method: int, text: str) -> ErrorRecord:
    return ErrorRecord.create(
        text,
        error_id=_EXECUTION,
        category=ErrorCategory.NotSpecified,
        exception_type=_METHOD_CALL,
        activity=HostMethodId.text(method),
    )
