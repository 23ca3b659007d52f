"""Binding of a client's arguments to the parameters of a Python function.

A real client sends ``-First 3`` as two arguments: a name with its dash and no value, then a
value without a name. A library sends one: name without dash, and value. Both are read here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from psremoting.endpoint.error_records import CommandError
from psremoting.powershell import binder
from psremoting.powershell.binder import Binding, Given
from psremoting.powershell.binding_errors import BindingError, MissingMandatory
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.parameters import CommandTable
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import PSObject
from psrp.commands import USING, Parameter

__all__ = ["Bound", "bind", "bind_object", "command_error", "givens", "missing_error"]

_DASHES = ("-", "\u2013", "\u2014", "\u2015")


@dataclass(slots=True)
class Bound:
    """The arguments of one command, converted."""

    values: dict[str, Any] = field(default_factory=dict)
    """Values by Python name, without ``*args``."""
    rest: list[Any] = field(default_factory=list)
    """The values of ``*args``."""
    common: dict[str, Any] = field(default_factory=dict)
    """Values of common parameters, by PowerShell name."""
    missing: tuple[str, ...] = ()
    """Names of mandatory parameters without a value."""
    binding: Binding | None = None


def givens(arguments: Iterable[Parameter]) -> list[Given]:
    """Return arguments of a CREATE_PIPELINE as the binder takes them."""
    return [
        _given(index, argument)
        for index, argument in enumerate(arguments)
        if argument.name != USING
    ]


def _given(index: int, argument: Parameter) -> Given:
    """Convert an argument for the binder. A name with its dash is a token of a command line;
    without a colon and a value it is only a name.
    (``CommandProcessorBase``, ToCommandParameterInternal)"""
    if argument.name is None:
        return Given(None, argument.value, index)
    text = argument.name.rstrip()
    if text == "--":
        # As for PowerShell, the beginning of every name.
        return Given("", index=index)
    if text[:1] not in _DASHES:
        return Given(text, argument.value, index)
    if text.endswith(":"):
        return Given(text[1:-1], argument.value, index)
    if argument.value is None:
        return Given(text[1:], index=index)
    return Given(text[1:], argument.value, index)


def bind(table: CommandTable, arguments: list[Given], *, has_input: bool) -> Bound:
    """Bind the arguments of a command. Raises CommandError.

    Mandatory parameters without a value are named in the result, except those that the pipeline
    may fill when there is input.
    """
    missing: tuple[str, ...] = ()

    def note(binding: Binding) -> None:
        nonlocal missing
        left = binder.missing(binding, but_input=has_input)
        missing = tuple(each.name for each in left)
        for each in left:
            binding.values[each.name] = None

    try:
        binding = binder.bind(table, arguments, expects_input=has_input, complete=note)
    except BindingError as error:
        raise command_error(error) from None
    for name in missing:
        del binding.values[name]
    bound = _bound(binding)
    bound.missing = missing
    return bound


def _bound(binding: Binding) -> Bound:
    bound = Bound(binding=binding)
    for each in binding.table.parameters:
        if each.name not in binding.values:
            continue
        value = binding.values[each.name]
        if each.only_role.remaining:
            bound.rest = list(value)
        elif each.common:
            bound.common[each.name] = value
        else:
            bound.values[each.key] = value
    return bound


def bind_object(bound: Bound, item: Any, *, wrapped: bool = True) -> dict[str, Any]:
    """Return the arguments that one object of the pipeline gives. Raises CommandError.

    ``wrapped``: PowerShell has a PSObject here, as for all that the client sends.
    """
    assert bound.binding is not None
    table = bound.binding.table
    try:
        made = binder.bind_input(bound.binding, item)
    except BindingError as error:
        failed = command_error(error)
        if item is not None and not any(each.secret for each in table.parameters):
            failed.target = to_text(item, received=True)
            wrapped = wrapped or isinstance(item, PSObject)
            failed.target_type = "PSObject" if wrapped else type_name_of(item).rpartition(".")[2]
        raise failed from None
    values = _bound(made).values
    return {name: value for name, value in values.items() if name not in bound.values}


def command_error(error: BindingError) -> CommandError:
    """Return a binding error as the error of a command."""
    made = CommandError(
        str(error),
        error_id=error.error_id,
        category=error.category,
        exception_type=error.exception_type,
    )
    made.argument = error.argument
    return made


def missing_error(names: Iterable[str]) -> CommandError:
    """Return the error for mandatory parameters without a value."""
    return command_error(MissingMandatory(tuple(names)))
