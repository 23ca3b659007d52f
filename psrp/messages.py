"""Messages: a header of 40 bytes, little-endian, and a body of CLIXML. [MS-PSRP] 2.2.1

    destination 4 · message type 4 · pool id 16 · pipeline id 16 · body

Ids are GUIDs in .NET's byte order; the pipeline id is zero for the pool's messages. The body
is one bare element after a UTF-8 byte order mark, as PowerShell writes it; null is an empty
body, never a ``<Nil/>``.

`MESSAGES` holds all rules of a message type: its event class, its sender, its writer and its
reader. Messages that PowerShell's decoder refuses are refused here as well; see
spec-notes/messages.md.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psrp import bodies as b
from psrp import events as e
from psrp.clixml import dumps, loads
from psrp.records import ErrorRecord, InformationalRecord, InformationRecord, ProgressRecord
from psrp.sansio import UTF8_BOM, ZERO_ID, LocalProtocolError, MessageError, Side
from psrp.versions import LATEST, ProtocolVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from psrp.fields import Codec

__all__ = [
    "DESTINATIONS",
    "HEADER_SIZE",
    "MESSAGES",
    "Header",
    "Message",
    "MessageType",
    "decode",
    "decode_body",
    "encode",
    "encode_body",
    "prefix",
    "read_header",
    "sender_of",
    "type_name",
    "type_of",
]

HEADER_SIZE = 40

DESTINATIONS = {Side.CLIENT: 1, Side.SERVER: 2}
"""The destination field of a message for each side. [MS-PSRP] 2.2.1"""

_HEADER = Struct("<II16s16s")
_ZERO = ZERO_ID.bytes_le


class MessageType(IntEnum):
    """The numbers of the messages. [MS-PSRP] 2.2.1

    The bits give the target of a message: session (0x00010000), pool (0x00020000) or
    pipeline (0x00040000); CREATE_PIPELINE and GET_COMMAND_METADATA are of the pool's class
    although they name a pipeline.
    """

    SESSION_CAPABILITY = 0x00010002
    INIT_RUNSPACEPOOL = 0x00010004
    PUBLIC_KEY = 0x00010005
    ENCRYPTED_SESSION_KEY = 0x00010006
    PUBLIC_KEY_REQUEST = 0x00010007
    CONNECT_RUNSPACEPOOL = 0x00010008
    SET_MAX_RUNSPACES = 0x00021002
    SET_MIN_RUNSPACES = 0x00021003
    RUNSPACE_AVAILABILITY = 0x00021004
    RUNSPACEPOOL_STATE = 0x00021005
    CREATE_PIPELINE = 0x00021006
    GET_AVAILABLE_RUNSPACES = 0x00021007
    USER_EVENT = 0x00021008
    APPLICATION_PRIVATE_DATA = 0x00021009
    GET_COMMAND_METADATA = 0x0002100A
    RUNSPACEPOOL_INIT_DATA = 0x0002100B
    RESET_RUNSPACE_STATE = 0x0002100C
    RUNSPACEPOOL_HOST_CALL = 0x00021100
    RUNSPACEPOOL_HOST_RESPONSE = 0x00021101
    PIPELINE_INPUT = 0x00041002
    END_OF_PIPELINE_INPUT = 0x00041003
    PIPELINE_OUTPUT = 0x00041004
    ERROR_RECORD = 0x00041005
    PIPELINE_STATE = 0x00041006
    DEBUG_RECORD = 0x00041007
    VERBOSE_RECORD = 0x00041008
    WARNING_RECORD = 0x00041009
    PROGRESS_RECORD = 0x00041010
    INFORMATION_RECORD = 0x00041011
    STOP_POWERSHELL = 0x00041012
    PIPELINE_HOST_CALL = 0x00041100
    PIPELINE_HOST_RESPONSE = 0x00041101


class Header(NamedTuple):
    """The fields of a header. ``pid`` is None for zeros on the wire."""

    destination: int
    message_type: int
    rpid: UUID
    pid: UUID | None


class Message(NamedTuple):
    """One message type."""

    event: type[e.Event]
    sender: Side | None
    """The only side that sends it; None for both."""
    body: Codec
    unread: bool = False
    """True if the body has no meaning and is not parsed."""


# -- the table

_CLIENT, _SERVER = Side.CLIENT, Side.SERVER
_T = MessageType


def _request(event: type[e.Event]) -> Message:
    return Message(event, _CLIENT, b.request(event))


def _call(event: type[e.Event]) -> Message:
    return Message(event, _SERVER, b.host_call(event))


def _response(event: type[e.Event]) -> Message:
    return Message(event, _CLIENT, b.host_response(event))


def _record(event: type[e.Event], record: type[Any], stream: str = "") -> Message:
    return Message(event, _SERVER, b.record_body(event, record, stream))


MESSAGES: dict[int, Message] = {
    _T.SESSION_CAPABILITY: Message(e.SessionCapability, None, b.SESSION_CAPABILITY),
    _T.INIT_RUNSPACEPOOL: Message(e.InitRunspacePool, _CLIENT, b.INIT_RUNSPACEPOOL),
    _T.PUBLIC_KEY: Message(e.PublicKey, _CLIENT, b.PUBLIC_KEY),
    _T.ENCRYPTED_SESSION_KEY: Message(e.EncryptedSessionKey, _SERVER, b.ENCRYPTED_SESSION_KEY),
    _T.PUBLIC_KEY_REQUEST: Message(e.PublicKeyRequest, _SERVER, b.PUBLIC_KEY_REQUEST, unread=True),
    _T.CONNECT_RUNSPACEPOOL: Message(e.ConnectRunspacePool, _CLIENT, b.CONNECT_RUNSPACEPOOL),
    _T.SET_MAX_RUNSPACES: Message(e.SetMaxRunspaces, _CLIENT, b.SET_MAX_RUNSPACES),
    _T.SET_MIN_RUNSPACES: Message(e.SetMinRunspaces, _CLIENT, b.SET_MIN_RUNSPACES),
    _T.RUNSPACE_AVAILABILITY: Message(e.RunspaceAvailability, _SERVER, b.RUNSPACE_AVAILABILITY),
    _T.RUNSPACEPOOL_STATE: Message(e.RunspacePoolStateMessage, _SERVER, b.RUNSPACEPOOL_STATE),
    _T.CREATE_PIPELINE: Message(e.CreatePipeline, _CLIENT, b.CREATE_PIPELINE),
    _T.GET_AVAILABLE_RUNSPACES: _request(e.GetAvailableRunspaces),
    _T.USER_EVENT: Message(e.UserEvent, _SERVER, b.USER_EVENT),
    _T.APPLICATION_PRIVATE_DATA: Message(
        e.ApplicationPrivateData, _SERVER, b.APPLICATION_PRIVATE_DATA
    ),
    _T.GET_COMMAND_METADATA: Message(e.GetCommandMetadata, _CLIENT, b.GET_COMMAND_METADATA),
    _T.RUNSPACEPOOL_INIT_DATA: Message(e.RunspacePoolInitData, _SERVER, b.RUNSPACEPOOL_INIT_DATA),
    _T.RESET_RUNSPACE_STATE: _request(e.ResetRunspaceState),
    _T.RUNSPACEPOOL_HOST_CALL: _call(e.RunspacePoolHostCall),
    _T.RUNSPACEPOOL_HOST_RESPONSE: _response(e.RunspacePoolHostResponse),
    _T.PIPELINE_INPUT: Message(e.PipelineInput, _CLIENT, b.data_body(e.PipelineInput)),
    _T.END_OF_PIPELINE_INPUT: Message(
        e.EndOfPipelineInput, _CLIENT, b.empty_body(e.EndOfPipelineInput), unread=True
    ),
    _T.PIPELINE_OUTPUT: Message(e.PipelineOutput, _SERVER, b.data_body(e.PipelineOutput)),
    _T.ERROR_RECORD: _record(e.ErrorRecordMessage, ErrorRecord),
    _T.PIPELINE_STATE: Message(e.PipelineStateMessage, _SERVER, b.PIPELINE_STATE),
    _T.DEBUG_RECORD: _record(e.DebugRecordMessage, InformationalRecord, "Debug"),
    _T.VERBOSE_RECORD: _record(e.VerboseRecordMessage, InformationalRecord, "Verbose"),
    _T.WARNING_RECORD: _record(e.WarningRecordMessage, InformationalRecord, "Warning"),
    _T.PROGRESS_RECORD: _record(e.ProgressRecordMessage, ProgressRecord),
    _T.INFORMATION_RECORD: _record(e.InformationRecordMessage, InformationRecord),
    _T.STOP_POWERSHELL: Message(
        e.StopPowerShell, _CLIENT, b.empty_body(e.StopPowerShell), unread=True
    ),
    _T.PIPELINE_HOST_CALL: _call(e.PipelineHostCall),
    _T.PIPELINE_HOST_RESPONSE: _response(e.PipelineHostResponse),
}

_TYPES: dict[type[e.Event], MessageType] = {
    message.event: MessageType(number) for number, message in MESSAGES.items()
}
_OUTPUT = int(MessageType.PIPELINE_OUTPUT)
_NAMES = {number.value: number.name for number in MessageType}
_KNOWN: dict[int, MessageType] = {number.value: number for number in MessageType}


def type_of(event: e.Event) -> int:
    """Return the MessageType of an event; 0 for an event that is not a message."""
    if isinstance(event, (e.UnknownMessage, e.Ignored)):
        return event.message_type
    return _TYPES.get(type(event), 0)


def type_name(message_type: int) -> str:
    """Return the name of a message type, or its number for an unknown one."""
    return _NAMES.get(message_type) or f"message type 0x{message_type:08X}"


def sender_of(message_type: int) -> Side | None:
    """Return the only side that sends a type; None for both, and for an unknown type."""
    message = MESSAGES.get(message_type)
    return None if message is None else message.sender


# -- headers


@lru_cache(maxsize=1024)
def _uuid(data: bytes) -> UUID:
    return UUID(bytes_le=data)


@lru_cache(maxsize=1024)
def _head(bit: int, message_type: int, rpid: UUID, pid: UUID | None) -> bytes:
    return _HEADER.pack(bit, message_type, rpid.bytes_le, _ZERO if pid is None else pid.bytes_le)


def prefix(receiver: Side, message_type: int, rpid: UUID, pid: UUID | None) -> bytes:
    """Return the header of a message for ``receiver``."""
    return _head(DESTINATIONS[receiver], message_type, rpid, pid)


def read_header(message: bytes, side: Side | None = None) -> Header:
    """Return the header of a whole message. ``side`` is the side that it has to be for.

    Raises MessageError for less than 40 bytes, and for a destination without the bit of ``side``.
    """
    if len(message) < HEADER_SIZE:
        raise MessageError("message", f"expected a header of 40 bytes, got {len(message)} bytes")
    destination, number, rpid, pid = _HEADER.unpack_from(message)
    if side is not None and not destination & DESTINATIONS[side]:
        text = f"destination {destination} is not the {side.value}"
        raise MessageError(type_name(number), text, "Destination")
    target = None if pid == _ZERO else _uuid(pid)
    return Header(destination, _KNOWN.get(number, number), _uuid(rpid), target)


# -- whole messages


def encode(
    event: e.Event,
    rpid: UUID,
    *,
    version: ProtocolVersion = LATEST,
    seal: Callable[[str], str] | None = None,
    sender: Side | None = None,
) -> bytes:
    """Return the whole message for a peer of ``version``; ``seal`` encrypts SecureStrings.

    ``sender`` is our side. It is required for SESSION_CAPABILITY, which both sides send; for the
    others it is checked if given. Raises LocalProtocolError.
    """
    message_type = _TYPES.get(type(event))
    if message_type is None:
        raise LocalProtocolError(f"{type(event).__name__} is not a message")
    message = MESSAGES[message_type]
    who = message.sender or sender
    if who is None:
        raise LocalProtocolError(f"{message_type.name} needs a sender: both sides send it")
    if sender is not None and sender is not who:
        raise LocalProtocolError(f"only a {who.value} sends {message_type.name}")
    value = message.body.write(event, version)
    pid = getattr(event, "pipeline_id", None)
    head = _head(DESTINATIONS[who.peer], message_type, rpid, pid)
    if value is None:
        return head
    return b"".join((head, UTF8_BOM, dumps(value, seal=seal)))


def encode_body(
    event: e.Event,
    *,
    version: ProtocolVersion = LATEST,
    seal: Callable[[str], str] | None = None,
) -> bytes:
    """Return the body without header: empty, or a byte order mark and one element."""
    message_type = _TYPES.get(type(event))
    if message_type is None:
        raise LocalProtocolError(f"{type(event).__name__} is not a message")
    value = MESSAGES[message_type].body.write(event, version)
    return b"" if value is None else UTF8_BOM + dumps(value, seal=seal)


def decode_body(
    message_type: int,
    pid: UUID | None,
    body: bytes,
    *,
    version: ProtocolVersion = LATEST,
    unseal: Callable[[str], str] | None = None,
) -> e.Event:
    """Return the event of a body. ``version`` is the negotiated one.

    Raises MessageError and ClixmlError. An unknown type is an UnknownMessage.
    """
    if message_type == _OUTPUT and body and pid is not None:
        # By far the most frequent messages; without the table they take half the time.
        data = loads(body[3:] if body[:3] == UTF8_BOM else body, unseal=unseal)
        if data is not None:
            return e.PipelineOutput(pipeline_id=pid, data=data)
    message = MESSAGES.get(message_type)
    if message is None:
        return e.UnknownMessage(message_type=message_type, pipeline_id=pid, body=bytes(body))
    name = _NAMES[message_type]
    value: Any = None
    if body and not message.unread:
        plain = body[3:] if body[:3] == UTF8_BOM else body
        value = loads(plain, unseal=unseal)
        if value is None:
            raise MessageError(name, "expected an empty body for null, got an element")
    return message.body.read(pid, name, value, version)


def decode(
    message: bytes,
    *,
    side: Side | None = None,
    version: ProtocolVersion = LATEST,
    unseal: Callable[[str], str] | None = None,
) -> tuple[Header, e.Event]:
    """Return header and event of a whole message. Raises RemoteProtocolError."""
    header = read_header(message, side)
    body = message[HEADER_SIZE:]
    event = decode_body(header.message_type, header.pid, body, version=version, unseal=unseal)
    return header, event
