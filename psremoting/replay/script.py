"""A recording as conversations: one of the pool and one of each pipeline, without ids.

Steps of the carrier (stop, close) are events like messages, so that a recording of one carrier can
be replayed over another one. The negotiation of versions and keys is left out: it is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from psremoting.capture.decoding import decode
from psremoting.capture.source import CaptureError
from psrp import events as e
from psrp.sansio import Side
from wsman import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from psremoting.capture.entries import Entry
    from psremoting.capture.key_ring import KeyRing
    from psremoting.capture.network.secrets import PacketSecrets

__all__ = ["BEGINS", "Conversation", "Script", "Step", "read_script", "read_scripts",
           "scripts_of"]  # fmt: skip

BEGINS = (e.CreatePipeline, e.GetCommandMetadata)
"""The events that begin a pipeline."""
_ANEW = (e.SessionCapability, e.PublicKey, e.PublicKeyRequest, e.EncryptedSessionKey)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One message or step of the carrier in a conversation."""

    sender: Side
    event: e.Event
    time: float | None = None
    """Seconds, from any origin."""
    line: int = 0
    """Number of the line that `psremoting.capture` gave it; 0 for a live one."""


@dataclass(slots=True)
class Conversation:
    """The steps of one pipeline, or of the pool."""

    steps: list[Step] = field(default_factory=list)

    @property
    def begin(self) -> e.Event | None:
        """The event that began the pipeline; None for the pool."""
        first = self.steps[0].event if self.steps else None
        return first if isinstance(first, BEGINS) else None

    def by(self, sender: Side) -> Iterator[Step]:
        return (step for step in self.steps if step.sender is sender)


@dataclass(slots=True)
class Script:
    """All conversations of one session, and the order in which its steps were recorded."""

    name: str = ""
    versions: dict[Side, str] = field(default_factory=dict)
    """Protocol version that each side announced."""
    configuration: str = ""
    """Name of the session configuration, if the carrier named one."""
    pool: Conversation = field(default_factory=Conversation)
    pipelines: list[Conversation] = field(default_factory=list)
    order: list[tuple[int | None, Step]] = field(default_factory=list)
    """Each step with the number of its pipeline, None for the pool."""

    def version(self, side: Side) -> str:
        return self.versions.get(side, "2.3")


def read_scripts(
    path: str | Path, ring: KeyRing | None = None, secrets: PacketSecrets | None = None
) -> list[Script]:
    """Read all sessions of a recording, in the order in which they began. Raises CaptureError.

    A recording that can be read only in part gives what was read.
    """
    entries: list[Entry] = []
    try:
        entries.extend(decode(path, ring=ring, secrets=secrets))
    except CaptureError:
        if not any(entry.event is not None for entry in entries):
            raise
    made = scripts_of(entries, str(path))
    if not made:
        raise CaptureError(str(path), "there is no message of a session in it")
    return made


def read_script(
    path: str | Path, ring: KeyRing | None = None, secrets: PacketSecrets | None = None
) -> Script:
    """Read the first session of a recording, as `read_scripts` does."""
    return read_scripts(path, ring, secrets)[0]


def scripts_of(entries: Iterable[Entry], name: str = "") -> list[Script]:
    """Return the script of each session in the entries that has any step."""
    reader = _Sessions(name)
    for entry in entries:
        reader.take(entry)
    made = [session.script for session in reader.sessions]
    return [
        script
        for script in made
        if any(not isinstance(step.event, e.ClosePool) for _, step in script.order)
    ]


@dataclass(slots=True)
class _Session:
    script: Script
    current: dict[UUID, int] = field(default_factory=dict)
    """Ids of pipelines to their numbers."""
    begun: bool = False
    """True if the client has opened the pool."""


class _Sessions:
    """Sorts the entries of a recording by session: by the ids of pools, pipelines and shells."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.sessions: list[_Session] = []
        self._by_pool: dict[UUID, _Session] = {}
        self._by_pipeline: dict[UUID, _Session] = {}
        self._configuration = ""

    def take(self, entry: Entry) -> None:
        data = entry.data if isinstance(entry.data, dict) else {}
        if entry.type == "wsman:Create":
            self._configuration = str(data.get("resource_uri", "")).rpartition("/")[2]
        event = entry.event or _act(entry)
        if event is None or entry.direction is None:
            return
        session = self._session(entry, event)
        if isinstance(event, e.SessionCapability):
            session.script.versions.setdefault(entry.direction, event.protocol_version)
        if isinstance(event, e.InitRunspacePool | e.ConnectRunspacePool):
            session.begun = True
        if isinstance(event, _ANEW):
            return
        step = Step(
            sender=entry.direction, event=event, time=entry.carrier.get("time"), line=entry.n
        )
        target = entry.target or entry.pid
        if target is not None:
            self._by_pipeline[target] = session
        _add(session.script, session.current, target, step)

    def _session(self, entry: Entry, event: e.Event) -> _Session:
        """Return the session of an entry; a client's first message begins one."""
        found = self._by_pool.get(entry.rpid) if entry.rpid is not None else None
        target = entry.target or entry.pid
        if found is None and target is not None:
            found = self._by_pipeline.get(target)
        if found is None and isinstance(event, e.ClosePool):
            found = self._by_pool.get(_shell(entry))
        opens = isinstance(event, e.SessionCapability) and entry.direction is Side.CLIENT
        opens = opens or isinstance(event, e.InitRunspacePool)
        if opens and found is not None and found.begun and not _is_connecting(found, event):
            # Recordings with made-up ids use one id for all pools.
            found = None
        elif not opens and found is None and self.sessions:
            found = self._waiting(event) or self.sessions[-1]
        if found is None:
            script = Script(name=self._name, configuration=self._configuration)
            found = _Session(script)
            self.sessions.append(found)
        if entry.rpid is not None and entry.rpid.int:
            self._by_pool[entry.rpid] = found
        return found

    def _waiting(self, event: e.Event) -> _Session | None:
        """Return the session whose server has not announced its version: its id may be zero."""
        if not isinstance(event, e.SessionCapability):
            return None
        return next(
            (each for each in self.sessions if Side.SERVER not in each.script.versions), None
        )


def _is_connecting(session: _Session, event: e.Event) -> bool:
    """Return True for the second announcement of a client that connects to its pool again."""
    return isinstance(event, e.SessionCapability) and any(
        isinstance(step.event, e.ConnectRunspacePool | e.Disconnect)
        for step in session.script.pool.steps
    )


def _shell(entry: Entry) -> UUID:
    """Return the id of the shell that an entry is about, zero if it names none."""
    data = entry.data if isinstance(entry.data, dict) else {}
    try:
        return UUID(str(data.get("shell_id", "")))
    except ValueError:
        return UUID(int=0)


def _add(script: Script, current: dict[UUID, int], target: UUID | None, step: Step) -> None:
    number: int | None = None
    if target is None:
        script.pool.steps.append(step)
    else:
        if isinstance(step.event, BEGINS):
            # PowerShell uses the id of a pipeline again.
            current[target] = len(script.pipelines)
            script.pipelines.append(Conversation())
        if target not in current:
            return
        number = current[target]
        script.pipelines[number].steps.append(step)
    script.order.append((number, step))


def _act(entry: Entry) -> e.Event | None:
    """Return the event of a carrier's step by a client, or None."""
    if entry.direction is not Side.CLIENT:
        return None
    target = entry.target
    if entry.type == "sshsub:Signal" and target is not None:
        return e.StopPipeline(pipeline_id=target)
    if entry.type == "wsman:Signal" and target is not None:
        code = entry.data.get("code") if isinstance(entry.data, dict) else ""
        stops = code == names.SIGNAL_STOP
        return e.StopPipeline(pipeline_id=target) if stops else e.ClosePipeline(pipeline_id=target)
    if entry.type == "sshsub:Close":
        return e.ClosePipeline(pipeline_id=target) if target is not None else e.ClosePool()
    return e.ClosePool() if entry.type == "wsman:Delete" else None
