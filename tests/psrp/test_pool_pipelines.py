"""Pipelines: legal messages, their order, and the effect of violations."""

from __future__ import annotations

from uuid import UUID

import pytest

from psrp import events as e
from psrp.commands import PowerShell, command
from psrp.host import HostInfo
from psrp.records import ErrorCategory, ErrorRecord, InformationalRecord
from psrp.sansio import ClixmlError, LocalProtocolError, TransportAct
from psrp.states import PipelinePhase, PoolState
from tests.psrp.pairs import (
    OTHER_ID,
    PIPELINE_ID,
    Pair,
    byte_by_byte,
    channel_of,
    deliver,
    drain,
    force,
    force_bytes,
    sent,
)

STOPPED = e.PipelineStateMessage(pipeline_id=PIPELINE_ID, state=e.InvocationState.STOPPED)
COMPLETED = e.PipelineStateMessage(pipeline_id=PIPELINE_ID, state=e.InvocationState.COMPLETED)


def output(value: object, id: UUID = PIPELINE_ID) -> e.PipelineOutput:
    return e.PipelineOutput(pipeline_id=id, data=value)


@pytest.mark.parametrize("cut", [None, byte_by_byte])
@pytest.mark.parametrize("room", [40, 32768])
def test_a_pipeline_runs_and_all_its_output_comes_in_order(cut: object, room: int) -> None:
    pair = (Pair(room=room) if cut is None else Pair(room=room, cut=byte_by_byte)).open()
    pair.create()
    said = [output(1), output("two"), output(None), output([3, "x" * 500])]
    for event in said:
        pair.server.send(event)
    pair.move()
    pair.end()
    assert pair.at_client[3:] == [*said, COMPLETED]
    pair.close()
    assert pair.client.pipelines == pair.server.pipelines == {}


def test_null_output_and_input_have_no_body_and_come_back_as_none() -> None:
    """Statement A4."""
    pair = Pair().open()
    pair.create(no_input=False)
    pair.server.send(output(None))
    (out,) = sent(pair.server)
    assert len(out.data) == 21 + 40
    deliver(out, pair.client)
    assert drain(pair.client) == [output(None)]
    pair.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data=None))
    (out,) = sent(pair.client)
    assert len(out.data) == 21 + 40


def test_create_goes_out_with_its_act_and_the_rest_without() -> None:
    pair = Pair().open()
    pair.client.send(
        e.CreatePipeline(
            pipeline_id=PIPELINE_ID,
            powershell=PowerShell.of(command("Get-Date")),
            host_info=HostInfo.null(),
            no_input=False,
        )
    )
    pair.client.send(e.EndOfPipelineInput(pipeline_id=PIPELINE_ID))
    outs = sent(pair.client, room=300)
    assert [out.act for out in outs] == [TransportAct.CREATE_PIPELINE] + [None] * (len(outs) - 1)
    assert {out.target for out in outs} == {PIPELINE_ID}


def test_input_flows_until_its_end_and_then_no_more() -> None:
    """Statement C32."""
    pair = Pair().open()
    pair.create(no_input=False)
    assert pair.client.pipelines == {PIPELINE_ID: PipelinePhase.READING}
    pair.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data=1))
    pair.client.send(e.EndOfPipelineInput(pipeline_id=PIPELINE_ID))
    with pytest.raises(LocalProtocolError, match="PipelineInput while the pipeline is running"):
        pair.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data=2))
    pair.move()
    assert pair.at_server[-2:] == [
        e.PipelineInput(pipeline_id=PIPELINE_ID, data=1),
        e.EndOfPipelineInput(pipeline_id=PIPELINE_ID),
    ]


def test_input_to_a_pipeline_without_input_is_dropped() -> None:
    """Statement C32."""
    pair = Pair().open()
    pair.create(no_input=True)
    channel = channel_of(pair.client, PIPELINE_ID)
    force(pair.client, e.PipelineInput(pipeline_id=PIPELINE_ID, data=1), channel)
    force(pair.client, e.EndOfPipelineInput(pipeline_id=PIPELINE_ID), channel)
    pair.move()
    assert [type(event) for event in pair.at_server[-2:]] == [e.Ignored, e.Ignored]
    pair.server.send(output("still here"))
    pair.move()
    assert pair.at_client[-1] == output("still here")


def test_a_server_says_exactly_one_terminal_state() -> None:
    """Statement C29."""
    pair = Pair().open()
    pair.create()
    pair.end()
    for late in (COMPLETED, STOPPED, output(1)):
        with pytest.raises(LocalProtocolError, match="while the pipeline is ended"):
            pair.server.send(late)


def test_a_second_terminal_state_and_late_output_are_ignored() -> None:
    pair = Pair().open()
    pair.create()
    pair.end()
    channel = channel_of(pair.server, PIPELINE_ID)
    force(pair.server, COMPLETED, channel)
    force(pair.server, output("late"), channel)
    pair.move()
    assert [type(event) for event in pair.at_client[-2:]] == [e.Ignored, e.Ignored]
    assert pair.client.state is PoolState.OPENED


def test_running_state_changes_nothing() -> None:
    pair = Pair().open()
    pair.create()
    running = e.PipelineStateMessage(pipeline_id=PIPELINE_ID, state=e.InvocationState.RUNNING)
    pair.server.send(running)
    pair.move()
    assert pair.at_client[-1] == running
    pair.end()
    assert pair.at_client[-1] == COMPLETED


def test_messages_for_a_pipeline_that_is_gone_are_dropped() -> None:
    """Statement A13."""
    pair = Pair().open()
    pair.create()
    pair.server.send(output("crossing"))
    (late,) = sent(pair.server)
    pair.end()
    pair.close()
    deliver(late, pair.client)
    assert drain(pair.client) == []
    # A server receives a message for an unknown pipeline on the pool's stream:
    pair.create(OTHER_ID, no_input=False)
    pair.client.send(e.PipelineInput(pipeline_id=OTHER_ID, data=1))
    (stray,) = sent(pair.client)
    pair.server._channels.pipelines.clear()
    pair.server.receive_data(stray.data)
    (event,) = drain(pair.server)
    assert isinstance(event, e.Ignored)
    assert pair.server.state is PoolState.OPENED


def test_stop_is_a_step_of_the_carrier() -> None:
    """Statement C31."""
    pair = Pair().open()
    pair.create()
    pair.client.send(e.StopPipeline(pipeline_id=PIPELINE_ID))
    (out,) = sent(pair.client)
    assert (out.act, out.target, out.data) == (TransportAct.STOP_PIPELINE, PIPELINE_ID, b"")
    deliver(out, pair.server)
    assert drain(pair.server) == [e.StopPipeline(pipeline_id=PIPELINE_ID)]
    pair.server.send(STOPPED)
    pair.server.send(e.StopPipeline(pipeline_id=PIPELINE_ID))
    outs = sent(pair.server)
    assert [out.act for out in outs] == [None, TransportAct.STOP_PIPELINE]
    for out in outs:
        deliver(out, pair.client)
    assert drain(pair.client) == [STOPPED, e.StopPipeline(pipeline_id=PIPELINE_ID)]
    assert pair.client.pipelines == {PIPELINE_ID: PipelinePhase.ENDED}


def test_the_answer_to_a_stop_ends_the_pipeline_when_its_state_is_lost() -> None:
    pair = Pair().open()
    pair.create()
    pair.client.send(e.StopPipeline(pipeline_id=PIPELINE_ID))
    pair.move()
    pair.server.send(e.StopPipeline(pipeline_id=PIPELINE_ID))
    pair.move()
    assert pair.client.pipelines == pair.server.pipelines == {PIPELINE_ID: PipelinePhase.ENDED}


def test_a_server_takes_the_stop_message_too() -> None:
    """Statement C31."""
    pair = Pair().open()
    pair.create()
    pair.client.send(e.StopPowerShell(pipeline_id=PIPELINE_ID))
    pair.move()
    assert pair.at_server[-1] == e.StopPowerShell(pipeline_id=PIPELINE_ID)
    assert pair.server.pipelines == {PIPELINE_ID: PipelinePhase.STOPPING}


def test_closing_a_running_pipeline_lets_the_server_report_its_end_first() -> None:
    """Statement J99: the machine's part; the acknowledgement is the carrier's."""
    pair = Pair().open()
    pair.create()
    pair.client.send(e.ClosePipeline(pipeline_id=PIPELINE_ID))
    pair.move()
    assert pair.server.pipelines == {PIPELINE_ID: PipelinePhase.ABANDONED}
    pair.server.send(STOPPED)
    pair.server.send(e.ClosePipeline(pipeline_id=PIPELINE_ID))
    pair.move()
    assert pair.at_client[-2:] == [STOPPED, e.ClosePipeline(pipeline_id=PIPELINE_ID)]
    assert pair.client.pipelines == pair.server.pipelines == {}


def test_a_client_closes_a_pipeline_after_its_end() -> None:
    """Statement C30: the machine's part; the carrier defines a close on the wire."""
    pair = Pair().open()
    pair.create()
    pair.end()
    pair.client.send(e.ClosePipeline(pipeline_id=PIPELINE_ID))
    with pytest.raises(LocalProtocolError, match="while the pipeline is closing"):
        pair.client.send(e.ClosePipeline(pipeline_id=PIPELINE_ID))
    (out,) = sent(pair.client)
    assert out.act is TransportAct.CLOSE_PIPELINE


def test_pipelines_run_side_by_side() -> None:
    pair = Pair().open(max_runspaces=2)
    pair.create(PIPELINE_ID)
    pair.create(OTHER_ID)
    for i in range(3):
        pair.server.send(output(i, PIPELINE_ID))
        pair.server.send(output(-i, OTHER_ID))
    pair.end(OTHER_ID)
    pair.end(PIPELINE_ID)
    for id, sign in ((PIPELINE_ID, 1), (OTHER_ID, -1)):
        seen = [x.data for x in pair.at_client if isinstance(x, e.PipelineOutput)
                and x.pipeline_id == id]  # fmt: skip
        assert seen == [0, sign, 2 * sign]


def test_nested_is_kept_in_a_pool_of_one_and_dropped_in_a_larger_one() -> None:
    """Statement C34."""
    for size, kept in ((1, True), (3, False)):
        pair = Pair().open(max_runspaces=size)
        pair.create(is_nested=True)
        created = pair.at_server[-1]
        assert isinstance(created, e.CreatePipeline)
        assert created.is_nested is kept


def test_bad_input_costs_the_message_and_the_pipeline_goes_on() -> None:
    """Statement J102: the server's half."""
    pair = Pair().open()
    pair.create(no_input=False)
    channel = channel_of(pair.client, PIPELINE_ID)
    good = channel.output_prefix + b"<I32>1</I32>"
    bad = channel.output_prefix + b"<I32>1</S>"
    for message in (bad, channel.output_prefix + b"<Nil/>", good):
        force_bytes(pair.client, message, channel)
    pair.move()
    first, second, third = pair.at_server[-3:]
    assert isinstance(first, e.Fault)
    assert isinstance(first.error, ClixmlError)
    assert isinstance(second, e.Fault)
    assert third == e.PipelineInput(pipeline_id=PIPELINE_ID, data=1)


@pytest.mark.parametrize("body", [b"<I32>x</I32>", b"<Foo>1</Foo>", b"<Nil />"])
def test_bad_output_ends_the_clients_pipeline_and_not_its_pool(body: bytes) -> None:
    """Statement J102: the client's half."""
    pair = Pair().open()
    pair.create()
    channel = channel_of(pair.server, PIPELINE_ID)
    force_bytes(pair.server, channel.output_prefix + body, channel)
    force_bytes(pair.server, channel.output_prefix + b"<I32>1</I32>", channel)
    pair.move()
    fault, late = pair.at_client[-2:]
    assert isinstance(fault, e.Fault)
    assert fault.pipeline_id == PIPELINE_ID
    assert isinstance(late, e.Ignored)
    assert pair.client.pipelines == {PIPELINE_ID: PipelinePhase.ENDED}
    assert pair.client.state is PoolState.OPENED


def test_fragments_out_of_order_cost_one_object() -> None:
    pair = Pair().open()
    pair.create()
    pair.server.send(output("x" * 100))
    first, second = sent(pair.server, room=140)
    deliver(second, pair.client)
    (fault,) = drain(pair.client)
    assert isinstance(fault, e.Fault)
    deliver(first, pair.client)
    deliver(second, pair.client)
    (late,) = drain(pair.client)
    assert isinstance(late, e.Ignored)


def test_a_message_of_the_wrong_direction_is_ignored() -> None:
    pair = Pair().open()
    pair.create()
    channel = channel_of(pair.server, PIPELINE_ID)
    # PIPELINE_OUTPUT that is addressed to the server.
    message = b"\x02\0\0\0" + channel.output_prefix[4:] + b"<I32>1</I32>"
    stray = channel_of(pair.client, PIPELINE_ID)
    force_bytes(pair.client, message, stray)
    pair.move()
    (event,) = pair.at_server[-1:]
    assert isinstance(event, e.Ignored)
    assert "only a server" in event.reason


def test_output_whose_pid_is_not_its_packets_is_dropped_by_a_client() -> None:
    pair = Pair().open()
    pair.create()
    pair.server.send(output(1))
    (out,) = sent(pair.server)
    pair.client.receive_data(out.data)
    (event,) = drain(pair.client)
    assert isinstance(event, e.Ignored)
    assert "PID" in event.reason


def test_records_may_come_without_a_pipeline() -> None:
    pair = Pair().open()
    warning = e.WarningRecordMessage(
        pipeline_id=None, record=InformationalRecord(message="from the endpoint")
    )
    pair.server.send(warning)
    pair.move()
    assert pair.at_client[-1].record.message == "from the endpoint"  # type: ignore[attr-defined]


def test_a_failed_pipeline_tells_why() -> None:
    pair = Pair().open()
    pair.create()
    record = ErrorRecord.create(
        "no such thing",
        error_id="NotThere",
        category=ErrorCategory.ObjectNotFound,
    )
    pair.server.send(
        e.PipelineStateMessage(
            pipeline_id=PIPELINE_ID, state=e.InvocationState.FAILED, error=record
        )
    )
    pair.move()
    state = pair.at_client[-1]
    assert isinstance(state, e.PipelineStateMessage)
    assert state.error is not None
    assert str(state.error) == "no such thing"
    assert state.error.fully_qualified_error_id == "NotThere"


def test_command_metadata_is_a_pipeline_of_its_own() -> None:
    pair = Pair().open()
    question = e.GetCommandMetadata(pipeline_id=PIPELINE_ID, names=("Out-Default",))
    pair.client.send(question)
    pair.move()
    assert pair.at_server[-1] == question
    assert pair.server.pipelines == {PIPELINE_ID: PipelinePhase.RUNNING}
    pair.server.send(output(0))
    pair.end()
    assert pair.at_client[-2:] == [output(0), COMPLETED]


def test_a_server_makes_no_pipeline() -> None:
    pair = Pair().open()
    with pytest.raises(LocalProtocolError, match="no pipeline"):
        pair.server.send(
            e.CreatePipeline(
                pipeline_id=PIPELINE_ID, powershell=PowerShell.of(command("Get-Date")),
                host_info=HostInfo.null(),
            )
        )  # fmt: skip


def test_no_pipeline_before_the_pool_is_open() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError, match="CreatePipeline while the pool is before open"):
        pair.create()
    assert pair.client.pipelines == {}


def test_another_rpid_ends_the_clients_pipeline() -> None:
    pair = Pair().open()
    pair.create()
    channel = channel_of(pair.server, PIPELINE_ID)
    prefix = channel.output_prefix
    message = prefix[:8] + OTHER_ID.bytes_le + prefix[24:] + b"<I32>1</I32>"
    force_bytes(pair.server, message, channel)
    pair.move()
    fault = pair.at_client[-1]
    assert isinstance(fault, e.Fault)
    assert "RPID" in str(fault.error)
    assert pair.client.pipelines == {PIPELINE_ID: PipelinePhase.ENDED}
    assert pair.client.state is PoolState.OPENED


def test_output_of_a_pipeline_that_is_not_there_is_refused() -> None:
    pair = Pair().open()
    with pytest.raises(LocalProtocolError, match="no pipeline"):
        pair.server.send(output(1))
