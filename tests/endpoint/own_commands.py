"""Commands for tests that start `psrp serve --functions` as a separate process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import trio

from psremoting.endpoint import Context, SyncContext
from psrp.clixml import SecureString


def noisy() -> str:
    """Prints to the standard output of the protocol, and reads its standard input."""
    print("not a packet", flush=True)
    os.write(1, b"nor this\n")
    os.system("echo from a child")
    return repr(sys.stdin.read())


async def streams(context: Context) -> str:
    await context.write_warning("warning")
    await context.write_error("error")
    return "output"


def fork() -> int:
    """Forks, and waits for the child process."""
    child = os.fork()
    return os.waitpid(child, 0)[1] if child else -1


def numbers(n: int) -> Iterator[int]:
    yield from range(n)


async def ask(context: Context) -> SecureString:
    name = await context.read_line()
    secret = await context.read_secure()
    return SecureString(f"{name}:{secret.reveal()}")


def check(secret: SecureString) -> int:
    return len(secret.reveal())


def forever(context: SyncContext) -> None:
    while True:
        context.write("x")


async def sleep() -> None:
    await trio.sleep_forever()


COMMANDS: dict[str, Any] = {
    "Show-Noise": noisy,
    "Show-Stream": streams,
    "Get-Count": numbers,
    "Invoke-Fork": fork,
    "Read-Answer": ask,
    "Test-Secret": check,
    "Get-Forever": forever,
    "Wait-Forever": sleep,
}


def commands() -> dict[str, Any]:
    """Return the mapping."""
    return COMMANDS
