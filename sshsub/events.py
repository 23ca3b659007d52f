"""What a subsystem tells its user, the waits that it has running, and the errors of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError, RemoteProtocolError, Stream, TransportAct
from sshsub.packets import unknown_element

if TYPE_CHECKING:
    from uuid import UUID

__all__ = [
    "END_OF_INPUT_ERROR",
    "EXIT_CODE",
    "REPLY_TIMEOUTS",
    "TRANSPORT_ERROR",
    "ActReceived",
    "BrokenLine",
    "DataReceived",
    "DiagnosticLine",
    "Ended",
    "Event",
    "PeerError",
    "PendingReply",
    "TimedOut",
    "UnsupportedAct",
    "signal_for_session",
]

EXIT_CODE = 160
"""With what a server process ends, always: PowerShell's 4000, of which Unix keeps a byte."""

END_OF_INPUT_ERROR = unknown_element("")
"""What a PowerShell server reports when its input ends, however orderly that was."""

TRANSPORT_ERROR = "Remote transport error:"
"""How the report of a server begins that could not use a message, and lives on."""

REPLY_TIMEOUTS: Mapping[TransportAct, float] = MappingProxyType(
    {
        TransportAct.CREATE_PIPELINE: 60.0,
        TransportAct.STOP_PIPELINE: 60.0,
        TransportAct.CLOSE_PIPELINE: 60.0,
        TransportAct.CLOSE_POOL: 60.0,
    }
)
"""Seconds that a client waits for an answer; an act that is not here is waited for for ever.

PowerShell has 60 s for STOP_PIPELINE and CLOSE_POOL and no limit for the other two.
CREATE_POOL is the wait for the server's first packet (ConnectingTimeout); without limit unless
it is asked for.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReply:
    """An answer that is outstanding, and how long it may be. Equal to itself while it runs."""

    act: TransportAct
    """CREATE_PIPELINE waits for CommandAck, STOP_PIPELINE for SignalAck, CLOSE_* for CloseAck,
    CREATE_POOL for the first packet at all."""
    target: UUID | None = None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived:
    """The contents of one Data packet. A server acknowledges it once it is processed."""

    target: UUID | None = None
    stream: Stream = Stream.DEFAULT
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActReceived:
    """At a server what the client wants; at a client what the server has done.

    CREATE_POOL (a server's new session: the first packet follows) and CREATE_PIPELINE (a
    server's Command, acknowledged already) are the carrier's own; a pool needs the others only.
    """

    act: TransportAct
    target: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticLine:
    """A line that is no packet: a banner, a careless profile, the rest of a stack trace."""

    text: str
    number: int
    """The how-manieth line of the stream, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerError:
    """The server reported an error among the packets.

    ``fatal``: the server ends after this text. Otherwise it discarded one message and the session
    continues; if that message was CREATE_PIPELINE, no PIPELINE_STATE follows.
    """

    text: str
    fatal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """An answer did not come in time. For a stop or a close the act follows as if it had."""

    wait: PendingReply


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Nothing more comes.

    At a server: the client is gone, or sent an empty line. The pool is to be closed now, and
    then ``reason`` goes to `Subsystem.report`, as a real server does it. At a client ``clean``
    tells that the session was closed or that we had ended our side; ``reason`` says where the
    stream broke off, or what the server said last.
    """

    clean: bool
    reason: str = ""


Event: TypeAlias = DataReceived | ActReceived | DiagnosticLine | PeerError | TimedOut | Ended


def signal_for_session(name: str) -> str:
    """What a real peer says of a Signal, or its acknowledgement, without a command."""
    return (
        f"A {name} message to a session is not supported."
        f" A {name} message can be sent only to a command."
    )


class BrokenLine(RemoteProtocolError):
    """A line that is meant as a packet breaks a rule; ``rule`` is its short name.

    ``number`` counts lines from 1, ``offset`` is the byte of the stream where the line begins.
    ``words`` is the rule in a real peer's words.
    """

    def __init__(self, rule: str, words: str, number: int, offset: int) -> None:
        super().__init__(f"{words} (line {number}, stream offset {offset})")
        self.rule = rule
        self.words = words
        self.number = number
        self.offset = offset


class UnsupportedAct(LocalProtocolError):
    """This carrier cannot disconnect and connect; PowerShell's ids are in ``error_id``."""

    _IDS = MappingProxyType(
        {
            TransportAct.DISCONNECT: "CannotDisconnectVMContainerSession",
            TransportAct.RECONNECT: "CannotConnectVMContainerSession",
            TransportAct.CONNECT: "CannotConnectVMContainerSession",
        }
    )

    def __init__(self, act: TransportAct) -> None:
        super().__init__(f"{act.value} is not supported over this transport; WS-Man has it")
        self.act = act
        self.error_id = self._IDS[act]
