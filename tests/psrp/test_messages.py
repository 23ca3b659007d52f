"""Messages: the header, and every body in the form of real peers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp import events as e
from psrp.clixml import DateTime, Int64, List, PSObject, dumps
from psrp.commands import PowerShell, command, script
from psrp.host import HostInfo, HostMethodId
from psrp.messages import (
    MESSAGES,
    Header,
    MessageType,
    decode,
    decode_body,
    encode,
    encode_body,
    prefix,
    read_header,
    sender_of,
    type_name,
    type_of,
)
from psrp.records import ErrorRecord, InformationalRecord, InformationRecord, ProgressRecord
from psrp.sansio import UTF8_BOM, LocalProtocolError, MessageError, RemoteProtocolError, Side

POOL = UUID("00112233-4455-6677-8899-aabbccddeeff")
PIPE = UUID("8f7e6d5c-4b3a-2918-0706-050403020100")
T = MessageType

WARNING = InformationalRecord(message="careful")
ERROR = ErrorRecord.create("it broke", error_id="Broken")
TIME = DateTime(638_000_000_000_000_000)

EVERY_EVENT: list[e.Event] = [
    e.SessionCapability(protocol_version="2.3", time_zone=b"\0\1"),
    e.InitRunspacePool(
        max_runspaces=3, application_arguments={"a": 1, "b": {"c": [2]}}, host_info=HostInfo.full()
    ),
    e.PublicKey(key="AAAA"),
    e.EncryptedSessionKey(key="BBBB"),
    e.PublicKeyRequest(),
    e.ConnectRunspacePool(),
    e.ConnectRunspacePool(min_runspaces=1, max_runspaces=2),
    e.SetMaxRunspaces(count=5, call_id=1),
    e.SetMinRunspaces(count=2, call_id=2),
    e.RunspaceAvailability(call_id=1, answer=True),
    e.RunspaceAvailability(call_id=2, answer=7),
    e.RunspacePoolStateMessage(state=e.RunspaceState.OPENED),
    e.RunspacePoolStateMessage(state=e.RunspaceState.BROKEN, error=ERROR),
    e.GetAvailableRunspaces(call_id=9),
    e.UserEvent(
        event_id=1, source_id="x", time_generated=TIME, arguments=List([1]), runspace_id=POOL
    ),
    e.ApplicationPrivateData(data={"PSVersionTable": {"x": "y"}}),
    e.ApplicationPrivateData(),
    e.RunspacePoolInitData(min_runspaces=1, max_runspaces=4),
    e.ResetRunspaceState(call_id=3),
    e.RunspacePoolHostCall(call_id=1, method=HostMethodId.ReadLine),
    e.RunspacePoolHostResponse(call_id=1, method=HostMethodId.ReadLine, result="text"),
    e.CreatePipeline(
        pipeline_id=PIPE,
        powershell=script("1").then(command("Out-Default", Width=3)),
        host_info=HostInfo.null(),
        remote_stream_options=15,
    ),
    e.GetCommandMetadata(pipeline_id=PIPE, names=("a",), namespaces=(), arguments=(1,)),
    e.PipelineInput(pipeline_id=PIPE, data="in"),
    e.PipelineInput(pipeline_id=PIPE, data=None),
    e.EndOfPipelineInput(pipeline_id=PIPE),
    e.PipelineOutput(pipeline_id=PIPE, data=Int64(5)),
    e.PipelineOutput(pipeline_id=PIPE, data=None),
    e.ErrorRecordMessage(pipeline_id=PIPE, record=ERROR),
    e.DebugRecordMessage(pipeline_id=PIPE, record=WARNING),
    e.VerboseRecordMessage(pipeline_id=PIPE, record=WARNING),
    e.WarningRecordMessage(pipeline_id=None, record=WARNING),
    e.ProgressRecordMessage(pipeline_id=PIPE, record=ProgressRecord(activity="a", status="b")),
    e.InformationRecordMessage(
        pipeline_id=PIPE, record=InformationRecord(message_data="m", time_generated=TIME)
    ),
    e.PipelineStateMessage(pipeline_id=PIPE, state=e.InvocationState.FAILED, error=ERROR),
    e.PipelineHostCall(pipeline_id=PIPE, call_id=-100, method=16, arguments=("hi",)),
    e.PipelineHostResponse(pipeline_id=PIPE, call_id=2, method=11, error=ERROR),
    e.StopPowerShell(pipeline_id=PIPE),
]


def body(event: e.Event, version: tuple[int, int] = (2, 3)) -> str:
    return encode_body(event, version=version).decode("utf-8-sig")


def read(message_type: int, xml: str, pid: UUID | None = PIPE, **options: Any) -> e.Event:
    return decode_body(message_type, pid, xml.encode(), **options)


# -- the header


def test_the_header_is_little_endian_with_ids_in_dotnet_order() -> None:
    """Statements A1, A2."""
    head = prefix(Side.SERVER, T.PIPELINE_INPUT, POOL, PIPE)
    assert head.hex() == (
        "0200000002100400" + "33221100554477668899aabbccddeeff" + "5c6d7e8f3a4b18290706050403020100"
    )
    assert read_header(head) == Header(2, T.PIPELINE_INPUT, POOL, PIPE)


def test_a_zero_pipeline_id_is_none() -> None:
    header = read_header(prefix(Side.CLIENT, T.RUNSPACEPOOL_STATE, POOL, None))
    assert header == (1, 0x00021005, POOL, None)


@pytest.mark.parametrize(
    ("destination", "side", "fits"),
    [
        (1, Side.CLIENT, True),
        (2, Side.CLIENT, False),
        (2, Side.SERVER, True),
        (3, Side.SERVER, True),
        (0xFFFFFFFF, Side.CLIENT, True),
        (0, Side.SERVER, False),
        (2, None, True),
    ],
)
def test_only_our_own_bit_of_the_destination_counts(
    destination: int, side: Side | None, fits: bool
) -> None:
    message = destination.to_bytes(4, "little") + prefix(Side.CLIENT, 0x21005, POOL, None)[4:]
    if fits:
        assert read_header(message, side).destination == destination
    else:
        with pytest.raises(MessageError, match="destination"):
            read_header(message, side)


def test_less_than_a_header_is_refused() -> None:
    with pytest.raises(MessageError, match="39 bytes"):
        read_header(bytes(39))


# -- all messages


@pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: type(event).__name__)
def test_what_one_side_sends_the_other_gets(event: e.Event) -> None:
    sender = sender_of(type_of(event)) or Side.CLIENT
    message = encode(event, POOL, sender=sender)
    header, again = decode(message, side=sender.peer)
    assert again == event
    assert header.rpid == POOL
    assert header.pid == getattr(event, "pipeline_id", None)
    assert message[40:] == encode_body(event)
    assert encode(again, POOL, sender=sender) == message


def test_every_type_of_the_table_was_tried() -> None:
    assert {type_of(event) for event in EVERY_EVENT} == set(MESSAGES) == set(MessageType)


def test_bodies_begin_with_a_byte_order_mark_and_are_read_without() -> None:
    """Statement A5."""
    event = e.PipelineOutput(pipeline_id=PIPE, data="x")
    message = encode(event, POOL)
    assert message[40:] == UTF8_BOM + b"<S>x</S>"
    assert decode(message[:40] + b"<S>x</S>")[1] == event
    state = encode(
        e.PipelineStateMessage(pipeline_id=PIPE, state=e.InvocationState.COMPLETED), POOL
    )
    assert decode(state.replace(UTF8_BOM, b""))[1] == decode(state)[1]


@pytest.mark.parametrize("kind", [e.PipelineInput, e.PipelineOutput])
def test_null_is_an_empty_body_and_never_an_element(kind: Any) -> None:
    """Statement A4."""
    event = kind(pipeline_id=PIPE, data=None)
    message = encode(event, POOL)
    assert len(message) == 40
    assert decode(message)[1] == event
    with pytest.raises(MessageError, match="expected an empty body"):
        decode(message + UTF8_BOM + b"<Nil/>")


def test_the_end_of_input_has_no_body_and_its_body_is_not_looked_at() -> None:
    """Statement A6."""
    event = e.EndOfPipelineInput(pipeline_id=PIPE)
    message = encode(event, POOL)
    assert len(message) == 40
    assert decode(message + b"<no xml")[1] == event


def test_a_null_inside_a_wrapped_body_is_no_body_either() -> None:
    with pytest.raises(MessageError):
        read(T.PIPELINE_OUTPUT, "<Nil />")


def test_unknown_types_are_handed_on() -> None:
    message = prefix(Side.CLIENT, 0x00099999, POOL, PIPE) + b"anything"
    header, event = decode(message)
    assert event == e.UnknownMessage(message_type=0x99999, pipeline_id=PIPE, body=b"anything")
    assert (header.message_type, sender_of(0x99999)) == (0x99999, None)
    assert type_name(0x99999) == "message type 0x00099999"
    assert type_of(event) == 0x99999


def test_steps_of_the_carrier_are_no_messages() -> None:
    step = e.ClosePool()
    assert type_of(step) == 0
    with pytest.raises(LocalProtocolError, match="not a message"):
        encode(step, POOL)
    with pytest.raises(LocalProtocolError, match="not a message"):
        encode_body(step)


def test_the_sender_is_checked_and_needed_where_both_may_send() -> None:
    capability = e.SessionCapability(protocol_version="2.3")
    with pytest.raises(LocalProtocolError, match="needs a sender"):
        encode(capability, POOL)
    assert encode(capability, POOL, sender=Side.SERVER)[0] == 1
    assert encode(capability, POOL, sender=Side.CLIENT)[0] == 2
    with pytest.raises(LocalProtocolError, match="only a server"):
        encode(e.PipelineOutput(pipeline_id=PIPE, data=1), POOL, sender=Side.CLIENT)


@pytest.mark.parametrize(
    "message_type",
    [T.PIPELINE_OUTPUT, T.PIPELINE_INPUT, T.END_OF_PIPELINE_INPUT, T.STOP_POWERSHELL],
)
def test_a_message_of_a_pipeline_has_to_name_it(message_type: int) -> None:
    with pytest.raises(MessageError) as caught:
        read(message_type, "<S>x</S>", None)
    assert caught.value.element == "PID"


@given(st.sampled_from(sorted(MessageType)), st.booleans(), st.binary(max_size=60))
def test_any_body_is_an_event_or_the_peers_fault(
    message_type: int, pool: bool, data: bytes
) -> None:
    message = prefix(Side.CLIENT, message_type, POOL, None if pool else PIPE) + data
    assert outcome(message)


def outcome(message: bytes) -> e.Event | RemoteProtocolError:
    try:
        return decode(message)[1]
    except RemoteProtocolError as error:
        return error


NAMES = st.sampled_from(
    [
        *("ci", "mi", "mp", "mr", "me", "Exception", "SerializeExtendedInfo", "HostInfo"),
        *("PowerShell", "Cmds", "RunspaceState", "Tags", "Type", "MinRunspaces", "data"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(0, 3) | st.text(max_size=2), inner, max_size=2)
        | st.builds(
            PSObject,
            extended=st.dictionaries(NAMES, inner, max_size=5),
            value=st.none() | st.integers(-3, 3),
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(MessageType)), VALUES)
def test_any_value_is_an_event_or_the_peers_fault(message_type: int, value: Any) -> None:
    assert outcome(prefix(Side.CLIENT, message_type, POOL, PIPE) + dumps(value))


@pytest.mark.parametrize("message_type", sorted(MessageType))
def test_an_object_that_holds_itself_is_the_peers_fault_or_harmless(message_type: int) -> None:
    names = [*bag_names(), "ci", "mi", "mp", "mr"]
    members = "".join(
        f'<Obj N="{name}" RefId="{i}"><Ref RefId="{i}"/></Obj>' for i, name in enumerate(names, 1)
    )
    body = f'<Obj RefId="0"><MS>{members}</MS></Obj>'.encode()
    assert outcome(prefix(Side.CLIENT, message_type, POOL, PIPE) + body)


def bag_names() -> set[str]:
    values = (MESSAGES[type_of(event)].body.write(event, (2, 3)) for event in EVERY_EVENT)
    return {name for value in values if type(value) is PSObject for name in value}


@given(st.data())
def test_a_good_body_with_one_bad_member_is_the_peers_fault(data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(EVERY_EVENT))
    message = encode(event, POOL, sender=sender_of(type_of(event)) or Side.CLIENT)
    at = data.draw(st.integers(0, len(message)))
    end = data.draw(st.integers(at, min(at + 20, len(message))))
    assert outcome(message[:at] + data.draw(st.binary(max_size=4)) + message[end:])


# -- strict writing, lenient reading


def test_every_member_has_its_exact_element() -> None:
    """Statement A14."""
    assert body(e.SetMaxRunspaces(count=5, call_id=1)) == (
        '<Obj RefId="0"><MS><I32 N="MaxRunspaces">5</I32><I64 N="ci">1</I64></MS></Obj>'
    )
    assert body(e.RunspaceAvailability(call_id=1, answer=False)) == (
        '<Obj RefId="0"><MS><B N="SetMinMaxRunspacesResponse">false</B>'
        '<I64 N="ci">1</I64></MS></Obj>'
    )
    assert body(e.PublicKeyRequest()) == "<S></S>"
    assert body(e.ConnectRunspacePool()) == "<S></S>"
    assert body(e.GetCommandMetadata(pipeline_id=PIPE)).endswith(
        '<Nil N="Namespace" /><Nil N="FullyQualifiedModule" /><Nil N="ArgumentList" /></MS></Obj>'
    )


TOO_LARGE: list[e.Event] = [
    e.SetMaxRunspaces(count=1 << 31, call_id=1),
    e.SetMinRunspaces(count=1, call_id=1 << 63),
    e.RunspaceAvailability(call_id=1, answer=-(1 << 40)),
    e.SessionCapability(protocol_version="two"),
]


@pytest.mark.parametrize("event", TOO_LARGE, ids=lambda event: type(event).__name__)
def test_what_does_not_fit_its_element_is_our_mistake(event: e.Event) -> None:
    with pytest.raises(LocalProtocolError):
        encode_body(event)


def test_names_are_compared_without_case() -> None:
    """Statement A15."""
    event = read(
        T.SET_MAX_RUNSPACES, '<Obj><MS><I32 N="maxRUNSPACES">5</I32><I64 N="CI">1</I64></MS></Obj>'
    )
    assert event == e.SetMaxRunspaces(count=5, call_id=1)


@pytest.mark.parametrize(
    "state",
    [
        '<I32 N="PipelineState">4</I32>',
        '<By N="PipelineState">4</By>',
        '<S N="PipelineState">completed</S>',
        '<S N="PipelineState"> 4 </S>',
        '<Obj N="PipelineState"><ToString>Completed</ToString><I32>4</I32></Obj>',
    ],
)
def test_an_enum_is_an_object_a_number_or_a_name(state: str) -> None:
    """Statement A15."""
    event = read(T.PIPELINE_STATE, f"<Obj><MS>{state}</MS></Obj>")
    assert event == e.PipelineStateMessage(pipeline_id=PIPE, state=e.InvocationState.COMPLETED)


@pytest.mark.parametrize(
    "state",
    [
        '<S N="{}">Sleepy</S>',
        '<I32 N="{}">99</I32>',
        '<BA N="{}">AA==</BA>',
        '<I64 N="{}">4294967297</I64>',
    ],
)
def test_a_state_that_nobody_knows_is_refused(state: str) -> None:
    for message_type, name in (
        (T.PIPELINE_STATE, "PipelineState"),
        (T.RUNSPACEPOOL_STATE, "RunspaceState"),
    ):
        with pytest.raises(MessageError) as caught:
            read(message_type, f"<Obj><MS>{state.format(name)}</MS></Obj>")
        assert caught.value.element == name


def test_a_wrapped_primitive_counts_as_the_primitive() -> None:
    event = read(T.GET_AVAILABLE_RUNSPACES, '<Obj><MS><Obj N="ci"><I64>3</I64></Obj></MS></Obj>')
    assert event == e.GetAvailableRunspaces(call_id=3)


def test_members_may_stand_in_props_as_in_the_text() -> None:
    event = read(T.GET_AVAILABLE_RUNSPACES, '<Obj><Props><I64 N="ci">3</I64></Props></Obj>')
    assert event == e.GetAvailableRunspaces(call_id=3)


def test_swapped_counts_of_the_init_data_are_put_right() -> None:
    """Statement H85."""
    event = read(
        T.RUNSPACEPOOL_INIT_DATA,
        '<Obj><MS><I32 N="MinRunspaces">5</I32><I32 N="MaxRunspaces">1</I32></MS></Obj>',
    )
    assert event == e.RunspacePoolInitData(min_runspaces=1, max_runspaces=5)


def test_a_count_of_64_bits_is_taken_from_servers_that_follow_the_text() -> None:
    event = read(
        T.RUNSPACE_AVAILABILITY,
        '<Obj><MS><I64 N="SetMinMaxRunspacesResponse">5</I64><I64 N="ci">1</I64></MS></Obj>',
    )
    assert event == e.RunspaceAvailability(call_id=1, answer=5)
    with pytest.raises(MessageError):
        read(
            T.RUNSPACE_AVAILABILITY,
            '<Obj><MS><S N="SetMinMaxRunspacesResponse">5</S><I64 N="ci">1</I64></MS></Obj>',
        )


def test_old_clients_send_an_empty_text_for_no_namespace() -> None:
    xml = (
        '<Obj><MS><Nil N="Name"/><I32 N="CommandType">8</I32><S N="Namespace"></S>'
        '<Nil N="ArgumentList"/></MS></Obj>'
    )
    event = read(T.GET_COMMAND_METADATA, xml)
    assert event == e.GetCommandMetadata(pipeline_id=PIPE, command_types=8, namespaces=())
    with pytest.raises(MessageError):
        read(
            T.GET_COMMAND_METADATA,
            xml.replace('<Nil N="Name"/>', '<Obj N="Name"><LST><I32>1</I32></LST></Obj>'),
        )


def test_is_nested_may_be_missing_below_2_2() -> None:
    event = next(each for each in EVERY_EVENT if isinstance(each, e.CreatePipeline))
    xml = body(event)
    without = xml.replace('<B N="IsNested">false</B></MS></Obj>', "</MS></Obj>")
    assert without != xml
    assert read(T.CREATE_PIPELINE, without, version=(2, 1)) == event
    with pytest.raises(MessageError) as caught:
        read(T.CREATE_PIPELINE, without, version=(2, 2))
    assert caught.value.element == "IsNested"


def test_records_may_be_for_the_pool() -> None:
    message = encode(e.WarningRecordMessage(pipeline_id=None, record=WARNING), POOL)
    header, event = decode(message)
    assert header.pid is None
    assert isinstance(event, e.WarningRecordMessage)
    assert event.pipeline_id is None


def test_plain_tuples_are_written_as_arrays() -> None:
    event = e.UserEvent(event_id=1, source_id="s", arguments=(1, 2), runspace_id=None)
    again = read(T.USER_EVENT, body(event))
    assert isinstance(again, e.UserEvent)
    assert (again.arguments, again.runspace_id, again.time_generated) == (
        [1, 2],
        UUID(int=0),
        DateTime(0),
    )
    modules = e.GetCommandMetadata(pipeline_id=PIPE, fully_qualified_modules=("m",))
    assert read(T.GET_COMMAND_METADATA, body(modules)) == e.GetCommandMetadata(
        pipeline_id=PIPE, fully_qualified_modules=["m"]
    )


def test_a_pipeline_of_nothing_is_our_mistake() -> None:
    event = e.CreatePipeline(
        pipeline_id=PIPE, powershell=PowerShell(statements=()), host_info=HostInfo.null()
    )
    with pytest.raises(LocalProtocolError):
        encode(event, POOL)


EVENT_CLASSES = [
    value for value in vars(e).values() if isinstance(value, type) and issubclass(value, e.Event)
]


@pytest.mark.parametrize("kind", EVENT_CLASSES)
def test_the_type_hints_of_every_event_can_be_resolved(kind: type[e.Event]) -> None:
    hints = get_type_hints(kind)
    assert set(hints) == {field.name for field in fields(kind)}
