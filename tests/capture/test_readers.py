"""Every format of recording: detection, reading, and truncated files."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from psremoting.capture import CaptureError, Entry, Form, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.detect import detect
from psremoting.capture.yaml_exchanges import read_yaml
from psrp.sansio import Side
from tests.capture.makers import (
    PIPE,
    entries,
    fragments,
    output,
    packet,
    source,
    transcript,
    types,
)
from tests.recordings import FIXTURES

FRAGMENT = fragments(1, output("x"))[0]

FORMS = [
    ("messages:\n- request: <a/>\n", Form.YAML),
    ("# a comment\n---\n- Request:\n    Body: x\n", Form.YAML),
    ('{"t":0,"connection":1,"from":"client","start":"POST","soap":null}\n', Form.HTTP),
    ('{"t":0,"connection":1,"from":"server","headers":[],"soap":"' + "x" * 70_000, Form.HTTP),
    ('\ufeff{"t": 0.1, "from": "client", "data": "AAAA"}\n', Form.TRANSCRIPT),
    ('{"name": "a", "input": "<S>x</S>"}\n', Form.VECTORS),
    (packet(b"x"), Form.PACKETS),
    (b"Welcome to host\n" + packet(b"x"), Form.PACKETS),
    (FRAGMENT, Form.FRAGMENTS),
    (FRAGMENT.hex(), Form.HEX),
    ("#< CLIXML\n<Objs/>", Form.CLIXML),
    ("some words first\r\n#< CLIXML\r\n<Objs/>", Form.CLIXML),
    ('<?xml version="1.0"?>\n<!-- c --><Objs Version="1.1.0.1"/>', Form.CLIXML),
    ("<Objs/>".encode("utf-16"), Form.CLIXML),
    ("<Objs/>".encode("utf-16-le"), Form.CLIXML),
    ('<Obj RefId="0"/>', Form.CLIXML),
    (b"\x0a\x0d\x0d\x0a" + b"\0" * 60, Form.PACKETS_CAPTURED),
    (b"\xd4\xc3\xb2\xa1" + b"\0" * 60, Form.PACKETS_CAPTURED),
    (gzip.compress(b"\xa1\xb2\x3c\x4d" + b"\0" * 60, mtime=0), Form.PACKETS_CAPTURED),
    ("<p:S xmlns:p='x'>a</p:S>", Form.CLIXML),
]

OBJS = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'


@pytest.mark.parametrize(("data", "form"), FORMS)
def test_the_form_is_detected_from_the_content(data: str | bytes, form: Form) -> None:
    assert detect(source(data)) is form


REFUSED = [
    (b"", "empty"),
    (b"-----BEGIN RSA PRIVATE KEY-----\n", "PEM file"),
    (b"just words\n", "not a recording"),
    (b'{"a": 1}\n', "not a recording"),
    (b"{not json\n", "not a recording"),
    (b"\0" * 100, "not a recording"),
    (b"deadbeef", "not a recording"),
    (b"a word", "not a recording"),
    (b"<html><body/></html>", "not a recording"),
    (b"See `#< CLIXML` in the text", "not a recording"),
]


@pytest.mark.parametrize(("data", "complaint"), REFUSED)
def test_what_is_no_recording_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(CaptureError, match=complaint):
        detect(source(data))


def given_before(data: str | bytes) -> tuple[list[Entry], CaptureError]:
    found: list[Entry] = []
    with pytest.raises(CaptureError) as caught:
        found.extend(decode_source(source(data)))
    return found, caught.value


def test_a_torn_transcript_gives_what_came_before_and_its_summary() -> None:
    text = transcript([("server", packet(FRAGMENT))] * 2)
    found, error = given_before(text[:-30])
    assert types(found) == ["PIPELINE_OUTPUT", "error", "summary"]
    assert error.offset == text.index("\n") + 1
    assert "the recording ends inside a line" in str(error)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("{broken\n", "not JSON"),
        ("[]\n", "not a JSON object"),
        ('{"from": "nobody", "data": ""}\n', "'from' or 'data' is wrong"),
        ('{"from": "client", "data": "A"}\n', "not base64"),
    ],
)
def test_a_bad_row_is_named_with_its_offset(row: str, complaint: str) -> None:
    text = transcript([("server", packet(FRAGMENT))])
    found, error = given_before(text + row + text)
    assert types(found) == ["PIPELINE_OUTPUT", "error", "PIPELINE_OUTPUT", "summary"]
    assert found[-1].data["unaccounted"] == len(row)
    assert (error.offset, complaint in str(error)) == (len(text), True)


def test_a_line_that_never_ended_is_said() -> None:
    found = entries(transcript([("server", packet(FRAGMENT)[:-1])]))
    assert types(found) == ["incomplete", "summary"]
    assert found[-1].data["unaccounted"] == len(packet(FRAGMENT)) - 1


def test_a_torn_yaml_gives_the_exchanges_before() -> None:
    whole = (FIXTURES / "wsman" / "test_psrp_with_input.yml").read_bytes()
    for cut in (20_000, 21_000, 22_000, 30_000):
        found, error = given_before(whole[:cut])
        assert len(found) > 10
        assert found[-1].type == "summary"
        assert found[-1].data["errors"] == 0
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("messages: []\n", "no exchanges"),
        ("messages:\n- plain\n", "has to be a mapping"),
        ("messages:\n- request: &a <a/>\n  response: *a\n", "AliasEvent is not read"),
        ("messages:\n- request: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n", "too deeply"),
        ("messages:\n- request: '<a/>\n", "not YAML"),
        ("messages:\n- request: \x01\n", "not YAML"),
        ("messages: 1\n", "no list of exchanges"),
        ("messages:\n- request: <a/>\n", "ends inside an exchange"),
        ("messages:\n- request: <a\n", "ends inside an envelope"),
    ],
)
def test_yaml_that_is_no_recording_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(CaptureError, match=complaint):
        list(read_yaml(source(text)))


def test_plain_packet_lines_tell_who_sent_them() -> None:
    created = fragments(1, b"\2" + output("in")[1:], 60)
    ids = f"PSGuid='{PIPE}'"
    text = b"".join(
        [
            f"<Command {ids} />\n<CommandAck {ids} />\n".encode(),
            *(packet(piece) for piece in created),
            packet(FRAGMENT),
            b"a banner\n__NamedPipeError__:gone\n",
        ]
    )
    found = entries(text)
    assert [(entry.type, entry.direction) for entry in found[:-1]] == [
        ("sshsub:Command", Side.CLIENT),
        ("sshsub:CommandAck", Side.SERVER),
        ("PIPELINE_OUTPUT", Side.CLIENT),
        ("PIPELINE_OUTPUT", Side.SERVER),
        ("sshsub:noise", Side.SERVER),
        ("sshsub:error", Side.SERVER),
    ]
    assert found[-1].data["unaccounted"] == 0


def test_documents_give_their_values_with_their_streams() -> None:
    text = (
        "words\n#< CLIXML\n"
        '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        '<S S="Error">bad</S><S>plain</S></Objs>'
    )
    found = entries(text)
    assert types(found) == ["clixml:text", "clixml:error", "clixml:value", "summary"]
    assert [entry.value for entry in found[1:3]] == ["bad", "plain"]
    assert found[-1].data["unaccounted"] == 0


def test_a_bare_element_is_a_document() -> None:
    found = entries("<I32>7</I32>")
    assert (found[0].type, found[0].value) == ("clixml:value", 7)


def test_a_torn_document_is_said_and_refused() -> None:
    found, error = given_before('<Objs Version="1.1.0.1"><S>a</S>')
    assert types(found) == ["error", "summary"]
    assert "ends inside a document" in str(error)


def test_values_before_an_error_of_a_document_are_shown() -> None:
    text = f"{OBJS}<S>a</S><I32>x</I32><S>lost</S></Objs>{OBJS}<S>b</S></Objs>"
    found = entries(text)
    assert types(found) == ["clixml:value", "error", "clixml:value", "summary"]
    assert found[1].data["bytes"] == len("<I32>x</I32><S>lost</S></Objs>")
    assert f"(character {len(OBJS) + 8})" in found[1].data["text"]
    assert found[1].carrier == {"character": 0}
    assert found[2].carrier == {"character": text.rindex("<Objs"), "item": 1}
    assert found[-1].data["bytes"] == len(text)
    assert found[-1].data["unaccounted"] == found[1].data["bytes"]


def test_a_reference_over_a_long_distance_is_read_from_a_file() -> None:
    filler = "<S>" + "x" * 100_000 + "</S>"
    text = (
        f'{OBJS}<Obj RefId="0"><LST><I32>7</I32></LST></Obj>{filler * 25}<Ref RefId="0" /></Objs>'
    )
    found = entries(text)
    assert [list(each.value) for each in (found[0], found[-2])] == [[7], [7]]
    assert found[-1].data["errors"] == 0


def test_a_document_in_no_encoding_is_refused() -> None:
    with pytest.raises(CaptureError, match="utf-8"):
        entries(b"<S>\xff</S>")


def test_rows_of_documents_name_their_line_and_member() -> None:
    rows = [{"name": "a", "input": "<I32>1</I32>"}, {"name": "b", "input": "<I32>x</I32>"}]
    found = entries("".join(json.dumps(row) + "\n\n" for row in rows))
    assert types(found) == ["clixml:value", "error", "summary"]
    assert found[1].carrier == {"line": 3, "file_offset": 40, "member": "input", "name": "b"}


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        list(decode(tmp_path / "missing"))
    with pytest.raises(CaptureError, match="directory"):
        list(decode(tmp_path))


def test_every_list_and_every_document_of_a_yaml_file_is_read() -> None:
    one = "messages:\n- request: <a/>\n  response: <b/>\n"
    file = source(f"first: x\n{one}more:\n- request: <c/>\n  response: <d/>\n---\n{one}".encode())
    assert [message.soap for message in read_yaml(file)] == [
        "<a/>", "<b/>", "<c/>", "<d/>", "<a/>", "<b/>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "head",
    [b"\n" * 40_000 + b"x", b"# a\n" * 10_000 + b"x", b"<!-- a -->" * 6000 + b"x"],
    ids=["blank lines", "comments", "XML comments"],
)
def test_detection_ends_for_heads_that_nearly_match(head: bytes) -> None:
    """A regular expression with nested repetitions takes exponential time for such a header."""
    with pytest.raises(CaptureError, match="not a recording"):
        detect(source(head))


def test_a_yaml_recording_without_its_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "psremoting.capture.yaml_exchanges", raising=False)
    path = tmp_path / "x.yml"
    path.write_text("messages:\n- request: a\n  response: b\n", encoding="utf-8")
    with pytest.raises(CaptureError, match=r"psremoting\[capture\]"):
        list(decode(path))
