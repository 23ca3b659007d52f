"""A value survives writing and reading; writing is deterministic and changes nothing."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given

from psrp.clixml import dumps, equal, identical, loads
from psrp.clixml.strategies import values


@given(values())
def test_what_is_written_is_read(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert equal(loads(dumps(value)), value)


@given(values(allow_nan=True))
def test_what_was_read_is_written_as_it_stood(value: Any) -> None:
    written = dumps(value)
    assert dumps(loads(written)) == written


@given(values(allow_nan=True))
def test_reading_twice_gives_the_same_and_not_the_same_object(value: Any) -> None:
    written = dumps(value)
    one, two = loads(written), loads(written)
    assert identical(one, two)


@given(values(allow_nan=True))
def test_writing_is_a_function_and_leaves_its_argument_alone(value: Any) -> None:
    before = copy.deepcopy(value)
    first = dumps(value)
    assert dumps(value) == first
    assert identical(value, before)


@given(values(max_leaves=6))
def test_text_and_bytes_are_read_alike(value: Any) -> None:
    written = dumps(value)
    assert identical(loads(written.decode()), loads(written))
    assert identical(loads(bytearray(written)), loads(memoryview(written)))
    assert identical(loads(b"\xef\xbb\xbf" + written), loads(written))
