"""From what a caller gives to what the protocol carries: commands, input, a key."""

from __future__ import annotations

import platform
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
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from psrp import events as e
from psrp.commands import USING, Command, Parameter, PowerShell, using_values

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["Input", "as_powershell", "feed", "new_private_key", "system_name"]

Input: TypeAlias = Iterable[Any] | AsyncIterable[Any]

_BATCH = 64
"""How many input objects are written before others get their turn."""


def as_powershell(
    what: str | Command | PowerShell,
    arguments: Sequence[Any] = (),
    parameters: Mapping[str, Any] | None = None,
    using: Mapping[str, Any] | None = None,
) -> PowerShell:
    """A pipeline of ``what``; a text is one script. The rest is added to its last command."""
    if isinstance(what, str):
        what = Command(what, is_script=True)
    shell = PowerShell.of(what) if isinstance(what, Command) else what
    more = [Parameter(None, value) for value in arguments]
    more += [Parameter(name, value) for name, value in (parameters or {}).items()]
    if using:
        more.append(Parameter(USING, using_values(using)))
    if not more:
        return shell
    *others, statement = shell.statements
    *commands, last = statement
    last = replace(last, parameters=(*last.parameters, *more))
    return replace(shell, statements=(*others, (*commands, last)))


async def feed(
    source: Input,
    pipeline_id: UUID,
    send: Callable[[e.Event], bool],
    room: Callable[[], Awaitable[None]],
) -> None:
    """Pipe ``source`` in and end the input. ``send`` is false once nobody reads any more.

    Raises what the source raises, and LocalProtocolError for an object that cannot be sent.
    """
    count = 0
    async with aclosing(_each(source)) as items:
        async for item in items:
            if not send(e.PipelineInput(pipeline_id=pipeline_id, data=item)):
                return
            count += 1
            # What comes slowly goes out at once; what comes at once goes out together.
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
    """The client's half of the session key; made only when a secret has to be moved."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def system_name() -> str:
    """What ``$PSVersionTable.OS`` says: the distribution on Linux, else the kernel."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.system()} {platform.release()}"
    for line in lines:
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip("\"'")
    return f"{platform.system()} {platform.release()}"
