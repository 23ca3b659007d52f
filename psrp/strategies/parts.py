"""The parts of messages: records, host information, commands, and the values of host calls."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from psrp import host_types as k
from psrp.clixml import DateTime, DateTimeKind, Version
from psrp.clixml.strategies import objects, scalars, strings, values
from psrp.commands import Command, Parameter, PowerShell
from psrp.enums import ErrorCategory, PipelineResultTypes, ProgressType
from psrp.host import (
    METHODS,
    BufferCell,
    ChoiceDescription,
    Coordinates,
    FieldDescription,
    HostDefaultData,
    HostInfo,
    KeyInfo,
    Rectangle,
    Size,
)
from psrp.host_types import HostType
from psrp.records import ErrorRecord, InformationalRecord, InformationRecord, ProgressRecord

__all__ = [
    "SCALAR",
    "TEXT",
    "TIME",
    "error_records",
    "host_arguments",
    "host_infos",
    "host_results",
    "information_records",
    "informational_records",
    "int32",
    "power_shells",
    "primitive_dictionaries",
    "progress_records",
]

SCALAR = scalars()
TEXT = strings(max_size=20)
TIME = st.integers(0, 3 * 10**18).map(lambda ticks: DateTime(ticks, DateTimeKind.UTC))


@cache
def int32() -> SearchStrategy[int]:
    """Generate any I32."""
    return st.integers(-(2**31), 2**31 - 1)


@cache
def error_records(*, bare: bool = False) -> SearchStrategy[ErrorRecord]:
    """Generate the record of ERROR_RECORD; ``bare``: as in a host response, without text."""
    maybe = st.none() | TEXT
    return st.builds(
        ErrorRecord,
        exception=SCALAR | objects(),
        target_object=SCALAR,
        fully_qualified_error_id=TEXT,
        category=st.sampled_from(ErrorCategory),
        category_activity=maybe,
        category_reason=maybe,
        category_target_name=maybe,
        category_target_type=maybe,
        category_message=maybe,
        details_message=maybe,
        recommended_action=maybe,
        script_stack_trace=st.none() | strings(min_size=1, max_size=20),
        to_string=st.none() if bare else TEXT,
    )


@cache
def progress_records() -> SearchStrategy[ProgressRecord]:
    """Generate the record of PROGRESS_RECORD; its texts are never empty."""
    shown = strings(min_size=1, max_size=20)
    return st.builds(
        ProgressRecord,
        activity=shown,
        activity_id=int32(),
        status=shown,
        current_operation=st.none() | TEXT,
        parent_activity_id=int32(),
        percent_complete=st.integers(-1, 100),
        type=st.sampled_from(ProgressType),
        seconds_remaining=int32(),
    )


@cache
def information_records() -> SearchStrategy[InformationRecord]:
    """Generate the record of INFORMATION_RECORD."""
    number = st.integers(0, 2**32 - 1)
    return st.builds(
        InformationRecord,
        message_data=values(max_leaves=4),
        source=TEXT,
        time_generated=TIME,
        tags=st.lists(TEXT, max_size=3).map(tuple),
        user=TEXT,
        computer=TEXT,
        process_id=number,
        native_thread_id=number,
        managed_thread_id=number,
    )


@cache
def host_infos() -> SearchStrategy[HostInfo]:
    """Generate a client's description of its host."""
    size = st.none() | st.builds(Size, int32(), int32())
    place = st.none() | st.builds(Coordinates, int32(), int32())
    number = st.none() | int32()
    data = st.builds(
        HostDefaultData,
        foreground_color=number,
        background_color=number,
        cursor_position=place,
        window_position=place,
        cursor_size=number,
        buffer_size=size,
        window_size=size,
        max_window_size=size,
        max_physical_window_size=size,
        window_title=st.none() | TEXT,
    )
    flag = st.booleans()
    return st.builds(
        HostInfo,
        is_host_null=flag,
        is_host_ui_null=flag,
        is_host_raw_ui_null=flag,
        use_runspace_host=flag,
        default_data=st.none() | data,
    )


@cache
def power_shells(version: tuple[int, int]) -> SearchStrategy[PowerShell]:
    """Generate the commands of a pipeline, as far as they are sent to a peer of ``version``."""
    merge = st.sampled_from(PipelineResultTypes)
    merges: dict[str, SearchStrategy[Any]] = {}
    for name in ("my_result", "to_result"):
        merges[f"merge_{name}"] = merge
    merges["merge_previous_results"] = merge
    if version >= (2, 2):
        merges |= {f"merge_{name}": merge for name in ("error", "warning", "verbose", "debug")}
    if version >= (2, 3):
        merges["merge_information"] = merge
    parameters = st.builds(Parameter, st.none() | TEXT, values(max_leaves=3))
    commands = st.builds(
        Command,
        TEXT,
        is_script=st.booleans(),
        use_local_scope=st.none() | st.booleans(),
        parameters=st.lists(parameters, max_size=2).map(tuple),
        **merges,
    )
    statement = st.lists(commands, min_size=1, max_size=2).map(tuple)
    return st.builds(
        PowerShell,
        statements=st.lists(statement, min_size=1, max_size=2 if version >= (2, 2) else 1).map(
            tuple
        ),
        history=st.none() | TEXT,
        redirect_shell_error_output_pipe=st.booleans(),
        is_nested=st.booleans(),
    )


@cache
def primitive_dictionaries() -> SearchStrategy[dict[str, Any]]:
    """Generate application arguments and private data."""
    leaf = st.one_of(st.none(), st.booleans(), int32(), TEXT, st.binary(max_size=9), TIME)
    inner = st.recursive(
        leaf,
        lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(TEXT, deeper, max_size=3),
        max_leaves=5,
    )
    return st.dictionaries(TEXT, inner, max_size=3)


@cache
def informational_records() -> SearchStrategy[InformationalRecord]:
    """Generate the record of DEBUG_RECORD, VERBOSE_RECORD and WARNING_RECORD."""
    return st.builds(InformationalRecord, message=TEXT)


# -- values of host calls


def _cells() -> SearchStrategy[BufferCell]:
    return st.builds(BufferCell, st.characters(max_codepoint=0xFFFF), int32(), int32(), int32())


def _rows() -> SearchStrategy[tuple[tuple[BufferCell, ...], ...]]:
    def grid(width: int) -> SearchStrategy[tuple[tuple[BufferCell, ...], ...]]:
        return st.lists(st.tuples(*[_cells()] * width), max_size=2).map(tuple)

    return st.integers(1, 2).flatmap(grid)


def _fields() -> SearchStrategy[FieldDescription]:
    return st.builds(
        FieldDescription,
        name=TEXT,
        label=TEXT,
        parameter_type_name=TEXT,
        help_message=TEXT,
        is_mandatory=st.booleans(),
        default_value=SCALAR,
        is_from_remote_host=st.booleans(),
    )


def _tuples(items: SearchStrategy[Any]) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=2).map(tuple)


_KINDS: dict[HostType, SearchStrategy[Any]] = {
    k.ANY: SCALAR,
    k.BOOLEAN: st.booleans(),
    k.CELL: _cells(),
    k.CELLS: _rows(),
    k.CHOICES: _tuples(st.builds(ChoiceDescription, TEXT, TEXT)),
    k.COORDINATES: st.builds(Coordinates, int32(), int32()),
    # Secrets require a key, and are generated only with one.
    k.CREDENTIAL: st.none(),
    k.FIELDS: _tuples(_fields()),
    k.GUID: st.uuids(),
    k.INT32: int32(),
    k.INT32S: _tuples(int32()),
    k.INT64: st.integers(-(2**63), 2**63 - 1),
    k.KEY: st.builds(
        KeyInfo,
        virtual_key_code=int32(),
        character=st.characters(max_codepoint=0xFFFF),
        control_key_state=int32(),
        key_down=st.booleans(),
    ),
    k.PROGRESS: progress_records(),
    k.PROMPTED: st.dictionaries(TEXT, TEXT, max_size=2),
    k.RECTANGLE: st.builds(Rectangle, int32(), int32(), int32(), int32()),
    k.SECRET: st.none(),
    k.SIZE: st.builds(Size, int32(), int32()),
    k.STRING: TEXT,
    k.VERSION: st.sampled_from(["7.6", "5.1.17763.1", "1.0.0"]).map(Version),
}


@cache
def host_arguments(method: int) -> SearchStrategy[tuple[Any, ...]]:
    """Generate the arguments of a call of one of the 56 methods."""
    return st.tuples(*(_KINDS[kind] for kind in METHODS[method].parameters))


@cache
def host_results(method: int) -> SearchStrategy[Any]:
    """Generate the result of a method; None for a void one and for a secret."""
    result = METHODS[method].result
    return st.none() if result is None else _KINDS[result]
