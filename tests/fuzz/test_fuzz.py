"""A short run of every fuzz target, with the same inputs each time; `make fuzz` runs more."""

from __future__ import annotations

import tracemalloc
from itertools import islice

import pytest

from tests.fuzz.every import TARGETS
from tests.fuzz.mutator import mutated
from tests.fuzz.target import check
from tests.properties.steps import calls

INPUTS = 60


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_mutated_inputs_break_no_promise(name: str) -> None:
    found = TARGETS[name]
    corpus = list(found.seeds())
    assert corpus
    for data in [*corpus, *islice(mutated(corpus, 1), INPUTS)]:
        check(found, data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_work_for_an_input_has_a_limit_in_its_size(name: str) -> None:
    found = TARGETS[name]
    corpus = list(found.seeds())
    constant, per_byte = found.calls
    for data in islice(mutated(corpus, 2), 12):
        assert calls(lambda data=data: check(found, data)) <= constant + per_byte * len(data)  # type: ignore[misc]


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_the_memory_for_an_input_has_a_limit_in_its_size(name: str) -> None:
    found = TARGETS[name]
    corpus = list(found.seeds())
    constant, per_byte = found.memory
    check(found, corpus[0])  # what is loaded once is no cost of an input
    for data in islice(mutated(corpus, 4), 4):
        tracemalloc.start()
        try:
            check(found, data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= constant + per_byte * len(data)
