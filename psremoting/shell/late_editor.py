"""A line editor that is loaded while the session is opened."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

import trio

from psremoting.shell.keyboard import keys_unseen

if TYPE_CHECKING:
    from psremoting.shell.reading import Complete, Reader
    from psremoting.shell.screen import Screen
    from psrp.host_values import KeyInfo

__all__ = ["LateEditor"]

_EDITING = "psremoting.shell.editing"


class LateEditor:
    """A `psremoting.shell.editing.LineEditor` whose module a thread imports."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._complete: Complete | None = None
        self._editor: Reader | None = None
        self._loading = Thread(target=import_module, args=(_EDITING,), daemon=True)
        self._loading.start()

    async def _ready(self) -> Reader:
        if self._editor is None:
            await trio.to_thread.run_sync(self._loading.join, abandon_on_cancel=True)
            from psremoting.shell.editing import LineEditor
            from psremoting.shell.history import open_history

            self._editor = LineEditor(self._screen, open_history())
            if self._complete is not None:
                self._editor.completes_with(self._complete)
        return self._editor

    async def read_command(self, prompt: str) -> str:
        return await (await self._ready()).read_command(prompt)

    async def read_line(self, prompt: str) -> str:
        return await (await self._ready()).read_line(prompt)

    async def read_secret(self, prompt: str) -> str:
        return await (await self._ready()).read_secret(prompt)

    async def read_key(self, *, echo: bool) -> KeyInfo:
        return await (await self._ready()).read_key(echo=echo)

    def silenced(self) -> AbstractContextManager[None]:
        return keys_unseen(sys.stdin.fileno())

    def interrupt(self) -> bool:
        return self._editor is not None and self._editor.interrupt()

    def completes_with(self, complete: Complete) -> None:
        self._complete = complete
        if self._editor is not None:
            self._editor.completes_with(complete)
