"""Arguments to parameters, as PowerShell's parameter binder does it, with its error texts.

A real client sends ``-First 3`` as two arguments: a name with its dash and no value, then a
value without a name. A library sends one: name without dash, and value. Both come here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from psremoting.endpoint.coercion import CoercionError, Written, convert, is_list
from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.parameters import COMMON, ParameterInfo
from psrp.clixml import PSObject
from psrp.commands import USING, Parameter
from psrp.properties import unwrap
from psrp.records import ErrorCategory

__all__ = ["Bound", "bind", "bind_object", "find_parameter", "missing"]


@dataclass(slots=True)
class Bound:
    """The arguments of one command, converted."""

    values: dict[str, Any] = field(default_factory=dict)
    """By Python's names."""
    rest: list[Any] = field(default_factory=list)
    """What goes to ``*args``."""
    common: dict[str, Any] = field(default_factory=dict)
    """Common parameters that were given, by their names in PowerShell."""


def bind(
    command: str, parameters: tuple[ParameterInfo, ...], arguments: Iterable[Parameter]
) -> Bound:
    """Bind what was written behind a command's name. Raises CommandError.

    Mandatory parameters that pipeline input may still fill are not asked for here: `missing`.
    """
    binder = _Binder(command, parameters)
    try:
        return binder.bind(list(arguments))
    except CommandError as error:
        error.argument = binder.blamed
        raise


class _Binder:
    def __init__(self, command: str, parameters: tuple[ParameterInfo, ...]) -> None:
        self.command = command
        self.parameters = parameters
        self.bound = Bound()
        self.blamed: int | None = None
        """The number of the argument that is looked at."""

    def bind(self, arguments: list[Parameter]) -> Bound:
        positional: list[tuple[int, Any]] = []
        at = 0
        while at < len(arguments):
            argument = arguments[at]
            self.blamed = at
            at += 1
            name = argument.name
            if name is None:
                positional.append((self.blamed, argument.value))
                continue
            if name == USING:
                continue
            bare, has_value = _split_name(name, argument.value)
            parameter = find_parameter(self.parameters, bare)
            self._refuse_twice(parameter)
            if has_value:
                self._set(parameter, argument.value)
            elif parameter.switch:
                self._set(parameter, True)
            elif at < len(arguments) and arguments[at].name is None:
                self.blamed = at
                self._set(parameter, arguments[at].value)
                at += 1
            else:
                self._fail(
                    f"Missing an argument for parameter '{parameter.name}'. Specify a parameter "
                    f"of type '{parameter.type_name}' and try again.",
                    "MissingArgument",
                )
        self._bind_positions(positional)
        return self.bound

    def _bind_positions(self, values: list[tuple[int, Any]]) -> None:
        free = sorted(
            (each for each in self.parameters if each.position is not None),
            key=lambda each: each.position or 0,
        )
        free = [each for each in free if each.argument not in self.bound.values]
        rest = next((each for each in self.parameters if each.remaining), None)
        for at, value in values:
            self.blamed = at
            if free:
                self._set(free.pop(0), value)
            elif rest is not None:
                self.bound.rest.append(self._convert(rest, value))
            else:
                self.blamed = None
                shown = value.text if isinstance(value, Written) else unwrap(value)
                self._fail(
                    "A positional parameter cannot be found that accepts argument "
                    f"'{shown if isinstance(shown, (str, int, float)) else ''}'.",
                    "PositionalParameterNotFound",
                )

    def _place_of(self, parameter: ParameterInfo) -> tuple[dict[str, Any], str]:
        if parameter.argument:
            return self.bound.values, parameter.argument
        return self.bound.common, parameter.name

    def _refuse_twice(self, parameter: ParameterInfo) -> None:
        into, key = self._place_of(parameter)
        if key in into:
            self._fail(
                f"Cannot bind parameter because parameter '{parameter.name}' is specified more "
                "than once. To provide multiple values to parameters that can accept multiple "
                'values, use the array syntax. For example, "-parameter value1,value2,value3".',
                "ParameterAlreadyBound",
            )

    def _set(self, parameter: ParameterInfo, value: Any) -> None:
        into, key = self._place_of(parameter)
        if parameter.remaining:
            several = value if isinstance(value, list) else [value]
            self.bound.rest.extend(self._convert(parameter, each) for each in several)
        else:
            into[key] = self._convert(parameter, value)

    def _convert(self, parameter: ParameterInfo, value: Any) -> Any:
        return coerced(self.command, parameter, value)

    def _fail(self, text: str, error_id: str) -> NoReturn:
        raise _binding_error(text, error_id)


def find_parameter(parameters: tuple[ParameterInfo, ...], name: str) -> ParameterInfo:
    """The parameter of a name, an alias, or the beginning of a name that only one has.

    Raises CommandError.
    """
    folded = name.casefold()
    everything = (*parameters, *COMMON)
    for each in everything:
        if folded in (each.name.casefold(), *(alias.casefold() for alias in each.aliases)):
            return each
    own = [each for each in parameters if each.name.casefold().startswith(folded)]
    found = own or [each for each in COMMON if each.name.casefold().startswith(folded)]
    if len(found) == 1 and folded:
        return found[0]
    if not found or not folded:
        raise _binding_error(
            f"A parameter cannot be found that matches parameter name '{name}'.",
            "NamedParameterNotFound",
        )
    matches = "".join(f" -{each.name}" for each in found)
    raise _binding_error(
        f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. "
        f"Possible matches include:{matches}.",
        "AmbiguousParameter",
    )


def _split_name(name: str, value: Any) -> tuple[str, bool]:
    """The name alone, and whether the value belongs to it.

    A name with its dash stands for a token of a command line: without a colon and without a
    value it is the name alone. (``CommandProcessorBase``, ToCommandParameterInternal)
    """
    text = name.rstrip()
    if text[:1] not in ("-", "–", "—", "―"):
        return text, True
    if text.endswith(":"):
        return text[1:-1], True
    return text[1:], value is not None


def coerced(command: str, parameter: ParameterInfo, value: Any) -> Any:
    """A value in a parameter's type. Raises CommandError with PowerShell's words and ids."""
    try:
        if parameter.switch:
            return bool(unwrap(value))
        return convert(value, parameter.annotation)
    except CoercionError as error:
        chosen = parameter.choices and "ValidateSet" in str(error)
        if parameter.secret:
            text = f"Cannot bind parameter '{parameter.name}'."
            raise _binding_error(text, "CannotConvertArgumentNoMessage") from None
        if chosen:
            raise _binding_error(
                f"Cannot validate argument on parameter '{parameter.name}'. {error}",
                "ParameterArgumentValidationError",
                category=ErrorCategory.InvalidData,
                kind="ParameterBindingValidationException",
            ) from None
        raise _binding_error(
            f"Cannot bind parameter '{parameter.name}'. {error}",
            "CannotConvertArgumentNoMessage",
        ) from None


def missing(parameters: tuple[ParameterInfo, ...], bound: Bound) -> tuple[ParameterInfo, ...]:
    """The mandatory parameters without a value."""
    given = bound.values
    return tuple(each for each in parameters if each.mandatory and each.argument not in given)


def refuse_missing(names: Iterable[str]) -> NoReturn:
    """Raise the error for mandatory parameters that nobody gave."""
    shown = "".join(f" {name}" for name in names)
    raise _binding_error(
        f"Cannot process command because of one or more missing mandatory parameters:{shown}.",
        "MissingMandatoryParameter",
    )


def bind_object(
    command: str, parameters: tuple[ParameterInfo, ...], bound: Bound, item: Any
) -> dict[str, Any]:
    """What one object of the pipeline gives to the parameters that are still free.

    A list parameter takes the object as a list of one. Raises CommandError, also when the object
    gives nothing, or too little.
    """
    try:
        values = _values_of(command, parameters, bound, item)
        lacking = [
            each.name
            for each in parameters
            if each.mandatory and each.argument not in bound.values and each.argument not in values
        ]
        if not values:
            raise _binding_error(_NOT_BOUND, "InputObjectNotBound")
        if lacking:
            text = f"{_TOO_LITTLE}: {' '.join(lacking)}"
            raise _binding_error(text, "InputObjectMissingMandatory")
    except CommandError as error:
        if isinstance(item, (str, int, float)) and not any(each.secret for each in parameters):
            error.target = item
        raise
    return values


_NOT_BOUND = (
    "The input object cannot be bound to any parameters for the command either because the command "
    "does not take pipeline input or the input and its properties do not match any of the "
    "parameters that take pipeline input."
)
_TOO_LITTLE = (
    "The input object cannot be bound because it did not contain the information required to bind "
    "all mandatory parameters"
)


def _values_of(
    command: str, parameters: tuple[ParameterInfo, ...], bound: Bound, item: Any
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in parameters:
        if each.argument in bound.values:
            continue
        if each.from_pipeline:
            single = [item] if is_list(each.annotation) and type(item) is not list else item
            values[each.argument] = coerced(command, each, single)
        elif each.by_property_name and isinstance(item, PSObject):
            for name in (each.name, *each.aliases):
                if name in item:
                    values[each.argument] = coerced(command, each, item[name])
                    break
    return values


def _binding_error(
    text: str,
    error_id: str,
    *,
    category: ErrorCategory = ErrorCategory.InvalidArgument,
    kind: str = "ParameterBindingException",
) -> CommandError:
    return CommandError(
        text,
        error_id=error_id,
        category=category,
        exception_type=f"System.Management.Automation.{kind}",
    )
