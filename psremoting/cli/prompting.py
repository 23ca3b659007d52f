"""The hosts of `psrp invoke`: one only shows text, the other also asks questions."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from psremoting.client.hosts import Answer, HostRefusal, TableHost
from psremoting.shell.terminal_host import TerminalHost
from psrp.enums import ConsoleColor
from psrp.host import HostDefaultData, HostInfo, HostMethodId, Size

if TYPE_CHECKING:
    from psremoting.cli.display import Display
    from psremoting.shell.entering import Console

__all__ = ["asking_host", "showing_host"]

_M = HostMethodId
_NOT_INTERACTIVE = (
    "PowerShell is in NonInteractive mode. Read and Prompt functionality is not available. "
    "(psrp invoke --interactive asks at this terminal.)"
)
_QUESTIONS = (
    _M.ReadLine,
    _M.ReadLineAsSecureString,
    _M.Prompt,
    _M.PromptForCredential1,
    _M.PromptForCredential2,
    _M.PromptForChoice,
    _M.PromptForChoiceMultipleSelection,
    _M.ReadKey,
)
_DEFAULT_COLOURS = (int(ConsoleColor.Gray), int(ConsoleColor.Black))
"""Some servers refuse -1. Text in these colours is written in the terminal's default colours."""
_SIZES = (_M.GetBufferSize, _M.GetWindowSize, _M.GetMaxWindowSize, _M.GetMaxPhysicalWindowSize)
_SHOWN_AS_RECORDS = (
    _M.WriteWarningLine,
    _M.WriteVerboseLine,
    _M.WriteDebugLine,
    _M.WriteProgress,
)
"""Ignored because the same text is also sent as a record, which is shown."""
_IGNORED = (
    *_SHOWN_AS_RECORDS,
    _M.SetShouldExit,
    _M.NotifyBeginApplication,
    _M.NotifyEndApplication,
    _M.SetWindowTitle,
    _M.SetCursorPosition,
    _M.SetBufferContents1,
    _M.SetBufferContents2,
    _M.SetForegroundColor,
    _M.SetBackgroundColor,
)


def showing_host(display: Display) -> TableHost:
    """Return a host that shows text on ``display`` and refuses questions."""
    size = Size(*shutil.get_terminal_size((120, 30)))
    data = HostDefaultData(
        foreground_color=_DEFAULT_COLOURS[0],
        background_color=_DEFAULT_COLOURS[1],
        buffer_size=size,
        window_size=size,
        max_window_size=size,
        max_physical_window_size=size,
    )

    def show(text: str | None, *colours: int) -> None:
        display.host_text(text or "", *(() if colours == _DEFAULT_COLOURS else colours))

    rows: dict[int, Callable[..., Any]] = {
        _M.Write1: show,
        _M.Write2: lambda front, back, text: show(text, front, back),
        _M.WriteLine1: lambda: show("\n"),
        _M.WriteLine2: lambda text: show(f"{text or ''}\n"),
        _M.WriteLine3: lambda front, back, text: show(f"{text or ''}\n", front, back),
        _M.WriteErrorLine: lambda text: display.host_error(text) if text else None,
        **dict.fromkeys(_SIZES, lambda: size),
        **dict.fromkeys(_QUESTIONS, _refuse),
        **dict.fromkeys(_IGNORED, lambda *_: None),
    }
    table: dict[int, Answer] = {method: _at_once(do) for method, do in rows.items()}
    return TableHost(table, info=HostInfo.full(data))


def asking_host(console: Console) -> TerminalHost:
    """Return a host that asks on ``console``; the display has to write to its screen."""
    host = TerminalHost(console.screen, console.reader, instance_id=uuid4())
    host.ignore(_SHOWN_AS_RECORDS)
    return host


def _refuse(*_: Any) -> None:
    raise HostRefusal(_NOT_INTERACTIVE)


def _at_once(do: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def answer(*arguments: Any) -> Any:
        return do(*arguments)

    return answer
