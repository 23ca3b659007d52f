"""A session that stays open between calls, in a task of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from psremoting.session import PSSession

__all__ = ["HeldSession"]


class HeldSession:
    """The block of `PSSession.connect`, entered by `open` and left by `close`.

    ``connect`` returns that block.
    """

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[PSSession]]) -> None:
        self._connect = connect
        self._wanted = trio.Event()
        self._opened = trio.Event()
        self._over = trio.Event()
        self._scope = trio.CancelScope()
        self._session: PSSession | None = None
        self._error: Exception | None = None

    async def open(self, start: Callable[[Callable[[], Any]], object]) -> PSSession:
        """Open the session in a task that ``start`` starts. Raises what connecting raises."""
        start(self._hold)
        try:
            await self._opened.wait()
        except BaseException:
            self._scope.cancel()
            raise
        if self._session is None:
            assert self._error is not None
            raise self._error
        return self._session

    async def _hold(self) -> None:
        """Raise only BaseException: it may be a system task."""
        try:
            with self._scope:
                async with self._connect() as session:
                    self._session = session
                    self._opened.set()
                    await self._wanted.wait()
        except Exception as error:
            self._error = error
        finally:
            self._opened.set()
            self._over.set()

    async def close(self, *, at_once: bool = False) -> None:
        """Close the session and wait for that; ``at_once`` does not wait for the peer."""
        self._wanted.set()
        if at_once:
            self._scope.cancel()
        await self._over.wait()
