"""Operations to and from envelopes: recorded ones keep their meaning, generated ones are equal."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from psrp.sansio import LocalProtocolError, RemoteProtocolError
from tests.rows import rows
from tests.wsman.exchanges import read, recordings
from wsman import faults, names, operations, queries, shell_values, soap
from wsman.durations import format_duration, parse_duration
from wsman.envelopes import Headers, payload_room, write_envelope

SHELL_ID = "76056A84-51DC-4F24-9262-CA2A55464B2B"
COMMAND_ID = "9E2B1C3D-0000-4000-8000-000000000001"
V = shell_values


def encoded(value: Any) -> Any:
    """Return the value as its reader returns it: arguments are text."""
    if isinstance(value, V.Command):
        arguments = tuple(
            argument if isinstance(argument, str) else base64_text(argument)
            for argument in value.arguments
        )
        return V.Command(command_id=value.command_id, command=value.command, arguments=arguments)
    return value


def base64_text(data: bytes) -> str:
    written = operations.write(Headers(), V.Command(arguments=(data,)))
    return soap.read_command(soap.parse(written)).arguments[0]


VALUES = [
    V.Create(shell_id=SHELL_ID, name="Runspace1", creation_xml=b"\0\1", idle_timeout=240.0),
    V.Create(
        input_streams="stdin", output_streams="stdout stderr", lifetime=60.0,
        working_directory="C:\\<dir>", environment=(("A", "1 & 2"), ("B", "")),
    ),
    V.CreateResponse(
        address="http://host/wsman", resource_uri=names.RESOURCE_CMD,
        selectors=(("ShellId", SHELL_ID),),
        shell=V.ShellInfo(
            shell_id=SHELL_ID, owner="HOST\\user", process_id=7, idle_timeout=7200.0,
            state="Connected", shell_run_time=93784.0, shell_inactivity=0.0,
        ),
    ),
    V.Command(command_id=COMMAND_ID, command=" ", arguments=(b"\0" * 100,)),
    V.Command(command="dir", arguments=("/b", "a<b>")),
    V.CommandResponse(command_id=COMMAND_ID),
    V.Send(streams=(V.StreamData(name="stdin", data=b"x", command_id=COMMAND_ID, end=True),)),
    V.SendResponse(),
    V.Receive(command_id=COMMAND_ID),
    V.Receive(streams="stdout stderr"),
    V.ReceiveResponse(
        streams=(V.StreamData(name="stdout", data=b"abc"), V.StreamData(name="stdout", data=b"")),
        states=(soap.CommandState(state="Done", command_id=COMMAND_ID, exit_code=-3),),
    ),
    V.Signal(code=names.SIGNAL_STOP, command_id=COMMAND_ID),
    V.SignalResponse(), V.Delete(), V.DeleteResponse(),
    V.Disconnect(), V.Disconnect(idle_timeout=60.0, buffer_mode="Drop"), V.DisconnectResponse(),
    V.Reconnect(), V.Reconnect(command_id=COMMAND_ID, buffer_mode="Block"), V.ReconnectResponse(),
    V.Connect(connect_xml=b"\0\0"), V.Connect(command_id=COMMAND_ID),
    V.ConnectResponse(input_streams="stdin pr", connect_response_xml=b"\1"),
    queries.Get(), queries.GetResponse(shell=V.ShellInfo(shell_id=SHELL_ID)),
    queries.Enumerate(),
    queries.Enumerate(dialect=names.SELECTOR_FILTER, selectors=(("ShellId", SHELL_ID),)),
    queries.EnumerateResponse(shells=(V.ShellInfo(shell_id=SHELL_ID, name="a"),), end=True),
    queries.EnumerateResponse(context="uuid:1"),
    queries.Pull(context="uuid:1", max_elements=2),
    queries.PullResponse(commands=(queries.CommandInfo(shell_id=SHELL_ID, state="Running"),)),
    queries.Release(context="uuid:1"), queries.ReleaseResponse(),
    queries.Identify(), queries.IdentifyResponse(product_vendor="v", security_profiles=("a", "b")),
    operations.KeepAlive(), operations.Acknowledge(), operations.Cancel(), operations.End(),
    faults.make_fault("TimedOut"), faults.make_fault("NotUnderstood"),
    faults.make_fault("InternalError", "text & more", wsman_code=50, provider="powershell"),
]  # fmt: skip


@rows("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_operation_comes_back_from_its_envelope(value: object, encoding: str) -> None:
    written = operations.write(Headers(message_id="uuid:1"), value, encoding=encoding)
    envelope = soap.parse(written)
    assert envelope.message_id == "uuid:1"
    assert operations.read(envelope) == encoded(value)


def test_every_operation_of_the_table_has_an_example_here() -> None:
    assert set(operations._WRITERS) == {type(value) for value in VALUES}


def test_headers_come_back_from_their_envelope() -> None:
    headers = Headers(
        to="http://host:5985/wsman?a=1&b=2", reply_to=names.ANONYMOUS, message_id="uuid:1",
        relates_to="uuid:0", resource_uri=names.RESOURCE_CMD, session_id="uuid:2",
        operation_id="uuid:3", sequence_id=1, activity_id="4", operation_timeout=60.0,
        max_envelope_size=153600, locale="en-US", data_locale="de-DE", compression="xpress",
        selectors=(("ShellId", SHELL_ID), ("shellid", "x")),
        options=(soap.Option(name="protocolversion", value="2.3", must_comply=True),),
    )  # fmt: skip
    read = soap.parse(operations.write(headers, V.Delete()))
    for field in fields(Headers):
        value = getattr(headers, field.name)
        if field.name == "action":
            assert read.action == operations.action_of(V.Delete)
        elif field.name == "operation_timeout":
            assert read.operation_timeout == "PT60.000S"
        elif field.name == "sequence_id":
            assert read.sequence_id == "1"
        else:
            assert getattr(read, field.name) == value
    assert read.must_understand >= {"ResourceURI", "MaxEnvelopeSize", "OptionSet", "Action"}
    assert not read.must_understand & {"Locale", "DataLocale", "SessionId", "OperationID"}


def test_the_base64_of_a_stream_is_not_escaped_and_not_searched() -> None:
    """Text that imitates the placeholder of a stream stays text."""
    place = "<?base64 0?>"
    value = V.Command(command=place, arguments=(b"real", place))
    read = operations.read(soap.parse(operations.write(Headers(to=place), value)))
    assert read.command == place
    assert read.arguments == ("cmVhbA==", place)


def test_headers_that_nobody_reads_and_repeated_ones_are_listed() -> None:
    text = operations.write(Headers(message_id="uuid:1"), V.Delete()).decode()
    more = '<q:Odd xmlns:q="urn:q" s:mustUnderstand="1"/><a:MessageID>uuid:2</a:MessageID>'
    read = soap.parse(text.replace("</s:Header>", more + "</s:Header>"))
    assert read.unknown == ("{urn:q}Odd",)
    assert read.repeated == ("MessageID",)
    assert "Odd" in read.must_understand


@rows("path", recordings(), ids=lambda path: path.name)
def test_recorded_envelopes_keep_their_meaning_when_written_again(path: Path) -> None:
    seen = 0
    for message in read(path):
        try:
            envelope = soap.parse(message.soap)
            value = operations.read(envelope)
        except RemoteProtocolError:
            # Hand-made requests of the probes; other tests check the refusals.
            continue
        seen += 1
        again = operations.read(soap.parse(operations.write(Headers(), value)))
        if isinstance(value, soap.Fault):
            assert (again.code, again.subcode, again.message or again.reason) == (
                value.code, value.subcode, value.message or value.reason
            )  # fmt: skip
            assert again.wsman_code == value.wsman_code
        else:
            assert again == value
    assert seen or any("ntlm" in path.name or "kerberos" in path.name for _ in (0,))


def test_an_unknown_operation_is_an_error_that_names_it() -> None:
    envelope = soap.parse(write_envelope(Headers(action="urn:nonsense")))
    with pytest.raises(soap.SoapError, match="unknown operation 'urn:nonsense'"):
        operations.read(envelope)
    with pytest.raises(LocalProtocolError, match="expected an operation, got int"):
        operations.write(Headers(), 1)


@pytest.mark.parametrize(
    ("body", "element"),
    [
        (V.Create(creation_xml=b"ab"), "creationXml"),
        (V.Connect(connect_xml=b"ab"), "connectXml"),
        (V.Send(streams=(V.StreamData(name="stdin", data=b"ab"),)), "Stream"),
    ],
)
def test_what_is_not_base64_is_an_error_that_names_the_element(body: object, element: str) -> None:
    text = operations.write(Headers(), body).replace(b"YWI=", b"YW*=")
    with pytest.raises(soap.SoapError) as caught:
        operations.read(soap.parse(text))
    assert caught.value.element == element


def test_text_that_xml_excludes_is_the_caller_s_fault() -> None:
    for headers, value in (
        (Headers(to="\0"), V.Delete()),
        (Headers(), V.Command(command="\x01")),
    ):
        with pytest.raises(LocalProtocolError, match="XML excludes"):
            operations.write(headers, value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT60.000S", 60.0), ("PT1M", 60.0), ("P0DT0H0M9S", 9.0), ("PT180000S", 180000.0),
        ("P1DT2H", 93600.0), ("-PT5S", -5.0), ("PT2147483.647S", 2147483.647),
        ("P", None), ("PT", None), ("KEEPALIVE", None), ("PT1", None), ("", None), ("PT٣S", None),
    ],
)  # fmt: skip
def test_durations_are_read(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


def test_durations_are_written_as_windows_does() -> None:
    assert format_duration(60) == "PT60.000S"
    assert format_duration(0.5) == "PT0.500S"


@pytest.mark.parametrize("size", [153600, 512000, 8192])
def test_what_fits_an_envelope_is_counted_after_base64(size: int) -> None:
    headers = Headers(
        to="https://host/wsman", reply_to=names.ANONYMOUS, max_envelope_size=size,
        selectors=(("ShellId", SHELL_ID),),
    )  # fmt: skip
    empty = V.Send(streams=(V.StreamData(name="stdin", command_id=COMMAND_ID),))
    room = payload_room(size, operations.overhead(headers, empty))
    full = V.Send(streams=(V.StreamData(name="stdin", command_id=COMMAND_ID, data=bytes(room)),))
    written = len(operations.write(headers, full))
    assert size - 300 < written <= size
    assert payload_room(1000, 2000) == 0


# -- faults


@pytest.mark.parametrize(
    ("code", "error_id"),
    [
        (5, "AccessDenied,PSSessionOpenFailed"),
        (2150858770, "CannotConnect,PSSessionOpenFailed"),
        (-2144108526, "CannotConnect,PSSessionOpenFailed"),
        (2150859213, "CannotConnectAlreadyConnected,PSSessionOpenFailed"),
        (2, "2,PSSessionOpenFailed"),
        (0x80540FA0, "IncorrectProtocolVersion,PSSessionOpenFailed"),
        (0x80540BC5, "-2141975611,PSSessionOpenFailed"),
        (0, "PSSessionOpenFailed"),
    ],
)
def test_a_code_gives_the_error_id_that_users_see(code: int, error_id: str) -> None:
    """Statement H87."""
    assert faults.error_id(code, "PSSessionOpenFailed") == error_id


def test_a_fault_tells_to_ask_again_or_that_its_target_is_gone() -> None:
    assert faults.is_timed_out(faults.make_fault("TimedOut"))
    assert faults.is_timed_out(soap.Fault(subcode="TimedOut"))
    assert not faults.is_timed_out(faults.make_fault("AccessDenied"))
    for code in (995, 1223, 0x8033805B, 0x803381C4, 0x803381DE):
        assert faults.is_gone(soap.Fault(wsman_code=code))
    assert faults.is_gone(soap.Fault(subcode="DestinationUnreachable"))
    assert not faults.is_gone(soap.Fault(subcode="InternalError"))


def test_a_fault_that_is_raised_has_the_most_specific_text() -> None:
    error = faults.WSManFault(soap.Fault(reason="general", message="special", wsman_code=5))
    assert str(error) == "special"
    assert error.error_id("X") == "AccessDenied,X"
    assert str(faults.WSManFault(soap.Fault(subcode="InternalError"))) == "InternalError"
