"""The events of a subsystem, the answers that it waits for, and its own errors."""

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
"""The exit code of a server process: PowerShell's 4000, of which Unix keeps one byte."""

END_OF_INPUT_ERROR = unknown_element("")
"""The error that a PowerShell server reports at the end of its input, orderly or not."""

TRANSPORT_ERROR = "Remote transport error:"
"""The start of an error text after which the session continues: one message was discarded."""

REPLY_TIMEOUTS: Mapping[TransportAct, float] = MappingProxyType(
    {
        TransportAct.CREATE_PIPELINE: 60.0,
        TransportAct.STOP_PIPELINE: 60.0,
        TransportAct.CLOSE_PIPELINE: 60.0,
        TransportAct.CLOSE_POOL: 60.0,
    }
)
"""Seconds that a client waits for an answer; an act without an entry has no limit.

PowerShell has 60 s for STOP_PIPELINE and CLOSE_POOL and no limit for the other two. CREATE_POOL
limits the wait for the server's first packet (ConnectingTimeout).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReply:
    """An outstanding answer and its time limit; values are equal while it is outstanding."""

    act: TransportAct
    """CREATE_PIPELINE waits for CommandAck, STOP_PIPELINE for SignalAck, CLOSE_* for CloseAck,
    CREATE_POOL for the first packet of any kind."""
    target: UUID | None = None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived:
    """The contents of one Data packet. A server acknowledges it after processing."""

    target: UUID | None = None
    stream: Stream = Stream.DEFAULT
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActReceived:
    """An act: at a server a request of the client, at a client the confirmation of the server.

    CREATE_POOL (a new session at a server: its first packet follows) and CREATE_PIPELINE (a
    Command at a server, already acknowledged) are not for the pool; all others are.
    """

    act: TransportAct
    target: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticLine:
    """A line that is not a packet: a banner, output of a profile, part of a stack trace."""

    text: str
    number: int
    """1-based line number."""


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
    """An answer was not received in time. The confirmation of a stop or close follows anyway."""

    reply: PendingReply


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of the input.

    At a server: the client is gone, or sent an empty line. Close the pool, then pass ``reason``
    to `Subsystem.report`, like a real server. At a client ``clean`` is true if the session was
    closed or we had ended our side; ``reason`` is the position where the stream broke off, or the
    server's last error text.
    """

    clean: bool
    reason: str = ""


Event: TypeAlias = DataReceived | ActReceived | DiagnosticLine | PeerError | TimedOut | Ended


def signal_for_session(name: str) -> str:
    """Return PowerShell's error for a Signal, or its acknowledgement, without a command."""
    return (
        f"A {name} message to a session is not supported."
        f" A {name} message can be sent only to a command."
    )


class BrokenLine(RemoteProtocolError):
    """A packet breaks a rule; ``rule`` is the rule's short name.

    ``number`` is the 1-based line, ``offset`` the byte of the stream where the line begins,
    ``words`` PowerShell's own error text.
    """

    def __init__(self, rule: str, words: str, number: int, offset: int) -> None:
        super().__init__(f"{words} (line {number}, stream offset {offset})")
        self.rule = rule
        self.words = words
        self.number = number
        self.offset = offset


class UnsupportedAct(LocalProtocolError):
    """This transport cannot disconnect or connect; ``error_id`` is PowerShell's error id."""

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
