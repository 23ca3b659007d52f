"""Commands of the endpoint process that the terminal tests enter."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import trio

from psremoting.endpoint import Context
from psrp.clixml import PSObject
from psrp.host import BufferCell, Coordinates, HostMethodId, Rectangle


async def read_name(context: Context) -> str:
    return f"hello {await context.ask('Your name')}"


async def read_secret(context: Context) -> str:
    secret = await context.ask_secret("Secret")
    return f"{len(secret.reveal())} characters"


async def read_choice(context: Context) -> str:
    chosen = await context.choose("Title", "Pick one", ["&Yes", "&No"], default=0)
    return f"chosen {chosen}"


async def read_key(context: Context) -> str:
    key = await context.read_key()
    return f"key {key.character} {key.virtual_key_code}"


async def read_credential(context: Context) -> str:
    credential = await context.prompt_credential("Log in", user_name="bob")
    return f"{credential.user_name} {len(credential.password.reveal())}"


async def wait_forever(context: Context) -> None:
    await context.write_host("waiting")
    await trio.sleep_forever()


async def write_forever(context: Context) -> None:
    while True:
        await context.write_host("flood")


async def show_progress(context: Context) -> str:
    await context.write_progress("Working", "first half", percent=50)
    await context.ask("Go on")
    return "worked"


async def show_colours(context: Context) -> None:
    await context.write_warning("careful")
    await context.call_host(HostMethodId.WriteLine3, 12, -1, "red")
    await context.call_host(HostMethodId.WriteLine2, "\x1b]52;c;aGk=\x07\x1b[32mgreen\x1b[0m")


def start_notice() -> str:
    """Writes to stderr half a second later."""
    threading.Timer(0.5, lambda: print("from beside", file=sys.stderr, flush=True)).start()
    return "started"


async def clear_screen(context: Context) -> None:
    await context.set_window_title("from remote")
    await context.call_host(HostMethodId.SetCursorPosition, Coordinates(0, 0))
    whole = Rectangle(-1, -1, -1, -1)
    await context.call_host(HostMethodId.SetBufferContents1, whole, BufferCell(" ", -1, -1))


def write_back(text: str) -> str:
    return f"<{text}>"


def write_wide() -> str:
    return "日本語 ünï 🙂"


def get_table() -> Any:
    for name in ("one", "two"):
        yield PSObject.custom(Name=name, Length=len(name))


def get_server_id() -> str:
    return f"pid {os.getpid()}."


def tab_expansion2(inputScript: str, cursorColumn: int) -> Any:
    word = inputScript[:cursorColumn]
    names = [name for name in COMMANDS if name.casefold().startswith(word.casefold())]
    matches = [
        PSObject.custom(CompletionText=name, ListItemText=name, ResultType=2, ToolTip=name)
        for name in names
    ]
    return PSObject.custom(
        CompletionMatches=matches, ReplacementIndex=0, ReplacementLength=cursorColumn
    )


COMMANDS: dict[str, Any] = {
    "Read-Name": read_name,
    "Read-Secret": read_secret,
    "Read-Choice": read_choice,
    "Read-Key": read_key,
    "Read-Credential": read_credential,
    "Wait-Forever": wait_forever,
    "Write-Forever": write_forever,
    "Start-Notice": start_notice,
    "Clear-Screen": clear_screen,
    "Write-Back": write_back,
    "Show-Progress": show_progress,
    "Show-Colour": show_colours,
    "Write-Wide": write_wide,
    "Get-Table": get_table,
    "Get-ServerId": get_server_id,
    "TabExpansion2": tab_expansion2,
}
