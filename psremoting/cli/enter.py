"""``psrp enter``: an interactive session like that of Enter-PSSession."""

from __future__ import annotations

import gc
import sys

import click

from psremoting.cli.connecting import Connecting, connection_options
from psremoting.cli.shell_completion import complete_target

__all__ = ["enter"]

_EPILOG = """\b
Examples:
  psrp enter
  psrp enter UserA@LinuxServer01
  psrp enter LinuxServer01 --port 2222 --key-file-path ~/.ssh/lab
  psrp enter 'process:docker exec -i web pwsh -s -NoLogo -NoProfile'
  printf 'Get-Date\\nexit\\n' | psrp enter

\b
Keys:
  Tab        complete, if the server supports it
  Ctrl+C     stop the running command, or cancel a question; if the command does not
             stop, a second Ctrl+C offers to close the session
  Ctrl+D     leave the session, like exit and Exit-PSSession

\b
Exit codes:
  0    the session ended normally; after "exit N" the exit code is N
  1    the session could not be opened, was lost, or was closed while a command did
       not stop, or the input ended inside a command
  2    the command line is wrong
  130  Ctrl+C while the session was being opened; 143 for SIGTERM, 129 for SIGHUP

\b
Files:
  $XDG_STATE_HOME/psremoting/history, else ~/.local/state/psremoting/history
      command history, without lines that look like secrets
"""

_LOCAL = "Entering the demonstration endpoint of this package on this machine (exit leaves it)."
_INTERRUPTED = 130


@click.command(epilog=_EPILOG)
@click.argument("target", required=False, default="local", shell_complete=complete_target)
@click.option("--host-name", metavar="TARGET", help="Connect to TARGET (same as the argument).")
@connection_options
def enter(target: str, host_name: str | None, connecting: Connecting) -> None:
    """Start an interactive remote session.

    TARGET is a host for ssh, user@host:port, or one of process:COMMAND, unix:PATH, pid:NUMBER
    or name:NAME (a PowerShell process on this machine) and pipe:NAME (its -CustomPipeName).
    container:ID is a container of docker, podman or nerdctl. Without a TARGET, psrp starts its
    demonstration endpoint on this machine.

    The server supplies the prompt, colours, questions and progress bars. After an incomplete line
    the prompt is >>. Input that is not a terminal is read line by line and echoed. Set NO_COLOR
    to disable colours.
    """
    sys.exit(_enter(host_name or target, connecting))


def _enter(target: str, connecting: Connecting) -> int:
    # Imports leave little garbage, and collection takes a tenth of the startup time.
    gc.disable()
    import trio

    from psremoting.errors import PSRemotingError
    from psremoting.powershell.error_view import error_text
    from psremoting.shell.embedded import start_embedded
    from psremoting.shell.entering import enter as enter_session
    from psremoting.shell.entering import enter_error, open_console, terminal_restored

    embedded = None
    if target == "local" and connecting.configuration_name is None:
        click.echo(_LOCAL, err=True)
        embedded = start_embedded()
    gc.freeze()
    gc.enable()

    async def live() -> int:
        console = open_console(sys.stdin, sys.stdout)
        with connecting.recorded_session() as options:
            where = connecting.target(target) if embedded is None else embedded.carrier(options)
            stay = await enter_session(where, console, options=options)
        return stay.exit_code

    try:
        with terminal_restored(sys.stdin):
            return trio.run(live)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except PSRemotingError as error:
        record = enter_error(error)
        click.echo(error_text(record, view="concise"), err=True)
        click.echo(f"    + FullyQualifiedErrorId : {record.fully_qualified_error_id}", err=True)
        return 1
