"""The value of one parameter: conversion of its argument, and validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psremoting.powershell.binding_errors import BindingError
from psremoting.powershell.conversion import (
    ConversionError,
    ValidationError,
    convert,
    is_of_type,
    to_text,
)
from psremoting.powershell.parameters import CommandTable, Parameter
from psrp.clixml import Enumerable, List, Queue, Stack
from psrp.properties import unwrap

__all__ = ["bound_value", "fits", "not_in_set"]

_SEQUENCES = (List, Enumerable, Stack, Queue, list, tuple)
_HASHTABLE = "System.Collections.Hashtable"


def fits(parameter: Parameter, value: Any) -> bool:
    """Return True if a value can be bound as it is."""
    if parameter.fits is not None:
        return parameter.fits(value)
    if parameter.many and not isinstance(value, _SEQUENCES):
        return is_of_type(value, parameter.element)
    return is_of_type(value, parameter.type)


def bound_value(table: CommandTable, parameter: Parameter, value: Any) -> Any:
    """Return the value for a parameter. Raises BindingError."""
    if not table.is_function:
        _check_presence(parameter, value)
        _refuse_array(parameter, value)
    if value is None and not table.is_function and parameter.many:
        why = _NEVER_NULL.get(parameter.element)
        if why is not None:
            raise BindingError("ParameterArgumentValidationError", parameter.name, why)
    try:
        if parameter.convert is not None:
            made = parameter.convert(value)
        else:
            made = convert(value, parameter.type, received=table.received)
    except ConversionError as error:
        why = "The value cannot be converted." if parameter.secret else error.message
        if table.is_function and not parameter.common:
            error_id = "ParameterArgumentTransformationError"
        else:
            error_id = "CannotConvertArgumentNoMessage"
        raise BindingError(error_id, parameter.name, why) from None
    except ValidationError as error:
        shown = "The value is not allowed." if parameter.secret else error
        raise BindingError("ParameterArgumentValidationError", parameter.name, shown) from None
    _validate(parameter, made)
    if table.is_function:
        # PowerShell keeps null for a list or a table; here it has already become an empty one.
        is_null = value is None and (parameter.many or parameter.type == _HASHTABLE)
        _check_presence(parameter, None if is_null else made)
    return made


def _refuse_array(parameter: Parameter, value: Any) -> None:
    """Raise BindingError for an array where a cmdlet takes one value."""
    single = not parameter.many and parameter.type != "System.Object"
    if single and isinstance(unwrap(value), _SEQUENCES):
        raise BindingError(
            "CannotConvertArgument",
            "System.Object[]",
            parameter.type,
            parameter.name,
            "Specified method is not supported.",
        )


def _check_presence(parameter: Parameter, value: Any) -> None:
    """Raise BindingError for null or an empty value that the parameter does not take."""
    empty_array = isinstance(value, (*_SEQUENCES, bytes, bytearray)) and not len(value)
    items = value if isinstance(value, _SEQUENCES) else ()
    # A Uri or an XmlDocument may be empty.
    empty_text = type(value) is str and value == ""
    present = not (value is None or empty_text or empty_array)
    if present and not any(item is None or item == "" for item in items if _plain(item)):
        return
    if parameter.mandatory and not parameter.may_be_empty:
        kind = "NullNotAllowed"
        if empty_array:
            kind = "EmptyArrayNotAllowed"
        elif empty_text or any(item == "" for item in items if _plain(item)):
            kind = "EmptyStringNotAllowed"
        raise BindingError(f"ParameterArgumentValidationError{kind}", parameter.name)
    if parameter.not_empty:
        raise BindingError("ParameterArgumentValidationError", parameter.name, _EMPTY)
    if parameter.not_null and value is None:
        raise BindingError("ParameterArgumentValidationError", parameter.name, _NULL)


def _plain(item: Any) -> bool:
    return item is None or type(item) is str


_EMPTY = (
    "The argument is null or empty. Provide an argument that is not null or empty, and then try "
    "the command again."
)
_NULL = (
    "The argument is null. Provide a valid value for the argument, and then try running the "
    "command again."
)

_NEVER_NULL = {
    "System.Int32": _NULL,
    "System.Guid": _NULL,
    "System.String": _EMPTY,
    "System.Management.Automation.Runspaces.PSSession": _EMPTY,
}
"""The reasons with which cmdlets refuse null for an array, by the type of its elements."""


def _validate(parameter: Parameter, made: Any) -> None:
    items = made if parameter.many and isinstance(made, _SEQUENCES) else [made]
    if parameter.limits is not None:
        for item in items:
            _check_limits(item, parameter)
    if parameter.values and parameter.convert is None:
        known = {each.casefold() for each in parameter.values}
        for item in items:
            shown = to_text(item)
            if shown.casefold() not in known:
                raise BindingError(
                    "ParameterArgumentValidationError",
                    parameter.name,
                    not_in_set("" if parameter.secret else shown, parameter.values),
                )


def not_in_set(shown: str, values: Sequence[str]) -> str:
    """Return the text of a failed ValidateSet."""
    return (
        f'The argument "{shown}" does not belong to the set "{",".join(values)}" specified by '
        "the ValidateSet attribute. Supply an argument that is in the set and then try the "
        "command again."
    )


def _check_limits(value: int, parameter: Parameter) -> None:
    assert parameter.limits is not None
    least, most = parameter.limits
    if least <= value <= most:
        return
    words = ("less", "minimum", "greater") if value < least else ("greater", "maximum", "less")
    limit = least if value < least else most
    raise BindingError(
        "ParameterArgumentValidationError",
        parameter.name,
        f"The {value} argument is {words[0]} than the {words[1]} allowed range of {limit}. Supply "
        f"an argument that is {words[2]} than or equal to {limit} and then try the command again.",
    )
