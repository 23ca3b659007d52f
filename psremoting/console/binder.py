"""Which argument goes to which parameter, and in which parameter set a command runs.

The order is PowerShell's: names first, then positions (values that fit as they are before
values that have to be converted, the default set before the others), then what is mandatory,
then, for each object of the pipeline, what takes it. ``CmdletParameterBinderController.cs``
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psremoting.console.coercion import TYPES, as_text, convert, fits_exactly
from psremoting.console.error_reports import BindingError, MissingMandatory
from psremoting.console.parameters import ALL_SETS, CommandTable, Parameter, Role
from psremoting.console.properties import property_of

__all__ = ["Binding", "Given", "bind", "bind_input"]

_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Given:
    """One argument as it stands on the line. ``name`` is None for one without; ``value`` is
    `NOTHING` for a name alone."""

    name: str | None
    value: Any = _NOTHING

    NOTHING = _NOTHING

    @property
    def bare(self) -> bool:
        return self.value is _NOTHING


@dataclass(slots=True)
class Binding:
    """What a command was given, by the parameters' own names."""

    table: CommandTable
    values: dict[str, Any] = field(default_factory=dict)
    sets: frozenset[str] = frozenset()
    """The sets that are still possible; one when binding is done."""

    def __getitem__(self, name: str) -> Any:
        """The value, or None."""
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
"""Fills in what a command finds out by itself, before anything is missed."""


def bind(
    table: CommandTable,
    arguments: Sequence[Given],
    *,
    expects_input: bool = False,
    complete: Complete | None = None,
) -> Binding:
    """Bind the arguments of a command line. Raises BindingError.

    With ``expects_input`` what the pipeline may still bring is not missed, and several sets may
    be left; `bind_input` then decides for each object.
    """
    binder = _Binder(Binding(table, sets=frozenset(table.sets)))
    left = binder.named(_paired(table, arguments))
    left, failure = binder.positional(left)
    binder.choose_set(final=False)
    if left:
        raise failure or _left_over(left)
    if complete is not None:
        complete(binder.binding)
    if expects_input:
        binder.keep_sets_with_input()
    else:
        binder.choose_set(final=True)
    binder.check_mandatory(but_input=expects_input)
    return binder.binding


def bind_input(binding: Binding, value: object) -> Binding:
    """What ``binding`` is for one object of the pipeline. Raises BindingError."""
    binder = _Binder(binding.copy())
    if not binder.from_pipeline(value):
        raise BindingError("InputObjectNotBound")
    binder.choose_set(final=True)
    if any(True for _ in binder.missing(but_input=False)):
        raise BindingError("InputObjectNotBound")
    return binder.binding


def _paired(
    table: CommandTable, arguments: Sequence[Given]
) -> list[tuple[Parameter | None, Given]]:
    """Names with their values. A name that is not known stays what it is, for later."""
    pairs: list[tuple[Parameter | None, Given]] = []
    at = 0
    while at < len(arguments):
        given = arguments[at]
        at += 1
        if given.name is None:
            pairs.append((None, given))
            continue
        parameter = _resolve(table, given.name)
        if parameter is not None and given.bare:
            if parameter.switch:
                given = Given(given.name, True)
            elif at < len(arguments) and arguments[at].name is None:
                given = Given(given.name, arguments[at].value)
                at += 1
            else:
                shown = TYPES[parameter.element][1] + ("[]" if parameter.many else "")
                raise BindingError("MissingArgument", parameter.name, shown)
        pairs.append((parameter, given))
    return pairs


def _resolve(table: CommandTable, name: str) -> Parameter | None:
    exact = table.find(name)
    if exact is not None:
        return exact
    found = table.beginning(name)
    if len(found) > 1:
        own = [each for each in found if not each.common]
        if len(own) == 1:
            return own[0]
        listed = "".join(f" -{each.name}" for each in found)
        raise BindingError("AmbiguousParameter", name, listed)
    return found[0] if found else None


def _left_over(left: Sequence[Given]) -> BindingError:
    first = left[0]
    if first.name is not None:
        return BindingError("NamedParameterNotFound", first.name)
    return BindingError("PositionalParameterNotFound", as_text(first.value))


class _Binder:
    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.table = binding.table

    # -- one parameter

    def roles(self, parameter: Parameter) -> Iterable[tuple[str, Role]]:
        """Its roles in the sets that are still possible."""
        if parameter.in_all_sets:
            return [(ALL_SETS, parameter.roles[ALL_SETS])]
        return [(n, role) for n, role in parameter.roles.items() if n in self.binding.sets]

    def unbound(self) -> list[Parameter]:
        return [each for each in self.table.parameters if each.name not in self.binding.values]

    def take(self, parameter: Parameter, value: Any) -> None:
        self.binding.values[parameter.name] = convert(value, parameter)
        if not parameter.in_all_sets:
            self.binding.sets &= parameter.roles.keys()

    # -- from the command line

    def named(self, pairs: list[tuple[Parameter | None, Given]]) -> list[Given]:
        """Bind what has a name; the rest."""
        left = []
        for parameter, given in pairs:
            if parameter is None:
                left.append(given)
                continue
            if parameter.name in self.binding.values:
                raise BindingError("ParameterAlreadyBound", given.name)
            self.take(parameter, given.value)
        return left

    def positional(self, left: list[Given]) -> tuple[list[Given], BindingError | None]:
        """Bind what has none; the rest, and why a value did not fit its place."""
        waiting = [given for given in left if given.name is None]
        unknown = [given for given in left if given.name is not None]
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
            bound, failure = self.at_position(position, given.value)
            if not bound:
                over.append(given)
        rest = [given for given in left if given in unknown or given in over + waiting]
        return rest, failure

    def at_position(self, position: int, value: Any) -> tuple[bool, BindingError | None]:
        failure: BindingError | None = None
        for exact in (True, False):
            for parameter in self.by_default(lambda role: role.position == position):
                if exact and not fits_exactly(value, parameter):
                    continue
                try:
                    self.take(parameter, value)
                except BindingError as error:
                    failure = failure or error
                    continue
                return True, None
        return False, failure

    def by_default(self, wanted: Callable[[Role], bool]) -> list[Parameter]:
        """Unbound parameters with such a role, those of the default set first."""
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
                if found is not None:
                    self.offer(parameter, found, exact=exact)
        return len(self.binding.values) > before

    def named_value(self, parameter: Parameter, value: object) -> Any:
        for name in (parameter.name, *parameter.aliases):
            found = property_of(value, name)
            if found is not None:
                return found
        return None

    def offer(self, parameter: Parameter, value: Any, *, exact: bool) -> None:
        """Bind it if it fits, and if its set is still possible."""
        possible = parameter.in_all_sets or self.binding.sets & parameter.roles.keys()
        if not possible or parameter.name in self.binding.values:
            return
        if exact and not fits_exactly(value, parameter):
            return
        try:
            self.take(parameter, value)
        except BindingError:
            return

    # -- sets

    def choose_set(self, *, final: bool) -> None:
        """Settle on one set where ``final``; else make sure that there can be one."""
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
