"""PowerShell's spelling of the options of our own commands.

    psrp Invoke-Command -HostName UserA@server -KeyFilePath key -ScriptBlock { hostname }

A parameter is found as PowerShell finds it: ignoring case, by any unambiguous abbreviation, with
its value after a colon or in the next word.
"""

from __future__ import annotations

import re

import click

from psremoting.powershell.binding_errors import BindingError
from psrp.clixml import Dictionary

__all__ = ["CMDLETS", "PowerShellSpelled", "hashtable", "respelled"]

CMDLETS = {
    "invoke-command": "invoke",
    "icm": "invoke",
}
"""PowerShell's names of our commands, in lower case."""

_PARAMETER = re.compile(r"-([A-Za-z]{2,})(?::(.*))?", re.DOTALL)
#: Parameters that are positional here: the targets and the script.
_TARGETS = ("HostName", "ComputerName")
_SCRIPT = "ScriptBlock"
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
        found = _PARAMETER.fullmatch(word)
        parameter = _find(found[1], names) if found else None
        if found is None or parameter is None:
            rest.append(word)
            continue
        option, takes_value = names[parameter]
        if not takes_value:
            rest.append(option)
            continue
        value = found[2] if found[2] is not None else next(words, None)
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
                if option.startswith("--"):
                    name = option[2:].replace("-", " ").title().replace(" ", "")
                    names[name] = option, not (parameter.is_flag or parameter.count)
    return names


def _find(text: str, names: dict[str, tuple[str, bool]]) -> str | None:
    folded = {name.casefold(): name for name in names}
    wanted = text.casefold()
    if wanted in folded:
        return folded[wanted]
    found = [name for name in folded if name.startswith(wanted)]
    if len(found) > 1:
        several = "".join(f" -{folded[name]}" for name in found)
        raise click.UsageError(BindingError("AmbiguousParameter", text, several).message)
    return folded[found[0]] if found else None


def _block(value: str, words: object) -> str:
    """Return a script block: in one word with or without its braces, or over several words."""
    if value.strip() == "{" and hasattr(words, "__next__"):
        taken: list[str] = []
        for word in words:  # type: ignore[attr-defined]
            if word == "}":
                break
            taken.append(word)
        return " ".join(taken)
    text = value.strip()
    return text[1:-1] if text.startswith("{") and text.endswith("}") else value


def hashtable(text: str) -> list[str]:
    """Return ``@{Name='value'; Other=x}`` as ``NAME=VALUE`` texts. Raises click.BadParameter."""
    from psremoting.cli.shell_words import literal
    from psremoting.powershell.string_conversion import to_text

    value = literal(text)
    if not isinstance(value, Dictionary):
        raise click.BadParameter(f"{text!r}: expected a hashtable, such as @{{Name='value'}}")
    return [f"{to_text(key)}={to_text(item)}" for key, item in value.items()]
