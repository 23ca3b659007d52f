"""The examples and parameters of the pages on Enter-PSSession, and the table of all pages.

Each example quotes the page. spec-notes/documents.md lists every row with its test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from psremoting.console.remoting_tables import REMOTING_COMMANDS
from psremoting.console.tables import ENTER
from psremoting.powershell.parameters import CommandTable, Role
from psremoting.targets import SSHTarget, local_target
from psremoting.wsman_target import WSManTarget
from psrp.clixml import Credential
from tests.console.places import prompt
from tests.house.source import ROOT, named_tests

NOTE = ROOT / "spec-notes" / "documents.md"

PARAMETERS = """
AllowRedirection | SwitchParameter | Uri |  | Named | -
ApplicationName | String | ComputerName |  | Named | name
Authentication | AuthenticationMechanism | ComputerName Uri |  | Named | -
CertificateThumbprint | String | ComputerName Uri |  | Named | -
ComputerName | String | ComputerName | Cn | 0 | both
ConfigurationName | String | ComputerName Uri VMId VMName ContainerId |  | Named | name
ConnectingTimeout | Int32 | SSHHost |  | Named | -
ConnectionUri | Uri | Uri | URI CU | 1 | name
ContainerId | String | ContainerId |  | 0 | both
Credential | PSCredential | ComputerName Uri VMId VMName |  |  | name
EnableNetworkAccess | SwitchParameter | ComputerName Uri |  | Named | -
HostName | String | SSHHost |  | 0 | value
Id | Int32 | Id |  | 0 | name
InstanceId | Guid | InstanceId |  | Named | name
KeyFilePath | String | SSHHost | IdentityFilePath | Named | -
Name | String | Name |  | Named | name
Options | Hashtable | SSHHost |  | Named | -
Port | Int32 | ComputerName SSHHost |  | Named | -
RunAsAdministrator | SwitchParameter | ContainerId |  | Named | -
Session | PSSession | Session |  | 0 | both
SessionOption | PSSessionOption | ComputerName Uri |  | Named | -
SSHTransport | SwitchParameter | SSHHost |  | Named | -
Subsystem | String | SSHHost |  | Named | name
UserName | String | SSHHost |  | Named | -
UseSSL | SwitchParameter | ComputerName |  | Named | -
VMId | Guid | VMId | VMGuid | 0 | both
VMName | String | VMName |  | 0 | both
"""
"""Every parameter of the three pages: name, type, sets, aliases, position, pipeline input. The set
that the page of version 6 calls HostName is SSHHost in PowerShell. Credential has position 1 in
the sets of virtual machines only. KeyFilePath has its alias in PowerShell, not on the page."""
ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in PARAMETERS.strip().split("\n")]


def pipeline(role: Role) -> str:
    if role.by_value:
        return "both" if role.by_name else "value"
    return "name" if role.by_name else "-"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_parameter_of_enter_pssession_is_as_on_the_page(row: tuple[str, ...]) -> None:
    """Documents: Enter-PSSession 7, 6 and 5.1, parameters."""
    name, type, sets, aliases, position, takes = row
    found = ENTER.find(name)
    assert found is not None
    assert found.type.rpartition(".")[2] == type
    assert found.aliases == tuple(aliases.split())
    assert set(found.roles) == set(sets.split())
    for role in found.roles.values():
        assert pipeline(role) == takes
        if position:
            assert ("Named" if role.position is None else str(role.position)) == position


def test_enter_pssession_has_no_parameter_that_is_not_on_a_page() -> None:
    own = {each.name for each in ENTER.parameters if not each.common}
    assert own == {row[0] for row in ROWS}


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("Disable-PSRemoting", "Force WhatIf Confirm"),
        ("Enable-PSRemoting", "Force SkipNetworkProfileCheck WhatIf Confirm"),
    ],
)
def test_the_parameters_of_the_remoting_commands_are_those_of_the_page(
    command: str, names: str
) -> None:
    """Documents: Disable-PSRemoting, parameters."""
    (table,) = [each for each in REMOTING_COMMANDS if each.name == command]
    assert isinstance(table, CommandTable)
    for name in names.split():
        found = table.find(name)
        assert found is not None
        assert found.switch
        assert all(role.position is None for role in found.roles.values())
    for name, alias in (("WhatIf", "wi"), ("Confirm", "cf")):
        found = table.find(name)
        assert found is not None
        assert found.aliases == (alias,)


async def test_example_1_enters_this_computer() -> None:
    """Documents: Enter-PSSession, example 1: ``Enter-PSSession``; the prompt has [localhost]."""
    async with prompt() as run:
        assert await run("Enter-PSSession") == ""
        assert run.machines.asked == [local_target()]
        assert local_target().computer == "localhost"


async def test_example_2_works_in_a_session() -> None:
    """Documents: Enter-PSSession, example 2. Server01 is a stand-in here, whose commands are
    others than Get-Process."""
    async with prompt() as run:
        run.place.typed = ["count 3"]
        assert await run("Enter-PSSession -ComputerName Server01") == "0\n1\n2"
        (target,) = run.machines.asked
        assert isinstance(target, WSManTarget)
        assert target.location.url == "http://Server01:5985/wsman"
        # exit has closed the session: back at the local prompt nothing is open.
        assert await run("Get-PSSession") == ""


async def test_example_3_enters_a_session_that_stays_open() -> None:
    """Documents: Enter-PSSession, example 3."""
    async with prompt() as run:
        await run("$s = New-PSSession -ComputerName Server01")
        await run("Enter-PSSession -Session $s")
        assert len(run.place.entered) == 1
        assert await run("$s.State") == "Opened"


async def test_example_4_gives_port_and_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents: Enter-PSSession, example 4."""
    monkeypatch.setenv("PSRP_PASSWORD", "secret")
    async with prompt() as run:
        await run("Enter-PSSession -ComputerName Server01 -Port 90 -Credential Domain01\\User01")
        (target,) = run.machines.asked
        assert isinstance(target, WSManTarget)
        assert target.location.url == "http://Server01:90/wsman"
        assert target.credential == Credential("Domain01\\User01", "secret")


@pytest.mark.parametrize("leave", ["Exit-PSSession", "exit"])
async def test_example_5_stops_a_session(leave: str) -> None:
    """Documents: Enter-PSSession, example 5. At the local prompt Exit-PSSession changes nothing."""
    async with prompt() as run:
        await run("Enter-PSSession -ComputerName Server01")
        assert run.place.entered[0].state == "Closed"
        assert await run(leave) == ""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Enter-PSSession -HostName UserA@LinuxServer01", ("UserA@LinuxServer01", "", 0)),
        (
            "Enter-PSSession -HostName UserA@LinuxServer02:22 "
            "-KeyFilePath c:\\sshkeys\\userAKey_rsa",
            ("UserA@LinuxServer02:22", "c:\\sshkeys\\userAKey_rsa", 0),
        ),
        (
            "$options = @{\n    Port=22\n    User = 'UserA'\n    Host = 'LinuxServer02'\n}\n"
            "Enter-PSSession -KeyFilePath c:\\sshkeys\\userAKey_rsa -Options $options",
            ("LinuxServer02", "c:\\sshkeys\\userAKey_rsa", 0),
        ),
    ],
    ids=["example 6", "example 7", "example 8"],
)
async def test_examples_6_to_8_enter_over_ssh(line: str, expected: tuple[str, str, int]) -> None:
    """Documents: Enter-PSSession, examples 6 to 8."""
    async with prompt() as run:
        assert await run(line) == ""
        (target,) = run.machines.asked
        assert isinstance(target, SSHTarget)
        assert (target.host_name, Path(target.key_file_path).name, target.port) == (
            expected[0], Path(expected[1]).name, expected[2],
        )  # fmt: skip


async def test_the_page_on_ws_man_connects_to_a_named_configuration() -> None:
    """Documents: WS-Man remoting: -ConfigurationName PowerShell.7.4."""
    async with prompt() as run:
        for command in ("New-PSSession", "Enter-PSSession"):
            await run(f"{command} -ComputerName Server01 -ConfigurationName PowerShell.7.4")
        for target in run.machines.asked:
            assert isinstance(target, WSManTarget)
            assert target.resource_uri == "http://schemas.microsoft.com/powershell/PowerShell.7.4"


def test_the_table_of_the_pages_has_every_example_and_parameter_with_a_test() -> None:
    text = NOTE.read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (`tests/[^|]+`|—[^|]*) \|$", text, re.MULTILINE)
    assert len(rows) >= 55
    tests = named_tests()
    named = {name for _, _, cell in rows for name in re.findall(r"`(tests/[^`]+)`", cell)}
    assert not named - tests.keys()
    listed = {row.strip() for row, _, _ in rows}
    assert {f"Enter-PSSession -{row[0]}" for row in ROWS} <= listed
    assert {f"Enter-PSSession, example {at}" for at in range(1, 9)} <= listed
    assert {f"Disable-PSRemoting, example {at}" for at in range(1, 8)} <= listed
    assert {f"Disable-PSRemoting -{each}" for each in ("Force", "WhatIf", "Confirm")} <= listed
