"""Decryption of the HTTP messages of one connection, across all its log-ons.

Keys belong to a point of a connection: a client may authenticate again in its middle. A request
that was sent again on a new connection is still sealed under the old one's keys, so the contexts
of the same two peers are tried, too.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psremoting.capture.entries import Hidden
from psremoting.capture.network.credssp import CredSspContext
from psremoting.capture.network.log_ons import Finding, LogOnReader
from psremoting.capture.network.tls_records import starts_tls
from psrp.sansio import RemoteProtocolError, Side
from wsman.auth import basic_credential, challenges
from wsman.sealing import SealedReader, SealingFormat, is_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.http_flows import RawMessage
    from psremoting.capture.network.layers import Address
    from psremoting.capture.network.log_ons import Context
    from psremoting.capture.network.secrets import PacketSecrets
    from wsman.sealing import SealedPart

__all__ = ["ConnectionKeys", "OpenedPart", "Peers", "sealed"]

_SCHEMES = ("negotiate", "kerberos", "ntlm", "credssp")
_MANY = "multipart/x-multi-encrypted"
_MAX_PEERS = 10_000
_CONTEXTS_OF_PEERS = 16


@dataclass(slots=True, kw_only=True)
class OpenedPart:
    """One message of an encrypted body: its plain text, or the reason why it stays encrypted."""

    content_type: str = ""
    sealed: bytes = field(repr=False)
    """The sealed data, without its security header."""
    text: bytes | None = None
    key: str = ""
    """The mechanism whose keys opened it."""
    problem: str = ""
    torn: bool = False
    """True if bytes of it are missing; they are zeros in ``sealed``."""


class Peers:
    """The contexts of the last connections between any two hosts."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[tuple[bytes, bytes], deque[Context]] = OrderedDict()

    def add(self, client: Address, server: Address, context: Context) -> None:
        key = client[0], server[0]
        found = self._contexts.setdefault(key, deque(maxlen=_CONTEXTS_OF_PEERS))
        found.appendleft(context)
        self._contexts.move_to_end(key)
        if len(self._contexts) > _MAX_PEERS:
            self._contexts.popitem(last=False)

    def others(self, client: Address, server: Address) -> list[Context]:
        return list(self._contexts.get((client[0], server[0]), ()))


class ConnectionKeys:
    """Tracker of the log-ons of one connection."""

    def __init__(
        self, secrets: PacketSecrets, peers: Peers, client: Address, server: Address
    ) -> None:
        self._secrets = secrets
        self._peers = peers
        self._client, self._server = client, server
        self._contexts: list[Context] = []
        """Contexts, the current one first."""
        self._logons = LogOnReader(secrets)
        self._credssp: CredSspContext | None = None
        self._shown: set[str] = set()
        """Accounts of Basic and Digest that were found on this connection."""

    @property
    def missing(self) -> str:
        """The missing secret of the connection: a user, or a ticket with its type."""
        return self._logons.missing

    def receive(self, message: RawMessage) -> list[Finding]:
        """Take the tokens of a message, before its body is opened; return what they show."""
        name = "Authorization" if message.side is Side.CLIENT else "WWW-Authenticate"
        for value in message.all(name):
            scheme, _, text = value.partition(" ")
            kind = scheme.lower()
            if message.side is Side.CLIENT and kind in ("basic", "digest"):
                self._account(kind, value)
            if kind not in _SCHEMES or not text:
                continue
            try:
                token = b64decode(text.strip(), validate=True)
            except (binascii.Error, ValueError):
                continue
            if kind == "credssp":
                self._credssp_leg(message.side, token)
            elif (context := self._logons.receive(message.side, token)) is not None:
                self._contexts = [context, *self._contexts[: _CONTEXTS_OF_PEERS - 1]]
                self._peers.add(self._client, self._server, context)
        found, self._logons.findings = self._logons.findings, []
        if self._credssp is not None:
            found += self._credssp.take_findings()
        return found

    def _account(self, kind: str, value: str) -> None:
        """Note the user of a Basic or Digest header, once a connection."""
        if value in self._shown or len(self._shown) > _CONTEXTS_OF_PEERS:
            return
        data: dict[str, object] = {}
        if kind == "basic" and (found := basic_credential(value[6:].strip())) is not None:
            self._shown.add(value)
            data = {
                "mechanism": "Basic",
                "user": found.user_name,
                "password": Hidden(found.password),
            }
        elif kind == "digest":
            ((_, _, parameters), *_) = challenges((("WWW-Authenticate", value),))
            user = parameters.get("username", "")
            if user in self._shown:
                return
            self._shown.add(user)
            data = {"mechanism": "Digest", "user": user}
        if data:
            self._logons.findings.append(Finding(type="net:LogOn", side=Side.CLIENT, data=data))

    def _credssp_leg(self, side: Side, token: bytes) -> None:
        hello = side is Side.CLIENT and starts_tls(token) == 1
        if self._credssp is None or hello:
            self._credssp = CredSspContext(self._secrets)
            self._contexts = [self._credssp, *self._contexts[: _CONTEXTS_OF_PEERS - 1]]
        self._credssp.leg(side, token)

    def open(self, message: RawMessage) -> Iterator[OpenedPart]:
        """Yield the messages of a sealed body. A damaged body ends with an unopened part."""
        reader = SealedReader(boundary="Encrypted Boundary", max_size=len(message.body) + 1)
        reader.receive_data(message.body)
        parts = self._parts(message, reader)
        if message.header("Content-Type").lower().lstrip().startswith(_MANY):
            parts = _joined(parts)
        yield from parts

    def _parts(self, message: RawMessage, reader: SealedReader) -> Iterator[OpenedPart]:
        try:
            for part in reader:
                yield self._open(message, part)
            reader.end()
        except RemoteProtocolError as error:
            problem = f"{error}; {message.note}" if message.note else str(error)
            if lost := sum(last - first for first, last in message.holes):
                problem = f"{lost:,} bytes of it are missing in the capture"
            yield OpenedPart(sealed=message.body, problem=problem, torn=bool(message.holes))

    def _open(self, message: RawMessage, part: SealedPart) -> OpenedPart:
        opened = OpenedPart(content_type=part.content_type, sealed=part.data)
        hole = sum(
            max(0, min(last, part.offset + part.length + 512) - max(first, part.offset))
            for first, last in message.holes
        )
        own = set(map(id, self._contexts))
        others = self._peers.others(self._client, self._server)
        candidates = [*self._contexts, *(each for each in others if id(each) not in own)]
        for context in candidates:
            try:
                opened.text = context.unwrap(
                    message.side, part.header, part.data, search=context in self._contexts[:1]
                )
            except ValueError:
                continue
            opened.key = context.name
            return opened
        if self._contexts:
            self._contexts[0].lose(message.side, len(part.data))
        missing = self.missing
        if part.format is SealingFormat.CREDSSP and self._credssp is not None:
            missing = self._credssp.missing
        if hole:
            opened.torn = True
            opened.problem = f"{hole:,} bytes of it are missing in the capture"
        elif not missing and self._contexts and self._contexts[0].missing:
            opened.problem = f"missing: {self._contexts[0].missing}"
        elif missing or not self._contexts:
            missing = missing or "the log-on of this connection, which the capture lacks"
            opened.problem = f"missing: {missing}"
        else:
            opened.problem = "no key of this connection opens it"
        return opened


def _joined(parts: Iterator[OpenedPart]) -> Iterator[OpenedPart]:
    """Yield the one message that all parts of ``multipart/x-multi-encrypted`` hold together."""
    found = list(parts)
    if not found:
        return
    texts = [each.text for each in found if each.text is not None]
    first = next((each for each in found if each.text is None), found[0])
    yield OpenedPart(
        content_type=found[0].content_type,
        sealed=b"".join(each.sealed for each in found),
        text=b"".join(texts) if len(texts) == len(found) else None,
        key=found[0].key,
        problem=first.problem,
    )


def sealed(message: RawMessage) -> bool:
    """Return True if the body of a message is encrypted."""
    return is_sealed(message.header("Content-Type"))
