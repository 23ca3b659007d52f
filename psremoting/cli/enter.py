"""``psrp enter``: an interactive session, as Enter-PSSession opens it."""

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
  Tab        completes, where the other side can
  Ctrl+C     stops what runs and keeps the session; pressed again while nothing
             stops, it offers to close
  Ctrl+D     leaves, as exit and Exit-PSSession do

\b
Exit codes:
  0  the session was left
  1  it could not be entered, was lost, or was given up while a command hung
  2  the command line is wrong

\b
Files:
  $XDG_STATE_HOME/psremoting/history, else ~/.local/state/psremoting/history
      typed lines; those that look like secrets are not kept
"""


@click.command(epilog=_EPILOG)
@click.argument("target", required=False, default="local", shell_complete=complete_target)
@connection_options
def enter(target: str, connecting: Connecting) -> None:
    """Work at another computer: what you type runs there, what it says is shown here.

    TARGET is a host for ssh, user@host:port, or one of process:COMMAND, unix:PATH, pid:NUMBER,
    name:NAME (a PowerShell process of this machine) and pipe:NAME (its -CustomPipeName).
    Without one, the endpoint of this package is started on this machine, to try things out.

    The prompt, colours, questions and progress bars are those of the other side. A line that is
    not complete goes on behind >>. Input that is no terminal is read line by line and shown as
    if it had been typed; NO_COLOR turns colours off.
    """
    sys.exit(_enter(target, connecting))


def _enter(target: str, connecting: Connecting) -> int:
    # Nothing of what is imported is garbage; looking for some costs a tenth of the start.
    gc.disable()
    import trio

    from psremoting.errors import PSRemotingError
    from psremoting.powershell.error_view import error_text
    from psremoting.shell.embedded import start_embedded
    from psremoting.shell.entering import enter as enter_session
    from psremoting.shell.entering import enter_error, open_console, terminal_restored
    from psremoting.shell.loop import Leaving

    embedded = start_embedded() if target == "local" else None
    gc.freeze()
    gc.enable()

    async def live() -> Leaving:
        console = open_console(sys.stdin, sys.stdout)
        options = connecting.session
        where = connecting.target(target) if embedded is None else embedded.carrier(options)
        return await enter_session(where, console, options=options)

    try:
        with terminal_restored(sys.stdin):
            return 0 if trio.run(live) is Leaving.EXIT else 1
    except PSRemotingError as error:
        record = enter_error(error)
        click.echo(error_text(record, view="concise"), err=True)
        click.echo(f"    + FullyQualifiedErrorId : {record.fully_qualified_error_id}", err=True)
        return 1
