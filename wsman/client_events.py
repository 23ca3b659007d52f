"""Events of the client's shell machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psrp.frozen import dataclass

if TYPE_CHECKING:
    from uuid import UUID

    from psrp.sansio import TransportAct
    from wsman.errors import WSManError

__all__ = ["ActDone", "ActFailed", "CommandEnded", "Lost", "Received", "Retrying", "RoomAgain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Bytes of the fragment stream of ``target``, in order."""

    target: UUID | None
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDone:
    """The server has performed a step."""

    act: TransportAct
    target: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFailed:
    """The server refused a step, or the target of ``CREATE_PIPELINE`` failed later."""

    act: TransportAct
    target: UUID | None
    error: WSManError


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnded:
    """The server reported the state Done of a command; its output is complete."""

    target: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomAgain:
    """`Shell.room` of the target is above 0 again."""

    target: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """A request got no answer and is repeated after ``delay`` seconds."""

    operation: str
    attempt: int
    delay: float
    error: WSManError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The machine has ended. ``error`` is None after an orderly close or disconnect."""

    error: WSManError | None
