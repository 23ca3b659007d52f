"""Lines on a real endpoint without language: sent as the real client sends them, with its answer.

Both clients send through a copy of their bytes; the rows are made at test time. Statement: each
line travels alike and is answered alike. spec-notes/constrained-endpoints.md
"""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from click.testing import CliRunner

from psremoting import PSRemotingError, PSSession, sync
from psremoting.cli.main import main
from psremoting.client.command_descriptions import describe
from psremoting.client.streams import StreamKind
from psremoting.powershell.string_conversion import to_text
from psremoting.remote_command import RemoteCommand
from psremoting.shell.line_pipelines import line_pipeline
from psremoting.shell.remote_completion import RemoteCompletion
from psrp.clixml import Dictionary, List
from psrp.commands import Command, PipelineResultTypes
from psrp.host import HostDefaultData, HostInfo
from tests.console.places import prompt
from tests.live.peers import Clients, Hosts
from tests.live.powershell import environment, quoted
from tests.live.sent_pipelines import Sent, copying, same_commands
from tests.powershell.test_script_commands import RECORDED, SHORTER
from tests.recordings import ROOT

TIME_LIMIT = 300

Statements: TypeAlias = tuple[tuple[Command, ...], ...]

_CONFIGURATION = r"""
@{ SchemaVersion='2.0.0.0'; GUID='c847874d-614a-4eca-afeb-a913b82d77a2'
 SessionType='RestrictedRemoteServer'
 VisibleCmdlets = 'Get-Random', @{Name='Get-Date'; Parameters=
   @{Name='Year'; ValidateSet='2020','2021'}, @{Name='Format'; ValidatePattern='y+'}}
 VisibleFunctions = 'Get-Thing', 'Get-Echo' VISIBLE
 VisibleExternalCommands = '/bin/ec*', '/bin/uname', 'whoami'
 AliasDefinitions = @{Name='gdt'; Value='Get-Date'}
 FunctionDefinitions =
  @{Name='Get-Thing'; ScriptBlock={ param($x) "thing $x"; 'hostname' }},
  @{Name='Get-Echo'; ScriptBlock={
     [CmdletBinding()] param($x) 'echo'; if ($null -ne $x) { "$x" } }}
}
"""
_PAGE = ROOT / "spec-notes/constrained-endpoints.md"
_LINES = [
    line.replace("\\n", "\n").replace("\\r", "\r").replace("\\\\", "\\")
    for line in (Path(__file__).parent / "constrained_lines.txt").read_text("utf-8").split("\n")
    if line
]
_RUN = r"""
$global:v='vv'; $global:h=@{x='sp'}; $global:arr=1,2
function global:Invoke-Constrained([string]$Name, [string]$Line) {
  $out = @(Invoke-Command -Session (Get-LiveSession $Name) ([scriptblock]::Create($Line)) `
    -ArgumentList 7, 8 -ErrorVariable errors -ErrorAction SilentlyContinue 2>$null)
  $ids = @($errors | ForEach-Object FullyQualifiedErrorId)
  ConvertTo-Json -Compress -EscapeHandling EscapeNonAscii @{
    out = @($out | Select-Object -First 3 | ForEach-Object { "$_" }); id = $ids[0] }
}
"""
_GIVEN: dict[str, Any] = {
    "arguments": [7, 8],
    "using": {"v": "vv", "h": Dictionary({"x": "sp"}), "arr": List([1, 2])},
}
_RECORDED = [row["line"] for row in RECORDED]
#: Typed lines take no arguments and no $using:, and exit leaves the session.
_ENTERED = [
    line for line in _RECORDED
    if line != "exit" and not any(each in line for each in ("using:", "args", "param("))
]  # fmt: skip
_CHANGING = ("Now", "Get-Random", "Measure-Object")
"""Lines whose output is not compared: a time, a random number, an object of properties."""


@pytest.fixture(scope="module")
def copies(hosts: Hosts, clients: Clients, pwsh: str) -> dict[str, Sent]:
    """The servers ``constrained-real``, ``constrained-ours`` and so on, one for each client, and
    what they have received; ``constrained-hidden`` does not show TabExpansion2."""
    found = {}
    for name in ("real", "ours", "core", "prompt", "entered", "hidden"):
        visible = "" if name == "hidden" else ", 'TabExpansion2'"
        file = hosts.folder / f"constrained-{name}.pssc"
        file.write_text(_CONFIGURATION.replace(" VISIBLE", visible))
        argv = [pwsh, "-sshs", "-NoLogo", "-NoProfile", "-ConfigurationFile", str(file)]
        copy = hosts.folder / f"constrained-{name}.bin"
        hosts.add(f"constrained-{name}", copying(argv, copy))
        found[name] = Sent(copy)
    clients.real.prepare(_RUN)
    return found


@dataclass
class _Told:
    """The real client's commands for a line, and its answer."""

    statements: Statements
    out: list[str]
    id: str | None


@pytest.fixture(scope="module")
def told(clients: Clients, copies: dict[str, Sent]) -> Callable[[str], _Told]:
    """A function that asks the real client; each line once, as a recorded line is asked often."""
    clients.theirs("stdio", "constrained-real")

    @functools.cache
    def ask(line: str) -> _Told:
        code = f"Invoke-Constrained 'stdio/constrained-real' {quoted(line)}"
        answer = json.loads(clients.real.run(code))
        (sent,) = copies["real"].new()[-1:]
        return _Told(sent.powershell.statements, answer["out"], answer["id"])

    return ask


def _difference(line: str, theirs: _Told, sent: Statements, out: list[str], ids: list[str]) -> str:
    """Return the first difference of our commands and answer, or an empty string."""
    if line not in SHORTER and not same_commands(sent, theirs.statements):
        return f"sent {sent} and not {theirs.statements}"
    if (ids[0] if ids else None) != theirs.id:
        return f"the error {ids} and not {theirs.id}"
    if not any(each in line for each in _CHANGING) and out[:3] != theirs.out:
        return f"the output {out} and not {theirs.out}"
    return ""


def _error_id(error: Exception) -> str:
    assert isinstance(error, PSRemotingError)
    return error.to_record().fully_qualified_error_id


def _run_differences(
    lines: list[str], clients: Clients, copies: dict[str, Sent], told: Callable[[str], _Told]
) -> dict[str, str]:
    """Run each line with `PSSession.run` and the real client; return the lines that differ."""
    found = {}
    for line in lines:
        result = clients.ours("stdio", "constrained-ours").run(line, **_GIVEN)
        (sent,) = copies["ours"].new()[-1:]
        out = [to_text(value) for value in result.output]
        ids = [each.fully_qualified_error_id for each in result.errors]
        found[line] = _difference(line, told(line), sent.powershell.statements, out, ids)
    return {line: text for line, text in found.items() if text}


def test_a_recorded_line_is_sent_and_answered_alike(
    clients: Clients, copies: dict[str, Sent], told: Callable[[str], _Told]
) -> None:
    assert _run_differences(_RECORDED, clients, copies, told) == {}


def test_a_new_line_is_sent_and_answered_alike(
    clients: Clients, copies: dict[str, Sent], told: Callable[[str], _Told]
) -> None:
    assert _run_differences(_LINES, clients, copies, told) == {}
    assert len(_LINES) > 100


async def test_a_recorded_line_goes_alike_through_the_core_of_invoke(
    hosts: Hosts, copies: dict[str, Sent], told: Callable[[str], _Told]
) -> None:
    found = {}
    async with PSSession.connect(hosts.peer("stdio", "constrained-core").target) as session:
        for line in _RECORDED:
            out: list[str] = []
            ids: list[str] = []

            def show(
                kind: StreamKind, item: Any, out: list[str] = out, ids: list[str] = ids
            ) -> None:
                if kind is StreamKind.OUTPUT:
                    out.append(to_text(item))
                elif kind is StreamKind.ERROR:
                    ids.append(item.fully_qualified_error_id)

            command = await RemoteCommand(what=line, **_GIVEN).start(session, show)
            async with command.invocation:
                try:
                    await command.wait()
                except PSRemotingError as error:
                    ids.append(_error_id(error))
            (sent,) = copies["core"].new()[-1:]
            found[line] = _difference(line, told(line), sent.powershell.statements, out, ids)
    assert {line: text for line, text in found.items() if text} == {}


async def test_a_recorded_line_goes_alike_through_invoke_command_of_the_local_prompt(
    hosts: Hosts, copies: dict[str, Sent], told: Callable[[str], _Told]
) -> None:
    target = hosts.peer("stdio", "constrained-prompt").target

    @asynccontextmanager
    async def connect(_: Any, **more: Any) -> AsyncIterator[PSSession]:
        more.pop("name", None)
        async with PSSession.connect(target, **more) as session:
            yield session

    found = {}
    async with prompt(connect) as run:
        await run("$s = New-PSSession -HostName lab; $v = 'vv'; $h = @{x='sp'}; $arr = 1,2")
        for line in _RECORDED:
            before = len(run.error_ids())
            end = "\n" if "#" in line else ""
            text = f"Invoke-Command -Session $s {{{line}{end}}} -ArgumentList 7, 8"
            shown = await run(text)
            ids = run.error_ids()[before:]
            out = shown.splitlines() if not ids else []
            (sent,) = copies["prompt"].new()[-1:]
            found[line] = _difference(line, told(line + end), sent.powershell.statements, out, ids)
    assert {line: text for line, text in found.items() if text} == {}


class _Screen:
    """A host that keeps the lines that are written."""

    info = HostInfo.full(HostDefaultData())

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def call(self, method: int, arguments: tuple[Any, ...]) -> Any:
        self.lines += [str(each) for each in arguments[-1:]]


async def test_an_entered_line_is_sent_and_answered_as_that_of_the_real_client(
    hosts: Hosts, copies: dict[str, Sent], told: Callable[[str], _Told]
) -> None:
    """The real client is asked with Invoke-Command, whose commands those of a typed line are."""
    found = {}
    screen = _Screen()
    target = hosts.peer("stdio", "constrained-entered").target
    async with PSSession.connect(target, host=screen) as session:
        for line in _ENTERED:
            screen.lines.clear()
            invocation = await session.start(line_pipeline(uuid4(), line))
            await invocation.wait()
            (sent,) = copies["entered"].new()[-1:]
            statements = sent.powershell.statements
            assert {each[-1].text for each in statements} == {"Out-Default"}
            ids = [] if invocation.error is None else [_error_id(invocation.error)]
            found[line] = _difference(
                line,
                _as_typed(told(line)),
                tuple(each[:-1] for each in statements),
                screen.lines,
                ids,
            )
    assert {line: text for line, text in found.items() if text} == {}
    assert len(found) > 90


def _as_typed(theirs: _Told) -> _Told:
    """Return the commands of a typed line: a single one merges its errors into its output."""
    if [len(each) for each in theirs.statements] != [1]:
        return theirs
    ((command,),) = theirs.statements
    merging = replace(
        command,
        parameters=() if command.is_script else command.parameters,
        merge_my_result=PipelineResultTypes.ERROR,
        merge_to_result=PipelineResultTypes.OUTPUT,
        merge_error=PipelineResultTypes.OUTPUT,
    )
    return replace(theirs, statements=((merging,),))


@pytest.mark.usefixtures("copies")
def test_invoke_shows_the_table_of_commands(hosts: Hosts) -> None:
    target = f"process:{shlex.quote(str(hosts.program('constrained-ours')))}"
    ran = CliRunner().invoke(main, ["invoke", target, "Get-Command Get-Thing"])
    assert [line.split() for line in ran.stdout.splitlines() if line] == [
        ["CommandType", "Name", "Version", "Source"],
        ["-----------", "----", "-------", "------"],
        ["Function", "Get-Thing"],
    ]
    ran = CliRunner().invoke(main, ["invoke", target, "Get-Thing $x"])
    assert "$x. Use --command" in ran.stderr
    ran = CliRunner().invoke(main, ["invoke", target, "--command", "Get-Thing", "-a", "x:=5"])
    assert ran.stdout == "thing 5\nhostname\n"


@pytest.mark.usefixtures("copies")
@pytest.mark.parametrize("server", ["constrained-ours", "constrained-hidden"])
async def test_names_parameters_and_values_are_completed(hosts: Hosts, server: str) -> None:
    async with PSSession.connect(hosts.peer("stdio", server).target) as session:
        completion = RemoteCompletion(session)
        for typed, expected in (
            ("Get-Th", ["Get-Thing"]),
            ("Get-Date -Y", ["-Year"]),
            ("Get-Date -Year ", ["2020", "2021"]),
            ("Get-Thing 1 | Get-Ec", ["Get-Echo"]),
            ("/bin/un", []),
        ):
            found = await completion.matches(typed, len(typed))
            assert [each.text for each in found if "/" not in each.text] == expected


@pytest.mark.usefixtures("copies")
async def test_remote_commands_are_called_as_functions(hosts: Hosts) -> None:
    async with PSSession.connect(hosts.peer("stdio", "constrained-ours").target) as session:
        commands = await session.import_commands("Get-*")
        assert await commands.get_thing(x=5) == ["thing 5", "hostname"]
        assert await commands["Get-Date"](year=2020, format="yyyy") == "2020"
        assert "one of 2020, 2021" in (commands.get_date.__doc__ or "")
        (described,) = await describe(session.run, ["Get-Thing"])
        assert [each.name for each in described.parameters] == ["x"]


def test_the_example_of_the_page_runs_on_a_real_endpoint(
    pwsh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = re.findall(
        r"^    with sync\.connect.*?(?=\n\n)", _PAGE.read_text("utf-8"), re.M | re.S
    )
    (tmp_path / "tools.pssc").write_text(_CONFIGURATION.replace(" VISIBLE", ""))
    (tmp_path / "pwsh").symlink_to(pwsh)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    exec(textwrap.dedent(block), {"sync": sync})


def get_echo(x: Any = None) -> list[str]:
    return ["echo"] if x is None else ["echo", to_text(x)]


COMMANDS = {"Get-Echo": get_echo}
#: Scripts that our endpoint takes apart itself: spec-notes/restricted-language.md
_ANSWERED_BY_OURS = {'"x" | Get-Thing'}


@pytest.mark.usefixtures("copies")
def test_a_function_of_ours_answers_a_line_as_its_twin(clients: Clients, hosts: Hosts) -> None:
    hosts.add_ours("echo", "--functions", "tests.live.test_constrained:COMMANDS")
    for name in ("echo", "constrained-real"):
        clients.theirs("stdio", name)
    differing = {}
    for line in (row["line"] for row in RECORDED):
        if "Get-Thing" not in line or any(each in line for each in (*_CHANGING, "gdt")):
            continue
        asked = quoted(line.replace("Get-Thing", "Get-Echo"))
        real, ours = (
            json.loads(clients.real.run(f"Invoke-Constrained 'stdio/{name}' {asked}"))
            for name in ("constrained-real", "echo")
        )
        if real != ours and line not in _ANSWERED_BY_OURS:
            differing[line] = (real, ours)
    assert differing == {}
