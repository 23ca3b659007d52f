"""The command `psrp`. Subcommands are imported on demand, so that it starts fast."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from psremoting import __version__
from psremoting.cli.spelling import CMDLETS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["main"]

_INTERRUPTED = 130
_COMMANDS: dict[str, tuple[str, str]] = {
    "account": ("psremoting.cli.account:account", "The accounts of a WS-Man endpoint."),
    "clixml": (
        "psremoting.cli.clixml:clixml",
        "CLIXML to JSON and back, tidied up, or as readable text.",
    ),
    "completion": (
        "psremoting.cli.shell_completion:completion",
        "The completion script of a shell.",
    ),
    "decode": ("psremoting.cli.decode:decode", "Recorded traffic as a readable timeline."),
    "enter": ("psremoting.cli.enter:enter", "An interactive session on another computer."),
    "invoke": ("psremoting.cli.invoke:invoke", "Run a command on one target or many."),
    "serve": ("psremoting.cli.serve:serve", "An endpoint on stdio, a socket, or over WS-Man."),
    "winrs": ("psremoting.cli.winrs:winrs", "A program in a cmd shell, over WS-Man."),
}
"""Name to the command object, and its line in the list of commands."""
_CMDLETS = {
    "enter-pssession": "etsn",
    "exit-pssession": "exsn",
    "new-pssession": "nsn",
    "get-pssession": "gsn",
    "remove-pssession": "rsn",
    "disconnect-pssession": "dnsn",
    "connect-pssession": "cnsn",
    "receive-pssession": "rcsn",
    "new-pssessionoption": "",
    "get-help": "",
    "get-command": "gcm",
}
"""The commands of the local prompt that have PowerShell's names here, too, and their aliases."""


class _LazyGroup(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name.casefold() in (*_CMDLETS, *filter(None, _CMDLETS.values())):
            from psremoting.cli.local_prompt import cmdlet

            return cmdlet(cmd_name)
        cmd_name = CMDLETS.get(cmd_name.casefold(), cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        found = getattr(import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; Ctrl+C while it is loaded ends the program with 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands, without loading every one of them."""
        from psremoting.cli.shell_completion import complete_command

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        texts = {name: text for name, (_, text) in _COMMANDS.items()}
        return complete_command(texts, {*_CMDLETS, *CMDLETS}, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    click.echo(f"psrp {__version__}")
    ctx.exit()


_EPILOG = """\b
Examples:
  psrp enter
  psrp enter UserA@LinuxServer01
  psrp invoke web1 web2 'Get-Process | Select-Object -First 3'
  psrp decode recording.jsonl
  psrp -c '$s = New-PSSession -HostName web1; Invoke-Command -Session $s { hostname }'

\b
The local prompt:
  $s = New-PSSession -HostName UserA@LinuxServer01
  Enter-PSSession -Session $s
  Get-PSSession | Remove-PSSession
  Get-Help Enter-PSSession

\b
PowerShell's spelling:
  psrp Enter-PSSession -HostName UserA@LinuxServer01 -KeyFilePath ~/.ssh/lab
  psrp enter-pssession --host-name UserA@LinuxServer01 --key-file-path ~/.ssh/lab

\b
Environment:
  NO_COLOR        when it is not empty, nothing is coloured
  TERM            dumb, or none: lines only, no editing and no colours
  XDG_STATE_HOME  where psremoting/history is kept; else ~/.local/state

"psrp COMMAND --help" shows the help of a command.
"""


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "-?", "--help"]},
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version,
    help="Show the version and exit.",
)  # fmt: skip
@click.option("-c", "text", metavar="TEXT", help="Run TEXT at the local prompt and exit.")
@click.pass_context
def main(ctx: click.Context, text: str | None) -> None:
    """PowerShell remoting: interactive sessions, commands on many computers, endpoints for
    commands of your own, and recorded traffic as a timeline.

    Other computers are reached through the system's ssh, which knows your keys, passwords and
    hosts; PowerShell processes of this machine and containers through a pipe or a socket.

    Without a COMMAND there is a local prompt, in which PowerShell's commands for sessions work
    as they are documented. They work as a COMMAND, too.
    """
    if ctx.invoked_subcommand is not None:
        if text is not None:
            raise click.UsageError("-c and a command are mutually exclusive.")
        return
    from psremoting.cli.local_prompt import open_console, run_text

    ctx.exit(open_console() if text is None else run_text(text))
