"""Recorded WS-Man exchanges as entries: one act per HTTP message, and the payload of its streams.

A response belongs to the request that its RelatesTo names, or else to the last request of its
connection. Shells are found by ShellId; the resource URI of a shell tells whether it carries
PSRP. Text of a cmd shell is decoded with its code page, and a ``#< CLIXML`` stream on its standard
error is read when that stream ends.
"""

from __future__ import annotations

import codecs
import re
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psremoting.capture.detect import starts_fragment
from psremoting.capture.documents import read_stream_text
from psremoting.capture.entries import Entry
from psremoting.capture.http_text import OtherText
from psremoting.capture.notices import Notice
from psremoting.capture.source import Damage
from psremoting.capture.wsman_descriptions import describe
from psrp.sansio import RemoteProtocolError, Side, Stream
from wsman import names, soap, xpress

if TYPE_CHECKING:
    from psremoting.capture.http_message import HttpMessage
    from psremoting.capture.reassembly import Joiner, Session

__all__ = ["WSManReader"]

_STREAMS = {"stdin": Stream.DEFAULT, "stdout": Stream.DEFAULT, "pr": Stream.PROMPT_RESPONSE}
_PLUMBING = frozenset(("Receive", "ReceiveResponse", "Send", "SendResponse", "SignalResponse",
                       "CommandResponse", "DeleteResponse"))  # fmt: skip
_SEALED = re.compile(r'multipart/[\w-]*encrypted\s*;.*?protocol\s*=\s*"?([^\s";]+)', re.IGNORECASE)
_CLIXML_MARK = "#< CLIXML"
_MAX_CLIXML = 16 << 20
_MAX_PROBED = 1 << 20
"""Characters of a stream that are looked at to tell whether it is compressed."""
_MAX_SHELLS = 2_000
"""Maximum number of shells that are followed at a time; a server of Windows allows 30 a user."""
_MAX_OPEN = 10_000
"""Maximum number of requests that wait for their response."""


@dataclass(slots=True)
class _TextStream:
    """One stream of one command of a cmd shell."""

    decoder: codecs.IncrementalDecoder
    held: list[str] = field(default_factory=list)
    held_size: int = 0


@dataclass(slots=True)
class _Shell:
    session: Session
    psrp: bool
    encoding: str = "utf-8"
    compressed: bool | None = False
    """None if the Create is not in the recording: the first stream tells."""
    texts: dict[tuple[str, str], _TextStream] = field(default_factory=dict)


@dataclass(slots=True)
class _Request:
    operation: str = ""
    shell: _Shell | None = None
    command_id: str = ""
    message_id: str = ""


class WSManReader:
    """Feed a Joiner with HTTP messages in the order of the recording."""

    def __init__(self, joiner: Joiner) -> None:
        self._joiner = joiner
        self._shells: dict[str, _Shell] = {}
        self._unnamed: dict[int, _Shell] = {}
        self._made: deque[_Shell] = deque()
        self._asked: OrderedDict[int, _Request] = OrderedDict()
        self._by_id: OrderedDict[str, _Request] = OrderedDict()

    def receive(self, message: HttpMessage | OtherText | Damage | Notice) -> None:
        if isinstance(message, Damage):
            self._joiner.damage(message)
            return
        if isinstance(message, Notice):
            self._notice(message)
            return
        if isinstance(message, OtherText):
            self._other_text(message)
            return
        carrier: dict[str, Any] = {"envelope": message.number}
        if message.soap is None:
            self._without_envelope(message, carrier)
            return
        size = len(message.soap.encode("utf-8", "surrogatepass"))
        self._joiner.counts.carrier_bytes += size
        try:
            envelope = soap.parse(message.soap)
        except RemoteProtocolError as error:
            if message.raw:
                # The sender sent this body, so it is shown and is not an error of the recording.
                self._without_envelope(message, carrier, problem=str(error))
                return
            self._joiner.error(
                "soap", str(error), lost=size, direction=message.side,
                carrier=carrier | _place(message),
            )  # fmt: skip
            return
        carrier |= {"action": envelope.operation} | _place(message)
        self._envelope(message, envelope, carrier)

    def _without_envelope(
        self, message: HttpMessage, carrier: dict[str, Any], problem: str = ""
    ) -> None:
        """Add an authentication leg, a sealed body, an end of a connection, or plain HTTP."""
        name = "Authorization" if message.side is Side.CLIENT else "WWW-Authenticate"
        value = message.header(name)
        data: dict[str, Any] = {}
        if message.status is not None:
            data["status"] = message.status
        if value:
            # The token is left out: that of Basic is the password.
            scheme, _, token = value.partition(" ")
            data |= {"scheme": scheme, "token_size": len(token.strip())}
        if message.note:
            data["note"] = message.note
        sealed = self._body(message, data)
        if problem:
            data["problem"] = problem
        kind = "Authenticate" if value or message.status == 401 else "HTTP"
        self._joiner.act(
            Entry(
                type="wsman:Sealed" if sealed else f"wsman:{kind}",
                direction=message.side,
                carrier=carrier | _place(message),
                data=data,
                raw=None if message.torn else message.body,
                plumbing=(kind == "Authenticate" and not sealed)
                or bool(message.note and not message.start),
            )
        )

    def _body(self, message: HttpMessage, data: dict[str, Any]) -> bool:
        """Describe a body that is no envelope in ``data``; return True if it is encrypted."""
        content_type = message.header("Content-Type")
        if message.soap is not None:
            data["text"] = _shown(message, message.soap)
        if not message.body:
            return False
        data["bytes"] = len(message.body)
        self._joiner.counts.carrier_bytes += len(message.body)
        if sealed := _SEALED.match(content_type):
            data["protocol"] = sealed[1]
            return True
        data["text"] = _shown(message, message.body.decode("utf-8", "replace"))
        return False

    def _notice(self, notice: Notice) -> None:
        place = "packet" if notice.in_packet else "line"
        carrier: dict[str, Any] = {place: notice.offset, "connection": notice.connection}
        if notice.time is not None:
            carrier["time"] = notice.time
        self._joiner.act(
            Entry(
                type=notice.type,
                direction=notice.side,
                carrier=carrier,
                data=notice.data,
                plumbing=notice.plumbing,
            )
        )

    def _other_text(self, message: OtherText) -> None:
        self._joiner.text(
            Entry(
                type="text",
                carrier={"line": message.line},
                data={"text": message.text},
                plumbing=True,
            ),
            len(message.text.encode("utf-8", "surrogatepass")),
        )

    def _envelope(
        self, message: HttpMessage, envelope: soap.Envelope, carrier: dict[str, Any]
    ) -> None:
        operation = envelope.operation
        command_id = soap.read_command(envelope).command_id or _stream_command(envelope)
        if message.side is Side.CLIENT:
            shell = self._shell_of_request(envelope)
            request = _Request(operation, shell, command_id, envelope.message_id.upper())
            self._asked[message.connection] = request
            if len(self._asked) > _MAX_OPEN:
                self._asked.popitem(last=False)
            if envelope.message_id:
                self._by_id[request.message_id] = request
                if len(self._by_id) > _MAX_OPEN:
                    self._by_id.popitem(last=False)
        else:
            request = self._asked.get(message.connection) or _Request()
            relates_to = envelope.relates_to.upper()
            if request.message_id != relates_to:
                request = self._by_id.pop(relates_to, request)
            shell = self._shell_of_response(envelope, request)
            command_id = command_id or request.command_id
        shell = shell or self._shell_by_content(message, envelope)
        data = describe(envelope, psrp=shell is not None and shell.psrp)
        if message.side is Side.SERVER and message.status not in (None, 200):
            data["status"] = message.status
        self._joiner.act(
            Entry(
                type=f"wsman:{operation}",
                direction=message.side,
                target=_guid(command_id),
                carrier=carrier,
                data=data,
                raw=(message.soap or "").encode("utf-8", "surrogatepass"),
                plumbing=operation in _PLUMBING and "state" not in data,
            )
        )
        if shell is not None:
            self._payloads(envelope, shell, message, command_id, carrier)
            self._ends(envelope, shell, message.side, request, command_id, carrier)

    # -- shells

    def _shell_of_request(self, envelope: soap.Envelope) -> _Shell | None:
        uri = envelope.resource_uri.lower()
        psrp = uri.startswith(names.POWERSHELL_PREFIX)
        shell_id = envelope.shell_id.upper()
        if envelope.operation == "Create":
            page = envelope.option("WINRS_CODEPAGE") or ""
            shell = self._keep(
                _Shell(
                    session=self._joiner.session(whole=True, enveloped=True),
                    psrp=psrp,
                    encoding=_encoding(page),
                    compressed=envelope.compression.lower() == "xpress",
                )
            )
            if shell_id:
                self._shells[shell_id] = shell
            return shell
        if not shell_id or not (psrp or uri == names.RESOURCE_CMD.lower()):
            return self._shells.get(shell_id)
        if shell_id not in self._shells:
            shell = _Shell(self._joiner.session(), psrp, compressed=None if psrp else False)
            self._shells[shell_id] = self._keep(shell)
        return self._shells[shell_id]

    def _keep(self, shell: _Shell) -> _Shell:
        """Add a shell; the oldest of too many is ended."""
        self._made.append(shell)
        if len(self._made) > _MAX_SHELLS:
            oldest = self._made.popleft()
            self._joiner.close(oldest.session)
            self._shells = {k: each for k, each in self._shells.items() if each is not oldest}
            self._unnamed = {k: each for k, each in self._unnamed.items() if each is not oldest}
        return shell

    def _shell_of_response(self, envelope: soap.Envelope, request: _Request) -> _Shell | None:
        if envelope.operation == "CreateResponse" and request.shell is not None:
            if shell_id := envelope.shell_id.upper():
                self._shells[shell_id] = request.shell
        elif envelope.operation == "ConnectResponse" and request.shell is not None:
            self._joiner.resume(request.shell.session)
        return request.shell

    def _shell_by_content(self, message: HttpMessage, envelope: soap.Envelope) -> _Shell | None:
        """Find the shell of an envelope that was recorded without its request.

        Streams that hold fragments belong to a PowerShell shell, one a connection.
        """
        for payload in soap.read_payloads(envelope):
            try:
                data = soap.decode_base64(payload.text[:64], payload.element)
                if not starts_fragment(data) and payload.element == "Stream":
                    data = soap.decode_base64(payload.text[:_MAX_PROBED], payload.element)
            except soap.SoapError:
                continue
            known = self._unnamed.get(message.connection)
            if _is_compressed(data) is not None or (known is not None and known.compressed):
                if known is None:
                    made = _Shell(self._joiner.session(), psrp=True, compressed=None)
                    known = self._unnamed[message.connection] = self._keep(made)
                return known
        return None

    # -- payload of streams

    def _payloads(
        self,
        envelope: soap.Envelope,
        shell: _Shell,
        message: HttpMessage,
        command_id: str,
        carrier: dict[str, Any],
    ) -> None:
        for payload in soap.read_payloads(envelope):
            target = _guid(payload.command_id)
            if payload.element == "Arguments":
                if not shell.psrp:
                    continue
                target = _guid(command_id)
            stream = _STREAMS.get(payload.stream.lower(), Stream.DEFAULT)
            where: dict[str, Any] = {
                "direction": message.side,
                "target": target,
                "stream": stream,
                "carrier": carrier,
            }
            try:
                data = soap.decode_base64(payload.text, payload.element)
            except soap.SoapError as error:
                if message.refused:
                    data_of = {"rule": "base64", "text": str(error), "sent": payload.text}
                    self._joiner.text(
                        Entry(type="refused", data=data_of, **where), len(payload.text)
                    )
                else:
                    self._joiner.error("base64", str(error), lost=len(payload.text), **where)
                continue
            if shell.compressed is None and payload.element == "Stream":
                shell.compressed = _is_compressed(data)
            if shell.compressed and payload.element == "Stream":
                try:
                    data = xpress.decompress(data)
                except RemoteProtocolError as error:
                    self._joiner.error("compressed", str(error), lost=len(data), **where)
                    continue
            if not shell.psrp:
                self._text(shell, payload, data, where)
            elif data:
                take = self._joiner.refused_payload if message.refused else self._joiner.payload
                take(shell.session, target, message.side, stream, data, carrier)

    def _text(
        self, shell: _Shell, payload: soap.Payload, data: bytes, where: dict[str, Any]
    ) -> None:
        key = payload.command_id, payload.stream
        stream = shell.texts.get(key)
        if stream is None:
            made = codecs.getincrementaldecoder(shell.encoding)("replace")
            stream = shell.texts[key] = _TextStream(made)
        text = stream.decoder.decode(data, payload.end)
        if data or payload.end:
            self._joiner.text(
                Entry(
                    type=f"winrs:{payload.stream}",
                    data={"text": text, "bytes": len(data), "end": payload.end},
                    plumbing=not data,
                    **where,
                ),
                len(data),
            )
        if stream.held or (payload.stream == "stderr" and text.startswith(_CLIXML_MARK)):
            stream.held.append(text)
            stream.held_size += len(text)
        if stream.held and (payload.end or stream.held_size > _MAX_CLIXML):
            self._clixml(stream, where)

    def _clixml(self, stream: _TextStream, where: dict[str, Any]) -> None:
        """Read the errors and progress of a PowerShell process in a cmd shell."""
        text, stream.held, stream.held_size = "".join(stream.held), [], 0
        counts = self._joiner.counts
        before = counts.bytes, counts.accounted
        for _torn in read_stream_text(text, self._joiner, where):
            pass
        # The text was shown and counted before.
        counts.bytes, counts.accounted = before

    def _ends(
        self,
        envelope: soap.Envelope,
        shell: _Shell,
        side: Side,
        request: _Request,
        command_id: str,
        carrier: dict[str, Any],
    ) -> None:
        if side is Side.CLIENT:
            return
        done = any(s.state == "Done" for s in soap.read_command_states(envelope))
        if done and not shell.psrp:
            for (command, _name), stream in shell.texts.items():
                if stream.held and command == command_id:
                    self._clixml(stream, {"direction": side, "carrier": carrier})
        if request.operation == "Signal" and envelope.operation == "SignalResponse":
            self._joiner.forget(shell.session, _guid(command_id))


# -- the data of an act


def _place(message: HttpMessage) -> dict[str, Any]:
    data: dict[str, Any] = {"packet" if message.in_packet else "line": message.offset}
    if message.opened:
        data["opened"] = message.opened
    if message.connection:
        data["connection"] = message.connection
    if message.time is not None:
        data["time"] = message.time
    if message.file_offset is not None:
        data["file_offset"] = message.file_offset
    return data


def _shown(message: HttpMessage, text: str) -> str:
    """Return text of a body; what the recording lacks is marked, not shown as zeros."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if message.torn else text


def _is_compressed(data: bytes) -> bool | None:
    """Return True if a stream is compressed, False if it is not, None if it does not tell."""
    if starts_fragment(data):
        return False
    try:
        return True if starts_fragment(xpress.decompress(data)) else None
    except RemoteProtocolError:
        return None


def _stream_command(envelope: soap.Envelope) -> str:
    """Return the CommandId of a Send, Receive or Signal; empty if none."""
    if envelope.operation == "Receive" and envelope.body is not None:
        for element in envelope.body.iter():
            if found := element.get("CommandId"):
                return str(found)
    return next((p.command_id for p in soap.read_payloads(envelope) if p.command_id), "")


def _guid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _encoding(page: str) -> str:
    """Return the Python codec of a Windows code page; UTF-8 for an unknown one."""
    if page in ("", "65001"):
        return "utf-8"
    try:
        return codecs.lookup(f"cp{int(page)}").name
    except (LookupError, ValueError):
        return "utf-8"
