"""A recording as conversations: one of the pool and one of each pipeline, without ids.

Steps of the carrier (stop, close) are events like messages, so that a recording of one carrier can
be replayed over another one. The negotiation of versions and keys is left out: it is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psremoting.capture.decoding import decode
from psremoting.capture.source import CaptureError
from psrp import events as e
from psrp.sansio import Side
from wsman import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from uuid import UUID

    from psremoting.capture.entries import Entry
    from psremoting.capture.key_ring import KeyRing
    from psremoting.capture.network.secrets import PacketSecrets

__all__ = ["BEGINS", "Conversation", "Script", "Step", "read_script", "script_of"]

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


def read_script(
    path: str | Path, ring: KeyRing | None = None, secrets: PacketSecrets | None = None
) -> Script:
    """Read the first session of a recording. Raises CaptureError.

    A recording that can be read only in part gives what was read.
    """
    entries: list[Entry] = []
    try:
        entries.extend(decode(path, ring=ring, secrets=secrets))
    except CaptureError:
        if not any(entry.event is not None for entry in entries):
            raise
    made = script_of(entries, str(path))
    if not made.order:
        raise CaptureError(str(path), "there is no message of a session in it")
    return made


def script_of(entries: Iterable[Entry], name: str = "") -> Script:
    """Return the script of the first session in the entries."""
    script = Script(name=name)
    current: dict[UUID, int] = {}
    rpid: UUID | None = None
    for entry in entries:
        if entry.type == "wsman:Create" and isinstance(entry.data, dict):
            uri = str(entry.data.get("resource_uri", ""))
            script.configuration = script.configuration or uri.rpartition("/")[2]
        event = entry.event or _act(entry)
        if event is None or entry.direction is None:
            continue
        if isinstance(event, e.InitRunspacePool) and script.pool.steps and rpid != entry.rpid:
            break
        if isinstance(event, e.SessionCapability):
            script.versions.setdefault(entry.direction, event.protocol_version)
        if isinstance(event, _ANEW):
            continue
        if isinstance(event, e.InitRunspacePool):
            rpid = entry.rpid
        step = Step(
            sender=entry.direction, event=event, time=entry.carrier.get("time"), line=entry.n
        )
        _add(script, current, entry.target or entry.pid, step)
    return script


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
