"""PowerShell's native WS-Man client with `psrp serve`: with functions and as a gateway to
PowerShell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endpoint.served_wsman import serving
from tests.endpoint.test_wsman_clients import _has_gssapi
from tests.live import wsman_peers
from tests.live.kdc import Kdc
from tests.live.native_rows import parameters
from tests.live.wsman_peers import NativeClient, WSManServer

TIME_LIMIT = 300

WAYS = ["negotiate", "https", "kerberos"]


@pytest.fixture(scope="module")
def clients(
    kdc: Kdc | None, pwsh: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, NativeClient]]:
    """A client for each endpoint: ``functions`` and ``powershell``."""
    if wsman_peers.client_program() is None:
        pytest.skip("no WS-Man kit: set PSREMOTING_WSMAN_DIR")
    keytab = str(kdc.keytab) if kdc is not None and _has_gssapi() else ""
    environment = {"KRB5_CONFIG": str(kdc.config)} if kdc is not None else {}
    folders = [tmp_path_factory.mktemp(name) for name in ("functions", "powershell")]
    functions = ("--functions", "tests.endpoint.test_wsman_clients:COMMANDS")
    configuration = folders[1] / "sender.pssc"
    (folders[1] / "sender.ps1").write_text(sender_script())
    configuration.write_text(
        "@{ SchemaVersion = '2.0.0.0'; GUID = '5a3f7c1e-6f0f-4a45-9f2b-0d6c7e1f2a3b'; "
        f"SessionType = 'Default'; ScriptsToProcess = '{folders[1]}/sender.ps1' }}"
    )
    program = f"{pwsh} -s -NoLogo -NoProfile"
    powershell = ("--process", program, "--configuration",
                  f"Sender=process:{program} -ConfigurationFile {configuration}")  # fmt: skip
    with (
        serving(folders[0], *functions, keytab=keytab, environment=environment) as first,
        serving(folders[1], *powershell, keytab=keytab, environment=environment) as second,
    ):
        known = kdc if keytab else None
        yield {
            name: NativeClient(
                Path(folders[0]), WSManServer(http=each.http, https=each.https, kdc=known)
            )
            for name, each in (("functions", first), ("powershell", second))
        }


def sender_script() -> str:
    """Return the script of the page that fills $PSSenderInfo."""
    page = Path(__file__).resolve().parents[2] / "spec-notes" / "running-an-endpoint.md"
    return page.read_text("utf-8").partition("```powershell\n")[2].partition("```")[0]


def ask(client: NativeClient, way: str, script: str) -> list[str]:
    """Run a script in which ``@a`` are the parameters of the connection; return its lines."""
    server = client._server
    if way == "kerberos" and server.kdc is None:
        pytest.skip("no Kerberos here")
    return client.run(f"$a = {parameters(server, way)}\n{script}").splitlines()


@pytest.mark.parametrize("way", WAYS)
def test_functions_serve_the_real_client(clients: dict[str, NativeClient], way: str) -> None:
    script = """
    $s = New-PSSession @a
    Invoke-Command -Session $s { Get-Length -Text ('y' * 10) } 2>&1 | Out-Null
    Invoke-Command -Session $s { Get-Length abc }
    (Invoke-Command -Session $s { Get-Text 300000 }).Length
    try { Invoke-Command -Session $s { Get-Failure } -ErrorAction Stop } catch { "$_" }
    $s.State; $s.ConfigurationName
    Remove-PSSession $s
    """
    assert ask(clients["functions"], way, script) == [
        "3",
        "300000",
        "it went wrong",
        "Opened",
        "Microsoft.PowerShell",
    ]


@pytest.mark.parametrize("way", ["negotiate", "kerberos"])
def test_the_gateway_serves_the_real_client(
    clients: dict[str, NativeClient], way: str, tmp_path: Path
) -> None:
    (tmp_path / "here").write_text("copy me")
    script = f"""
    $s = New-PSSession @a
    Invoke-Command -Session $s {{ 1..3 }}
    Invoke-Command -Session $s {{ param($x) $x.Length }} -ArgumentList ('z' * 300kb)
    (Invoke-Command -Session $s {{ 'q' * 300kb }}).Length
    Invoke-Command -Session $s {{ Write-Warning w; Write-Error e; Write-Information i }} `
        -WarningVariable w -WarningAction SilentlyContinue -InformationVariable i `
        -ErrorVariable e -ErrorAction SilentlyContinue
    "$w $e $i"
    try {{ Invoke-Command -Session $s {{ throw 'boom' }} }} catch {{ $_.FullyQualifiedErrorId }}
    1..200 | Invoke-Command -Session $s {{ $input | Measure-Object -Sum | % Sum }}
    $p = ConvertTo-SecureString 'sec' -AsPlainText -Force
    Invoke-Command -Session $s -ArgumentList $p {{
        param($p) [pscredential]::new('x', $p).GetNetworkCredential().Password
    }}
    Copy-Item '{tmp_path}/here' '{tmp_path}/there' -ToSession $s
    Copy-Item '{tmp_path}/there' '{tmp_path}/back' -FromSession $s
    Get-Content '{tmp_path}/back'
    Remove-PSSession $s
    """
    assert ask(clients["powershell"], way, script) == [
        "1",
        "2",
        "3",
        str(300 << 10),
        str(300 << 10),
        "WARNING: w",
        "w e i",
        "boom",
        "20100",
        "sec",
        "copy me",
    ]


def test_the_real_client_stops_a_job(clients: dict[str, NativeClient]) -> None:
    script = """
    $s = New-PSSession @a
    $j = Invoke-Command -Session $s -AsJob { 1; Start-Sleep 60; 2 }
    while (-not (Receive-Job $j -Keep)) { Start-Sleep -Milliseconds 50 }
    Stop-Job $j; "$($j.State)"
    Invoke-Command -Session $s { 7 }
    Remove-PSSession $s
    """
    assert ask(clients["powershell"], "negotiate", script) == ["Stopped", "7"]


def test_the_other_ways_of_the_real_client(clients: dict[str, NativeClient]) -> None:
    script = """
    $u = "http://127.0.0.1:$($a.Port)/wsman"
    $way = @{ Authentication = 'Negotiate'; Credential = $c }
    Invoke-Command -ConnectionUri $u @way { 'uri' }
    Invoke-Command -ComputerName 127.0.0.1, localhost -Port $a.Port @way { 'two' }
    $s = New-PSSession @a -ConfigurationName Microsoft.PowerShell
    $null = Import-PSSession $s -CommandName Get-Date -Prefix Far -AllowClobber
    (Get-FarDate).GetType().Name
    Get-PSSession | % { "$($_.State) $($_.Availability)" }
    Remove-PSSession $s
    """
    assert ask(clients["powershell"], "negotiate", script) == [
        "uri",
        "two",
        "two",
        "DateTime",
        "Opened Available",
    ]


REFUSALS = [
    (
        "$a.Credential = [pscredential]::new('wsuser', (ConvertTo-SecureString x -AsPlainText"
        " -Force))",
        "2,PSSessionStateBroken",
    ),
    (
        "$a.Credential = [pscredential]::new('nobody', $c.Password)",
        "2,PSSessionStateBroken",
    ),
]


@pytest.mark.parametrize(("change", "error_id"), REFUSALS)
def test_the_real_client_is_refused(
    clients: dict[str, NativeClient], change: str, error_id: str
) -> None:
    script = f"""
    {change}
    try {{ Invoke-Command @a {{ 1 }} -ErrorAction Stop }} catch {{ $_.FullyQualifiedErrorId }}
    """
    assert ask(clients["functions"], "https", script) == [error_id]


@pytest.mark.parametrize("way", WAYS)
def test_scripts_learn_who_asks(clients: dict[str, NativeClient], way: str) -> None:
    """$PSSenderInfo by the script of the page, and the variables that it reads."""
    script = """
    $o.ApplicationArguments = @{ k = 'v' }
    $a.SessionOption = $o
    Invoke-Command @a -ConfigurationName Sender {
        $i = $PSSenderInfo
        $i.UserInfo.Identity.Name, $i.UserInfo.Identity.AuthenticationType, $i.ConnectedUser
        $i.ConnectionString, $i.ConfigurationName, $i.ApplicationArguments.k
        $env:PSRP_SENDER_ADDRESS
    }
    """
    client = clients["powershell"]
    user = "wsuser@TEST.LOCAL" if way == "kerberos" else "wsuser"
    mechanism = {"negotiate": "NTLM", "https": "Basic", "kerberos": "Kerberos"}[way]
    host = "127.0.0.1" if way == "negotiate" else "localhost"
    port = client._server.https if way == "https" else client._server.http
    found = ask(client, way, script)
    url = found.pop(3)
    assert url.lower().startswith(
        f"{'https' if way == 'https' else 'http'}://{host}:{port}/wsman?psversion="
    )
    assert found == [user, mechanism, user, "Sender", "v", "127.0.0.1"]
