"""`psrp` without a command, `psrp -c TEXT`, and PowerShell's commands by name."""

from __future__ import annotations

import re
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from psremoting.cli.shell_words import is_number, literal, number_or_text
from psremoting.console.tables import find_command
from psremoting.powershell.binder import Given
from psremoting.powershell.parameters import CommandTable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from psremoting.console.workspace import Workspace

__all__ = ["Cmdlet", "cmdlet", "given_of", "open_console", "run_text"]

_KEBAB = re.compile(r"--([A-Za-z][A-Za-z-]*)(?:=(.*))?", re.DOTALL)
_NAMED = re.compile(r"-([A-Za-z][A-Za-z]*)(?::(.*))?", re.DOTALL)


def open_console() -> int:
    """Run the local prompt; return the exit code."""
    from psremoting.console.prompt import open_prompt

    return _run(open_prompt)


def run_text(text: str) -> int:
    """Run ``text`` at the local prompt; return the exit code."""

    async def work(workspace: Workspace) -> None:
        from psremoting.console.interpreter import run_text as run
        from psremoting.powershell.parse_errors import ParseError

        try:
            await run(workspace, text)
        except ParseError as error:
            workspace.write_error(error.to_record("ParserError"))

    return _once(work)


def _once(work: Callable[[Workspace], Awaitable[None]]) -> int:
    async def live() -> int:
        from psremoting.console.prompt import run_once

        async def with_normal_view(workspace: Workspace) -> None:
            workspace.set_variable("ErrorView", "NormalView")
            await work(workspace)

        return await run_once(with_normal_view)

    return _run(live)


def _run(work: Callable[[], Awaitable[int]]) -> int:
    import trio

    from psremoting.shell.entering import terminal_restored

    with terminal_restored(sys.stdin):
        return trio.run(work)


_WITHOUT_EFFECT = frozenset(
    {"New-PSSession", "Get-PSSession", "Remove-PSSession", "Exit-PSSession"}
)
_INSTEAD = (
    "A session ends with the command that opened it. Use it at the local prompt (psrp, or "
    "psrp -c TEXT), or use psrp enter TARGET or psrp invoke TARGET SCRIPT."
)


class Cmdlet(click.Command):
    """A command of the local prompt as a command of psrp.

    Its parameters are spelled as in PowerShell or in kebab-case: -HostName, -HostName:x,
    --host-name, --host-name=x.
    """

    def __init__(self, table: CommandTable) -> None:
        super().__init__(table.name, callback=None, help=table.synopsis, add_help_option=False)
        self.table = table

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return []

    def invoke(self, ctx: click.Context) -> Any:
        if {"-h", "--help", "-?"} & set(ctx.args):
            click.echo(self.get_help(ctx))
            ctx.exit(0)
        if self.table.name in _WITHOUT_EFFECT:
            raise click.UsageError(f"{self.table.name} has no effect here. {_INSTEAD}")
        given = given_of(self.table, ctx.args)

        async def work(workspace: Workspace) -> None:
            from psremoting.console.interpreter import run_command

            await run_command(workspace, self.table, given)

        ctx.exit(_once(work))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from psremoting.cli.shell_completion import complete_parameter

        return complete_parameter(self.table, incomplete)

    def get_help(self, ctx: click.Context) -> str:
        from psremoting.console.helptext import help_text

        width = ctx.max_content_width or 80
        return help_text(self.table, width, full=True)


def cmdlet(name: str) -> Cmdlet | None:
    """Return the command with this name or alias, ignoring case; None if there is none."""
    table = find_command(name)
    return None if table is None else Cmdlet(table)


def given_of(table: CommandTable, words: list[str]) -> list[Given]:
    """Return the words of a shell's command line as arguments.

    Hashtables, script blocks and numbers are parsed; commas separate values if the parameter takes
    several. Raises click.BadParameter.
    """
    given: list[Given] = []
    several = False
    for word in words:
        kebab = _KEBAB.fullmatch(word)
        named = kebab or _NAMED.fullmatch(word)
        if named is None:
            given.append(Given(None, _value(word, several=several)))
            several = False
            continue
        name = named[1].replace("-", "")
        found = [table.find(name)] if table.find(name) else table.beginning(name)
        several = len(found) == 1 and found[0] is not None and found[0].many
        if named[2] is None:
            given.append(Given(name))
        else:
            given.append(Given(name, _switch_or_value(named[2], several=several)))
    return given


def _switch_or_value(word: str, *, several: bool) -> Any:
    plain = word.casefold().removeprefix("$")
    return plain == "true" if plain in ("true", "false") else _value(word, several=several)


def _value(word: str, *, several: bool) -> Any:
    if word.startswith(("@{", "{")):
        return literal(word)
    pieces = [piece.strip() for piece in word.split(",")]
    if len(pieces) > 1 and (several or all(map(is_number, pieces))):
        return [number_or_text(piece) for piece in pieces]
    return number_or_text(word)
