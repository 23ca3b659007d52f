"""Host calls: legal answers, their stream and their number."""

from __future__ import annotations

from uuid import UUID

import pytest

from psrp import events as e
from psrp.host import HostMethodId
from psrp.sansio import LocalProtocolError, Stream
from tests.psrp.pairs import OTHER_ID, PIPELINE_ID, Pair, channel_of, deliver, drain, force, sent


def asked(pair: Pair, result: str) -> e.PipelineHostResponse:
    """Return the answer to a host call that the server's pipeline has just made."""
    call = {
        "pipeline_id": PIPELINE_ID,
        "call_id": pair.server.new_host_call_id(PIPELINE_ID),
        "method": HostMethodId.ReadLine,
    }
    pair.server.send(e.PipelineHostCall(**call))
    pair.move()
    return e.PipelineHostResponse(**call, result=result)


def test_host_responses_overtake_everything_else() -> None:
    """Statement A10."""
    pair = Pair().open()
    pair.create(no_input=False)
    response = asked(pair, "typed")
    pair.client.send(e.PipelineInput(pipeline_id=PIPELINE_ID, data="x" * 1000))
    first = pair.client.data_to_send(300)
    pair.client.send(response)
    rest = sent(pair.client, 300)
    streams = [out.stream for out in rest]
    assert streams == sorted(streams, key=[Stream.PROMPT_RESPONSE, Stream.DEFAULT].index)
    assert Stream.PROMPT_RESPONSE in streams
    assert first is not None
    for out in (first, *rest):
        deliver(out, pair.server)
        pair.at_server += drain(pair.server)
    assert pair.at_server[-2:] == [
        response,
        e.PipelineInput(pipeline_id=PIPELINE_ID, data="x" * 1000),
    ]


def test_a_server_takes_a_host_response_on_either_stream() -> None:
    """Statement J116."""
    pair = Pair().open()
    pair.create()
    for stream in Stream:
        response = asked(pair, "x")
        pair.client.send(response)
        (out,) = sent(pair.client)
        pair.server.receive_data(out.data, PIPELINE_ID, stream)
        assert drain(pair.server) == [response]


def test_a_host_call_is_answered_exactly_once() -> None:
    """Statement D38."""
    pair = Pair().open()
    pair.create()
    call = pair.server.new_host_call_id(PIPELINE_ID)
    pair.server.send(
        e.PipelineHostCall(pipeline_id=PIPELINE_ID, call_id=call, method=HostMethodId.ReadLine)
    )
    pair.server.send(
        e.PipelineHostCall(
            pipeline_id=PIPELINE_ID,
            call_id=-100,
            method=HostMethodId.WriteLine2,
            arguments=("hello",),
        )
    )
    pair.move()
    response = e.PipelineHostResponse(
        pipeline_id=PIPELINE_ID, call_id=call, method=HostMethodId.ReadLine, result="x"
    )
    pair.client.send(response)
    with pytest.raises(LocalProtocolError, match=r"no host call .* is open"):
        pair.client.send(response)
    with pytest.raises(LocalProtocolError, match=r"no host call .* is open"):
        pair.client.send(
            e.PipelineHostResponse(
                pipeline_id=PIPELINE_ID, call_id=-100, method=HostMethodId.WriteLine2
            )
        )
    channel = channel_of(pair.client, PIPELINE_ID)
    force(pair.client, response, channel)
    pair.move()
    assert [type(event) for event in pair.at_server[-2:]] == [e.PipelineHostResponse, e.Ignored]


def test_a_stop_aborts_the_open_host_calls() -> None:
    """Statement D45."""
    pair = Pair().open()
    pair.create()
    response = asked(pair, "late")
    pair.client.send(e.StopPipeline(pipeline_id=PIPELINE_ID))
    pair.client.send(response)
    late, stop = sent(pair.client)
    deliver(stop, pair.server)
    deliver(late, pair.server)
    assert [type(event) for event in drain(pair.server)] == [e.StopPipeline, e.Ignored]


def test_host_call_ids_count_from_one_in_each_target() -> None:
    pair = Pair().open(max_runspaces=2)
    pair.create(PIPELINE_ID)
    pair.create(OTHER_ID)
    assert [pair.server.new_host_call_id(id) for id in (None, PIPELINE_ID, OTHER_ID)] == [1, 1, 1]
    assert pair.server.new_host_call_id(OTHER_ID) == 2
    with pytest.raises(LocalProtocolError, match="no pipeline"):
        pair.server.new_host_call_id(UUID(int=3))


def test_a_server_takes_a_pipelines_host_response_on_the_pools_stream() -> None:
    """pypsrp sends all responses on this stream."""
    pair = Pair().open()
    pair.create()
    response = asked(pair, "x")
    pair.client.send(response)
    (out,) = sent(pair.client)
    pair.server.receive_data(out.data, None, Stream.PROMPT_RESPONSE)
    assert drain(pair.server) == [response]
