"""Get-Credential at the local prompt."""

from __future__ import annotations

import pytest

from psrp.clixml import Credential, SecureString
from psrp.host import HostMethodId
from tests.console.places import prompt


class _Host:
    """A host that answers questions for credentials."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    async def call(self, method: int, arguments: tuple[object, ...]) -> object:
        assert method == HostMethodId.PromptForCredential1
        self.asked.append(arguments)
        return Credential(str(arguments[2] or "bob"), SecureString("geheim"))


async def test_a_credential_is_asked_for_with_powershells_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PSRP_PASSWORD", raising=False)
    host = _Host()
    async with prompt() as run:
        monkeypatch.setattr(type(run.place), "host", host)
        assert await run("$c = Get-Credential; $c.UserName") == "bob"
        assert await run("$d = Get-Credential anna; $d.UserName") == "anna"
        assert await run("(Get-Credential $c).UserName") == "bob"
        await run("$e = Get-Credential -UserName eve -Message m -Title t")
        for text in ("$c", "$c.Password", '"$c"', "$c | Format-List *"):
            assert "geheim" not in await run(text)
    plain = ("PowerShell credential request", "Enter your credentials.")
    assert host.asked == [(*plain, "", ""), (*plain, "anna", ""), ("t", "m", "eve", "")]


async def test_with_a_user_name_the_password_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PSRP_PASSWORD", "geheim")
    async with prompt() as run:
        assert "bob" in await run("$c = Get-Credential bob; $c.UserName")


async def test_a_credential_is_taken_by_the_commands_that_connect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PSRP_PASSWORD", "geheim")
    async with prompt() as run:
        await run("$c = Get-Credential bob")
        shown = await run("New-PSSession -ComputerName lab -Credential $c")
        assert "ParameterArgumentTransformationError" not in str(run.error_ids())
        assert "expected the name of a user" not in shown
