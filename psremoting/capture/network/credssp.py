"""CredSSP inside HTTP: TLS in the authentication legs, a log-on inside, then sealed bodies.

The legs carry TLS records; the TSRequests in them carry the tokens of NTLM or Kerberos, a proof of
the server's key, and the delegated credentials, which the keys of that log-on seal once more. The
bodies of HTTP messages are sealed by TLS alone. [MS-CSSP] 2.2.1, 3.1.5
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from psremoting.capture.entries import Hidden
from psremoting.capture.network.der import DerError, Node, read
from psremoting.capture.network.log_ons import Finding, LogOnReader
from psremoting.capture.network.tls import TlsSession
from psrp.sansio import Side

if TYPE_CHECKING:
    from psremoting.capture.network.log_ons import Context
    from psremoting.capture.network.secrets import PacketSecrets

__all__ = ["CredSspContext"]

_TOKENS, _CREDENTIALS, _PROOF, _ERROR = 1, 2, 3, 4
_PASSWORD, _SMART_CARD, _REMOTE_GUARD = 1, 2, 6
_KINDS = {_SMART_CARD: "a smart card", _REMOTE_GUARD: "Remote Credential Guard"}
_MAX_REQUEST = 1 << 20


class CredSspContext:
    """One connection that authenticates with CredSSP."""

    name = "CredSSP"

    def __init__(self, secrets: PacketSecrets) -> None:
        self._tls = TlsSession(secrets.tls)
        self._logon = LogOnReader(secrets)
        self._inner: Context | None = None
        self._buffers = {side: bytearray() for side in Side}

    @property
    def missing(self) -> str:
        return f"{self._tls.missing} (TLS inside CredSSP)"

    @property
    def origin(self) -> str:
        return f"{self._tls.version}, {self._tls.suite}"

    def take_findings(self) -> list[Finding]:
        """Return what was found since the last call: the log-on, and credentials."""
        found, self._logon.findings = self._logon.findings, []
        return found

    def leg(self, side: Side, token: bytes) -> None:
        """Take the token of one leg."""
        for piece in self._tls.receive(side, token):
            if piece.data:
                self._requests(piece.side, piece.data)

    def unwrap(self, side: Side, header: bytes, data: bytes, *, search: bool = True) -> bytes:
        """Return the plain text of a part. Raises ValueError if it stays sealed."""
        opened = []
        for piece in self._tls.receive(side, header + data):
            if piece.sealed or piece.gap or piece.side is not side:
                raise ValueError("the TLS records do not open")
            opened.append(piece.data)
        return b"".join(opened)

    def lose(self, side: Side, size: int) -> None:
        """Note that a message of about ``size`` bytes is missing."""
        self._tls.lose(side, size)

    def _requests(self, side: Side, data: bytes) -> None:
        buffer = self._buffers[side]
        buffer += data
        while buffer:
            try:
                request = read(bytes(buffer))
            except DerError:
                if len(buffer) > _MAX_REQUEST:
                    buffer.clear()
                return
            with suppress(ValueError):
                self._request(side, request)
            del buffer[: request.size]

    def _request(self, side: Side, request: Node) -> None:
        if (tokens := request.find(_TOKENS)) is not None:
            for each in tokens.children():
                context = self._logon.receive(side, each.context(0).content)
                self._inner = context or self._inner
        if (proof := request.find(_PROOF)) is not None and self._inner is not None:
            # It is read for its place in the key stream only.
            self._unwrap_inner(side, proof.content)
        if (credentials := request.find(_CREDENTIALS)) is not None:
            self._credentials(side, credentials.content)
        if (error := request.find(_ERROR)) is not None:
            code = f"0x{error.integer() & 0xFFFFFFFF:08x}"
            data = {"mechanism": "CredSSP", "error": code}
            self._logon.findings.append(Finding(type="net:LogOn", side=side, data=data))

    def _unwrap_inner(self, side: Side, token: bytes) -> bytes | None:
        if self._inner is None:
            return None
        size = 16 if self._inner.name == "NTLM" else 0
        try:
            return self._inner.unwrap(side, token[:size], token[size:], search=False)
        except ValueError:
            return None

    def _credentials(self, side: Side, sealed: bytes) -> None:
        plain = self._unwrap_inner(side, sealed)
        if plain is None:
            missing = self._logon.missing or "the keys of the log-on inside"
            data: dict[str, object] = {"sealed": len(sealed), "missing": missing}
        else:
            data = _read_credentials(plain)
        self._logon.findings.append(Finding(type="net:Credentials", side=side, data=data))


def _read_credentials(plain: bytes) -> dict[str, object]:
    outer = read(plain)
    kind = outer.context(0).integer()
    if kind != _PASSWORD:
        return {"kind": _KINDS.get(kind, f"type {kind}")}
    inner = read(outer.context(1).content)
    domain, user, password = (
        inner.context(number).content.decode("utf-16-le", "replace") for number in range(3)
    )
    account = f"{domain}\\{user}" if domain else user
    return {"kind": "password", "user": account, "password": Hidden(password)}
