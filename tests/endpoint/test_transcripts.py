"""Transcripts of sessions with functions: PowerShell's header, commands, parameters and output."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import trio

from psremoting.administration.configurations import (
    ConnectedUser,
    EngineKind,
    SessionConfiguration,
)
from psremoting.endpoint import Context
from psremoting.endpoint.configured_engine import engine_for
from psremoting.endpoint.sender import Sender
from psremoting.endpoint.signatures import Param
from psremoting.endpoint.transcripts import Transcript
from psrp import events as e
from psrp.host import HostInfo
from tests.endpoint.clients import Client, connected


async def _speak(context: Context, text: str, *, fails: bool = False) -> str:
    await context.write_warning("careful")
    if fails:
        await context.write_error("it failed")
    return text


def _login(password: Annotated[str, Param(secret=True)]) -> str:
    return f"{len(password)} characters"


COMMANDS = {"Get-Speech": _speak, "Get-Login": _login}


async def _transcript(folder: Path, *lines: str) -> list[str]:
    path = folder / "t.pssc"
    path.write_text(
        "@{ SchemaVersion='2.0.0.0'; SessionType='RestrictedRemoteServer';"
        f" VisibleFunctions='*'; TranscriptDirectory='{folder / 'transcripts'}' }}"
    )
    configuration = SessionConfiguration(
        name="tools",
        kind=EngineKind.FUNCTIONS,
        source="tests.endpoint.test_transcripts:COMMANDS",
        path=str(path),
    )
    async with connected(engine_for(configuration, ConnectedUser(name="anna"))) as client:
        for line in lines:
            await client.invoke(line)
    (file,) = (folder / "transcripts").iterdir()
    assert re.fullmatch(r"PowerShell_transcript\..+\.\w{8}\.\d{14}\.txt", file.name)
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text("utf-8").splitlines()


async def test_a_transcript_has_commands_parameters_and_output(tmp_path: Path) -> None:
    found = await _transcript(tmp_path, "Get-Speech hello", "Get-Speech -Fails -Text x", "Get-Nope")
    rule = "*" * 22
    assert found[:2] == [rule, "PowerShell transcript start"]
    assert "Configuration Name: tools" in found
    body = found[found.index(rule, 1) + 1 :]
    assert body[:8] == [
        'PS>CommandInvocation(Get-Speech): "Get-Speech"',
        '>> ParameterBinding(Get-Speech): name="Text"; value="hello"',
        "WARNING: careful",
        "hello",
        'PS>CommandInvocation(Get-Speech): "Get-Speech"',
        '>> ParameterBinding(Get-Speech): name="Fails"; value="True"',
        '>> ParameterBinding(Get-Speech): name="Text"; value="x"',
        "WARNING: careful",
    ]
    assert "it failed" in "\n".join(body)
    assert "The term 'Get-Nope' is not recognized" in "\n".join(body)
    assert body[-4:-2] == [rule, "PowerShell transcript end"]


async def test_no_secret_is_in_a_transcript(tmp_path: Path) -> None:
    found = "\n".join(await _transcript(tmp_path, "Get-Login P@ss1"))
    assert '>> ParameterBinding(Get-Login): name="Password"; value="***"' in found
    assert "P@ss1" not in found


async def test_a_session_without_its_transcript_is_refused(tmp_path: Path) -> None:
    (tmp_path / "transcripts").write_text("no directory")
    path = tmp_path / "t.pssc"
    path.write_text(
        f"@{{ SchemaVersion='2.0.0.0'; TranscriptDirectory='{tmp_path / 'transcripts'}' }}"
    )
    configuration = SessionConfiguration(
        name="tools", kind=EngineKind.FUNCTIONS,
        source="tests.endpoint.test_transcripts:COMMANDS", path=str(path),
    )  # fmt: skip
    engine = engine_for(configuration, ConnectedUser(name="anna"))
    async with connected(engine, opened=False) as client:
        refused = await _first_state(client)
    assert refused.state is e.RunspaceState.BROKEN
    assert refused.error is not None
    assert "The transcript of the session cannot be written" in refused.error.message


async def _first_state(client: Client) -> e.RunspacePoolStateMessage:
    client.send(e.SessionCapability(protocol_version=client.pool.own_version))
    client.send(e.InitRunspacePool(max_runspaces=1, host_info=HostInfo.full()))
    while True:
        for event in client.pool_events:
            if isinstance(event, e.RunspacePoolStateMessage):
                return event
        await trio.sleep(0.01)


def test_a_transcript_that_is_closed_takes_nothing_more(tmp_path: Path) -> None:
    made = Transcript.open(
        tmp_path, Sender(user_name="anna"), now=lambda: datetime(2026, 1, 2, tzinfo=UTC)
    )
    made.close()
    made.close()
    made.command(UUID(int=1), "Get-Thing", {})
    (file,) = tmp_path.iterdir()
    text = file.read_text("utf-8")
    assert "Start time: 20260102000000" in text
    assert text.count("PowerShell transcript end") == 1
    assert "Get-Thing" not in text
