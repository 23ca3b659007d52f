"""Arguments bind to parameters, and commands resolve parameter sets, as in PowerShell."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from psremoting.console.tables import COMMANDS, ENTER, GET, INVOKE, NEW, REMOVE, find_command
from psremoting.powershell import syntax as s
from psremoting.powershell.binder import Binding, Given, bind, bind_input
from psremoting.powershell.binding_errors import BindingError, MissingMandatory
from psremoting.powershell.evaluator import Scope, argument_value
from psremoting.powershell.parser import parse
from psremoting.session_table import SessionEntry
from psrp.clixml import ScriptBlock


class _Session:
    id = UUID(int=7)
    computer = "lab"
    transport = "SSH"
    state = "Opened"
    availability = "Available"
    application_private_data = None


SESSION = SessionEntry(
    _Session(),  # type: ignore[arg-type]
    id=3,
    name="lab",
    configuration_name="DefaultShell",
)
TABLES = {table.name: table for table in COMMANDS}


def line(text: str, *values: Any) -> Binding:
    """Bind ``text``; each ``?`` in it is replaced by the next of ``values``."""
    rest = list(values)
    ((call,),) = [each.elements for each in parse(text).statements if isinstance(each, s.Pipeline)]
    assert isinstance(call, s.CommandCall)
    assert isinstance(call.name, s.StringConstant)
    given = []
    for each in call.arguments:
        if isinstance(each, s.CommandParameter):
            value = Given.NOTHING if each.value is None else _value(each.value, rest)
            given.append(Given(each.name, value))
        else:
            given.append(Given(None, _value(each, rest)))
    return bind(TABLES[call.name.value], given)


def _value(node: s.Expression, rest: list[Any]) -> Any:
    if node == s.StringConstant("?"):
        return rest.pop(0)
    if isinstance(node, s.ArrayLiteral):
        return [_value(item, rest) for item in node.items]
    return argument_value(node, Scope())


@pytest.mark.parametrize(
    ("text", "set_name", "values"),
    [
        ("Enter-PSSession Server01", "ComputerName", {"ComputerName": "Server01"}),
        ("Enter-PSSession 5", "Id", {"Id": 5}),
        ("Enter-PSSession -Id 5", "Id", {"Id": 5}),
        ("Enter-PSSession -id '5'", "Id", {"Id": 5}),
        ("Enter-PSSession -Name 007", "Name", {"Name": "007"}),
        ("Enter-PSSession -HostName h", "SSHHost", {"HostName": "h"}),
        ("Enter-PSSession -Ho h", "SSHHost", {"HostName": "h"}),
        ("Enter-PSSession -HostName:h", "SSHHost", {"HostName": "h"}),
        ("Enter-PSSession h -UserName u", "SSHHost", {"HostName": "h", "UserName": "u"}),
        ("Enter-PSSession h -SSHTransport", "SSHHost", {"HostName": "h", "SSHTransport": True}),
        ("Enter-PSSession -cn h", "ComputerName", {"ComputerName": "h"}),
        ("Enter-PSSession h -UseSSL:$false", "ComputerName", None),
        ("Enter-PSSession -HostName h -ConnectingTimeout -5", "SSHHost", None),
        ("Enter-PSSession -HostName h -IdentityFilePath k", "SSHHost", {
            "HostName": "h", "KeyFilePath": "k"}),
        ("Enter-PSSession -Authentication kerberos -URI http://a", "Uri", {
            "ConnectionUri": "http://a", "Authentication": "Kerberos"}),
        (
            "Enter-PSSession -InstanceId 00000000-0000-0000-0000-000000000000",
            "InstanceId",
            {"InstanceId": UUID(int=0)},
        ),
        ("New-PSSession -HostName a,b", "SSHHost", {"HostName": ["a", "b"]}),
        ("New-PSSession", "ComputerName", {}),
        ("New-PSSession -Name a -HostName b", "SSHHost", {"Name": ["a"], "HostName": ["b"]}),
        ("Get-PSSession", "Name", {}),
        ("Get-PSSession 1,2", "Id", {"Id": [1, 2]}),
        ("Get-PSSession lab", "ComputerName", {"ComputerName": ["lab"]}),
        ("Get-PSSession -State Opened -cn a", "ComputerName", None),
        ("Remove-PSSession 1, 2", "Id", {"Id": [1, 2]}),
        ("Remove-PSSession -Name a*", "Name", {"Name": ["a*"]}),
        ("Remove-PSSession lab", "ComputerName", {"ComputerName": ["lab"]}),
        ("Enter-PSSession -Target local", "Target", {"Target": "local"}),
    ],
)  # fmt: skip
def test_a_command_line_selects_its_set_and_values(
    text: str, set_name: str, values: dict[str, Any] | None
) -> None:
    binding = line(text)
    assert binding.set_name == set_name
    if values is not None:
        assert binding.values == values


def test_values_that_fit_as_they_are_go_before_values_that_can_be_converted() -> None:
    assert line("Enter-PSSession ?", SESSION).values == {"Session": SESSION}
    assert line("Remove-PSSession ?", SESSION).values == {"Session": [SESSION]}
    block = ScriptBlock("1")
    both = line("Invoke-Command ? ?", SESSION, block)
    assert (both.set_name, both.values) == (
        "Session",
        {"Session": [SESSION], "ScriptBlock": block},
    )
    assert line("Invoke-Command ?", block).set_name == "InProcess"
    named = line("Invoke-Command -HostName a ?", block)
    assert (named.set_name, named["ScriptBlock"]) == ("SSHHost", block)
    assert line("Invoke-Command -HostName a -FilePath x").set_name == "FilePathSSHHost"


@pytest.mark.parametrize(
    ("text", "error_id", "message"),
    [
        (
            "Enter-PSSession -HostName a -ComputerName b",
            "AmbiguousParameterSet",
            "Parameter set cannot be resolved using the specified named parameters. One or more "
            "parameters issued cannot be used together or an insufficient number of parameters "
            "were provided.",
        ),
        ("Enter-PSSession -Id 1 -Name a", "AmbiguousParameterSet", None),
        ("Enter-PSSession -Credential u -RunAsAdministrator", "AmbiguousParameterSet", None),
        (
            "Enter-PSSession -UserName u",
            "MissingMandatoryParameter",
            "Cannot process command because of one or more missing mandatory parameters: "
            "HostName.",
        ),
        ("Enter-PSSession", "MissingMandatoryParameter", None),
        ("Enter-PSSession -VMName x", "MissingMandatoryParameter", None),
        ("Remove-PSSession", "MissingMandatoryParameter", None),
        (
            "Enter-PSSession -Bogus",
            "NamedParameterNotFound",
            "A parameter cannot be found that matches parameter name 'Bogus'.",
        ),
        (
            "Enter-PSSession a b",
            "PositionalParameterNotFound",
            "A positional parameter cannot be found that accepts argument 'b'.",
        ),
        (
            "Enter-PSSession -Co a",
            "AmbiguousParameter",
            "Parameter cannot be processed because the parameter name 'Co' is ambiguous. Possible "
            "matches include: -ComputerName -ConfigurationName -ConnectionUri "
            "-ConnectingTimeout -ContainerId.",
        ),
        (
            "Enter-PSSession -HostName",
            "MissingArgument",
            "Missing an argument for parameter 'HostName'. Specify a parameter of type "
            "'System.String' and try again.",
        ),
        ("New-PSSession -HostName -Name a", "MissingArgument", None),
        (
            "Enter-PSSession -HostName a -HostName b",
            "ParameterAlreadyBound",
            "Cannot bind parameter because parameter 'HostName' is specified more than once. To "
            "provide multiple values to parameters that can accept multiple values, use the "
            'array syntax. For example, "-parameter value1,value2,value3".',
        ),
        (
            "Enter-PSSession -HostName a -Port abc",
            "CannotConvertArgumentNoMessage",
            "Cannot bind parameter 'Port'. Cannot convert value \"abc\" to type \"System.Int32\". "
            "Error: \"The input string 'abc' was not in a correct format.\"",
        ),
        (
            "Enter-PSSession -HostName a -Port 99999999999",
            "CannotConvertArgumentNoMessage",
            "Cannot bind parameter 'Port'. Cannot convert value \"99999999999\" to type "
            '"System.Int32". Error: "Value was either too large or too small for an Int32."',
        ),
        (
            "Enter-PSSession -Session abc",
            "CannotConvertArgumentNoMessage",
            "Cannot bind parameter 'Session'. Cannot convert the \"abc\" value of type "
            '"System.String" to type "System.Management.Automation.Runspaces.PSSession".',
        ),
        ("Enter-PSSession -InstanceId abc", "CannotConvertArgumentNoMessage", None),
        ("Enter-PSSession -HostName a -Options b", "CannotConvertArgumentNoMessage", None),
        ("Enter-PSSession a -Authentication x", "CannotConvertArgumentNoMessage", None),
        (
            "Enter-PSSession -HostName a,b",
            "CannotConvertArgument",
            "Cannot convert 'System.Object[]' to the type 'System.String' required by parameter "
            "'HostName'. Specified method is not supported.",
        ),
        (
            "Enter-PSSession -HostName a -Port 70000",
            "ParameterArgumentValidationError",
            "Cannot validate argument on parameter 'Port'. The 70000 argument is greater than the "
            "maximum allowed range of 65535. Supply an argument that is less than or equal to "
            "65535 and then try the command again.",
        ),
        ("Enter-PSSession -HostName a -Port 0", "ParameterArgumentValidationError", None),
        (
            "Enter-PSSession -Session $null",
            "ParameterArgumentValidationError",
            "Cannot validate argument on parameter 'Session'. The argument is null or empty. "
            "Provide an argument that is not null or empty, and then try the command again.",
        ),
        ("Enter-PSSession -HostName a -SSHTransport:$false", "ParameterArgumentValidationError",
         None),
        (
            "Enter-PSSession -HostName $null",
            "ParameterArgumentValidationErrorNullNotAllowed",
            "Cannot bind argument to parameter 'HostName' because it is null.",
        ),
        (
            "Enter-PSSession -HostName ''",
            "ParameterArgumentValidationErrorEmptyStringNotAllowed",
            "Cannot bind argument to parameter 'HostName' because it is an empty string.",
        ),
        (
            "Enter-PSSession a -Credential $true",
            "ParameterArgumentTransformationError",
            None,
        ),
    ],
)  # fmt: skip
def test_binding_errors_are_those_of_powershell(
    text: str, error_id: str, message: str | None
) -> None:
    with pytest.raises(BindingError) as caught:
        line(text)
    assert caught.value.error_id == error_id
    if message is not None:
        assert str(caught.value) == message


def test_an_abbreviation_means_a_parameter_of_powershell_first() -> None:
    bound = line("Invoke-Command ? ? -T 5", SESSION, ScriptBlock("1"))
    assert bound["ThrottleLimit"] == 5


def test_several_sessions_are_too_many_for_one() -> None:
    with pytest.raises(BindingError) as caught:
        line("Enter-PSSession -Session ?", [SESSION, SESSION])
    assert caught.value.error_id == "CannotConvertArgument"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingMandatory) as caught:
        line("Enter-PSSession -VMName x")
    assert caught.value.parameters == ("Credential",)


def test_a_session_of_the_pipeline_goes_to_session() -> None:
    for table in (ENTER, REMOVE):
        start = bind(table, [], expects_input=True)
        bound = bind_input(start, SESSION)
        assert bound.set_name == "Session"
        assert bound["Session"] in (SESSION, [SESSION])
        assert start.values == {}


def test_a_text_of_the_pipeline_goes_to_the_default_set() -> None:
    bound = bind_input(bind(ENTER, [], expects_input=True), "Server01")
    assert (bound.set_name, bound.values) == ("ComputerName", {"ComputerName": "Server01"})
    ssh = bind(ENTER, [Given("UserName", "u")], expects_input=True)
    assert bind_input(ssh, "h").values == {"UserName": "u", "HostName": "h"}


def test_properties_of_the_pipeline_find_their_names() -> None:
    bound = bind_input(bind(GET, [], expects_input=True), SESSION)
    assert bound["Name"] == ["lab"]
    assert (
        bind_input(bind(INVOKE, [Given(None, ScriptBlock("1"))], expects_input=True), 5)[
            "InputObject"
        ]
        == 5
    )


def test_an_argument_without_a_parameter_is_an_error() -> None:
    with pytest.raises(BindingError) as caught:
        bind_input(bind(ENTER, [Given("Id", 1)], expects_input=True), "x")
    assert caught.value.error_id == "InputObjectNotBound"


def test_what_a_command_finds_out_itself_is_not_missed() -> None:
    def complete(binding: Binding) -> None:
        binding.values["HostName"] = "from the options"

    bound = bind(ENTER, [Given("UserName", "u")], complete=complete)
    assert bound["HostName"] == "from the options"


@pytest.mark.parametrize("table", COMMANDS, ids=lambda table: table.name)
def test_each_parameter_table_is_consistent(table: Any) -> None:
    names = [n.casefold() for p in table.parameters for n in (p.name, *p.aliases)]
    assert len(names) == len(set(names))
    assert table.default_set is None or table.default_set in table.sets
    assert all(each.help.endswith(".") for each in table.parameters)
    for set_name in table.sets:
        positions = [
            role.position
            for each in table.parameters
            if (role := each.role(set_name)) is not None and role.position is not None
        ]
        assert len(positions) == len(set(positions))
    assert find_command(table.name.upper()) is table


def test_enter_has_every_parameter_of_its_page() -> None:
    page = """
        ComputerName Port UseSSL ApplicationName ConfigurationName SessionOption Authentication
        CertificateThumbprint Credential ConnectionUri AllowRedirection EnableNetworkAccess
        HostName UserName KeyFilePath Subsystem ConnectingTimeout SSHTransport Options Session Id
        InstanceId Name VMId VMName ContainerId RunAsAdministrator
    """
    assert {each.name for each in ENTER.parameters if not each.common} == {*page.split()}
    assert set(ENTER.sets) >= {
        "ComputerName", "SSHHost", "Session", "Uri", "InstanceId", "Id", "Name", "VMId",
        "VMName", "ContainerId",
    }  # fmt: skip
    assert NEW.find("sshconnection") is not None
