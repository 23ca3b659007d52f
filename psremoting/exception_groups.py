"""Exception groups that hold one exception, and the exception that they hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

__all__ = ["leaves", "lone_exception", "unwrapped"]


def lone_exception(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the only exception in a group except cancellations, or the group if there are several.

    A nursery wraps the exceptions of its block and tasks; if its tasks never raise, the group adds
    no information.
    """
    found = [error for error in leaves(group) if not isinstance(error, trio.Cancelled)]
    return found[0] if len(found) == 1 else group


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions of a group and of the groups inside it; a plain exception itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise the lone exception of a group instead of the group, with the context it had."""
    try:
        yield
    except BaseExceptionGroup as group:
        error = lone_exception(group)
        if error is group:
            raise
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context
            del error, context
