"""`psrp serve`: an endpoint on this program's stdio, or on a unix socket."""

from __future__ import annotations

import gc
import os
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from psremoting.cli.completion import complete_file

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Engine
    from sshsub.trio_stream import Wire

__all__ = ["serve"]

_EPILOG = """\b
Examples:
  psrp serve --stdio
  psrp serve --stdio --functions mytools.remote:commands
  psrp serve --stdio --process "pwsh -s -NoLogo"
  psrp serve --unix /run/user/1000/tools.sock --functions mytools.remote:commands

\b
As a subsystem of OpenSSH, in sshd_config (the path is absolute; then reload sshd):
  Subsystem powershell /usr/local/bin/psrp serve --stdio

\b
A module for --functions:
  import os
  def get_load(minutes: int = 1) -> float:
      "Gets the load average."
      return os.getloadavg()[{1: 0, 5: 1, 15: 2}[minutes]]
  commands = {"Get-Load": get_load}

\b
Exit codes:
  0    --unix: stopped by a signal
  1    the functions cannot be loaded, or the socket cannot be made
  2    the command line is wrong
  160  --stdio: the client has gone, as PowerShell's own server says it
"""


@click.command(epilog=_EPILOG)
@click.option("--stdio", is_flag=True, help="Serve one client on stdin and stdout.")
@click.option(
    "--unix",
    metavar="PATH",
    shell_complete=complete_file,
    help="Serve the clients of a unix socket, one after the other, until stopped.",
)
@click.option(
    "--functions",
    "functions",
    metavar="MODULE:NAME",
    help="Offer these Python functions: a mapping of command name to callable, or a callable "
    "that gives one. Without it a few commands to try.",
)
@click.option(
    "--process", metavar="COMMAND", help="Hand clients on to another server, started for each."
)
def serve(stdio: bool, unix: str | None, functions: str | None, process: str | None) -> None:
    """Serve a PowerShell remoting endpoint.

    A client gets a runspace without language: the commands that are offered, Get-Command,
    Get-Help, Select-Object, Measure-Object, and what an interactive session needs. Nothing that
    a command prints or reads can reach the protocol. Parameters come from the signature of each
    function, help from its docstring.

    --stdio serves the one client that started it; --unix whoever connects, until SIGINT or
    SIGTERM. With --process everything is handed on as it comes.
    """
    if stdio is (unix is not None):
        raise click.UsageError("Say where to serve: --stdio or --unix PATH.")
    if functions is not None and process is not None:
        raise click.UsageError("--functions and --process exclude each other.")
    # Everything that is made while we start lives as long as the process.
    gc.disable()
    try:
        engine = _engine(functions, process)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(_run(engine, unix))


def _engine(functions: str | None, process: str | None) -> Engine:
    if process is not None:
        from psremoting.endpoint.process import ProcessEngine

        return ProcessEngine(shlex.split(process))
    from psremoting.endpoint.functions import FunctionsEngine

    if functions is None:
        from psremoting.endpoint.demo import DEMO

        return FunctionsEngine(DEMO)
    return FunctionsEngine(_load(functions))


def _load(where: str) -> Mapping[str, Callable[..., Any]]:
    """The functions that ``module:name`` leads to. Raises what click shows."""
    module, _, name = where.partition(":")
    if not module or not name:
        raise ValueError(f"{where!r} is not of the form module:name")
    # Behind what is installed: under sshd this is a folder that the client may write to.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not isinstance(found, Mapping) and callable(found):
        found = found()
    if not isinstance(found, Mapping):
        raise TypeError(f"{where} is no mapping of command names to functions")
    return found


def _run(engine: Engine, unix: str | None) -> int:
    import trio

    from psremoting.endpoint.driver import serve_wire
    from sshsub.trio_server import serve_stdio

    gc.freeze()
    gc.enable()
    one = partial(serve_wire, engine=engine)
    if unix is None:
        return trio.run(serve_stdio, one)
    if (failed := trio.run(_serve_socket, unix, one)) is not None:
        raise click.ClickException(failed)
    return 0


async def _serve_socket(path: str, one: Callable[[Wire], Awaitable[int]]) -> str | None:
    """Serve until a signal ends it; why it could not, or None."""
    import trio

    from psrp.sansio import LocalProtocolError
    from sshsub.trio_server import serve_unix

    failed: str | None = None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            try:
                await serve_unix(path, one)
            except (OSError, LocalProtocolError) as error:
                failed = str(error)
            nursery.cancel_scope.cancel()
    return failed
