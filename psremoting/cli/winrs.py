"""`psrp winrs`: one program in a cmd shell of a Windows machine, over WS-Man."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import trio

from psremoting.cli.connecting import Connecting, connection_options, named_value
from psremoting.client.wsman_carrier import translate
from psremoting.client.wsman_setup import connections, shell_config
from psremoting.errors import PSRemotingError
from psremoting.exception_groups import unwrapped
from psremoting.powershell.error_view import error_text
from psremoting.targets import SSHTarget, WSManTarget
from wsman import names
from wsman.cmd_shell import ShellSettings
from wsman.errors import WSManError
from wsman.trio_winrs import ProgramRun

if TYPE_CHECKING:
    from psremoting.options import SessionOption
    from wsman.requests import ShellConfig

__all__ = ["winrs"]

FAILED = 255
"""The exit code when the program could not be run or the connection was lost."""
_EPILOG = """\b
Examples:
  psrp winrs https://server --user-name me ipconfig /all
  psrp winrs --authentication kerberos server --user-name me 'dir c:\\\\'
  type_it | psrp winrs server --user-name me --input sort

\b
Exit codes:
  N    the exit code of the program
  255  the program could not be run, or the connection was lost
  2    the command line is wrong
"""


class _Command(click.Command):
    """A command whose options may come before and after TARGET, but not after COMMAND."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before, rest = self._split(ctx, args)
        if rest and "--" not in before:
            target, *more = rest
            after, command = self._split(ctx, more)
            options = after[:-1] if after[-1:] == ["--"] else after
            args = [*before, *options, "--", target, *command]
        return super().parse_args(ctx, args)

    def _split(self, ctx: click.Context, args: list[str]) -> tuple[list[str], list[str]]:
        """Return the options at the beginning, and the rest."""
        parser = type(self.make_parser(ctx))(ctx)
        for each in self.get_params(ctx):
            if isinstance(each, click.Option):
                each.add_to_parser(parser, ctx)
        _, rest, _ = parser.parse_args(list(args))
        return args[: len(args) - len(rest)], rest


@click.command(
    cls=_Command,
    epilog=_EPILOG,
    short_help="Run a program in a cmd shell over WS-Man.",
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--directory", metavar="PATH", default="", help="Start the program in this directory."
)
@click.option(
    "--environment", metavar="NAME=VALUE", multiple=True,
    help="Set an environment variable of the program. Repeatable.",
)  # fmt: skip
@click.option("--no-profile", is_flag=True, help="Do not load the user's profile.")
@click.option(
    "--code-page", type=click.IntRange(0, 65535), default=65001, show_default=True,
    help="Use this code page for the streams; 65001 is UTF-8.",
)  # fmt: skip
@click.option(
    "--skip-cmd-shell", is_flag=True, help="Start the program itself instead of cmd.exe /c."
)
@click.option("--input", "with_input", is_flag=True, help="Send standard input to the program.")
@connection_options
@click.argument("target")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def winrs(connecting: Connecting, target: str, command: tuple[str, ...], **given: Any) -> None:
    """Run COMMAND on TARGET, a host name or a URL, and exit with its exit code.

    Options come before COMMAND. Output and errors go to standard output and standard error as
    the program writes them. Ctrl+C interrupts the program; a second Ctrl+C closes the connection.
    """
    try:
        with connecting.recorded_session() as options:
            code = trio.run(_run, _target(connecting, target), options, command, given)
    except PSRemotingError as error:
        click.echo(error_text(error.to_record("psrp winrs"), "normal"), err=True)
        sys.exit(FAILED)
    sys.exit(code)


def _target(connecting: Connecting, text: str) -> WSManTarget:
    """Return the WS-Man target; a bare host name means WS-Man here. Raises UsageError."""
    made = connecting.target(text)
    if isinstance(made, SSHTarget):
        made = connecting.target(f"wsman:{text}")
    if not isinstance(made, WSManTarget):
        raise click.UsageError(f"{text}: expected a WS-Man target")
    return made


def _settings(given: dict[str, Any]) -> ShellSettings:
    return ShellSettings(
        working_directory=given["directory"],
        environment=tuple(
            named_value(text, option="--environment") for text in given["environment"]
        ),
        code_page=given["code_page"],
        no_profile=given["no_profile"],
        skip_cmd_shell=given["skip_cmd_shell"],
        console_mode=not given["with_input"],
    )


async def _run(
    target: WSManTarget, options: SessionOption, command: tuple[str, ...], given: dict[str, Any]
) -> int:
    config: ShellConfig = replace(
        shell_config(target, None, options), resource_uri=names.RESOURCE_CMD
    )
    run = ProgramRun(connections(target, options), config, _settings(given), on_output=_write)
    source = _standard_input() if given["with_input"] else None
    code: int | None = None
    try:
        with unwrapped():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_interrupt, run, nursery.cancel_scope)
                code = await run.run(command[0], command[1:], source=source)
                nursery.cancel_scope.cancel()
    except WSManError as error:
        raise translate(error, target.computer, opening=True) from None
    return FAILED if nursery.cancel_scope.cancelled_caught and code is None else code or 0


def _write(stream: str, data: bytes) -> None:
    sink = sys.stderr if stream == "stderr" else sys.stdout
    sink.buffer.write(data)
    sink.buffer.flush()


async def _standard_input() -> AsyncIterator[bytes]:
    descriptor = sys.stdin.fileno()
    while data := await trio.to_thread.run_sync(os.read, descriptor, 65536, abandon_on_cancel=True):
        yield data


async def _interrupt(run: ProgramRun, scope: trio.CancelScope) -> None:
    """Interrupt the program on the first Ctrl+C; cancel ``scope`` on the second."""
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        first = True
        async for _ in signals:
            if not first:
                scope.cancel()
            run.interrupt()
            first = False
