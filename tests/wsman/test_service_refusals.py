"""Envelopes that break a rule, and the service's answers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wsman.served import COMMAND, SHELL, Table
from wsman import names, operations, queries, soap
from wsman import shell_values as v
from wsman.xpress import compress, decompress


@pytest.fixture
def table() -> Table:
    return Table()


HEADERS: list[tuple[dict[str, Any], str]] = [
    ({"to": ""}, "MessageInformationHeaderRequired"),
    ({"reply_to": ""}, "MessageInformationHeaderRequired"),
    ({"resource_uri": ""}, "MessageInformationHeaderRequired"),
    ({"reply_to": "http://elsewhere/"}, "UnsupportedFeature"),
    ({"message_id": ""}, "InvalidMessageInformationHeader"),
    ({"message_id": "x" * 2049}, "InvalidMessageInformationHeader"),
    ({"max_envelope_size": 8191}, "EncodingLimit"),
    ({"selectors": (("ShellId", SHELL), ("shellid", SHELL))}, "InvalidSelectors"),
    ({"selectors": tuple((f"s{n}", "") for n in range(40))}, "InvalidSelectors"),
]


@pytest.mark.parametrize(("headers", "subcode"), HEADERS)
def test_headers_that_break_a_rule(table: Table, headers: dict[str, Any], subcode: str) -> None:
    """Statement H77."""
    table.open()
    fault = table.ask(v.Receive(), **headers)
    assert fault.subcode == subcode
    assert table.answer(table.send(v.Receive())) is None


CHANGES = [
    ("</s:Header>", '<x:New xmlns:x="urn:x" s:mustUnderstand="true"/></s:Header>', ""),
    ("</s:Header>", '<x:New xmlns:x="urn:x" s:mustUnderstand="1"/></s:Header>', ""),
    (
        "</s:Header>",
        '<w:Locale s:mustUnderstand="true" xml:lang="en-US"/></s:Header>',
        "UnsupportedFeature",
    ),
    ("</s:Header>", "<a:MessageID>uuid:2</a:MessageID></s:Header>",
     "InvalidMessageInformationHeader"),
    ("PT20.000S", "soon", "InvalidMessageInformationHeader"),
    ("PT20.000S", "-PT5S", "InvalidMessageInformationHeader"),
    (f"{names.SHELL}/Receive<", f"{names.SHELL}/Dance<", "ActionNotSupported"),
    (f"{names.SHELL}/Receive<", f"{names.SHELL}/ReceiveResponse<", "ActionNotSupported"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "subcode"), CHANGES)
def test_envelopes_that_break_a_rule(table: Table, old: str, new: str, subcode: str) -> None:
    table.open()
    envelope = table.envelope(v.Receive()).decode()
    assert old in envelope
    ticket = table.raw(envelope.replace(old, new, 1).encode())
    fault = table.answer(ticket)
    assert fault.subcode == subcode
    if not subcode:
        assert fault.code == "MustUnderstand"
    assert table.answers[ticket].status == 500


TOLERATED = [
    '<x:New xmlns:x="urn:x" s:mustUnderstand="false"/>',
    '<x:New xmlns:x="urn:x"/>',
    '<p:OperationID s:mustUnderstand="true">uuid:3</p:OperationID>'
    '<p:SequenceId s:mustUnderstand="true">1</p:SequenceId>',
    "<p:ActivityId>uuid:4</p:ActivityId>",
]


@pytest.mark.parametrize("header", TOLERATED)
def test_unknown_headers_without_must_understand_are_ignored(table: Table, header: str) -> None:
    envelope = table.envelope(queries.Enumerate(), resource_uri=names.SHELL, shell="").decode()
    ticket = table.raw(envelope.replace("</s:Header>", header + "</s:Header>").encode())
    assert isinstance(table.answer(ticket), queries.EnumerateResponse)
    assert b"OperationID" not in table.answers[ticket].data


BROKEN = [
    b"",
    b"\0\0\0",
    b"no xml",
    b"<a><b></a>",
    b"<html/>",
    b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>',
    b"\xff\xfeabc",
    b"\xff" * 50,
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>',
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body/>',
]


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_envelope_is_answered_with_a_fault(table: Table, data: bytes) -> None:
    ticket = table.raw(data)
    assert table.answers[ticket].status == 500
    assert table.answer(ticket).code in ("Sender", "Receiver")


def test_an_envelope_with_a_document_type_reaches_nothing(table: Table) -> None:
    table.open()
    envelope = table.envelope(v.Delete()).decode()
    bomb = '<!DOCTYPE s:Envelope [<!ENTITY a "x">]>' + envelope
    fault = table.answer(table.raw(bomb.encode()))
    assert fault.subcode == "SchemaValidationError"
    assert not table.work.gone


def test_an_envelope_over_the_limit_is_answered_by_http_alone() -> None:
    """Statement H77."""
    table = Table(max_envelope_size=20_000)
    ticket = table.raw(table.envelope(v.Create(shell_id=SHELL, creation_xml=bytes(20_000))))
    assert (table.answers[ticket].status, table.answers[ticket].data) == (413, b"")


def test_a_chunked_request_is_answered_with_code_50(table: Table) -> None:
    """Statement H77."""
    ticket = table.raw(table.envelope(v.Create(shell_id=SHELL)), chunked=True)
    fault = table.answer(ticket)
    assert (fault.subcode, fault.wsman_code) == ("InternalError", 50)
    assert not table.endpoint.works


@pytest.mark.parametrize("shell", ["", "nonsense", SHELL + "0", "*", "' or 1=1"])
def test_an_unknown_shell_has_invalid_selectors(table: Table, shell: str) -> None:
    table.open()
    fault = table.ask(v.Receive(), shell=shell)
    assert (fault.subcode, fault.wsman_code) == ("InvalidSelectors", 2150858843)


def test_a_shell_is_found_in_any_case(table: Table) -> None:
    table.open()
    assert table.answer(table.send(v.Receive(), shell=SHELL.lower())) is None


@pytest.mark.parametrize("shell", ["nonsense", "x" * 5000, "../../etc"])
def test_a_proposed_id_is_a_guid(table: Table, shell: str) -> None:
    assert table.ask(v.Create(shell_id=shell)).wsman_code == 87
    table.open()
    fault = table.ask(v.Command(command_id=shell, arguments=(b"x",)))
    assert fault.wsman_code == 87


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_answer_has_the_encoding_of_its_request(table: Table, encoding: str) -> None:
    ticket = table.send(v.Create(shell_id=SHELL), encoding=encoding)
    assert table.answers[ticket].encoding == encoding
    assert isinstance(table.answer(ticket), v.CreateResponse)
    assert table.answers[ticket].data.startswith(b"\xff\xfe") is (encoding == "utf-16")


def test_an_answer_relates_to_its_request(table: Table) -> None:
    ticket = table.send(v.Create(shell_id=SHELL), message_id="uuid:MINE")
    read = soap.parse(table.answers[ticket].data)
    assert (read.relates_to, read.to) == ("uuid:MINE", names.ANONYMOUS)
    assert re.fullmatch(r"uuid:[0-9A-F-]{36}", read.message_id)


def test_identify_needs_no_headers(table: Table) -> None:
    envelope = (
        f'<s:Envelope xmlns:s="{names.SOAP}" xmlns:i="{names.IDENTITY}">'
        "<s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>"
    )
    made = table.answer(table.raw(envelope.encode()))
    assert isinstance(made, queries.IdentifyResponse)
    assert made.protocol_version == "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"


def test_compressed_streams_are_compressed_in_both_directions(table: Table) -> None:
    work = table.open(compression="xpress")
    target = table.start()
    data = b"compress me " * 500
    streams = (v.StreamData(name="stdin", data=compress(data), command_id=COMMAND),)
    assert table.ask(v.Send(streams=streams)) == v.SendResponse()
    assert work.received[-1].data == data
    work.put(data, target)
    (given,) = table.ask(v.Receive(command_id=COMMAND)).streams
    assert decompress(given.data) == data
    assert len(given.data) < len(data)
    bad = (v.StreamData(name="stdin", data=b"\1\2\3", command_id=COMMAND),)
    assert table.ask(v.Send(streams=bad)).wsman_code == 0x80540FA0
    assert table.ask(queries.Get()).shell.compression_mode == "XpressCompression"


def test_a_send_to_something_unknown_changes_nothing(table: Table) -> None:
    work = table.open()
    before = list(work.received)
    for streams in (
        (v.StreamData(name="stdin", data=b"x"), v.StreamData(name="other", data=b"y")),
        (v.StreamData(name="stdin", data=b"x"), v.StreamData(name="stdin", command_id=COMMAND)),
    ):
        assert isinstance(table.ask(v.Send(streams=streams)), soap.Fault)
    assert work.received == before


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    table = Table()
    ticket = table.raw(data)
    assert table.answers[ticket].status == 500


@given(data=st.data())
def test_any_change_of_an_envelope_gets_an_answer_and_hurts_no_other_user(
    data: st.DataObject,
) -> None:
    table = Table()
    work = table.open("victim")
    value = data.draw(
        st.sampled_from([v.Create(shell_id=SHELL), v.Receive(), v.Delete(), v.Disconnect()])
    )
    envelope = bytearray(table.envelope(value))
    at = data.draw(st.integers(0, len(envelope) - 1))
    cut = data.draw(st.integers(0, 20))
    envelope[at : at + cut] = data.draw(st.binary(max_size=20))
    ticket = table.raw(bytes(envelope))
    assert ticket in table.answers or len(table.service.shells) == 2
    assert not work.gone
    assert len(work.received) == 1


def test_a_thousand_idle_polls_cost_no_look_at_each_shell() -> None:
    table = Table(max_shells_per_user=2000, max_shells=2000)
    shells = []
    for number in range(1000):
        made = table.ask(v.Create())
        shells.append(made.selectors[0][1])
        table.send(v.Receive(), shell=shells[-1])
        assert number < 1000
    seen = []
    for shell in table.service.shells:
        shell.advance = lambda now, shell=shell: seen.append(shell)  # type: ignore[method-assign]
    table.endpoint.works[500].put(b"x")
    table.advance()
    assert len(seen) == 1


def test_every_operation_of_the_codec_has_a_decision() -> None:
    responses = {"Fault", "KeepAlive", "Acknowledge", "Cancel", "End"}
    for kind, _, _ in operations._TABLE:
        name = kind.__name__
        if name in responses or name.endswith("Response"):
            continue
        table = Table()
        made: Any = {
            "Signal": lambda: v.Signal(code="x"),
            "Send": lambda: v.Send(streams=()),
        }.get(name, kind)
        ticket = table.send(made())
        assert ticket in table.answers, name
