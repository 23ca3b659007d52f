"""Log-ons of every kind of user, with many keys, and again in the middle of a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from spnego._ntlm_raw.messages import Authenticate, Challenge

from psremoting.capture import Entry, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.jsonlines import line
from psremoting.capture.network.log_ons import LogOnReader
from psremoting.capture.network.secrets import PacketSecrets
from psremoting.cli.main import main
from psrp.sansio import Side
from tests.capture.makers import source
from tests.capture.sealed_sessions import PASSWORD, RECORDING, Turn, sealed_turns
from tests.capture.wire import conversations, pcap
from wsman.auth import Authentication, Credential

USERS = {
    "carol": "carol",
    "CAROL": "CAROL",
    "LAB\\carol": "LAB\\carol",
    "lab.example\\CaRoL": "lab.example\\CaRoL",
    "carol@lab.example": "carol@lab.example",
    "jürgen": "jürgen",
    "ФЁДОР": "ФЁДОР",
}
PASSWORDS = ["x", "pässwörd €", "日本語" * 40, "long " * 50, " spaces ", "a:b:c", "$HEX[00]"]


def messages(found: list[Entry]) -> list[Any]:
    return [(e.type, json.loads(line(e))["data"]) for e in found if e.event is not None]


def wanted() -> list[Any]:
    return messages(list(decode(RECORDING)))


def opened(turns: list[Turn], secrets: PacketSecrets) -> list[Entry]:
    return list(decode_source(source(pcap(conversations(turns))), None, None, secrets))


def log_ons(found: list[Entry]) -> list[dict[str, Any]]:
    return [entry.data for entry in found if entry.type == "net:LogOn"]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("kind", [Authentication.NTLM, Authentication.NEGOTIATE])
def test_users_are_written_in_every_way(user: str, kind: Authentication) -> None:
    secrets = PacketSecrets()
    secrets.add_password(PASSWORD)
    credential = Credential(user_name=user, password=PASSWORD)
    found = opened(sealed_turns(kind, credential=credential), secrets)
    assert messages(found) == wanted()
    assert {each["user"] for each in log_ons(found)} == {USERS[user]}


@pytest.mark.parametrize("password", PASSWORDS)
def test_passwords_of_any_letters_and_length_open(password: str) -> None:
    secrets = PacketSecrets()
    secrets.add_password(password)
    credential = Credential(user_name="carol", password=password)
    found = opened(sealed_turns(Authentication.NTLM, credential=credential), secrets)
    assert messages(found) == wanted()


def test_the_right_key_is_found_behind_many_wrong_ones() -> None:
    secrets = PacketSecrets()
    for number in range(1000):
        secrets.add_password(f"wrong {number}")
        secrets.add_nt_hash(f"{number:032x}")
        secrets.add_key(f"{number:064x}")
    secrets.add_password(PASSWORD)
    found = opened(sealed_turns(Authentication.NEGOTIATE), secrets)
    assert messages(found) == wanted()
    assert {each["key"] for each in log_ons(found)} == {"password 1001"}


@pytest.mark.parametrize("kind", [Authentication.NTLM, Authentication.NEGOTIATE])
@pytest.mark.parametrize("again", [1, 2, 3])
def test_a_connection_authenticates_again_in_its_middle(kind: Authentication, again: int) -> None:
    turns = sealed_turns(kind, again=again)
    secrets = PacketSecrets()
    secrets.add_password(PASSWORD)
    found = opened(turns, secrets)
    assert len(log_ons(found)) > len({number for number, _, _ in turns})
    assert messages(found) == wanted()
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0


def test_what_two_users_sealed_opens_for_the_one_whose_key_is_given() -> None:
    carol = sealed_turns(Authentication.NTLM)
    last = max(number for number, _, _ in carol)
    dora = Credential(user_name="LAB\\dora", password="another")
    theirs = sealed_turns(Authentication.NTLM, credential=dora)
    turns = [*carol, *((number + last, *rest) for number, *rest in theirs)]
    secrets = PacketSecrets()
    secrets.add_password("another")
    found = opened(turns, secrets)
    assert messages(found) == wanted()
    notes = {entry.data["note"] for entry in found if entry.type == "wsman:Sealed"}
    assert notes == {"missing: the password of carol"}
    by_user = {each["user"]: each for each in log_ons(found)}
    assert by_user["LAB\\dora"]["key"] == "password 1"
    assert by_user["carol"]["missing"] == "the password of carol"


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_every_output_says_which_key_opened_and_what_is_missing(form: str, tmp_path: Any) -> None:
    carol = sealed_turns(Authentication.NTLM)
    last = max(number for number, _, _ in carol)
    dora = Credential(user_name="LAB\\dora", password="another")
    theirs = sealed_turns(Authentication.NTLM, credential=dora)
    turns = [*carol, *((number + last, *rest) for number, *rest in theirs)]
    path, page = tmp_path / "two.pcap", tmp_path / "page.html"
    path.write_bytes(pcap(conversations(turns)))
    options = {"text": [], "json": ["--json"], "html": ["--html", str(page)]}[form]
    ran = CliRunner().invoke(main, ["decode", "--password", "another", *options, str(path)])
    assert ran.exit_code == 0, ran.output
    shown = page.read_text() if form == "html" else ran.stdout
    assert "missing: the password of carol" in shown
    assert "password 1" in shown
    assert "LAB\\\\dora" in shown if form != "text" else "LAB\\dora" in shown


def test_an_ntlm_response_of_another_version_is_named() -> None:
    reader = LogOnReader(PacketSecrets())
    challenge = Challenge(flags=0x80000201, server_challenge=bytes(8))
    answer = Authenticate(
        flags=0x80000201, domain_name="LAB", username="old", lm_challenge_response=bytes(24),
        nt_challenge_response=bytes(24),
    )  # fmt: skip
    assert reader.receive(Side.SERVER, challenge.pack()) is None
    assert reader.receive(Side.CLIENT, answer.pack()) is None
    assert reader.missing == "an NTLMv2 response: that of LAB\\old is of another kind"
    assert reader.findings[0].data["user"] == "LAB\\old"


def test_a_wrong_key_is_one_line_and_exit_code_2_and_everything_is_listed(tmp_path: Any) -> None:
    path = tmp_path / "sealed.pcap"
    path.write_bytes(pcap(conversations(sealed_turns(Authentication.NTLM))))
    ran = CliRunner().invoke(main, ["decode", "--password", "wrong", str(path)])
    assert ran.exit_code == 2
    (reason,) = ran.stderr.splitlines()
    assert reason.endswith("no key given opens it; missing: the password of carol")
    assert "sealed, " in ran.stdout
