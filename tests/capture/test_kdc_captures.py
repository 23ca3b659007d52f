"""Kerberos captures with the exchange of the KDC, of a real realm, in every encryption type."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from psremoting.capture import Entry, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.jsonlines import line
from psremoting.capture.network.gathering import gather_keys
from psremoting.capture.network.kerberos_keys import read_keytab
from psremoting.capture.network.secrets import PacketSecrets
from tests.capture.makers import source
from tests.capture.sealed_sessions import RECORDING, Turn, sealed_turns
from tests.capture.wire import Frame, conversations, pcap
from tests.wsman import kdc
from wsman.auth import Authentication, Credential

pytestmark = pytest.mark.skipif(bool(kdc.why_not()), reason=kdc.why_not())
ETYPES = {
    "aes256-cts-hmac-sha1-96": 18,
    "aes128-cts-hmac-sha1-96": 17,
    "aes256-cts-hmac-sha384-192": 20,
    "aes128-cts-hmac-sha256-128": 19,
    "arcfour-hmac": 23,
}
KRBTGT = f"krbtgt/{kdc.REALM}"


@dataclass
class Wire:
    """The messages between the clients and the KDC."""

    turns: list[Turn] = field(default_factory=list)
    port: int = 0


def message(one: socket.socket) -> bytes:
    """Return the next message with its length; empty at the end of the connection."""
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack(">I", data[:4])[0]:
        if not (part := one.recv(65536)):
            return b""
        data += part
    return data


@contextmanager
def tapped(port: int) -> Iterator[Wire]:
    """Listen in front of a KDC; note each message of both directions."""
    wire = Wire()
    listener = socket.create_server(("127.0.0.1", 0))
    wire.port = listener.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            number = len({turn[0] for turn in wire.turns}) + 1
            with client, socket.create_connection(("127.0.0.1", port), 10) as server:
                client.settimeout(10)
                server.settimeout(10)
                for one, other, side in ((client, server, True), (server, client, False)):
                    if not (data := message(one)):
                        break
                    wire.turns.append((number, side, data))
                    other.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        listener.close()


@dataclass(frozen=True)
class Recorded:
    frames: list[Frame]
    kdc_frames: list[Frame]
    keytab: Path
    krbtgt: str
    etype: str

    def opened(self, secrets: PacketSecrets, *, apart: bool = False) -> list[Entry]:
        session = pcap(self.frames if apart else [*self.kdc_frames, *self.frames])
        gather_keys(source(pcap(self.kdc_frames)), secrets)
        return list(decode_source(source(session), None, None, secrets))


@pytest.fixture(scope="module", params=ETYPES)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    """A session in Kerberos of one encryption type, with the exchange of the KDC."""
    folder = tmp_path_factory.mktemp("kdc")
    with kdc.running(folder, (request.param,)) as realm, tapped(realm.kdc.port) as wire:
        config = realm.kdc.config
        config.write_text(config.read_text().replace(f":{realm.kdc.port}", f":{wire.port}"))
        keys = folder / "krbtgt.keytab"
        realm.run("kadmin.local", "-q", f"ktadd -norandkey -k {keys} {KRBTGT}@{kdc.REALM}")
        alice = Credential(user_name=kdc.USER, password=kdc.PASSWORD)
        turns = sealed_turns(Authentication.KERBEROS, None, alice, kerberos=True)
        found = dict(read_keytab(keys.read_bytes()))[f"{KRBTGT}@{kdc.REALM}"]
        yield Recorded(
            frames=conversations(turns),
            kdc_frames=conversations(wire.turns, port=88),
            keytab=realm.kdc.keytab,
            krbtgt=f"{request.param}:{found.value.hex()}",
            etype=request.param,
        )


def messages(found: list[Entry]) -> list[Any]:
    return [(e.type, json.loads(line(e))["data"]) for e in found if e.event is not None]


def check(found: list[Entry], key: str) -> None:
    assert messages(found) == messages(list(decode(RECORDING)))
    assert not [entry for entry in found if entry.type == "wsman:Sealed"]
    log_ons = [entry.data for entry in found if entry.type == "net:LogOn"]
    assert {each["user"] for each in log_ons} == {kdc.USER}
    assert all(key in each["key"] for each in log_ons), log_ons[0]


@pytest.mark.parametrize("apart", [False, True], ids=["one file", "two files"])
def test_the_users_password_opens_the_session(recorded: Recorded, apart: bool) -> None:
    secrets = PacketSecrets()
    secrets.add_password("not this one")
    secrets.add_password(kdc.PASSWORD)
    check(recorded.opened(secrets, apart=apart), "password 2")


def test_the_key_of_krbtgt_opens_the_session(recorded: Recorded) -> None:
    """So it does for a forged TGT, which nothing tells from a real one."""
    secrets = PacketSecrets()
    secrets.add_key(recorded.krbtgt, "the key of krbtgt")
    # Without the AS exchange: the TGT itself gives its session key.
    tgs = Recorded(recorded.frames, [frame for frame in recorded.kdc_frames if not
                   is_as(frame)], recorded.keytab, "", "")  # fmt: skip
    check(tgs.opened(secrets), "the key of krbtgt")


def is_as(frame: Frame) -> bool:
    """Return True for an AS-REQ, an AS-REP or an error: they are not needed."""
    return frame.data[44:45] in (b"\x6a", b"\x6b", b"\x7e")


def test_a_keytab_opens_the_session(recorded: Recorded) -> None:
    secrets = PacketSecrets()
    secrets.add_keytab(str(recorded.keytab))
    found = list(decode_source(source(pcap(recorded.frames)), None, None, secrets))
    check(found, "the keytab's key of")


def test_without_a_key_the_ticket_is_named(recorded: Recorded) -> None:
    found = list(decode_source(source(pcap([*recorded.kdc_frames, *recorded.frames]))))
    notes = {entry.data["note"] for entry in found if entry.type == "wsman:Sealed"}
    (note,) = notes
    name = {"arcfour-hmac": "rc4-hmac"}.get(recorded.etype, recorded.etype)
    assert note.startswith("missing: a key for the ticket of ")
    assert f"localhost@{kdc.REALM} ({name}, kvno " in note
    assert note.endswith(f" for {kdc.USER}")
    log_on = next(entry.data for entry in found if entry.type == "net:LogOn")
    assert log_on["etype"] == ETYPES[recorded.etype]
    assert log_on["kvno"] >= 1


@pytest.mark.parametrize("kind", [Authentication.KERBEROS, Authentication.NEGOTIATE])
def test_a_kerberos_connection_authenticates_again_in_its_middle(
    kind: Authentication, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch, kdc.running(tmp_path) as realm:
        for name, value in realm.environment.items():
            patch.setenv(name, value)
        alice = Credential(user_name=kdc.USER, password=kdc.PASSWORD)
        turns = sealed_turns(kind, None, alice, kerberos=True, again=2)
    secrets = PacketSecrets()
    secrets.add_key("00" * 32)
    secrets.add_keytab(str(realm.kdc.keytab))
    found = list(decode_source(source(pcap(conversations(turns))), None, None, secrets))
    check(found, "the keytab's key of")
    log_ons = [entry for entry in found if entry.type == "net:LogOn"]
    assert len(log_ons) > len({number for number, _, _ in turns})
