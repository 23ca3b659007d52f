"""Values, variables, pipes and errors of the local prompt."""

from __future__ import annotations

import pytest

from tests.console.places import prompt


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'a', 'b'", "a\nb"),
        ("$x = 'a', 'b'; $x.Count; $x[-1]; $x[5]", "2\nb"),
        ("$h = @{ Port = 22; Name = 'n' }; $h.port; $h['NAME']", "22\nn"),
        ('$n = 3; "n is $n, $($n), `$n"', "n is 3, 3, $n"),
        ('"$(Write-Output a b)"', "Write-Output: A positional parameter cannot be found that "
         "accepts argument 'b'."),
        ("Write-Output a | Write-Output", "a"),
        ("(1, 2, 3) | Write-Output", "1\n2\n3"),
        ("@(1).Count", "1"),
        ("$nothing", ""),
        ("$true", "True"),
        ("$NULL", ""),
        ("$a = 'x'; $A", "x"),
        ("$p = @{ InputObject = 'splatted' }; Write-Output @p", "splatted"),
        ("$p = , 'x'; $p.Count", "1"),
        ("1kb; 0x10; 1kb + 1", "1024\n16\n1025"),
        ("Write-Output 1kb; Write-Output 0x10", "1024\n16"),
        ("[int]'5' + 1; 'a' -in 'A', 'b'", "6\nTrue"),
        ("1..3 | Write-Output", "1\n2\n3"),
        ("'a' && 'b'; Get-PSSession -Id 9 -ea Ignore || 'c'", "a\nb\nc"),
        ("$x = 1; $x += 2; $x ??= 5; $x", "3"),
        ("& { 'in a block' }; & 'Write-Output' x", "in a block\nx"),
        ("{ Get-Date }", " Get-Date "),
        ("'abc'.Length", "3"),
        ("echo 1 -OutVariable kept; $kept", "1\n1"),
    ],
)  # fmt: skip
async def test_values_are_what_they_are_in_powershell(text: str, shown: str) -> None:
    async with prompt() as run:
        assert (await run(text)).strip("\n") == shown


@pytest.mark.parametrize(
    ("text", "error_id"),
    [
        ("a )", "UnexpectedToken"),
        ("'x'; if ($x) { y }", "KeywordNotSupported"),
        ("'x'; Get-PSSession > file", "RedirectionNotSupported"),
        ("param($a) 'x'", "KeywordNotSupported"),
    ],
)
async def test_nothing_runs_of_a_text_that_is_not_of_the_language(text: str, error_id: str) -> None:
    async with prompt() as run:
        assert not (await run(text)).startswith("x")
        assert run.error_ids() == [error_id]


@pytest.mark.parametrize(
    "text",
    ["'a'.Normalize()", "[math]::BigMul(1, 2)", "Write-Output a &", "[int]", "$PSVersionTable"],
)
async def test_what_only_powershell_can_do_is_named(text: str) -> None:
    async with prompt() as run:
        shown = await run(text)
        assert "The local prompt cannot evaluate " in shown
        assert "use Invoke-Command, to run it in the session" in shown
        assert run.error_ids() == ["NotSupported"]


async def test_environment_and_automatic_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSRP_TEST", "value")
    monkeypatch.setenv("HOME", "/home/me")
    async with prompt() as run:
        assert await run('$env:PSRP_TEST; $HOME; "$env:psrp_none|"') == "value\n/home/me\n|"
        assert "read-only or constant" in await run("$true = 1")
        assert run.error_ids() == ["VariableNotWritable"]


async def test_an_unknown_command_is_an_error_and_the_next_one_runs() -> None:
    async with prompt() as run:
        shown = await run("Get-Nothing -x; 'after'")
        assert shown.splitlines()[0] == "after"
        assert "Get-Nothing: The term 'Get-Nothing' is not recognized as a name of a" in shown
        assert run.error_ids() == ["CommandNotFoundException"]
        assert await run("$?") == "True"


async def test_errors_are_kept_the_newest_first() -> None:
    async with prompt() as run:
        await run("Enter-PSSession -Id 9")
        await run("Enter-PSSession -Bogus")
        assert await run("$Error[0].FullyQualifiedErrorId") == (
            "NamedParameterNotFound,Microsoft.PowerShell.Commands.EnterPSSessionCommand"
        )
        assert await run("$Error[1].CategoryInfo.Category; $Error.Count") == "InvalidArgument\n2"
        assert await run("$Error[1].Exception.Message") == (
            "The remote session with the session ID 9 is not available."
        )


async def test_error_action_and_error_variable() -> None:
    async with prompt() as run:
        assert await run("Get-PSSession -Id 9 -ErrorAction SilentlyContinue -ev e; $e.Count") == "1"
        assert await run("Get-PSSession -Id 9 -ea Ignore") == ""
        assert len(run.workspace.errors) == 1
        shown = await run("Get-PSSession -Id 9 -ErrorAction Stop; 'not reached'")
        assert "not reached" not in shown
        assert await run("Get-PSSession -Id 8, 9; 'reached'") != ""
        assert len(run.workspace.errors) == 4


async def test_the_view_of_errors_can_be_chosen() -> None:
    async with prompt() as run:
        await run("$ErrorView = 'NormalView'")
        assert await run("Enter-PSSession -Id 9") == (
            "Enter-PSSession : The remote session with the session ID 9 is not available.\n"
            "+ CategoryInfo          : InvalidArgument: (:) [Enter-PSSession], "
            "ArgumentException\n"
            "+ FullyQualifiedErrorId : RemoteRunspaceNotAvailableForSpecifiedSessionId,"
            "Microsoft.PowerShell.Commands.EnterPSSessionCommand"
        )


async def test_a_table_has_the_columns_that_are_asked_for() -> None:
    async with prompt() as run:
        await run("$s = New-PSSession -HostName 127.0.0.1 -Name lab")
        shown = await run(
            "Get-PSSession | Format-Table Id, Name, Transport, ComputerName, ComputerType, State, "
            "ConfigurationName, Availability"
        )
        assert shown.split("\n") == [
            "",
            "Id Name Transport ComputerName  ComputerType  State ConfigurationName Availability",
            "-- ---- --------- ------------  ------------  ----- ----------------- ------------",
            " 1 lab  SSH       127.0.0.1    RemoteMachine Opened DefaultShell         Available",
            "",
        ]
        listed = await run("$s | Format-List Name, state")
        assert listed.split("\n") == ["", "Name  : lab", "State : Opened", ""]
        assert "InstanceId" in await run("$s | fl *")


async def test_help_shows_all_parts_of_a_command() -> None:
    async with prompt() as run:
        shown = await run("Get-Help Enter-PSSession")
        assert "SYNTAX" in shown
        assert "Enter-PSSession [-HostName] <String>" in shown
        assert "UserA@LinuxServer01" in shown
        full = await run("Get-Help etsn -Full")
        assert "-KeyFilePath <String>" in full
        some = await run("Get-Help Enter-PSSession -Parameter Key*")
        assert "IdentityFilePath" in some
        assert "SYNTAX" not in some
        assert "Remove-PSSession" in await run("Get-Help")
        assert "Example 2" in await run("help New-PSSession -Examples")
        assert await run("Enter-PSSession -?") == shown
        assert run.place.entered == []
        await run("Get-Help Nothing")
        assert run.error_ids() == ["HelpNotFound,Microsoft.PowerShell.Commands.GetHelpCommand"]


async def test_the_screen_is_cleared() -> None:
    async with prompt() as run:
        assert await run("cls") == "(an empty screen)"


async def test_commands_are_listed() -> None:
    async with prompt() as run:
        assert (await run("(Get-Command *-PSSession).Name")).split() == [
            "Enter-PSSession", "Exit-PSSession", "New-PSSession", "Get-PSSession",
            "Remove-PSSession", "Disconnect-PSSession", "Connect-PSSession", "Receive-PSSession",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1..5 | Select-Object -First 2", "1\n2"),
        ("1..5 | Select-Object -Last 2 -Skip 1", "3\n4"),
        ("1..5 | Select-Object -SkipLast 3", "1\n2"),
        ("1..5 | select -Index 0, 4", "1\n5"),
        ("1, 1, 2 | Select-Object -Unique", "1\n2"),
        ("@{ a = 1 }, @{ a = 2 } | Select-Object -ExpandProperty a", "1\n2"),
        ("'b', 'a', 'C' | Sort-Object", "a\nb\nC"),
        ("3, 1, 2 | sort -Descending", "3\n2\n1"),
        ("3, 1, 2 | sort -Top 1", "1"),
        ("'a', 'A', 'b' | Sort-Object -Unique", "a\nb"),
        ("@{ n = 2 }, @{ n = 1 } | Sort-Object n | ForEach-Object n", "1\n2"),
        ("'a', 'bcd' | Where-Object Length -gt 1", "bcd"),
        ("'a', '' | Where-Object Length", "a"),
        ("'a', 'bc' | ? Length -in 2, 3", "bc"),
        ("'abc', 'd' | % Length", "3\n1"),
        ("'abc' | ForEach-Object L*", "3"),
        ("(1..4 | Measure-Object -Sum -Average).Sum", "10"),
        ("(1..4 | measure).Count", "4"),
        ("('a b', 'c' | Measure-Object -Word).Words", "3"),
    ],
)
async def test_objects_are_selected_sorted_and_measured(text: str, shown: str) -> None:
    async with prompt() as run:
        assert (await run(text)).strip("\n") == shown


async def test_commands_for_objects_report_what_they_do_not_find() -> None:
    async with prompt() as run:
        await run("1 | Select-Object -ExpandProperty none")
        await run("'x' | Measure-Object -Sum")
        await run("1 | Measure-Object none")
        assert [each.partition(",")[0] for each in run.error_ids()] == [
            "ExpandPropertyNotFound",
            "NonNumericInputObject",
            "GenericMeasurePropertyNotFound",
        ]
