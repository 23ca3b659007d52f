"""Where a session goes: the words of a user become a target, and a target a carrier.

==============================  ==========================================================
``host``, ``user@host:port``    ssh, to the subsystem ``powershell`` of that machine
``ssh://user@host:port``        the same, for a host whose name means something else here
``process:COMMAND``             a local command that speaks the protocol on its stdio:
                                ``process:docker exec -i web pwsh -s -NoLogo``
``unix:PATH``                   a unix socket
``pid:NUMBER``                  a PowerShell process on this machine (Enter-PSHostProcess)
``name:NAME``                   the same, the only one of this name: ``name:pwsh``
``pipe:NAME``                   a process that was started with ``-CustomPipeName NAME``
``local``                       the endpoint of this package, in a process of its own
==============================  ==========================================================
"""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from psremoting import errors
from psremoting.client.carrier import Carrier
from psremoting.client.stream_carrier import StreamCarrier
from psremoting.options import SessionOption
from psrp.sansio import LocalProtocolError, TransportAct
from sshsub.command_line import (
    DEFAULT_SUBSYSTEM,
    InvalidHostName,
    parse_host_name,
    ssh_arguments,
)
from sshsub.trio_process import CommandNotFound, open_process
from sshsub.trio_stream import NoSuchPipe, Wire, connect_unix, custom_pipe, host_process

__all__ = [
    "CommandTarget",
    "ProcessTarget",
    "SSHTarget",
    "SocketTarget",
    "Target",
    "carrier_for",
    "local_target",
    "parse_target",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHTarget:
    """A machine that the system's OpenSSH reaches. The names are those of New-PSSession."""

    host_name: str
    """``[user@]host[:port]``; user and port in it beat the other two."""
    user_name: str = ""
    port: int = 0
    """0 leaves it to ssh's own configuration."""
    key_file_path: str = ""
    subsystem: str = DEFAULT_SUBSYSTEM
    options: Mapping[str, object] = field(default_factory=dict)
    """For ``ssh -o``, by name."""
    connecting_timeout: float = math.inf
    """Seconds until the first packet of the server."""
    program: str = "ssh"

    @property
    def computer(self) -> str:
        try:
            return parse_host_name(self.host_name).host
        except InvalidHostName:
            return self.host_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandTarget:
    """A local command that speaks the protocol on its stdio."""

    argv: tuple[str, ...]
    computer: str = "localhost"
    env: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketTarget:
    """A unix socket that somebody speaks the protocol on."""

    path: str
    computer: str = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTarget:
    """A PowerShell process on this machine: by one of the three, as for Enter-PSHostProcess."""

    pid: int | None = None
    name: str = ""
    custom_pipe_name: str = ""
    computer: str = "localhost"


Target: TypeAlias = SSHTarget | CommandTarget | SocketTarget | ProcessTarget


def local_target(*arguments: str) -> CommandTarget:
    """The embedded endpoint: ``psrp serve --stdio`` of this very installation."""
    start = "from psremoting.cli.entry import main; main()"
    return CommandTarget(argv=(sys.executable, "-c", start, "serve", "--stdio", *arguments))


def _command(rest: str) -> CommandTarget:
    try:
        argv = tuple(shlex.split(rest))
    except ValueError as error:
        raise errors.PSRemotingError(
            f"process:{rest}: {error}", error_id="ParameterBindingFailed"
        ) from None
    if not argv:
        raise errors.PSRemotingError(
            "process: needs a command behind it", error_id="ParameterBindingFailed"
        )
    return CommandTarget(argv=argv)


def _process(rest: str) -> ProcessTarget:
    if not rest.isascii() or not rest.isdecimal():
        raise errors.PSRemotingError(
            f"pid:{rest} is no process id", error_id="ParameterBindingFailed"
        )
    return ProcessTarget(pid=int(rest))


def _named(kind: str, rest: str) -> str:
    if not rest:
        raise errors.PSRemotingError(
            f"{kind}: needs a name behind it", error_id="ParameterBindingFailed"
        )
    return rest


_PREFIXES: dict[str, Callable[[str], Target]] = {
    "process": _command,
    "unix": lambda rest: SocketTarget(path=_named("unix", rest)),
    "pid": _process,
    "name": lambda rest: ProcessTarget(name=_named("name", rest)),
    "pipe": lambda rest: ProcessTarget(custom_pipe_name=_named("pipe", rest)),
}


def parse_target(text: str, defaults: SSHTarget | None = None) -> Target:
    """What ``text`` names. ``defaults`` has what goes for every target over ssh.

    Raises PSRemotingError; InvalidComputerName for what is no host name.
    """
    if text == "local":
        return local_target()
    prefix, colon, rest = text.partition(":")
    made = _PREFIXES.get(prefix) if colon else None
    if made is not None:
        return made(rest)
    host_name = text.removeprefix("ssh://").removesuffix("/") if prefix == "ssh" else text
    try:
        parse_host_name(host_name)
    except InvalidHostName:
        raise errors.InvalidComputerName(text) from None
    return replace(defaults or SSHTarget(host_name=""), host_name=host_name)


# -- carriers


def _reply_timeouts(
    options: SessionOption, connecting_timeout: float = math.inf
) -> dict[TransportAct, float]:
    return {
        TransportAct.CREATE_POOL: connecting_timeout,
        TransportAct.CREATE_PIPELINE: options.operation_timeout,
        TransportAct.STOP_PIPELINE: options.cancel_timeout,
        TransportAct.CLOSE_PIPELINE: options.operation_timeout,
        TransportAct.CLOSE_POOL: options.close_timeout,
    }


@asynccontextmanager
async def _child(
    argv: list[str],
    on_stderr: Callable[[str], None],
    env: Mapping[str, str] | None,
    computer: str,
) -> AsyncIterator[Wire]:
    try:
        async with open_process(argv, on_stderr=on_stderr, env=env) as wire:
            yield wire
    except CommandNotFound as error:
        raise errors.ProgramNotFound(error.name, computer) from None


@asynccontextmanager
async def _socket(find: Callable[[], str]) -> AsyncIterator[Wire]:
    wire = await connect_unix(find())
    try:
        yield wire
    finally:
        await wire.aclose()


def _ssh_carrier(target: SSHTarget, options: SessionOption) -> Carrier:
    computer = target.computer
    key = target.key_file_path and os.path.abspath(os.path.expanduser(target.key_file_path))
    if key and not os.path.isfile(key):
        raise errors.KeyFileNotFound(key)
    try:
        arguments = ssh_arguments(
            target.host_name,
            user_name=target.user_name,
            key_file_path=key,
            port=target.port,
            subsystem=target.subsystem,
            options=target.options,
        )
    except InvalidHostName as error:
        raise errors.InvalidComputerName(error.name) from None
    except LocalProtocolError as error:
        raise errors.PSRemotingError(
            str(error), error_id="ParameterBindingFailed", computer=computer
        ) from None

    def connect(on_stderr: Callable[[str], None]) -> AbstractAsyncContextManager[Wire]:
        return _child([target.program, *arguments], on_stderr, None, computer)

    reply_timeouts = _reply_timeouts(options, target.connecting_timeout)
    return StreamCarrier(connect, transport="SSH", computer=computer, reply_timeouts=reply_timeouts)


def _command_carrier(target: CommandTarget, options: SessionOption) -> Carrier:
    def connect(on_stderr: Callable[[str], None]) -> AbstractAsyncContextManager[Wire]:
        return _child(list(target.argv), on_stderr, target.env, target.computer)

    return StreamCarrier(
        connect,
        transport="Process",
        computer=target.computer,
        reply_timeouts=_reply_timeouts(options),
    )


def _socket_carrier(target: SocketTarget | ProcessTarget, options: SessionOption) -> Carrier:
    def find() -> str:
        if isinstance(target, SocketTarget):
            return target.path
        try:
            if target.custom_pipe_name:
                return str(custom_pipe(target.custom_pipe_name))
            return str(host_process(pid=target.pid, name=target.name or None).path)
        except NoSuchPipe as error:
            raise errors.PSRemotingTransportError(
                str(error), error_id=error.error_id, computer=target.computer
            ) from None

    def connect(_: Callable[[str], None]) -> AbstractAsyncContextManager[Wire]:
        return _socket(find)

    return StreamCarrier(
        connect,
        transport="NamedPipe",
        computer=target.computer,
        reply_timeouts=_reply_timeouts(options),
    )


def carrier_for(target: Target | str | Carrier, options: SessionOption) -> Carrier:
    """A carrier that is not open yet; a carrier of one's own passes through.

    Raises PSRemotingError for a target that cannot be tried at all.
    """
    if isinstance(target, str):
        target = parse_target(target)
    match target:
        case SSHTarget():
            return _ssh_carrier(target, options)
        case CommandTarget():
            return _command_carrier(target, options)
        case SocketTarget() | ProcessTarget():
            return _socket_carrier(target, options)
    return target
