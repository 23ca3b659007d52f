"""Lines from a file, a pipe, or a terminal without cursor movement."""

from __future__ import annotations

import math
import os
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, TextIO

import trio

from psremoting.shell.keyboard import INTERRUPT, key_of, no_echo, raw_key, with_echo
from psremoting.shell.reading import Complete, EndOfInput, Interrupted
from psremoting.shell.screen import Screen
from psrp.host_values import KeyInfo

__all__ = ["PlainReader", "read_one_key"]


class PlainReader:
    """Reader of ``source``. Text from a file or a pipe is echoed, a secret as stars.

    A thread waits for lines, because a read cannot be cancelled; a line that arrives after
    its reader was cancelled goes to the next one.
    """

    def __init__(self, source: TextIO, screen: Screen) -> None:
        self._source = source
        self._screen = screen
        self._terminal = source.isatty()
        self._send, self._receive = trio.open_memory_channel[str](math.inf)
        self._scope: trio.CancelScope | None = None
        self._reading = False
        self._buffered = b""
        try:
            self._descriptor: int | None = source.fileno()
        except (OSError, ValueError):
            self._descriptor = None

    async def read_command(self, prompt: str) -> str:
        return await self.read_line(prompt)

    async def read_line(self, prompt: str) -> str:
        self._screen.write(prompt)
        return self._shown(await self._next())

    async def read_secret(self, prompt: str) -> str:
        self._screen.write(prompt)
        if not self._terminal:
            text = await self._next()
            self._shown("*" * len(text))
            return text
        text = await self._next(echo=False)
        self._screen.write("\n")
        return text

    async def read_key(self, *, echo: bool) -> KeyInfo:
        if self._terminal:
            return await read_one_key(self._source.fileno(), self._screen, echo=echo)
        text = await self._next()
        if echo:
            self._shown(text[:1])
        return key_of(text[:1] or "\r")

    def completes_with(self, complete: Complete) -> None:
        """Do nothing: there is no completion in whole lines."""

    def silenced(self) -> AbstractContextManager[None]:
        return no_echo(self._source.fileno()) if self._terminal else nullcontext()

    def interrupt(self) -> bool:
        if self._scope is None:
            return False
        self._scope.cancel()
        return True

    def _shown(self, text: str) -> str:
        if self._terminal:
            self._screen.typed()
        else:
            self._screen.write_line(text)
        return text

    async def _next(self, *, echo: bool = True) -> str:
        shown = with_echo(self._source.fileno()) if echo and self._terminal else nullcontext()
        with trio.CancelScope() as self._scope, shown:
            try:
                line = await self._line()
            finally:
                self._scope = None
            if not line:
                raise EndOfInput
            return line.rstrip("\r\n")
        self._screen.write("\n")
        raise Interrupted

    async def _line(self) -> str:
        if not self._reading:
            self._reading = True
            token = trio.lowlevel.current_trio_token()

            def deliver(line: Any) -> None:
                # The program may have ended meanwhile.
                with suppress(trio.RunFinishedError):
                    token.run_sync_soon(self._come, line.unwrap())

            trio.lowlevel.start_thread_soon(self._read, deliver)
        return await self._receive.receive()

    def _read(self) -> str:
        """Read a line in a thread; a source that cannot be read has ended."""
        try:
            if self._descriptor is None:
                return self._source.readline()
            return self._read_descriptor()
        except (OSError, ValueError):
            return ""

    def _read_descriptor(self) -> str:
        """Read a line without the lock of the buffered stream: the interpreter cannot end while
        a thread that waits for input holds it."""
        assert self._descriptor is not None
        while b"\n" not in self._buffered:
            data = os.read(self._descriptor, 65536)
            if not data:
                break
            self._buffered += data
        line, end, self._buffered = self._buffered.partition(b"\n")
        return (line + end).decode(self._source.encoding or "utf-8", "replace")

    def _come(self, line: str) -> None:
        self._reading = False
        self._send.send_nowait(line)


async def read_one_key(terminal: int, screen: Screen, *, echo: bool) -> KeyInfo:
    """Read one key of the terminal with this descriptor. Raises Interrupted for Ctrl+C and
    EndOfInput."""
    # Not cancelled here and with a limiter of its own, the thread starts in any case. Otherwise the
    # wait below for its end would have no end.
    await trio.lowlevel.checkpoint_if_cancelled()
    limiter = trio.CapacityLimiter(1)
    ours, theirs = os.pipe()
    try:
        done = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def work() -> str | None:
            try:
                return raw_key(terminal, ours)
            finally:
                with suppress(trio.RunFinishedError):
                    token.run_sync_soon(done.set)

        try:
            text = await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
        except trio.Cancelled:
            os.write(theirs, b"x")
            with trio.CancelScope(shield=True):
                await done.wait()
            raise
    finally:
        os.close(ours)
        os.close(theirs)
    if text == INTERRUPT:
        raise Interrupted
    if not text:
        raise EndOfInput
    if echo:
        screen.write(text)
    return key_of(text)
