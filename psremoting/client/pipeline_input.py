"""Conversion of a caller's commands, input and key for the protocol."""

from __future__ import annotations

import platform
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import trio

from psremoting.powershell.plain_scripts import is_number, is_verb_and_noun
from psrp import events as e
from psrp.commands import USING, Command, Parameter, PowerShell, using_values

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = [
    "Input",
    "as_powershell",
    "feed",
    "needs_parser",
    "new_private_key",
    "preload",
    "system_name",
]

Input: TypeAlias = Iterable[Any] | AsyncIterable[Any]

_BATCH = 64
"""Number of input objects after which other tasks are scheduled."""


def as_powershell(
    what: str | Command | PowerShell,
    arguments: Sequence[Any] = (),
    parameters: Mapping[str, Any] | None = None,
    using: Mapping[str, Any] | None = None,
    *,
    as_script: bool = False,
) -> tuple[PowerShell, str]:
    """Return the pipeline of ``what``, and the reason why a text travels as a script, or "".

    A text travels as commands if it consists of commands with constant arguments, as PowerShell's
    client sends it (endpoints without language take nothing else), and as a script otherwise and
    with ``as_script``. ``arguments``, ``parameters`` and ``using`` are added to the last command.
    """
    reason = ""
    if isinstance(what, str):
        if as_script:
            reason = "a script was asked for"
        elif parameters:
            reason = "named arguments, which only a script or a command takes"
        else:
            found = _as_commands(what, arguments, using)
            if isinstance(found, PowerShell):
                return found, ""
            reason = found
        using = _used(what, using or {})
        what = Command(what, is_script=True)
    shell = PowerShell.of(what) if isinstance(what, Command) else what
    more = [Parameter(None, value) for value in arguments]
    more += [Parameter(name, value) for name, value in (parameters or {}).items()]
    if using:
        more.append(Parameter(USING, using_values(using)))
    if not more:
        return shell, reason
    *others, statement = shell.statements
    *commands, last = statement
    last = replace(last, parameters=(*last.parameters, *more))
    return replace(shell, statements=(*others, (*commands, last))), reason


EXPRESSION = "an expression at the head of a pipeline"


def needs_parser(
    what: str | Command | PowerShell,
    arguments: Sequence[Any] = (),
    parameters: Mapping[str, Any] | None = None,
    *,
    as_script: bool = False,
) -> bool:
    """Return whether `as_powershell` has to parse ``what``."""
    if not isinstance(what, str) or as_script or parameters:
        return False
    return not (is_number(what) or (is_verb_and_noun(what) and not arguments))


def _used(text: str, using: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that ``text`` names, as PowerShell's client sends them."""
    folded = text.casefold()
    return {
        name: value
        for name, value in using.items()
        if f"using:{name.removeprefix('$using:')}".casefold() in folded
    }


def _as_commands(
    text: str, arguments: Sequence[Any], using: Mapping[str, Any] | None
) -> PowerShell | str:
    """Return the commands of ``text``, or the reason why it has to be sent as a script."""
    if is_verb_and_noun(text) and not arguments:
        return PowerShell(statements=((Command(text),),))
    if is_number(text):
        return EXPRESSION
    # Imported on use: programs that build their commands do not need it.
    from psremoting.powershell.evaluation_errors import Unsupported
    from psremoting.powershell.script_commands import script_commands

    try:
        statements = script_commands(text, arguments=arguments, using=using)
    except Unsupported as error:
        return error.reason
    return PowerShell(statements=statements)


async def preload() -> None:
    """Import what the first text of a command needs, while the client waits for the server."""
    name = "psremoting.powershell.script_commands"
    if name not in sys.modules:
        await trio.to_thread.run_sync(import_module, name, abandon_on_cancel=True)


async def feed(
    source: Input,
    pipeline_id: UUID,
    send: Callable[[e.Event], bool],
    room: Callable[[], Awaitable[None]],
) -> None:
    """Send the objects of ``source`` and the end of the input. ``send`` returns False once the
    pipeline does not read any more.

    Raises what the source raises, and LocalProtocolError for an object that cannot be sent.
    """
    count = 0
    async with aclosing(_each(source)) as items:
        async for item in items:
            if not send(e.PipelineInput(pipeline_id=pipeline_id, data=item)):
                return
            count += 1
            # Objects that arrive slowly are sent at once, others together.
            if count % _BATCH == 0 or not isinstance(source, Iterable):
                await room()
    send(e.EndOfPipelineInput(pipeline_id=pipeline_id))
    await room()


async def _each(source: Input) -> AsyncGenerator[Any, None]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item


def new_private_key() -> RSAPrivateKey:
    """Make the client's key pair; called only when a secret has to be sent."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def system_name() -> str:
    """Return the ``$PSVersionTable.OS`` of this machine: the distribution, or the kernel."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.system()} {platform.release()}"
    for line in lines:
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip("\"'")
    return f"{platform.system()} {platform.release()}"
