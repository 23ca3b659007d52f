"""The terminal as the host of a remote session."""

from __future__ import annotations

import locale
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import trio

from psremoting.client.hosts import Answer, HostRefusal, TableHost
from psremoting.errors import PipelineStopped, stopped_record
from psremoting.powershell.host_questions import Questions
from psremoting.shell.reading import EndOfInput, Interrupted, Reader
from psremoting.shell.screen import Screen
from psrp.clixml import Credential, SecureString, Version
from psrp.enums import ConsoleColor
from psrp.host import HostDefaultData, HostInfo, HostMethodId
from psrp.host_values import BufferCell, Coordinates, KeyInfo, Rectangle, Size
from psrp.records import ProgressRecord

__all__ = ["TerminalHost"]

_M = HostMethodId
_NO_ECHO = 2
_WHOLE = (-1, 0x7FFFFFFF)


class TerminalHost(TableHost):
    """A host that writes to ``screen`` and reads from ``reader``.

    ``on_pop`` is called for Exit-PSSession, and ``on_exit`` for ``exit``, with its code.
    """

    def __init__(self, screen: Screen, reader: Reader, *, instance_id: UUID) -> None:
        self.screen = screen
        self.reader = reader
        self.on_pop: Callable[[], None] = lambda: None
        self.on_exit: Callable[[int], None] = lambda _: None
        self._questions = Questions(screen, reader)
        self._one_at_a_time = trio.Lock()
        self._colours = [-1, -1]
        self._title = ""
        self._instance_id = instance_id
        asked: dict[int, Answer] = {
            _M.ReadLine: self._read_line,
            _M.ReadLineAsSecureString: self._read_secret,
            _M.Prompt: self._questions.prompt,
            _M.PromptForCredential1: self._credential,
            _M.PromptForCredential2: self._credential,
            _M.PromptForChoice: self._questions.choice,
            _M.PromptForChoiceMultipleSelection: self._questions.choices,
            _M.ReadKey: self._read_key,
        }
        table = {method: _at_once(do) for method, do in self._immediate().items()}
        table |= {method: self._question(ask) for method, ask in asked.items()}
        super().__init__(table)

    def _immediate(self) -> dict[int, Callable[..., Any]]:
        """Return the methods that do not wait for the user."""
        screen = self.screen
        return {
            _M.GetName: lambda: "psrp",
            _M.GetVersion: lambda: Version("0.1"),
            _M.GetInstanceId: lambda: self._instance_id,
            _M.GetCurrentCulture: _culture,
            _M.GetCurrentUICulture: _culture,
            _M.Write1: self._write,
            _M.Write2: lambda f, b, text: screen.write(text or "", f, b),
            _M.WriteLine1: lambda: screen.write_line(),
            _M.WriteLine2: lambda text: self._write((text or "") + "\n"),
            _M.WriteLine3: lambda f, b, text: screen.write_line(text or "", f, b),
            _M.WriteErrorLine: lambda text: screen.error(text) if text else None,
            _M.WriteDebugLine: lambda text: screen.write_line(f"DEBUG: {text}", _YELLOW),
            _M.WriteVerboseLine: lambda text: screen.write_line(f"VERBOSE: {text}", _YELLOW),
            _M.WriteWarningLine: lambda text: screen.warning(text or ""),
            _M.WriteProgress: self._progress,
            _M.GetForegroundColor: lambda: self._colours[0],
            _M.SetForegroundColor: lambda colour: self._set_colour(0, colour),
            _M.GetBackgroundColor: lambda: self._colours[1],
            _M.SetBackgroundColor: lambda colour: self._set_colour(1, colour),
            _M.GetCursorPosition: Coordinates,
            _M.SetCursorPosition: lambda place: screen.move_to(place.x, place.y),
            _M.GetWindowPosition: Coordinates,
            _M.GetCursorSize: lambda: 25,
            **dict.fromkeys(_SIZES, lambda: screen.size),
            _M.GetWindowTitle: lambda: self._title,
            _M.SetWindowTitle: self._set_title,
            _M.GetKeyAvailable: lambda: False,
            _M.SetBufferContents1: self._fill,
            _M.SetBufferContents2: self._put_cells,
            _M.PopRunspace: lambda: self.on_pop(),
            _M.SetShouldExit: lambda code: self.on_exit(code),
            _M.GetIsRunspacePushed: lambda: True,
            **dict.fromkeys(_NOTHING_TO_DO, lambda *_: None),
        }

    @property
    def info(self) -> HostInfo:
        """The current window size. A server uses this and never requests the size."""
        size = self.screen.size
        highest = Size(size.width, size.height)
        return HostInfo.full(
            HostDefaultData(
                buffer_size=size,
                window_size=size,
                max_window_size=highest,
                max_physical_window_size=highest,
                window_title=self._title,
            )
        )

    # -- questions

    def _question(self, ask: Answer) -> Answer:
        async def answered(*arguments: Any) -> Any:
            async with self._one_at_a_time:
                try:
                    return await ask(*arguments)
                except Interrupted:
                    # As the real client: the script gets an error and goes on.
                    raise PipelineStopped(stopped_record()) from None
                except EndOfInput:
                    raise HostRefusal("There is no more input.") from None

        return answered

    async def _read_line(self) -> str:
        return await self.reader.read_line("")

    async def _read_secret(self) -> SecureString:
        return await self._questions.secret()

    async def _credential(
        self, caption: str, message: str, user_name: str, target_name: str = "", *_: Any
    ) -> Any:
        found = await self._questions.credential(caption, message, user_name)
        if target_name and not set(found.user_name) & {"\\", "@"}:
            return Credential(f"{target_name}\\{found.user_name}", found.password)
        return found

    async def _read_key(self, options: int) -> KeyInfo:
        return await self.reader.read_key(echo=not options & _NO_ECHO)

    # -- the rest

    def _write(self, text: str | None) -> None:
        self.screen.write(text or "", *self._colours)

    def _progress(self, source: int, record: Any) -> None:
        if isinstance(record, ProgressRecord):
            self.screen.progress(source, record)

    def _set_colour(self, which: int, colour: int) -> None:
        self._colours[which] = colour

    def _set_title(self, title: str | None) -> None:
        self._title = title or ""
        self.screen.set_title(self._title)

    def _fill(self, area: Rectangle, cell: BufferCell) -> None:
        """Fill ``area`` with one cell; filling everything with blanks clears the screen."""
        size = self.screen.size
        everything = (
            area.left <= 0
            and area.top <= 0
            and (area.right in _WHOLE or area.right >= size.width - 1)
            and (area.bottom in _WHOLE or area.bottom >= size.height - 1)
        )
        if everything and cell.character in " \0":
            self.screen.clear()
            return
        right, bottom = min(area.right, size.width - 1), min(area.bottom, size.height - 1)
        row = cell.character * max(right - max(area.left, 0) + 1, 0)
        for line in range(max(area.top, 0), bottom + 1):
            self.screen.move_to(max(area.left, 0), line)
            self.screen.write(row, cell.foreground_color, cell.background_color)

    def _put_cells(self, origin: Coordinates, cells: Any) -> None:
        size = self.screen.size
        for line, row in enumerate(cells, origin.y):
            if not 0 <= line < size.height:
                continue
            self.screen.move_to(origin.x, line)
            for cell in row[: max(size.width - origin.x, 0)]:
                if cell.type != 2:  # 2: the trailing half of a wide character
                    self.screen.write(cell.character, cell.foreground_color, cell.background_color)


_YELLOW = ConsoleColor.Yellow
_SIZES = (
    _M.GetBufferSize,
    _M.GetWindowSize,
    _M.GetMaxWindowSize,
    _M.GetMaxPhysicalWindowSize,
)
_NOTHING_TO_DO = (
    _M.NotifyBeginApplication,
    _M.NotifyEndApplication,
    _M.SetWindowPosition,
    _M.SetCursorSize,
    _M.SetBufferSize,
    _M.SetWindowSize,
    _M.FlushInputBuffer,
    _M.ScrollBufferContents,
)
"""Methods without an effect on a terminal."""


def _at_once(do: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def answer(*arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return do(*arguments)

    return answer


def _culture() -> str:
    name = (locale.getlocale()[0] or "en_US").replace("_", "-")
    return "" if name in ("C", "POSIX") else name
