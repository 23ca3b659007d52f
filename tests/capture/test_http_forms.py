"""WS-Man traffic in common exchange formats: text, logs, HAR, raw JSON lines."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest

from psremoting.capture import CaptureError, Entry, decode
from psremoting.capture.http_message import HttpMessage
from psremoting.capture.refusals import MAX_HELD, mark_refused
from psrp.sansio import Side
from tests.recordings import SHARED

FRAGMENT = (
    "AAAAAAAACmcAAAAAAAAAAAMAAADKAQAAAAIAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAO+7vzxPYm"
    "ogUmVmSWQ9IjAiPjxNUz48VmVyc2lvbiBOPSJwcm90b2NvbHZlcnNpb24iPjIuMzwvVmVyc2lvbj48VmVyc2lvbiBO"
    "PSJQU1ZlcnNpb24iPjIuMDwvVmVyc2lvbj48VmVyc2lvbiBOPSJTZXJpYWxpemF0aW9uVmVyc2lvbiI+MS4xLjAuMT"
    "wvVmVyc2lvbj48L01TPjwvT2JqPg=="
)
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    f' xmlns:rsp="{SHELL}"><s:Header><a:Action>{SHELL}/ReceiveResponse</a:Action>'
    "<a:RelatesTo>uuid:1</a:RelatesTo></s:Header><s:Body><rsp:ReceiveResponse>"
    f'<rsp:Stream Name="stdout">{FRAGMENT}</rsp:Stream></rsp:ReceiveResponse></s:Body></s:Envelope>'
)
SEND = ENVELOPE.replace("ReceiveResponse", "Send").replace("stdout", "stdin")
RESPONSE = "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n" + ENVELOPE
EXCHANGE = (
    "POST /wsman HTTP/1.1\r\nHost: a\r\nContent-Type: application/soap+xml\r\n\r\n"
    f"{SEND}\r\n{RESPONSE}"
)


def read(tmp_path: Path, data: str | bytes, name: str = "recording") -> list[Entry]:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(decode(path))


def messages(entries: list[Entry]) -> list[tuple[str, Side | None]]:
    assert entries[-1].data["unaccounted"] == 0
    assert entries[-1].data["errors"] == 0
    return [(entry.type, entry.direction) for entry in entries if entry.event is not None]


FORMS: dict[str, str | bytes] = {
    "an envelope": ENVELOPE,
    "an envelope with a declaration": '<?xml version="1.0" encoding="utf-8"?>\n' + ENVELOPE,
    "an envelope in UTF-16": b"\xff\xfe" + ENVELOPE.encode("utf-16-le"),
    "an HTTP response": RESPONSE,
    "a log with a byte that is not UTF-8": b"caf\xe9\r\n" + RESPONSE.encode(),
    "an HTTP response with bare line feeds": RESPONSE.replace("\r\n", "\n"),
    "curl -v": "* Connected to a (127.0.0.1) port 5985\n> POST /wsman HTTP/1.1\n> Host: a\n>\n"
    "< HTTP/1.1 200 OK\n< Content-Type: application/soap+xml\n<\n" + ENVELOPE + "\n* left intact\n",
    "http.client at debug level": "send: b'POST /wsman HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n'\n"
    "reply: 'HTTP/1.1 200 OK\\r\\n'\nheader: Content-Type: application/soap+xml\n" + ENVELOPE,
    "a log line": f"2024-01-01 12:00:00 DEBUG received: {ENVELOPE} (took 3 ms)\n",
    "a log line with JSON escapes": json.dumps({"msg": "in: " + ENVELOPE, "level": "debug"}),
    "a log with entities": f"<event><data>{html.escape(ENVELOPE)}</data></event>",
}


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_is_read_from_every_form_of_text(tmp_path: Path, form: str) -> None:
    assert messages(read(tmp_path, FORMS[form])) == [("SESSION_CAPABILITY", Side.SERVER)]


def test_both_messages_of_an_exchange_are_read_with_their_sides(tmp_path: Path) -> None:
    entries = read(tmp_path, EXCHANGE)
    assert messages(entries) == [
        ("SESSION_CAPABILITY", Side.CLIENT),
        ("SESSION_CAPABILITY", Side.SERVER),
    ]
    acts = [entry for entry in entries if entry.type.startswith("wsman:")]
    assert [(act.type, act.carrier["line"]) for act in acts] == [
        ("wsman:Send", 1),
        ("wsman:ReceiveResponse", 6),
    ]


def test_text_between_messages_is_kept_and_counted(tmp_path: Path) -> None:
    entries = read(tmp_path, f"# before\n{EXCHANGE}\n# after\n")
    kept = [entry.data["text"].strip() for entry in entries if entry.type == "text"]
    assert kept == ["# before", "# after"]
    assert len(messages(entries)) == 2


def test_an_envelope_without_its_end_is_shown_and_is_no_message(tmp_path: Path) -> None:
    entries = read(tmp_path, RESPONSE[:-40])
    assert messages(entries) == []
    assert "not well-formed" in entries[0].data["problem"]


def test_text_without_messages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="not a recording"):
        read(tmp_path, "GET the book\nfrom the shelf\n")


def test_many_starts_of_envelopes_without_an_end_cost_linear_work(tmp_path: Path) -> None:
    """A naive reader searches the rest of the text for the end tag of each start tag."""
    entries = read(tmp_path, ENVELOPE + "<a:Envelope " * 20_000)
    assert messages(entries) == [("SESSION_CAPABILITY", Side.SERVER)]


def har(**response: Any) -> str:
    entry = {
        "startedDateTime": "2024-01-01T00:00:00Z",
        "time": 1500,
        "request": {"method": "POST", "url": "http://h:5985/wsman", "headers": [],
                    "postData": {"mimeType": "application/soap+xml", "text": SEND}},
        "response": {"status": 200, "headers": [], "content": {"text": ENVELOPE}} | response,
    }  # fmt: skip
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}}, indent=1)


def test_a_har_file_gives_both_sides_with_their_times(tmp_path: Path) -> None:
    entries = read(tmp_path, har())
    assert [side for _, side in messages(entries)] == [Side.CLIENT, Side.SERVER]
    times = [entry.carrier["time"] for entry in entries if entry.event is not None]
    assert times[1] - times[0] == 1.5


def test_a_body_of_a_har_file_may_be_base64(tmp_path: Path) -> None:
    from base64 import b64encode

    content = {"text": b64encode(ENVELOPE.encode()).decode(), "encoding": "base64"}
    assert len(messages(read(tmp_path, har(content=content)))) == 2


@pytest.mark.parametrize(
    "text", ['{"log": {"entries": 1}}', '{"log": {"entries": [1]}}', '{"log":{']
)
def test_a_har_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CaptureError):
        read(tmp_path, text)


def raw(direction: str, **more: Any) -> str:
    return json.dumps({"t": 1.0, "conn": 1, "dir": direction} | more) + "\n"


def test_a_raw_message_may_hold_text_that_is_no_envelope(tmp_path: Path) -> None:
    data = raw("c2s", start="POST /wsman HTTP/1.1", headers=[], body="hello")
    data += raw("s2c", start="HTTP/1.1 400 Bad Request", headers=[], body="")
    data += raw("s2c", closed="fin")
    entries = read(tmp_path, data)
    assert entries[0].data["text"] == "hello"
    assert entries[1].data["status"] == 400
    assert entries[2].data["note"] == "connection closed (fin)"
    assert messages(entries) == []


def test_a_sealed_body_is_shown_by_its_size_and_protocol(tmp_path: Path) -> None:
    kind = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"'
    data = raw("c2s", start="POST /wsman HTTP/1.1", headers=[["Content-Type", kind]],
               body_base64="LS1FbmNyeXB0ZWQ=")  # fmt: skip
    entry = read(tmp_path, data)[0]
    assert (entry.type, entry.data["bytes"]) == ("wsman:Sealed", 11)
    assert entry.data["protocol"] == "application/HTTP-SPNEGO-session-encrypted"


def test_a_refused_request_leaves_nothing_in_the_session(tmp_path: Path) -> None:
    """Half a fragment that the server refused is not joined with the client's next data."""
    broken = SEND.replace(FRAGMENT, FRAGMENT[:60])
    data = raw("c2s", start="POST /wsman HTTP/1.1", headers=[], body=broken)
    data += raw("s2c", start="HTTP/1.1 500 Internal Server Error", headers=[], body="")
    data += raw("c2s", start="POST /wsman HTTP/1.1", headers=[], body=SEND)
    data += raw("s2c", start="HTTP/1.1 200 OK", headers=[], body="")
    entries = read(tmp_path, data)
    assert [entry.type for entry in entries if entry.type == "refused"] == ["refused"]
    assert messages(entries) == [("SESSION_CAPABILITY", Side.CLIENT)]


def test_waiting_for_answers_is_bounded_and_keeps_the_order() -> None:
    first = HttpMessage(number=0, side=Side.CLIENT, offset=1, connection=1, soap=SEND)
    later = [
        HttpMessage(number=n, side=Side.CLIENT, offset=n, connection=2)
        for n in range(1, MAX_HELD + 5)
    ]
    feed = mark_refused(iter([first, *later]))
    assert [message.number for message in feed if isinstance(message, HttpMessage)] == [
        message.number for message in [first, *later]
    ]


@pytest.mark.skipif(SHARED is None, reason="the collection of recordings is not here")
def test_the_refused_requests_of_a_recording_are_no_errors() -> None:
    assert SHARED is not None
    entries = list(decode(SHARED / "wsman-omi" / "raw-create-and-headers.jsonl"))
    assert entries[-1].data["errors"] == entries[-1].data["unaccounted"] == 0
    assert {entry.data.get("rule") for entry in entries if entry.type == "refused"} >= {
        "base64",
        "object-id-zero",
    }
