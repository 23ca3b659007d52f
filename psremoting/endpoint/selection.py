"""Select-Object and Measure-Object of an endpoint, which clients use to ask about commands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from psremoting.endpoint.binding import command_error
from psremoting.endpoint.context import Context
from psremoting.endpoint.error_records import CommandError
from psremoting.endpoint.signatures import Input, Param
from psremoting.powershell.binding_errors import BindingError
from psremoting.powershell.measuring import Measurement
from psremoting.powershell.object_commands import ObjectError, Selection

__all__ = ["measure_object", "select_object"]


async def _one(value: Any) -> AsyncIterator[Any]:
    yield value


def _objects(context: Context, input: Input, one: Any) -> AsyncIterator[Any]:
    """Return the object that was given by name, or else those of the pipeline."""
    given = "input_object" in context.stage.bound.values
    return _one(one) if given else aiter(input)


async def _write(context: Context, items: list[Any], errors: list[ObjectError]) -> None:
    """Write objects, and the errors of a step, which are taken out of it."""
    for item in items:
        await context.write(item)
    for error in errors:
        await context.write_error(
            CommandError(
                error.message,
                error_id=error.error_id,
                category=error.category,
                exception_type=error.exception_type,
                target=error.target,
            )
        )
    errors.clear()


async def select_object(
    context: Context,
    input: Input,
    property: Annotated[list[str], Param(help="Properties to keep, with wildcards.")] = [],  # noqa: B006
    *,
    input_object: Annotated[Any, Param(help="An object instead of the pipeline's.")] = None,
    exclude_property: Annotated[list[str], Param(help="Properties to leave out.")] = [],  # noqa: B006
    expand_property: Annotated[str, Param(help="The property to give instead of the object.")] = "",
    first: Annotated[int, Param(help="The number of objects from the beginning.")] = -1,
    last: Annotated[int, Param(help="The number of objects from the end.")] = -1,
    skip: Annotated[int, Param(help="The number of objects to skip at the beginning.")] = 0,
    skip_last: Annotated[int, Param(help="The number of objects to skip at the end.")] = 0,
    index: Annotated[list[int], Param(help="The 0-based places of the objects to keep.")] = [],  # noqa: B006
    skip_index: Annotated[list[int], Param(help="The 0-based places to leave out.")] = [],  # noqa: B006
    unique: Annotated[bool, Param(help="Each object once.")] = False,
    wait: bool = False,
) -> None:
    """Selects objects, or properties of objects."""
    step = Selection(
        property,
        exclude=exclude_property,
        expand=expand_property,
        first=first,
        last=last,
        skip=skip,
        skip_last=skip_last,
        index=index,
        skip_index=skip_index,
        unique=unique,
    )
    if not step.done:
        async for item in _objects(context, input, input_object):
            await _write(context, step.feed(item), step.errors)
            if step.done:
                return
    await _write(context, step.finish(), step.errors)


async def measure_object(
    context: Context,
    input: Input,
    property: Annotated[list[str], Param(help="Properties to measure.")] = [],  # noqa: B006
    *,
    input_object: Annotated[Any, Param(help="An object instead of the pipeline's.")] = None,
    sum: Annotated[bool, Param(help="The sum of the values.")] = False,
    average: Annotated[bool, Param(help="The mean of the values.")] = False,
    maximum: Annotated[bool, Param(help="The largest value.")] = False,
    minimum: Annotated[bool, Param(help="The smallest value.")] = False,
    standard_deviation: Annotated[bool, Param(help="The standard deviation.")] = False,
    all_stats: Annotated[bool, Param(help="All of these.")] = False,
    line: Annotated[bool, Param(help="The number of lines of text.")] = False,
    word: Annotated[bool, Param(help="The number of words.")] = False,
    character: Annotated[bool, Param(help="The number of characters.")] = False,
) -> None:
    """Counts objects, and measures their values."""
    switches = {
        "Sum": sum, "Average": average, "Maximum": maximum, "Minimum": minimum,
        "StandardDeviation": standard_deviation, "AllStats": all_stats,
        "Line": line, "Word": word, "Character": character,
    }  # fmt: skip
    step = Measurement(property, [name for name, given in switches.items() if given])
    async for item in _objects(context, input, input_object):
        if item is None:
            await context.write_error(_null_input())
            continue
        step.feed(item)
        await _write(context, [], step.errors)
    await _write(context, step.finish(), step.errors)


def _null_input() -> CommandError:
    """Return the error of a real endpoint, whose Measure-Object is a function around the cmdlet."""
    return command_error(
        BindingError("ParameterArgumentValidationErrorNullNotAllowed", "InputObject")
    )
