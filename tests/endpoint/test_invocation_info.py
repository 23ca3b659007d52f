"""InvocationInfo: the command and the position in a record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from psremoting.capture.decoding import decode
from psremoting.endpoint import FROM_PIPELINE, CommandError, Context, FunctionsEngine
from psremoting.endpoint.invocation_info import position_message
from psremoting.powershell.syntax import Place
from psrp import events as e
from psrp.clixml import Dictionary, PSObject, loads
from psrp.commands import PowerShell, command, script
from psrp.properties import unwrap
from psrp.records import ErrorCategory, ErrorRecord
from tests.endpoint.clients import Client, Result, connected
from tests.endpoint.replays import Messages, packets
from tests.endpoint.test_recorded_client import FOLDER, needs
from tests.recordings import FIXTURES

ERROR, WARNING = 0x41005, 0x41009
ADD_TO_ALL = 15


async def complain(context: Context, text: str = "w") -> AsyncIterator[str]:
    await context.write_warning(text)
    await context.write_error("e")
    yield "out"


def boom(number: int = 0, *, size: int = 1) -> None:
    raise ValueError("no good")


COMMANDS: dict[str, Any] = {"Show-Complaint": complain, "Invoke-Boom": boom}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with connected(FunctionsEngine(COMMANDS)) as client:
        yield client


def recorded(name: str, kind: int) -> list[PSObject]:
    truth = Messages()
    for one in packets(FOLDER / f"{name}.jsonl"):
        if one.sender == "server":
            truth.take(one)
    return [loads(body) for _, number, body in truth.all if number == kind]


def facts(info: PSObject) -> dict[str, Any]:
    return {name: unwrap(info[name]) for name in info}


def plain(value: Any) -> Any:
    """Return an unwrapped value, a list or dictionary as a plain list."""
    value = unwrap(value)
    return [*value] if isinstance(value, (list, Dictionary)) else value


def only_error(result: Result) -> ErrorRecord:
    (record,) = result.errors
    assert isinstance(record, ErrorRecord)
    return record


async def test_an_error_of_a_command_has_the_members_that_powershell_sends(client: Client) -> None:
    """The object is sent without the option as well, the members are not."""
    result = await client.invoke(command("Show-Complaint"))
    ours, theirs = only_error(result).invocation, recorded("streams", ERROR)[1]["InvocationInfo"]
    assert ours.type_names == theirs.type_names
    assert ours.to_string == theirs.to_string
    assert list(ours) == list(theirs)
    for name in ours:
        assert type(ours[name]) is type(theirs[name]) or None in (ours[name], theirs[name]), name
    assert facts(ours) | {"Line": "", "Statement": ""} == facts(theirs) | {
        "MyCommand": "Show-Complaint",
        "InvocationName": "Show-Complaint",
        **dict.fromkeys(("ScriptLineNumber", "OffsetInLine"), 0),
        **dict.fromkeys(("Line", "Statement", "PositionMessage"), ""),
    }
    assert only_error(result).invocation_info is None
    assert only_error(result).script_stack_trace is None


async def test_a_command_in_a_script_has_a_place(client: Client) -> None:
    result = await client.invoke("'x'\n  Show-Complaint 'a b' | Out-Default; 'y'")
    record = only_error(result)
    assert facts(record.invocation) | {"HistoryId": 1} == {
        **facts(record.invocation),
        "MyCommand": "Show-Complaint",
        "ScriptLineNumber": 2,
        "OffsetInLine": 3,
        "Line": "  Show-Complaint 'a b' | Out-Default; 'y'",
        "Statement": "Show-Complaint 'a b'",
        "PositionMessage": "At line:2 char:3\n"
        "+   Show-Complaint 'a b' | Out-Default; 'y'\n"
        "+   ~~~~~~~~~~~~~~~~~~~~",
        "HistoryId": 1,
    }
    assert record.script_stack_trace == "at <ScriptBlock>, <No file>: line 2"


BLAMED = [
    ("Invoke-Boom 1", "Invoke-Boom 1"),
    ("Invoke-Boom x", "x"),
    ("Invoke-Boom -Size x 5", "x"),
    ("Invoke-Boom -Size:x", "-Size:x"),
    ("Invoke-Boom 1 -Nope 2", "-Nope"),
    ("Invoke-Boom -Size 1 -Size 2", "-Size"),
    ("Invoke-Boom -Size", "-Size"),
    ("Invoke-Boom 1 2 3", "Invoke-Boom 1 2 3"),
    ("Get-Nothing 5", "Get-Nothing 5"),
]


@pytest.mark.parametrize(("line", "blamed"), BLAMED)
async def test_a_wrong_argument_is_pointed_at(client: Client, line: str, blamed: str) -> None:
    record = only_error(await client.invoke(f"{line}; 1"))
    assert record.invocation["Statement"] == blamed
    name = line.partition(" ")[0]
    assert record.invocation["InvocationName"] == name
    assert record.invocation["MyCommand"] == (None if name == "Get-Nothing" else name)


async def test_what_the_client_asks_for_is_added_to_errors_and_warnings(client: Client) -> None:
    result = await client.invoke(command("Show-Complaint"), options=ADD_TO_ALL)
    (warning,) = (each.record for each in result.of(e.WarningRecordMessage))
    for ours, theirs, prefix in (
        (only_error(result).to_object(), recorded("pipeline-shapes", ERROR)[0], ""),
        (
            warning.to_object("Warning"),
            recorded("pipeline-shapes", WARNING)[0],
            "InformationalRecord_",
        ),
    ):
        # A command that was not sent as a script has no stack trace; the details are a member of
        # the type.
        assert set(ours) == set(theirs) - {"ErrorDetails_ScriptStackTrace", "PSMessageDetails"}
        added = [each for each in ours if each.startswith(("InvocationInfo_", "SerializeExt"))]
        differ = ["InvocationInfo_InvocationName"]
        if prefix:
            # The recorded object is that of a script, which takes no pipeline input.
            differ.append("InvocationInfo_PipelineIterationInfo")
            assert plain(ours["InvocationInfo_PipelineIterationInfo"]) == [0, 1]
        for name in added:
            expected = "Show-Complaint" if name == differ[0] else plain(theirs[name])
            assert name in differ[1:] or plain(ours[name]) == expected, name
        assert plain(ours[f"{prefix}PipelineIterationInfo"]) == [0, 1]
        assert ours["CommandInfo_Name"] == "Show-Complaint"
        assert ours["CommandInfo_CommandType"].to_string == "Function"
        assert ours["CommandInfo_Visibility"] == theirs["CommandInfo_Visibility"]


async def test_the_end_of_a_pipeline_carries_no_added_members(client: Client) -> None:
    result = await client.invoke(command("Invoke-Boom"), options=ADD_TO_ALL)
    record = result.end.error
    assert (result.state, record.invocation_info) == ("FAILED", None)
    assert record.invocation["MyCommand"] == "Invoke-Boom"


async def test_a_record_says_at_which_object_its_command_is() -> None:
    async def check(context: Context, number: Annotated[int, FROM_PIPELINE]) -> int:
        if number == 2:
            await context.write_error("two")
        return number

    async with connected(FunctionsEngine({"Test-Number": check})) as client:
        result = await client.invoke("1,2 | Test-Number | Measure-Object", options=1)
    record = only_error(result)
    assert record.pipeline_iteration_info == (0, 1, 2, 0)
    assert record.invocation["Statement"] == "Test-Number"


async def test_an_alias_is_the_name_that_it_was_called_by(client: Client) -> None:
    record = only_error(await client.invoke("1 | select -Nope; 1"))
    info = record.invocation
    assert (info["InvocationName"], info["MyCommand"]) == ("select", "Select-Object")


async def test_a_line_has_the_number_that_the_next_in_the_history_gets(client: Client) -> None:
    numbers = []
    for _ in range(2):
        record = only_error(await client.invoke("Invoke-Boom"))
        numbers.append(int(record.invocation["HistoryId"]))
    assert numbers == [1, 2]


async def test_a_place_in_a_very_long_line_is_left_out(client: Client) -> None:
    """Otherwise a line of many unknown commands would be repeated in the error of each."""
    record = only_error(await client.invoke("Invoke-Boom" + " " * 5000))
    assert (record.invocation["Line"], record.invocation["OffsetInLine"]) == ("", 0)
    assert record.invocation["MyCommand"] == "Invoke-Boom"


async def test_input_that_is_not_a_command_has_no_place(client: Client) -> None:
    for what in (command("Get-Nothing"), "if ("):
        result = await client.invoke(what)
        assert (result.state, result.end.error.invocation) == ("FAILED", None)


async def test_merged_errors_and_warnings_come_as_output(client: Client) -> None:
    result = await client.invoke("Show-Complaint 2>&1; Show-Complaint 3>&1 2>&1", options=1)
    assert [each if isinstance(each, str) else each.to_string for each in result.output] == [
        *("e", "out"),
        *("w", "e", "out"),
    ]
    assert len(result.of(e.WarningRecordMessage)) == 1
    assert result.errors == []


JEA = FIXTURES / "wsman" / "test_psrp_with_jea_configuration.yml"


async def provider_missing(context: Context, path: str) -> None:
    await context.write_error(
        CommandError(
            "Cannot find a provider with the name 'FileSystem'.",
            error_id="ProviderNotFound",
            category=ErrorCategory.ObjectNotFound,
            exception_type="System.Management.Automation.ProviderNotFoundException",
            target="FileSystem",
        )
    )


async def test_a_recorded_constrained_endpoint_sends_the_same_errors() -> None:
    """The first error is from a command, the second from a script, in one batch."""
    said: list[Any] = [entry.event for entry in decode(JEA)]
    (theirs,) = (each.record for each in said if isinstance(each, e.ErrorRecordMessage))
    their_end = next(each.error for each in said if getattr(each, "error", None) is not None)
    text = their_end.target_object.replace("$false", "$x")
    async with connected(FunctionsEngine({"Get-Item": provider_missing})) as client:
        batch = PowerShell.of(command("Get-Item", Path="C:\\Windows")).then(script(text))
        result = await client.invoke(batch, options=ADD_TO_ALL)
    ours, our_end = only_error(result), result.end.error
    for name in ("category", "category_activity", "category_reason", "category_message"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert set(facts(ours.invocation)) - {"Statement"} == set(facts(theirs.invocation))
    for name in theirs.invocation:
        assert plain(ours.invocation[name]) == plain(theirs.invocation[name]), name
    assert ours.pipeline_iteration_info == theirs.pipeline_iteration_info
    mine, real = ours.to_object(), theirs.to_object()
    added = [name for name in real if name.startswith(("InvocationInfo_", "Serialize"))]
    for name in (*added, "CommandInfo_Name", "CommandInfo_Visibility"):
        assert plain(mine[name]) == plain(real[name]), name
    assert our_end.message == their_end.message
    assert our_end.fully_qualified_error_id == their_end.fully_qualified_error_id
    assert our_end.category_reason == their_end.category_reason
    assert our_end.target_object == text
    assert (our_end.invocation, their_end.invocation) == (None, None)


async def test_a_script_is_refused_with_its_whole_text(client: Client) -> None:
    """Long names are shortened only in the category message."""
    text = "Set-Item -Path WSMan:\\localhost\\Service\\AllowUnencrypted -Value $x"
    record = (await client.invoke(text)).end.error
    assert record.target_object == record.category_target_name == text
    assert record.category_message == (
        "ParserError: (Set-Item -Path WSMa…encrypted -Value $x:String) [], ParseException"
    )


async def test_the_scope_of_the_caller_is_refused(client: Client) -> None:
    what = PowerShell.of(command("Invoke-Boom", use_local_scope=False))
    result = await client.invoke(what)
    assert result.end.error.fully_qualified_error_id == "RuntimeException"
    assert result.end.error.message.startswith("UseLocalScope cannot be false")


async def test_a_question_mark_shows_the_help_of_a_command(client: Client) -> None:
    result = await client.invoke("Invoke-Boom 5 -?")
    (shown,) = result.output
    assert shown["Name"] == "Invoke-Boom"


# -- the position message


def placed(text: str, piece: str) -> str:
    start = text.index(piece)
    return position_message(Place(text, start, start + len(piece), text.count("\n", 0, start) + 1))


@needs("streams")
def test_the_recorded_position_messages_are_made_again() -> None:
    found = 0
    for name in ("streams", "exit-code"):
        for record in recorded(name, ERROR):
            info = record["InvocationInfo"]
            if info["PositionMessage"]:
                lines = "\n" * (info["ScriptLineNumber"] - 1) + info["Line"]
                assert placed(lines, info["Statement"]) == info["PositionMessage"]
                found += 1
    assert found == 3


POSITIONS = [
    ("a\tb c", "b", "At line:1 char:3\n+ a    b c\n+      ~"),
    ("one\n  two three\r\nfour", "two", "At line:2 char:3\n+   two three\n+   ~~~"),
    ("two lines\nhere", "lines\nhere", "At line:1 char:5\n+ two lines\n+     ~~~~~"),
    ("x" * 100, "x" * 100, f"At line:1 char:1\n+ {'x' * 69} …\n+ {'~' * 69}"),
    (
        "a" * 50 + "-Name" + "b" * 50,
        "-Name",
        f"At line:1 char:51\n+ {'a' * 50}-Name{'b' * 14} …\n+ {' ' * 50}~~~~~",
    ),
    (
        "a" * 90 + "-Name",
        "-Name",
        f"At line:1 char:91\n+ … {'a' * 64}-Name\n+ {' ' * 66}~~~~~",
    ),
    ("\U0001f600 x", "x", "At line:1 char:4\n+ \U0001f600 x\n+   ~"),
]


@pytest.mark.parametrize(("text", "piece", "expected"), POSITIONS)
def test_a_place_is_underlined_in_its_line(text: str, piece: str, expected: str) -> None:
    assert placed(text, piece) == expected
