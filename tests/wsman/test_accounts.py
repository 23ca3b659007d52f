"""Accounts, the digest of other servers, certificates and their mapping."""

from __future__ import annotations

import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from psrp.sansio import LocalProtocolError
from wsman import accounts as accounts_module
from wsman.accounts import Accounts, AccountsError, new_account
from wsman.auth import Authentication, AuthenticationRefused, Credential
from wsman.auth_client import AuthOptions, ClientAuthenticator
from wsman.certificates import (
    CertificateMapping,
    ClientCertificate,
    account_of,
    channel_binding,
    client_certificate,
    parse_mappings,
)
from wsman.digest import DigestClient

SALT = b"0123456789abcdef"
TODAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def test_accounts_are_the_same_after_writing_and_reading() -> None:
    accounts = Accounts()
    accounts.add(new_account("Carol", "secret", salt=SALT))
    accounts.add(new_account("DOM\\dave", "other", salt=SALT, ntlm=True))
    text = accounts.format()
    read = Accounts.parse("# a comment\n\n" + text)
    assert read.format() == text
    assert read.names == ("Carol", "DOM\\dave")
    assert "secret" not in text
    assert [read.check(*each) for each in (("carol", "secret"), ("CAROL", "Secret"))] == [
        "Carol",
        None,
    ]
    assert read.has_nt_hashes
    assert read.remove("carol")
    assert not read.remove("carol")
    assert read.check("carol", "secret") is None


def test_a_password_that_was_right_is_hashed_slowly_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slow: list[str] = []
    made = accounts_module._hash

    def hashed(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
        slow.append(password)
        return made(password, salt, cost)

    monkeypatch.setattr(accounts_module, "_hash", hashed)
    accounts = Accounts([new_account("carol", "secret", salt=SALT)], salt=SALT)
    slow.clear()
    assert [accounts.check("carol", each) for each in ("secret", "Secret", "secret")] == [
        "carol",
        None,
        "carol",
    ]
    assert slow == ["secret", "Secret"]
    assert accounts.check("nobody", "secret") is None
    accounts.add(new_account("carol", "changed", salt=SALT))
    assert accounts.check("carol", "secret") is None
    accounts.remove("carol")
    assert accounts.check("carol", "secret") is None
    assert b"secret" not in repr(vars(accounts)).encode()


def test_an_account_with_a_domain_comes_first() -> None:
    accounts = Accounts([new_account(each, each, salt=SALT) for each in ("dave", "DOM\\dave")])
    for name, domain, found in (
        ("dave", "", "dave"),
        ("dave", "dom", "DOM\\dave"),
        ("DOM\\dave", "", "DOM\\dave"),
        ("dave", "other", "dave"),
        ("dave@REALM", "", "dave"),
    ):
        account = accounts.find(name, domain)
        assert account is not None
        assert account.name == found
    assert accounts.find("eve") is None


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("", "x"), ("a:b", "x"), ("a\nb", "x"), ("a", ""),
        (" ", "x"), (" bob", "x"), ("bob ", "x"), ("#x", "x"), ("a" * 257, "x"),
    ],
)  # fmt: skip
def test_what_is_no_account_is_refused(name: str, password: str) -> None:
    with pytest.raises(AccountsError):
        new_account(name, password, salt=SALT)


LINES = [
    "carol",
    "carol:md5:14:8:1:00:00:",
    "carol:scrypt:14:8:1:zz:00:",
    "carol:scrypt:30:8:1:00:00:",
    "carol:scrypt:14:8:1:00:00:1234",
    ":scrypt:14:8:1:00:00:",
    "carol:scrypt:14:-8:-1:00:00:",
]


@pytest.mark.parametrize("line", LINES)
def test_a_bad_line_is_named_and_not_shown(line: str) -> None:
    with pytest.raises(AccountsError, match="line 2:") as caught:
        Accounts.parse("\n" + line)
    assert line not in str(caught.value)


def test_a_bad_line_is_left_out_if_the_caller_takes_its_error() -> None:
    good = Accounts([new_account("carol", "x", salt=SALT)]).format()
    errors: list[AccountsError] = []
    read = Accounts.parse(f":scrypt:14:8:1:00:00:\n{good}", on_error=errors.append)
    assert read.names == ("carol",)
    assert [str(each) for each in errors] == ["line 1: expected an account of eight fields"]


# -- Digest: the examples of RFC 2617 3.5 and RFC 7616 3.9.1

MUFASA = Credential(user_name="Mufasa", password="Circle Of Life")


def parameters(header: str) -> dict[str, str]:
    fields = header.removeprefix("Digest ").split(", ")
    return {name: value.strip('"') for name, _, value in (each.partition("=") for each in fields)}


def test_the_header_of_digest_is_the_one_of_the_specification() -> None:
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    once = bytes.fromhex("0a4f113b") * 4
    given = {"realm": "testrealm@host.com", "qop": "auth,auth-int", "nonce": nonce, "opaque": "5c"}
    digest = DigestClient(given, MUFASA, lambda _: once)
    for count in ("00000001", "00000002"):
        found = parameters(digest.header("GET", "/dir/index.html"))
        secret = hashlib.md5(b"Mufasa:testrealm@host.com:Circle Of Life").hexdigest()
        request = hashlib.md5(b"GET:/dir/index.html").hexdigest()
        assert secret == "939e7578ed9e3c518a452acee763bce9"
        assert request == "39aff3a2bab6126f332b942af96d3366"
        whole = f"{secret}:{nonce}:{count}:{once.hex()}:auth:{request}"
        assert found["response"] == hashlib.md5(whole.encode()).hexdigest()
        assert (found["nc"], found["cnonce"], found["opaque"]) == (count, once.hex(), "5c")


@pytest.mark.parametrize(
    "given",
    [
        {"realm": "r"},
        {"nonce": "n"},
        {"realm": "r", "nonce": "n", "algorithm": "SHA-512-256"},
        {"realm": "r", "nonce": "n", "qop": "auth-int"},
    ],
)
def test_a_digest_that_cannot_be_answered_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(AuthenticationRefused):
        DigestClient(given, MUFASA, bytes)


def test_digest_waits_for_its_challenge_and_answers_a_stale_one() -> None:
    options = AuthOptions(
        authentication=Authentication.DIGEST,
        credential=MUFASA,
        host="h",
        port=5986,
        secure=True,
    )
    client = ClientAuthenticator(options, random=bytes)
    leg = client.first()
    assert (leg.headers, leg.with_body) == ((), False)
    asked = 'Basic realm="x", Digest realm="r, s", nonce="n1", algorithm=SHA-256-sess, qop="auth"'
    leg2 = client.receive(401, (("WWW-Authenticate", asked),))
    assert leg2 is not None
    assert leg2.with_body
    header = dict(leg2.headers)["Authorization"]
    assert 'realm="r, s"' in header
    assert "algorithm=SHA-256-sess" in header
    stale = 'Digest realm="r", nonce="n2", stale=TRUE'
    leg3 = client.receive(401, (("www-authenticate", stale),))
    assert leg3 is not None
    with pytest.raises(AuthenticationRefused):
        client.receive(401, (("www-authenticate", 'Digest realm="r", nonce="n3"'),))
    assert client.receive(200, ()) is None


# -- certificates


def certificate(
    *, algorithm: hashes.HashAlgorithm, usage: x509.ObjectIdentifier | None = None
) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "carol")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(TODAY)
        .not_valid_after(TODAY + datetime.timedelta(days=1))
    )
    upn = b"\x0c\x11carol@example.org"
    names: list[x509.GeneralName] = [
        x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), upn),
        x509.RFC822Name("carol@mail.example"),
    ]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_the_binding_uses_the_hash_of_the_signature(algorithm: hashes.HashAlgorithm) -> None:
    made = certificate(algorithm=algorithm)
    digest = hashlib.new(algorithm.name, made).digest()
    assert channel_binding(made) == b"tls-server-end-point:" + digest


def test_the_binding_of_an_unreadable_certificate_uses_sha_256() -> None:
    assert channel_binding(b"x") == b"tls-server-end-point:" + hashlib.sha256(b"x").digest()


def test_a_client_certificate_is_read() -> None:
    client_use = x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH
    made = certificate(algorithm=hashes.SHA256(), usage=client_use)
    read = client_certificate([made])
    assert read is not None
    assert read.subjects == ("carol@example.org", "carol@mail.example", "carol")
    thumbprint = hashlib.sha1(made).hexdigest().upper()
    assert (read.thumbprint, read.issuers) == (thumbprint, (thumbprint,))
    server_use = x509.oid.ExtendedKeyUsageOID.SERVER_AUTH
    assert client_certificate([certificate(algorithm=hashes.SHA256(), usage=server_use)]) is None
    assert client_certificate([b"none"]) is None
    assert client_certificate([]) is None


ISSUER = "AB" * 20
CLIENT = ClientCertificate(
    subjects=("carol@sub.example.org", "carol"), thumbprint="C" * 40, issuers=(ISSUER,)
)
URI = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"


def rule(
    account: str, subject: str = "*", uri: str = "*", issuer: str = ISSUER
) -> CertificateMapping:
    return CertificateMapping(account=account, issuer=issuer, subject=subject, uri=uri)


RULES = [
    ([], None),
    ([rule("a")], "a"),
    ([rule("a", issuer="00" * 20)], None),
    ([rule("a", "*@example.org")], None),
    ([rule("a", "*example.org"), rule("b", "*sub.example.org"), rule("c")], "b"),
    ([rule("a", "CAROL"), rule("b", "carol@sub.example.org")], "b"),
    ([rule("a", uri="http://*"), rule("b", uri=URI.upper())], "b"),
    ([rule("a", uri="http://other/*")], None),
    ([rule("a"), rule("b")], None),
    ([rule("a"), rule("a")], "a"),
    ([rule("a", issuer=ISSUER.lower())], "a"),
]


@pytest.mark.parametrize(("rules", "account"), RULES)
def test_the_best_rule_names_the_account(
    rules: list[CertificateMapping], account: str | None
) -> None:
    assert account_of(rules, CLIENT, URI) == account


def test_rules_are_read_from_text() -> None:
    text = (
        f"# account issuer subject uri\n\nCarol {ISSUER} *@example.org http://x/*\ndave {ISSUER}\n"
    )
    assert parse_mappings(text) == (
        rule("Carol", "*@example.org", "http://x/*"),
        rule("dave"),
    )
    with pytest.raises(LocalProtocolError, match="line 1"):
        parse_mappings("carol 1234")
