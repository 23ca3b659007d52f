"""Demonstration commands without side effects."""

from __future__ import annotations

import platform
import random
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from psremoting.endpoint.context import Context
from psremoting.endpoint.signatures import FROM_PIPELINE, Param
from psremoting.endpoint.sync_context import SyncContext
from psrp.clixml import PSObject, SecureString, Version
from psrp.host import ConsoleColor, Credential

__all__ = ["DEMO"]

_STARTED = time.monotonic()


def get_date(
    date: Annotated[datetime | None, Param(help="Another time than now.")] = None,
    *,
    utc: Annotated[bool, Param(help="In UTC.", name="AsUTC")] = False,
) -> datetime:
    """Gets the date and time of the server."""
    return (date or datetime.now()).astimezone(UTC if utc else None)


def get_uptime() -> timedelta:
    """Gets how long this endpoint has been running."""
    return timedelta(seconds=time.monotonic() - _STARTED)


def get_endpoint() -> PSObject:
    """Gets what this endpoint is and where it runs."""
    return PSObject.custom(
        ComputerName=platform.node(),
        System=platform.system(),
        Language="Python",
        LanguageVersion=Version(".".join(platform.python_version_tuple()[:2])),
    )


def write_output(
    input_object: Annotated[Any, FROM_PIPELINE],
    *more: Any,
) -> Iterator[Any]:
    """Writes objects to the pipeline."""
    yield from input_object if isinstance(input_object, list) else [input_object]
    yield from more


def get_random(
    input_object: Annotated[Any, Param(help="The first number that is too large.")] = 2**31 - 1,
    *,
    minimum: Annotated[int, Param(help="The smallest number.")] = 0,
    count: Annotated[int, Param(help="How many numbers.")] = 1,
    set_seed: Annotated[int | None, Param(help="For the same numbers every time.")] = None,
) -> Iterator[int]:
    """Gets random numbers. They are no secret: never make passwords of them."""
    source = random.Random(set_seed)
    for _ in range(count):
        yield source.randrange(minimum, int(input_object))


async def get_number(
    last: Annotated[int, Param(help="The last number.")],
    *,
    first: Annotated[int, Param(help="The first number.")] = 1,
) -> AsyncIterator[int]:
    """Gets numbers in a row, as many as the client takes."""
    for number in range(first, last + 1):
        yield number


def convert_to_upper(text: Annotated[str, FROM_PIPELINE]) -> str:
    """Converts each text of the pipeline to capital letters."""
    return text.upper()


async def show_streams(context: Context) -> AsyncIterator[str]:
    """Writes to every stream that there is: add -Verbose and -Debug to see all of them."""
    yield "output"
    await context.write_verbose("verbose")
    await context.write_debug("debug")
    await context.write_warning("warning")
    await context.write_information("information", "demo")
    await context.write_host("host", foreground=ConsoleColor.Green)
    await context.write_error("error", error_id="DemoError", target="nothing")
    await context.write_progress("progress", "half way", percent=50)
    await context.write_progress("progress", completed=True)


async def start_countdown(
    context: Context,
    seconds: Annotated[int, Param(help="How long.")] = 5,
) -> AsyncIterator[int]:
    """Counts down with a progress bar; stop it with Ctrl+C."""
    from trio import sleep

    for left in range(seconds, 0, -1):
        done = 100 * (seconds - left) // seconds
        await context.write_progress(
            "Counting down", f"{left} left", percent=done, seconds_remaining=left
        )
        yield left
        await sleep(1)
    await context.write_progress("Counting down", completed=True)


async def show_greeting(
    context: Context,
    name: Annotated[str, Param(help="Whom to greet; without it you are asked.")] = "",
) -> str:
    """Greets somebody."""
    return f"Hello, {name or await context.ask('Your name')}!"


def select_option(
    context: SyncContext,
    option: Annotated[list[str], Param(help="What there is to choose from.")] = ["Tea", "Coffee"],  # noqa: B006
) -> str:
    """Asks for one of several choices."""
    labels = [f"&{each}" for each in option]
    return option[context.choose("A choice", "Which one is it to be?", labels)]


async def read_secret(context: Context) -> SecureString:
    """Asks for a secret and gives it back as a SecureString."""
    return await context.ask_secret("Secret")


def measure_secret(secret: Annotated[SecureString, Param(secret=True, from_pipeline=True)]) -> int:
    """Measures how long a SecureString is."""
    return len(secret.reveal())


async def get_credential(
    context: Context,
    user_name: Annotated[str, Param(help="The name to begin with.")] = "",
    *,
    message: Annotated[str, Param(help="What the user reads.")] = "Enter your credentials.",
) -> Credential:
    """Asks for a user name and a password."""
    return await context.prompt_credential(message, user_name=user_name)


DEMO: dict[str, Any] = {
    "ConvertTo-Upper": convert_to_upper,
    "Get-Credential": get_credential,
    "Get-Date": get_date,
    "Get-Endpoint": get_endpoint,
    "Get-Number": get_number,
    "Get-Random": get_random,
    "Get-Uptime": get_uptime,
    "Measure-Secret": measure_secret,
    "Read-Secret": read_secret,
    "Select-Option": select_option,
    "Show-Greeting": show_greeting,
    "Show-Streams": show_streams,
    "Start-Countdown": start_countdown,
    "Write-Output": write_output,
}
"""For `FunctionsEngine`."""
