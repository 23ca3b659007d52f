"""Decryption of the HTTP messages of one connection, across all its log-ons.

Keys belong to a point of a connection: a client may authenticate again in its middle. A request
that was sent again on a new connection is still sealed under the old one's keys, so the contexts
of the same two peers are tried, too.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Protocol

from psremoting.capture.network.kerberos_keys import KerberosContext, ServiceTicket
from psremoting.capture.network.ntlm_keys import NtlmContext, NtlmLogon, find_message
from psrp.sansio import RemoteProtocolError, Side
from wsman.sealing import SealedReader, is_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.network.http_flows import RawMessage
    from psremoting.capture.network.layers import Address
    from psremoting.capture.network.secrets import PacketSecrets
    from wsman.sealing import SealedPart

__all__ = ["ConnectionKeys", "OpenedPart", "Peers"]

_SCHEMES = ("negotiate", "kerberos", "ntlm")
_MAX_PEERS = 10_000
_CONTEXTS_OF_PEERS = 16


class Context(Protocol):
    """The keys of one log-on."""

    name: str

    def unwrap(self, side: Side, header: bytes, data: bytes, *, search: bool = True) -> bytes: ...

    def lose(self, side: Side, size: int) -> None: ...


class OpenedPart:
    """One message of an encrypted body: its plain text, or the reason why it stays encrypted."""

    __slots__ = ("content_type", "key", "problem", "sealed", "text")

    def __init__(self, part: SealedPart) -> None:
        self.content_type = part.content_type
        self.sealed = len(part.data)
        self.text: bytes | None = None
        self.key = ""
        self.problem = ""


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
        self._challenge: bytes | None = None
        self._waiting: KerberosContext | None = None
        self.user = ""
        self.missing = ""
        """The missing secret of the connection: a user, or a ticket with its type."""

    def receive(self, message: RawMessage) -> None:
        """Take the tokens of a message, before its body is opened."""
        name = "Authorization" if message.side is Side.CLIENT else "WWW-Authenticate"
        for value in message.all(name):
            scheme, _, text = value.partition(" ")
            if scheme.lower() in _SCHEMES and text:
                try:
                    token = b64decode(text.strip(), validate=True)
                except (binascii.Error, ValueError):
                    continue
                self._token(message.side, token)

    def _token(self, side: Side, token: bytes) -> None:
        if find_message(token) is not None:
            self._ntlm(side, token)
        elif side is Side.CLIENT:
            found = self._secrets.kerberos.log_on(token)
            if isinstance(found, KerberosContext):
                self._waiting = found
                self._add(found)
            elif isinstance(found, ServiceTicket):
                self.missing = f"a key for the ticket of {found}"
        elif self._waiting is not None:
            self._secrets.kerberos.answered(self._waiting, token)
            self._waiting = None

    def _ntlm(self, side: Side, token: bytes) -> None:
        if side is Side.SERVER:
            self._challenge = token
            return
        if self._challenge is None:
            return
        logon = NtlmLogon.read(self._challenge, token)
        if logon is None:
            return
        self.user = f"{logon.domain}\\{logon.user}" if logon.domain else logon.user
        self._challenge = None
        context = logon.open(self._secrets.hashes)
        if context is not None:
            self._add(context)
        else:
            self.missing = f"the password of {self.user}"

    def _add(self, context: Context) -> None:
        self._contexts.insert(0, context)
        self._peers.add(self._client, self._server, context)
        self.missing = ""

    def open(self, message: RawMessage) -> Iterator[OpenedPart]:
        """Yield the messages of a sealed body. A damaged body ends with an unopened part."""
        reader = SealedReader(boundary="Encrypted Boundary", max_size=len(message.body) + 1)
        reader.receive_data(message.body)
        try:
            for part in reader:
                yield self._open(message, part)
            reader.end()
        except RemoteProtocolError as error:
            broken = _Broken(len(message.body))
            broken.problem = f"{error}; {message.note}" if message.note else str(error)
            yield broken

    def _open(self, message: RawMessage, part: SealedPart) -> OpenedPart:
        opened = OpenedPart(part)
        hole = any(
            first < part.offset + part.length + 512 and part.offset < last
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
        if hole:
            opened.problem = "bytes of it are missing in the capture"
        elif self.missing or not candidates:
            opened.problem = f"missing: {self.missing or 'the log-on of this connection'}"
        else:
            opened.problem = "no key of this connection opens it"
        return opened


class _Broken(OpenedPart):
    """A body that cannot be cut into parts."""

    def __init__(self, size: int) -> None:
        self.content_type = ""
        self.sealed = size
        self.text = None
        self.key = ""
        self.problem = ""


def sealed(message: RawMessage) -> bool:
    """Return True if the body of a message is encrypted."""
    return is_sealed(message.header("Content-Type"))


__all__ += ["NtlmContext", "sealed"]
