"""The commands of an endpoint as a configuration shows them to one user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from psremoting.configuration_files.file_reading import ConfigurationFileError
from psremoting.configuration_files.visibility import Restriction, Visibility
from psremoting.endpoint.binding import missing_error
from psremoting.endpoint.catalog import Catalog, EndpointCommand
from psremoting.endpoint.outputs import as_clixml
from psremoting.powershell.binding_errors import BindingError
from psremoting.powershell.conversion import ValidationError, convert
from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.parameter_values import not_in_set
from psremoting.powershell.parameters import Parameter
from psremoting.powershell.string_conversion import to_text
from psremoting.powershell.text_operators import is_common_pattern, text_matches
from psrp.clixml import List

__all__ = ["restricted_catalog"]

_ALWAYS = frozenset({"__set-psdebugmode", "__set-psunhandledbreakpointmode"})
"""Commands that PowerShell's client runs unasked; they change nothing."""
_NOT_ON_UNIX = "clear"
"""An alias that PowerShell has on Windows only."""
_INTERACTIVE = frozenset({"prompt", "tabexpansion2"})
"""Commands that the session types other than Default do not show unless they are named."""


def restricted_catalog(everything: Catalog, visibility: Visibility) -> Catalog:
    """Return the visible commands and aliases, with the parameters and values that are allowed.

    Raises ConfigurationFileError for a function that only PowerShell can run, and for a pattern
    whose meaning may differ from .NET's.
    """
    defined = {name.casefold() for name, _ in visibility.functions}
    for name, _ in visibility.functions:
        if everything.find(name) is None:
            raise ConfigurationFileError(
                f"The functions engine cannot run the script block of '{name}' in "
                "FunctionDefinitions: expected a Python function of this name."
            )
    shown: list[EndpointCommand] = []
    for command in everything.commands:
        if not _is_visible(command, visibility, defined):
            continue
        limits = visibility.restriction_of(command.name)
        if limits is not None:
            command = replace(command, name=visibility.restricted_name(command.name))
        shown.append(command if limits is None else _restricted(command, limits))
    aliases = {
        alias: command.name
        for alias, command in everything.aliases.items()
        if alias != _NOT_ON_UNIX and visibility.shows_alias(alias)
    }
    aliases |= {name.casefold(): value for name, value in visibility.aliases}
    return Catalog(shown, aliases)


def _is_visible(command: EndpointCommand, visibility: Visibility, defined: set[str]) -> bool:
    folded = command.name.casefold()
    if folded in _ALWAYS:
        return True
    if folded in _INTERACTIVE or not command.built_in:
        return visibility.shows(command.name, defined=folded in defined)
    return visibility.shows_built_in(command.name)


def _restricted(command: EndpointCommand, limits: tuple[Restriction, ...]) -> EndpointCommand:
    """Return a command with only the parameters of ``limits``."""
    by_name = {each.parameter.casefold(): each for each in limits}
    kept: list[Parameter] = []
    hidden: list[str] = []
    for parameter in command.parameters:
        limit = by_name.pop(parameter.name.casefold(), None)
        if limit is not None:
            kept.append(_limited(parameter, limit))
        elif parameter.mandatory:
            hidden.append(parameter.name)
    # A name that the command does not have is taken and then refused, as by PowerShell's proxy.
    kept += [_limited(_unknown(each.parameter), each) for each in by_name.values()]
    return replace(
        command,
        function=_never(hidden) if hidden else command.function,
        signature=replace(command.signature, parameters=tuple(kept)),
    )


def _never(names: list[str]) -> Callable[..., Any]:
    """Return the function of a command whose mandatory parameters are not visible."""

    async def refuse(*_: Any, **__: Any) -> None:
        raise missing_error(names)

    return refuse


def _unknown(name: str) -> Parameter:
    def refuse(_: Any) -> Any:
        raise BindingError("NamedParameterNotFound", name)

    return Parameter(name=name, convert=refuse)


def _limited(parameter: Parameter, limit: Restriction) -> Parameter:
    """Return a parameter that takes only the values of ``limit``."""
    if not limit.values and not limit.pattern:
        return parameter
    if limit.pattern and not is_common_pattern(limit.pattern):
        raise ConfigurationFileError(
            f"The functions engine cannot check the pattern {limit.pattern!r} of parameter "
            f"'{parameter.name}': it may mean something else to .NET's regular expressions."
        )
    known = frozenset(each.casefold() for each in limit.values)
    own = parameter.convert

    def checked(value: Any) -> Any:
        made = convert(value, parameter.type, received=True) if own is None else own(value)
        _check(as_clixml(made), limit, known)
        return made

    return replace(parameter, convert=checked, values=limit.values or parameter.values)


def _check(made: Any, limit: Restriction, known: frozenset[str]) -> None:
    """Raise ValidationError for a value, or an element of a list, that is not allowed."""
    items = list(made) if isinstance(made, List | list | tuple) else [made]
    for item in items:
        if item is None:
            raise ValidationError(_NULL)
        text = to_text(item, received=True)
        if limit.values and text.casefold() not in known:
            raise ValidationError(not_in_set(text, limit.values))
        if limit.pattern and not _fits(text, limit.pattern):
            raise ValidationError(
                f'The argument "{text}" does not match the "{limit.pattern}" pattern. Supply an '
                f'argument that matches "{limit.pattern}" and try the command again.'
            )


def _fits(text: str, pattern: str) -> bool:
    try:
        return text_matches(text, pattern, cased=False)
    except Unsupported:
        # A text on which .NET and Python may differ is refused.
        return False


_NULL = (
    "The argument is null, empty, or an element of the argument collection contains a null value. "
    "Supply a collection that does not contain any null values and then try the command again."
)
