"""Completion of a line at the cursor: names of commands, of parameters, and values.

The answer is the CommandCompletion object that PowerShell's TabExpansion2 gives.
``CommandCompletion.cs``, ``CompletionCompleters.cs``, ``CompletionHelpers.cs``
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from psremoting.endpoint.catalog import Catalog, EndpointCommand
from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.signatures import COMMON
from psremoting.endpoint.typed_line import TypedCommand, Word, read_line
from psremoting.powershell.binder import find_parameter
from psremoting.powershell.binding_errors import BindingError
from psremoting.powershell.lexer import DOUBLE, SINGLE
from psremoting.powershell.parameters import Parameter
from psrp.clixml import List, PSObject
from psrp.records import ErrorCategory

__all__ = ["complete"]

_SMA = "System.Management.Automation."
_MATCHES = (
    f"System.Collections.ObjectModel.Collection`1[[{_SMA}CompletionResult, "
    "System.Management.Automation, Version=7.6.0.500, Culture=neutral, "
    "PublicKeyToken=31bf3856ad364e35]]",
    "System.Object",
)
_COMMAND, _PARAMETER, _VALUE = "Command", "ParameterName", "ParameterValue"
_ACTIONS = ("Break", "Continue", "Ignore", "Inquire", "SilentlyContinue", "Stop", "Suspend")
_TAKE_COMMANDS = {"Get-Command": "Name", "Get-Help": "Name"}
_PLAIN = frozenset("-_./\\:+=%~^?*!")
"""Characters that a word may contain without quotes, except as its first character."""


def complete(catalog: Catalog, text: str, cursor: int | None = None) -> PSObject:
    """Return the completions; ``cursor`` counts UTF-16 code units.

    Raises CommandError for a cursor outside of the text.
    """
    at = len(text) if cursor is None else _characters(text, cursor)
    if not text:
        return _completion(-1, -1, ())
    there = read_line(text, at)
    found = [] if there is None else list(_matches(catalog, *there))
    if there is None or not found:
        return _completion(-1, -1, ())
    _, word = there
    return _completion(_units(text[: word.start]), _units(word.text), found)


def _units(text: str) -> int:
    return len(text) + sum(each > "\uffff" for each in text)


def _characters(text: str, cursor: int) -> int:
    """Return the number of characters before a cursor that counts UTF-16 code units."""
    at = 0
    left = cursor
    while left > 0 and at < len(text):
        left -= 2 if text[at] > "\uffff" else 1
        at += 1
    if left > 0 or cursor < 0:
        raise CommandError(
            'Exception calling "CompleteInput" with "3" argument(s): "Cannot process argument '
            'because the value of argument "cursorIndex" is not valid. Change the value of the '
            '"cursorIndex" argument and run the operation again."',
            error_id="PSArgumentException",
            category=ErrorCategory.NotSpecified,
            exception_type=_SMA + "MethodInvocationException",
        )
    return at


def _completion(start: int, length: int, matches: Iterable[PSObject]) -> PSObject:
    return PSObject(
        (_SMA + "CommandCompletion", "System.Object"),
        {
            "CurrentMatchIndex": -1,
            "ReplacementIndex": start,
            "ReplacementLength": length,
            "CompletionMatches": List(list(matches), _MATCHES),
        },
        to_string=_SMA + "CommandCompletion",
    )


def _result(text: str, shown: str, kind: str, about: str) -> PSObject:
    return PSObject(
        (_SMA + "CompletionResult", "System.Object"),
        {"CompletionText": text, "ListItemText": shown, "ResultType": kind, "ToolTip": about},
        to_string=_SMA + "CompletionResult",
    )


# -- what fits


def _matches(catalog: Catalog, command: TypedCommand, word: Word) -> Iterator[PSObject]:
    if command.name is None or word is command.name:
        if command.called or not word.quote:
            yield from _commands(catalog, word)
        return
    found = catalog.find(command.name.value)
    if found is None:
        return
    taken, parameter = _bound(found, command, word)
    if word.parameter:
        yield from _parameters(found, word, taken)
    elif parameter is not None:
        if _TAKE_COMMANDS.get(found.name) == parameter.name and found.built_in:
            yield from _commands(catalog, word)
        else:
            yield from _values(parameter, word)


def _commands(catalog: Catalog, word: Word) -> Iterator[PSObject]:
    names = {each.name: each for each in catalog} | catalog.aliases
    for name in sorted(names, key=str.casefold):
        if _fits(name, word):
            yield _result(_quoted(name, word.quote), name, _COMMAND, names[name].syntax)


def _parameters(found: EndpointCommand, word: Word, taken: set[str]) -> Iterator[PSObject]:
    colon = ":" if word.colon else ""
    typed = word.value.casefold()
    for each in (*found.parameters, *COMMON):
        if each.name in taken:
            continue
        names: tuple[str, ...] = (each.name,)
        if typed and not each.name.casefold().startswith(typed):
            names = each.aliases
        for name in names:
            if name.casefold().startswith(typed):
                about = f"[{_type(each)}] {name}"
                if each.help and name == each.name:
                    about += f" - {each.help}"
                yield _result(f"-{name}{colon}", name, _PARAMETER, about)


def _type(parameter: Parameter) -> str:
    name = parameter.type.rpartition(".")[2]
    return {"SwitchParameter": "switch", "Int64": "long", "Boolean": "bool"}.get(
        name, name.lower() if parameter.type.startswith("System.") else name
    )


def _values(parameter: Parameter, word: Word) -> Iterator[PSObject]:
    if parameter.switch or "System.Boolean" in parameter.type:
        for value in ("$true", "$false"):
            if not word.quote and value.startswith(word.text.casefold()):
                yield _result(value, value, _VALUE, value)
        return
    is_action = parameter.type.endswith(".ActionPreference")
    known = sorted(_ACTIONS if is_action else parameter.values, key=str.casefold)
    # List the typed value first.
    for exact in (True, False):
        for value in known:
            same = value.casefold() == word.value.casefold()
            if value and same is exact and _fits(value, word):
                yield _result(_quoted(value, word.quote), value, _VALUE, value)


def _fits(name: str, word: Word) -> bool:
    return name.casefold().startswith(word.value.casefold())


def _quoted(text: str, quote: str) -> str:
    """Return a text in the quotes that were begun, else in single ones if it needs them."""
    if not quote:
        first, rest = text[:1], text[1:]
        plain = (first.isalnum() or first in "_\\/.") and all(
            each.isalnum() or each in _PLAIN for each in rest
        )
        if plain:
            return text
        quote = "'"
    if quote in SINGLE:
        doubled = "".join(each * 2 if each in SINGLE else each for each in text)
        return f"'{doubled}'"
    escaped = "".join(f"`{each}" if each in "`$" + DOUBLE else each for each in text)
    return f'"{escaped}"'


# -- which parameter


def _find(found: EndpointCommand, name: str) -> Parameter | None:
    try:
        return find_parameter(found.table, name)
    except BindingError:
        return None


def _bound(
    found: EndpointCommand, command: TypedCommand, word: Word
) -> tuple[set[str], Parameter | None]:
    """Return the names of the parameters that other words give a value to, and the parameter that
    the word at the cursor belongs to."""
    named: set[str] = set()
    positional: list[list[Word]] = []
    target: Parameter | None = None
    awaiting: Parameter | Word | None = None
    for argument in command.arguments:
        first = argument[0]
        if first is word and word.parameter:
            # The word after an unfinished name will be its value.
            awaiting = word
        elif first.parameter:
            parameter = _find(found, first.value)
            awaiting = None
            if parameter is not None:
                named.add(parameter.name)
                awaiting = parameter if first.colon or not parameter.switch else None
        elif awaiting is None:
            positional.append(argument)
        else:
            if any(each is word for each in argument) and isinstance(awaiting, Parameter):
                target = awaiting
            awaiting = None
    free = [each for each in found.parameters if each.only_role.position is not None]
    free = sorted(
        (each for each in free if each.name not in named),
        key=lambda each: each.only_role.position or 0,
    )
    rest = next((each for each in found.parameters if each.only_role.remaining), None)
    for at, argument in enumerate(positional):
        parameter = free[at] if at < len(free) else rest
        if any(each is word for each in argument):
            target = parameter
        elif parameter is not None and parameter is not rest:
            named.add(parameter.name)
    return named, target
