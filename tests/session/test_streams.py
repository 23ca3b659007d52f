"""Values and records as text, and where objects came from."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from psremoting.client.streams import StreamKind, tagged
from psremoting.formatting import error_text, record_text, value_text
from psrp.clixml import DateTime, Dictionary, List, PSObject, SecureString, TimeSpan
from psrp.records import ErrorCategory, ErrorRecord, InformationalRecord, InformationRecord

ID = UUID(int=7)
ENUM = PSObject(("System.DayOfWeek", "System.Enum"), to_string="Friday", value=5)

SHOWN: list[tuple[Any, str]] = [
    ("a\nb", "a\nb"),
    (5, "5"),
    (True, "True"),
    (1.5, "1.5"),
    (3.0, "3"),
    (float("nan"), "NaN"),
    (Decimal("1.10"), "1.10"),
    (None, ""),
    (ENUM, "Friday"),
    (DateTime(0), "0001-01-01 00:00:00"),
    (TimeSpan(453650), "00:00:00.0453650"),
    (TimeSpan(-864_000_000_000 - 10_000_000), "-1.00:00:01"),
    (SecureString("secret"), "System.Security.SecureString"),
    (List([1, List([2, 3])]), "1\n2\n3"),
    (PSObject(to_string="shown"), "shown"),
    (PSObject.custom(Name="x", Of=None), "\nName : x\nOf   :\n"),
    (PSObject.custom(A=[1, 2, 3, 4, 5]), "\nA : {1, 2, 3, 4, …}\n"),
    (PSObject.custom(A="one\ntwo"), "\nA : one\n    two\n"),
    (PSObject.custom(A=Dictionary({"k": 1})), "\nA : {[k, 1]}\n"),
    (Dictionary({"Name": "v", "N": 1}), "\nName : v\nN    : 1\n"),
]


@pytest.mark.parametrize(("value", "text"), SHOWN, ids=lambda each: repr(each)[:30])
def test_a_value_as_text(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_an_object_that_contains_itself_is_shown_all_the_same() -> None:
    value = PSObject.custom(A=1)
    value.extended["Me"] = value
    assert value_text(value).startswith("\nA  : 1\nMe : @{A=1; Me=@{")


def test_the_server_cannot_pass_for_another() -> None:
    """Statement C36."""
    value = PSObject(
        adapted={"PSComputerName": "bank", "A": 1}, extended={"runspaceid": "x", "B": 2}
    )
    made = tagged(value, "lab", ID)
    assert made is not None
    assert made["PSComputerName"] == "lab"
    assert made["RunspaceId"] == ID
    assert sorted(made) == ["A", "B", "PSComputerName", "PSShowComputerName", "RunspaceId"]
    assert value.get("PSComputerName") == "bank"
    assert tagged(None, "lab", ID) is None


def test_where_an_object_came_from_is_shown_unless_it_is_hidden() -> None:
    made = tagged(PSObject.custom(A=1), "lab", ID)
    assert (
        value_text(made) == f"\nA              : 1\nPSComputerName : lab\nRunspaceId     : {ID}\n"
    )
    assert value_text(made, hide_computer_name=True) == "\nA : 1\n"
    assert value_text(tagged(5, "lab", ID)) == "5"


RECORD = ErrorRecord.create(
    "Cannot find path 'x' because it does not exist.",
    error_id="PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
    category=ErrorCategory.ObjectNotFound,
    exception_type="System.Management.Automation.ItemNotFoundException",
    activity="Get-Item",
    target_name="x",
    target_type="String",
)


def test_an_error_in_powershells_form() -> None:
    category = "ObjectNotFound: (x:String) [Get-Item], ItemNotFoundException"
    assert error_text(RECORD, "lab").splitlines() == [
        "Get-Item: [lab] Cannot find path 'x' because it does not exist.",
        f"    + CategoryInfo          : {category}",
        "    + FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
        "    + PSComputerName        : lab",
    ]
    concise = "Get-Item: Cannot find path 'x' because it does not exist."
    assert error_text(RECORD, view="concise") == concise
    assert error_text(RECORD, view="category") == category


def test_an_error_without_a_command_is_called_by_its_exception() -> None:
    record = ErrorRecord.create("x", exception_type="System.IO.IOException")
    assert error_text(record, view="concise") == "IOException: x"


def test_records_are_marked_and_cannot_repaint_the_screen() -> None:
    record = InformationalRecord(message="a\x07b\x9bc\x1b[31md\x1b[2Je")
    assert record_text(StreamKind.WARNING, record) == "WARNING: a�b�c\x1b[31md�[2Je"
    assert record_text(StreamKind.VERBOSE, InformationalRecord(message="v")) == "VERBOSE: v"
    assert record_text(StreamKind.INFORMATION, InformationRecord(message_data="said")) == "said"
