"""The certificate of an HTTPS listener, reloaded when its files change."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from spnego.tls import CredSSPTLSContext, default_tls_context, generate_tls_certificate

from psrp.sansio import LocalProtocolError
from wsman.certificates import channel_binding

__all__ = ["TlsIdentity", "credssp_identity", "verified_chain"]


class TlsIdentity:
    """A certificate with its key, and the authorities of client certificates.

    `current` checks the files' times, so that the next connection uses a renewed certificate.
    Raises LocalProtocolError if the files cannot be used initially; if they become unusable later,
    the previous certificate stays in use and ``trouble`` has the reason.
    """

    def __init__(
        self, certificate: Path, key: Path | None = None, client_authorities: Path | None = None
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._authorities = client_authorities
        self.trouble = ""
        self._stamp = self._times()
        self._current = self._load()

    def _files(self) -> list[Path]:
        return [each for each in (self._certificate, self._key, self._authorities) if each]

    def _times(self) -> tuple[int, ...]:
        try:
            return tuple(each.stat().st_mtime_ns for each in self._files())
        except OSError:
            return ()

    def _load(self) -> tuple[ssl.SSLContext, bytes]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # A resumed session would have no client certificate.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
            if self._authorities is not None:
                context.verify_mode = ssl.CERT_OPTIONAL
                context.load_verify_locations(self._authorities)
            read = x509.load_pem_x509_certificate(self._certificate.read_bytes())
        except (OSError, ValueError) as error:
            text = str(error) or type(error).__name__
            raise LocalProtocolError(f"cannot use {self._certificate}: {text}") from None
        return context, channel_binding(read.public_bytes(Encoding.DER))

    def current(self) -> tuple[ssl.SSLContext, bytes]:
        """Return the context for a new connection, and its channel binding."""
        stamp = self._times()
        if stamp and stamp != self._stamp:
            self._stamp = stamp
            try:
                self._current = self._load()
                self.trouble = ""
            except LocalProtocolError as error:
                self.trouble = str(error)
        return self._current


def _no_password() -> str:
    raise ValueError("the key is protected by a passphrase")


def verified_chain(connection: Any) -> Sequence[bytes]:
    """Return the client's verified certificates in DER, its own first; empty if it sent none."""
    public = getattr(connection, "get_verified_chain", None)
    if public is not None:
        return list(public() or ())
    inner = getattr(connection, "_sslobj", None)
    chain = inner.get_verified_chain() if inner is not None else None
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in chain or ()]


def credssp_identity(folder: Path) -> CredSSPTLSContext:
    """Return a new certificate for CredSSP; a file in ``folder`` holds it temporarily.

    Clients do not verify it: they bind the exchange to its key.
    """
    certificate, key, public_key = generate_tls_certificate()
    made = default_tls_context(usage="accept")
    path = folder / "credssp.pem"
    path.touch(mode=0o600)
    try:
        path.write_bytes(certificate + key)
        made.context.load_cert_chain(path)
    finally:
        path.unlink()
    made.public_key = public_key
    return made
