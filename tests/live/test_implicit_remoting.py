"""Import-PSSession of the real client from our endpoint."""

from __future__ import annotations

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
