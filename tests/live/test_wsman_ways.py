"""Our client with the real plugin through each way to sign in: values, options, secrets, ends.

A way is an authentication, raw or in SPNEGO, over HTTP (sealed, except Basic) or HTTPS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from psremoting import Credential, PSSession, sync
from psremoting.wsman_target import WSManTarget
from psrp.clixml.values import SecureString
from tests.live.kdc import REALM
from tests.live.wsman_peers import PASSWORD, USER, WSManServer
from tests.session.cancelling import cancelled_at

TIME_LIMIT = 300
WAYS = {
    "basic": ("basic", False, False),
    "basic over HTTPS": ("basic", True, False),
    "NTLM": ("ntlm", False, False),
    "NTLM in SPNEGO": ("negotiate", False, False),
    "Kerberos": ("kerberos", False, True),
    "Kerberos in SPNEGO": ("negotiate", False, True),
}
MEGABYTES = 16


def target(server: WSManServer, way: str) -> WSManTarget:
    """Skips the test if the way needs a KDC and there is none."""
    authentication, tls, kerberos = WAYS[way]
    if kerberos and server.kdc is None:
        pytest.skip("no KDC is installed")
    made = server.target(authentication, tls=tls)
    assert isinstance(made, WSManTarget)
    if kerberos:
        name = Credential(f"{USER}@{REALM}", PASSWORD)
        made = replace(made, computer_name="localhost", credential=name)
    return made


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, wsman_server: WSManServer) -> Iterator[str]:
    name = str(request.param)
    target(wsman_server, name)
    before = os.environ.get("KRB5_CONFIG")
    if wsman_server.kdc is not None:
        os.environ["KRB5_CONFIG"] = str(wsman_server.kdc.config)
    yield name
    os.environ.pop("KRB5_CONFIG", None)
    if before is not None:
        os.environ["KRB5_CONFIG"] = before


@pytest.fixture
def place(wsman_server: WSManServer, way: str) -> WSManTarget:
    return target(wsman_server, way)


async def values(session: PSSession, script: str, **more: Any) -> list[Any]:
    return (await session.run(script, check=True, **more)).output


async def test_large_values_both_ways(place: WSManTarget, wsman_server: WSManServer) -> None:
    """300 KB as an argument, 16 MiB of output, and 2,000 inputs."""
    with trio.fail_after(200):
        async with PSSession.connect(place, options=wsman_server.options) as session:
            text = "ab<&>é" * 50_000
            assert await values(session, "$args[0].Length", arguments=[text]) == [len(text)]
            (back,) = await values(session, "$args[0]", arguments=[text])
            assert back == text
            (large,) = await values(session, f"'z' * {MEGABYTES}MB")
            assert len(large) == MEGABYTES << 20
            assert set(large) == {"z"}
            script = "$input | Measure-Object -Sum | % { $_.Count; $_.Sum }"
            assert await values(session, script, input=range(2000)) == [2000, 1999000]


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_secrets_both_ways(
    place: WSManTarget, wsman_server: WSManServer, version: str
) -> None:
    """At 2.3 the keys are exchanged; from 2.4 on a secret is as safe as the transport."""
    with trio.fail_after(100):
        async with PSSession.connect(
            place, options=wsman_server.options, version=version
        ) as session:
            assert (session.version or "").startswith(version)
            script = "$args[0] | ConvertFrom-SecureString -AsPlainText"
            secret = SecureString("hidden é")
            assert await values(session, script, arguments=[secret]) == ["hidden é"]
            script = "ConvertTo-SecureString 'told ü' -AsPlainText -Force"
            (told,) = await values(session, script)
            assert isinstance(told, SecureString)
            assert told.reveal() == "told ü"


async def test_options_that_the_server_honours(
    place: WSManTarget, wsman_server: WSManServer
) -> None:
    """ApplicationArguments, culture, compression, profile, and time-outs."""
    options = replace(
        wsman_server.options,
        application_arguments={"Who": "me", "Count": 3},
        culture="de-DE",
        ui_culture="fr-FR",
        no_compression=False,
        no_machine_profile=True,
        idle_timeout=120.0,
        operation_timeout=60.0,
    )
    script = (
        "$a = $PSSenderInfo.ApplicationArguments; $a.Who; $a.Count;"
        " (Get-Culture).Name; (Get-UICulture).Name; $PSSenderInfo.ConnectedUser"
    )
    with trio.fail_after(100):
        async with PSSession.connect(place, options=options) as session:
            who, number, *cultures, user = await values(session, script)
            assert (who, number) == ("me", 3)
            assert cultures == CULTURES
            assert USER in str(user)
            (text,) = await values(session, "'compressed ' * 100000")
            assert text == "compressed " * 100000
            assert await values(session, "$input | % Length", input=["y" * 70_000]) == [70_000]


CULTURES = ["en-US", "en-US"]
"""The plugin's process keeps its own culture; the native client cannot ask for another one."""


async def test_a_limit_on_received_data_ends_the_command_alone(
    place: WSManTarget, wsman_server: WSManServer
) -> None:
    options = replace(wsman_server.options, max_received_object_size=100_000)
    with trio.fail_after(100):
        async with PSSession.connect(place, options=options) as session:
            result = await session.run("'z' * 200000")
            assert result.error is not None
            assert "100000" in str(result.error).replace(",", "").replace("_", "")


async def test_exit_in_a_command(place: WSManTarget, wsman_server: WSManServer) -> None:
    with trio.fail_after(100):
        async with PSSession.connect(place, options=wsman_server.options) as session:
            result = await session.run("'before'; exit 3")
            assert (result.output, result.exit_code) == (["before"], 3)


async def test_a_command_that_is_cancelled_at_each_await(
    place: WSManTarget, wsman_server: WSManServer
) -> None:
    """The session can be used after each, and nothing is left running."""

    async def work() -> None:
        assert await values(session, "1; 2") == [1, 2]

    with trio.fail_after(200):
        async with PSSession.connect(place, options=wsman_server.options) as session:
            await work()
            number, going = 0, True
            while going:
                number += 1
                going = await cancelled_at(number, work)
                assert session.state == "Opened"
                assert await values(session, "'after'") == ["after"]
    assert number > 5


def test_sessions_without_trio(place: WSManTarget, wsman_server: WSManServer) -> None:
    with sync.connect(place, options=wsman_server.options) as session:
        assert list(session.invoke("1..3")) == [1, 2, 3]
        result = session.run("Write-Warning w; Write-Error e; Write-Host h; $Host.Name")
        assert [str(each) for each in result.streams.warning] == ["w"]
        assert [str(each) for each in result.errors] == ["e"]
        assert session.call("Join-Path", "/a", ChildPath="b").output == ["/a/b"]


def command_line(
    place: WSManTarget, way: str, folder: Path, *words: str, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `psrp invoke` or `psrp enter` with the words behind the target."""
    verb, *rest = words
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    scheme = "https" if place.use_ssl else "http"
    assert place.credential is not None
    argv = [
        sys.executable, "-c", "from psremoting.cli.entry import main; main()", verb,
        f"{scheme}://{place.computer_name}:{place.port}",
        "--user-name", place.credential.user_name, "--password-file", str(password),
        "--authentication", WAYS[way][0], "--allow-unencrypted", "--skip-ca-check",
        "--skip-cn-check", *rest,
    ]  # fmt: skip
    return subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=100, check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip


def test_commands_from_the_shell(place: WSManTarget, way: str, tmp_path: Path) -> None:
    """`psrp invoke` with output, errors and an exit code; `psrp enter` with piped lines."""
    done = command_line(place, way, tmp_path, "invoke", "1..3; Write-Error bad; exit 3")
    assert done.stdout.split() == ["1", "2", "3"]
    assert "bad" in done.stderr
    assert done.returncode == 3
    lines = "$a = 20\n$a + 1\nRead-Host\n"
    entered = command_line(place, way, tmp_path, "enter", text=lines + "typed\nexit\n")
    assert "21" in entered.stdout.split(), entered.stderr
    assert entered.returncode == 0
