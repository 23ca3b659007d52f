"""Values among the words of a shell's command line: hashtables, script blocks, numbers.

The shell has removed the quotes, so a bare word within a hashtable is a string and no command.
"""

from __future__ import annotations

from typing import Any

import click

from psremoting.powershell import syntax as s
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.evaluator import Scope, argument_value, spelled
from psremoting.powershell.lexer import Lexer
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psrp.clixml import ScriptBlock

__all__ = ["is_number", "literal", "number_or_text"]


class _Words(Scope):
    async def run(self, statement: s.Statement) -> list[Any]:
        """Return the output; a command name without arguments is a string."""
        match statement:
            case s.Pipeline((s.CommandCall(s.StringConstant(text), ()),)):
                return [text]
        return await super().run(statement)

    def script_block(self, text: str) -> ScriptBlock:
        return ScriptBlock(text)


def literal(text: str) -> Any:
    """Return the value of a hashtable, script block or constant. Raises click.BadParameter."""
    try:
        match parse(f"x {text}").statements:
            case (s.Pipeline((s.CommandCall(_, (argument,)),)),):
                if not isinstance(argument, s.CommandParameter):
                    return argument_value(argument, _Words())
    except (ParseError, EvaluationError, Unsupported) as error:
        raise click.BadParameter(f"{text!r}: {error}") from None
    raise click.BadParameter(f"{text!r}: expected one value, such as @{{Name='value'; Port=22}}")


def _number(word: str) -> s.NumberConstant | None:
    reader = Lexer(word)
    found = reader.number()
    return found if reader.at == len(word) else None


def is_number(word: str) -> bool:
    """Return True if PowerShell reads ``word`` as a number."""
    return _number(word) is not None


def number_or_text(word: str) -> Any:
    """Return a number with its spelling, or the word itself."""
    found = _number(word)
    return word if found is None else spelled(found)
