"""A host at the terminal, for the questions of a script that runs far away."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import click
import trio

from psremoting.client.hosts import Answer, HostRefusal, TableHost
from psrp.clixml import SecureString
from psrp.host import (
    ChoiceDescription,
    Credential,
    FieldDescription,
    HostDefaultData,
    HostInfo,
    HostMethodId,
    Size,
)

__all__ = ["console_host", "quiet_host"]

_M = HostMethodId
_CREDENTIAL = "System.Management.Automation.PSCredential"
_SECRET = "System.Security.SecureString"


async def _ignore(*_: Any) -> None:
    """What is shown by other means, or means nothing here."""


def quiet_host() -> TableHost:
    """A host that is told of ``exit`` and can be asked nothing: text comes as records alone."""
    info = HostInfo(is_host_ui_null=True, is_host_raw_ui_null=True)
    return TableHost({_M.SetShouldExit: _ignore}, info=info)


def console_host() -> TableHost:
    """A host that asks at the terminal, one question at a time, whoever asks."""
    asking = _Asking()
    size = Size(*shutil.get_terminal_size())
    data = HostDefaultData(buffer_size=size, window_size=size, max_window_size=size)
    table: dict[int, Answer] = {
        _M.SetShouldExit: _ignore,
        _M.ReadLine: asking.read_line,
        _M.ReadLineAsSecureString: asking.read_secret,
        _M.Prompt: asking.prompt,
        _M.PromptForCredential1: asking.credential,
        _M.PromptForCredential2: asking.credential,
        _M.PromptForChoice: asking.choice,
        _M.Write1: _write,
        _M.Write2: _write_colored,
        _M.WriteLine1: _write_line,
        _M.WriteLine2: _write_line,
        _M.WriteLine3: _write_colored_line,
        _M.WriteErrorLine: _write_error_line,
        # The records of these streams come as well, and are shown.
        _M.WriteWarningLine: _ignore,
        _M.WriteVerboseLine: _ignore,
        _M.WriteDebugLine: _ignore,
        _M.WriteProgress: _ignore,
    }
    return TableHost(table, info=HostInfo.full(data))


async def _write(text: str) -> None:
    click.echo(text, nl=False)


async def _write_colored(_fore: int, _back: int, text: str) -> None:
    click.echo(text, nl=False)


async def _write_line(text: str = "") -> None:
    click.echo(text)


async def _write_colored_line(_fore: int, _back: int, text: str) -> None:
    click.echo(text)


async def _write_error_line(text: str) -> None:
    click.echo(text, err=True)


class _Asking:
    """Questions at the terminal."""

    def __init__(self) -> None:
        self._turn = trio.Lock()

    async def _ask(self, text: str, *, hidden: bool = False, before: str = "") -> str:
        def ask() -> str:
            if before:
                click.echo(before, err=True)
            return str(
                click.prompt(
                    text, default="", show_default=False, hide_input=hidden, err=True,
                    prompt_suffix="",
                )
            )  # fmt: skip

        async with self._turn:
            try:
                return await trio.to_thread.run_sync(ask, abandon_on_cancel=True)
            except click.Abort:
                raise HostRefusal("The question was not answered.") from None

    async def read_line(self) -> str:
        return await self._ask("")

    async def read_secret(self) -> SecureString:
        return SecureString(await self._ask("", hidden=True))

    async def prompt(
        self, caption: str, message: str, fields: tuple[FieldDescription, ...]
    ) -> dict[str, Any]:
        before = "\n".join(text for text in (caption, message) if text)
        answers: dict[str, Any] = {}
        for field in fields:
            label = f"{field.label or field.name}: "
            kind = field.parameter_type_full_name
            make = _FIELDS.get(kind or "")
            if kind == _CREDENTIAL:
                answers[field.name] = await self.credential(before, label, "", "")
            elif make is not None:
                text = await self._ask(label, hidden=kind == _SECRET, before=before)
                answers[field.name] = make(text)
            else:
                answers[field.name] = await self._ask(label, before=before)
            before = ""
        return answers

    async def credential(self, caption: str, message: str, user_name: str, *_: Any) -> Credential:
        before = "\n".join(text for text in (caption, message) if text)
        user = user_name or await self._ask("User: ", before=before)
        shown = "" if not user_name else before
        password = await self._ask(f"Password for user {user}: ", hidden=True, before=shown)
        return Credential(user, SecureString(password))

    async def choice(
        self, caption: str, message: str, choices: tuple[ChoiceDescription, ...], default: int
    ) -> int:
        names = [choice.label.replace("&", "") for choice in choices]
        keys = [_key(choice.label) for choice in choices]
        words = "  ".join(f"[{key}] {name}" for key, name in zip(keys, names, strict=True))
        shown = f" (default is {keys[default]!r})" if 0 <= default < len(keys) else ""
        before = "\n".join(text for text in (caption, message) if text)
        while True:
            answer = (await self._ask(f"{words}{shown}: ", before=before)).casefold()
            before = ""
            if not answer and shown:
                return default
            for at, known in enumerate(zip(keys, names, strict=True)):
                if answer in (word.casefold() for word in known):
                    return at


def _key(label: str) -> str:
    _, mark, rest = label.partition("&")
    return (rest[:1] if mark else label).upper()


_FIELDS: dict[str, Callable[[str], Any]] = {_SECRET: SecureString}
