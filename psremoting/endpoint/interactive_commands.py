"""The commands that an interactive client needs.

It sends every line through Out-Default, asks for `prompt` before each, and leaves with
Exit-PSSession.
"""

from __future__ import annotations

from typing import Annotated, Any

import trio

from psremoting.endpoint.context import Context
from psremoting.endpoint.format_data import datetime_view
from psremoting.endpoint.signatures import Input, Param
from psremoting.endpoint.stages import Merged
from psremoting.powershell.error_view import error_lines
from psremoting.powershell.formatting import HOLD_SECONDS, Formatter
from psremoting.powershell.wildcards import matches
from psrp.clixml import Dictionary
from psrp.host import BufferCell, Coordinates, HostMethodId, Rectangle
from psrp.properties import unwrap

__all__ = [
    "clear_host",
    "exit_pssession",
    "get_format_data",
    "out_default",
    "prompt",
    "set_debug_mode",
    "set_unhandled_breakpoint_mode",
    "tab_expansion",
]

_WIDTH = 120


async def out_default(context: Context, input: Input, *, transcript: bool = False) -> None:
    """Shows objects on the client's host."""
    formatter = Formatter(_width(context), received=False)
    tell = context.stage.pipeline.tell_host

    async def write(lines: list[str]) -> None:
        for line in lines:
            await tell(HostMethodId.WriteLine2, (line,))

    while True:
        batch: list[Any] | None = None
        with trio.move_on_after(HOLD_SECONDS):
            batch = await context.stage.next_batch(plain=False)
        if batch is None:
            await write(formatter.pause())
            continue
        if not batch:
            await write(formatter.flush())
            return
        for value in batch:
            if type(value) is Merged:
                await write(formatter.flush())
                for line in error_lines(value.record):
                    await tell(HostMethodId.WriteErrorLine, (line,))
            else:
                await write(formatter.feed(value))


def _width(context: Context) -> int:
    data = context.host.default_data
    size = None if data is None else data.buffer_size or data.window_size
    return size.width if size is not None and size.width > 0 else _WIDTH


async def exit_pssession(context: Context) -> None:
    """Leaves an interactive session."""
    await context.call_host(HostMethodId.PopRunspace)


async def prompt() -> str:
    """Gets the prompt."""
    return "PS> "


async def clear_host(context: Context) -> None:
    """Clears the client's window."""
    if _is_on_unix(context):
        # PowerShell's hosts on Unix have no screen buffer, and show an error for these calls, which
        # have no answer. Their terminal interprets the sequence.
        await context.call_host(HostMethodId.Write1, "\x1b[H\x1b[2J\x1b[3J")
        return
    await context.call_host(HostMethodId.SetCursorPosition, Coordinates(0, 0))
    await context.call_host(
        HostMethodId.SetBufferContents1, Rectangle(-1, -1, -1, -1), BufferCell(" ", -1, -1)
    )


def _is_on_unix(context: Context) -> bool:
    """Return whether the client's PSVersionTable names Unix as its platform."""
    found = context.application_arguments
    for name in ("PSVersionTable", "Platform"):
        found = unwrap(found)
        if not isinstance(found, dict | Dictionary):
            return False
        found = found.get(name)
    return bool(unwrap(found) == "Unix")


async def get_format_data(
    type_name: Annotated[list[str], Param(help="Types, with wildcards.")] = ["*"],  # noqa: B006
    *,
    power_shell_version: Annotated[Any, Param(help="What the client can read.")] = None,
) -> Any:
    """Gets the views of types. There is one: a client that asks for all takes none for a fault."""
    if any(matches(each, "System.DateTime") for each in type_name):
        return datetime_view()
    return None


async def tab_expansion(
    context: Context,
    input_script: Annotated[str, Param(help="The line so far.", allow_empty=True)],
    cursor_column: Annotated[int, Param(help="UTF-16 code units before the cursor.")] = -1,
    options: Annotated[Any, Param(help="Taken for compatibility.")] = None,
) -> Any:
    """Gets the completions at the cursor; without a cursor, at the end of the line."""
    from psremoting.endpoint.tab_expansion import complete

    catalog = context.stage.pipeline.session.engine.catalog
    given = "cursor_column" in context.stage.bound.values
    return complete(catalog, input_script, cursor_column if given else None)


async def set_debug_mode(mode: Any = None) -> None:
    """Does nothing: clients call it after they opened a session, and there is no debugger."""


async def set_unhandled_breakpoint_mode(unhandled_breakpoint_mode: Any = None) -> None:
    """Does nothing: clients call it before a command, and there are no breakpoints."""
