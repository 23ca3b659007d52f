"""The secrets that decrypt packet captures: passwords, hashes, keys, and files of them."""

from __future__ import annotations

import re

from psremoting.capture.key_ring import load_rsa_key
from psremoting.capture.network.kerberos_crypto import ETYPES, Key
from psremoting.capture.network.kerberos_keys import KEYTAB, KerberosKeys, read_keytab
from psremoting.capture.network.ntlm_keys import nt_hash
from psremoting.capture.network.tls_keys import TlsSecrets
from psremoting.capture.source import CaptureError

__all__ = ["PacketSecrets"]

_BY_NAME = {name: number for number, name in ETYPES.items()} | {"rc4_hmac": 23, "arcfour-hmac": 23}
_DUMPED = re.compile(r"[^:]+:\d+:[0-9a-fA-F]{32}:(?P<hash>[0-9a-fA-F]{32}):::.*")
_KERBEROS = re.compile(r"[^:]+:(?P<etype>[a-z0-9_-]+):(?P<key>[0-9a-fA-F]+)")
_CRACKED_NTLMV2 = re.compile(
    r"[^:]*::[^:]*:[0-9a-fA-F]{16}:[0-9a-fA-F]{32}:[0-9a-fA-F]+:(?P<password>.*)"
)
_CRACKED_KERBEROS = re.compile(r"\$krb5\w+\$.*:(?P<password>[^:]*)")
_CRACKED_HASH = re.compile(r"(?P<hash>[0-9a-fA-F]{32}):(?P<password>.*)")
_HEX_PASSWORD = re.compile(r"\$HEX\[((?:[0-9a-fA-F]{2})*)\]")
_HASH = re.compile(r"(?:[0-9a-fA-F]{32}:)?([0-9a-fA-F]{32})")
_MAX_KEY_FILE = 64 << 20


class PacketSecrets:
    """All secrets that may decrypt a connection. They never appear in a repr."""

    def __init__(self) -> None:
        self.kerberos = KerberosKeys()
        self.tls = TlsSecrets()
        self._hashes: dict[bytes, str] = {}
        """NT hashes to the option or the place that they came from."""
        self._passwords = 0

    def __bool__(self) -> bool:
        return bool(self._hashes or self.kerberos or self.tls)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The NT hashes, in the order in which they were added."""
        return tuple(self._hashes)

    def origin(self, digest: bytes) -> str:
        """Return where an NT hash came from, for people."""
        return self._hashes.get(digest, "")

    def add_password(self, password: str, origin: str = "") -> None:
        """Add a password of a user or a service. ``origin`` names it in the output."""
        self._passwords += 1
        origin = origin or f"password {self._passwords}"
        self._hashes.setdefault(nt_hash(password), origin)
        self.kerberos.add_password(password, origin)

    def add_nt_hash(self, text: str, origin: str = "an NT hash") -> None:
        """Add an NT hash of 32 hexadecimal digits; ``LM:NT`` is read too. Raises ValueError."""
        found = _HASH.fullmatch(text.strip())
        if found is None:
            raise ValueError("expected an NT hash of 32 hexadecimal digits")
        self._add_hash(bytes.fromhex(found[1]), origin)

    def _add_hash(self, value: bytes, origin: str) -> None:
        self._hashes.setdefault(value, origin)
        # The NT hash is the RC4 key of the account.
        self.kerberos.add_key(Key(23, value), origin)

    def add_key(self, text: str, origin: str = "a key given") -> None:
        """Add a Kerberos key in hexadecimal, of a session, a service or krbtgt.

        The type follows from the length, unless it is given as ``TYPE:KEY``: 32 digits are tried
        as RC4 and as AES128, 64 as AES256. Raises ValueError.
        """
        name, _, digits = text.strip().rpartition(":")
        try:
            value = bytes.fromhex(digits)
        except ValueError:
            raise ValueError("expected a key in hexadecimal") from None
        if name:
            if name.lower() not in _BY_NAME:
                raise ValueError(f"unknown encryption type {name!r}")
            self.kerberos.add_key(Key(_BY_NAME[name.lower()], value), origin)
            return
        etypes = {16: (23, 17, 19), 32: (18, 20)}.get(len(value))
        if etypes is None:
            raise ValueError("expected a key of 16 or 32 bytes")
        for etype in etypes:
            self.kerberos.add_key(Key(etype, value), origin)

    def add_keytab(self, path: str) -> None:
        """Add all keys of a keytab. Raises CaptureError."""
        try:
            for name, key in read_keytab(_read(path)):
                origin = f"the keytab's key of {name} ({ETYPES[key.etype]})"
                self.kerberos.add_key(key, origin)
                if key.etype == 23:
                    self._hashes.setdefault(key.value, origin)
        except ValueError as error:
            raise CaptureError(path, str(error), 0) from None

    def add_key_log(self, path: str) -> None:
        """Add a TLS key log. Raises CaptureError for a file without any line of one."""
        if not self.tls.add_log(_read(path)):
            raise CaptureError(path, "no line of a TLS key log", 0)

    def add_server_key(self, path: str) -> None:
        """Add the RSA private key of a TLS server, in PEM. Raises CaptureError."""
        self.tls.add_server_key(load_rsa_key(path))

    def add_file(self, path: str) -> None:
        """Add the secrets of a text file, one a line. Raises CaptureError.

        Read are lines of impacket's secretsdump (``user:RID:LM:NT:::`` and
        ``user:aes256-cts-hmac-sha1-96:KEY``), of hashcat's potfile (NTLM, NetNTLMv2, Kerberos), of
        TLS key logs, ``nt:HASH``, ``key:[TYPE:]KEY``, ``keytab:FILE``, and ``password:TEXT``.
        Empty lines and lines that begin with ``#`` are skipped. Wireshark's file of Kerberos keys
        is a keytab, which is read too.
        """
        data = _read(path)
        if data[:2] == KEYTAB:
            self.add_keytab(path)
            return
        text = data.decode("utf-8", "replace")
        offset = 0
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip() and not line.startswith("#"):
                try:
                    self._add_line(line.rstrip("\r"), f"line {number} of {path}")
                except ValueError as error:
                    raise CaptureError(path, str(error), offset) from None
            offset += len(line.encode()) + 1

    def _add_line(self, line: str, origin: str) -> None:
        kind, _, rest = line.partition(":")
        if kind == "password":
            self.add_password(rest, origin)
        elif kind == "nt":
            self.add_nt_hash(rest, origin)
        elif kind == "key":
            self.add_key(rest, origin)
        elif kind == "keytab":
            self.add_keytab(rest)
        elif self.tls.add_line(line.encode("utf-8", "replace")):
            return
        elif found := _DUMPED.fullmatch(line):
            self._add_hash(bytes.fromhex(found["hash"]), origin)
        elif found := (_CRACKED_NTLMV2.fullmatch(line) or _CRACKED_KERBEROS.fullmatch(line)):
            self.add_password(_unhexed(found["password"]), origin)
        elif found := _CRACKED_HASH.fullmatch(line):
            self._add_hash(bytes.fromhex(found["hash"]), origin)
            self.add_password(_unhexed(found["password"]), origin)
        elif (found := _KERBEROS.fullmatch(line)) and found["etype"] in _BY_NAME:
            self.add_key(f"{found['etype']}:{found['key']}", origin)
        elif (found := _KERBEROS.fullmatch(line)) and found["etype"] == "des-cbc-md5":
            return
        else:
            raise ValueError("unrecognized form of a secret")


def _unhexed(password: str) -> str:
    found = _HEX_PASSWORD.fullmatch(password)
    return bytes.fromhex(found[1]).decode("utf-8", "replace") if found else password


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_KEY_FILE + 1)
    except OSError as error:
        raise CaptureError(path, error.strerror or str(error)) from None
    if len(data) > _MAX_KEY_FILE:
        raise CaptureError(path, f"more than {_MAX_KEY_FILE} bytes", _MAX_KEY_FILE)
    return data
