"""The command `psrp`. Subcommands are imported on demand to keep startup fast."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

from psremoting.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["main"]

_INTERRUPTED = 130
_RENAMED = {"invoke-command": "invoke", "icm": "invoke"}
"""Our commands by PowerShell's names for them, in lower case."""
_COMMANDS: dict[str, tuple[str, str]] = {
    "account": ("psremoting.cli.account:account", "Manage the accounts of a WS-Man endpoint."),
    "clixml": (
        "psremoting.cli.clixml:clixml",
        "Convert CLIXML to JSON, to readable text, and back.",
    ),
    "completion": (
        "psremoting.cli.shell_completion:completion",
        "Print the completion script of a shell.",
    ),
    "copy": ("psremoting.cli.copy_files:copy", "Copy files to a target and back."),
    "decode": ("psremoting.cli.decode:decode", "Show recorded traffic as a readable timeline."),
    "diff": ("psremoting.cli.replay:diff", "Compare two recordings by meaning."),
    "endpoint": (
        "psremoting.cli.endpoint:endpoint",
        "Administer this machine's endpoint, and run its server.",
    ),
    "enter": ("psremoting.cli.enter:enter", "Start an interactive remote session."),
    "invoke": ("psremoting.cli.invoke:invoke", "Run a command on one target or many."),
    "replay": (
        "psremoting.cli.replay:replay",
        "Play one side of a recording against a live peer.",
    ),
    "serve": (
        "psremoting.cli.serve:serve",
        "Serve an endpoint on stdio, a socket, or over WS-Man.",
    ),
    "wireshark": (
        "psremoting.cli.wireshark:wireshark",
        "Write the dissector for Wireshark.",
    ),
    "winrs": ("psremoting.cli.winrs:winrs", "Run a program in a cmd shell over WS-Man."),
}
"""Command name to the command object and its line in the list of commands."""
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
    **dict.fromkeys(
        (
            "register-pssessionconfiguration",
            "unregister-pssessionconfiguration",
            "get-pssessionconfiguration",
            "set-pssessionconfiguration",
            "enable-pssessionconfiguration",
            "disable-pssessionconfiguration",
            "new-pssessionconfigurationfile",
            "test-pssessionconfigurationfile",
            "new-psrolecapabilityfile",
            "enable-psremoting",
            "disable-psremoting",
        ),
        "",
    ),
    "get-help": "",
    "get-command": "gcm",
}
"""Local prompt commands that are also commands of psrp, by lower-case name, and their aliases."""


class _LazyGroup(click.Group):
    """A group that imports the module of a command on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name.casefold() in (*_CMDLETS, *filter(None, _CMDLETS.values())):
            from psremoting.cli.local_prompt import cmdlet

            return cmdlet(cmd_name)
        cmd_name = _RENAMED.get(cmd_name.casefold(), cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        found = getattr(import_module(module), attribute)
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; exit with 130 on Ctrl+C while its module is loaded."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_INTERRUPTED) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without loading the modules of the commands."""
        from psremoting.cli.shell_completion import complete_command

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        texts = {name: text for name, (_, text) in _COMMANDS.items()}
        return complete_command(texts, {*_CMDLETS, *_RENAMED}, incomplete)

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
  NO_COLOR            if not empty, disables colours
  PSRP_PASSWORD       password for --user-name over WS-Man
  PSRP_TRUSTED_HOSTS  hosts for NTLM over HTTP, as for --trusted-host, separated by commas
  TERM                if dumb or unset, disables line editing and colours
  XDG_STATE_HOME      directory of psremoting/history (default: ~/.local/state)

Run "psrp COMMAND --help" for the help of a command.
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
    """Use PowerShell remoting: start interactive sessions, run commands on many computers, serve
    your own commands, and show recorded traffic as a timeline.

    Connections to other computers use the system's ssh with its keys, configuration and known
    hosts, or WS-Man. PowerShell processes on this machine are reached through a pipe or a socket,
    containers through docker, podman or nerdctl.

    Without a COMMAND, psrp starts a local prompt that supports PowerShell's session commands as
    documented. These commands can also be given as COMMAND.
    """
    if ctx.invoked_subcommand is not None:
        if text is not None:
            raise click.UsageError("-c and a command are mutually exclusive.")
        return
    from psremoting.cli.local_prompt import open_console, run_text

    ctx.exit(open_console() if text is None else run_text(text))
