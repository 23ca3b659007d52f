"""Lines on a real endpoint without language: sent as the real client sends them, with its answer.

Both clients send through a copy of their bytes; the rows are made at test time. Statement: each
line travels alike and is answered alike. spec-notes/constrained-endpoints.md
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from psremoting import PSSession
from psremoting.cli.main import main
from psremoting.client.command_descriptions import describe
from psremoting.powershell.string_conversion import to_text
from psremoting.shell.line_pipelines import line_pipeline
from psremoting.shell.remote_completion import RemoteCompletion
from psrp.clixml import Dictionary, List
from tests.live.peers import Clients, Hosts
from tests.live.powershell import quoted
from tests.live.sent_pipelines import Sent, copying, same_commands
from tests.powershell.test_script_commands import RECORDED, SHORTER

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
_ENTERED = (
    "/bin/uname", "Get-Date -Year (2020)", 'Get-Thing "a$(1)"', "Get-Thing @{a=1}",
    "& Get-Thing 5", "Get-Thing 1kb | Get-Echo", "Get-Thing 1; Get-Echo 2",
)  # fmt: skip
_CHANGING = ("Now", "Get-Random", "Measure-Object")
"""Lines whose output is not compared: a time, a random number, an object of properties."""


@pytest.fixture(scope="module")
def copies(hosts: Hosts, clients: Clients, pwsh: str) -> dict[str, Sent]:
    """The servers ``constrained-real`` and ``constrained-ours``, one for each client, and what
    they have received; ``constrained-hidden`` does not show TabExpansion2."""
    found = {}
    for name, visible in (("real", ", 'TabExpansion2'"), ("ours", ", 'TabExpansion2'"),
                          ("hidden", "")):  # fmt: skip
        file = hosts.folder / f"constrained-{name}.pssc"
        file.write_text(_CONFIGURATION.replace(" VISIBLE", visible))
        argv = [pwsh, "-sshs", "-NoLogo", "-NoProfile", "-ConfigurationFile", str(file)]
        copy = hosts.folder / f"constrained-{name}.bin"
        hosts.add(f"constrained-{name}", copying(argv, copy))
        found[name] = Sent(copy)
    clients.real.prepare(_RUN)
    return found


def _difference(clients: Clients, copies: dict[str, Sent], line: str) -> str:
    """Run ``line`` with both clients; return the first difference, or an empty string."""
    session = clients.ours("stdio", "constrained-ours")
    answer = json.loads(
        clients.real.run(f"Invoke-Constrained 'stdio/constrained-real' {quoted(line)}")
    )
    result = session.run(line, **_GIVEN)
    real, ours = (copies[name].new()[-1:] for name in ("real", "ours"))
    if not real:
        return "the real client sent nothing"
    if line not in SHORTER and not same_commands(
        ours[0].powershell.statements, real[0].powershell.statements
    ):
        return f"sent {ours[0].powershell} and not {real[0].powershell}"
    identifiers = [each.fully_qualified_error_id for each in result.errors]
    if (identifiers[0] if identifiers else None) != answer["id"]:
        return f"the error {identifiers} and not {answer['id']}"
    out = [to_text(value) for value in result.output[:3]]
    if not any(each in line for each in _CHANGING) and out != answer["out"]:
        return f"the output {out} and not {answer['out']}"
    return ""


def test_a_recorded_line_is_sent_and_answered_alike(
    clients: Clients, copies: dict[str, Sent]
) -> None:
    clients.theirs("stdio", "constrained-real")
    lines = [row["line"] for row in RECORDED]
    found = {line: _difference(clients, copies, line) for line in lines}
    assert {line: text for line, text in found.items() if text} == {}


def test_a_new_line_is_sent_and_answered_alike(clients: Clients, copies: dict[str, Sent]) -> None:
    clients.theirs("stdio", "constrained-real")
    found = {line: _difference(clients, copies, line) for line in _LINES}
    assert {line: text for line, text in found.items() if text} == {}
    assert len(_LINES) > 100


def test_an_entered_line_is_sent_as_the_commands_of_the_real_client(
    clients: Clients, copies: dict[str, Sent]
) -> None:
    """The real client is asked with Invoke-Command, whose commands those of a typed line are."""
    clients.theirs("stdio", "constrained-real")
    differing = []
    for line in _ENTERED:
        clients.real.run(f"Invoke-Constrained 'stdio/constrained-real' {quoted(line)}")
        (real,) = copies["real"].new()[-1:]
        typed = line_pipeline(real.pipeline_id, line).powershell.statements
        shown = [each[-1].text for each in typed]
        texts = [[command.text for command in each[:-1]] for each in typed]
        if texts != [[c.text for c in each] for each in real.powershell.statements]:
            differing.append(line)
        assert set(shown) == {"Out-Default"}
    assert differing == []


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
