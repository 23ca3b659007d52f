"""Records of all streams: read, made and written again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from psrp import events as e
from psrp.clixml import DateTime, Dictionary, Int64, List, PSObject, TimeSpan, dumps, loads
from psrp.messages import decode, encode_body
from psrp.records import (
    ConsoleColor,
    ErrorCategory,
    ErrorRecord,
    HostInformationMessage,
    InformationalRecord,
    InformationRecord,
    ProgressRecord,
    ProgressType,
)
from psrp.sansio import LocalProtocolError, MessageError, Side
from tests.psrp.recorded import out_of_process, wsman
from tests.recordings import FIXTURES

STREAMS = FIXTURES / "outofproc" / "sessions" / "streams.jsonl"
EXIT_CODE = FIXTURES / "outofproc" / "sessions" / "exit-code.jsonl"
SHAPES = FIXTURES / "outofproc" / "sessions" / "pipeline-shapes.jsonl"
OLD_STREAMS = FIXTURES / "wsman" / "test_psrp_stream_no_output_invocation.yml"


def said(messages: Any, kind: type[e.Event]) -> list[Any]:
    events = [decode(each.message)[1] for each in messages if each.sender is Side.SERVER]
    return [event for event in events if isinstance(event, kind)]


def rewritten(value: PSObject) -> Any:
    return loads(dumps(value))


# -- errors


def test_a_recorded_error_reads_in_words() -> None:
    (event,) = said(out_of_process(EXIT_CODE), e.ErrorRecordMessage)[:1]
    record = event.record
    assert str(record) == "err"
    assert record.fully_qualified_error_id == "NativeCommandError"
    assert record.category is ErrorCategory.NotSpecified
    assert record.category_reason == "RemoteException"
    assert record.target_object == "err"
    assert record.script_stack_trace == "at <ScriptBlock>, <No file>: line 1"
    assert record.invocation["MyCommand"] == "sh"
    assert record.invocation_info is None


def test_an_unchanged_record_is_written_as_received() -> None:
    for event in said(out_of_process(EXIT_CODE), e.ErrorRecordMessage):
        assert event.record.to_object() is event.record.raw


def test_a_changed_record_is_written_with_the_change() -> None:
    (event,) = said(out_of_process(EXIT_CODE), e.ErrorRecordMessage)[:1]
    for change in ({"category_activity": "sh"}, {"to_string": "other"}):
        changed = replace(event.record, **change)
        again = ErrorRecord.from_object(rewritten(changed.to_object()))
        assert again == changed
        assert again.to_string == changed.to_string
    broken = replace(event.record, raw=PSObject())
    assert ErrorRecord.from_object(broken.to_object()) == event.record


def test_the_extended_part_keeps_its_members() -> None:
    records = [event.record for event in said(out_of_process(SHAPES), e.ErrorRecordMessage)]
    extended = [record for record in records if record.invocation_info is not None]
    assert extended
    info = extended[0].invocation_info
    assert isinstance(info["InvocationInfo_HistoryId"], Int64)
    assert "CommandInfo_Name" in info
    again = ErrorRecord.from_object(rewritten(replace(extended[0], raw=None).to_object()))
    assert again == extended[0]


def test_a_made_record_looks_like_powershells() -> None:
    record = ErrorRecord.create(
        "no such thing",
        error_id="ThingNotFound,Get-Thing",
        category=ErrorCategory.ObjectNotFound,
        exception_type="System.Management.Automation.ItemNotFoundException",
        activity="Get-Thing",
        target="x",
        target_name="x",
        target_type="String",
        script_stack_trace="at <ScriptBlock>",
    )
    assert str(record) == "no such thing"
    assert record.category_message == (
        "ObjectNotFound: (x:String) [Get-Thing], ItemNotFoundException"
    )
    made = rewritten(record.to_object())
    assert made.type_names[0] == "System.Management.Automation.ErrorRecord"
    assert made["Exception"].type_names == (
        "System.Management.Automation.ItemNotFoundException",
        "System.Exception",
        "System.Object",
    )
    assert ErrorRecord.from_object(made) == record
    bare = record.to_object(bare=True)
    assert (bare.type_names, bare.to_string) == ((), None)
    assert ErrorRecord.from_object(rewritten(bare)) == record


def test_an_unknown_category_stays_a_number() -> None:
    record = ErrorRecord.create("x", category=77, reason="Odd")
    assert record.category_message == "77: (:) [], Odd"
    assert ErrorRecord.from_object(record.to_object()).category == 77


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ({"exception": PSObject(extended={"Message": None}), "to_string": "t"}, "t"),
        ({"details_message": "details"}, "details"),
        ({"exception": PSObject(extended={"Message": "said"})}, "said"),
        ({"exception": PSObject(extended={"Message": " "}), "to_string": "text"}, "text"),
        ({"exception": "no object", "category_message": "category"}, "category"),
        ({}, ""),
    ],
)
def test_the_message_is_what_powershell_shows(members: dict[str, Any], shown: str) -> None:
    assert str(ErrorRecord(**members)) == shown


def test_details_and_the_extended_part_are_written_when_there_are_any() -> None:
    record = ErrorRecord(
        exception=None,
        recommended_action="reboot",
        invocation_info={"InvocationInfo_Line": "foo", "ScriptExtent_File": "a.ps1"},
        pipeline_iteration_info=(0, 1),
    )
    again = ErrorRecord.from_object(rewritten(record.to_object()))
    assert again.recommended_action == "reboot"
    assert again.pipeline_iteration_info == (0, 1)
    assert again.invocation_info is not None
    assert again.invocation_info["InvocationInfo_Line"] == "foo"
    assert again.invocation_info["ScriptExtent_File"] == "a.ps1"
    # Members that PowerShell's decoder requires are filled in.
    assert again.invocation_info["InvocationInfo_HistoryId"] == Int64(0)


MANDATORY = [
    "Exception",
    "TargetObject",
    "FullyQualifiedErrorId",
    "ErrorCategory_Category",
    "ErrorCategory_Activity",
    "ErrorCategory_Reason",
    "ErrorCategory_TargetName",
    "ErrorCategory_TargetType",
    "ErrorCategory_Message",
    "SerializeExtendedInfo",
]


@pytest.mark.parametrize("name", MANDATORY)
def test_a_partial_error_record_is_refused(name: str) -> None:
    value = ErrorRecord.create("x").to_object()
    del value.extended[name]
    with pytest.raises(MessageError) as caught:
        ErrorRecord.from_object(value, "PIPELINE_STATE")
    assert (caught.value.message, caught.value.element) == ("PIPELINE_STATE", name)


def test_iteration_info_of_another_type_is_refused() -> None:
    record = ErrorRecord(invocation_info={}, pipeline_iteration_info=(1,))
    value = record.to_object()
    value.extended["PipelineIterationInfo"] = List(["x"])
    with pytest.raises(MessageError):
        ErrorRecord.from_object(value)
    value.extended["PipelineIterationInfo"] = None
    assert ErrorRecord.from_object(value).pipeline_iteration_info is None


def test_an_old_record_without_the_optional_parts_is_read() -> None:
    value = ErrorRecord.create("x").to_object()
    del value.extended["InvocationInfo"]
    value.extended["FullyQualifiedErrorId"] = None
    record = ErrorRecord.from_object(value)
    assert (record.invocation, record.fully_qualified_error_id) == (None, "")


# -- warnings, verbose, debug


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (e.WarningRecordMessage, "Warning"),
        (e.VerboseRecordMessage, "Verbose"),
        (e.DebugRecordMessage, "Debug"),
    ],
)
def test_recorded_informational_records_are_read_and_made(kind: type[e.Event], name: str) -> None:
    found = said(wsman(OLD_STREAMS), kind) + said(out_of_process(STREAMS), kind)
    assert found
    for event in found:
        record = event.record
        assert str(record) == record.message
        assert record.to_object(name) is record.raw
        again = rewritten(replace(record, raw=None).to_object(name))
        assert again.type_names[0] == f"System.Management.Automation.{name}Record"
        assert InformationalRecord.from_object(again) == record


def test_an_informational_record_without_iteration_info_is_written_with_nil() -> None:
    record = InformationalRecord(message="m", invocation_info={"CommandInfo_Name": "x"})
    again = InformationalRecord.from_object(rewritten(record.to_object("Warning")))
    assert again.pipeline_iteration_info is None
    assert again.invocation_info is not None
    assert again.invocation_info["CommandInfo_Name"] == "x"


# -- progress


def test_progress_is_a_bag_and_not_the_element_of_that_name() -> None:
    """Statement C35."""
    record = ProgressRecord(
        activity="Work", activity_id=3, status="half", percent_complete=50, seconds_remaining=9
    )
    message = encode_body(e.ProgressRecordMessage(pipeline_id=None, record=record)).decode()
    assert "<PR>" not in message
    assert '<S N="Activity">Work</S><I32 N="ActivityId">3</I32>' in message
    assert '<Nil N="CurrentOperation" /><I32 N="ParentActivityId">-1</I32>' in message
    assert ProgressRecord.from_object(loads(message.encode())) == record
    assert str(record) == "Work: half"


def test_recorded_progress_is_read() -> None:
    """Statement C35."""
    found = [event.record for event in said(out_of_process(STREAMS), e.ProgressRecordMessage)]
    assert found
    assert {record.type for record in found} <= set(ProgressType)
    assert all(record.parent_activity_id == -1 for record in found)


def test_empty_texts_of_progress_become_a_space() -> None:
    made = ProgressRecord(activity="", status="").to_object()
    assert (made["Activity"], made["StatusDescription"]) == (" ", " ")


def test_progress_of_an_unknown_type_keeps_its_number() -> None:
    made = rewritten(ProgressRecord(activity="a", type=7).to_object())
    assert ProgressRecord.from_object(made).type == 7
    assert made["Type"].to_string == "7"


# -- information


def test_recorded_information_is_read() -> None:
    """Statement C35."""
    found = [event.record for event in said(out_of_process(STREAMS), e.InformationRecordMessage)]
    shown = [record for record in found if "PSHOST" in record.tags]
    assert shown
    message = shown[0].host_message
    assert isinstance(message, HostInformationMessage)
    assert str(shown[0]) == message.message
    assert all(record.process_id > 0 for record in found)


@pytest.mark.parametrize(
    ("given", "color"),
    [("Green", ConsoleColor.Green), ("-1", None), (None, None), (12, ConsoleColor.Red)],
)
def test_colours_of_write_host_come_in_any_form(given: Any, color: ConsoleColor | None) -> None:
    data = PSObject(extended={"Message": "m", "NoNewLine": True, "ForegroundColor": given})
    message = HostInformationMessage.from_object(data)
    assert message == HostInformationMessage(message="m", no_new_line=True, foreground_color=color)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("text", "text"),
        (5, "5"),
        (None, "System.Management.Automation.InformationRecord"),
        (PSObject(to_string="a thing"), "a thing"),
        (List([1, List([2])]), "1 System.Collections.ArrayList"),
        (PSObject(value="inner"), "inner"),
    ],
)
def test_information_shows_as_text(data: Any, shown: str) -> None:
    record = InformationRecord(message_data=data, time_generated=DateTime(1), tags=("a",))
    assert str(record) == shown
    assert record.host_message is None
    again = InformationRecord.from_object(rewritten(record.to_object()))
    assert again == record


def test_information_of_a_wrong_shape_is_refused() -> None:
    value = InformationRecord(message_data=1, tags=("x",)).to_object()
    value.extended["Tags"] = List([1])
    with pytest.raises(MessageError):
        InformationRecord.from_object(value)
    value.extended["Tags"] = None
    assert InformationRecord.from_object(value).tags == ()
    with pytest.raises(LocalProtocolError):
        InformationRecord(message_data=1, process_id=-1).to_object()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("hi", "hi"),
        (None, "System.Management.Automation.InformationRecord"),
        (1.5, "1.5"),
        (1e22, "1E+22"),
        (True, "True"),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (TimeSpan(10_000_000), "00:00:01"),
        (DateTime(638396640000000000), "01/01/2024 00:00:00"),
        (List([1, List([2])]), "1 System.Collections.ArrayList"),
        (Dictionary({"a": 1}), "System.Collections.Hashtable"),
        (PSObject.custom(a=1), "@{a=1}"),
        (PSObject.custom(a=1, b=None, c="x"), "@{a=1; b=; c=x}"),
        (PSObject(("System.DayOfWeek",), to_string="Friday", value=5), "Friday"),
    ],
)
def test_an_information_record_shows_the_text_of_its_data(data: Any, text: str) -> None:
    """The texts are those of PowerShell 7.6 for ``InformationRecord.ToString()``."""
    assert str(InformationRecord(message_data=data)) == text
