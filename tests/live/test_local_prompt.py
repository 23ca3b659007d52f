"""Lines of the local prompt (`psrp -c`) and of the real PowerShell, each with a session ``$s`` on a
real server of its own: the same text is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psremoting import PSSession
from tests.console.places import prompt
from tests.live.comparing import Comparison
from tests.live.peers import Clients, Hosts
from tests.live.powershell import quoted
from tests.live.tables import sections

TIME_LIMIT = 300

ROWS = [row for rows in sections("local_prompt").values() for row in rows]
ACCEPTED: dict[str, str] = {}


async def test_a_line_of_the_local_prompt_shows_what_powershell_shows(
    clients: Clients, hosts: Hosts
) -> None:
    target = hosts.peer("stdio", "powershell").target

    @asynccontextmanager
    async def connect(_: Any, **more: Any) -> AsyncIterator[PSSession]:
        more.pop("name", None)
        async with PSSession.connect(target, **more) as session:
            yield session

    real = clients.real
    parameters = hosts.peer("stdio", "powershell").parameters
    real.run(
        f"$p = {parameters}; $global:s = New-PSSession @p; $global:LiveShown = {{ param($line)"
        " $ErrorActionPreference = 'Continue'; $ErrorView = 'ConciseView';"
        " . ([scriptblock]::Create($line)) 2>&1 | Out-String -Width 120 }"
    )
    comparison = Comparison(ACCEPTED)
    async with prompt(connect) as run:
        await run("$s = New-PSSession -HostName lab")
        for row in ROWS:
            ours = await run(row)
            theirs = real.run(f". $LiveShown {quoted(row)}")
            comparison.add(row, _lines(theirs), _lines(ours))
    comparison.check(ROWS)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().split("\n")]
