"""`psrp completion`, and the completions of arguments for the shells."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from psremoting.powershell.parameters import CommandTable

__all__ = [
    "complete_command",
    "complete_file",
    "complete_parameter",
    "complete_target",
    "completion",
    "known_hosts",
]

_VARIABLE = "_PSRP_COMPLETE"
_PROGRAM = "psrp"
_EPILOG = """\b
Examples:
  eval "$(psrp completion bash)"

\b
To enable it in every new shell:
  bash   psrp completion bash > ~/.local/share/bash-completion/completions/psrp
  zsh    psrp completion zsh > "${fpath[1]}/_psrp"
  fish   psrp completion fish > ~/.config/fish/completions/psrp.fish
"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that makes SHELL complete psrp's command lines.

    The script completes commands, options, option values, file names, and targets from the hosts
    in ~/.ssh/config and ~/.ssh/known_hosts. It requires bash 4.4 or later.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    main = click.get_current_context().find_root().command
    made = kind(main, {}, _PROGRAM, _VARIABLE)
    # Not `source`: it requires the bash of this computer, but the script may be for another.
    click.echo((made.source_template % made.source_vars()).strip())


def complete_command(
    commands: Mapping[str, str], cmdlets: Collection[str], incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a command: one of ``commands`` (name to help), or if none fits, a
    PowerShell command whose lower-case name is in ``cmdlets``."""
    from click.shell_completion import CompletionItem

    found = {name: text for name, text in commands.items() if name.startswith(incomplete)}
    if incomplete and not found:
        from psremoting.console.tables import COMMANDS

        begin = incomplete.casefold()
        tables = [each for each in COMMANDS if each.name.casefold() in cmdlets]
        found = {x.name: x.synopsis for x in tables if x.name.casefold().startswith(begin)}
    return [CompletionItem(name, help=text) for name, text in found.items()]


def complete_file(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a file name, for parameters that click does not check."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete_target(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a target: the hosts that ssh knows, after a user if one is typed, and ``local``."""
    from click.shell_completion import CompletionItem

    user, at, host = incomplete.rpartition("@")
    names = known_hosts(os.path.expanduser("~/.ssh"))
    if not at:
        names = ["local", *names]
    return [CompletionItem(f"{user}{at}{name}") for name in names if name.startswith(host)]


def complete_parameter(table: CommandTable, incomplete: str) -> list[CompletionItem]:
    """Complete a parameter of a PowerShell command, in its spelling or in kebab-case."""
    from click.shell_completion import CompletionItem

    kebab = incomplete.startswith("--")
    typed = incomplete.replace("-", "").casefold()
    return [
        CompletionItem(f"--{kebab_case(each.name)}" if kebab else f"-{each.name}", help=each.help)
        for each in table.parameters
        if each.name.casefold().startswith(typed)
    ]


def kebab_case(name: str) -> str:
    """Convert ``KeyFilePath`` to ``key-file-path``, ``VMId`` to ``vm-id``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def known_hosts(folder: str) -> list[str]:
    """Return the names of the hosts in ssh's ``config`` and ``known_hosts`` in ``folder``."""
    names: dict[str, None] = {}
    for line in _lines(os.path.join(folder, "config")):
        key, *patterns = line.replace("=", " ", 1).split()
        if key.casefold() == "host":
            names |= dict.fromkeys(pattern for pattern in patterns if _is_name(pattern))
    for line in _lines(os.path.join(folder, "known_hosts")):
        if not line.startswith("@"):
            names |= dict.fromkeys(name for name in line.split()[0].split(",") if _is_name(name))
    return sorted(names)


def _is_name(text: str) -> bool:
    """Return True for a host name, False for a pattern, a hash, or an address with a port."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*", text) is not None


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file]
    except OSError:
        return []
    return [line for line in lines if line and line[0] != "#"]
