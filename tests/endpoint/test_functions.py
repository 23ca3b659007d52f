"""Python functions as commands: parameters, output, all streams, errors, the client's host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest

from psremoting.endpoint import (
    FROM_PIPELINE,
    CommandError,
    Context,
    FunctionsEngine,
    Input,
    Param,
    SyncContext,
)
from psrp import events as e
from psrp.clixml import Dictionary, PSObject, SecureString
from psrp.commands import Parameter, PowerShell, command
from psrp.host import ConsoleColor, Credential, HostInfo, HostMethodId
from psrp.records import ErrorCategory, ProgressType
from tests.endpoint.clients import Client, Result, connected


@dataclass
class Thing:
    name: str
    size: int


def add(a: int, b: int = 2, *, twice: bool = False) -> int:
    """Adds two numbers.

    The longer text.
    """
    return (a + b) * (2 if twice else 1)


async def count(n: int) -> AsyncIterator[int]:
    for number in range(n):
        yield number


def words(text: Annotated[str, FROM_PIPELINE], *, mark: str = "!") -> Iterator[str]:
    for word in text.split():
        yield word + mark


async def total(input: Input) -> int:
    return sum([item async for item in input])


def total_in_thread(input: Iterable[int]) -> int:
    return sum(input)


def color(name: Literal["red", "green"]) -> str:
    return name


def named(name: Annotated[str, Param(by_property_name=True, aliases=("Nick",))]) -> str:
    return f"<{name}>"


def boom(text: str = "no such file") -> None:
    raise FileNotFoundError(text)


def careful() -> None:
    raise CommandError("Not today.", error_id="NotToday", category=ErrorCategory.NotEnabled)


def leave() -> None:
    raise SystemExit(3)


def rest(first: str, /, *more: str) -> list[str]:
    return [first, *more]


_SECRET = Param(secret=True)
COMMANDS: dict[str, Any] = {
    "Add-Number": add,
    "Get-Count": count,
    "Split-Word": words,
    "Measure-Total": total,
    "Measure-ThreadTotal": total_in_thread,
    "Get-Color": color,
    "Get-Named": named,
    "Invoke-Boom": boom,
    "Invoke-Careful": careful,
    "Stop-Everything": leave,
    "Get-Rest": rest,
    "Get-Thing": lambda: [Thing("a", 1), Thing("b", 2)],
    "Get-Table": lambda: {"one": 1},
    "Get-Echo": lambda value=None: value,
}


async def invoke(what: Any, input: Any = None, **more: Any) -> Result:
    async with connected(FunctionsEngine({**COMMANDS, **more})) as client:
        return await client.invoke(what, input)


OUTPUTS: list[tuple[Any, list[Any]]] = [
    (command("Add-Number", 1), [3]),
    (command("add-number", "5", B=7), [12]),
    (command("Add-Number", A=5, Twice=True), [14]),
    ("Add-Number 1 -Twice", [6]),
    ("Add-Number -A:1 -b 0x10 -Twice:$false", [17]),
    ("Get-Count 3; 'x'", [0, 1, 2, "x"]),
    ("'a b','c' | Split-Word -Mark '?'", ["a?", "b?", "c?"]),
    ("Get-Count 5 | Measure-Total", [10]),
    ("Get-Count 300 | Measure-ThreadTotal", [44850]),
    ("Get-Color GREEN", ["green"]),
    ("Get-Rest a b c,d", ["a", "b", "c d"]),
    ("Get-Echo 007 | Split-Word", ["7!"]),
    ("Split-Word 007", ["007!"]),
    ("@(1, 'two')", [1, "two"]),
    ("Get-Thing | Select-Object -ExpandProperty size", [1, 2]),
    ("Get-Count 10 | Select-Object -Skip 2 -First 2", [2, 3]),
    ("Get-Count 10 | Select-Object -Last 2", [8, 9]),
    ("1,1,2 | Select-Object -Unique", [1, 2]),
    ("Get-Count 4 | Measure-Object | Select-Object -ExpandProperty Count", [4]),
    ("Get-Count 4 | Measure-Object -Sum | Select-Object -ExpandProperty Sum", [6.0]),
]


@pytest.mark.parametrize(("what", "output"), OUTPUTS, ids=[str(what) for what, _ in OUTPUTS])
async def test_a_command_gives_what_its_function_returns(what: Any, output: list[Any]) -> None:
    result = await invoke(what)
    assert (result.state, result.errors) == ("COMPLETED", [])
    assert result.output == output


async def test_what_does_not_fit_is_named_by_its_type_in_powershell() -> None:
    tables, lists = "System.Collections.Hashtable", "System.Collections.ArrayList"
    for given, kind in (("@{ a = 1 }", tables), ("@()", lists)):
        (record,) = (await invoke(f"Add-Number {given}; 1")).errors
        assert record.message == (
            f"Cannot process argument transformation on parameter 'A'. Cannot convert the "
            f'"{kind}" value of type "{kind}" to type "System.Int64".'
        )


async def test_input_that_nothing_takes_is_an_error_for_each_object() -> None:
    result = await invoke("@(1, 'two') | Get-Echo 5")
    assert result.output == [5]
    assert [each.fully_qualified_error_id for each in result.errors] == [
        "InputObjectNotBound,Get-Echo"
    ] * 2


async def test_a_missing_mandatory_parameter_is_asked_for() -> None:
    def greet(name: Annotated[str, Param(help="whom")], secret: Annotated[str, _SECRET]) -> str:
        return f"{name} {len(secret)}"

    asked: list[Any] = []

    def answer(call: e.PipelineHostCall) -> Any:
        asked.append(call)
        return {"Name": "you", "Secret": SecureString("abc")}

    async with connected(FunctionsEngine({"Get-Greeting": greet})) as client:
        client.answer = answer
        result = await client.invoke(command("Get-Greeting"))
    assert result.output == ["you 3"]
    (call,) = asked
    caption, message, fields = call.arguments
    assert caption == "cmdlet Get-Greeting at command pipeline position 1"
    assert message == "Supply values for the following parameters:"
    assert [(each.name, each.label, each.parameter_type_full_name) for each in fields] == [
        ("Name", "&Name", "System.String"),
        ("Secret", "&Secret", "System.Security.SecureString"),
    ]


async def test_a_table_is_an_argument() -> None:
    def sizes(table: dict[str, int]) -> list[str]:
        return [f"{name}={size}" for name, size in table.items()]

    result = await invoke("Get-Size @{ small = 1; 'very large' = 3 }", **{"Get-Size": sizes})
    assert result.output == ["small=1", "very large=3"]


async def test_the_commands_of_a_restricted_session_and_their_aliases_are_there() -> None:
    result = await invoke(
        "Get-FormatData -TypeName * -PowerShellVersion 5.1; gcm GCM; 1,2 | measure"
    )
    view, alias, counted = result.output
    assert view["TypeName"] == "System.DateTime"
    assert (alias["ResolvedCommandName"], str(alias.to_string)) == ("Get-Command", "gcm")
    assert counted["Count"] == 2
    result = await invoke("Get-Command -CommandType Alias")
    assert [each["DisplayName"].partition(" -> ")[0] for each in result.output] == [
        *("clear", "cls", "exsn", "gcm", "measure", "select"),
    ]
    result = await invoke("Get-Help gcm -Category Cmdlet; Get-Help gcm -Category Function")
    assert [each["Name"] for each in result.output] == ["Get-Command"]
    assert result.errors[0].fully_qualified_error_id == "HelpNotFound,Get-Help"
    result = await invoke(command("Get-History"))
    assert result.end.error.fully_qualified_error_id == "CommandNotFoundException"


async def test_a_command_of_ones_own_hides_an_alias() -> None:
    result = await invoke("select; Get-Command select", select=lambda: "mine")
    mine, info = result.output
    assert (mine, info["CommandType"]) == ("mine", "Function")


async def test_a_real_clients_arguments_are_names_with_dashes_and_values_apart() -> None:
    parameters = (Parameter("-B"), Parameter(None, 4), Parameter("-Twice"), Parameter(None, 1))
    what = PowerShell.of(command("Add-Number"))
    (first,) = what.statements[0]
    result = await invoke(PowerShell.of(replace(first, parameters=parameters)))
    assert result.output == [10]


async def test_objects_tables_and_lists_have_their_shapes() -> None:
    result = await invoke("Get-Thing; Get-Table")
    first, second, table = result.output
    assert isinstance(first, PSObject)
    assert (first["name"], second["size"]) == ("a", 2)
    assert first.type_names[0] == "Thing"
    assert isinstance(table, Dictionary)
    assert table["one"] == 1


async def test_input_of_the_client_reaches_the_first_command() -> None:
    for name in ("Measure-Total", "Measure-ThreadTotal"):
        result = await invoke(command(name), [1, 2, 3])
        assert result.output == [6]
    result = await invoke(command("Split-Word"), ["a b", "c"])
    assert result.output == ["a!", "b!", "c!"]
    result = await invoke("$input | Measure-Total", [4, 5])
    assert result.output == [9]


async def test_a_property_of_the_piped_object_binds_by_name() -> None:
    objects = [PSObject.custom(Name="x"), PSObject.custom(Nick="y"), PSObject.custom(Other=1)]
    result = await invoke(command("Get-Named"), objects)
    assert result.output == ["<x>", "<y>"]
    (error,) = result.errors
    assert error.fully_qualified_error_id == "InputObjectNotBound,Get-Named"


ERRORS = [
    ("Get-Nothing", "CommandNotFoundException", "ObjectNotFound"),
    ("Add-Number", "MissingMandatoryParameter,Add-Number", "InvalidArgument"),
    ("Add-Number x", "ParameterArgumentTransformationError,Add-Number", "InvalidData"),
    ("Add-Number 1 2 3", "PositionalParameterNotFound,Add-Number", "InvalidArgument"),
    ("Add-Number -Nope 1", "NamedParameterNotFound,Add-Number", "InvalidArgument"),
    ("Add-Number 1 -B 1 -B 2", "ParameterAlreadyBound,Add-Number", "InvalidArgument"),
    ("Add-Number 1 -B", "MissingArgument,Add-Number", "InvalidArgument"),
    ("Get-Color blue", "ParameterArgumentValidationError,Get-Color", "InvalidData"),
    ("Invoke-Boom", "FileNotFoundError,Invoke-Boom", "ObjectNotFound"),
    ("Invoke-Careful", "NotToday,Invoke-Careful", "NotEnabled"),
    ("Stop-Everything", "SystemExit,Stop-Everything", "NotSpecified"),
    ("Get-Echo 1 -E 2", "AmbiguousParameter,Get-Echo", "InvalidArgument"),
]


@pytest.mark.parametrize(("line", "error_id", "category"), ERRORS)
async def test_what_goes_wrong_has_powershells_id(line: str, error_id: str, category: str) -> None:
    name, *arguments = line.split()
    direct = command(name, *arguments) if "-" not in line[len(name) :] else None
    async with connected(FunctionsEngine(COMMANDS), host=HostInfo.null()) as client:
        result = await client.invoke(f"{line}; 'next'")
        assert (result.state, result.output) == ("COMPLETED", ["next"])
        (record,) = result.errors
        assert record.fully_qualified_error_id == error_id
        assert ErrorCategory(record.category).name == category
        if direct is not None:
            result = await client.invoke(direct)
            assert (result.state, result.errors) == ("FAILED", [])
            assert result.end.error.fully_qualified_error_id == error_id


async def test_a_script_that_cannot_be_read_fails_and_a_batch_continues() -> None:
    result = await invoke("$x = 5")
    assert result.state == "FAILED"
    assert result.end.error.fully_qualified_error_id == "ScriptsNotAllowed"
    assert result.end.error.exception.type_names[0].endswith(".ParseException")
    batch = PowerShell.of(command("Invoke-Boom")).then(PowerShell.of(command("Get-Echo", 1)))
    result = await invoke(batch)
    assert (result.state, result.output) == ("COMPLETED", [1])
    assert [each.fully_qualified_error_id for each in result.errors] == [
        "FileNotFoundError,Invoke-Boom"
    ]


async def streams(context: Context) -> AsyncIterator[str]:
    yield "first"
    await context.write_verbose("verbose")
    await context.write_debug("debug")
    await context.write_warning("warning")
    await context.write_information({"a": 1}, "tag")
    await context.write_host("host", foreground=ConsoleColor.Green, no_newline=True)
    await context.write_progress("work", "half", percent=50)
    await context.write_error("error", error_id="MyId", category=ErrorCategory.InvalidData)
    yield "last"


def streams_in_thread(context: SyncContext) -> Iterator[str]:
    yield "first"
    context.write_verbose("verbose")
    context.write_debug("debug")
    context.write_warning("warning")
    context.write_information({"a": 1}, "tag")
    context.write_host("host", foreground=ConsoleColor.Green, no_newline=True)
    context.write_progress("work", "half", percent=50)
    context.write_error("error", error_id="MyId", category=ErrorCategory.InvalidData)
    yield "last"


ORDER = [
    e.PipelineOutput, e.VerboseRecordMessage, e.PipelineHostCall, e.DebugRecordMessage,
    e.PipelineHostCall, e.WarningRecordMessage, e.PipelineHostCall, e.InformationRecordMessage,
    e.InformationRecordMessage, e.PipelineHostCall, e.ProgressRecordMessage, e.PipelineHostCall,
    e.ErrorRecordMessage, e.PipelineOutput, e.PipelineStateMessage, e.ClosePipeline,
]  # fmt: skip


@pytest.mark.parametrize("function", [streams, streams_in_thread])
async def test_every_stream_comes_in_order_as_record_and_host_call(function: Any) -> None:
    """Statement J107."""
    what = command("Show-Stream", Verbose=True, Debug=True)
    result = await invoke(what, **{"Show-Stream": function})
    assert [type(event) for event in result.events] == ORDER
    (error,) = result.errors
    assert (error.message, error.fully_qualified_error_id) == ("error", "MyId,Show-Stream")
    assert error.category_activity == "Write-Error"
    _, host = result.of(e.InformationRecordMessage)
    assert (host.record.tags, host.record.host_message.message) == (("PSHOST",), "host")
    assert (HostMethodId.Write2, 10, -1, "host") in result.calls
    (progress,) = result.of(e.ProgressRecordMessage)
    assert (progress.record.percent_complete, progress.record.type) == (
        50,
        ProgressType.Processing,
    )


async def test_without_a_host_only_the_records_come() -> None:
    engine = FunctionsEngine({"Show-Stream": streams})
    async with connected(engine, host=HostInfo.null(use_runspace_host=False)) as client:
        result = await client.invoke(command("Show-Stream"))
    assert result.state == "COMPLETED"
    assert result.calls == []
    assert len(result.of(e.WarningRecordMessage)) == 1


async def test_without_a_host_a_question_is_an_error() -> None:
    async def ask(context: Context) -> str:
        return await context.ask("Name")

    engine = FunctionsEngine({"Show-Question": ask})
    async with connected(engine, host=HostInfo.null(use_runspace_host=False)) as client:
        result = await client.invoke(command("Show-Question"))
    assert result.end.error.fully_qualified_error_id == "HostFunctionNotImplemented"


async def test_preferences_are_obeyed() -> None:
    async with connected(FunctionsEngine({"Show-Stream": streams})) as client:
        quiet = await client.invoke(
            "Show-Stream -WarningAction SilentlyContinue -ErrorAction Ignore "
            "-InformationAction Ignore -ProgressAction SilentlyContinue"
        )
        assert [type(event) for event in quiet.events[:2]] == [e.PipelineOutput] * 2
        strict = await client.invoke("Show-Stream -ErrorAction Stop; 'not reached'")
        assert (strict.state, strict.output) == ("FAILED", ["first"])
        assert strict.end.error.fully_qualified_error_id == "MyId,Show-Stream"
        wrong = await client.invoke("Show-Stream -ErrorAction Never")
        assert "Never" in wrong.errors[0].message


async def test_merged_records_come_as_output() -> None:
    merged = replace(command("Show-Stream"), merge_error=1, merge_warning=1, merge_information=8)
    result = await invoke(merged, **{"Show-Stream": streams})
    kinds = [each.type_names[0] for each in result.output if isinstance(each, PSObject)]
    assert kinds == [
        "System.Management.Automation.WarningRecord",
        "System.Management.Automation.ErrorRecord",
    ]
    assert (result.errors, result.of(e.InformationRecordMessage)) == ([], [])


async def test_records_carry_the_invocation_where_the_client_asks_for_it() -> None:
    async with connected(FunctionsEngine({"Show-Stream": streams})) as client:
        result = await client.invoke(command("Show-Stream"), options=15)
    assert result.errors[0].invocation_info["InvocationInfo_InvocationName"] == "Show-Stream"
    (warning,) = result.of(e.WarningRecordMessage)
    assert warning.record.pipeline_iteration_info == (0, 1)


async def questions(context: Context) -> AsyncIterator[Any]:
    yield await context.ask("Name")
    yield await context.read_line()
    yield (await context.ask_secret("Secret")).reveal()
    yield (await context.read_secure()).reveal()
    yield await context.choose("Title", "Pick", ["&Yes", "&No"], 1)
    credential = await context.prompt_credential("Log in", user_name="bob")
    yield credential.user_name
    yield await context.confirm("Remove", "everything")


def questions_in_thread(context: SyncContext) -> Iterator[Any]:
    yield context.ask("Name")
    yield context.read_line()
    yield context.ask_secret("Secret").reveal()
    yield context.read_secure().reveal()
    yield context.choose("Title", "Pick", ["&Yes", "&No"], 1)
    yield context.prompt_credential("Log in", user_name="bob").user_name
    yield context.confirm("Remove", "everything")


def answer(call: e.PipelineHostCall) -> Any:
    if call.method == HostMethodId.Prompt:
        (field,) = call.arguments[2]
        secret = field.parameter_type_name == "SecureString"
        return {field.name: SecureString("s3cret") if secret else "Ada"}
    return {
        HostMethodId.ReadLine: "line",
        HostMethodId.ReadLineAsSecureString: SecureString("hidden"),
        HostMethodId.PromptForChoice: 0,
        HostMethodId.PromptForCredential2: Credential("bob", SecureString("pw")),
    }[HostMethodId(call.method)]


@pytest.mark.parametrize("function", [questions, questions_in_thread])
async def test_the_host_answers_and_secrets_cross_under_the_session_key(function: Any) -> None:
    async with connected(FunctionsEngine({"Show-Question": function})) as client:
        client.answer = answer
        result = await client.invoke(command("Show-Question"))
        assert result.state == "COMPLETED"
        assert result.output == ["Ada", "line", "s3cret", "hidden", 0, "bob", True]
        assert client.pool.keys.done
    numbers = [call.call_id for call in result.of(e.PipelineHostCall)]
    assert numbers == [1, 2, 3, 4, 5, 6, 7]


async def test_an_answer_of_the_wrong_kind_is_an_error_of_the_command() -> None:
    async with connected(FunctionsEngine({"Show-Question": questions})) as client:
        client.answer = lambda call: {"Name": 5}
        result = await client.invoke(command("Show-Question"))
    assert result.state == "FAILED"
    assert result.end.error.fully_qualified_error_id == "HostAnswerNotUsable,Show-Question"


async def test_secrets_and_credentials_are_arguments_too() -> None:
    def check(secret: SecureString, who: Credential) -> str:
        return f"{secret.reveal()} {who.user_name} {who.password.reveal()}"

    async with connected(FunctionsEngine({"Test-Secret": check})) as client:
        credential = PSObject(
            ("System.Management.Automation.PSCredential", "System.Object"),
            {"UserName": "u", "Password": SecureString("p")},
        )
        result = await client.invoke(
            command("Test-Secret", Secret=SecureString("s"), Who=credential)
        )
        assert result.output == ["s u p"]
        for wrong in (("hunter2", credential), (SecureString("s"), "hunter2")):
            result = await client.invoke(command("Test-Secret", *wrong))
            assert result.state == "FAILED"
            assert "hunter2" not in repr(result.end.error.to_object().items())
            assert "hunter2" not in result.end.error.message


async def test_a_value_that_clixml_cannot_hold_is_an_error_and_the_rest_is_kept() -> None:
    def several() -> Iterator[Any]:
        yield from (1, Decimal("1e50"), 2)

    result = await invoke(command("Get-Several"), **{"Get-Several": several})
    assert (result.state, result.output) == ("COMPLETED", [1, 2])
    (error,) = result.errors
    assert error.fully_qualified_error_id == "LocalProtocolError,Get-Several"


async def test_what_nests_too_deep_is_cut_to_a_text() -> None:
    def deep() -> Any:
        value: Any = []
        for _ in range(200):
            value = [value]
        return [value]

    result = await invoke(command("Get-Deep"), **{"Get-Deep": deep})
    assert (result.state, result.errors) == ("COMPLETED", [])
    value, depth = result.output[0], 0
    while isinstance(value, list):
        (value,), depth = value, depth + 1
    assert (value, depth) == ("System.Object[]", 25)


async def test_a_shared_value_is_written_once_and_in_linear_work() -> None:
    def shared() -> Any:
        value: Any = {"x": 1}
        for _ in range(20):
            value = [value] * 10
        return [value]

    result = await invoke(command("Get-Shared"), **{"Get-Shared": shared})
    assert (result.state, result.errors) == ("COMPLETED", [])
    assert len(result.output[0]) == 10


async def test_help_and_commands_tell_what_the_signature_says(client_of_all: Client) -> None:
    result = await client_of_all.invoke("Get-Help Add-Number")
    (shown,) = result.output
    assert shown["Synopsis"] == "Adds two numbers."
    assert "Add-Number [-A] <long> [[-B] <long>] [-Twice]" in shown.to_string
    item = shown["syntax"]["syntaxItem"]
    assert [each["name"] for each in item["parameter"]] == ["A", "B", "Twice"]
    (about,) = (await client_of_all.invoke("Get-Command Add-Number -ShowCommandInfo")).output
    (only,) = about["ParameterSets"]
    first = only["Parameters"][0]
    assert (first["Name"], first["IsMandatory"], first["ParameterType"]["FullName"]) == (
        "A",
        True,
        "System.Int64",
    )
    result = await client_of_all.invoke("Get-Command Add-Number,Get-C* | Select-Object Name")
    assert [each["Name"] for each in result.output] == [
        "Add-Number",
        "Get-Color",
        "Get-Command",
        "Get-Count",
    ]
    result = await client_of_all.invoke("Get-Command -Verb Get -Noun Thing")
    assert [str(each.to_string) for each in result.output] == ["Get-Thing"]
    result = await client_of_all.invoke("Get-Command Nothing")
    assert result.errors[0].fully_qualified_error_id == (
        "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand"
    )


@pytest.fixture
async def client_of_all() -> AsyncIterator[Client]:
    async with connected(FunctionsEngine(COMMANDS)) as client:
        yield client


def test_what_cannot_be_a_command_is_refused_at_once() -> None:
    for name, function in (("a b", add), ("", add), ("Get-X", 5)):
        with pytest.raises(TypeError):
            FunctionsEngine({name: function})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        FunctionsEngine({"Get-X": lambda **anything: anything})
