"""`psrp serve`: an endpoint on this program's stdio, or on a unix socket."""

from __future__ import annotations

import sys

import click

from psremoting.cli.serving import CannotServe, run
from psremoting.cli.shell_completion import complete_file

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
    try:
        sys.exit(run(unix, functions, process))
    except CannotServe as error:
        raise click.ClickException(str(error)) from None
