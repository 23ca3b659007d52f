"""The built-in example commands, and the socket that serves them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from psremoting.endpoint import FunctionsEngine
from psremoting.endpoint.catalog import Catalog
from psremoting.endpoint.demo import DEMO
from psrp import events as e
from psrp.clixml import DateTime, SecureString, TimeSpan
from psrp.commands import command
from psrp.host import Credential, HostMethodId
from tests.endpoint.clients import Client, connected
from tests.endpoint.test_stdio import ROOT, SERVE

APPROVED = "Clear ConvertTo Exit Get Measure Out Read Select Show Start Write".split()  # noqa: SIM905


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with connected(FunctionsEngine(DEMO)) as made:
        yield made


LINES: list[tuple[str, list[Any]]] = [
    ("'a','b' | ConvertTo-Upper", ["A", "B"]),
    ("Get-Number 4 -First 3", [3, 4]),
    ("Get-Number 1000000 | Select-Object -First 2", [1, 2]),
    ("Write-Output a b", ["a", "b"]),
    ("1,2 | Write-Output", [1, 2]),
    ("Show-Greeting -Name Bob", ["Hello, Bob!"]),
    ("Get-Random 10 -Minimum 9", [9]),
    ("Get-Date 2026-01-02 | Measure-Object | Select-Object -ExpandProperty Count", [1]),
    ("Start-Countdown 1", [1]),
]


@pytest.mark.parametrize(("line", "output"), LINES)
async def test_a_command_to_try_works(client: Client, line: str, output: list[Any]) -> None:
    result = await client.invoke(line)
    assert (result.state, result.errors) == ("COMPLETED", [])
    assert result.output == output


async def test_commands_tell_the_time_in_its_own_type(client: Client) -> None:
    now, span = (await client.invoke("Get-Date -AsUTC; Get-Uptime")).output
    assert isinstance(now, DateTime)
    assert isinstance(span, TimeSpan)
    assert (await client.invoke("Get-Random -SetSeed 5 -Count 3")).output == (
        await client.invoke("Get-Random -SetSeed 5 -Count 3")
    ).output


async def test_every_stream_is_shown(client: Client) -> None:
    result = await client.invoke("Show-Streams -Verbose -Debug")
    kinds = {type(event) for event in result.events}
    assert kinds >= {
        e.VerboseRecordMessage, e.DebugRecordMessage, e.WarningRecordMessage,
        e.InformationRecordMessage, e.ProgressRecordMessage, e.ErrorRecordMessage,
    }  # fmt: skip


async def test_questions_are_asked_and_secrets_kept(client: Client) -> None:
    answers = {
        HostMethodId.PromptForChoice: 1,
        HostMethodId.PromptForCredential2: Credential("bob", SecureString("pw")),
    }

    def answer(call: e.PipelineHostCall) -> Any:
        if call.method == HostMethodId.Prompt:
            return {call.arguments[2][0].name: SecureString("12345")}
        return answers[HostMethodId(call.method)]

    client.answer = answer
    assert (await client.invoke(command("Select-Option"))).output == ["Coffee"]
    assert (await client.invoke("Read-Secret | Measure-Secret")).output == [5]
    (credential,) = (await client.invoke(command("Get-Credential"))).output
    assert credential["UserName"] == "bob"


async def test_every_command_has_an_approved_verb_and_help(client: Client) -> None:
    shown = (await client.invoke("Get-Command | Select-Object Name")).output
    names = [each["Name"] for each in shown]
    verbs = {verb for verb, dash, _ in (name.partition("-") for name in names) if dash}
    assert verbs <= set(APPROVED)
    for name in names:
        (text,) = (await client.invoke(f"Get-Help {name}")).output
        assert text["Synopsis"].endswith("."), name


def test_the_catalog_finds_names_as_powershell_does() -> None:
    catalog = Catalog.of(DEMO)
    assert catalog.find("GET-date") is catalog.get("psremoting\\Get-Date")
    assert [each.name for each in catalog.matching(["get-u*"])] == ["Get-Uptime"]


@pytest.mark.parametrize(
    ("arguments", "methods"),
    [
        ({"PSVersionTable": {"Platform": "Unix"}}, [HostMethodId.Write1]),
        (
            {"PSVersionTable": {"Platform": "Win32NT"}},
            [HostMethodId.SetCursorPosition, HostMethodId.SetBufferContents1],
        ),
        (None, [HostMethodId.SetCursorPosition, HostMethodId.SetBufferContents1]),
    ],
    ids=["on Unix", "on Windows", "unknown"],
)
async def test_the_screen_is_cleared_as_the_clients_host_can_do_it(
    arguments: Any, methods: list[HostMethodId]
) -> None:
    async with connected(FunctionsEngine(DEMO), opened=False) as client:
        await client.open(application_arguments=arguments)
        result = await client.invoke(command("Clear-Host"))
        assert [call[0] for call in result.calls] == [int(each) for each in methods]


async def test_a_socket_serves_one_client_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = subprocess.Popen([*SERVE, "--unix", str(path)], cwd=ROOT)
    try:
        with trio.fail_after(30):
            while not path.exists():
                await trio.sleep(0.02)
            for _ in range(2):
                client = Client(await trio.open_unix_socket(str(path)))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.run)
                    await client.open()
                    assert (await client.invoke("1")).output == [1]
                    nursery.cancel_scope.cancel()
                await client.stream.aclose()
            second = subprocess.run([*SERVE, "--unix", str(path)], cwd=ROOT, capture_output=True)
            assert (second.returncode, b"another server does" in second.stderr) == (1, True)
            server.send_signal(signal.SIGINT)
            assert await trio.to_thread.run_sync(server.wait, 10) == 0
        assert not path.exists()
    finally:
        server.kill()
        server.wait()
