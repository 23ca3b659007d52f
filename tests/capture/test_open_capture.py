"""Recordings as objects: `psremoting.capture.open_capture`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from psremoting.capture import CaptureError, decode, open_capture
from psrp import events as e
from psrp.sansio import Side
from tests.recordings import FIXTURES

STREAMS = FIXTURES / "outofproc" / "sessions" / "streams.jsonl"
WSMAN = FIXTURES / "wsman-live" / "managed-options.jsonl"


def test_messages_are_those_of_the_timeline() -> None:
    capture = open_capture(STREAMS)
    expected = [entry for entry in decode(STREAMS) if entry.event is not None]
    assert [m.number for m in capture.messages] == [entry.n for entry in expected]
    first = capture.messages[0]
    assert (first.sender, first.type, first.pipeline) == (Side.CLIENT, "SESSION_CAPABILITY", None)
    assert isinstance(first.event, e.SessionCapability)
    assert first.data["protocol_version"] == "2.4"
    assert len(first.raw) == first.size
    assert first.summary.startswith("protocol 2.4")
    assert capture.problems == []


def test_pipelines_have_their_objects() -> None:
    capture = open_capture(STREAMS)
    assert [each.command[:10] for each in capture.pipelines] == [
        "__Set-PSDe", "__Set-PSUn", "Write-Outp",
    ]  # fmt: skip
    last = capture.pipelines[-1]
    assert last.output == ["out"]
    assert last.state == "Completed"
    assert last.errors[0].fully_qualified_error_id == "My.Id"
    assert open_capture(FIXTURES / "outofproc/sessions/input.jsonl").pipelines[-1].input


@pytest.mark.parametrize("path", [STREAMS, WSMAN])
def test_exchanges_pair_requests_with_their_answers(path: Path) -> None:
    capture = open_capture(path)
    answered = [each for each in capture.exchanges if each.response is not None]
    assert len(answered) > len(capture.exchanges) / 2
    assert all(each.duration is not None and each.duration >= 0 for each in answered)
    assert sum(len(each.exchanges) for each in capture.connections) == len(capture.exchanges)
    assert sum(each.lines for each in capture.connections) == len(capture.lines)
    if path is WSMAN:
        assert {"Create", "Receive"} <= {each.operation for each in capture.exchanges}
        assert len(capture.connections) > 1


def test_json_lines_are_the_other_face_and_have_a_version() -> None:
    rows = [json.loads(line) for line in open_capture(STREAMS).json_lines()]
    assert rows[-1]["type"] == "summary"
    assert rows[-1]["data"]["version"] == 1
    assert len(rows) == len(open_capture(STREAMS).lines) + 1


def test_what_cannot_be_read_is_a_problem_and_the_rest_is_there(tmp_path: Path) -> None:
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(STREAMS.read_bytes()[:-10])
    capture = open_capture(torn, STREAMS)
    assert len(capture.messages) >= 80
    assert [type(each) for each in capture.problems] == [CaptureError]


def test_keys_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="hash"):
        open_capture(STREAMS, nt_hashes=["xyz"])
    with pytest.raises(CaptureError, match="No such file"):
        open_capture(STREAMS, rsa_keys=["/no/such/key"])
