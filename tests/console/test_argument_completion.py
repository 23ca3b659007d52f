"""Completion at the local prompt."""

from __future__ import annotations

import pytest

from psremoting.console.argument_completion import LocalCompletion
from tests.console.places import prompt


async def completed(text: str) -> list[str]:
    async with prompt() as run:
        await run("$s = New-PSSession -HostName h -Name lab; $second = 1")
        units = len(text.encode("utf-16-le")) // 2
        matches = await LocalCompletion(run.workspace).matches(text, units)
        return [
            text.encode("utf-16-le")[: 2 * each.start].decode("utf-16-le") + each.text
            for each in matches
        ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ent", ["Enter-PSSession"]),
        ("$x = new-pssessiono", ["$x = New-PSSessionOption"]),
        ("Get-PSSession | rem", ["Get-PSSession | Remove-PSSession", "Get-PSSession | Remove-Job"]),
        ("Get-PSSession | Get-J", ["Get-PSSession | Get-Job"]),
        ("Enter-PSSession -Host", ["Enter-PSSession -HostName"]),
        ("etsn -Key", ["etsn -KeyFilePath"]),
        ("Enter-PSSession -Name l", ["Enter-PSSession -Name lab"]),
        ("Enter-PSSession -Id ", ["Enter-PSSession -Id 1"]),
        ("Enter-PSSession -Session $s", ["Enter-PSSession -Session $s",
         "Enter-PSSession -Session $second"]),
        ("Enter-PSSession a -Authentication N", ["Enter-PSSession a -Authentication Negotiate",
         "Enter-PSSession a -Authentication NegotiateWithImplicitCredential"]),
        ("Get-Help Rem", ["Get-Help Remove-PSSession", "Get-Help Remove-Job"]),
        ("'😀' | Write", ["'😀' | Write-Output"]),
        ("Get-Nothing -a", []),
        ("New-PSSession lab ", []),
    ],
)  # fmt: skip
async def test_a_line_is_completed(text: str, found: list[str]) -> None:
    assert await completed(text) == found
