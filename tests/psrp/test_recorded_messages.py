"""Every message of every recording is read like by the real peers, and written again."""

from __future__ import annotations

import pytest

from psrp import events as e
from psrp.clixml import Dictionary
from psrp.messages import MessageType, decode, encode, read_header
from psrp.sansio import UTF8_BOM, MessageError, RemoteProtocolError, Side
from tests.psrp.recorded import everything, out_of_process, probe, sessions

T = MessageType


def outcome(message: bytes) -> e.Event | RemoteProtocolError:
    try:
        return decode(message)[1]
    except RemoteProtocolError as error:
        return error


def test_every_recorded_message_is_read_but_those_the_real_server_refused() -> None:
    refused: dict[str, list[str]] = {}
    for file, sender, message in everything():
        try:
            decode(message, side=sender.peer)
        except RemoteProtocolError as error:
            refused.setdefault(file.removesuffix(".jsonl"), []).append(str(error))
    assert set(refused) <= {*REFUSED, "input-bad-xml", "message-short-header"}
    assert all(len(errors) == 1 for errors in refused.values())


def test_what_a_real_client_sent_is_written_again_byte_for_byte() -> None:
    """Statement A14."""
    files = sessions()
    compared = 0
    for file, sender, message in everything():
        if sender is Side.CLIENT and file in files:
            header, event = decode(message)
            assert encode(event, header.rpid, sender=sender) == message, file
            compared += 1
    assert compared > 200


def test_what_a_real_server_sent_is_written_again_byte_for_byte() -> None:
    files = sessions()
    different = []
    for file, sender, message in everything():
        if sender is Side.SERVER and file in files:
            header, event = decode(message)
            if encode(event, header.rpid, sender=sender) != message:
                different.append(message[40:])
    # PowerShell writes these two characters as references that no XML parser accepts.
    references = [UTF8_BOM + b"<S>&#xFFFE;</S>", UTF8_BOM + b"<S>&#xFFFF;</S>"]
    assert different == (references if "strings.jsonl" in files else [])


def test_every_event_of_every_recording_survives_the_round_trip() -> None:
    for file, sender, message in everything():
        event = outcome(message)
        if isinstance(event, RemoteProtocolError) or b">NaN<" in message:
            continue
        header, again = decode(encode(event, read_header(message).rpid, sender=sender))
        assert again == event, (file, header)


REFUSED = {
    "body-primitive": (T.GET_AVAILABLE_RUNSPACES, ""),
    "capability-as-string": (T.SESSION_CAPABILITY, "protocolversion"),
    "host-response-unknown": (T.RUNSPACEPOOL_HOST_RESPONSE, "mi"),
    "init-bad-xml": (T.INIT_RUNSPACEPOOL, None),
    "init-empty-body": (T.INIT_RUNSPACEPOOL, ""),
    "init-int64": (T.INIT_RUNSPACEPOOL, "MinRunspaces"),
    "init-no-min": (T.INIT_RUNSPACEPOOL, "MinRunspaces"),
    "init-string-number": (T.INIT_RUNSPACEPOOL, "MinRunspaces"),
    "pipeline-no-cmds": (T.CREATE_PIPELINE, "Cmds"),
    "pipeline-noinput-string": (T.CREATE_PIPELINE, None),
    "pipeline-without-AddToHistory": (T.CREATE_PIPELINE, "AddToHistory"),
    "pipeline-without-HostInfo": (T.CREATE_PIPELINE, "HostInfo"),
    "pipeline-without-IsNested": (T.CREATE_PIPELINE, "IsNested"),
    "protocol-missing": (T.SESSION_CAPABILITY, "protocolversion"),
    "serialization-missing": (T.SESSION_CAPABILITY, "SerializationVersion"),
    "set-max-ci-int32": (T.SET_MAX_RUNSPACES, "ci"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_real_server_refused_is_refused(name: str) -> None:
    """Statement A14."""
    errors: list[tuple[int, str | None]] = []
    for _, sender, message in out_of_process(probe(name)):
        event = outcome(message)
        if isinstance(event, RemoteProtocolError):
            assert sender is Side.CLIENT
            element = event.element if isinstance(event, MessageError) else None
            errors.append((read_header(message).message_type, element))
    assert errors == [REFUSED[name]]


def test_the_application_data_of_a_real_server_reads_as_a_dictionary() -> None:
    for _, sender, message in out_of_process(probe("fragment-two")):
        event = outcome(message)
        if isinstance(event, e.ApplicationPrivateData):
            assert sender is Side.SERVER
            assert isinstance(event.data, Dictionary)
            assert event.data["PSVersionTable"]["PSVersion"] == "7.6.5"
            return
    pytest.fail("no APPLICATION_PRIVATE_DATA in the recording")
