"""Channel bindings, and the mapping of client certificates to accounts.

[MS-WSMV] 3.1.4.1.35, RFC 5929 4
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

__all__ = [
    "CertificateMapping",
    "ClientCertificate",
    "account_of",
    "channel_binding",
    "client_certificate",
    "parse_mappings",
]

_WEAK = {"md5", "sha1"}
_CLIENT_AUTHENTICATION = x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH
_UPN = "1.3.6.1.4.1.311.20.2.3"


def channel_binding(certificate: bytes) -> bytes:
    """Return the tls-server-end-point binding of a server's certificate, given in DER.

    The hash algorithm is that of the certificate's signature, SHA-256 if that is weak or unknown.
    """
    name = "sha256"
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        algorithm = None
    if algorithm is not None and algorithm.name not in _WEAK:
        name = algorithm.name
    try:
        digest = hashlib.new(name, certificate).digest()
    except ValueError:
        digest = hashlib.sha256(certificate).digest()
    return b"tls-server-end-point:" + digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """The data of a client's certificate that rules use: subjects and issuers' thumbprints."""

    subjects: tuple[str, ...]
    """The principal name, the e-mail addresses and DNS names, then the common name."""
    thumbprint: str
    issuers: tuple[str, ...]


def client_certificate(chain: Sequence[bytes]) -> ClientCertificate | None:
    """Read a verified chain in DER, the client's own certificate first.

    Returns None if the first certificate cannot be read or does not allow client authentication.
    """
    try:
        read = [x509.load_der_x509_certificate(each) for each in chain]
        if not read or not _is_for_clients(read[0]):
            return None
        return ClientCertificate(
            subjects=tuple(_subjects(read[0])),
            thumbprint=_thumbprint(chain[0]),
            issuers=tuple(_thumbprint(each) for each in chain[1:] or chain[:1]),
        )
    except (ValueError, UnsupportedAlgorithm):
        return None


def _thumbprint(certificate: bytes) -> str:
    return hashlib.sha1(certificate).hexdigest().upper()


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return _CLIENT_AUTHENTICATION in usage


def _subjects(certificate: x509.Certificate) -> Iterable[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    for other in names.get_values_for_type(x509.OtherName):
        # The value is a DER string of less than 128 bytes: tag, length, text.
        if other.type_id.dotted_string == _UPN and other.value[1:2] == bytes(
            [len(other.value) - 2]
        ):
            yield other.value[2:].decode("utf-8", "replace")
    yield from names.get_values_for_type(x509.RFC822Name)
    yield from names.get_values_for_type(x509.DNSName)
    for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        yield str(each.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateMapping:
    """One rule: it maps matching certificates to an account, for matching resources."""

    account: str
    issuer: str
    """Thumbprint of an issuer in the verified chain, in hexadecimal."""
    subject: str = "*"
    """The subject, or ``*`` followed by its end."""
    uri: str = "*"
    """The resource URI, or its beginning followed by ``*``."""

    def takes(self, certificate: ClientCertificate, uri: str) -> bool:
        """Return whether the rule matches a certificate and a resource, without case."""
        if self.issuer.upper().replace(" ", "") not in certificate.issuers:
            return False
        subject, resource = self.subject.lower(), self.uri.lower()
        subjects = [each.lower() for each in certificate.subjects]
        if subject.startswith("*"):
            fits = any(each.endswith(subject[1:]) for each in subjects)
        else:
            fits = subject in subjects
        if resource.endswith("*"):
            return fits and uri.lower().startswith(resource[:-1])
        return fits and uri.lower() == resource


def account_of(
    mappings: Iterable[CertificateMapping], certificate: ClientCertificate, uri: str
) -> str | None:
    """Return the account that the rules map a certificate to at a resource, or None.

    The longest subject takes precedence, then the longest URI; rules of equal precedence that name
    different accounts give None.
    """
    fitting = [each for each in mappings if each.takes(certificate, uri)]
    if not fitting:
        return None
    best = max((len(each.subject), len(each.uri)) for each in fitting)
    accounts = {each.account for each in fitting if (len(each.subject), len(each.uri)) == best}
    return accounts.pop() if len(accounts) == 1 else None


def parse_mappings(text: str) -> tuple[CertificateMapping, ...]:
    """Read rules, one per line: account, issuer's thumbprint, subject, URI, split at white space.

    Subject and URI may be omitted. Raises LocalProtocolError with the line number.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        if not 2 <= len(fields) <= 4 or len(fields[1]) != 40:
            raise LocalProtocolError(
                f"line {number}: expected an account, a thumbprint of 40 digits, subject and URI"
            )
        names = dict(zip(("account", "issuer", "subject", "uri"), fields, strict=False))
        found.append(CertificateMapping(**names))
    return tuple(found)
