"""The server's side of NTLM over a list of accounts.

pyspnego's own acceptor reads passwords from a file that an environment variable names, and accepts
channel bindings of zeros. This one takes NT hashes from a callback, and has the same methods, so
that pyspnego's SPNEGO can use it. Messages and arithmetic are pyspnego's. [MS-NLMP] 3.2.5, 3.4
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from spnego._context import UnwrapResult, WinRMWrapResult, WrapResult
from spnego._ntlm_raw import crypto, security
from spnego._ntlm_raw.messages import (
    Authenticate,
    AvFlags,
    AvId,
    Challenge,
    FileTime,
    Negotiate,
    NegotiateFlags,
    NTClientChallengeV2,
    TargetInfo,
    Version,
)

from wsman.auth import LOGON_FAILURE, AuthenticationRefused

__all__ = ["NtlmAcceptor"]

_EPOCH = 11644473600
"""Seconds between 1601, the epoch of FILETIME, and 1970."""
_SIGNATURE = 16
_FIXED_FLAGS = (
    NegotiateFlags.request_target
    | NegotiateFlags.ntlm
    | NegotiateFlags.always_sign
    | NegotiateFlags.target_info
    | NegotiateFlags.target_type_server
)


class NtlmAcceptor:
    """One log-on: `step` takes Negotiate, then Authenticate.

    ``find_hash`` returns the NT hash for a user and a domain, or None. An unknown user fails like a
    wrong password. ``bindings`` is the packed structure of channel bindings; a client that sends
    others is refused, and with ``strict`` also one that sends none. ``wall_time`` is the time in
    seconds since 1970; it goes into the challenge, so that clients protect the whole exchange.
    """

    # pyspnego's SPNEGO reads these attributes of its mechanisms.
    _is_wrapped = True
    negotiated_protocol = "ntlm"

    def __init__(
        self,
        *,
        find_hash: Callable[[str, str], bytes | None],
        computer: str,
        random: Callable[[int], bytes],
        wall_time: float,
        bindings: bytes | None = None,
        strict: bool = False,
    ) -> None:
        self._find_hash = find_hash
        self._computer = computer
        self._random = random
        self._wall_time = wall_time
        self._bindings = bindings
        self._strict = strict
        self._negotiate: Negotiate | None = None
        self._challenge: Challenge | None = None
        self._flags = 0
        self._mic_seen = False
        self._keys: _Keys | None = None
        self.user = ""
        self.domain = ""

    @property
    def complete(self) -> bool:
        return self._keys is not None

    @property
    def client_principal(self) -> str | None:
        if not self.complete:
            return None
        return f"{self.domain}\\{self.user}" if self.domain else self.user

    @property
    def context_attr(self) -> int:
        return self._flags

    @property
    def _requires_mech_list_mic(self) -> bool:
        return self._mic_seen

    def step(self, in_token: bytes | None = None, *, channel_bindings: Any = None) -> bytes | None:
        """Take the client's next token. Raises AuthenticationRefused, and pyspnego's errors."""
        token = in_token or b""
        if self._challenge is None:
            return self._answer_negotiate(token)
        if self.complete:
            raise AuthenticationRefused("NTLM: expected no token after the last one")
        self._check_authenticate(Authenticate.unpack(token))
        return None

    def _answer_negotiate(self, token: bytes) -> bytes:
        negotiate = Negotiate.unpack(token)
        flags = negotiate.flags | _FIXED_FLAGS
        if flags & NegotiateFlags.unicode:
            flags &= ~NegotiateFlags.oem
        elif not flags & NegotiateFlags.oem:
            raise AuthenticationRefused("NTLM: expected a client that takes Unicode or OEM text")
        if not flags & NegotiateFlags.extended_session_security:
            raise AuthenticationRefused("NTLM: expected a client with extended session security")
        flags &= ~NegotiateFlags.lm_key
        name = self._computer.partition(".")[0].upper()[:15]
        info = TargetInfo()
        info[AvId.nb_computer_name] = name
        info[AvId.nb_domain_name] = name
        info[AvId.dns_computer_name] = self._computer
        ticks = int((self._wall_time + _EPOCH) * 10_000_000)
        info[AvId.timestamp] = FileTime.unpack(ticks.to_bytes(8, "little"))
        version = Version(10, 0, 20348) if flags & NegotiateFlags.version else None
        self._negotiate = negotiate
        self._challenge = Challenge(
            flags, self._random(8), target_name=name, target_info=info, version=version
        )
        return self._challenge.pack()

    def _check_authenticate(self, message: Authenticate) -> None:
        assert self._challenge is not None
        self.user = message.user_name or ""
        self.domain = message.domain_name or ""
        response = message.nt_challenge_response or b""
        if len(response) <= 24:
            # NTLMv1 and LM can be broken in minutes, so they are refused.
            raise AuthenticationRefused("NTLM: expected a response of version 2", LOGON_FAILURE)
        known = self._find_hash(self.user, self.domain)
        nt_hash = crypto.ntowfv2(
            self.user, known if known is not None else self._random(16), self.domain
        )
        proof = hmac.new(
            nt_hash, self._challenge.server_challenge + response[16:], hashlib.md5
        ).digest()
        if not hmac.compare_digest(proof, response[:16]) or known is None:
            raise AuthenticationRefused("NTLM: unknown user or wrong password", LOGON_FAILURE)
        info = NTClientChallengeV2.unpack(response[16:]).av_pairs
        self._check_bindings(info)
        key = hmac.new(nt_hash, proof, hashlib.md5).digest()
        if message.flags & NegotiateFlags.key_exch:
            key = crypto.rc4k(key, message.encrypted_random_session_key or b"")
        self._check_mic(message, info, key)
        self._flags = message.flags
        self._keys = _Keys(message.flags, key)

    def _check_bindings(self, info: TargetInfo) -> None:
        if self._bindings is None:
            return
        sent = info.get(AvId.channel_bindings, bytes(16))
        if sent == bytes(16):
            if self._strict:
                raise AuthenticationRefused("NTLM: expected channel bindings")
        elif sent != hashlib.md5(self._bindings).digest():
            raise AuthenticationRefused("NTLM: the channel bindings are those of another channel")

    def _check_mic(self, message: Authenticate, info: TargetInfo, key: bytes) -> None:
        assert self._negotiate is not None
        assert self._challenge is not None
        self._mic_seen = bool(info.get(AvId.flags, 0) & AvFlags.mic)
        if not self._mic_seen:
            return
        sent = message.mic or b""
        message.mic = bytes(16)
        whole = self._negotiate.pack() + self._challenge.pack() + message.pack()
        made = hmac.new(key, whole, hashlib.md5).digest()
        if not hmac.compare_digest(made, sent):
            raise AuthenticationRefused("NTLM: the exchange was changed on its way")

    # -- sealing

    @property
    def can_seal(self) -> bool:
        return bool(self._flags & NegotiateFlags.seal)

    def _usable(self) -> _Keys:
        if self._keys is None:
            raise AuthenticationRefused("NTLM: the log-on is not complete")
        return self._keys

    def wrap_winrm(self, data: bytes) -> WinRMWrapResult:
        sealed, signature = self._usable().seal(data)
        return WinRMWrapResult(header=signature, data=sealed, padding_length=0)

    def unwrap_winrm(self, header: bytes, data: bytes) -> bytes:
        return self._usable().unseal(header, data)

    def wrap(self, data: bytes, encrypt: bool = True, qop: int | None = None) -> WrapResult:
        sealed, signature = self._usable().seal(data)
        return WrapResult(data=signature + sealed, encrypted=True)

    def unwrap(self, data: bytes) -> UnwrapResult:
        plain = self._usable().unseal(data[:_SIGNATURE], data[_SIGNATURE:])
        return UnwrapResult(data=plain, encrypted=True, qop=0)

    def sign(self, data: bytes, qop: int | None = None) -> bytes:
        return self._usable().sign(data)

    def verify(self, data: bytes, mic: bytes) -> int:
        return self._usable().verify(data, mic)

    def _reset_ntlm_crypto_state(self, outgoing: bool = True) -> None:
        self._usable().reset(outgoing)


class _Keys:
    """Sealing and signing of both directions. [MS-NLMP] 3.4"""

    def __init__(self, flags: int, session_key: bytes) -> None:
        self._flags = flags
        self._sign_out = crypto.signkey(flags, session_key, "accept")
        self._sign_in = crypto.signkey(flags, session_key, "initiate")
        self._out = crypto.rc4init(crypto.sealkey(flags, session_key, "accept"))
        self._in = crypto.rc4init(crypto.sealkey(flags, session_key, "initiate"))
        self._number_out = 0
        self._number_in = 0

    def seal(self, data: bytes) -> tuple[bytes, bytes]:
        sealed, signature = security.seal(
            self._flags, self._out, self._sign_out, self._number_out, data
        )
        self._number_out += 1
        return sealed, signature

    def unseal(self, signature: bytes, data: bytes) -> bytes:
        plain = self._in.update(data)
        self.verify(plain, signature)
        return plain

    def sign(self, data: bytes) -> bytes:
        signature = security.sign(self._flags, self._out, self._sign_out, self._number_out, data)
        self._number_out += 1
        return signature

    def verify(self, data: bytes, signature: bytes) -> int:
        made = security.sign(self._flags, self._in, self._sign_in, self._number_in, data)
        self._number_in += 1
        if not hmac.compare_digest(made, signature):
            raise AuthenticationRefused("NTLM: the signature is wrong")
        return 0

    def reset(self, outgoing: bool) -> None:
        """Restart the key streams after the mechListMIC; the sequence numbers continue."""
        (self._out if outgoing else self._in).reset()
