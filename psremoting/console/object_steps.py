"""Select-Object, Where-Object, Sort-Object, Measure-Object and ForEach-Object of the prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from psremoting.console.calls import Call
from psremoting.errors import PSRemotingError
from psremoting.powershell.binder import Binding
from psremoting.powershell.calculated import Calculated, property_spec
from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.evaluator import one_or_all
from psremoting.powershell.measuring import Measurement
from psremoting.powershell.member_access import find_property, properties, property_of
from psremoting.powershell.methods import call_method
from psremoting.powershell.object_commands import (
    COMPARISONS,
    Filter,
    ObjectError,
    Selection,
    Sorting,
    member_values,
)
from psremoting.powershell.operators import items_of, truth
from psremoting.powershell.wildcards import has_wildcards
from psrp.clixml import PSObject, ScriptBlock

__all__ = [
    "for_each_object",
    "measure_object",
    "select_object",
    "shown_names",
    "sort_object",
    "specs_of",
    "where_object",
    "with_values",
]


async def _bound(call: Call) -> Binding:
    await call.bind()
    return call.binding


def _objects(call: Call) -> Iterator[Any]:
    """Yield the objects to work on."""
    if call.inputs is None and "InputObject" not in call.binding:
        return
    for binding in call.each():
        yield binding["InputObject"]


def _report(call: Call, errors: list[ObjectError]) -> None:
    for error in errors:
        call.fail(error)
    errors.clear()


def _count(binding: Binding, name: str, absent: int = -1) -> int:
    value = binding[name]
    return absent if value is None else int(value)


async def _result(call: Call, block: str, item: Any) -> Any:
    """Return the output of a script for one object: None, one value, or a list."""
    found: list[Any] = []
    with call.workspace.current(item):
        await call.run_block(block, found.append)
    return one_or_all(found)


async def values_of(call: Call, specs: Sequence[str | Calculated], item: Any) -> list[Any]:
    """Return the values of the calculated properties among ``specs`` for one object."""
    made: list[Any] = []
    for each in specs:
        if not isinstance(each, Calculated):
            continue
        if isinstance(each.expression, ScriptBlock):
            made.append(await _result(call, str(each.expression), item))
        else:
            made.append(property_of(item, each.expression))
    return made


async def with_values(call: Call, specs: Sequence[str | Calculated], item: Any) -> Any:
    """Return an object with its calculated properties; without any the object itself."""
    names = [each.name for each in specs if isinstance(each, Calculated)]
    if not names:
        return item
    made = await values_of(call, specs, item)
    return PSObject.custom(**properties(item) | dict(zip(names, made, strict=True)))


def shown_names(specs: Sequence[str | Calculated]) -> list[str]:
    """Return the names of properties."""
    return [each if isinstance(each, str) else each.name for each in specs]


def specs_of(given: Binding) -> list[str | Calculated]:
    """Return the values of -Property. Raises EvaluationError and Unsupported."""
    return [property_spec(each) for each in given["Property"] or ()]


async def select_object(call: Call) -> None:
    """Run Select-Object."""
    given = await _bound(call)
    specs = specs_of(given)
    step = Selection(
        specs,
        exclude=given["ExcludeProperty"] or (),
        expand=given["ExpandProperty"] or "",
        first=_count(given, "First"),
        last=_count(given, "Last"),
        skip=_count(given, "Skip", 0),
        skip_last=_count(given, "SkipLast", 0),
        index=given["Index"] or (),
        unique=bool(given["Unique"]),
    )
    for item in () if step.done else _objects(call):
        for made in step.feed(item, await values_of(call, specs, item)):
            call.emit(made)
        _report(call, step.errors)
        if step.done:
            return
    for made in step.finish():
        call.emit(made)
    _report(call, step.errors)


async def where_object(call: Call) -> None:
    """Run Where-Object."""
    given = await _bound(call)
    if given["FilterScript"] is not None:
        for item in _objects(call):
            if truth(await _result(call, given["FilterScript"], item)):
                call.emit(item)
        return
    chosen = [name for name in COMPARISONS if given[name]]
    if len(chosen) > 1:
        raise PSRemotingError(
            f"The switches {' and '.join(f'-{name}' for name in chosen)} exclude each other.",
            error_id="AmbiguousParameterSet",
        )
    operator = chosen[0] if chosen else "EQ" if "Value" in given else ""
    step = Filter(given["Property"], operator, given["Value"])
    for item in _objects(call):
        try:
            if step.accepts(item):
                call.emit(item)
        except PSRemotingError as error:
            call.fail(error)


async def sort_object(call: Call) -> None:
    """Run Sort-Object."""
    given = await _bound(call)
    specs = specs_of(given)
    step = Sorting(
        specs,
        descending=bool(given["Descending"]),
        unique=bool(given["Unique"]),
        case_sensitive=bool(given["CaseSensitive"]),
        top=_count(given, "Top"),
        bottom=_count(given, "Bottom"),
    )
    for item in _objects(call):
        step.feed(item, await values_of(call, specs, item))
    for item in step.finish():
        call.emit(item)


async def measure_object(call: Call) -> None:
    """Run Measure-Object."""
    given = await _bound(call)
    switches = ("Sum", "Average", "Maximum", "Minimum", "StandardDeviation", "AllStats")
    names = (*switches, "Line", "Word", "Character")
    specs = specs_of(given)
    step = Measurement(shown_names(specs), [name for name in names if given[name]])
    for item in _objects(call):
        step.feed(await with_values(call, specs, item))
        _report(call, step.errors)
    for made in step.finish():
        call.emit(made)
    _report(call, step.errors)


async def for_each_object(call: Call) -> None:
    """Run ForEach-Object with scripts, or with the name of a member."""
    given = await _bound(call)
    if given["Process"] is not None:
        if given["Begin"] is not None:
            await call.run_block(given["Begin"], call.emit)
        # Without input the script runs once.
        for item in _objects(call) if call.inputs is not None else [given["InputObject"]]:
            with call.workspace.current(item):
                await call.run_block(given["Process"], call.emit)
        if given["End"] is not None:
            await call.run_block(given["End"], call.emit)
        return
    for item in _objects(call):
        try:
            name, arguments = given["MemberName"], given["ArgumentList"] or []
            has_member = has_wildcards(name) or find_property(item, name)[0]
            if arguments or not (has_member or property_of(item, name) is not None):
                with suppress(Unsupported):
                    for value in items_of(call_method(item, name, arguments)):
                        call.emit(value)
                    continue
            for value in member_values(item, name):
                call.emit(value)
        except PSRemotingError as error:
            call.fail(error)
