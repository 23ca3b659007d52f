"""Session keys and secure strings: decrypted on request, hidden otherwise."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from psremoting.capture import CaptureError, Entry, KeyRing, decode
from psremoting.capture.jsonlines import line
from psremoting.capture.summaries import summary
from psrp import events as e
from psrp.clixml import SecureString
from psrp.sansio import Side
from tests.capture.makers import capability, entries, fragments, output, packet, transcript
from tests.recordings import FIXTURES, WHOLE

KEY = FIXTURES / "wsman" / "test_rsa_private_key.pem"
EXCHANGE = FIXTURES / "wsman" / "test_psrp_multiple_commands.yml"


def secrets(found: list[Entry]) -> list[SecureString]:
    return [
        entry.event.data
        for entry in found
        if isinstance(entry.event, e.PipelineOutput) and isinstance(entry.event.data, SecureString)
    ]


def test_a_recorded_session_key_opens_what_it_sealed() -> None:
    found = list(decode(EXCHANGE, ring=KeyRing.load([KEY])))
    assert [secret.reveal() for secret in secrets(found)] == ["abc"]
    assert found[-1].data["errors"] == 0


def test_without_the_key_it_stays_sealed() -> None:
    found = list(decode(EXCHANGE))
    (secret,) = secrets(found)
    assert secret.sealed is not None
    entry = next(x for x in found if getattr(x.event, "data", None) is secret)
    assert summary(entry) == "<secure string, sealed>"
    assert json.loads(line(entry))["data"] == {"$type": "SecureString", "hidden": "sealed"}
    assert json.loads(line(entry, reveal=True))["data"]["sealed"] == secret.sealed


def plain_row(client: str, server: str) -> str:
    """Return a session of these versions whose server sends the text "hi" in the form of 2.4."""
    sealed = output(None) + b"\xef\xbb\xbf<SS>aABpAA==</SS>"
    return transcript(
        [
            ("client", packet(fragments(1, capability(client, Side.CLIENT))[0], None)),
            ("server", packet(fragments(1, capability(server, Side.SERVER))[0], None)),
            ("server", packet(fragments(2, sealed)[0])),
        ]
    )


@pytest.mark.parametrize(
    ("client", "server", "plain"),
    [("2.4", "2.4", True), ("2.5", "2.4", True), ("2.3", "2.3", False), ("2.4", "2.3", False)],
)
def test_the_form_of_a_secure_string_follows_from_the_versions(
    client: str, server: str, plain: bool
) -> None:
    """Statement J114."""
    (secret,) = secrets(entries(plain_row(client, server)))
    assert (secret.sealed is None) == plain
    if plain:
        assert secret.reveal() == "hi"


def test_a_plain_secret_is_shown_as_its_length_unless_asked_for() -> None:
    found = entries(plain_row("2.4", "2.4"))
    assert summary(found[2]) == "<secure string, 2 characters>"
    assert json.loads(line(found[2]))["data"]["hidden"] == "2 characters"
    assert summary(found[2], reveal=True) == "<secure string 'hi'>"
    assert json.loads(line(found[2], reveal=True))["data"]["open"] == "hi"


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.4"])
def test_the_probes_secure_strings_open(version: str) -> None:
    """Statement J114."""
    probes = WHOLE / "outofproc" / "probes"
    ring = KeyRing.load([probes / "key.pem"])
    found = list(decode(probes / f"securestring-{version}.jsonl", ring=ring))
    assert [secret.reveal() for secret in secrets(found)] == ["from sérver", "x", ""]
    assert found[-1].data["errors"] == 0


def test_a_secure_string_that_came_before_its_key_is_opened_in_its_place() -> None:
    probes = WHOLE / "outofproc" / "probes"
    path = probes / "securestring-no-key.jsonl"
    found = list(decode(path, ring=KeyRing.load([probes / "key.pem"])))
    assert [secret.reveal() for secret in secrets(found)] == ["needs a key"]
    plain = list(decode(path))
    assert [entry.type for entry in found] == [entry.type for entry in plain]


def test_a_key_that_does_not_fit_leaves_strings_sealed_and_is_reported_at_the_end() -> None:
    ring = KeyRing([rsa.generate_private_key(65537, 2048)])
    found: list[Entry] = []
    with pytest.raises(CaptureError, match=r"multiple_commands\.yml: envelope \d+: no RSA key"):
        found.extend(decode(EXCHANGE, ring=ring))
    without = list(decode(EXCHANGE))
    assert [entry.type for entry in found] == [entry.type for entry in without]
    assert found[-1].data["messages"] == without[-1].data["messages"]
    assert [secret.sealed for secret in secrets(found)] == [
        secret.sealed for secret in secrets(without)
    ]


def test_of_several_keys_the_fitting_one_is_taken() -> None:
    other = rsa.generate_private_key(65537, 2048)
    ring = KeyRing([other, *KeyRing.load([KEY]).keys])
    assert len(secrets(list(decode(EXCHANGE, ring=ring)))) == 1


def test_a_key_file_that_is_none_is_refused_without_quoting_it(tmp_path: Path) -> None:
    files = {
        "text.pem": b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
        "curve.pem": ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        "locked.pem": rsa.generate_private_key(65537, 2048).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
        ),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CaptureError, match=name) as caught:
            KeyRing.load([tmp_path / name])
        assert "c2VjcmV0" not in str(caught.value)
    with pytest.raises(CaptureError, match="No such file"):
        KeyRing.load([tmp_path / "missing.pem"])


# -- candidates for session keys


def recorded_session_key() -> bytes:
    ring = KeyRing.load([KEY])
    found = next(x.event for x in decode(EXCHANGE) if isinstance(x.event, e.EncryptedSessionKey))
    return ring.open(found.key, None)


@pytest.mark.parametrize("form", ["digits", "lines", "small dump", "dump of .NET"])
def test_the_session_key_is_found_among_candidates(form: str, tmp_path: Path) -> None:
    key, path = recorded_session_key(), tmp_path / "candidates"
    noise = random.Random(1).randbytes
    forms = {
        "lines": "\n".join([noise(32).hex(), "# a comment", key.hex(), ""]).encode(),
        "small dump": noise(400) + key + noise(400),
        "dump of .NET": noise(1 << 20) + bytes(8) + (32).to_bytes(8, "little") + key + noise(9),
    }
    if form != "digits":
        path.write_bytes(forms[form])
    argument = key.hex() if form == "digits" else str(path)
    found = list(decode(EXCHANGE, ring=KeyRing.load([], [argument])))
    assert [secret.reveal() for secret in secrets(found)] == ["abc"]


def test_candidates_that_do_not_fit_leave_the_string_sealed(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(random.Random(2).randbytes(20_000))
    found = list(decode(EXCHANGE, ring=KeyRing.load([], [str(path)])))
    (secret,) = secrets(found)
    assert secret.sealed is not None
    assert found[-1].data["errors"] == 0


def test_a_dump_without_candidates_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_bytes(bytes(1000))
    with pytest.raises(CaptureError, match="no candidate for a session key"):
        KeyRing.load([], [str(path)])
