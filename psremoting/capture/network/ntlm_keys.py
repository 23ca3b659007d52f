"""Derivation of NTLM keys from a recorded log-on and a password or NT hash.

pyspnego reads the messages and has the primitives; this is the observer's side of it, which opens
what both sides sealed. [MS-NLMP] 3.3.2, 3.4
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spnego._ntlm_raw import crypto
from spnego._ntlm_raw.messages import Authenticate, Challenge, NegotiateFlags, NTLMMessage

from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["NtlmAnswer", "NtlmContext", "NtlmLogon", "account_name", "find_message", "nt_hash",
           "read_answer"]  # fmt: skip

_SIGNATURE = b"NTLMSSP\0"
_SKIP = 1 << 20
"""Bytes of lost sealed data over which the key stream is searched for the next message."""
_PROBE = 12
"""Bytes of a message that are looked at before its signature is computed."""
_KEPT, _KEPT_KEY = 8, 1 << 20
"""Messages, and bytes of one, whose key stream is kept for a second copy."""
_FIRST_BYTES = frozenset(b"<\xef\xff\xfe")
"""First bytes of an envelope: markup or a byte order mark."""


def nt_hash(password: str) -> bytes:
    """Return the NT hash of a password."""
    return bytes(crypto.ntowfv1(password))


def find_message(token: bytes) -> bytes | None:
    """Return the NTLM message in a token: raw, or inside SPNEGO."""
    at = token.find(_SIGNATURE)
    return token[at:] if at >= 0 else None


def _unpack(message: bytes) -> NTLMMessage | None:
    try:
        return NTLMMessage.unpack(message)
    except Exception:  # the library raises many kinds for damaged messages
        return None


def account_name(user: str, domain: str) -> str:
    """Return an account for people: with its domain if it has one."""
    return f"{domain}\\{user}" if domain else user


@dataclass(frozen=True, slots=True, kw_only=True)
class NtlmAnswer:
    """The names in an AUTHENTICATE_MESSAGE."""

    user: str
    domain: str
    workstation: str


def read_answer(token: bytes) -> NtlmAnswer | None:
    """Return the names of a token that is an AUTHENTICATE_MESSAGE with a user, else None."""
    message = find_message(token)
    answer = _unpack(message) if message is not None else None
    if not isinstance(answer, Authenticate) or not answer.user_name:
        return None
    return NtlmAnswer(
        user=answer.user_name,
        domain=answer.domain_name or "",
        workstation=answer.workstation or "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NtlmLogon:
    """An AUTHENTICATE_MESSAGE with the challenge that it answers."""

    user: str
    domain: str
    workstation: str
    flags: int
    response: bytes
    sealed_key: bytes
    challenge: bytes
    spnego: bool

    @classmethod
    def read(cls, challenge: bytes, token: bytes) -> NtlmLogon | None:
        """Read both tokens; None if they are not a log-on with NTLMv2."""
        first, last = find_message(challenge), find_message(token)
        asked = _unpack(first) if first is not None else None
        answer = _unpack(last) if last is not None else None
        if not isinstance(asked, Challenge) or not isinstance(answer, Authenticate):
            return None
        response = answer.nt_challenge_response or b""
        if len(response) <= 24:
            return None
        return cls(
            user=answer.user_name or "",
            domain=answer.domain_name or "",
            workstation=answer.workstation or "",
            flags=int(answer.flags),
            response=response,
            sealed_key=answer.encrypted_random_session_key or b"",
            challenge=asked.server_challenge,
            spnego=not token.startswith(_SIGNATURE),
        )

    def open(self, hashes: Iterable[bytes]) -> tuple[NtlmContext, bytes] | None:
        """Return the context of the first NT hash whose proof is the recorded one, and the hash."""
        proof, blob = self.response[:16], self.response[16:]
        for candidate in hashes:
            key = crypto.ntowfv2(self.user, candidate, self.domain)
            if crypto.hmac_md5(key, self.challenge + blob) != proof:
                continue
            session = crypto.hmac_md5(key, proof)
            if self.flags & NegotiateFlags.key_exch:
                session = crypto.rc4k(session, self.sealed_key)
            return NtlmContext(self.flags, session, spnego=self.spnego), candidate
        return None


class NtlmContext:
    """Decryption of the messages of both sides, in the order of each side."""

    name = "NTLM"
    missing = ""

    def __init__(self, flags: int, session_key: bytes, *, spnego: bool) -> None:
        self._exchanged = bool(flags & NegotiateFlags.key_exch)
        self._sides = {
            side: _Side(
                sign=crypto.signkey(flags, session_key, usage),
                stream=_KeyStream(crypto.rc4init(crypto.sealkey(flags, session_key, usage))),
                # SPNEGO's mechListMIC takes the first number; the key stream starts anew after it.
                next=1 if spnego else 0,
            )
            for side, usage in ((Side.CLIENT, "initiate"), (Side.SERVER, "accept"))
        }

    def unwrap(self, side: Side, header: bytes, data: bytes, *, search: bool = True) -> bytes:
        """Return the plain text. Raises ValueError if the signature does not match.

        Messages that the capture lacks are skipped: the signature has the number of a message,
        and with ``search`` the key stream is searched for the place at which it fits. A message
        that was sent again opens with the key of its first copy.
        """
        if len(header) != 16 or header[:4] != b"\x01\0\0\0":
            raise ValueError("not the signature of an NTLM message")
        number = int.from_bytes(header[12:16], "little")
        state = self._sides[side]
        size = len(data) + 8
        for known, key in state.past:
            if known == number and len(key) == size:
                plain = _xor(data, key)
                if self._signature(state.sign, number, plain, key) == header[4:12]:
                    return plain
        if number < state.next:
            raise ValueError("the signature does not fit")
        limit = _SKIP if search and number > state.next else 1
        for offset in state.stream.places(limit, data[:_PROBE]):
            key = state.stream.peek(offset, size)
            plain = _xor(data, key)
            if self._signature(state.sign, number, plain, key) == header[4:12]:
                state.stream.drop(offset + size)
                state.next = number + 1
                if size <= _KEPT_KEY:
                    state.past.append((number, key))
                return plain
        raise ValueError("the signature does not fit")

    def lose(self, side: Side, size: int) -> None:
        """Skip an encrypted message of ``size`` bytes that could not be decrypted."""
        self._sides[side].stream.drop(size + 8)
        self._sides[side].next += 1

    def _signature(self, sign: bytes, number: int, plain: bytes, key: bytes) -> bytes:
        found = crypto.hmac_md5(sign, number.to_bytes(4, "little") + plain)[:8]
        return _xor(found, key[len(plain) :]) if self._exchanged else bytes(found)


@dataclass(slots=True)
class _Side:
    sign: bytes
    stream: _KeyStream
    next: int
    """Number of the next message."""
    past: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """Numbers and key streams of the last messages."""


class _KeyStream:
    """An RC4 key stream with a view of its coming bytes."""

    def __init__(self, handle: crypto.RC4Handle) -> None:
        self._handle = handle
        self._held = bytearray()

    def peek(self, offset: int, size: int) -> bytes:
        self._grow(offset + size)
        return bytes(self._held[offset : offset + size])

    def places(self, limit: int, first: bytes) -> Iterator[int]:
        """Yield 0, and further offsets at which the plain text could begin with markup."""
        yield 0
        if not first:
            return
        for start in range(1, limit, 4096):
            self._grow(start + 4096)
            self._grow(start + 4096 + len(first))
            for offset in range(start, min(start + 4096, limit)):
                if self._held[offset] ^ first[0] in _FIRST_BYTES and _begins(
                    _xor(first, bytes(self._held[offset : offset + len(first)]))
                ):
                    yield offset

    def drop(self, size: int) -> None:
        self._grow(size)
        del self._held[:size]

    def _grow(self, size: int) -> None:
        if len(self._held) < size:
            self._held += crypto.rc4(self._handle, bytes(max(size - len(self._held), 4096)))


def _begins(text: bytes) -> bool:
    """Return True if an envelope may begin like this: ASCII, or UTF-16 with or without its mark."""
    if text[:2] == b"\xff\xfe" or text[1:2] == b"\0":
        return not any(text[3::2])
    if text[:2] == b"\xfe\xff":
        return not any(text[2::2])
    text = text.removeprefix(b"\xef\xbb\xbf")
    return all(each in b"\t\r\n" or 0x20 <= each < 0x7F for each in text)


def _xor(data: bytes, key: bytes) -> bytes:
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(key[:size], "big")).to_bytes(size, "big")
