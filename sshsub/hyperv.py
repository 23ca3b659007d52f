"""The PowerShell Direct handshake on a Hyper-V socket, before the packets.

A guest has two services. The *broker* takes the credentials and returns a token; a second socket,
to the *session*, sends that token and carries packets from then on. Old guests have neither
versions nor tokens (*legacy*): their session socket begins with packets at once.

Messages are not delimited on the wire: the sides take turns, and one read is one message. Keywords
are reassembled here if they arrive in pieces; a domain, a user, a password, a name and a token
cannot be. Sources: spec-notes/hyperv.md.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Generator
from dataclasses import field
from typing import Any, TypeAlias
from uuid import UUID

from psrp.frozen import dataclass
from psrp.sansio import LimitExceeded, LocalProtocolError, RemoteProtocolError

__all__ = [
    "AF_HYPERV",
    "BROKER_SERVICE",
    "MAX_MESSAGE",
    "SESSION_SERVICE",
    "Credential",
    "Granted",
    "Handshake",
    "HandshakeError",
    "InvalidCredential",
    "Requested",
    "broker_client",
    "broker_server",
    "session_client",
    "session_server",
]

AF_HYPERV = 34
BROKER_SERVICE = UUID("999e53d4-3d5c-4c3e-8779-bed06ec056e1")
SESSION_SERVICE = UUID("a5201c21-2770-4c11-a68e-f182edb29220")
MAX_MESSAGE = 4096
"""Maximum size in bytes of one message of the peer; real ones are shorter than 1,024."""

_PROBE_USER = "?<PSDirectVMLegacy>"
_PASS, _FAIL, _CONF = b"PASS", b"FAIL", b"CONF"


class HandshakeError(RemoteProtocolError):
    """The peer does not follow the handshake."""

    error_id = "HyperVInvalidResponse"


class InvalidCredential(HandshakeError):
    """The peer refuses the credential or the token, or sends one that is refused."""

    error_id = "InvalidCredential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """The credential for the guest. Without a domain it is "localhost"."""

    user_name: str
    password: str = field(default="", repr=False)
    domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The broker's answer: a token, or the news that the broker is an old one.

    ``legacy``: nothing was agreed. Open a new connection and use `broker_client` with ``legacy``.
    """

    token: str | None = field(default=None, repr=False)
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """A client's request to a broker, with its credential checked."""

    domain: str
    user_name: str
    configuration_name: str = ""
    legacy: bool = False


# -- the machine: a script yields bytes to send and the function that finds an answer's end

Cut: TypeAlias = Callable[[bytes], int]
"""Returns the size of the first message in the buffer; 0 while it is incomplete."""
Script: TypeAlias = Generator[tuple[bytes, Cut], bytes, Any]


def _word(*words: bytes) -> Cut:
    """Return a cut at one of these words, or at the end of data that cannot become one."""

    def cut(data: bytes) -> int:
        for word in words:
            if data.startswith(word):
                return len(word)
        return 0 if any(word.startswith(data) for word in words) else len(data)

    return cut


def _opening(data: bytes) -> int:
    """Cut the first message: VERSION, or an old client's domain."""
    return 0 if data != b"VERSION" and b"VERSION".startswith(data) else len(data)


def _utf16(data: bytes) -> int:
    return 0 if len(data) % 2 else len(data)


def _version(data: bytes) -> int:
    prefix = b"VERSION_"
    return 0 if prefix.startswith(data) else _word(_PASS, _FAIL)(data)


class Handshake:
    """One side of one handshake: drive it until ``done``, then read ``result`` and ``rest``."""

    def __init__(self, script: Script, *, max_message: int = MAX_MESSAGE) -> None:
        self._script = script
        self._max = max_message
        self._buffer = b""
        self._cut: Cut = _opening
        self._out: list[bytes] = []
        self._error: RemoteProtocolError | None = None
        self._result: Any = None
        self.done = False
        self._advance(None)

    @property
    def result(self) -> Any:
        """The result of the handshake. Raises LocalProtocolError before its end."""
        if not self.done:
            raise LocalProtocolError("the handshake is not done")
        return self._result

    @property
    def rest(self) -> bytes:
        """Bytes of the peer after the handshake: the first packets."""
        return self._buffer if self.done else b""

    def data_to_send(self) -> bytes:
        """Return bytes to write at once, before the next read, so that messages stay separate."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def receive_data(self, data: bytes) -> None:
        """Take the bytes of one read; ``b""`` is the end of the stream.

        Raises HandshakeError, InvalidCredential or LimitExceeded, and again on every later
        call; `data_to_send` then returns the bytes that report the error to the peer.
        """
        if self._error is not None:
            raise self._error
        try:
            self._take(data)
        except RemoteProtocolError as error:
            self._error = error
            raise

    def _take(self, data: bytes) -> None:
        if not data and not self.done:
            raise HandshakeError("the stream ended in the middle of the handshake")
        self._buffer += data
        while not self.done:
            # Some peers end their messages with NUL.
            word = self._cut not in (_utf16, _opening)
            text = self._buffer.lstrip(b"\0") if word else self._buffer
            if len(text) > self._max:
                raise LimitExceeded("handshake message", len(text), self._max)
            end = self._cut(text) if text else 0
            if not end:
                return
            message, self._buffer = text[:end], text[end:]
            self._advance(message.rstrip(b"\0") if word else message)

    def _advance(self, message: bytes | None) -> None:
        try:
            said, self._cut = next(self._script) if message is None else self._script.send(message)
        except StopIteration as end:
            said, self._result = end.value
            self.done = True
        except HandshakeError:
            self._out.append(_FAIL)
            raise
        if said:
            self._out.append(said)


def _wanted(got: bytes, wanted: bytes, when: str) -> None:
    if got != wanted:
        raise HandshakeError(f"the answer to the {when} is not {wanted.decode()}")


# -- the client


def broker_client(
    credential: Credential, *, configuration_name: str = "", legacy: bool = False
) -> Handshake:
    """Return the handshake on the first socket; its result is `Granted`.

    Raises LocalProtocolError without a user name.
    """
    if not credential.user_name:
        raise LocalProtocolError("PowerShell Direct needs a user name")
    return Handshake(_ask_broker(credential, configuration_name, legacy))


def _ask_broker(who: Credential, configuration: str, legacy: bool) -> Script:
    if not legacy:
        answer = yield b"VERSION", _version
        if not answer.startswith(b"VERSION_"):
            # An old broker took that for a domain: end the conversation as it expects.
            yield _PROBE_USER.encode("utf-16-le"), _word(_PASS, _FAIL)
            yield b"EMPTYPW", _word(_PASS, _FAIL, _CONF)
            return _FAIL, Granted(legacy=True)
        answer = yield b"VERSION_2", _word(_PASS, _FAIL)
        _wanted(answer, _PASS, "version")
    for what, text in (("domain", who.domain or "localhost"), ("user", who.user_name)):
        answer = yield text.encode("utf-16-le"), _word(_PASS, _FAIL)
        _wanted(answer, _PASS, what)
    if who.password:
        answer = yield b"NONEMPTYPW", _word(_PASS, _FAIL)
        _wanted(answer, _PASS, "announced password")
    secret = who.password.encode("utf-16-le") if who.password else b"EMPTYPW"
    answer = yield secret, _word(_PASS, _FAIL, _CONF)
    if answer == _FAIL:
        raise InvalidCredential("the credential is invalid")
    said = _PASS
    if answer == _CONF:
        said = b"EMPTYCF"
        if configuration:
            answer = yield b"NONEMPTYCF", _word(_PASS, _FAIL)
            _wanted(answer, _PASS, "announced configuration")
            said = configuration.encode("utf-16-le")
    elif answer != _PASS:
        raise HandshakeError("the answer to the credential is none of PASS, FAIL, CONF")
    if legacy:
        return said, Granted()
    answer = yield said, _token
    return _PASS, Granted(token=_token_in(answer))


def _token(data: bytes) -> int:
    return 0 if b"TOKEN ".startswith(data) else len(data)


def _token_in(message: bytes) -> str:
    token = message.decode("ascii", "replace").removeprefix("TOKEN ").strip()
    if not message.startswith(b"TOKEN ") or not token:
        raise HandshakeError("no token where one was due")
    return token


def session_client(token: str) -> Handshake:
    """Return the handshake on the second socket; packets may follow once it is done."""
    if not token:
        raise LocalProtocolError("a session needs the broker's token")
    return Handshake(_show_token(token))


def _show_token(token: str) -> Script:
    answer = yield b"VERSION", _version
    if not answer.startswith(b"VERSION_"):
        raise HandshakeError("the session's service does not answer with its version")
    answer = yield b"VERSION_2", _word(_PASS, _FAIL)
    _wanted(answer, _PASS, "version")
    answer = yield b"TOKEN " + token.encode(), _word(_PASS, _FAIL)
    if answer != _PASS:
        raise InvalidCredential("the token is refused")
    return b"", None


# -- the server

Check: TypeAlias = Callable[[Credential], bool]


def broker_server(
    check: Check, token: str, *, legacy: bool = False, configurations: bool = True
) -> Handshake:
    """Return the guest's side of the broker handshake; its result is `Requested`.

    ``check`` validates the credential. ``legacy`` acts as an old broker; a new one also serves old
    clients. ``configurations``: ask for a configuration name.
    """
    return Handshake(_serve_broker(check, token, legacy, configurations))


def _serve_broker(check: Check, token: str, legacy: bool, configurations: bool) -> Script:
    first = yield b"", _opening
    if not legacy and first.rstrip(b"\0") == b"VERSION":
        answer = yield b"VERSION_2", _version
        if not answer.startswith(b"VERSION_"):
            raise HandshakeError("the client does not answer with its version")
        first = yield _PASS, _utf16
    else:
        legacy = True
    domain = first.decode("utf-16-le", "replace")
    user = (yield _PASS, _utf16).decode("utf-16-le", "replace")
    answer = yield _PASS, _word(b"NONEMPTYPW", b"EMPTYPW")
    password = ""
    if answer == b"NONEMPTYPW":
        password = (yield _PASS, _utf16).decode("utf-16-le", "replace")
    elif answer != b"EMPTYPW":
        raise HandshakeError("the client does not announce a password")
    if not check(Credential(domain=domain, user_name=user, password=password)):
        raise InvalidCredential("the credential is invalid")
    name = ""
    answer = yield (_CONF if configurations else _PASS), _word(_PASS, b"EMPTYCF", b"NONEMPTYCF")
    if answer == b"NONEMPTYCF":
        name = (yield _PASS, _utf16).decode("utf-16-le", "replace")
    if not legacy:
        answer = yield b"TOKEN " + token.encode(), _word(_PASS, _FAIL)
        _wanted(answer, _PASS, "token")
    wanted = Requested(domain=domain, user_name=user, configuration_name=name, legacy=legacy)
    return b"", wanted


def session_server(token: str) -> Handshake:
    """Return the guest's side of the session handshake. The caller checks a token's age."""
    return Handshake(_serve_session(token))


def _serve_session(token: str) -> Script:
    answer = yield b"", _word(b"VERSION")
    _wanted(answer, b"VERSION", "connection")
    answer = yield b"VERSION_2", _version
    if not answer.startswith(b"VERSION_"):
        raise HandshakeError("the client does not answer with its version")
    shown = _token_in((yield _PASS, _token))
    if not hmac.compare_digest(shown.encode(), token.encode()):
        raise InvalidCredential("the token is refused")
    return _PASS, None
