"""Who answers a server's host calls: reads, prompts, and the text that is written to a screen.

A host is one description and one coroutine. `TableHost` looks methods up in a table; what is
not in it is answered as not implemented, and a write that nobody wants is dropped. Calls of one
pipeline are answered one after the other, those of several side by side.

Before a host sees a call it has been made safe (`psrp.host.secure_request`): requests for
credentials name the computer that asks, and reading the screen is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from psrp.host import HostInfo, HostMethodId, secure_request
from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["NULL_HOST", "Answer", "Host", "HostRefusal", "TableHost", "answer_call"]

Answer = Callable[..., Awaitable[Any]]
"""Gets the arguments of the call; gives its result, None for a method without one."""

_EXECUTION = "RemoteHostExecutionException"
_METHOD_CALL = "System.Management.Automation.Remoting.PSRemotingDataStructureException"


class Host(Protocol):
    """What stands between a remote command and the people over here."""

    @property
    def info(self) -> HostInfo:
        """What the server is told when the session opens, or with a pipeline of its own host."""

    async def call(self, method: int, arguments: tuple[Any, ...]) -> Any:
        """Do what is asked. Any Exception becomes an error of the remote command."""


class HostRefusal(Exception):
    """A host will not or cannot do it; the text is what the remote script sees."""


class TableHost:
    """A host that does what its table has: method id to coroutine function.

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

    async def call(self, method: int, arguments: tuple[Any, ...]) -> Any:
        answer = self._table.get(method)
        if answer is None:
            name = HostMethodId.text(method)
            raise HostRefusal(f"Remote host method {name} is not implemented.")
        return await answer(*arguments)


NULL_HOST = TableHost()
"""No host at all: a server then sends no calls, and a prompt is an error over there."""


async def answer_call(
    host: Host, method: int, arguments: tuple[Any, ...], computer: str
) -> tuple[Any, ErrorRecord | None]:
    """Result and error of one call. Whatever a host raises but BaseException is its answer."""
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
