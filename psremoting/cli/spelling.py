"""PowerShell's spelling of the options of our own commands.

    psrp Invoke-Command -HostName UserA@server -KeyFilePath key -ScriptBlock { hostname }

A parameter is found as PowerShell finds it: ignoring case, by any unambiguous abbreviation, with
its value after a colon or in the next word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import click

from psremoting.powershell.binder import find_parameter
from psremoting.powershell.binding_errors import BindingError
from psremoting.powershell.lexer import Lexer
from psremoting.powershell.parameters import CommandTable, Parameter
from psremoting.powershell.parse_errors import ParseError
from psrp.clixml import Dictionary

__all__ = ["PowerShellSpelled", "hashtable", "respelled"]

#: Parameters that are positional here: the targets and the script.
_TARGETS = ("HostName", "ComputerName")
_SCRIPT = "ScriptBlock"
_OWN_SCRIPT = "--script"
"""Not a parameter: PowerShell's -Script abbreviates -ScriptBlock."""
_KEBAB = {"--host-name": "-HostName"}


class PowerShellSpelled(click.Command):
    """A command that also accepts its options in PowerShell's spelling."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, respelled(args, self.get_params(ctx)))


def respelled(args: list[str], known: list[click.Parameter]) -> list[str]:
    """Return the words with psrp's own options; words after ``--`` are unchanged.

    Raises click.UsageError for an ambiguous parameter or a missing value.
    """
    end = args.index("--") if "--" in args else len(args)
    names = _names(known)
    words = iter(args[:end])
    targets: list[str] = []
    script: list[str] = []
    rest: list[str] = []
    for word in words:
        word = _KEBAB.get(word, word)
        name, value = _parameter(word)
        parameter = _find(name, names)
        if parameter is None:
            rest.append(word)
            continue
        option, takes_value = names[parameter]
        if not takes_value:
            rest.append(option)
            continue
        value = next(words, None) if value is None else value
        if value is None:
            raise click.UsageError(f"Missing an argument for parameter '{parameter}'.")
        if parameter in _TARGETS:
            while value.endswith(","):
                value += next(words, "")
            # A computer name means WS-Man, a host name ssh.
            prefix = "wsman:" if parameter == "ComputerName" else ""
            targets += [prefix + text.strip() for text in value.split(",")]
        elif parameter == _SCRIPT:
            script = [_block(value, words)]
        else:
            rest += [option, value]
    return [*targets, *rest, *script, *args[end:]]


def _names(known: list[click.Parameter]) -> dict[str, tuple[str, bool]]:
    """Return a map of PowerShell's name to our option and True if it takes a value."""
    names: dict[str, tuple[str, bool]] = dict.fromkeys((*_TARGETS, _SCRIPT), ("", True))
    for parameter in known:
        if isinstance(parameter, click.Option):
            for option in parameter.opts:
                if option.startswith("--") and option != _OWN_SCRIPT:
                    name = option[2:].replace("-", " ").title().replace(" ", "")
                    names[name] = option, not (parameter.is_flag or parameter.count)
    return names


def _parameter(word: str) -> tuple[str, str | None]:
    """Return the parameter's name and the value after its colon, if ``word`` has them.

    A name of one letter is a short option of ours.
    """
    lexer = Lexer(word)
    found = lexer.parameter()
    if found is None or len(found["name"]) == 1:
        return "", None
    if found["colon"]:
        return found["name"], word[lexer.at :]
    return (found["name"] if lexer.at == len(word) else ""), None


def _find(name: str, names: Iterable[str]) -> str | None:
    table = CommandTable(name="psrp", parameters=tuple(Parameter(name=each) for each in names))
    try:
        found = find_parameter(table, name) if name else None
    except BindingError as error:
        raise click.UsageError(error.message) from None
    return None if found is None else found.name


def _block(value: str, words: Iterator[str]) -> str:
    """Return a script block: in one word with or without its braces, or over several words."""
    text = value.strip()
    if text == "{":
        return " ".join(iter(lambda: next(words, "}"), "}"))
    lexer = Lexer(text)
    if lexer.starts("{"):
        with suppress(ParseError):
            lexer.at = 1
            lexer.skip_block("}")
            if lexer.at == len(text) - 1:
                return text[1:-1]
    return value


def hashtable(text: str) -> list[str]:
    """Return ``@{Name='value'; Other=x}`` as ``NAME=VALUE`` texts. Raises click.BadParameter."""
    from psremoting.cli.shell_words import literal
    from psremoting.powershell.string_conversion import to_text

    value = literal(text)
    if not isinstance(value, Dictionary):
        raise click.BadParameter(f"{text!r}: expected a hashtable, such as @{{Name='value'}}")
    return [f"{to_text(key)}={to_text(item)}" for key, item in value.items()]
