"""Host calls: the table of methods, their arguments and results, and the client's checks."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp import events as e
from psrp import host_types
from psrp.clixml import Char, Dictionary, Int64, List, PSObject, SecureString, Version, dumps, loads
from psrp.clixml.strategies import values
from psrp.host import (
    METHODS,
    VOID_CALL_ID,
    BufferCell,
    ChoiceDescription,
    Coordinates,
    Credential,
    FieldDescription,
    HostDefaultData,
    HostInfo,
    HostMethodId,
    KeyInfo,
    Rectangle,
    Size,
    is_void,
    read_arguments,
    read_host_info,
    read_result,
    write_arguments,
    write_host_info,
    write_result,
)
from psrp.host_types import CELLS, FIELDS, OBJECTS, PROMPTED, read_typed, write_typed
from psrp.messages import decode, encode
from psrp.records import ProgressRecord
from psrp.sansio import LocalProtocolError, MessageError, Side
from tests.psrp.recorded import everything, out_of_process, wsman
from tests.recordings import FIXTURES
from tests.rows import rows

M = HostMethodId
HOST_CALLS = FIXTURES / "outofproc" / "sessions" / "host-calls.jsonl"
RAW_UI = FIXTURES / "wsman" / "test_psrp_pshost_raw_ui_mocked_methods.yml"
HELLO = FIXTURES / "outofproc" / "sessions" / "hello.jsonl"
CELL = BufferCell(Char("Z"), 12, 10, 0)
SECRET = SecureString("secret")

SAMPLES: dict[str, Any] = {
    "System.String": "text",
    "System.Boolean": True,
    "System.Version": Version("1.2"),
    "System.Guid": UUID(int=5),
    "System.Security.SecureString": SECRET,
    "System.Int32": 7,
    "System.Int64": 8,
    "System.Object": "anything",
    "System.Management.Automation.Host.Coordinates": Coordinates(1, 2),
    "System.Management.Automation.Host.Size": Size(3, 4),
    "System.Management.Automation.Host.Rectangle": Rectangle(1, 2, 3, 4),
    "System.Management.Automation.Host.BufferCell": CELL,
    "System.Management.Automation.Host.BufferCell[,]": ((CELL, CELL), (CELL, CELL)),
    "System.Management.Automation.Host.KeyInfo": KeyInfo(virtual_key_code=65, key_down=True),
    "System.Management.Automation.PSCredential": Credential("ada", SECRET),
    "System.Management.Automation.ProgressRecord": ProgressRecord(activity="a", status="b"),
    "System.Collections.Generic.Dictionary`2": {"Name": "Ada", "Login": Credential("a", SECRET)},
}
LISTS = {
    M.Prompt: (FieldDescription(name="Name"),),
    M.PromptForChoice: (ChoiceDescription("&Yes"), ChoiceDescription("&No", None)),
    M.PromptForChoiceMultipleSelection: (ChoiceDescription("&Yes"),),
}


def again(value: Any) -> Any:
    """Return a value as the peer reads it; secrets are not encrypted."""
    return loads(dumps(value, seal=str), unseal=str)


def sample(kind: Any, method: int) -> Any:
    if kind.name.endswith("[System.Int32]"):
        return (0, 1)
    return LISTS[M(method)] if kind.name.endswith("Collection`1") else SAMPLES[kind.name]


def test_all_56_methods_are_in_the_table() -> None:
    assert sorted(METHODS) == list(range(1, 57)) == sorted(M)


def test_void_methods_have_no_result_and_are_never_answered() -> None:
    """Statement D38."""
    assert VOID_CALL_ID == -100
    void = {method for method in METHODS if is_void(method)}
    assert {M.Write1, M.WriteLine2, M.SetShouldExit, M.PopRunspace, M.SetWindowTitle} <= void
    assert not {M.ReadLine, M.Prompt, M.ReadKey, M.GetName, M.PromptForChoice} & void
    assert len(void) == 29
    assert not is_void(999)


def test_recorded_void_calls_have_the_id_that_says_so() -> None:
    """Statement D38."""
    calls = list(recorded_calls())
    assert {is_void(call.method) for call in calls} == {True, False} or len(calls) < 60
    assert all((call.call_id == VOID_CALL_ID) == is_void(call.method) for call in calls)


def test_a_pipelines_call_names_it_even_when_the_host_is_the_pools() -> None:
    """Statement D39."""
    hosts: dict[UUID, HostInfo] = {}
    calls = 0
    for each in out_of_process(HOST_CALLS):
        header, event = decode(each.message)
        if isinstance(event, e.CreatePipeline):
            hosts[event.pipeline_id] = event.host_info
        elif isinstance(event, e.PipelineHostCall):
            assert hosts[event.pipeline_id].use_runspace_host
            assert header.pid == event.pipeline_id
            again = encode(event, header.rpid)
            assert (again, again[4:8]) == (each.message, b"\x00\x11\x04\x00")
            calls += 1
    assert calls


def recorded_calls() -> Iterator[e.PipelineHostCall]:
    for each in everything():
        if each.sender is Side.SERVER and each.message[4:8] == b"\x00\x11\x04\x00":
            event = decode(each.message)[1]
            assert isinstance(event, e.PipelineHostCall)
            yield event


@rows("method", METHODS, ids=lambda method: M(method).name)
def test_arguments_and_results_survive_the_way(method: int) -> None:
    known = METHODS[method]
    arguments = tuple(sample(kind, method) for kind in known.parameters)
    assert read_arguments(method, again(write_arguments(method, arguments))) == arguments
    if known.result is not None:
        result = sample(known.result, method)
        assert read_result(method, again(write_result(method, result))) == result


def test_structures_travel_under_their_private_names() -> None:
    """Statement D40."""
    (place, cell) = write_arguments(M.SetBufferContents1, (Rectangle(1, 2, 3, 4), CELL))
    assert dumps(place) == (
        b'<Obj RefId="0"><MS><I32 N="left">1</I32><I32 N="top">2</I32>'
        b'<I32 N="right">3</I32><I32 N="bottom">4</I32></MS></Obj>'
    )
    assert list(cell.extended) == [
        "character",
        "foregroundColor",
        "backgroundColor",
        "bufferCellType",
    ]
    key = write_result(M.ReadKey, KeyInfo(virtual_key_code=81, character="q", key_down=True))
    assert dumps(key) == (
        b'<Obj RefId="0"><MS><I32 N="virtualKeyCode">81</I32><C N="character">113</C>'
        b'<I32 N="controlKeyState">0</I32><B N="keyDown">true</B></MS></Obj>'
    )


def test_enums_are_numbers_and_two_dimensions_have_lengths() -> None:
    """Statement D41."""
    colors = write_arguments(M.WriteLine3, (14, -1, "shown"))
    assert dumps(colors).endswith(b"<LST><I32>14</I32><I32>-1</I32><S>shown</S></LST></Obj>")
    (_, cells) = write_arguments(M.SetBufferContents2, (Coordinates(), ((CELL,) * 3,) * 2))
    assert (len(cells["mae"]), cells["mal"]) == (6, [2, 3])
    assert CELLS.read(CELLS.write(())) == ()


def test_items_without_a_type_carry_it_with_them() -> None:
    """Statement D41."""
    values = (1, "two", Coordinates(3, 4), None, Int64(5), Decimal(6), [7])
    items = OBJECTS.write(values)
    assert [item and item["T"] for item in items] == [
        "System.Int32",
        "System.String",
        "System.Management.Automation.Host.Coordinates",
        None,
        "System.Int64",
        "System.Object",
        "System.Object",
    ]
    assert OBJECTS.read(again(items)) == values
    assert read_typed("bare") == "bare"
    assert read_typed(write_typed(-1, "System.ConsoleColor")) == -1
    odd = PSObject(extended={"T": 5, "V": 6})
    assert read_typed(odd) is odd


def test_48_fills_a_rectangle_and_49_puts_cells() -> None:
    """Statement D43."""
    calls = {
        event.method: event.arguments
        for each in wsman(RAW_UI)
        if isinstance(event := decode(each.message)[1], e.PipelineHostCall)
    }
    assert calls[48] == (Rectangle(1, 2, 3, 4), CELL)
    place, cells = calls[49]
    assert place == Coordinates(15, 15)
    assert [[cell.character for cell in row] for row in cells] == [["A", "B"], ["C", "D"]]
    assert calls[M.ScrollBufferContents][1:] == (place, Rectangle(1, 2, 3, 4), CELL)


def test_every_recorded_call_is_understood() -> None:
    for call in recorded_calls():
        kinds = METHODS[call.method].parameters
        assert len(kinds) == len(call.arguments)
        assert not any(isinstance(argument, PSObject) for argument in call.arguments)
        write_arguments(call.method, call.arguments)


WRONG: list[tuple[int, tuple[Any, ...]]] = [
    (M.WriteLine2, ()),
    (M.WriteLine2, (5,)),
    (M.SetShouldExit, ("5",)),
    (M.SetShouldExit, (True,)),
    (M.SetShouldExit, (1 << 40,)),
    (M.WriteProgress, (0, "no record")),
    (M.SetCursorPosition, (Size(),)),
    (M.SetBufferContents1, (Rectangle(), BufferCell("too long"))),
    (M.SetBufferContents2, (Coordinates(), ((CELL,), (CELL, CELL)))),
    (M.PromptForChoice, ("a", "b", "c", 0)),
    (M.PromptForChoice, ("a", "b", (1,), 0)),
]


@pytest.mark.parametrize(("method", "arguments"), WRONG)
def test_arguments_that_do_not_fit_are_our_mistake(method: int, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        write_arguments(method, arguments)


@pytest.mark.parametrize(
    ("method", "result"),
    [
        (M.Write1, 1),
        (M.Prompt, "text"),
        (M.PromptForCredential1, "ada"),
        (M.ReadLineAsSecureString, "plain"),
        (M.ReadKey, "q"),
    ],
)
def test_results_that_do_not_fit_are_our_mistake(method: int, result: Any) -> None:
    with pytest.raises(LocalProtocolError):
        write_result(method, result)


def test_methods_that_nobody_knows_keep_their_values() -> None:
    assert read_arguments(99, [1, "a"]) == (1, "a")
    assert write_arguments(99, (1,)) == [1]
    assert (read_result(99, "x"), write_result(99, "x")) == ("x", "x")
    assert read_result(M.Write1, "x") == "x"


def test_nulls_pass_in_both_directions() -> None:
    assert write_arguments(M.Prompt, (None, None, None)) == [None, None, None]
    assert read_arguments(M.Prompt, [None, None, None]) == (None, None, None)
    assert write_result(M.PromptForCredential1, None) is None
    assert PROMPTED.read(PROMPTED.write({"a": None})) == {"a": None}
    assert METHODS[M.PromptForCredential1].result.write(None) is None  # type: ignore[union-attr]


def cells(mae: Any, mal: Any) -> PSObject:
    return PSObject(extended={"mae": mae, "mal": mal})


ODD: list[tuple[int, Any]] = [
    (M.SetCursorPosition, "no structure"),
    (M.SetCursorPosition, PSObject(extended={"x": "1"})),
    (M.SetBufferContents2, "no cells"),
    (M.SetBufferContents2, cells([], [1])),
    (M.SetBufferContents2, cells("x", [0, 0])),
    (M.SetBufferContents2, cells([1], [2, 1 << 30])),
    (M.SetBufferContents2, cells([], [1 << 30, 0])),
    (M.SetBufferContents2, cells([], [-1, -1])),
    (M.WriteProgress, "no record"),
    (M.PromptForChoice, "no list"),
    (M.SetShouldExit, "no number"),
    (M.Prompt, Dictionary()),
]


@pytest.mark.parametrize(("method", "value"), ODD)
def test_what_cannot_be_read_stays_as_it_came(method: int, value: Any) -> None:
    count = len(METHODS[method].parameters)
    items = [value] * (count + 1)
    assert read_arguments(method, items) == tuple(items)


@pytest.mark.parametrize(
    ("method", "value"),
    [
        (M.PromptForCredential1, "ada"),
        (M.PromptForCredential1, PSObject(extended={"UserName": "ada"})),
        (M.Prompt, Dictionary({1: "not a name"})),
        (M.Prompt, "no answers"),
    ],
)
def test_results_that_cannot_be_read_stay_as_they_came(method: int, value: Any) -> None:
    assert read_result(method, value) is value


@given(st.sampled_from(sorted(METHODS)), st.data())
def test_any_arguments_are_read(method: int, data: st.DataObject) -> None:
    leaves = st.none() | st.integers(-2, 2) | st.text(max_size=2)
    names = st.sampled_from(["x", "y", "mae", "mal", "label", "name", "UserName", "character"])
    values = st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3).map(List)
            | st.builds(PSObject, extended=st.dictionaries(names, inner, max_size=3))
        ),
    )
    items = data.draw(st.lists(values, max_size=5))
    assert len(read_arguments(method, items)) == len(items)


# -- host info


def test_the_members_of_host_info_have_underscores() -> None:
    """Statement D40."""
    value = write_host_info(HostInfo.full())
    assert list(value.extended) == [
        "_isHostUINull",
        "_isHostRawUINull",
        "_isHostNull",
        "_hostDefaultData",
        "_useRunspaceHost",
    ]
    data = value["_hostDefaultData"]["data"]
    assert list(data) == list(range(9, -1, -1))
    assert data[6]["T"] == "System.Management.Automation.Host.Size"
    assert read_host_info(again(value), "INIT") == HostInfo.full()


def test_a_recorded_host_is_read_with_all_ten_values() -> None:
    """Statement D40."""
    inits = [decode(each.message)[1] for each in out_of_process(HELLO)]
    (init,) = (event for event in inits if isinstance(event, e.InitRunspacePool))
    assert init.host_info == HostInfo.full(HostDefaultData(cursor_size=100))
    pipelines = {event.host_info for event in inits if isinstance(event, e.CreatePipeline)}
    assert pipelines == {HostInfo.null()}


def test_a_host_without_a_screen_says_so() -> None:
    assert HostInfo.null(use_runspace_host=False).use_runspace_host is False
    value = write_host_info(HostInfo.null())
    assert "_hostDefaultData" not in value
    assert read_host_info(value, "INIT") == HostInfo.null()


def test_missing_and_odd_default_data_is_not_known() -> None:
    value = write_host_info(HostInfo.full(HostDefaultData(window_title=None, cursor_size=None)))
    data = value["_hostDefaultData"]["data"]
    assert set(data) == {0, 1, 2, 3, 5, 6, 7, 8}
    data.add(4, write_typed("no number"))
    data.add(11, write_typed("no key of ours"))
    data.add("x", "no key at all")
    assert read_host_info(value, "INIT").default_data == HostDefaultData(
        window_title=None, cursor_size=None
    )


@pytest.mark.parametrize(
    "members",
    [
        {"_ishostnull": True},
        {"_isHostNull": 1},
        {"_isHostNull": None},
        {"_hostDefaultData": "x"},
        {"_hostDefaultData": PSObject(extended={"data": "x"})},
        {"extra": True},
    ],
)
def test_host_info_is_read_exactly(members: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        read_host_info(PSObject(extended=members), "INIT_RUNSPACEPOOL")


def test_flags_that_are_absent_are_false() -> None:
    assert read_host_info(PSObject(), "INIT") == HostInfo()
    with pytest.raises(MessageError):
        read_host_info("no object", "INIT")


def test_no_secret_shows_in_a_repr() -> None:
    assert "secret" not in repr(Credential("ada", SECRET)).lower().replace("securestring", "")


def test_what_is_null_stays_null_in_a_field_description() -> None:
    fields = (FieldDescription(name="n", default_value=5, label=None),)
    assert FIELDS.read(again(FIELDS.write(fields))) == fields
    (bare,) = FIELDS.read([PSObject(extended={"name": "n"})])
    assert (bare.name, bare.label, bare.is_mandatory) == ("n", None, False)


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ('<Db N="character">1.5</Db>', PSObject),
        ('<I32 N="character">65</I32>', PSObject),
        ('<Nil N="character"/>', BufferCell),
        ('<C N="character">65</C>', BufferCell),
    ],
)
def test_a_cell_with_an_odd_character_stays_an_object(member: str, kind: type) -> None:
    body = f'<Obj RefId="0"><MS>{member}<I32 N="foregroundColor">1</I32></MS></Obj>'
    assert isinstance(host_types.CELL.read(loads(body)), kind)


STRUCTURES = [
    value for value in vars(host_types).values() if isinstance(value, host_types.HostType)
]


@given(value=values(), member=values(max_leaves=3))
def test_a_type_reads_any_value_without_an_error(value: Any, member: Any) -> None:
    """Also a structure with a member of another type."""
    names = {field for each in SAMPLES.values() for field in getattr(each, "__slots__", ())}
    odd = PSObject(extended=dict.fromkeys(["character", "x", "label", *sorted(names)], member))
    for kind in STRUCTURES:
        kind.read(value)
        kind.read(odd)
        kind.read(PSObject(extended={"character": member, "foregroundColor": 1}))
    assert STRUCTURES
