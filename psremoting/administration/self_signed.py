"""A self-signed certificate for the HTTPS listener of an endpoint."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from psremoting.administration.configurations import AdministrationError
from psrp.frozen import dataclass

__all__ = ["Fingerprints", "fingerprints", "make_certificate"]

_DAYS = 3 * 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """The hashes of a certificate, in hexadecimal."""

    sha1: str
    """The thumbprint of Windows."""
    sha256: str


def make_certificate(path: Path, hostname: str, *, now: datetime.datetime) -> Fingerprints:
    """Write a key and its certificate for ``hostname`` to a file for its owner only.

    An existing file stays. Raises AdministrationError.
    """
    if path.exists():
        return fingerprints(path)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hostname[:64])])
    names = dict.fromkeys((hostname, hostname.partition(".")[0], "localhost"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
    except OSError as error:
        raise AdministrationError(f"cannot write {path}: {error.strerror}") from None
    return fingerprints(path)


def fingerprints(path: Path) -> Fingerprints:
    """Return the fingerprints of the certificate in a PEM file. Raises AdministrationError."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise AdministrationError(f"cannot read the certificate {path}: {error}") from None
    return Fingerprints(
        sha1=certificate.fingerprint(hashes.SHA1()).hex().upper(),
        sha256=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
    )
