"""Interfaces of the session, the pipeline and the command for the modules that they use.

A command's streams, its context and its thread need a few things of the pipeline that runs it, and
the pipeline of its session. These interfaces keep the imports in one direction: functions,
pipeline, stages, streams and context import this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    import trio

    from psremoting.endpoint.binding import Bound
    from psremoting.endpoint.catalog import Catalog, EndpointCommand
    from psremoting.endpoint.runspaces import Runspaces
    from psremoting.endpoint.sender import Sender
    from psremoting.endpoint.transcripts import Transcript
    from psremoting.powershell.syntax import Place
    from psrp import events as e
    from psrp.commands import Command
    from psrp.host import ConsoleColor, HostInfo, HostMethodId
    from psrp.pool import Pool
    from psrp.records import ErrorRecord, ProgressRecord

__all__ = ["OpenSession", "PlacedCommand", "RunningCommand", "RunningEngine", "RunningPipeline"]


class RunningEngine(Protocol):
    """An engine with commands."""

    @property
    def catalog(self) -> Catalog: ...

    @property
    def threads(self) -> trio.CapacityLimiter: ...


class OpenSession(Protocol):
    """The session that a pipeline belongs to."""

    @property
    def engine(self) -> RunningEngine: ...

    @property
    def pool(self) -> Pool: ...

    @property
    def host(self) -> HostInfo: ...

    @property
    def runspaces(self) -> Runspaces: ...

    @property
    def transcript(self) -> Transcript | None: ...

    @property
    def sender(self) -> Sender: ...

    def say(self, event: e.Event) -> None:
        """Send a message. Raises LocalProtocolError."""

    def wake(self) -> None:
        """Tell the carrier that there is room for more input."""

    def history_id(self, *, counts: bool) -> int:
        """Return the number of a line that runs now."""

    def pipeline_ended(self, pipeline: RunningPipeline) -> None:
        """Acknowledge the requests that waited for the end of the pipeline."""


class RunningPipeline(Protocol):
    """The pipeline that a command belongs to."""

    id: UUID
    ended: bool
    history_id: int
    has_input: bool
    host: HostInfo

    @property
    def session(self) -> OpenSession: ...

    @property
    def has_host(self) -> bool: ...

    def adds_invocation(self, option: int) -> bool:
        """Return True if records carry their InvocationInfo."""

    def find(self, name: str) -> EndpointCommand:
        """Return a command. Raises CommandError."""

    async def output(self, value: Any) -> None:
        """Send one object. Raises LocalProtocolError."""

    async def say(self, event: e.Event) -> None:
        """Send one message, and wait while the client is behind."""

    async def tell_host(self, method: HostMethodId, arguments: tuple[Any, ...]) -> None:
        """Call a method of the host that has no result."""

    async def call_host(self, method: HostMethodId, arguments: tuple[Any, ...]) -> Any:
        """Call a method of the host. Raises CommandError."""

    async def next_input(self) -> list[Any]:
        """Return input of the client, at least one object; empty at the end."""


class _Preferences(Protocol):
    @property
    def verbose(self) -> bool: ...


class PlacedCommand(Protocol):
    """A command with its place in its statement and its script."""

    name: str
    at: int
    length: int
    objects: int
    found: EndpointCommand | None
    command: Command | None
    place: Place | None

    @property
    def pipeline(self) -> RunningPipeline: ...


class RunningCommand(PlacedCommand, Protocol):
    """A command of a pipeline."""

    over: bool
    bound: Bound

    @property
    def actions(self) -> _Preferences: ...

    async def settled(self) -> None:
        """Wait until the following commands have processed all output so far."""

    async def put(self, value: Any) -> None:
        """Give one object to the next command."""

    async def put_all(self, values: list[Any]) -> None:
        """Give objects to the next command."""

    async def next_batch(self, *, plain: bool = True) -> list[Any]:
        """Return input, at least one object; empty at the end."""

    async def error(self, record: ErrorRecord) -> None: ...

    async def warning(self, text: str) -> None: ...

    async def verbose(self, text: str) -> None: ...

    async def debug(self, text: str) -> None: ...

    async def information(self, data: Any, tags: tuple[str, ...], source: str) -> None: ...

    async def write_host(
        self,
        text: str,
        foreground: ConsoleColor | None,
        background: ConsoleColor | None,
        no_newline: bool,
    ) -> None: ...

    async def progress(self, record: ProgressRecord) -> None: ...
