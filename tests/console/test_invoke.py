"""Invoke-Command at the local prompt."""

from __future__ import annotations

from pathlib import Path

from psremoting.console.remote_commands import _sendable
from psrp.clixml import Dictionary, List
from tests.console.places import Prompt, prompt

INVOKE = "Microsoft.PowerShell.Commands.InvokeCommandCommand"


async def with_session(run: Prompt) -> None:
    await run("$s = New-PSSession -HostName lab")


async def test_a_script_runs_in_a_session_that_stays_open() -> None:
    async with prompt() as run:
        await with_session(run)
        assert await run("Invoke-Command -Session $s -ScriptBlock {count 3}") == "0\n1\n2"
        assert await run("icm $s {count 1}") == "0"
        assert await run("$r = Invoke-Command $s {count 2}; $r.Count; $r[1].PSComputerName") == (
            "2\nlab"
        )
        assert await run("$s.State") == "Opened"


async def test_a_machine_gets_a_session_for_the_time_of_the_command() -> None:
    async with prompt() as run:
        shown = await run("Invoke-Command -HostName a, b -UserName u {count 1}")
        assert shown == "0\n0"
        assert {target.host_name for target in run.machines.asked} == {"a", "b"}
        assert len(run.workspace.table) == 0


async def test_arguments_and_using_values_arrive() -> None:
    async with prompt() as run:
        await with_session(run)
        shown = await run("Invoke-Command $s {arguments $args[0] $args[1]} -ArgumentList a, 5")
        assert shown.splitlines() == ["a", "5"]
        await run("$Word = 'x'")
        assert await run("Invoke-Command $s {arguments $using:word}") == "x"
        assert await run("Invoke-Command $s {arguments @using:word ${using:word}}") == "x\nx"
        assert "--%" in await run("Invoke-Command $s {arguments $using:word $y}")


async def test_what_is_piped_in_is_the_input() -> None:
    async with prompt() as run:
        await with_session(run)
        assert await run("1, 'two' | Invoke-Command -Session $s {echo}") == "1\ntwo"
        assert await run("Invoke-Command $s {echo} -InputObject 7") == "7"


async def test_errors_and_warnings_of_the_other_side_are_shown() -> None:
    async with prompt() as run:
        await with_session(run)
        shown = await run(
            "Invoke-Command $s {error Something is wrong}; Invoke-Command $s {warn x}"
        )
        assert "Write-Error: Something is wrong" in shown
        assert "WARNING: x" in shown
        failed = await run("Invoke-Command $s {fail Terribly}")
        assert failed.splitlines() == ["before", "Get-Item: Terribly"]
        assert run.error_ids() == ["Bad,Test", "Oops,Test"]


async def test_an_unreachable_machine_is_an_error_and_the_others_run() -> None:
    async with prompt() as run:
        shown = await run("Invoke-Command -HostName dead, a, broken {count 1}")
        assert shown.splitlines()[0] == "0"
        assert "Invoke-Command: [dead] The SSH client session has ended" in shown
        assert run.error_ids() == ["PSSessionStateBroken", "2102,PSSessionStateBroken"]


async def test_a_closed_session_is_an_error() -> None:
    async with prompt() as run:
        await with_session(run)
        await run("Remove-PSSession $s")
        assert "the session state for session" in await run("Invoke-Command $s {count 1}")
        assert run.error_ids() == [f"InvokeCommandCommandInvalidSessionState,{INVOKE}"]


async def test_a_script_of_a_file(tmp_path: Path) -> None:
    script = tmp_path / "script.ps1"
    script.write_text("count 2", encoding="utf-8")
    async with prompt() as run:
        await with_session(run)
        assert await run(f"Invoke-Command -Session $s -FilePath '{script}'") == "0\n1"
        assert await run(f"Invoke-Command -HostName h -FilePath '{script}'") == "0\n1"
        await run("Invoke-Command $s -FilePath /none")
        assert run.error_ids() == [f"PathNotFound,{INVOKE}"]


async def test_a_script_without_a_target_runs_locally() -> None:
    async with prompt() as run:
        assert await run("Invoke-Command { 'here'; $x = 1 }") == "here"
        assert await run("Invoke-Command { 1 + 1 }") == "2"


async def test_a_job_keeps_its_results_until_they_are_received() -> None:
    async with prompt() as run:
        await with_session(run)
        await run("$job = Invoke-Command $s, $s {count 2} -AsJob")
        assert await run("$job | Wait-Job | ForEach-Object State") == "Completed"
        assert await run("Receive-Job $job -Keep | Measure-Object | % Count") == "4"
        assert await run("$job.HasMoreData; Receive-Job -Id $job.Id | measure | % Count") == (
            "True\n4"
        )
        assert await run("$job.HasMoreData; Receive-Job $job") == "False"
        assert await run("(Invoke-Command $s {count 1} -JobName mine).Id - $job.Id") == "3"
        both = "(Get-Job -Name m*).Name; Receive-Job -Name mine -Wait -AutoRemoveJob"
        assert await run(both) == "mine\n0"
        assert await run("(Get-Job).Count") == "1"


async def test_a_job_is_shown_as_a_table() -> None:
    async with prompt() as run:
        await with_session(run)
        shown = await run("Invoke-Command $s {count 1} -JobName mine")
        assert [line.split() for line in shown.splitlines() if line] == [
            ["Id", "Name", "PSJobTypeName", "State", "HasMoreData", "Location", "Command"],
            ["--", "----", "-------------", "-----", "-----------", "--------", "-------"],
            ["1", "mine", "RemoteJob", "Running", "True", "lab", "count", "1"],
        ]


async def test_a_job_fails_or_is_stopped() -> None:
    async with prompt() as run:
        await with_session(run)
        await run("$bad = Invoke-Command $s {fail oops} -AsJob; $bad | Wait-Job")
        assert await run("$bad.State") == "Failed"
        assert "oops" in await run("Receive-Job $bad")
        assert run.error_ids()[-1] == "Oops,Test"
        await run("$slow = Invoke-Command $s {sleep} -AsJob")
        assert await run("Wait-Job $slow -Timeout 0") == ""
        await run("Remove-Job $slow")
        assert run.error_ids()[-1].startswith("JobObjectNotFinishedCannotBeRemoved")
        assert await run("Stop-Job $slow; $slow.State") == "Stopped"
        await run("Get-Job | Remove-Job; Get-Job -Id 9; Get-Job -Name none")
        assert [each.partition(",")[0] for each in run.error_ids()[-2:]] == [
            "JobWithSpecifiedSessionNotFound",
            "JobWithSpecifiedNameNotFound",
        ]


async def test_a_session_has_the_private_data_of_its_endpoint() -> None:
    async with prompt() as run:
        await with_session(run)
        assert await run("$s.ApplicationPrivateData.none; 'after'") == "after"
        assert run.error_ids() == []


async def test_a_file_may_be_utf16_or_not_valid(tmp_path: Path) -> None:
    wide, wrong = tmp_path / "wide.ps1", tmp_path / "wrong.ps1"
    wide.write_bytes("count 1".encode("utf-16"))
    wrong.write_bytes(b"count 2 #\xff")
    async with prompt() as run:
        await with_session(run)
        assert await run(f"Invoke-Command $s -FilePath '{wide}'") == "0"
        assert run.error_ids() == []


async def test_what_only_lives_here_is_sent_as_its_text() -> None:
    async with prompt() as run:
        await with_session(run)
        assert await run("$s, { a }, (Get-Command gsn) | Invoke-Command -Session $s {echo}") == (
            "[PSSession]Runspace1\n a \nGet-PSSession"
        )
        assert "SYNTAX" in await run("Get-Help gsn | Invoke-Command -Session $s {echo}")


async def test_the_first_error_can_end_it_all() -> None:
    async with prompt() as run:
        await with_session(run)
        shown = await run("icm $s {error first} -ErrorAction Stop; 'not reached'")
        assert shown == "Write-Error: first"
        shown = await run("icm -HostName a, dead {count 1} -ea Stop; 'not reached'")
        assert "not reached" not in shown


async def test_blocks_within_blocks_end_somewhere() -> None:
    async with prompt() as run:
        deep = "Invoke-Command { " * 400 + "'x'" + " }" * 400
        await run(deep)
        ids = {each.partition(",")[0] for each in run.error_ids()}
        assert ids <= {"CallDepthOverflow", "ScriptTooComplicated"}
        assert await run("'still here'") == "still here"


async def test_nothing_piped_in_is_no_input_at_all() -> None:
    async with prompt() as run:
        await with_session(run)
        assert await run("Get-PSSession -Name no* | Invoke-Command -Session $s {echo}") == ""
        assert run.workspace.errors == []


def test_values_of_the_language_become_values_of_the_protocol() -> None:
    sent = _sendable(Dictionary({"a": List([1, Dictionary({"b": None})])}))
    assert isinstance(sent, Dictionary)
    assert sent["a"][0] == 1
    assert isinstance(sent["a"][1], Dictionary)
