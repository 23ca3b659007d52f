"""The session commands of the local prompt, used as in the documentation of Enter-PSSession."""

from __future__ import annotations

from pathlib import Path

import pytest

from psremoting.targets import ProcessTarget, SSHTarget, WSManTarget, local_target
from psrp.clixml import Credential
from tests.console.places import prompt

ENTER = "Microsoft.PowerShell.Commands.EnterPSSessionCommand"


def ssh(host_name: str, **more: object) -> SSHTarget:
    return SSHTarget(host_name=host_name, **more)  # type: ignore[arg-type]


async def test_a_new_session_is_shown_as_powershell_shows_it() -> None:
    async with prompt() as run:
        shown = await run("New-PSSession -HostName UserA@LinuxServer01 -Name lab")
        assert shown.splitlines() == [
            "",
            " Id Name            Transport ComputerName    ComputerType    State         "
            "ConfigurationName     Availability",
            " -- ----            --------- ------------    ------------    -----         "
            "-----------------     ------------",
            "  1 lab             SSH       LinuxServer01   RemoteMachine   Opened        "
            "DefaultShell             Available",
        ]
        assert run.place.out[-1] == ""
        assert run.machines.asked == [ssh("UserA@LinuxServer01")]


async def test_enter_without_anything_enters_this_machine() -> None:
    async with prompt() as run:
        await run("Enter-PSSession")
        await run("New-PSSession -Name here")
        assert run.machines.asked == [local_target(), local_target()]
        assert [entry.name for entry in run.workspace.table] == ["here"]


async def test_a_session_in_a_variable_is_entered_and_stays_open() -> None:
    """Statement I97."""
    async with prompt() as run:
        run.place.typed = ["count 2"]
        await run("$s = New-PSSession -HostName UserA@LinuxServer01")
        assert await run("Enter-PSSession -Session $s") == "0\n1"
        assert await run("Enter-PSSession $s") == "0\n1"
        assert await run("$s.State; $s.Availability") == "Opened\nAvailable"
        first, second = run.place.entered
        assert first is second
        assert len(run.machines.asked) == 1


@pytest.mark.parametrize(
    "line",
    [
        "Enter-PSSession -Name lab",
        "Enter-PSSession -Name LAB",
        "Enter-PSSession -Id 1",
        "Enter-PSSession 1",
        "Enter-PSSession -InstanceId $s.InstanceId",
        "Get-PSSession | Enter-PSSession",
        "$s | Enter-PSSession",
        "etsn -id:1",
    ],
)
async def test_a_session_is_entered_by_each_of_its_names(line: str) -> None:
    async with prompt() as run:
        await run("$s = New-PSSession -HostName h -Name lab")
        assert await run(line) == ""
        assert len(run.place.entered) == 1


async def test_a_session_made_by_enter_closes_with_it_and_is_not_listed() -> None:
    """Statement I94."""
    async with prompt() as run:
        run.place.typed = ["count 1"]
        assert await run("Enter-PSSession -HostName UserA@LinuxServer01") == "0"
        (session,) = run.place.entered
        assert session.state == "Closed"
        assert await run("Get-PSSession") == ""
        await run("New-PSSession -HostName h")
        assert [entry.id for entry in run.workspace.table] == [2]


async def test_the_parameters_for_ssh_arrive() -> None:
    async with prompt() as run:
        await run("Enter-PSSession -HostName UserA@LinuxServer02:22 -KeyFilePath /sshkeys/key_rsa")
        await run(
            "Enter-PSSession h -UserName u -Port 2222 -Subsystem other -ConnectingTimeout 1500 "
            "-SSHTransport -Options @{ StrictHostKeyChecking = 'no'; LogLevel = 'ERROR' }"
        )
        await run("Enter-PSSession -HostName h -ConnectingTimeout -5")
        assert run.machines.asked == [
            ssh("UserA@LinuxServer02:22", key_file_path="/sshkeys/key_rsa"),
            ssh(
                "h",
                user_name="u",
                port=2222,
                subsystem="other",
                connecting_timeout=1.5,
                options={"StrictHostKeyChecking": "no", "LogLevel": "ERROR"},
            ),
            ssh("h"),
        ]


async def test_a_host_in_the_options_replaces_the_host_name() -> None:
    script = """
        $options = @{
            Port=22
            User = 'UserA'
            Host = 'LinuxServer02'
        }
        Enter-PSSession -KeyFilePath /sshkeys/userAKey_rsa -Options $options
    """
    async with prompt() as run:
        assert await run(script) == ""
        (target,) = run.machines.asked
        assert target == ssh(
            "LinuxServer02",
            key_file_path="/sshkeys/userAKey_rsa",
            options={"Port": 22, "User": "UserA"},
        )
        assert await run("$options.Host") == "LinuxServer02"


async def test_a_key_is_found_from_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with prompt() as run:
        await run("New-PSSession -HostName h -IdentityFilePath ~/key")
        assert run.machines.asked == [ssh("h", key_file_path=str(tmp_path / "key"))]


async def test_hashtables_name_many_machines() -> None:
    async with prompt() as run:
        await run(
            "$c = @{ HostName='a'; Port=22; UserName='u'; IdentityFilePath='/k' }, "
            "@{ ComputerName='b'; Subsystem='s'; Options=@{ X='y' } }\n"
            "$all = New-PSSession -SSHConnection $c -Name one, two"
        )
        assert [entry.target for entry in run.workspace.table] == [
            ssh("a", port=22, user_name="u", key_file_path="/k"),
            ssh("b", subsystem="s", options={"X": "y"}),
        ]
        assert await run("$all.Count; $all[1].Name") == "2\ntwo"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("@{ HostName='a'; Bad='x' }", "parameter Bad is not supported."),
        ("@{ UserName='a' }", "is missing the required ComputerName or HostName parameter."),
        ("@{ HostName='' }", "name or element is null or empty."),
        (
            "@{ HostName='a'; ComputerName='b' }",
            "contains both a ComputerName and HostName parameter.  Only one can be specified.",
        ),
        (
            "@{ HostName='a'; KeyFilePath='b'; IdentityFilePath='c' }",
            "contains both a KeyFilePath and IdentityFilePath parameter.  Only one can be "
            "specified.",
        ),
    ],
)
async def test_a_wrong_hashtable_is_an_error(table: str, text: str) -> None:
    async with prompt() as run:
        assert (await run(f"New-PSSession -SSHConnection {table}")).endswith(text)
        assert run.error_ids() == ["Argument,Microsoft.PowerShell.Commands.NewPSSessionCommand"]


async def test_other_ways_of_this_program_have_their_own_parameter() -> None:
    async with prompt() as run:
        await run("New-PSSession -Target 'process:a b', local")
        assert [entry.target for entry in run.workspace.table] == [
            ProcessTarget(argv=("a", "b")),
            local_target(),
        ]


async def test_one_of_many_that_fails_does_not_disturb_the_others() -> None:
    async with prompt() as run:
        shown = await run("New-PSSession -HostName a, dead, b")
        assert [entry.computer_name for entry in run.workspace.table] == ["a", "b"]
        assert shown.endswith(
            "New-PSSession: [dead] The SSH client session has ended with error message: The SSH "
            "transport process has abruptly terminated causing this remote session to break."
        )
        assert run.error_ids() == ["PSSessionOpenFailed"]


async def test_get_finds_by_number_name_and_instance_id() -> None:
    async with prompt() as run:
        await run("New-PSSession -HostName a,b,c -Name web1,web2,db")
        assert await run("(Get-PSSession -Name web*).Count") == "2"
        assert await run("(Get-PSSession 3).Name") == "db"
        assert await run("(Get-PSSession -InstanceId (Get-PSSession 2).InstanceId).Name") == "web2"
        assert await run("Get-PSSession -Name no*") == ""
        assert (await run("Get-PSSession -Name gone")) == (
            "Get-PSSession: The remote session with the name gone  is not available."
        )
        assert run.error_ids() == [
            "RemoteRunspaceNotAvailableForSpecifiedName,"
            "Microsoft.PowerShell.Commands.GetPSSessionCommand"
        ]


async def test_sessions_are_removed_in_every_way() -> None:
    async with prompt() as run:
        await run("$all = New-PSSession -HostName a,b,c,d,e,f -Name w1,w2,x,y,z,last")
        await run("Remove-PSSession $all[0]; Remove-PSSession -Id 2,3; rsn -Name Y")
        assert [entry.name for entry in run.workspace.table] == ["z", "last"]
        assert 'on target "e"' in await run("Remove-PSSession -ComputerName e -WhatIf")
        await run("Remove-PSSession -ComputerName E*")
        await run("Get-PSSession | Remove-PSSession")
        assert len(run.workspace.table) == 0
        assert await run("$all[0].State") == "Closed"
        assert run.workspace.errors == []


async def test_a_closed_session_cannot_be_entered() -> None:
    async with prompt() as run:
        await run("$s = New-PSSession -HostName h -Name lab; Remove-PSSession $s")
        shown = await run("Enter-PSSession $s")
        assert shown == (
            "Enter-PSSession: Cannot enter session lab because it is not in the disconnected "
            "state or is not available for connection. Retrieve the remote session using "
            f"Get-PSSession -ComputerName h -InstanceId {run.workspace.variable('s').instance_id}."
        )
        assert run.error_ids() == [f"PushedRunspaceMustBeOpen,{ENTER}"]


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("Enter-PSSession -ComputerName Server01", "http://Server01:5985/wsman"),
        ("Enter-PSSession Server01", "http://Server01:5985/wsman"),
        ("'Server01' | Enter-PSSession", "http://Server01:5985/wsman"),
        ("New-PSSession Server01 -Port 90 -UseSSL", "https://Server01:90/wsman"),
        ("Enter-PSSession -ConnectionUri http://localhost/WSMAN", "http://localhost:80/WSMAN"),
        ("Invoke-Command -ComputerName Server01 { 1 }", "http://Server01:5985/wsman"),
    ],
)
async def test_a_computer_name_is_reached_over_ws_man(line: str, url: str) -> None:
    """Statement H88."""
    async with prompt() as run:
        await run(line)
        (target,) = run.machines.asked
        assert isinstance(target, WSManTarget)
        assert target.location.url == url


async def test_the_parameters_of_ws_man_reach_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSRP_PASSWORD", "secret")
    async with prompt() as run:
        shown = await run(
            "$o = New-PSSessionOption -SkipCACheck -OpenTimeout 5000 -NoEncryption; "
            "New-PSSession a,b -Credential Domain01\\User01 -Authentication "
            "NegotiateWithImplicitCredential -ConfigurationName Other -SessionOption $o"
        )
        assert "Other" in shown
        assert "secret" not in shown
        first, second = sorted(run.machines.asked, key=lambda target: target.computer)
        assert (first.computer, second.computer) == ("a", "b")
        assert first.credential == Credential("Domain01\\User01", "secret")
        assert first.authentication == "negotiate-with-implicit-credential"
        assert first.allow_unencrypted
        assert first.resource_uri.endswith("/Other")
        assert await run("$o.SkipCACheck") is not None


async def test_the_server_is_given_the_name_of_a_session_over_ws_man() -> None:
    async with prompt() as run:
        await run("New-PSSession a -Name work; New-PSSession b; New-PSSession -HostName c -Name d")
        assert run.machines.names == ["work", "Runspace2", ""]


async def test_an_option_that_there_is_not_is_named() -> None:
    async with prompt() as run:
        shown = await run("New-PSSession a -SessionOption @{ Nosuch = 1 }")
        assert "The member Nosuch of a session option does not exist." in shown
        assert run.machines.asked == []


async def test_a_computer_name_that_is_none_is_refused() -> None:
    async with prompt() as run:
        await run("New-PSSession -ComputerName 'a b'")
        (error_id,) = run.error_ids()
        assert error_id.startswith("PSSessionInvalidComputerName")
        assert run.machines.asked == []


@pytest.mark.parametrize(
    "line",
    [
        "Enter-PSSession -VMName x -Credential u",
        "Enter-PSSession -VMId 00000000-0000-0000-0000-000000000000 u",
        "New-PSSession -UseWindowsPowerShell",
        "Get-PSSession -VMName x",
    ],
)
async def test_an_unsupported_carrier_is_an_error(line: str) -> None:
    async with prompt() as run:
        assert "is not available in this program. Use -HostName" in await run(line)
        assert run.error_ids()[0].startswith("CarrierNotAvailable,")


async def test_exit_is_quiet_here_and_ends_the_prompt_by_its_short_name() -> None:
    async with prompt() as run:
        assert await run("Exit-PSSession") == ""
        await run("exit 3; Get-Nothing")
        assert run.workspace.exit_code == 3
        assert run.workspace.errors == []


async def test_a_missing_host_name_is_asked_for() -> None:
    async with prompt() as run:
        run.place.answers = ["h"]
        await run("Enter-PSSession -UserName u")
        assert run.place.questions == [
            "cmdlet Enter-PSSession at command pipeline position 1\n"
            "Supply values for the following parameters:\nHostName: "
        ]
        assert run.machines.asked == [ssh("h", user_name="u")]
        assert "missing mandatory parameters: HostName." in await run("New-PSSession -UserName u")
