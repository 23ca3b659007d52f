"""Remote commands as Python callables."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from psremoting import PipelineFailed, PSRemotingError, PSSession, RemoteErrors, sync
from psremoting.client.command_descriptions import read_description
from psremoting.imported_commands import ImportedCommand, ImportedCommands, python_name
from psrp.clixml import List, PSObject
from psrp.commands import Command


async def test_commands_have_signature_docstring_and_result() -> None:
    async with PSSession.connect("local") as session:
        commands = await session.import_commands("Get-Number", "ConvertTo-*", "Write-Output")
        get_number = commands.get_number
        assert list(commands) == ["Get-Number", "ConvertTo-Upper", "Write-Output"]
        assert str(inspect.signature(get_number)) == (
            "(last: int, *, first: int = None, input: Any = None)"
        )
        assert inspect.getdoc(get_number).splitlines()[0] == (
            "Gets numbers in a row, as many as the client takes."
        )
        assert "last: -Last <Int64> (required) - The last number." in get_number.__doc__
        assert await get_number(3) == [1, 2, 3]
        assert await commands["get-number"](last=2, first=2) == 2
        assert await commands.convert_to_upper(input=["a", "b"]) == ["A", "B"]
        assert await commands.convert_to_upper(input=[]) is None


async def test_an_error_record_is_raised() -> None:
    async with PSSession.connect("local") as session:
        commands = await session.import_commands("Get-Number", "Show-Streams", help=False)
        with pytest.raises(PipelineFailed) as failed:
            await commands.get_number(last="many")
        assert failed.value.record.fully_qualified_error_id.startswith("ParameterArgument")
        with pytest.raises(RemoteErrors) as caught:
            await commands.show_streams()
        assert caught.value.record is caught.value.records[0]


async def test_commands_that_are_missing_are_an_error() -> None:
    async with PSSession.connect("local") as session:
        with pytest.raises(PSRemotingError):
            await session.import_commands("Get-Nothing")


def test_a_blocking_session_has_commands_that_wait() -> None:
    with sync.connect("local") as session:
        commands = session.import_commands("Get-Number")
        assert commands.get_number(2) == [1, 2]
        assert "get_number" in dir(commands)


def made(*names: str, **described: Any) -> ImportedCommands[Command]:
    """Return commands that give what they would send."""
    parameters = [
        PSObject.custom(
            Name=name,
            IsMandatory=False,
            Position=-1 if position is None else position,
            ParameterType=PSObject.custom(FullName="System.Int32", IsArray=False),
        )
        for name, position in described.items()
    ]
    only = PSObject.custom(Parameters=List(parameters))
    found = [
        read_description(PSObject.custom(Name=name, ParameterSets=List([only]))) for name in names
    ]
    return ImportedCommands(
        [ImportedCommand(each, None, lambda command, _: command) for each in found if each]
    )


def test_arguments_become_parameters_of_the_command() -> None:
    commands = made("Get-Thing", ComputerName=None, x=0, Input=None)
    sent = commands.get_thing(5, computer_name=1, INPUT=2, error_action="Stop")
    assert str(sent) == "Get-Thing 5 -ComputerName 1 -Input 2 -ErrorAction Stop"
    assert list(inspect.signature(commands.get_thing).parameters) == [
        "x", "computer_name", "input_", "input",
    ]  # fmt: skip
    for arguments, named in (((), {"y": 1}), ((1, 2), {}), ((), {"x": 1, "X": 2})):
        with pytest.raises(TypeError, match=r"get_thing\(\) "):
            commands.get_thing(*arguments, **named)
    assert str(made("f").f(1, 2)) == "f 1 2"


def test_names_that_are_no_identifiers_are_items() -> None:
    commands = made("/bin/uname", "%", "Get-Thing", "get_thing", "if")
    assert commands["%"].name == "%"
    assert commands["/BIN/uname"].name == "/bin/uname"
    assert commands.get_thing.name == "Get-Thing"
    assert commands["get_thing"].name == "get_thing"
    assert commands.if_.name == "if"
    with pytest.raises(AttributeError, match="no remote command 'get_other'"):
        commands.get_other  # noqa: B018
    with pytest.raises(KeyError):
        commands["Get-Other"]
    assert ("%" in commands, "x" in commands, len(commands)) == (True, False, 5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ConvertTo-UpperCase", "convert_to_upper_case"), ("Get-ADUser", "get_ad_user"),
     ("import", "import_"), ("Export-CSV2", "export_csv2"), ("é-ü", "")],
)  # fmt: skip
def test_a_name_of_powershell_has_a_name_in_python(name: str, expected: str) -> None:
    assert python_name(name) == expected


@pytest.mark.parametrize(
    "value",
    [None, "text", PSObject.custom(), PSObject.custom(Name="x"), PSObject.custom(Name=5)],
)
def test_another_object_describes_no_command(value: object) -> None:
    assert read_description(value) is None
