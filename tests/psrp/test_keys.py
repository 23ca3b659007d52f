"""The session key: the blobs of the exchange, and the secrets that it decrypts."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from psrp import events as e
from psrp.clixml import SecureString
from psrp.keys import (
    PUBLIC_KEY_BLOB_SIZE,
    SESSION_KEY_BLOB_SIZE,
    SessionKey,
    read_public_key,
    read_session_key,
    seal_plain,
    unseal_plain,
    write_public_key,
    write_session_key,
)
from psrp.messages import decode
from psrp.sansio import LocalProtocolError, MessageError, RemoteProtocolError
from psrp.states import PoolState
from tests.psrp.pairs import Pair, force
from tests.psrp.recorded import out_of_process, probe, wsman
from tests.recordings import FIXTURES

WSMAN = FIXTURES / "wsman"


def load(path: str) -> rsa.RSAPrivateKey:
    key = load_pem_private_key((FIXTURES / path).read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


PROBE_KEY = load("outofproc/probes/key.pem")
WSMAN_KEY = load("wsman/test_rsa_private_key.pem")
KEY = SessionKey(bytes(range(32)))

text = st.text(st.characters(exclude_categories=()), max_size=40)


def events(name: str) -> list[e.Event]:
    return [decode(each.message)[1] for each in out_of_process(probe(name))]


def test_the_public_key_is_a_capi_blob() -> None:
    """Statement F58."""
    blob = base64.b64decode(write_public_key(PROBE_KEY.public_key()))
    numbers = PROBE_KEY.public_key().public_numbers()
    assert len(blob) == PUBLIC_KEY_BLOB_SIZE == 276
    assert blob[:20].hex() == "0602000000a400005253413100080000" + "01000100"
    assert blob[20:] == numbers.n.to_bytes(256, "little")


def test_recorded_public_keys_are_written_again() -> None:
    """Statement F58."""
    sent = [event.key for event in events("securestring-2.3") if isinstance(event, e.PublicKey)]
    assert sent == [write_public_key(PROBE_KEY.public_key())]
    assert read_public_key(sent[0]) == PROBE_KEY.public_key()


@pytest.mark.parametrize("name", ["securestring-2.2", "securestring-2.3", "securestring-no-key"])
def test_a_recorded_session_key_opens_the_recorded_secrets(name: str) -> None:
    """Statements F58, F59."""
    sealed = []
    for event in events(name):
        if isinstance(event, e.EncryptedSessionKey):
            blob = base64.b64decode(event.key)
            assert len(blob) == SESSION_KEY_BLOB_SIZE == 268
            assert blob[:12].hex() == "010200001066000000a40000"
            key = SessionKey(read_session_key(PROBE_KEY, event.key))
        elif isinstance(event, e.PipelineOutput) and isinstance(event.data, SecureString):
            sealed.append(event.data.sealed)
    assert sealed
    for secret in sealed:
        assert secret is not None
        assert key.seal(key.unseal(secret)) == secret


def test_the_recorded_secrets_read_right() -> None:
    """Statement F59."""
    found = events("securestring-2.3")
    (blob,) = (event.key for event in found if isinstance(event, e.EncryptedSessionKey))
    key = SessionKey(read_session_key(PROBE_KEY, blob))
    data = [event.data for event in found if isinstance(event, e.PipelineOutput)]
    sealed = [each.sealed for each in data if isinstance(each, SecureString)]
    assert [key.unseal(each) for each in sealed if each] == ["from s\u00e9rver", "x", ""]


def test_the_recorded_plain_secrets_read_right() -> None:
    data = [ev.data for ev in events("securestring-2.4") if isinstance(ev, e.PipelineOutput)]
    plain = [each.sealed for each in data if isinstance(each, SecureString)]
    assert [unseal_plain(each or "") for each in plain] == ["from s\u00e9rver", "x", ""]


def test_the_keys_of_a_windows_server_open_too() -> None:
    """Statement F58."""
    opened = 0
    for each in wsman(WSMAN / "test_psrp_multiple_commands.yml"):
        event = decode(each.message)[1]
        if isinstance(event, e.EncryptedSessionKey):
            assert len(read_session_key(WSMAN_KEY, event.key)) == 32
            opened += 1
    assert opened == 1


def test_the_exchange_gives_both_the_same_key() -> None:
    """Statement F58."""
    public = read_public_key(write_public_key(PROBE_KEY.public_key()))
    sealed = write_session_key(public, KEY.key)
    assert len(base64.b64decode(sealed)) == SESSION_KEY_BLOB_SIZE
    assert read_session_key(PROBE_KEY, sealed) == KEY.key


@given(text)
def test_what_is_sealed_opens_again(secret: str) -> None:
    """Statement F59."""
    assert KEY.unseal(KEY.seal(secret)) == secret
    assert unseal_plain(seal_plain(secret)) == secret


def test_the_form_of_what_is_sealed() -> None:
    """Statement F59."""
    assert len(base64.b64decode(KEY.seal(""))) == 16
    assert len(base64.b64decode(KEY.seal("12345678"))) == 32
    assert KEY.seal("12345678-A")[:20] == KEY.seal("12345678-B")[:20]
    assert seal_plain("") == ""
    assert seal_plain("secret") == "cwBlAGMAcgBlAHQA"


BAD_SECRETS = ["x", "AAAA", "", base64.b64encode(bytes(32)).decode(), "é" * 4]


@pytest.mark.parametrize("bad", BAD_SECRETS)
def test_a_secret_that_does_not_open_is_the_peers_fault(bad: str) -> None:
    with pytest.raises(RemoteProtocolError, match="cannot decrypt a SecureString"):
        KEY.unseal(bad)


def test_half_a_code_unit_is_the_peers_fault() -> None:
    with pytest.raises(RemoteProtocolError):
        unseal_plain("AA==")
    with pytest.raises(RemoteProtocolError):
        unseal_plain("*")


@given(st.text(max_size=30) | st.binary(max_size=400).map(lambda b: base64.b64encode(b).decode()))
def test_any_blob_is_read_or_refused(blob: str) -> None:
    for name, read in (
        ("PUBLIC_KEY", read_public_key),
        ("ENCRYPTED_SESSION_KEY", lambda each: read_session_key(PROBE_KEY, each)),
    ):
        with pytest.raises(MessageError, match=name):
            read(blob)


def test_blobs_of_the_right_shape_and_wrong_content_are_refused() -> None:
    good = base64.b64decode(write_public_key(PROBE_KEY.public_key()))
    for bad in (good[:16] + bytes(4) + good[20:], good[:20] + bytes(256)):
        with pytest.raises(MessageError, match=r"odd modulus|not a usable RSA key"):
            read_public_key(base64.b64encode(bad).decode())
    head = base64.b64decode(write_session_key(PROBE_KEY.public_key(), KEY.key))[:12]
    with pytest.raises(MessageError):
        read_session_key(PROBE_KEY, base64.b64encode(head + b"\xff" * 256).decode())
    other = base64.b64encode(head + bytes(255) + b"\0").decode()
    with pytest.raises(MessageError):
        read_session_key(PROBE_KEY, other)


def test_keys_of_another_size_are_our_mistake() -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(LocalProtocolError):
        write_public_key(small.public_key())
    with pytest.raises(LocalProtocolError):
        write_session_key(PROBE_KEY.public_key(), b"short")
    with pytest.raises(LocalProtocolError):
        SessionKey(b"short")


def test_no_key_shows_in_a_repr() -> None:
    assert repr(KEY) == "<SessionKey>"


def test_the_core_does_without_cryptography_until_a_key_is_needed() -> None:
    code = "import sys, psrp.keys, psrp.messages; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "modulus",
    [
        pytest.param((1 << 2047) + 2, id="even"),
        pytest.param((1 << 511) + 1, id="512 bits"),
        pytest.param((1 << 1023) + 1, id="1024 bits"),
        pytest.param((1 << 2046) + 1, id="2047 bits"),
        pytest.param(0, id="zero"),
    ],
)
@pytest.mark.parametrize("exponent", [65537, 3, 1, 0])
def test_a_public_key_that_cannot_encrypt_costs_one_message(modulus: int, exponent: int) -> None:
    """The header of the blob declares 2048 bits; the pool of a server continues after a fault."""
    good = base64.b64decode(write_public_key(PROBE_KEY.public_key()))
    blob = good[:16] + exponent.to_bytes(4, "little") + modulus.to_bytes(256, "little")
    text = base64.b64encode(blob).decode()
    pair = Pair().open()
    force(pair.client, e.PublicKey(key=text))
    pair.move()
    assert isinstance(pair.at_server[-1], e.Fault)
    assert pair.server.state is PoolState.OPENED
    assert not pair.server.keys.done
