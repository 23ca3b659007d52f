"""The types that all machines share: errors, sides, streams, and the value for the carrier.

Two rules hold everywhere. A mistake of our caller is a `LocalProtocolError`, raised before
anything has changed. A mistake of the peer is a `RemoteProtocolError`; received bytes raise no
other exception type.
"""

from __future__ import annotations

from enum import Enum
from uuid import UUID

from psrp.frozen import dataclass

__all__ = [
    "UTF8_BOM",
    "ZERO_ID",
    "ClixmlError",
    "FragmentError",
    "LimitExceeded",
    "LocalProtocolError",
    "MessageError",
    "Outgoing",
    "ProtocolError",
    "RemoteProtocolError",
    "Side",
    "Stream",
    "TransportAct",
    "UnexpectedMessage",
]

ZERO_ID = UUID(int=0)
"""The id on the wire that means no pipeline, or no pool."""

UTF8_BOM = b"\xef\xbb\xbf"
"""The byte order mark before the body of a message and at the start of a text stream."""


class ProtocolError(Exception):
    """Base of all errors of the protocol; never raised itself."""


class LocalProtocolError(ProtocolError):
    """Our caller requested something that is not legal now.

    Nothing was queued and no state has changed.
    """


class RemoteProtocolError(ProtocolError):
    """The peer sent something that breaks a rule."""


class FragmentError(RemoteProtocolError):
    """A fragment breaks a rule of reassembly. [MS-PSRP] 2.2.4

    ``rule`` is the short name of the rule (``object-id-zero``, ``object-id-mismatch``,
    ``fragment-id-sequence``, ...), ``offset`` the byte of the stream where the bad
    fragment header begins.
    """

    def __init__(self, rule: str, text: str, offset: int) -> None:
        super().__init__(f"{text} (stream offset {offset})")
        self.rule = rule
        self.offset = offset


class LimitExceeded(RemoteProtocolError):
    """The peer announced or sent more than a configured limit allows."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what}: {size} is over the limit of {limit}")
        self.what = what
        self.size = size
        self.limit = limit


class MessageError(RemoteProtocolError):
    """A whole message cannot be read: header, missing property, or a value of a wrong type.

    ``element`` names the property or header field, or is empty.
    """

    def __init__(self, message: str, text: str, element: str = "") -> None:
        super().__init__(f"{message}: {text}" + (f" (at {element})" if element else ""))
        self.message = message
        self.element = element


class ClixmlError(RemoteProtocolError):
    """A document is not CLIXML that PowerShell would read.

    ``path`` leads to the element (``/Obj/MS/I32[Count]``), ``offset`` is the character
    of the decoded text where the error was found, or -1.
    """

    def __init__(self, text: str, path: str = "", offset: int = -1) -> None:
        where = f" at {path}" if path else ""
        if offset >= 0:
            where += f" (character {offset})"
        super().__init__(text + where)
        self.path = path
        self.offset = offset


class UnexpectedMessage(RemoteProtocolError):
    """The peer sent a valid message at the wrong time."""

    def __init__(self, got: str, state: str, legal: tuple[str, ...]) -> None:
        super().__init__(f"{got} while {state}; legal here: {', '.join(legal) or 'nothing'}")
        self.got = got
        self.state = state
        self.legal = legal


class Side(Enum):
    """The side that sends."""

    CLIENT = "client"
    SERVER = "server"

    # Members are unique, and Enum's own hash is a Python call that table look-ups make often.
    __hash__ = object.__hash__

    @property
    def peer(self) -> Side:
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


class Stream(Enum):
    """The two queues of one target; host responses precede everything else. [MS-PSRP] 3.1.5.1"""

    DEFAULT = "default"
    PROMPT_RESPONSE = "prompt_response"

    __hash__ = object.__hash__


class TransportAct(Enum):
    """The steps that PSRP leaves to its transport; they are not messages."""

    CREATE_POOL = "create pool"
    CREATE_PIPELINE = "create pipeline"
    STOP_PIPELINE = "stop pipeline"
    CLOSE_PIPELINE = "close pipeline"
    CLOSE_POOL = "close pool"
    DISCONNECT = "disconnect"
    RECONNECT = "reconnect"
    CONNECT = "connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """The next task of the carrier: an act, bytes to move, or an act with its first bytes.

    CREATE_POOL, CREATE_PIPELINE and CONNECT include the first bytes of their target (WS-Man puts
    them into creationXml, Arguments and connectXml); the other acts include none.
    """

    target: UUID | None = None
    """The pipeline's id, or None for the pool."""
    stream: Stream = Stream.DEFAULT
    data: bytes = b""
    act: TransportAct | None = None
