"""Select-Object, Where-Object, Sort-Object, Measure-Object and ForEach-Object of the prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psremoting.console.calls import Call
from psremoting.errors import PSRemotingError
from psremoting.powershell.binder import Binding
from psremoting.powershell.measuring import Measurement
from psremoting.powershell.object_commands import (
    COMPARISONS,
    Filter,
    ObjectError,
    Selection,
    Sorting,
    member_values,
)
from psremoting.powershell.operators import truth

__all__ = ["for_each_object", "measure_object", "select_object", "sort_object", "where_object"]


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
    """Return the output of a script for one object: one value, or a list."""
    found: list[Any] = []
    with call.workspace.current(item):
        await call.run_block(block, found.append)
    return found[0] if len(found) == 1 else found


async def select_object(call: Call) -> None:
    """Run Select-Object."""
    given = await _bound(call)
    step = Selection(
        given["Property"] or (),
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
        for made in step.feed(item):
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
    step = Sorting(
        given["Property"] or (),
        descending=bool(given["Descending"]),
        unique=bool(given["Unique"]),
        case_sensitive=bool(given["CaseSensitive"]),
        top=_count(given, "Top"),
        bottom=_count(given, "Bottom"),
    )
    for item in _objects(call):
        step.feed(item)
    for item in step.finish():
        call.emit(item)


async def measure_object(call: Call) -> None:
    """Run Measure-Object."""
    given = await _bound(call)
    switches = ("Sum", "Average", "Maximum", "Minimum", "StandardDeviation", "AllStats")
    names = (*switches, "Line", "Word", "Character")
    step = Measurement(given["Property"] or (), [name for name in names if given[name]])
    for item in _objects(call):
        step.feed(item)
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
            for value in member_values(item, given["MemberName"]):
                call.emit(value)
        except PSRemotingError as error:
            call.fail(error)
