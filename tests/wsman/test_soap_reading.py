"""Envelopes of real peers, and refused ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import LimitExceeded, RemoteProtocolError
from wsman import names, soap

SHELL = "76056A84-51DC-4F24-9262-CA2A55464B2B"
PIPELINE = "9E2B1C3D-0000-4000-8000-000000000001"
NAMESPACES = (
    f'xmlns:s="{names.SOAP}" xmlns:a="{names.ADDRESSING}" xmlns:w="{names.WSMAN}" '
    f'xmlns:p="{names.WSMV}" xmlns:rsp="{names.SHELL}" xmlns:x="{names.TRANSFER}"'
)


def envelope(body: str = "", headers: str = "", action: str = f"{names.SHELL}/Receive") -> str:
    return (
        f"<s:Envelope {NAMESPACES}><s:Header><a:Action>{action}</a:Action>{headers}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


def test_the_headers_of_a_request_are_read() -> None:
    headers = (
        "<a:To>http://host:5985/wsman</a:To>"
        f"<a:ReplyTo><a:Address>{names.ANONYMOUS}</a:Address></a:ReplyTo>"
        "<a:MessageID>uuid:1</a:MessageID><w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize>"
        "<w:OperationTimeout>PT60S</w:OperationTimeout><p:SessionId>uuid:2</p:SessionId>"
        "<p:OperationID>uuid:3</p:OperationID><p:SequenceId>1</p:SequenceId>"
        '<rsp:CompressionType s:mustUnderstand="true">xpress</rsp:CompressionType>'
        f'<w:SelectorSet><w:Selector Name="shellid">{SHELL}</w:Selector></w:SelectorSet>'
        '<w:OptionSet><w:Option Name="protocolversion" MustComply="true">2.3</w:Option>'
        '<w:Option Name="other">x</w:Option></w:OptionSet>'
        "<w:ResourceURI>http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
        "</w:ResourceURI>"
    )
    read = soap.parse(envelope(headers=headers))
    assert read.operation == "Receive"
    assert (read.to, read.reply_to) == ("http://host:5985/wsman", names.ANONYMOUS)
    assert (read.message_id, read.session_id, read.operation_id) == ("uuid:1", "uuid:2", "uuid:3")
    assert (read.max_envelope_size, read.operation_timeout) == (153600, "PT60S")
    assert (read.compression, read.sequence_id) == ("xpress", "1")
    assert read.shell_id == SHELL
    assert read.option("protocolversion") == "2.3"
    assert read.option("missing") is None
    assert [option.must_comply for option in read.options] == [True, False]
    assert read.resource_uri.startswith(names.POWERSHELL_PREFIX)


def test_what_is_absent_is_empty() -> None:
    read = soap.parse(envelope(action=""))
    assert (read.action, read.operation, read.shell_id, read.selectors) == ("", "", "", ())
    assert read.max_envelope_size is None
    assert soap.read_payloads(read) == ()
    assert soap.read_fault(read) is None
    assert soap.read_command(read) == soap.Command()
    assert soap.read_command_states(read) == ()
    assert soap.read_signal(read) == ("", "")
    assert soap.read_shell(read) == {}


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param(lambda text: text + "\0" * 7, id="padded with NUL before sealing"),
        pytest.param(lambda text: text.encode() + b"\0", id="bytes with NUL"),
        pytest.param(lambda text: text.encode("utf-16"), id="UTF-16"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="UTF-8 with a BOM"),
        pytest.param(
            lambda text: '<?xml version="1.0" encoding="utf-16"?>\n' + text,
            id="a string whose declaration lies",
        ),
        pytest.param(lambda text: f"<!-- c -->\n  {text}\n", id="comments and white space"),
    ],
)
def test_spellings_of_real_peers_are_read(looks) -> None:  # type: ignore[no-untyped-def]
    body = f'<rsp:Receive><rsp:DesiredStream CommandId="{PIPELINE}">stdout</rsp:DesiredStream>'
    text = envelope(body + "</rsp:Receive>")
    assert soap.parse(looks(text)).operation == "Receive"


def test_an_undeclared_prefix_in_an_attribute_value_is_accepted() -> None:
    headers = '<w:OptionSet><w:Option Name="a" Type="x:string">1</w:Option></w:OptionSet>'
    assert soap.parse(envelope(headers=headers)).option("a") == "1"


def test_an_attribute_may_stand_in_any_namespace() -> None:
    code = f"<rsp:Code>{names.SIGNAL_STOP}</rsp:Code>"
    body = f'<rsp:Signal rsp:CommandId="{PIPELINE}">{code}</rsp:Signal>'
    read = soap.parse(envelope(body, action=f"{names.SHELL}/Signal"))
    assert soap.read_signal(read) == (PIPELINE, names.SIGNAL_STOP)


def test_streams_come_in_document_order() -> None:
    body = (
        "<rsp:ReceiveResponse>"
        '<rsp:Stream Name="stdout">AAAA</rsp:Stream>'
        f'<rsp:Stream Name="stderr" CommandId="{PIPELINE}" End="TRUE"/>'
        f'<rsp:CommandState CommandId="{PIPELINE}" State="{names.SHELL}/CommandState/Done">'
        "<rsp:ExitCode>-1</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>"
    )
    read = soap.parse(envelope(body, action=f"{names.SHELL}/ReceiveResponse"))
    assert soap.read_payloads(read) == (
        soap.Payload(element="Stream", text="AAAA", stream="stdout"),
        soap.Payload(element="Stream", text="", stream="stderr", command_id=PIPELINE, end=True),
    )
    state = soap.CommandState(state="Done", command_id=PIPELINE, exit_code=-1)
    assert soap.read_command_states(read) == (state,)


def test_a_command_carries_its_words_and_its_arguments() -> None:
    body = (
        f'<rsp:CommandLine CommandId="{PIPELINE}"><rsp:Command>dir</rsp:Command>'
        "<rsp:Arguments>/b</rsp:Arguments><rsp:Arguments>c:\\</rsp:Arguments></rsp:CommandLine>"
    )
    read = soap.parse(envelope(body, action=f"{names.SHELL}/Command"))
    expected = soap.Command(command_id=PIPELINE, command="dir", arguments=("/b", "c:\\"))
    assert soap.read_command(read) == expected
    assert [payload.command_id for payload in soap.read_payloads(read)] == [PIPELINE, PIPELINE]


def test_a_create_response_names_its_shell() -> None:
    body = (
        "<x:ResourceCreated><a:ReferenceParameters><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{SHELL}</w:Selector></w:SelectorSet>'
        "</a:ReferenceParameters></x:ResourceCreated>"
        f"<rsp:Shell><rsp:ShellId>{SHELL}</rsp:ShellId><rsp:State>Connected</rsp:State></rsp:Shell>"
    )
    read = soap.parse(envelope(body, action=f"{names.TRANSFER}/CreateResponse"))
    assert read.shell_id == SHELL
    assert soap.read_shell(read) == {"ShellId": SHELL, "State": "Connected"}


def test_a_fault_gives_code_subcode_and_the_innermost_text() -> None:
    inner = '<f:WSManFault Code="5" Machine="m"><f:Message>no\n access</f:Message></f:WSManFault>'
    body = (
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:AccessDenied"
        '</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="">reason</s:Text></s:Reason>'
        f'<s:Detail><f:WSManFault xmlns:f="{names.FAULT}" Code="2150858843" Machine="">'
        f'<f:Message><f:ProviderFault provider="Shell">{inner}</f:ProviderFault></f:Message>'
        "</f:WSManFault></s:Detail></s:Fault>"
    )
    read = soap.parse(envelope(body, action=next(iter(names.FAULT_ACTIONS))))
    assert read.operation == "Fault"
    assert soap.read_fault(read) == soap.Fault(
        code="Receiver",
        subcode="AccessDenied",
        reason="reason",
        wsman_code=2150858843,
        message="no access",
        provider="Shell",
    )


def test_an_envelope_without_an_action_is_named_after_its_body() -> None:
    body = f'<i:Identify xmlns:i="{names.IDENTITY}"/>'
    assert soap.parse(envelope(body, action="")).operation == "Identify"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not well-formed"),
        ("<a", "not well-formed"),
        ("<a/>", "expected a SOAP 1.2 Envelope"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        (b"\xff\xfe\x00", "utf-16"),
        (b"<s>\xff</s>", "not well-formed XML: Invalid bytes"),
        ("<a>" * 5000 + "</a>" * 5000, "not well-formed"),
        ("\ud800", "not well-formed"),
    ],
)
def test_what_is_no_envelope_is_refused(text: str | bytes, complaint: str) -> None:
    with pytest.raises(soap.SoapError, match=complaint):
        soap.parse(text)


def test_an_external_entity_is_not_fetched() -> None:
    text = '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x"><a/>'
    with pytest.raises(soap.SoapError, match="document type"):
        soap.parse(text)


def test_an_envelope_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(LimitExceeded):
        soap.parse(envelope(), max_size=100)


def test_base64_may_hold_white_space_and_nothing_else() -> None:
    assert soap.decode_base64(" AA\r\n\tAA ", "Stream") == b"\0\0\0"
    with pytest.raises(soap.SoapError, match=r"not base64.*\(at Stream\)"):
        soap.decode_base64("AA!A", "Stream")


def test_signals_are_named_whatever_their_case() -> None:
    assert names.signal_name(names.SHELL + "/signal/Terminate") == "terminate"
    assert names.signal_name(names.SIGNAL_STOP) == "stop the pipeline"
    assert names.signal_name("other") == "other"


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_any_text_gives_an_envelope_or_a_remote_error(text: str | bytes) -> None:
    try:
        read = soap.parse(text)
    except RemoteProtocolError:
        return
    assert isinstance(read, soap.Envelope)


@given(st.lists(st.sampled_from([
    "<rsp:Stream Name='stdout'>", "</rsp:Stream>", "<rsp:Shell>", "</rsp:Shell>", "x", "&#0;",
    "<s:Fault>", "</s:Fault>", "<rsp:CommandState State='/'>", "</rsp:CommandState>",
]), max_size=8).map("".join))  # fmt: skip
def test_any_body_is_read_or_refused(body: str) -> None:
    try:
        read = soap.parse(envelope(body))
    except soap.SoapError:
        return
    soap.read_payloads(read), soap.read_fault(read), soap.read_command_states(read)
    assert isinstance(soap.read_shells(read), tuple)
