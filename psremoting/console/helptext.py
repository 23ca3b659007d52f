"""The help of a command, generated from its table: NAME, SYNOPSIS, SYNTAX and so on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from psremoting.powershell.parameters import CommandTable, Parameter, Role

__all__ = ["examples_text", "help_text", "overview_text", "parameters_text", "syntax_lines"]

_INDENT = "    "


def overview_text(tables: Sequence[CommandTable]) -> str:
    """Return one line for each command."""
    wide = max(len(table.name) for table in tables)
    lines = [f"{table.name:{wide}}  {table.synopsis}" for table in tables]
    return "\n".join(["", *lines, ""])


def help_text(table: CommandTable, width: int, *, full: bool) -> str:
    """Return the text of Get-Help; ``full`` adds all parameters."""
    parts = [
        _section("NAME", [table.name]),
        _section("SYNOPSIS", _wrapped(table.synopsis, width)),
        _section(
            "SYNTAX", [x for line in syntax_lines(table) for x in (*_wrapped(line, width), "")]
        ),
    ]
    if table.description:
        parts.append(_section("DESCRIPTION", _wrapped(table.description, width)))
    if table.aliases:
        parts.append(_section("ALIASES", [", ".join(table.aliases)]))
    if full:
        parts.append("PARAMETERS\n" + parameters_text(table, table.parameters, width))
    parts.append(_section("EXAMPLES", _examples(table)))
    if not full:
        remark = f'For all parameters, type: "Get-Help {table.name} -Full".'
        parts.append(_section("REMARKS", _wrapped(remark, width)))
    return "\n" + "\n".join(parts)


def examples_text(table: CommandTable) -> str:
    return "\n" + "\n".join(
        [_section("NAME", [table.name]), _section("EXAMPLES", _examples(table))]
    )


def parameters_text(table: CommandTable, parameters: Sequence[Parameter], width: int) -> str:
    """Return the parameters with their types, help and attributes."""
    return "\n".join("\n".join(_described(table, each, width)) for each in parameters)


def _described(table: CommandTable, parameter: Parameter, width: int) -> list[str]:
    kind = "" if parameter.switch else f" <{_kind(parameter)}>"
    lines = [f"{_INDENT}-{parameter.name}{kind}"]
    lines += [_INDENT + line for line in _lines(parameter.help, width - 8)]
    facts = {
        "Required?": _in_sets(table, parameter, lambda role: role.mandatory),
        "Position?": ", ".join(
            sorted({str(r.position) for r in parameter.roles.values() if r.position is not None})
        )
        or "named",
        "Accept pipeline input?": _pipeline(parameter),
        "Aliases": ", ".join(parameter.aliases) or "none",
    }
    lines += [f"{_INDENT * 2}{name:27}{value}" for name, value in facts.items()]
    return [*lines, ""]


def _in_sets(table: CommandTable, parameter: Parameter, test: object) -> str:
    assert callable(test)
    found = [name for name, role in parameter.roles.items() if test(role)]
    if not found:
        return "false"
    if len(found) == len(parameter.roles):
        return "true"
    return f"in the sets {', '.join(found)}"


def _pipeline(parameter: Parameter) -> str:
    by_value = any(role.by_value for role in parameter.roles.values())
    by_name = any(role.by_name for role in parameter.roles.values())
    ways = ["ByValue"] * by_value + ["ByPropertyName"] * by_name
    return f"true ({', '.join(ways)})" if ways else "false"


def syntax_lines(table: CommandTable) -> list[str]:
    """Return one line for each parameter set, as Get-Command -Syntax shows it."""
    return [_syntax(table, name) for name in table.sets]


def _syntax(table: CommandTable, set_name: str) -> str:
    with_roles: list[tuple[Parameter, Role]] = []
    for each in table.parameters:
        role = each.role(set_name)
        if role is not None and not (each.common and each.in_all_sets):
            with_roles.append((each, role))
    # Positional parameters first, then mandatory ones, then the others in order.
    with_roles.sort(
        key=lambda pair: (
            pair[1].position is None,
            pair[1].position or 0,
            not pair[1].mandatory,
        )
    )
    words = [_word(each, role) for each, role in with_roles]
    return " ".join([table.name, *words, "[<CommonParameters>]"])


def _word(parameter: Parameter, role: Role) -> str:
    name = f"-{parameter.name}"
    if parameter.switch:
        return name if role.mandatory else f"[{name}]"
    if role.position is not None:
        name = f"[{name}]"
    text = f"{name} <{_kind(parameter)}>"
    return text if role.mandatory else f"[{text}]"


def _kind(parameter: Parameter) -> str:
    return parameter.type.rpartition(".")[2]


def _examples(table: CommandTable) -> list[str]:
    lines: list[str] = []
    for number, (command, what_for) in enumerate(table.examples, 1):
        lines += [f"Example {number}: {what_for}", ""]
        lines += [f"{_INDENT}{line}" for line in command.splitlines()]
        lines.append("")
    return lines[:-1]


def _section(head: str, lines: Sequence[str]) -> str:
    body = "\n".join(f"{_INDENT}{line}".rstrip() for line in lines)
    return f"{head}\n{body.rstrip()}\n"


def _wrapped(text: str, width: int) -> list[str]:
    return _lines(text, max(width, 40) - 4)


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, max(width, 30), break_on_hyphens=False, break_long_words=False,
        subsequent_indent="    " if text.endswith("[<CommonParameters>]") else "",
    )  # fmt: skip
