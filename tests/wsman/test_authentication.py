"""Both sides of every authentication method, connected without a network."""

from __future__ import annotations

import base64
import itertools
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from spnego._credssp import _create_tls_context
from spnego._ntlm_raw.crypto import ntowfv1

from psrp.sansio import LocalProtocolError, RemoteProtocolError
from tests.recordings import SHARED, needs_collection
from tests.wsman import kdc
from wsman.accounts import Accounts, LogonGuard, new_account
from wsman.auth import (
    CERTIFICATE_SCHEME,
    Authentication,
    AuthenticationRefused,
    CannotAuthenticate,
    Credential,
    is_trusted,
)
from wsman.auth_client import AuthOptions, ClientAuthenticator
from wsman.auth_server import (
    Accepted,
    Challenge,
    ChannelBindings,
    PasswordCheck,
    ServerAuthenticator,
    ServerAuthOptions,
)
from wsman.certificates import CertificateMapping, ClientCertificate
from wsman.gss import AcceptorOptions, acceptor
from wsman.http import SOAP

PASSWORD = "correct horse"
CAROL = Credential(user_name="carol", password=PASSWORD)
EPOCH = 1_700_000_000.0
LIMIT = 1 << 20


@cache
def accounts(*, ntlm: bool = True) -> Accounts:
    made = Accounts()
    made.add(new_account("Carol", PASSWORD, salt=b"s" * 16, ntlm=ntlm))
    return made


@cache
def tls() -> Any:
    return _create_tls_context("accept")


def client(
    kind: Authentication, *, binding: bytes | None = None, **changes: Any
) -> ClientAuthenticator:
    values: dict[str, Any] = {
        "credential": CAROL,
        "host": "localhost",
        "port": 5985,
        "secure": False,
    }
    return ClientAuthenticator(
        AuthOptions(authentication=kind, **values | changes),
        channel_binding=binding,
        random=os.urandom,
    )


def server(
    *,
    secure: bool = False,
    binding: bytes | None = None,
    certificate: ClientCertificate | None = None,
    guard: LogonGuard | None = None,
    **changes: Any,
) -> ServerAuthenticator:
    values: dict[str, Any] = {"accounts": accounts(), "credssp": tls()}
    return ServerAuthenticator(
        ServerAuthOptions(**values | changes),
        guard or LogonGuard(),
        secure=secure,
        channel_binding=binding,
        certificate=certificate,
        random=os.urandom,
        wall_time=lambda: EPOCH,
    )


def answer(side: ServerAuthenticator, authorization: str | None) -> Challenge | Accepted:
    """Handle a header like the server's driver."""
    result = side.receive(authorization, 0.0, uri="http://schemas.microsoft.com/powershell/x")
    if isinstance(result, PasswordCheck):
        return side.checked(accounts().check(result.user_name, result.password), 0.0)
    return result


def join(ours: ClientAuthenticator, theirs: ServerAuthenticator) -> tuple[Accepted, list[bool]]:
    """Run both sides until the connection is authenticated; return the legs that had the body."""
    leg = ours.first()
    bodies = []
    while True:
        bodies.append(leg.with_body)
        result = answer(theirs, dict(leg.headers).get("Authorization"))
        status = 200 if isinstance(result, Accepted) else 401
        following = ours.receive(status, result.headers)
        if following is None:
            assert isinstance(result, Accepted)
            return result, bodies
        leg = following


SEALED = [Authentication.NTLM, Authentication.NEGOTIATE, Authentication.CREDSSP]


@pytest.mark.parametrize("kind", SEALED)
def test_legs_before_a_sealed_message_are_empty(kind: Authentication) -> None:
    """Statement H81."""
    ours = client(kind, host="127.0.0.1")
    accepted, bodies = join(ours, server())
    assert accepted.user == "Carol"
    assert not any(bodies)
    assert ours.established
    assert ours.seals


@pytest.mark.parametrize("kind", SEALED)
def test_messages_are_sealed_both_ways_after_the_handshake(kind: Authentication) -> None:
    """Statement H82."""
    ours, theirs = client(kind, host="127.0.0.1"), server()
    join(ours, theirs)
    for body in (b"", b"<s:Envelope/>", bytes(range(256)) * 200, b"again"):
        kind_of, wire = ours.seal(SOAP, body)
        (read,) = theirs.unseal(kind_of, wire, max_size=LIMIT)
        assert (read.content_type, read.body) == (SOAP, body)
        kind_of, wire = theirs.seal(SOAP, body[::-1])
        assert ours.unseal(kind_of, wire, max_size=LIMIT)[0].body == body[::-1]
    accepted = answer(theirs, None)
    assert isinstance(accepted, Accepted)
    assert (accepted.user, accepted.scheme, accepted.headers) == ("Carol", theirs._scheme, ())


def test_credssp_gives_the_password_away_and_ntlm_does_not() -> None:
    theirs = server()
    join(client(Authentication.CREDSSP, host="127.0.0.1"), theirs)
    assert theirs._context is not None
    assert theirs._context.delegated == CAROL


def test_over_https_the_last_leg_carries_the_body() -> None:
    for kind, bodies in ((Authentication.NTLM, [False, True]), (Authentication.BASIC, [True])):
        ours = client(kind, secure=True)
        assert join(ours, server(secure=True))[1] == bodies
        assert not ours.seals


def test_basic_goes_with_every_request() -> None:
    ours = client(Authentication.BASIC, secure=True)
    theirs = server(secure=True)
    join(ours, theirs)
    assert isinstance(answer(theirs, None), Challenge)
    header = dict(ours.headers())["Authorization"]
    assert theirs.receive(header, 0.0) == Accepted(user="Carol", scheme="Basic", mechanism="Basic")


@pytest.mark.parametrize(
    "domain", ["", "\\", ".\\", "TESTDOM\\", "vm.example.org\\"], ids=lambda text: text or "none"
)
def test_the_domain_of_a_local_account_is_not_compared(domain: str) -> None:
    credential = Credential(user_name=f"{domain}CAROL", password=PASSWORD)
    for kind in (Authentication.NTLM, Authentication.BASIC):
        accepted, _ = join(client(kind, secure=True, credential=credential), server(secure=True))
        assert accepted.user == "Carol"


WRONG = [
    Credential(user_name="carol", password="wrong"),
    Credential(user_name="nobody", password=PASSWORD),
]


@pytest.mark.parametrize(
    "kind", [Authentication.BASIC, Authentication.NTLM, Authentication.NEGOTIATE]
)
def test_an_unknown_user_fails_like_a_wrong_password(kind: Authentication) -> None:
    seen = []
    for credential in WRONG:
        theirs = server(secure=True, guard=LogonGuard())
        ours = client(kind, secure=True, credential=credential, host="127.0.0.1")
        leg = ours.first()
        answers = [answer(theirs, dict(leg.headers)["Authorization"])]
        if kind is not Authentication.BASIC:
            following = ours.receive(401, answers[0].headers)
            assert following is not None
            answers = [answer(theirs, dict(following.headers)["Authorization"])]
        with pytest.raises(AuthenticationRefused):
            ours.receive(401, answers[0].headers)
        assert isinstance(answer(theirs, None), Challenge)
        seen.append(answers[0])
    assert isinstance(seen[0], Challenge)
    assert isinstance(seen[1], Challenge)
    assert (seen[0].headers, seen[0].delay) == (seen[1].headers, seen[1].delay)
    assert seen[0].failed
    assert seen[0].delay > 0


def test_failures_cost_ever_more_time_until_a_success() -> None:
    guard = LogonGuard(first=0.5, most=4.0)
    assert [guard.failure("carol", "10.0.0.1", 0.0) for _ in range(5)] == [0.5, 1, 2, 4, 4]
    assert guard.failure("dave", "10.0.0.2", 0.0) == 0.5
    assert guard.failure("CAROL", "10.0.0.3", 1.0) == 4.0
    assert guard.failure("carol", "10.0.0.3", 1000.0) == 0.5
    guard.success("carol", "10.0.0.1")
    assert guard.failure("carol", "10.0.0.1", 1000.0) == 0.5
    assert (guard.failed, guard.succeeded) == (9, 1)


def test_the_memory_of_failures_is_bounded() -> None:
    guard = LogonGuard(size=10)
    for number in range(100):
        guard.failure(f"user{number}", f"10.0.0.{number}", 0.0)
    assert len(guard._failures) == 10


def test_plain_http_offers_no_basic_unless_asked_for() -> None:
    offered = [value for _, value in server(kerberos=True).offers]
    assert offered == ["Negotiate", "Kerberos", "CredSSP"]
    header = "Basic " + base64.b64encode(f"carol:{PASSWORD}".encode()).decode()
    assert isinstance(server().receive(header, 0.0), Challenge)
    assert isinstance(server(allow_unencrypted=True).receive(header, 0.0), PasswordCheck)
    assert isinstance(server(secure=True).receive(header, 0.0), PasswordCheck)
    assert server().must_seal
    assert not server(secure=True).must_seal


REFUSED_HERE = [
    (Authentication.BASIC, {}, "cannot send basic over HTTP"),
    (Authentication.DIGEST, {}, "cannot send digest over HTTP"),
    (Authentication.NTLM, {"host": "example.org"}, "not among the trusted hosts"),
    (Authentication.NEGOTIATE, {"no_encryption": True}, "messages without encryption over HTTP"),
    (Authentication.BASIC, {"credential": None, "secure": True}, "basic needs a credential"),
    (Authentication.CERTIFICATE, {"credential": None}, "a client certificate needs HTTPS"),
    (Authentication.CERTIFICATE, {"secure": True}, "excludes a credential"),
    (Authentication.KERBEROS, {"host": "127.0.0.1"}, "it needs a name"),
]


@pytest.mark.parametrize(("kind", "changes", "text"), REFUSED_HERE)
def test_what_our_rules_forbid_sends_nothing(
    kind: Authentication, changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(CannotAuthenticate, match=text):
        client(kind, **changes)


def test_negotiate_that_falls_back_to_ntlm_needs_trust() -> None:
    ours = client(Authentication.NEGOTIATE, host="192.0.2.1")
    first = answer(server(), dict(ours.first().headers)["Authorization"])
    with pytest.raises(CannotAuthenticate, match=r"192\.0\.2\.1 over HTTP"):
        ours.receive(401, first.headers)
    trusting = client(Authentication.NEGOTIATE, host="192.0.2.1", trusted_hosts=("192.0.2.*",))
    assert join(trusting, server())[0].user == "Carol"


@pytest.mark.parametrize(
    ("host", "patterns", "trusted"),
    [
        ("example.org", ("*",), True),
        ("example.org", ("*.org", "x"), True),
        ("EXAMPLE.org", ("example.*",), True),
        ("example.org", ("example",), False),
        ("server", ("<local>",), True),
        ("server.domain", ("<local>",), False),
        ("exampleXorg", ("example.org",), False),
        ("127.0.0.1", (), True),
        ("[::1]", (), True),
        ("localhost", (), True),
        ("example.org", (), False),
    ],
)
def test_a_host_is_trusted_by_name_pattern_or_loopback(
    host: str, patterns: tuple[str, ...], trusted: bool
) -> None:
    assert is_trusted(host, patterns) is trusted


# -- channel bindings

OURS = b"tls-server-end-point:ours"
OTHER = b"tls-server-end-point:other"
BINDINGS = [
    (OURS, OURS, ChannelBindings.STRICT, True),
    (OTHER, OURS, ChannelBindings.RELAXED, False),
    (None, OURS, ChannelBindings.RELAXED, True),
    (None, OURS, ChannelBindings.STRICT, False),
    (OTHER, OURS, ChannelBindings.NONE, True),
]


@pytest.mark.parametrize("kind", [Authentication.NTLM, Authentication.NEGOTIATE])
@pytest.mark.parametrize(("mine", "theirs", "level", "accepted"), BINDINGS)
def test_a_channel_binding_is_checked_as_strictly_as_the_server_asks(
    kind: Authentication,
    mine: bytes | None,
    theirs: bytes,
    level: ChannelBindings,
    accepted: bool,
) -> None:
    ours = client(kind, secure=True, binding=mine, host="127.0.0.1")
    side = server(secure=True, binding=theirs, bindings=level)
    if accepted:
        assert join(ours, side)[0].user == "Carol"
    else:
        with pytest.raises(AuthenticationRefused):
            join(ours, side)


# -- certificates

CERTIFICATE = ClientCertificate(
    subjects=("carol@example.org",), thumbprint="A" * 40, issuers=("B" * 40,)
)
MAPPING = CertificateMapping(account="Carol", issuer="B" * 40, subject="*@example.org")


def test_a_certificate_stands_for_its_account() -> None:
    ours = client(Authentication.CERTIFICATE, credential=None, secure=True)
    theirs = server(secure=True, certificate=CERTIFICATE, mappings=(MAPPING,))
    assert join(ours, theirs)[0] == Accepted(
        user="Carol", scheme="Certificate", mechanism="Certificate"
    )
    assert isinstance(answer(theirs, None), Challenge)
    for changes in ({"certificate": None}, {"mappings": ()}):
        values: dict[str, Any] = {"certificate": CERTIFICATE, "mappings": (MAPPING,)}
        assert isinstance(
            answer(server(secure=True, **values | changes), CERTIFICATE_SCHEME), Challenge
        )


# -- Kerberos

needs_kdc = pytest.mark.skipif(bool(kdc.why_not()), reason=kdc.why_not())


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kdc.Realm]:
    with kdc.running(tmp_path_factory.mktemp("kdc")) as made:
        yield made


ALICE = Credential(user_name=kdc.USER, password=kdc.PASSWORD)
KERBEROS = [Authentication.KERBEROS, Authentication.NEGOTIATE, Authentication.CREDSSP]


@needs_kdc
@pytest.mark.parametrize("kind", KERBEROS)
def test_kerberos_seals_both_ways_after_a_log_on_by_password(
    kind: Authentication, realm: kdc.Realm
) -> None:
    ours, theirs = client(kind, credential=ALICE), server(kerberos=True)
    accepted, bodies = join(ours, theirs)
    assert accepted.user == kdc.USER
    assert not any(bodies)
    assert len(bodies) == (1 if kind is not Authentication.CREDSSP else 5)
    for body in (b"x", b"y" * 100_000):
        assert theirs.unseal(*ours.seal(SOAP, body), max_size=LIMIT)[0].body == body
        assert ours.unseal(*theirs.seal(SOAP, body), max_size=LIMIT)[0].body == body


@needs_kdc
@pytest.mark.parametrize(
    "kind", [Authentication.KERBEROS, Authentication.NEGOTIATE_WITH_IMPLICIT_CREDENTIAL]
)
def test_kerberos_with_the_ticket_cache(kind: Authentication, realm: kdc.Realm) -> None:
    realm.sign_in()
    credential = None if kind is Authentication.KERBEROS else ALICE
    ours = client(kind, credential=credential, secure=True)
    accepted, bodies = join(ours, server(secure=True, kerberos=True))
    assert (accepted.user, bodies) == (kdc.USER, [True])


@needs_kdc
def test_a_server_without_kerberos_falls_back_to_ntlm(realm: kdc.Realm) -> None:
    carol = Credential(user_name=f"carol@{kdc.REALM}", password=PASSWORD)
    realm.run("kadmin.local", "-r", kdc.REALM, "-q", f'addprinc -pw "{PASSWORD}" carol')
    accepted, bodies = join(client(Authentication.NEGOTIATE, credential=carol), server())
    assert (accepted.user, len(bodies)) == ("Carol", 3)


@needs_kdc
def test_other_bindings_and_other_principals_are_refused(realm: kdc.Realm) -> None:
    for mine, changes in ((OTHER, {}), (OURS, {"principals": ("bob@*", "*@OTHER.REALM")})):
        ours = client(Authentication.KERBEROS, credential=ALICE, secure=True, binding=mine)
        with pytest.raises(AuthenticationRefused):
            join(ours, server(secure=True, kerberos=True, binding=OURS, **changes))
    ours = client(Authentication.KERBEROS, credential=ALICE, secure=True, binding=OURS)
    theirs = server(secure=True, kerberos=True, binding=OURS, principals=("alice@*",))
    assert join(ours, theirs)[0].user == kdc.USER


@needs_kdc
def test_a_wrong_kerberos_password_is_our_own_error(realm: kdc.Realm) -> None:
    wrong = Credential(user_name=kdc.USER, password="wrong")
    with pytest.raises(CannotAuthenticate, match="cannot use kerberos") as caught:
        client(Authentication.KERBEROS, credential=wrong).first()
    assert "wrong" not in str(caught.value)


# -- hostile tokens

SCHEMES = ["Negotiate", "NTLM", "Kerberos", "CredSSP", "Basic", "Digest", "Bearer", ""]
TOKENS = [
    b"",
    b"NTLMSSP\0",
    b"NTLMSSP\0\1\0\0\0",
    b"NTLMSSP\0\3\0\0\0" + bytes(60),
    b"\x60\x06\x06\x01",
    b"\x60\x84\xff\xff\xff\xff",
    b"\xa1\x03\x30\x01\x00",
    b"\x16\x03\x01\x00\x05hello",
    bytes(range(256)),
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:10].hex())
def test_a_token_that_is_none_is_a_failed_logon(scheme: str, token: bytes) -> None:
    for text in (base64.b64encode(token).decode(), "not base64!", "AAAA" * 30_000):
        theirs = server(secure=True, kerberos=kdc.why_not() == "")
        result = answer(theirs, f"{scheme} {text}")
        assert isinstance(result, Challenge)
        assert isinstance(answer(theirs, None), Challenge)


@pytest.mark.parametrize("cut", range(0, 80, 7))
def test_a_cut_authenticate_message_is_refused(cut: int) -> None:
    ours, theirs = client(Authentication.NTLM), server()
    first = answer(theirs, dict(ours.first().headers)["Authorization"])
    leg = ours.receive(401, first.headers)
    assert leg is not None
    token = base64.b64decode(dict(leg.headers)["Authorization"].partition(" ")[2])
    result = answer(theirs, "Negotiate " + base64.b64encode(token[: len(token) - 1 - cut]).decode())
    assert isinstance(result, Challenge)
    assert result.failed


def test_an_authenticate_message_is_good_for_one_challenge() -> None:
    ours, theirs = client(Authentication.NTLM), server()
    leg = ours.receive(401, answer(theirs, dict(ours.first().headers)["Authorization"]).headers)
    assert leg is not None
    header = dict(leg.headers)["Authorization"]
    assert isinstance(answer(theirs, header), Accepted)
    other = server()
    answer(other, dict(client(Authentication.NTLM).first().headers)["Authorization"])
    assert isinstance(answer(other, header), Challenge)
    assert isinstance(answer(theirs, header), Challenge)


def test_a_sealed_message_is_good_for_once() -> None:
    ours, theirs = client(Authentication.NTLM), server()
    join(ours, theirs)
    kind, wire = ours.seal(SOAP, b"once")
    assert theirs.unseal(kind, wire, max_size=LIMIT)[0].body == b"once"
    with pytest.raises(RemoteProtocolError):
        theirs.unseal(kind, wire, max_size=LIMIT)


def test_a_connection_may_authenticate_anew() -> None:
    theirs = server()
    join(client(Authentication.NTLM), theirs)
    second = client(Authentication.NEGOTIATE, host="127.0.0.1")
    join(second, theirs)
    assert theirs.unseal(*second.seal(SOAP, b"new keys"), max_size=LIMIT)[0].body == b"new keys"


def test_a_handshake_that_was_begun_anew_ends_the_old_user() -> None:
    theirs = server()
    join(client(Authentication.NTLM), theirs)
    answer(theirs, dict(client(Authentication.NTLM).first().headers)["Authorization"])
    assert isinstance(answer(theirs, None), Challenge)


def test_secrets_are_in_no_repr_and_no_error() -> None:
    ours, theirs = client(Authentication.NTLM), server()
    join(ours, theirs)
    check = server(secure=True).receive(
        "Basic " + base64.b64encode(f"carol:{PASSWORD}".encode()).decode(), 0.0
    )
    account = accounts().find("carol")
    options = AuthOptions(
        authentication=Authentication.BASIC, credential=CAROL, host="h", port=1, secure=True
    )
    shown = repr([ours, theirs, check, account, accounts(), options, CAROL])
    hashed = ntowfv1(PASSWORD)
    assert PASSWORD not in shown
    assert repr(hashed) not in shown
    assert account is not None
    assert repr(account.hash) not in shown


def test_sealing_before_the_end_of_the_handshake_is_our_fault() -> None:
    for side in (client(Authentication.NTLM), server()):
        with pytest.raises(LocalProtocolError):
            side.seal(SOAP, b"")


# -- recordings: real clients with our acceptor's cryptography

RECORDED = [
    ("wsman-live/native-commands.jsonl", "P@ss1", "alice"),
    ("wsman-live/managed-commands.jsonl", "P@ss1", "alice"),
    ("wsman-omi/pwsh-ntlm.jsonl", "P@ss-w0rd1", "wsuser"),
]


def tokens_of(path: str) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    """Return negotiate, challenge, authenticate and the server's last token of each connection."""
    assert SHARED is not None
    legs: dict[int, list[bytes]] = {}
    for line in (SHARED / path).read_text("utf-8").splitlines():
        entry = json.loads(line)
        connection = entry.get("connection", entry.get("conn"))
        for name, value in entry.get("headers", ()):
            if name in ("Authorization", "WWW-Authenticate") and value.startswith("Negotiate "):
                legs.setdefault(connection, []).append(base64.b64decode(value[10:]))
    for each in legs.values():
        if len(each) == 4:
            yield each[0], each[1], each[2], each[3]


class Replayed:
    """A source of a recorded server's challenge in place of random bytes."""

    def __init__(self, challenge: bytes) -> None:
        self.value = challenge

    def __call__(self, size: int) -> bytes:
        return self.value[:size]


@needs_collection
@pytest.mark.parametrize(("path", "password", "user"), RECORDED)
def test_recorded_authenticate_messages_prove_the_password(
    path: str, password: str, user: str
) -> None:
    found = 0
    for first, challenge, last, _ in itertools.islice(tokens_of(path), 10):
        at = challenge.index(b"NTLMSSP\0")
        found += 1

        def made(secret: str, at: int = at, first: bytes = first, challenge: bytes = challenge,
                 last: bytes = last) -> str:  # fmt: skip
            asked: list[str] = []

            def find(name: str, domain: str) -> bytes | None:
                asked.append(name)
                return ntowfv1(secret)

            context = acceptor("negotiate", _options(find, challenge[at + 24 : at + 32]))
            context.step(first)
            # The recorded client's proof covers only the recorded challenge, so its MIC does not
            # match.
            with pytest.raises(AuthenticationRefused) as caught:
                context.step(last)
            assert asked == [user]
            return str(caught.value)

        assert "changed on its way" in made(password)
        assert "wrong password" in made(password + "x")
    assert found


@needs_collection
def test_a_recorded_wrong_password_is_refused() -> None:
    assert SHARED is not None
    lines = (SHARED / "wsman-omi/pwsh-ntlm-wrong-password.jsonl").read_text("utf-8").splitlines()
    legs = [
        base64.b64decode(value[10:])
        for entry in map(json.loads, lines)
        for name, value in entry.get("headers", ())
        if name in ("Authorization", "WWW-Authenticate") and value.startswith("Negotiate ")
    ]
    first, challenge, last = legs[:3]
    at = challenge.index(b"NTLMSSP\0")
    find = lambda name, _: ntowfv1("P@ss-w0rd1") if name == "wsuser" else None  # noqa: E731
    context = acceptor("negotiate", _options(find, challenge[at + 24 : at + 32]))
    context.step(first)
    with pytest.raises(AuthenticationRefused, match="wrong password"):
        context.step(last)


def _options(find: Callable[[str, str], bytes | None], challenge: bytes) -> AcceptorOptions:
    return AcceptorOptions(
        find_hash=find,
        kerberos=False,
        computer="vm",
        random=Replayed(challenge),
        wall_time=lambda: EPOCH,
    )
