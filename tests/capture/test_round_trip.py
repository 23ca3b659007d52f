"""A session that we record, sealed anew into packets, decodes to the timeline of the recording."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from psremoting.capture import Entry, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.jsonlines import line
from psremoting.capture.network.secrets import PacketSecrets
from tests.capture.makers import source
from tests.capture.sealed_sessions import (
    CAROL,
    PASSWORD,
    Tls,
    Turn,
    identity,
    plain_turns,
    sealed_turns,
)
from tests.capture.wire import conversations, pcap, pcapng
from tests.endpoint.served_wsman import PASSWORD as SERVED_PASSWORD
from tests.endpoint.served_wsman import USER as SERVED_USER
from tests.endpoint.served_wsman import serving
from tests.recordings import ROOT
from tests.wsman import kdc
from wsman.auth import Authentication, Credential
from wsman.trio_tls import credssp_identity

COMMANDS = "Show-Greeting Joe; Show-Streams"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record a session of `psrp invoke` over WS-Man with --record."""
    folder = tmp_path_factory.mktemp("recorded")
    path, password = folder / "session.jsonl", folder / "password"
    password.write_text(SERVED_PASSWORD)
    with serving(folder) as served:
        url = f"http://localhost:{served.http}/wsman"
        words = ["invoke", "--record", str(path), url, COMMANDS, "--user-name", SERVED_USER,
                 "--password-file", str(password), "--authentication", "ntlm",
                 "--trusted-host", "*"]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", "from psremoting.cli.entry import main; main()", *words],
            capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
        )  # fmt: skip
    assert "Hello, Joe!" in done.stdout, done.stderr
    return path


def timeline(found: list[Entry]) -> list[Any]:
    """Return every message and act in its order, without its place in the file."""
    return [
        (e.type, e.direction, e.target, e.stream, e.size, json.loads(line(e))["data"])
        for e in found
        if e.event is not None or "action" in e.carrier
    ]


def check(turns: list[Turn], recording: Path, secrets: PacketSecrets, make: Any = pcap) -> None:
    found = list(decode_source(source(make(conversations(turns))), None, None, secrets))
    wanted = list(decode(recording))
    assert len([each for each in wanted if each.event is not None]) > 10
    assert timeline(found) == timeline(wanted)
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0
    assert not [entry for entry in found if entry.type.endswith(":Sealed")]


@pytest.fixture(scope="module")
def realm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kdc.Realm]:
    with kdc.running(tmp_path_factory.mktemp("kdc")) as made:
        yield made


@pytest.mark.parametrize("kind", [Authentication.NTLM, Authentication.NEGOTIATE])
def test_a_recorded_session_in_ntlm_decodes_to_its_timeline(
    kind: Authentication, recording: Path
) -> None:
    secrets = PacketSecrets()
    secrets.add_password(PASSWORD)
    check(sealed_turns(kind, recording=recording), recording, secrets)


@pytest.mark.skipif(bool(kdc.why_not()), reason=kdc.why_not())
@pytest.mark.parametrize("kind", [Authentication.KERBEROS, Authentication.NEGOTIATE])
def test_a_recorded_session_in_kerberos_decodes_to_its_timeline(
    kind: Authentication, recording: Path, realm: kdc.Realm
) -> None:
    secrets = PacketSecrets()
    secrets.add_keytab(str(realm.kdc.keytab))
    alice = Credential(user_name=kdc.USER, password=kdc.PASSWORD)
    turns = sealed_turns(kind, None, alice, kerberos=True, recording=recording)
    check(turns, recording, secrets, pcapng)


def test_a_recorded_session_in_credssp_decodes_to_its_timeline(
    recording: Path, tmp_path: Path
) -> None:
    made, log = credssp_identity(tmp_path), tmp_path / "keys.log"
    made.context.keylog_filename = str(log)
    turns = sealed_turns(Authentication.CREDSSP, made, CAROL, recording=recording)
    secrets = PacketSecrets()
    secrets.add_key_log(str(log))
    check(turns, recording, secrets)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_recorded_session_in_tls_decodes_to_its_timeline(
    version: ssl.TLSVersion, recording: Path, tmp_path: Path
) -> None:
    log = tmp_path / "keys.log"
    tls = Tls(identity(tmp_path, "rsa"), log, version=version)
    turns = tls.seal(plain_turns(recording))
    secrets = PacketSecrets()
    secrets.add_key_log(str(log))
    check(turns, recording, secrets)
