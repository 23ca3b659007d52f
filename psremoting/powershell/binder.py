"""Binding of arguments to parameters, and the choice of the parameter set.

The order is PowerShell's: names first, then positions (values that fit as they are before
values that have to be converted, the default set before the others), then what remains, then
the check of mandatory parameters, and for each object of the pipeline what takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psremoting.powershell.binding_errors import BindingError, MissingMandatory
from psremoting.powershell.conversion import to_text
from psremoting.powershell.parameter_values import bound_value, fits
from psremoting.powershell.parameters import ABSENT, ALL_SETS, CommandTable, Parameter, Role
from psrp.clixml import Enumerable, List, Queue, Stack

__all__ = ["Binding", "Given", "bind", "bind_input", "find_parameter", "missing"]

_NOTHING: Any = object()
_SEQUENCES = (List, Enumerable, Stack, Queue, list, tuple)


@dataclass(frozen=True, slots=True)
class Given:
    """One argument as it was written. ``name`` is None for one without a name; ``value`` is
    `NOTHING` for a name alone."""

    name: str | None
    value: Any = _NOTHING
    index: int | None = None
    """The index of the argument in the command."""
    name_index: int | None = None
    """The index of the argument with its name, if that was a separate one."""

    NOTHING = _NOTHING

    @property
    def bare(self) -> bool:
        return self.value is _NOTHING


@dataclass(slots=True)
class Binding:
    """The values of a command, by the names of its parameters."""

    table: CommandTable
    values: dict[str, Any] = field(default_factory=dict)
    sets: frozenset[str] = frozenset()
    """The remaining possible sets; one after binding."""

    def __getitem__(self, name: str) -> Any:
        """Return the value, or None."""
        return self.values.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    @property
    def set_name(self) -> str:
        (name,) = self.sets
        return name

    def copy(self) -> Binding:
        return Binding(self.table, dict(self.values), self.sets)


Complete = Callable[[Binding], None]
"""Function that adds values of the command itself before the check of mandatory parameters."""


def bind(
    table: CommandTable,
    arguments: Sequence[Given],
    *,
    expects_input: bool = False,
    complete: Complete | None = None,
) -> Binding:
    """Bind the arguments of a command line. Raises BindingError.

    With ``expects_input`` a parameter that the pipeline may fill is not missing, and several sets
    may be left; `bind_input` then decides for each object.
    """
    binder = _Binder(Binding(table, sets=frozenset(table.sets)))
    left = binder.named(_paired(table, arguments))
    left, failure = binder.positional(left)
    left = binder.remaining(left)
    binder.choose_set(final=False)
    if left:
        # PowerShell reports an unknown name before a value that did not fit.
        unknown = any(given.name is not None for given in left)
        raise _left_over(left) if unknown or failure is None else failure
    if complete is not None:
        complete(binder.binding)
    if expects_input:
        binder.keep_sets_with_input()
    else:
        binder.choose_set(final=True)
    binder.check_mandatory(but_input=expects_input)
    return binder.binding


def bind_input(binding: Binding, value: object) -> Binding:
    """Return ``binding`` with what one object of the pipeline adds. Raises BindingError."""
    binder = _Binder(binding.copy())
    if not binder.from_pipeline(value):
        raise BindingError("InputObjectNotBound")
    binder.choose_set(final=True)
    names = [each.name for each in binder.missing(but_input=False)]
    if names and binding.table.is_function:
        raise BindingError("InputObjectMissingMandatory", " ".join(names))
    if names:
        raise BindingError("InputObjectNotBound")
    return binder.binding


def missing(binding: Binding, *, but_input: bool = False) -> tuple[Parameter, ...]:
    """Return the mandatory parameters without a value."""
    return tuple(_Binder(binding).missing(but_input=but_input))


def find_parameter(table: CommandTable, name: str) -> Parameter | None:
    """Return the parameter of a name, an alias, or the beginning of a name that only one has.

    Raises BindingError for a beginning of several.
    """
    exact = table.find(name)
    if exact is not None:
        return exact
    found = table.beginning(name)
    own = [each for each in found if not each.common]
    if len(own) == 1 or (own and name and table.is_function):
        found = own
    if len(found) > 1:
        listed = "".join(f" -{each.name}" for each in found)
        raise BindingError("AmbiguousParameter", name, listed)
    return found[0] if found else None


def _paired(
    table: CommandTable, arguments: Sequence[Given]
) -> list[tuple[Parameter | None, Given]]:
    """Join names with their values. An unknown name stays by itself, for later."""
    pairs: list[tuple[Parameter | None, Given]] = []
    at = 0
    while at < len(arguments):
        given = arguments[at]
        at += 1
        if given.name is None:
            pairs.append((None, given))
            continue
        try:
            parameter = find_parameter(table, given.name)
        except BindingError as error:
            error.argument = given.index
            raise
        if parameter is not None and given.bare:
            if parameter.switch:
                given = Given(given.name, True, given.index)
            elif at < len(arguments) and arguments[at].name is None:
                given = Given(given.name, arguments[at].value, arguments[at].index, given.index)
                at += 1
            else:
                raise _blamed(
                    BindingError("MissingArgument", parameter.name, parameter.type), given
                )
        pairs.append((parameter, given))
    return pairs


def _blamed(error: BindingError, given: Given) -> BindingError:
    error.argument = given.index
    return error


def _left_over(left: Sequence[Given]) -> BindingError:
    named = [given for given in left if given.name is not None]
    first = named[0] if named else left[0]
    if first.name is not None:
        return _blamed(BindingError("NamedParameterNotFound", first.name), first)
    return BindingError("PositionalParameterNotFound", to_text(first.value)[:1000])


class _Binder:
    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.table = binding.table

    # -- one parameter

    def roles(self, parameter: Parameter) -> Iterable[tuple[str, Role]]:
        """Return its roles in the sets that are still possible."""
        if parameter.in_all_sets:
            return [(ALL_SETS, parameter.roles[ALL_SETS])]
        return [(n, role) for n, role in parameter.roles.items() if n in self.binding.sets]

    def unbound(self) -> list[Parameter]:
        return [each for each in self.table.parameters if each.name not in self.binding.values]

    def take(self, parameter: Parameter, value: Any, index: int | None = None) -> None:
        try:
            self.binding.values[parameter.name] = bound_value(self.table, parameter, value)
        except BindingError as error:
            error.argument = index
            raise
        if not parameter.in_all_sets:
            self.binding.sets &= parameter.roles.keys()

    # -- from the command line

    def named(self, pairs: list[tuple[Parameter | None, Given]]) -> list[Given]:
        """Bind the arguments with a name; return the rest."""
        left = []
        for parameter, given in pairs:
            if parameter is None:
                left.append(given)
                continue
            if parameter.name in self.binding.values:
                shown = parameter.name if self.table.is_function else given.name
                error = BindingError("ParameterAlreadyBound", shown)
                error.argument = given.index if given.name_index is None else given.name_index
                raise error
            self.take(parameter, given.value, given.index)
        return left

    def positional(self, left: list[Given]) -> tuple[list[Given], BindingError | None]:
        """Bind the arguments without one; return the rest, and why a value did not fit."""
        waiting = [given for given in left if given.name is None]
        failure: BindingError | None = None
        position = -1
        over: list[Given] = []
        while waiting:
            places = {
                role.position
                for each in self.unbound()
                for _, role in self.roles(each)
                if role.position is not None and role.position > position
            }
            if not places:
                break
            position = min(places)
            given = waiting.pop(0)
            bound, why = self.at_position(position, given)
            if not bound:
                over.append(given)
                failure = failure or why
        rest = [each for each in left if each.name is not None or each in over + waiting]
        return rest, failure

    def at_position(self, position: int, given: Given) -> tuple[bool, BindingError | None]:
        failure: BindingError | None = None
        for exact in (True, False):
            for parameter in self.by_default(lambda role: role.position == position):
                if exact and not fits(parameter, given.value):
                    continue
                try:
                    self.take(parameter, given.value, given.index)
                except BindingError as error:
                    failure = failure or error
                    continue
                return True, None
        return False, failure

    def remaining(self, left: list[Given]) -> list[Given]:
        """Bind the remaining arguments to the ValueFromRemainingArguments parameter, if any."""
        for parameter in self.unbound():
            if left and any(role.remaining for _, role in self.roles(parameter)):
                values: list[Any] = []
                for given in left:
                    if given.name is not None:
                        values.append(f"-{given.name}")
                    if not given.bare:
                        values.append(given.value)
                only = values[0] if len(values) == 1 else None
                self.take(parameter, only if isinstance(only, _SEQUENCES) else List(values))
                return []
        return left

    def by_default(self, wanted: Callable[[Role], bool]) -> list[Parameter]:
        """Return unbound parameters with such a role, those of the default set first."""
        default = self.table.default_set
        fitting: list[tuple[int, Parameter]] = []
        for each in self.unbound():
            sets = [name for name, role in self.roles(each) if wanted(role)]
            if sets:
                fitting.append((0 if default in sets or ALL_SETS in sets else 1, each))
        return [each for _, each in sorted(fitting, key=lambda pair: pair[0])]

    # -- from the pipeline

    def from_pipeline(self, value: object) -> bool:
        before = len(self.binding.values)
        for exact in (True, False):
            for parameter in self.by_default(lambda role: role.by_value):
                self.offer(parameter, value, exact=exact)
            for parameter in self.by_default(lambda role: role.by_name):
                found = self.named_value(parameter, value)
                if found is not ABSENT:
                    self.offer(parameter, found, exact=exact, strict=self.table.is_function)
        return len(self.binding.values) > before

    def named_value(self, parameter: Parameter, value: object) -> Any:
        for name in (parameter.name, *parameter.aliases):
            found = self.table.property_of(value, name)
            if found is not ABSENT:
                return found
        return ABSENT

    def offer(self, parameter: Parameter, value: Any, *, exact: bool, strict: bool = False) -> None:
        """Bind a value if it can be converted, and if the parameter's set is still possible.

        A value that fails validation is an error; with ``strict`` a failed conversion is too.
        """
        possible = parameter.in_all_sets or self.binding.sets & parameter.roles.keys()
        if not possible or parameter.name in self.binding.values:
            return
        if exact and not fits(parameter, value):
            return
        try:
            self.take(parameter, value)
        except BindingError as error:
            if strict or error.error_id.startswith("ParameterArgumentValidation"):
                raise
            return

    # -- sets

    def choose_set(self, *, final: bool) -> None:
        """Choose one set if ``final``; else check that at least one remains possible."""
        sets, default = self.binding.sets, self.table.default_set
        if not sets:
            raise BindingError("AmbiguousParameterSet")
        if len(sets) == 1:
            return
        if default in sets:
            if final:
                self.binding.sets = frozenset({default})
            return
        if not final and any(
            role.by_value or role.by_name for each in self.unbound() for _, role in self.roles(each)
        ):
            return
        complete = sets - {
            name for each in self.unbound() for name, role in each.roles.items() if role.mandatory
        }
        if len(complete) != 1:
            raise BindingError("AmbiguousParameterSet")
        self.binding.sets = complete

    def keep_sets_with_input(self) -> None:
        if len(self.binding.sets) == 1:
            return
        taking: set[str] = set()
        for each in self.unbound():
            for name, role in self.roles(each):
                if role.by_value or role.by_name:
                    if name == ALL_SETS:
                        return
                    taking.add(name)
        if taking:
            self.binding.sets &= taking

    def missing(self, *, but_input: bool) -> Iterable[Parameter]:
        for each in self.unbound():
            for name, role in self.roles(each):
                from_input = but_input and (role.by_value or role.by_name)
                if role.mandatory and not from_input and name in (*self.binding.sets, ALL_SETS):
                    yield each
                    break

    def check_mandatory(self, *, but_input: bool) -> None:
        if len(self.binding.sets) > 1:
            return
        names = [each.name for each in self.missing(but_input=but_input)]
        if names:
            raise MissingMandatory(names)
