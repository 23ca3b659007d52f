"""Derivation of Kerberos connection keys from the keys of users and services.

A session key is found in two ways. With the key of a user, the exchange with the KDC gives it:
AS-REP, then TGS-REP. With the key of the service, or of krbtgt, the ticket itself gives it. Tickets
are recognized by their ciphertext, so the exchange may come from any file. [RFC 4120]
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from psremoting.capture.network.der import DerError, Node, find_application, read
from psremoting.capture.network.kerberos_crypto import (
    ETYPES,
    Key,
    combine,
    decrypt,
    string_to_key,
    unwrap,
)
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["KerberosContext", "KerberosKeys", "Keytab", "ServiceTicket", "read_keytab"]

KEYTAB = b"\x05\x02"
_AS_REQ, _AS_REP, _TGS_REQ, _TGS_REP, _AP_REQ, _AP_REP, _ERROR = 10, 11, 12, 13, 14, 15, 30
_PA_TGS_REQ, _PA_ETYPE_INFO2, _PA_FAST = 1, 19, 136
_USAGE_TICKET, _USAGE_AS_REP, _USAGE_TGS_AUTHENTICATOR = 2, 3, 7
_USAGE_TGS_REP, _USAGE_TGS_REP_SUBKEY = 8, 9
_USAGE_AUTHENTICATOR, _USAGE_AP_REP = 11, 12
_USAGE_FAST_REPLY = 52
_MAX_TICKETS = 100_000
_MAX_ITERATIONS = 1 << 17
_MAX_DERIVED = 10_000
"""Keys that are derived from passwords, as a capture can name any number of users."""
_RECENT = 256
"""Maximum number of session keys that are tried on a TGS-REP."""
_MAX_MESSAGE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTicket:
    """A presented ticket: its service, realm and key type."""

    service: str
    realm: str
    etype: int
    kvno: int | None
    cipher: bytes = field(repr=False)
    user: str = ""
    """The user that it was issued to, if the exchange with the KDC shows it."""

    def __str__(self) -> str:
        version = "" if self.kvno is None else f", kvno {self.kvno}"
        text = f"{self.service}@{self.realm} ({ETYPES.get(self.etype, self.etype)}{version})"
        return text + (f" for {self.user}" if self.user else "")


Keytab = list[tuple[str, Key]]
"""Principals with their keys."""


def read_keytab(data: bytes) -> Keytab:
    """Return the entries of a keytab, version 5.2. Raises ValueError for other data."""
    if data[:2] != KEYTAB:
        raise ValueError("not a keytab: expected the version 05 02")
    found: Keytab = []
    position = 2
    while position + 4 <= len(data):
        (size,) = struct.unpack_from(">i", data, position)
        position += 4
        if size > 0:
            try:
                entry = _keytab_entry(data[position : position + size])
            except (struct.error, IndexError):
                raise ValueError(f"a damaged keytab entry at byte {position}") from None
            if entry is not None:
                found.append(entry)
        position += abs(size)
    return found


def _keytab_entry(data: bytes) -> tuple[str, Key] | None:
    (count,) = struct.unpack_from(">H", data)
    position, parts = 2, []
    for _ in range(count + 1):
        (length,) = struct.unpack_from(">H", data, position)
        parts.append(data[position + 2 : position + 2 + length].decode("utf-8", "replace"))
        position += 2 + length
    position += 4 + 4 + 1  # name type, time, version
    etype, length = struct.unpack_from(">HH", data, position)
    value = data[position + 4 : position + 4 + length]
    realm, *names = parts
    try:
        return f"{'/'.join(names)}@{realm}", Key(etype, value)
    except ValueError:
        return None


class KerberosContext:
    """Decryption of the messages of both sides of one authenticated connection."""

    name = "Kerberos"

    def __init__(self, session: Key, user: str = "", service: str = "", origin: str = "") -> None:
        self.session = session
        """The session key of the ticket."""
        self.user, self.service = user, service
        self.origin = origin
        """The secret that gave the session key, for people."""
        self._keys = [session]
        self._answered = False

    @property
    def missing(self) -> str:
        """The parts that the capture lacks to decrypt this log-on's messages; may be empty."""
        if self._answered:
            return ""
        lacks = "the capture lacks the answer to it"
        return f"the acceptor's sub-key of the log-on of {self.user}: {lacks}"

    def answer(self, key: Key | None) -> None:
        """Take the answer of the acceptor, with its sub-key if it has one."""
        self._answered = True
        if key is not None:
            self.accept(key)

    def accept(self, key: Key) -> None:
        """Take the acceptor's sub-key; messages before it were sealed with the other one."""
        self._keys.insert(0, key)

    def unwrap(self, side: Side, header: bytes, data: bytes, *, search: bool = True) -> bytes:
        """Return the plain text. Raises ValueError if no key of the context opens it."""
        problem: ValueError = ValueError("no key")
        for key in self._keys:
            try:
                return unwrap(key, side is Side.CLIENT, header, data)
            except ValueError as error:
                problem = error
        raise problem

    def lose(self, side: Side, size: int) -> None:
        """Do nothing: messages are encrypted separately, so a lost one has no effect."""


class KerberosKeys:
    """Long-term keys, and the session keys that recorded exchanges give with them."""

    def __init__(self) -> None:
        self._users: dict[bytes, str] = {}
        """Ciphertext of a ticket to the user that it was issued to."""
        self._passwords: list[str] = []
        self._keys: list[Key] = []
        self._origins: dict[Key, str] = {}
        """Keys to the secrets that they came from, for people."""
        self._password_origins: dict[str, str] = {}
        self._sessions: dict[bytes, Key] = {}
        """Ciphertext of a ticket to its session key."""
        self._armors: deque[tuple[Key, Key]] = deque(maxlen=_RECENT)
        """Sub-key and session key of the last TGS-REQs."""
        self._salts: dict[tuple[str, int], tuple[bytes, int | None]] = {}
        self._derived: dict[tuple[str, bytes, int, int | None], Key] = {}

    def add_password(self, password: str, origin: str = "") -> None:
        self._passwords.append(password)
        self._password_origins[password] = origin

    def add_key(self, key: Key, origin: str = "") -> None:
        """Add a key of a user, a service, krbtgt, or a session."""
        self._keys.append(key)
        self._origins.setdefault(key, origin)

    def __bool__(self) -> bool:
        return bool(self._passwords or self._keys)

    # -- the exchange with the KDC

    def receive(self, data: bytes) -> None:
        """Take one message between a client and a KDC; anything else has no effect."""
        if len(data) > _MAX_MESSAGE or not data:
            return
        try:
            node = read(data)
            body = read(node.content)
            kind = node.tag & 0x1F
            if node.tag & 0xE0 != 0x60:
                return
            if kind in (_AS_REP, _TGS_REP):
                self._reply(body, kind)
            elif kind == _TGS_REQ:
                self._request(body)
            elif kind == _ERROR:
                self._error(body)
        except (DerError, ValueError, UnicodeDecodeError):
            return

    def _reply(self, body: Node, kind: int) -> None:
        sealed = _encrypted(body.context(6))
        client, realm = _name(body.context(4)), body.context(3).text()
        if len(self._users) < _MAX_TICKETS:
            self._users[_ticket(body.context(5)).cipher] = f"{client}@{realm}"
        if kind == _AS_REP:
            if (padata := body.find(2)) is not None:
                self._note_salts(client, padata)
            keys = list(self._user_keys(client, realm, sealed.etype))
            usages: tuple[int, ...] = (_USAGE_AS_REP, _USAGE_TGS_REP)
        else:
            keys = [*list(self._sessions.values())[-_RECENT:], *self._keys]
            if (padata := body.find(2)) is not None:
                keys = [*self._strengthened(padata), *keys]
            usages = (_USAGE_TGS_REP, _USAGE_TGS_REP_SUBKEY)
        opened = _open(keys, usages, sealed)
        if opened is None:
            return
        inner = read(read(opened[0]).content)
        self._remember(_ticket(body.context(5)).cipher, _key(inner.context(0)), opened[1])

    def _request(self, body: Node) -> None:
        """Take a TGS-REQ: its ticket, and a sub-key that seals the reply."""
        padata = body.find(3)
        for each in padata.children() if padata is not None else ():
            if each.context(1).integer() == _PA_TGS_REQ:
                for request in find_application(each.context(2).content, _AP_REQ):
                    session = self.session_key(_ticket(read(request.content).context(3)))
                    if session is None:
                        continue
                    sealed = _encrypted(read(request.content).context(4))
                    opened = _open([session], (_USAGE_TGS_AUTHENTICATOR,), sealed)
                    subkey = read(read(opened[0]).content).find(6) if opened else None
                    if subkey is not None:
                        key = _key(subkey)
                        self._remember(b"sub-key " + key.value, key, session)
                        self._armors.append((key, session))

    def _strengthened(self, padata: Node) -> Iterator[Key]:
        """Yield the reply keys of a TGS-REP that FAST protects. [RFC 6113] 5.4.3"""
        for each in padata.children():
            if each.context(1).integer() != _PA_FAST:
                continue
            armored = read(each.context(2).content)
            if armored.tag == 0xA0:
                armored = read(armored.content)
            sealed = _encrypted(armored.context(0))
            for subkey, session in reversed(self._armors):
                armor = combine(subkey, session, b"subkeyarmor", b"ticketarmor")
                opened = _open([armor], (_USAGE_FAST_REPLY,), sealed)
                if opened is not None:
                    strengthen = read(opened[0]).find(1)
                    if strengthen is not None:
                        made = combine(_key(strengthen), subkey, b"strengthenkey", b"replykey")
                        self._origins.setdefault(made, self._origins.get(session, ""))
                        yield made
                    return

    def _error(self, body: Node) -> None:
        """Take the salts from a demand for pre-authentication."""
        client, data = body.find(8), body.find(12)
        if client is not None and data is not None:
            self._note_salts(_name(client), read(data.content))

    def _note_salts(self, client: str, padata: Node) -> None:
        for each in padata.children():
            if each.context(1).integer() != _PA_ETYPE_INFO2:
                continue
            for entry in read(each.context(2).content).children():
                salt, parameters = entry.find(1), entry.find(2)
                if salt is not None:
                    iterations = None
                    if parameters is not None and len(parameters.content) == 4:
                        iterations = int.from_bytes(parameters.content, "big")
                    if iterations is None or 0 < iterations <= _MAX_ITERATIONS:
                        etype = entry.context(0).integer()
                        self._salts[client, etype] = salt.content, iterations

    def _user_keys(self, client: str, realm: str, etype: int) -> Iterator[Key]:
        yield from (key for key in self._keys if key.etype == etype)
        if etype not in ETYPES:
            return
        known = self._salts.get((client, etype))
        salts = [known] if known is not None else [(s, None) for s in _usual_salts(client, realm)]
        for password in self._passwords:
            for salt, iterations in salts:
                yield from self._derive(etype, password, salt, iterations)

    def _derive(
        self, etype: int, password: str, salt: bytes, iterations: int | None
    ) -> Iterator[Key]:
        known = password, salt, etype, iterations
        if known not in self._derived:
            if len(self._derived) >= _MAX_DERIVED:
                return
            made = self._derived[known] = string_to_key(etype, password, salt, iterations)
            self._origins.setdefault(made, self._password_origins.get(password, ""))
        yield self._derived[known]

    def _remember(self, cipher: bytes, key: Key, opener: Key) -> None:
        if len(self._sessions) < _MAX_TICKETS:
            self._sessions[cipher] = key
            self._origins.setdefault(key, self._origins.get(opener, ""))

    # -- a connection

    def session_key(self, ticket: ServiceTicket) -> Key | None:
        """Return the session key of a ticket: from the exchange, or from the ticket itself."""
        known = self._sessions.get(ticket.cipher)
        if known is not None:
            return known
        sealed = _Sealed(ticket.etype, ticket.cipher)
        service = ticket.service, ticket.realm
        opened = _open(self._service_keys(*service, ticket.etype), (_USAGE_TICKET,), sealed)
        if opened is None:
            return None
        key = _key(read(read(opened[0]).content).context(1))
        self._remember(ticket.cipher, key, opened[1])
        return key

    def _service_keys(self, service: str, realm: str, etype: int) -> Iterator[Key]:
        yield from (key for key in self._keys if key.etype == etype)
        if etype not in ETYPES:
            return
        # A computer account's salt is REALM + "host" + its name in the domain.
        host = service.partition("/")[2].partition(".")[0].lower()
        domain = realm.lower()
        salts = [realm + service.replace("/", ""), f"{realm}host{host}.{domain}"]
        for password in self._passwords:
            for salt in salts:
                yield from self._derive(etype, password, salt.encode(), None)

    def log_on(self, token: bytes) -> KerberosContext | ServiceTicket | None:
        """Read a client's token: the context, or the ticket that no key opens, or None."""
        for request in find_application(token, _AP_REQ):
            try:
                body = read(request.content)
                ticket = _ticket(body.context(3))
                session = self.session_key(ticket)
                if session is None:
                    if (context := self._by_session(body, ticket)) is not None:
                        return context
                    return replace(ticket, user=self._users.get(ticket.cipher, ""))
                return self._context(body, session, ticket)
            except ValueError:
                continue
        return None

    def _by_session(self, body: Node, ticket: ServiceTicket) -> KerberosContext | None:
        """Try the given keys as session keys."""
        for key in self._keys:
            try:
                return self._context(body, key, ticket)
            except ValueError:
                continue
        return None

    def _context(self, body: Node, session: Key, ticket: ServiceTicket) -> KerberosContext:
        sealed = _encrypted(body.context(4))
        plain = decrypt(session, _USAGE_AUTHENTICATOR, sealed.cipher)
        authenticator = read(read(plain).content)
        subkey = authenticator.find(6)
        context = KerberosContext(
            session,
            user=f"{_name(authenticator.context(2))}@{authenticator.context(1).text()}",
            service=f"{ticket.service}@{ticket.realm}",
            origin=self._origins.get(session, ""),
        )
        if subkey is not None:
            context.accept(_key(subkey))
        return context

    def answered(self, context: KerberosContext, token: bytes) -> None:
        """Take the acceptor's sub-key from the server's token."""
        for reply in find_application(token, _AP_REP):
            try:
                sealed = _encrypted(read(reply.content).context(2))
                plain = decrypt(context.session, _USAGE_AP_REP, sealed.cipher)
                subkey = read(read(plain).content).find(2)
                context.answer(_key(subkey) if subkey is not None else None)
                return
            except ValueError:
                continue


def _usual_salts(client: str, realm: str) -> list[bytes]:
    """Return the salts of a user or a computer, for an exchange that does not name it.

    The account's own spelling counts, which a client may have written in another case.
    """
    name = client.replace("/", "")
    salts = [realm + name, realm + name.lower()]
    if name.endswith("$"):
        salts.append(f"{realm}host{name[:-1].lower()}.{realm.lower()}")
    return [salt.encode() for salt in dict.fromkeys(salts)]


@dataclass(frozen=True, slots=True)
class _Sealed:
    etype: int
    cipher: bytes


def _open(
    keys: Iterable[Key], usages: tuple[int, ...], sealed: _Sealed
) -> tuple[bytes, Key] | None:
    """Return the plain text and the key of the first key that fits."""
    for key in keys:
        if key.etype != sealed.etype:
            continue
        for usage in usages:
            try:
                return decrypt(key, usage, sealed.cipher), key
            except ValueError:
                continue
    return None


def _encrypted(node: Node) -> _Sealed:
    return _Sealed(node.context(0).integer(), node.context(2).content)


def _key(node: Node) -> Key:
    return Key(node.context(0).integer(), node.context(1).content)


def _name(node: Node) -> str:
    return "/".join(part.text() for part in node.context(1).children())


def _ticket(node: Node) -> ServiceTicket:
    body = read(node.content) if node.tag == 0x61 else node
    part = body.context(3)
    kvno = part.find(1)
    sealed = _encrypted(part)
    return ServiceTicket(
        service=_name(body.context(2)),
        realm=body.context(1).text(),
        etype=sealed.etype,
        kvno=kvno.integer() if kvno is not None else None,
        cipher=sealed.cipher,
    )
