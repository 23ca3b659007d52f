"""Errors in the views of PowerShell."""

from __future__ import annotations

from psremoting.powershell.error_view import error_lines, error_text, is_native_error
from psremoting.powershell.record_text import record_text
from psrp.clixml import PSObject
from psrp.host_values import FieldDescription
from psrp.records import ErrorCategory, ErrorRecord, InformationalRecord, InformationRecord

RECORD = ErrorRecord.create(
    "Cannot find path 'x' because it does not exist.",
    error_id="PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
    category=ErrorCategory.ObjectNotFound,
    exception_type="System.Management.Automation.ItemNotFoundException",
    activity="Get-Item",
    target_name="x",
    target_type="String",
)
CATEGORY = "ObjectNotFound: (x:String) [Get-Item], ItemNotFoundException"


def test_an_error_in_every_view() -> None:
    assert error_lines(RECORD, "normal", computer="lab") == [
        "Cannot find path 'x' because it does not exist.",
        f"+ CategoryInfo          : {CATEGORY}",
        "+ FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
        "+ PSComputerName        : lab",
    ]
    concise = "Get-Item: Cannot find path 'x' because it does not exist."
    assert error_text(RECORD) == concise
    assert error_text(RECORD, "category") == CATEGORY


def test_an_error_without_a_command_is_named_by_its_category_or_exception() -> None:
    record = ErrorRecord.create("x", exception_type="System.IO.IOException")
    assert error_text(record) == "IOException: x"
    record = ErrorRecord.create("x", category=ErrorCategory.ObjectNotFound)
    assert error_text(record) == "ObjectNotFound: x"


def test_long_parts_of_the_category_are_shortened() -> None:
    record = ErrorRecord.create("m", target_name="t" * 100, target_type="String")
    assert f"({'t' * 19}…{'t' * 19}:String)" in (record.category_message or "")


def test_a_line_of_a_native_program_is_that_line_in_every_view() -> None:
    record = ErrorRecord.create("err", error_id="NativeCommandError", activity="sh")
    assert is_native_error(record)
    for view in ("normal", "concise", "detailed", "category"):
        assert error_lines(record, view, computer="lab") == ["err"]


def test_an_object_that_is_no_error_is_shown_by_its_text() -> None:
    broken = PSObject(("System.Management.Automation.ErrorRecord",), to_string="half")
    assert error_lines(broken) == ["Error: half"]


def test_records_are_marked() -> None:
    assert record_text("warning", InformationalRecord(message="w")) == "WARNING: w"
    assert record_text("verbose", InformationalRecord(message="v")) == "VERBOSE: v"
    assert record_text("information", InformationRecord(message_data="said")) == "said"
    assert record_text("information", InformationRecord(message_data=None)) == ""
    assert record_text("progress", FieldDescription(name="x")) is None
