"""A fuzz target: a function of bytes, the errors that it may raise, and inputs to begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from psrp.sansio import LimitExceeded, LocalProtocolError, RemoteProtocolError

__all__ = ["TARGETS", "Finding", "Target", "check", "target"]

Work = Callable[[bytes], object]
REMOTE: tuple[type[BaseException], ...] = (RemoteProtocolError, LimitExceeded)
LOCAL: tuple[type[BaseException], ...] = (*REMOTE, LocalProtocolError)


class Finding(AssertionError):
    """An input that breaks a promise: an error of a foreign type, or a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader under test."""

    name: str
    run: Work
    """Read the bytes; raise Finding for a broken promise."""
    seeds: Callable[[], Iterable[bytes]]
    """Valid inputs."""
    allowed: tuple[type[BaseException], ...]
    """The errors that the reader documents."""
    calls: tuple[int, int] = (40_000, 400)
    """A limit on function calls: a constant, and calls per byte of input."""
    memory: tuple[int, int] = (8_000_000, 2_000)
    """A limit on memory in bytes: a constant, and bytes per byte of input."""


TARGETS: dict[str, Target] = {}


def target(
    name: str,
    seeds: Callable[[], Iterable[bytes]],
    allowed: tuple[type[BaseException], ...] = REMOTE,
    calls: tuple[int, int] = (40_000, 400),
) -> Callable[[Work], Work]:
    """Register a function of bytes as a target."""

    def register(run: Work) -> Work:
        TARGETS[name] = Target(name=name, run=run, seeds=seeds, allowed=allowed, calls=calls)
        return run

    return register


def check(found: Target, data: bytes) -> None:
    """Run a target on one input. Raises Finding."""
    try:
        found.run(data)
    except found.allowed:
        pass
    except Finding:
        raise
    except Exception as error:
        raise Finding(f"{found.name}: {type(error).__name__}: {error}") from error
