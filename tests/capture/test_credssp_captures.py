"""Captures of CredSSP and NTLM over HTTP, made by both sides of this project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from psremoting.capture import CaptureError, Entry, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.jsonlines import line
from psremoting.capture.network.secrets import PacketSecrets
from psremoting.capture.summaries import summary
from psremoting.cli.main import main
from tests.capture.makers import source
from tests.capture.sealed_sessions import PASSWORD, RECORDING, USER, Turn, sealed_turns
from tests.capture.wire import conversations, pcap
from tests.wsman import kdc
from wsman.auth import Authentication, Credential
from wsman.trio_tls import credssp_identity


@pytest.fixture(scope="module")
def credssp(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Turn], Path]:
    folder = tmp_path_factory.mktemp("credssp")
    made = credssp_identity(folder)
    log = folder / "keys.log"
    made.context.keylog_filename = str(log)
    return sealed_turns(Authentication.CREDSSP, made), log


def messages(found: list[Entry]) -> list[Any]:
    return [(e.type, json.loads(line(e))["data"]) for e in found if e.event is not None]


def reading(turns: list[Turn], secrets: PacketSecrets) -> Iterator[Entry]:
    return decode_source(source(pcap(conversations(turns))), None, None, secrets)


def opened(turns: list[Turn], secrets: PacketSecrets) -> list[Entry]:
    return list(reading(turns, secrets))


def secrets_of(log: Path | None, password: str | None) -> PacketSecrets:
    secrets = PacketSecrets()
    if log is not None:
        secrets.add_key_log(str(log))
    if password is not None:
        secrets.add_password(password)
    return secrets


@pytest.mark.parametrize("kind", [Authentication.NTLM, Authentication.NEGOTIATE])
def test_a_session_that_we_sealed_decodes_to_the_same_timeline(kind: Authentication) -> None:
    found = opened(sealed_turns(kind), secrets_of(None, PASSWORD))
    assert messages(found) == messages(list(decode(RECORDING)))
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0
    log_ons = [entry.data for entry in found if entry.type == "net:LogOn"]
    assert {each["user"] for each in log_ons} == {USER}
    assert {each["key"] for each in log_ons} == {"password 1"}


@pytest.mark.parametrize("password", [PASSWORD, None, "wrong"])
def test_a_key_log_opens_credssp_with_or_without_the_password(
    credssp: tuple[list[Turn], Path], password: str | None
) -> None:
    turns, log = credssp
    found = opened(turns, secrets_of(log, password))
    assert messages(found) == messages(list(decode(RECORDING)))
    assert {entry.carrier["opened"] for entry in found if entry.event is not None} == {"CredSSP"}
    given = [entry for entry in found if entry.type == "net:Credentials"]
    assert len(given) == len({turn[0] for turn in turns})
    if password == PASSWORD:
        assert PASSWORD not in line(given[0])
        assert summary(given[0]) == f"of {USER}, password <13 characters>"
        assert summary(given[0], reveal=True) == f"of {USER}, password '{PASSWORD}'"
        assert json.loads(line(given[0], reveal=True))["data"]["password"] == {"open": PASSWORD}
    else:
        assert given[0].data["missing"] == f"the password of {USER}"


def test_credssp_without_the_key_log_says_what_is_missing(
    credssp: tuple[list[Turn], Path],
) -> None:
    found: list[Entry] = []
    with pytest.raises(CaptureError, match="no key given opens it; missing: the key log line"):
        found.extend(reading(credssp[0], secrets_of(None, PASSWORD)))
    assert not messages(found)
    rows = [entry for entry in found if entry.type == "wsman:Sealed"]
    assert rows
    for row in rows:
        assert "missing: the key log line of the client random" in row.data["note"]
        assert row.data["note"].endswith("(TLS inside CredSSP)")


# -- Kerberos

needs_kdc = pytest.mark.skipif(bool(kdc.why_not()), reason=kdc.why_not())


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kdc.Realm]:
    with kdc.running(tmp_path_factory.mktemp("kdc")) as made:
        yield made


@needs_kdc
@pytest.mark.parametrize(
    "kind", [Authentication.KERBEROS, Authentication.NEGOTIATE, Authentication.CREDSSP]
)
def test_a_keytab_opens_what_kerberos_sealed(
    kind: Authentication, realm: kdc.Realm, tmp_path: Path
) -> None:
    made, log = credssp_identity(tmp_path), tmp_path / "keys.log"
    made.context.keylog_filename = str(log)
    alice = Credential(user_name=kdc.USER, password=kdc.PASSWORD)
    turns = sealed_turns(kind, made, alice, kerberos=True)
    secrets = secrets_of(log if kind is Authentication.CREDSSP else None, None)
    secrets.add_keytab(str(realm.kdc.keytab))
    found = opened(turns, secrets)
    assert messages(found) == messages(list(decode(RECORDING)))
    log_ons = [entry.data for entry in found if entry.type == "net:LogOn"]
    assert {each["user"] for each in log_ons} == {kdc.USER}
    assert all(each["key"].startswith("the keytab's key of ") for each in log_ons)
    given = [entry for entry in found if entry.type == "net:Credentials"]
    for each in given:
        assert kdc.PASSWORD not in line(each)
        assert json.loads(line(each, reveal=True))["data"]["password"] == {"open": kdc.PASSWORD}
    assert bool(given) == (kind is Authentication.CREDSSP)


def test_basic_shows_the_user_and_masks_the_password(tmp_path: Path) -> None:
    path = tmp_path / "basic.pcap"
    head = "Authorization: Basic Y2Fyb2w6Y29ycmVjdCBob3JzZQ==\r\nContent-Length: 0\r\n\r\n"
    request = f"POST /wsman HTTP/1.1\r\nHost: a\r\n{head}".encode()
    digest = (
        b'POST /wsman HTTP/1.1\r\nHost: a\r\nAuthorization: Digest username="dora", x="y"\r\n\r\n'
    )
    path.write_bytes(pcap(conversations([(1, True, request * 2), (2, True, digest)])))
    for reveal in ([], ["--reveal"]):
        ran = CliRunner().invoke(main, ["decode", "--type", "net:LogOn", *reveal, str(path)])
        assert ran.exit_code == 0
        rows = ran.stdout.splitlines()[:-1]
        assert len(rows) == 2
        shown = "'correct horse'" if reveal else "<13 characters>"
        assert f"Basic carol password {shown}" in rows[0]
        assert "Digest dora" in rows[1]
