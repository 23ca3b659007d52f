"""The engines of the WS-Man service by session configuration, and the states of its shells.

`WSManHost` opens a session of an engine for each new shell and keeps it running in one nursery,
whatever becomes of the client's connections.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import trio

from psremoting.endpoint.fragment_watch import FragmentWatch, cut_after, ends_message
from psremoting.endpoint.programs import ProgramShell
from psremoting.endpoint.sender import Sender
from psrp.sansio import Outgoing, Stream, TransportAct
from wsman import names
from wsman.faults import make_fault
from wsman.hosting import Refusal, ShellLink, ShellRequest

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Engine, Session

__all__ = ["DEFAULT_CONFIGURATION", "WSManHost", "unknown_configuration"]

DEFAULT_CONFIGURATION = "Microsoft.PowerShell"
_OUTPUT = frozenset((0x41004, 0x41005, *range(0x41007, 0x41012)))
"""PIPELINE_OUTPUT, ERROR_RECORD, and the records of the other streams."""
_WHOLE = 1 << 20
_INIT_DATA = 0x0002100B
"""RUNSPACEPOOL_INIT_DATA, the last message of a connectResponseXml."""


class WSManHost:
    """Opens the sessions of shells. It is a `wsman.hosting.Host`.

    ``configurations`` maps names, compared without case, to engines; ``programs`` allows winrs
    shells. ``report`` gets a line for what went wrong in a session.
    """

    def __init__(
        self,
        configurations: Mapping[str, Engine],
        *,
        programs: bool = False,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._engines = {name.lower(): engine for name, engine in configurations.items()}
        self._programs = programs
        self._report = report
        self._nursery: trio.Nursery | None = None
        self._running = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run all sessions; cancel it to end them."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    async def ended(self) -> None:
        """Wait until every session has ended."""
        while self._running:
            await trio.sleep(0.02)

    def open(self, request: ShellRequest, link: ShellLink) -> WatchedSession | ProgramShell:
        """Return the session of a new shell. Raises Refusal for an unknown configuration."""
        assert self._nursery is not None
        resource = request.resource_uri.lower()
        if resource == names.RESOURCE_CMD.lower() and self._programs:
            shell = ProgramShell(request, link)
            self._nursery.start_soon(self._run, shell.run, link, request)
            return shell
        name = resource.removeprefix(names.POWERSHELL_PREFIX.lower())
        if name == resource:
            raise unknown_configuration(request.resource_uri)
        engine = self.engine(name, request, link)
        session = engine.open(_Link(link, self._report, _sender(request)))
        run = partial(session.run, task_status=trio.TASK_STATUS_IGNORED)
        self._nursery.start_soon(self._run, run, link, request)
        return WatchedSession(self.observed(session, request, link))

    def engine(self, name: str, request: ShellRequest, link: ShellLink) -> Engine:
        """Return the engine of a configuration for a new shell. Raises Refusal."""
        found = self._engines.get(name)
        if found is None:
            raise unknown_configuration(request.resource_uri)
        return found

    def observed(self, session: Session, request: ShellRequest, link: ShellLink) -> Session:
        """Return the session of a new shell, or a wrapper that observes it."""
        return session

    def session_ended(self, request: ShellRequest) -> None:
        """Handle the end of a session."""

    async def _run(
        self, work: Callable[[], Awaitable[None]], link: ShellLink, request: ShellRequest
    ) -> None:
        self._running += 1
        try:
            await work()
        except Exception as error:
            # A failure of one session must not end the others.
            self._report(f"a session ended: {type(error).__name__}: {error}")
        finally:
            self._running -= 1
            self.session_ended(request)
        link.fail("The session has ended.")


def unknown_configuration(resource_uri: str) -> Refusal:
    """Return the refusal of a session configuration that does not exist."""
    name = resource_uri.rpartition("/")[2][:256]
    text = (
        "The WS-Management service cannot process the request. Cannot find the "
        f"{name} session configuration in the WSMan: drive on this computer."
    )
    return Refusal(make_fault("DestinationUnreachable", text))


def _sender(request: ShellRequest) -> Sender:
    return Sender(
        user_name=request.owner,
        authentication_type=request.authentication,
        connection_string=request.to,
        configuration_name=request.resource_uri[len(names.POWERSHELL_PREFIX) :],
        address=request.client_address,
        culture=request.data_locale or request.locale,
    )


class _Link:
    """Link of a shell that also logs."""

    def __init__(self, link: ShellLink, report: Callable[[str], None], sender: Sender) -> None:
        self.sender = sender
        self.wake = link.wake
        self.act_failed = link.act_failed
        self.fail = link.fail
        self.report = report


class WatchedSession:
    """A session that tracks the states of its commands. It is a `wsman.hosting.Session`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._watches: dict[UUID | None, FragmentWatch] = {}
        self._answers: dict[UUID | None, FragmentWatch] = {}
        self._done: set[UUID] = set()
        self._asking: set[UUID] = set()
        self._ahead: dict[UUID | None, bytes] = {}
        """Fragments that were taken from the session but not delivered yet."""
        self.takes_more = session.takes_more
        self.pending = session.pending
        self.client_gone = session.client_gone

    def receive(self, item: Outgoing) -> None:
        if item.stream is Stream.PROMPT_RESPONSE:
            watch = self._answers.setdefault(item.target, FragmentWatch())
            for seen in watch.take(item.data):
                # Some clients answer a command's question on the pool's stream.
                self._asking.discard(item.target or seen.pipeline)
        self._session.receive(item)

    def connect(self, data: bytes, room: int) -> bytes:
        """Return the two messages of the connect response to a new client; later messages wait."""
        self._session.receive(Outgoing(act=TransportAct.CONNECT, data=data))
        parts: list[bytes] = []
        while (out := self._session.data_to_send(room, None)) is not None:
            first, rest = cut_after(out.data, _INIT_DATA)
            parts.append(first)
            if rest or _ends_with(first, _INIT_DATA):
                self._ahead[None] = rest
                break
        return b"".join(parts)

    def data_to_send(self, room: int, target: UUID | None = None) -> Outgoing | None:
        if ahead := self._ahead.pop(target, b""):
            out: Outgoing | None = Outgoing(target=target, data=ahead)
        else:
            out = self._session.data_to_send(room, target)
        if out is not None and target is not None:
            if out.data:
                self._look(target, out.data)
            if out.act is TransportAct.CLOSE_PIPELINE:
                self._forget(target)
        return out

    def _look(self, target: UUID, data: bytes) -> None:
        watch = self._watches.get(target)
        if watch is None:
            watch = self._watches[target] = FragmentWatch()
        for seen in watch.take(data):
            if seen.ends_pipeline:
                self._done.add(target)
                self._asking.discard(target)
            elif seen.wants_answer:
                self._asking.add(target)

    def drop(self, target: UUID, keep: int) -> None:
        """Discard the oldest messages; states and questions of a command are kept."""
        kept = [self._ahead.pop(target, b"")]
        while self._session.pending(target) > keep:
            whole = self._take_message(target)
            if not whole:
                break
            if not _is_output(whole):
                kept.append(whole)
        self._ahead[target] = b"".join(kept)

    def _take_message(self, target: UUID) -> bytes:
        """Take complete fragments of one target, up to the end of a message."""
        taken = b""
        while (out := self._session.data_to_send(_WHOLE, target)) is not None:
            taken += out.data
            if out.act is not None or ends_message(out.data):
                break
        return taken

    def _forget(self, target: UUID) -> None:
        for each in (self._watches, self._answers):
            each.pop(target, None)
        self._done.discard(target)
        self._asking.discard(target)

    def state(self, target: UUID) -> str:
        if target in self._done and not self._session.pending(target):
            return "Done"
        return "Pending" if target in self._asking else "Running"


def _is_output(fragments: bytes) -> bool:
    """Return True if the fragments contain only output and records."""
    seen = list(FragmentWatch().take(fragments))
    return bool(seen) and all(each.kind in _OUTPUT for each in seen)


def _ends_with(fragments: bytes, kind: int) -> bool:
    return any(seen.kind == kind for seen in FragmentWatch().take(fragments))
