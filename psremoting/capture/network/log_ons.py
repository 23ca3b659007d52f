"""The log-ons of recorded connections: NTLM and Kerberos tokens, alone, in SPNEGO or in CredSSP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from psremoting.capture.network.kerberos_keys import KerberosContext, ServiceTicket
from psremoting.capture.network.ntlm_keys import NtlmLogon, account_name, find_message, read_answer
from psrp.sansio import Side

if TYPE_CHECKING:
    from psremoting.capture.network.secrets import PacketSecrets

__all__ = ["Context", "Finding", "LogOnReader"]


class Context(Protocol):
    """The keys of one log-on."""

    name: str

    @property
    def missing(self) -> str: ...

    def unwrap(self, side: Side, header: bytes, data: bytes, *, search: bool = True) -> bytes: ...

    def lose(self, side: Side, size: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line about a log-on: a log-on itself, or credentials that it delegated."""

    type: str
    side: Side
    data: dict[str, Any]


class LogOnReader:
    """Tracker of the tokens of one connection."""

    def __init__(self, secrets: PacketSecrets) -> None:
        self._secrets = secrets
        self._challenge: bytes | None = None
        self._waiting: KerberosContext | None = None
        self.missing = ""
        """The secret that the last log-on lacks: a user's, or a ticket's with its type."""
        self.findings: list[Finding] = []

    def receive(self, side: Side, token: bytes) -> Context | None:
        """Take one token; return the context if it completes a log-on that a key opens."""
        if find_message(token) is not None:
            return self._ntlm(side, token)
        if side is Side.CLIENT:
            return self._kerberos(token)
        if self._waiting is not None:
            self._secrets.kerberos.answered(self._waiting, token)
            self._waiting = None
        return None

    def _kerberos(self, token: bytes) -> Context | None:
        found = self._secrets.kerberos.log_on(token)
        if isinstance(found, KerberosContext):
            self._waiting = found
            self.missing = ""
            self._found("Kerberos", found.user, service=found.service, key=found.origin)
            return found
        if isinstance(found, ServiceTicket):
            self.missing = f"a key for the ticket of {found}"
            self._found(
                "Kerberos", found.user, service=f"{found.service}@{found.realm}",
                missing=self.missing,
                etype=found.etype, kvno=found.kvno,
            )  # fmt: skip
        return None

    def _ntlm(self, side: Side, token: bytes) -> Context | None:
        if side is Side.SERVER:
            self._challenge = token
            return None
        if self._challenge is None:
            self._unlike(token, "the challenge to {user}, which the capture lacks")
            return None
        logon = NtlmLogon.read(self._challenge, token)
        if logon is None:
            self._unlike(token, "an NTLMv2 response: that of {user} is of another kind")
            return None
        self._challenge = None
        user = account_name(logon.user, logon.domain)
        opened = logon.open(self._secrets.hashes)
        if opened is None:
            self.missing = f"the password of {user}"
            self._found("NTLM", user, host=logon.workstation, missing=self.missing)
            return None
        context, digest = opened
        self.missing = ""
        self._found("NTLM", user, host=logon.workstation, key=self._secrets.origin(digest))
        return context

    def _unlike(self, token: bytes, missing: str) -> None:
        """Note a log-on that no password opens, and why: ``{user}`` stands for the account."""
        answer = read_answer(token)
        if answer is not None:
            user = account_name(answer.user, answer.domain)
            self.missing = missing.replace("{user}", user)
            self._found("NTLM", user, host=answer.workstation, missing=self.missing)

    def _found(self, mechanism: str, user: str, **more: Any) -> None:
        data = {"mechanism": mechanism, "user": user} | more
        shown = {name: value for name, value in data.items() if value not in ("", None)}
        self.findings.append(Finding(type="net:LogOn", side=Side.CLIENT, data=shown))
