"""Recordings of HTTP messages with sealed bodies: the keys of packets open them, too."""

from __future__ import annotations

import io
import json
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import Any

import pytest

from psremoting.capture import CaptureError, Entry, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.jsonlines import line
from psremoting.capture.network.http_flows import FlowReader, RawMessage
from psremoting.capture.network.secrets import PacketSecrets
from psremoting.capture.network.tcp import Piece
from psrp.sansio import Side
from tests.capture.makers import source
from tests.capture.sealed_sessions import PASSWORD, RECORDING, USER, Turn, sealed_turns
from tests.capture.test_other_forms import tnetstring
from wsman.auth import Authentication


@cache
def turns() -> tuple[Turn, ...]:
    return tuple(sealed_turns(Authentication.NEGOTIATE))


def requests() -> Iterator[tuple[int, list[RawMessage]]]:
    """Yield each request with its response, if it has one, in the order of the requests."""
    waiting: dict[int, list[RawMessage]] = {}
    made: list[tuple[int, list[RawMessage]]] = []
    for number, from_client, data in turns():
        reader = FlowReader(Side.CLIENT if from_client else Side.SERVER)
        (message,) = [*reader.receive(Piece(0.0, 1, data)), *reader.end()]
        if from_client:
            waiting[number] = [message]
            made.append((number, waiting[number]))
        else:
            waiting[number].append(message)
    return iter(made)


def json_lines() -> bytes:
    rows = []
    for number, from_client, data in turns():
        reader = FlowReader(Side.CLIENT if from_client else Side.SERVER)
        (message,) = [*reader.receive(Piece(0.0, 1, data)), *reader.end()]
        row = {"conn": number, "dir": "c2s" if from_client else "s2c", "start": message.start}
        body = {"body_base64": b64encode(message.body).decode()} if message.body else {}
        rows.append(json.dumps(row | {"headers": message.headers} | body))
    return "\n".join(rows).encode()


def har() -> bytes:
    def part(message: RawMessage) -> dict[str, Any]:
        content = {"text": b64encode(message.body).decode(), "encoding": "base64"}
        return {
            "method": "POST",
            "url": "http://server.lab/wsman",
            "status": message.status,
            "headers": [{"name": name, "value": value} for name, value in message.headers],
            "postData" if message.side is Side.CLIENT else "content": content,
        }

    entries = [
        dict(zip(("request", "response"), map(part, both), strict=False)) for _, both in requests()
    ]
    return json.dumps({"log": {"entries": entries}}).encode()


def flows() -> bytes:
    def part(message: RawMessage) -> dict[str, Any]:
        return {
            "method": b"POST",
            "path": b"/wsman",
            "status_code": message.status or 0,
            "headers": [[name.encode(), value.encode()] for name, value in message.headers],
            "content": message.body,
        }

    return b"".join(
        tnetstring(
            {"version": 20, "type": "http", "client_conn": {"id": str(number)}}
            | dict(zip(("request", "response"), map(part, both), strict=False))
        )
        for number, both in requests()
    )


def saz() -> bytes:
    def raw(message: RawMessage) -> bytes:
        headers = "".join(f"{name}: {value}\r\n" for name, value in message.headers)
        return f"{message.start}\r\n{headers}\r\n".encode() + message.body

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for index, (_, both) in enumerate(requests(), 1):
            for kind, message in zip("cs", both, strict=False):
                archive.writestr(f"raw/{index}_{kind}.txt", raw(message))
    return data.getvalue()


FORMS: list[Callable[[], bytes]] = [json_lines, har, flows, saz]


def messages(found: list[Entry]) -> list[Any]:
    return [(e.type, json.loads(line(e))["data"]) for e in found if e.event is not None]


@pytest.mark.parametrize("form", FORMS)
def test_a_password_opens_the_sealed_bodies_of_every_form(form: Callable[[], bytes]) -> None:
    secrets = PacketSecrets()
    secrets.add_password("not this one")
    secrets.add_password(PASSWORD)
    found = list(decode_source(source(form()), None, None, secrets))
    wanted = messages(list(decode(RECORDING)))
    if form is json_lines:
        assert messages(found) == wanted
    # The other forms put each response behind its request.
    assert sorted(map(str, messages(found))) == sorted(map(str, wanted))
    assert not [entry for entry in found if entry.type == "wsman:Sealed"]
    log_ons = [entry.data for entry in found if entry.type == "net:LogOn"]
    assert {(each["user"], each["key"]) for each in log_ons} == {(USER, "password 2")}
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("given", [True, False])
def test_what_stays_sealed_names_its_user(form: Callable[[], bytes], given: bool) -> None:
    secrets = PacketSecrets()
    if given:
        secrets.add_password("wrong")
    found: list[Entry] = []
    expected = f"no key given opens it; missing: the password of {USER}"
    with pytest.raises(CaptureError, match=expected) if given else nullcontext():
        found.extend(decode_source(source(form()), None, None, secrets))
    sealed = [entry for entry in found if entry.type == "wsman:Sealed"]
    assert sealed
    assert {entry.data["note"] for entry in sealed} == {f"missing: the password of {USER}"}
    assert not messages(found)
    assert found[-1].data["unaccounted"] == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("part", [0.4, 0.9])
def test_a_cut_recording_shows_what_is_before_the_cut(
    form: Callable[[], bytes], part: float
) -> None:
    data = form()
    secrets = PacketSecrets()
    secrets.add_password(PASSWORD)
    found: list[Entry] = []
    with pytest.raises(CaptureError):
        found.extend(decode_source(source(data[: int(len(data) * part)]), None, None, secrets))
    whole = {str(item) for item in messages(list(decode(RECORDING)))}
    assert messages(found)
    assert {str(item) for item in messages(found)} <= whole
