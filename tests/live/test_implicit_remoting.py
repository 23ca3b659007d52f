"""Import-PSSession of the real client from our endpoint."""

from __future__ import annotations

import json
from typing import Any

from tests.live.peers import Clients


def test_help_of_a_proxy_is_shown_by_the_real_client(clients: Clients) -> None:
    session = clients.theirs("stdio", "demo")
    code = f"""
        $module = Import-PSSession {session} -AllowClobber -CommandName Get-Number -FormatTypeName *
        try {{
            Get-Help Get-Number -Full | Out-String -Width 100
            (Get-Number 3) -join ' '
        }}
        finally {{ Remove-Module $module }}
    """
    shown = clients.real.run(code)
    assert "Gets numbers in a row, as many as the client takes." in shown
    assert "Get-Number [-Last] <Int64> [-First <Int64>] [<CommonParameters>]" in shown
    assert "-First <Int64>" in shown
    assert "The last number." in shown
    assert shown.rstrip().endswith("1 2 3")


def test_a_command_is_described_as_by_a_real_endpoint(clients: Clients) -> None:
    session = clients.theirs("stdio", "demo")
    sets = "@{ n = 'Sets'; e = { @($_.ParameterSets) -join ';' } }"
    (about,) = clients.real.json(
        f"Invoke-Command {session} {{ Get-Command Get-Number }} |"
        f" Select-Object Name, CommandType, Options, Visibility, {sets}"
    )
    assert about == {
        "Name": "Get-Number",
        "CommandType": "Function",
        "Options": "None",
        "Visibility": "Public",
        "Sets": "[-Last] <long> [-First <long>] [<CommonParameters>]",
    }


_TWIN = """function global:Get-Number {
    [CmdletBinding()]param([Parameter(Mandatory, Position = 0)][long]$Last, [long]$First = 1)
}"""


def test_a_command_is_described_for_show_command_as_by_a_real_endpoint(clients: Clients) -> None:
    """The enums of the real endpoint have a number and a name, ours the name."""
    ours, theirs = clients.theirs("stdio", "demo"), clients.theirs("stdio", "powershell")
    clients.real.run(f"Invoke-Command {theirs} {{ {_TWIN} }}")
    shown = []
    for session in (ours, theirs):
        command = f"Invoke-Command {session} {{ Get-Command Get-Number -ShowCommandInfo }}"
        text = clients.real.run(f"{command} | ConvertTo-Json -Depth 8 -EnumsAsStrings -Compress")
        shown.append(_with_names(json.loads(text)))
    for member in ("Name", "ModuleName", "CommandType", "ParameterSets"):
        assert shown[0][member] == shown[1][member], member


def _with_names(value: Any) -> Any:
    """Return ``value`` with the name in place of each enum."""
    if isinstance(value, list):
        return [_with_names(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"value", "Value"}:
        return value["Value"]
    return {name: _with_names(item) for name, item in value.items()}


def test_help_of_one_parameter_of_a_proxy_is_that_of_a_real_endpoint(clients: Clients) -> None:
    """The real client finds no parameter in the help of a proxy, and says so for both."""
    ours, theirs = clients.theirs("stdio", "demo"), clients.theirs("stdio", "powershell")
    clients.real.run(f"Invoke-Command {theirs} {{ {_TWIN} }}")
    shown = [
        clients.real.run(
            f"$m = Import-PSSession {session} -AllowClobber -CommandName Get-Number\n"
            "try { Get-Help Get-Number -Parameter Last -ErrorAction SilentlyContinue"
            ' -ErrorVariable failed | Out-String; "$failed" } finally { Remove-Module $m }'
        )
        for session in (ours, theirs)
    ]
    assert shown[0] == shown[1]
