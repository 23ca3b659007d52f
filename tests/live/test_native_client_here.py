"""PowerShell's native WS-Man client with `psrp serve`: with functions and as a gateway to
PowerShell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from psremoting.endpoint import Context, Input
from psrp.clixml import SecureString
from tests.endpoint.served_wsman import serving
from tests.endpoint.test_wsman_clients import COMMANDS, _has_gssapi
from tests.live import wsman_peers
from tests.live.kdc import Kdc
from tests.live.native_rows import parameters
from tests.live.wsman_peers import NativeClient, WSManServer

TIME_LIMIT = 300

WAYS = ["negotiate", "https", "kerberos"]


async def show_streams(context: Context) -> str:
    await context.write_error("e")
    await context.write_warning("w")
    await context.write_host("i")
    return "o"


async def measure_sum(input: Input) -> int:
    return sum([each async for each in input])


def get_secret(password: SecureString) -> str:
    return password.reveal()


async def read_name(context: Context) -> str:
    return await context.ask("name")


FUNCTIONS = {
    **COMMANDS,
    "Show-Streams": show_streams,
    "Measure-Sum": measure_sum,
    "Get-Secret": get_secret,
    "Read-Name": read_name,
}


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
    functions = ("--functions", f"{__name__}:FUNCTIONS")
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


WORK = """
    $s = New-PSSession @a
    $c = { param($n, $b) "== $n"; try { & $b } catch { "$($_.FullyQualifiedErrorId): $_" } }
    & $c 'a value' { Invoke-Command $s { Get-Length abc } }
    & $c 'a large argument' {
        Invoke-Command $s { param($t) Get-Length $t } -ArgumentList ('y' * 300kb) }
    & $c 'a large output' { (Invoke-Command $s { Get-Text 300000 }).Length }
    & $c 'an exception' { Invoke-Command $s { Get-Failure } -ErrorAction Stop }
    & $c 'an error' { Invoke-Command $s { Show-Streams } 2>&1 3>$null 6>$null |
        ForEach-Object { "$($_.GetType().Name) $_ $($_.FullyQualifiedErrorId)" } }
    & $c 'streams' { $null = Invoke-Command $s { Show-Streams } -WarningVariable w `
        -WarningAction SilentlyContinue -InformationVariable i `
        -ErrorAction SilentlyContinue 6>$null; "$w $i" }
    & $c 'input' { 1..2000 | Invoke-Command $s { Measure-Sum } }
    & $c 'a secret' { $p = ConvertTo-SecureString 'sec' -AsPlainText -Force
        Invoke-Command $s { Get-Secret $using:p } }
    & $c 'a question' { Invoke-Command $s { Read-Name } }
    & $c 'unknown' { Invoke-Command $s { Get-Nothing } -ErrorAction Stop }
    & $c 'language' { Invoke-Command $s { 1 + 1 } -ErrorAction Stop }
    & $c 'exit' { Invoke-Command $s { exit 3 } -ErrorAction Stop }
    & $c 'a job' { $j = Invoke-Command $s { Wait-A 60 } -AsJob
        while (-not (Receive-Job $j -Keep)) { Start-Sleep -Milliseconds 50 }
        Stop-Job $j; "$($j.State)"; Receive-Job $j; Invoke-Command $s { Get-Length a } }
    & $c 'imported' { $m = Import-PSSession $s -CommandName Get-Length -Prefix Far -AllowClobber
        Get-FarLength abcd; Remove-Module $m }
    & $c 'two computers' { $b = $a.Clone(); $b.ComputerName = @($a.ComputerName) * 2
        Invoke-Command @b { Get-Length ab } }
    & $c 'the session' { "$($s.State) $($s.ConfigurationName)" }
    Remove-PSSession $s
    """
"""Each part prints `==`, its name and its results."""


@pytest.mark.parametrize("way", WAYS)
def test_functions_serve_the_real_client(clients: dict[str, NativeClient], way: str) -> None:
    lines = ask(clients["functions"], way, WORK)
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("== "):
            found[line[3:]] = []
        else:
            found[list(found)[-1]].append(line)
    assert found.pop("language")
    assert found.pop("exit")
    assert found.pop("a question")
    (unknown,) = [" ".join(found.pop("unknown"))]
    assert unknown.startswith("CommandNotFoundException: The term 'Get-Nothing' is not recognized")
    assert found == {
        "a value": ["3"],
        "a large argument": [str(300 << 10)],
        "a large output": ["300000"],
        "an exception": ["ValueError,Get-Failure: it went wrong"],
        "an error": [
            "RemotingErrorRecord e Microsoft.PowerShell.Commands.WriteErrorException,Show-Streams",
            "WARNING: w",
            "i",
            "String o ",
        ],
        "streams": ["WARNING: w", "i", "w i"],
        "input": ["2001000"],
        "a secret": ["sec"],
        "a job": ["Stopped", "a", "1"],
        "imported": ["4"],
        "two computers": ["2", "2"],
        "the session": ["Opened Microsoft.PowerShell"],
    }


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
