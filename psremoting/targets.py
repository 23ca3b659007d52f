"""Targets: parse the text of a user into a target, and make a carrier for it.

==============================  ==============================================================
``host``, ``user@host:port``    the ssh subsystem ``powershell`` of that machine (SSHTarget)
``ssh://user@host:port``        the same, for a host whose name means something else here
``process:COMMAND``             a local command that speaks the protocol on its stdio, such as
                                ``process:pwsh -s -NoLogo -NoProfile`` (ProcessTarget)
``container:ID``                PowerShell in a container of this machine (ContainerTarget)
``unix:PATH``                   a unix socket (SocketTarget)
``pid:NUMBER``                  a PowerShell process of this machine (HostProcessTarget)
``name:NAME``                   the same, the only one of this name: ``name:pwsh``
``pipe:NAME``                   a process that was started with ``-CustomPipeName NAME``
``http://host:5985/wsman``      a WS-Man service; ``https://`` too. The ports may be left out
``wsman:host:5985``             the same, by name; the port may be left out (WSManTarget)
``local``                       the endpoint of this package, in a process of its own
==============================  ==============================================================

`psremoting.PSSession.connect` takes such a text, a target, or a carrier.
"""

from __future__ import annotations

import getpass
import math
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from psremoting import errors
from psremoting.client.carrier import Carrier, PromptStyle
from psremoting.client.stream_carrier import StreamCarrier
from psremoting.options import SessionOption
from psremoting.wsman_target import WSManTarget
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
    "CONTAINER_PROGRAMS",
    "PROCESS_PROMPT",
    "ContainerTarget",
    "HostProcessTarget",
    "ProcessTarget",
    "SSHTarget",
    "SocketTarget",
    "Target",
    "WSManTarget",
    "carrier_for",
    "local_target",
    "parse_target",
    "reply_timeouts",
]

CONTAINER_PROGRAMS = ("docker", "podman", "nerdctl")
"""Programs that run commands in containers, in the order in which they are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SSHTarget:
    """A machine that is reached with the system's OpenSSH. Names are those of New-PSSession."""

    host_name: str
    """``[user@]host[:port]``; its user and port take precedence over the other fields."""
    user_name: str = ""
    port: int = 0
    """0 uses ssh's own configuration."""
    key_file_path: str = ""
    subsystem: str = DEFAULT_SUBSYSTEM
    options: Mapping[str, object] = field(default_factory=dict)
    """For ``ssh -o``, by name."""
    config_file: str = ""
    """For ``ssh -F``; empty uses ssh's own."""
    connecting_timeout: float = math.inf
    """The limit in seconds for the first packet of the server."""
    program: str = "ssh"

    @property
    def computer(self) -> str:
        try:
            return parse_host_name(self.host_name).host
        except InvalidHostName:
            return self.host_name

    @property
    def user(self) -> str:
        """The user to log in as; empty if ssh chooses."""
        try:
            return parse_host_name(self.host_name).user_name or self.user_name
        except InvalidHostName:
            return self.user_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTarget:
    """A local command that speaks the protocol on its stdio."""

    argv: tuple[str, ...]
    computer: str = "localhost"
    env: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerTarget:
    """PowerShell in a running container of this machine, as -ContainerId names it."""

    container_id: str
    run_as_administrator: bool = False
    """Run as user 0 of the container."""
    program: str = ""
    """docker, podman or nerdctl; empty for the first one that is installed."""
    configuration_name: str = ""

    @property
    def computer(self) -> str:
        return self.container_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketTarget:
    """A unix socket on which a server listens."""

    path: str
    computer: str = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostProcessTarget:
    """A PowerShell process of this machine, named in one of three ways as for
    Enter-PSHostProcess."""

    pid: int | None = None
    name: str = ""
    custom_pipe_name: str = ""
    computer: str = "localhost"


Target: TypeAlias = (
    SSHTarget | ProcessTarget | ContainerTarget | SocketTarget | HostProcessTarget | WSManTarget
)


def local_target(*arguments: str) -> ProcessTarget:
    """Return the endpoint of this package: ``psrp serve --stdio`` of this installation."""
    start = "from psremoting.cli.entry import main; main()"
    return ProcessTarget(argv=(sys.executable, "-c", start, "serve", "--stdio", *arguments))


def _invalid(text: str) -> errors.PSRemotingError:
    return errors.PSRemotingError(text, error_id="ParameterBindingFailed")


def _process(rest: str) -> ProcessTarget:
    try:
        argv = tuple(shlex.split(rest))
    except ValueError as error:
        raise _invalid(f"process:{rest}: {error}") from None
    if not argv:
        raise _invalid("process: requires a command")
    return ProcessTarget(argv=argv)


def _host_process(rest: str) -> HostProcessTarget:
    if not rest.isascii() or not rest.isdecimal():
        raise _invalid(f"pid:{rest}: invalid process ID")
    return HostProcessTarget(pid=int(rest))


def _named(kind: str, rest: str) -> str:
    if not rest:
        raise _invalid(f"{kind}: requires a name")
    return rest


def _wsman(rest: str) -> WSManTarget:
    """Return the target for HOST or HOST:PORT."""
    host, _, port = rest.rpartition(":")
    if host and ":" not in host and port.isascii() and port.isdigit():
        return WSManTarget(computer_name=host, port=int(port))
    return WSManTarget(computer_name=rest)


_PREFIXES: dict[str, Callable[[str], Target]] = {
    "process": _process,
    "container": lambda rest: ContainerTarget(container_id=_named("container", rest)),
    "unix": lambda rest: SocketTarget(path=_named("unix", rest)),
    "pid": _host_process,
    "name": lambda rest: HostProcessTarget(name=_named("name", rest)),
    "pipe": lambda rest: HostProcessTarget(custom_pipe_name=_named("pipe", rest)),
    "wsman": lambda rest: _wsman(_named("wsman", rest)),
    "http": lambda rest: WSManTarget.of_url(f"http:{rest}"),
    "https": lambda rest: WSManTarget.of_url(f"https:{rest}"),
}


def parse_target(text: str, defaults: SSHTarget | None = None) -> Target:
    """Return the target that ``text`` names. ``defaults`` has the options of targets over ssh.

    Raises PSRemotingError; InvalidComputerName for an invalid host name.
    """
    if text == "local":
        return local_target()
    prefix, colon, rest = text.partition(":")
    parse = _PREFIXES.get(prefix) if colon else None
    if parse is not None:
        return parse(rest)
    host_name = text.removeprefix("ssh://").removesuffix("/") if prefix == "ssh" else text
    try:
        parse_host_name(host_name)
    except InvalidHostName:
        raise errors.InvalidComputerName(text) from None
    return replace(defaults or SSHTarget(host_name=""), host_name=host_name)


# -- carriers


def reply_timeouts(
    options: SessionOption, connecting_timeout: float = math.inf
) -> dict[TransportAct, float]:
    """Return the seconds to wait for the answer to each act."""
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
            config_file=target.config_file,
        )
    except InvalidHostName as error:
        raise errors.InvalidComputerName(error.name) from None
    except LocalProtocolError as error:
        raise errors.PSRemotingError(
            str(error), error_id="ParameterBindingFailed", computer=computer
        ) from None

    def connect(on_stderr: Callable[[str], None]) -> AbstractAsyncContextManager[Wire]:
        return _child([target.program, *arguments], on_stderr, None, computer)

    return StreamCarrier(
        connect,
        transport="SSH",
        computer=computer,
        reply_timeouts=reply_timeouts(options, target.connecting_timeout),
        prompt_style=PromptStyle(prefix=_ssh_prefix(target)),
    )


def _ssh_prefix(target: SSHTarget) -> str:
    """Return the prompt prefix, which names the user if it is another one than the local user."""
    if target.user and target.user != getpass.getuser():
        return f"[{target.user}@{target.computer}]: "
    return f"[{target.computer}]: "


def _process_carrier(target: ProcessTarget, options: SessionOption) -> Carrier:
    def connect(on_stderr: Callable[[str], None]) -> AbstractAsyncContextManager[Wire]:
        return _child(list(target.argv), on_stderr, target.env, target.computer)

    return StreamCarrier(
        connect,
        transport="Process",
        computer=target.computer,
        reply_timeouts=reply_timeouts(options),
    )


_LOCATION = "$($executionContext.SessionState.Path.CurrentLocation)"
PROCESS_PROMPT = f'function global:prompt {{ "[Process:$($PID)]: PS {_LOCATION}> " }}'
"""Defines a prompt that names the process."""
_CONTAINER_PROMPT = f'function global:prompt {{{{ "[{{}}]: PS {_LOCATION}> " }}}}'
_NAME_LENGTH = 15
"""A longer id of a container is cut in the prompt."""


_CONTAINER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def _container_carrier(target: ContainerTarget, options: SessionOption) -> Carrier:
    if not _CONTAINER_ID.fullmatch(target.container_id):
        raise errors.InvalidContainerId(target.container_id)
    programs = (target.program,) if target.program else CONTAINER_PROGRAMS
    program = next(filter(shutil.which, programs), None)
    if program is None:
        raise errors.ProgramNotFound(" or ".join(programs), target.computer)
    argv = [program, "exec", "-i"]
    argv += ["--user", "0"] if target.run_as_administrator else []
    argv += [target.container_id, "pwsh", "-NoLogo", "-NoProfile", "-s"]
    if target.configuration_name:
        argv += ["-ConfigurationName", target.configuration_name]
    shown = target.container_id
    if len(shown) > _NAME_LENGTH:
        shown = shown[: _NAME_LENGTH - 1] + "\u2026"

    def connect(on_stderr: Callable[[str], None]) -> AbstractAsyncContextManager[Wire]:
        return _child(argv, on_stderr, None, target.computer)

    return StreamCarrier(
        connect,
        transport="Container",
        computer=target.computer,
        reply_timeouts=reply_timeouts(options),
        prompt_style=PromptStyle(definition=_CONTAINER_PROMPT.format(shown)),
    )


def _socket_carrier(target: SocketTarget | HostProcessTarget, options: SessionOption) -> Carrier:
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

    definition = PROCESS_PROMPT if isinstance(target, HostProcessTarget) else ""
    return StreamCarrier(
        connect,
        transport="NamedPipe",
        computer=target.computer,
        reply_timeouts=reply_timeouts(options),
        prompt_style=PromptStyle(definition=definition),
    )


def carrier_for(
    target: Target | str | Carrier, options: SessionOption, *, name: str = ""
) -> Carrier:
    """Return a carrier that is not open yet; a carrier is returned as it is. ``name`` is the
    name of the session at a server that keeps sessions.

    Raises PSRemotingError for a target that cannot be tried at all.
    """
    if isinstance(target, str):
        target = parse_target(target)
    match target:
        case SSHTarget():
            return _ssh_carrier(target, options)
        case ProcessTarget():
            return _process_carrier(target, options)
        case ContainerTarget():
            return _container_carrier(target, options)
        case SocketTarget() | HostProcessTarget():
            return _socket_carrier(target, options)
        case WSManTarget():
            # Imported on use: HTTP, TLS and authentication take long to load.
            from psremoting.client.wsman_carrier import WSManCarrier

            return WSManCarrier(target, options, name=name)
    return target
