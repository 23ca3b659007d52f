"""The host at the terminal: questions in words, what comes twice shown once."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from psremoting.cli.prompting import console_host, quiet_host
from psremoting.client.hosts import HostRefusal
from psrp.host import ChoiceDescription, FieldDescription, HostMethodId

M = HostMethodId
YES_NO = (ChoiceDescription("&Yes", ""), ChoiceDescription("&No", ""))


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user will type, and then nothing more."""
    lines: list[str] = []
    left: Iterator[str] = iter(lines)

    def prompt(_text: str, **_: object) -> str:
        try:
            return next(left)
        except StopIteration:
            raise click.Abort from None

    monkeypatch.setattr(click, "prompt", prompt)
    return lines


async def test_what_comes_twice_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Statement J107."""
    host = console_host()
    for method in (M.WriteWarningLine, M.WriteVerboseLine, M.WriteDebugLine):
        await host.call(method, ("shown as a record",))
    await host.call(M.WriteLine2, ("line",))
    await host.call(M.WriteLine1, ())
    await host.call(M.Write2, (1, 2, "part"))
    assert capsys.readouterr().out == "line\n\npart"


async def test_questions_are_asked_in_words(typed: list[str]) -> None:
    typed += ["a line", "secret", "me", "pw", "n", "", "huh", "yes"]
    host = console_host()
    assert await host.call(M.ReadLine, ()) == "a line"
    fields = (
        FieldDescription(name="Pin", parameter_type_full_name="System.Security.SecureString"),
    )
    answers = await host.call(M.Prompt, ("c", "m", fields))
    assert answers["Pin"].reveal() == "secret"
    credential = await host.call(M.PromptForCredential1, ("c", "m", "", ""))
    assert (credential.user_name, credential.password.reveal()) == ("me", "pw")
    assert await host.call(M.PromptForChoice, ("c", "m", YES_NO, 0)) == 1
    assert await host.call(M.PromptForChoice, ("c", "m", YES_NO, 0)) == 0
    assert await host.call(M.PromptForChoice, ("c", "m", YES_NO, 1)) == 0


async def test_a_question_without_an_answer_is_refused(typed: list[str]) -> None:
    with pytest.raises(HostRefusal):
        await console_host().call(M.ReadLine, ())


async def test_the_quiet_host_has_no_screen() -> None:
    host = quiet_host()
    assert host.info.is_host_ui_null
    assert not host.info.is_host_null
    with pytest.raises(HostRefusal, match="not implemented"):
        await host.call(M.ReadLine, ())
