"""Errors of a session have PowerShell's messages and ids."""

from __future__ import annotations

import pytest

from psremoting import errors
from psrp.sansio import ClixmlError, FragmentError, LimitExceeded, MessageError


@pytest.mark.parametrize(
    ("made", "opening", "invoking"),
    [
        (errors.process_ended("a", ssh=True), "", ""),
        (errors.process_ended("a", ssh=False), "2101,", "2101,"),
        (errors.process_reported("a", "x"), "2100,", "2100,"),
        (errors.text_instead_of_packets("a", "x"), "2102,", "2102,"),
        (errors.ProgramNotFound("ssh"), "CommandNotFoundException,", "CommandNotFoundException,"),
    ],
)
def test_an_error_has_an_id_for_each_command_that_tells_it(
    made: errors.PSRemotingTransportError, opening: str, invoking: str
) -> None:
    assert made.error_id == f"{opening}PSSessionOpenFailed"
    assert made.with_id(errors.STATE_BROKEN).error_id == f"{invoking}PSSessionStateBroken"
    assert made.with_id(errors.JOB_FAILURE).error_id == "JobFailure"


@pytest.mark.parametrize(("seconds", "shown"), [(0.3, "0.3"), (1.5, "1.5"), (90.0, "90")])
def test_a_time_out_names_its_seconds(seconds: float, shown: str) -> None:
    made = errors.opening_timed_out("a", seconds, ssh=True)
    assert str(made) == f"SSH connection attempt failed after time out: {shown} seconds."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FragmentError("object-id-mismatch", "x", 3), "Unexpected ObjectId received."),
        (FragmentError("fragment-id-sequence", "x", 3), "The FragmentIDs of the same object"),
        (FragmentError("length-overflow", "x", 3), "Remoting data is too large"),
        (MessageError("X", "y", "Destination"), "Received packet not destined for"),
        (LimitExceeded("data of one command", 9, 7), "The total data received"),
        (
            LimitExceeded("message with its fragment headers", 9, 7),
            "The current deserialized object size of the data received from the remote server "
            "exceeded the allowed maximum object size. The current deserialized object size is 9.",
        ),
    ],
)
def test_a_broken_rule_is_told_in_powershells_words_and_in_ours(
    error: Exception, words: str
) -> None:
    told = errors.describe(error)
    assert told.startswith(words)
    assert told.endswith(f" ({error})")


def test_where_powershell_has_no_words_ours_stand_alone() -> None:
    assert errors.describe(ClixmlError("x", "/Obj")) == "x at /Obj"
