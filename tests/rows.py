"""Many rows in one test, and the choice between a sample and all of them.

Thousands of tests that each take microseconds cost seconds of collection and reports.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from typing import Any

import pytest
from hypothesis import settings

_PARAM = type(pytest.param())

DEEP = settings.default.max_examples >= 1_000
"""True if `make test-deep` runs."""


def rows(
    names: str | Sequence[str],
    values: Iterable[Any],
    *,
    ids: Callable[[Any], str] | Sequence[str] = repr,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that calls a test for each row, like `pytest.mark.parametrize`, but as one
    test.

    All rows run; the ones that fail are raised together, each with a note that names its row.
    Without rows the test is skipped.
    """
    found = list(values)
    keys = [names] if isinstance(names, str) else names

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        def run(**fixtures: Any) -> None:
            if not found:
                pytest.skip("no rows")
            failed: list[BaseException] = []
            for place, row in enumerate(found):
                if isinstance(row, _PARAM):
                    given = row.values
                else:
                    given = (row,) if isinstance(names, str) else row
                arguments = dict(zip(keys, given, strict=True))
                try:
                    test(**arguments, **fixtures)
                except (Exception, pytest.fail.Exception) as error:
                    name = ids(row) if callable(ids) else ids[place]
                    error.add_note(f"row {name}")
                    failed.append(error)
            if failed:
                raise BaseExceptionGroup(f"{len(failed)} of {len(found)} rows", failed)

        update_wrapper(run, test)
        signature = inspect.signature(test)
        left = [each for each in signature.parameters.values() if each.name not in keys]
        assert len(left) == len(signature.parameters) - len(keys)
        run.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return run

    return decorate


def sample(values: Sequence[Any], step: int) -> Sequence[Any]:
    """Return every ``step``-th value, the last one included; all of them if `DEEP`."""
    if DEEP or not values:
        return values
    chosen = [*values[::step]]
    return chosen if (len(values) - 1) % step == 0 else [*chosen, values[-1]]
