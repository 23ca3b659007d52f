"""`psrp invoke`: run a command on one or more targets, as Invoke-Command does."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
import trio

from psremoting.cli.connecting import Connecting, connection_options
from psremoting.cli.display import Display
from psremoting.cli.piping import INPUT_FORMATS, argument, input_objects, typed
from psremoting.cli.prompting import asking_host, showing_host
from psremoting.cli.running import EXIT_CODES, INTERRUPTED, Job, run_job
from psremoting.cli.shell_completion import complete_target
from psremoting.cli.spelling import PowerShellSpelled
from psremoting.errors import PSRemotingError
from psremoting.powershell.error_view import ERROR_VIEWS, error_text
from psremoting.powershell.script_file import read_script
from psremoting.remote_command import RemoteCommand
from psremoting.targets import Target
from psrp.commands import Command

if TYPE_CHECKING:
    from psremoting.shell.entering import Console

__all__ = ["invoke"]

_EPILOG = (
    """
\b
Targets:
  user@host:port        over ssh, to the subsystem "powershell"
  ssh://user@host:port  same as user@host:port
  process:COMMAND       a local PSRP server, such as process:pwsh -s -NoLogo
  unix:PATH             a unix socket
  pid:NUMBER, name:NAME a PowerShell process on this machine
  pipe:NAME             a PowerShell process started with -CustomPipeName NAME
  local                 the demonstration endpoint of this package

\b
Examples:
  psrp invoke local 'Get-Date'
  psrp invoke server 'Get-Process | Select-Object -First 3'
  psrp invoke me@a me@b 'hostname' --throttle 2
  psrp invoke server --command Get-ChildItem -a Path=/tmp -a Recurse
  psrp invoke server 'param($n) 1..$n' -- :=5
  psrp invoke server '$using:who' --using who=me --json
  jq -c '.[]' people.json | psrp invoke server '$input | % Name' --input-format json

\b
Exit codes:
"""
    + "\n".join(f"  {code:<4} {text}" for code, text in EXIT_CODES.items())
    + """
  N    the command ended with "exit N" and the server reported N
"""
)


class _WithArguments(PowerShellSpelled):
    """A command that passes the words after ``--`` to the remote command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["arguments"] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


@click.command(cls=_WithArguments, epilog=_EPILOG, short_help="Run a command on targets.")
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="TARGET... SCRIPT [-- ARGUMENT...]",
    shell_complete=complete_target,
)
@click.option(
    "-a",
    "--argument",
    "named",
    metavar="NAME[=TEXT|:=JSON]",
    multiple=True,
    help="Pass a named argument; NAME alone is a switch. May be repeated.",
)
@click.option("--using", metavar="NAME=TEXT|NAME:=JSON", multiple=True, help="Set $using:NAME.")
@click.option(
    "--command", "as_command", is_flag=True, help="Treat SCRIPT as the name of a command."
)
@click.option("--script", "as_script", is_flag=True, help="Send SCRIPT as a script in any case.")
@click.option(
    "--file-path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run this local script file; all words before -- are then targets.",
)
@click.option(
    "--input-format",
    type=click.Choice(INPUT_FORMATS),
    help="Pipe standard input to the command, as lines of JSON or text, or as CLIXML.",
)
@click.option(
    "--throttle",
    "--throttle-limit",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Run on at most this many targets at a time.",
)
@click.option(
    "--timeout",
    type=float,
    metavar="S",
    help="Stop each command after S seconds, connecting included (default: none).",
)
@click.option("--json", "form", flag_value="json", help="Print one JSON object per line.")
@click.option(
    "--clixml", "form", flag_value="clixml", help="Print one CLIXML document, with all types."
)
@click.option(
    "--error-view",
    type=click.Choice(ERROR_VIEWS),
    default="normal",
    show_default=True,
    help="Show errors in this view.",
)
@click.option("--hide-computer-name", is_flag=True, help="Do not label lines with their target.")
@click.option(
    "--progress/--no-progress", default=None, help="Show progress bars (default: on a terminal)."
)
@click.option("--interactive", is_flag=True, help="Let the script ask questions at this terminal.")
@click.option("--like-powershell", is_flag=True, hidden=True)
@connection_options
def invoke(connecting: Connecting, words: tuple[str, ...], **given: Any) -> None:
    """Run SCRIPT on every TARGET in parallel.

    The last word is the script, the words before it are targets; the words after -- are passed
    to the script as $args. NAME=TEXT passes a string, NAME:=JSON a value in JSON.

    A script of commands with constant arguments is sent as commands, which endpoints without
    language (JEA) accept; any other script, and with --script every script, is sent as a script.

    Output goes to standard output, everything else to standard error. Objects are formatted as
    in PowerShell; use --json or --clixml for output to programs. With several targets, each line
    is labelled with its target, a failed target does not affect the others, and the last line
    lists the failed targets.

    --json prints one JSON object per line: {"target": ..., "output": ...} for each object, and
    "error" or "failure" in place of "output" for an error of the command or of the target.

    Ctrl+C stops the remote commands. Standard input is read only with --input-format, so psrp
    does not consume the input of a shell loop around it.
    """
    ctx = click.get_current_context()
    targets, what = _split(words, given["as_command"], given["file_path"], given["as_script"])
    console = _console(given["input_format"]) if given["interactive"] else None
    display = Display(
        given["form"] or "text",
        many=len(targets) > 1,
        hide_computer_name=given["hide_computer_name"],
        error_view=given["error_view"],
        progress=given["progress"],
        screen=None if console is None else console.screen,
    )
    job = Job(
        targets=_targets(connecting, targets),
        command=_command(what, ctx.meta["arguments"], given),
        options=connecting.session,
        host=showing_host(display) if console is None else asking_host(console),
        throttle=given["throttle"],
        timeout=_time(given["timeout"]),
        like_powershell=given["like_powershell"],
        record=connecting.record,
    )
    try:
        code = trio.run(partial(_run, job, display, given["input_format"]))
    except KeyboardInterrupt:
        code = INTERRUPTED
    ctx.exit(code)


def _command(
    what: str | Command, arguments: Sequence[str], given: Mapping[str, Any]
) -> RemoteCommand:
    return RemoteCommand(
        what=what,
        arguments=[argument(text) for text in arguments],
        parameters=dict(typed(text, "--argument") for text in given["named"]),
        using=dict(typed(text, "--using") for text in given["using"]),
        as_script=given["as_script"],
    )


async def _run(job: Job, display: Display, input_format: str | None) -> int:
    job.command.input = await input_objects(input_format, at_once=len(job.targets) > 1)
    return await run_job(job, display)


def _console(input_format: str | None) -> Console:
    """Return the terminal for questions: /dev/tty if standard input carries objects."""
    # Imported on use, because only --interactive needs it.
    from psremoting.shell.entering import open_console

    source: TextIO = sys.stdin
    if input_format is not None:
        try:
            source = open("/dev/tty", encoding="utf-8", errors="replace")  # noqa: SIM115
        except OSError:
            source = io.StringIO()
    return open_console(source, sys.stdout if sys.stdout.isatty() else sys.stderr)


def _split(
    words: tuple[str, ...], as_command: bool, file_path: Path | None, as_script: bool
) -> tuple[tuple[str, ...], str | Command]:
    if as_command and as_script:
        raise click.UsageError("--command and --script are mutually exclusive")
    if file_path is not None:
        if as_command:
            raise click.UsageError("--command and --file-path are mutually exclusive")
        return words, read_script(file_path)
    *targets, text = words
    if not targets:
        raise click.UsageError("missing TARGET or SCRIPT")
    return tuple(targets), Command(text) if as_command else text


def _targets(connecting: Connecting, texts: tuple[str, ...]) -> list[Target]:
    try:
        return [connecting.target(text) for text in texts]
    except PSRemotingError as error:
        click.secho(error_text(error.to_record("psrp invoke"), "normal"), err=True, fg="red")
        raise click.exceptions.Exit(2) from None


def _time(seconds: float | None) -> float | None:
    if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
        raise click.BadParameter("must be more than 0", param_hint="--timeout")
    return seconds
