"""SessionOption: PowerShell's defaults, and invalid values."""

from __future__ import annotations

import math

import pytest

from psremoting.options import SessionOption


def test_the_defaults_are_those_of_the_command() -> None:
    """Statement I92."""
    made = SessionOption()
    assert made.max_connection_retries == 0
    assert made.max_received_object_size is None
    assert made.max_received_data_size_per_command is None
    assert made.max_connection_redirections == 5
    assert (made.open_timeout, made.operation_timeout, made.cancel_timeout) == (180, 180, 60)
    assert made.idle_timeout is None


def test_zero_is_no_limit_and_milliseconds_are_powershells() -> None:
    assert SessionOption(open_timeout=0).open_timeout == math.inf
    assert SessionOption.from_milliseconds(open_timeout=2500).open_timeout == 2.5


BAD = [
    {"open_timeout": -1},
    {"cancel_timeout": math.nan},
    {"idle_timeout": 59},
    {"max_received_object_size": 0},
    {"output_buffer": 0},
]


@pytest.mark.parametrize("given", BAD, ids=str)
def test_what_cannot_be_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        SessionOption(**given)  # type: ignore[arg-type]
