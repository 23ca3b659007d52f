"""TLS for clients: contexts for the session options, and the checks that OpenSSL does not have."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from functools import lru_cache
from pathlib import Path

from cryptography import x509

from psrp.frozen import dataclass
from wsman.errors import CANNOT_CONNECT, TransportFailure

__all__ = ["TlsOptions", "check_certificate", "make_context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """The verification of a server's certificate, and the client's own certificate."""

    ca_file: str = ""
    """PEM file with the authorities to trust instead of the system's. Revocation lists in it are
    honoured."""
    pinned: str = ""
    """SHA-256 or SHA-1 of the server's certificate in hexadecimal: only that certificate is
    accepted, and nothing else is checked."""
    skip_ca_check: bool = False
    skip_cn_check: bool = False
    skip_revocation_check: bool = False
    certificate: str = ""
    """PEM file with the client's certificate and, unless ``key`` is set, its key."""
    key: str = ""


def make_context(options: TlsOptions) -> ssl.SSLContext:
    """Return a client's context, the same one until a file changes: reading the system's
    authorities takes longer than a handshake.

    Raises TransportFailure for files that cannot be used.
    """
    files = (options.ca_file, options.certificate, options.key)
    try:
        times = tuple(Path(each).stat().st_mtime_ns for each in files if each)
    except OSError:
        times = ()
    return _context(options, times)


@lru_cache(maxsize=16)
def _context(options: TlsOptions, _times: tuple[int, ...]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
        if options.skip_ca_check or options.pinned:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif options.skip_cn_check:
            context.check_hostname = False
        if options.ca_file and not options.skip_revocation_check and _has_lists(options.ca_file):
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        if options.certificate:
            context.load_cert_chain(options.certificate, options.key or None)
    except (OSError, ssl.SSLError) as error:
        name = options.certificate or options.ca_file
        text = f"cannot use {name}: {getattr(error, 'strerror', None) or error}"
        raise TransportFailure(text, final=True) from None
    return context


def _has_lists(path: str) -> bool:
    return b"BEGIN X509 CRL" in Path(path).read_bytes()


def check_certificate(certificate: bytes, host: str, options: TlsOptions) -> None:
    """Check what the context did not check: the pin, or the name without the authority.

    Raises TransportFailure.
    """
    if options.pinned:
        wanted = options.pinned.replace(":", "").replace(" ", "").lower()
        known = hashlib.sha1 if len(wanted) == 40 else hashlib.sha256
        if known(certificate).hexdigest() != wanted:
            raise _refused(f"the certificate of {host} is not the pinned one")
        return
    by_hand = options.skip_ca_check and not options.skip_cn_check
    if by_hand and not _names_host(certificate, host):
        raise _refused(f"the certificate of the server is not for the name {host}")


def _refused(text: str) -> TransportFailure:
    return TransportFailure(text, code=CANNOT_CONNECT, final=True)


def _names_host(certificate: bytes, host: str) -> bool:
    try:
        loaded = x509.load_der_x509_certificate(certificate)
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return any(
            _matches(pattern.lower(), host.lower())
            for pattern in names.get_values_for_type(x509.DNSName)
        )
    return address in names.get_values_for_type(x509.IPAddress)


def _matches(pattern: str, host: str) -> bool:
    """Compare a name with a pattern whose first label may be ``*``. RFC 6125 6.4.3"""
    if not pattern.startswith("*."):
        return pattern == host
    return host.partition(".")[2] == pattern[2:] and bool(host.partition(".")[0])
