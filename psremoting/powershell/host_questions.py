"""The questions of a host, with the layout of PowerShell's console.

Captions, messages and labels come from a peer: they cannot move the cursor, and nothing can while
a secret is typed, so that the line that names the computer stays visible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from psremoting.powershell.cells import width_of
from psremoting.powershell.sanitizer import displayable, one_line, paint
from psrp.clixml import SecureString
from psrp.enums import ConsoleColor
from psrp.host_values import ChoiceDescription, Credential, FieldDescription, Size

__all__ = ["Questions", "Reader", "Screen", "hot_key", "plain_label"]

_HELP = "?"
_FIELD_HELP = "!?"


class Screen(Protocol):
    """The screen for questions."""

    still: bool
    """Drop cursor movements, erasing and titles."""

    @property
    def size(self) -> Size:
        """Columns and lines of the window."""

    def start_line(self) -> None:
        """Go to the start of a line, if the cursor is not there."""

    def write(self, text: str, foreground: int = -1, background: int = -1) -> None:
        """Write ``text`` in colours of ConsoleColor; -1 leaves one as it is."""

    def write_line(self, text: str = "", foreground: int = -1, background: int = -1) -> None:
        """Write ``text`` and a line end in colours of ConsoleColor."""


class Reader(Protocol):
    """The keyboard for answers."""

    async def read_line(self, prompt: str) -> str:
        """Read an answer and echo it."""

    async def read_secret(self, prompt: str) -> str:
        """Read an answer and echo stars."""


def hot_key(label: str) -> str:
    """Return the character after the ``&`` of a label, in upper case; empty without one."""
    _, mark, rest = one_line(label).partition("&")
    return rest[:1].upper() if mark else ""


def plain_label(label: str) -> str:
    """Return a label without its ``&``."""
    before, _, after = one_line(label).partition("&")
    return (before + after).strip()


class Questions:
    """Questions on ``screen`` with answers from ``reader``, one at a time."""

    def __init__(self, screen: Screen, reader: Reader) -> None:
        self._screen = screen
        self._reader = reader

    def _introduce(self, caption: str | None, message: str | None) -> None:
        self._screen.start_line()
        if caption:
            self._screen.write_line()
            self._screen.write_line(displayable(caption), ConsoleColor.White)
        if message:
            self._screen.write_line(displayable(message))

    @contextmanager
    def _still(self) -> Iterator[None]:
        self._screen.still = True
        try:
            yield
        finally:
            self._screen.still = False

    async def secret(self, prompt: str = "") -> SecureString:
        """Ask for a secret."""
        with self._still():
            return SecureString(await self._reader.read_secret(prompt))

    # -- fields

    async def prompt(
        self, caption: str | None, message: str | None, fields: Sequence[FieldDescription]
    ) -> dict[str, Any]:
        """Return the answer to each field, by its name."""
        self._introduce(caption, message)
        if any(field.help_message for field in fields):
            self._screen.write_line(f"(Type {_FIELD_HELP} for Help.)")
        return {field.name: await self._field(field) for field in fields}

    async def _field(self, field: FieldDescription) -> Any:
        label = plain_label(field.label or "") or one_line(field.name)
        kind = (field.parameter_assembly_full_name or "").split(",")[0].strip()
        kind = kind or field.parameter_type_full_name or ""
        if kind == "System.Management.Automation.PSCredential":
            return await self.credential(None, label, "")
        if kind.endswith("[]"):
            return await self._list(field, label, kind[:-2])
        return await self._value(field, label, kind)

    async def _list(self, field: FieldDescription, label: str, kind: str) -> list[Any]:
        """Read items until an empty one."""
        items: list[Any] = []
        while True:
            item = await self._value(field, f"{label}[{len(items)}]", kind, ends=True)
            if item is None:
                return items
            items.append(item)

    async def _value(
        self, field: FieldDescription, label: str, kind: str, *, ends: bool = False
    ) -> Any:
        prompt = f"{label}: "
        while True:
            if kind == "System.Security.SecureString":
                secret = await self.secret(prompt)
                return None if ends and not secret.reveal() else secret
            text = await self._reader.read_line(prompt)
            if text == _FIELD_HELP and field.help_message is not None:
                help_text = field.help_message or f"No help is available for {field.name}."
                self._screen.write_line(displayable(help_text))
                continue
            # The peer converts: an answer that does not fit is its error to report.
            return None if ends and not text else text

    async def credential(
        self, caption: str | None, message: str | None, user_name: str | None
    ) -> Credential:
        """Ask for a name, unless there is one, and a password."""
        self._introduce(caption, message)
        with self._still():
            while not user_name:
                user_name = await self._reader.read_line("User: ")
            password = await self.secret(f"Password for user {one_line(user_name)}: ")
        self._screen.write_line()
        return Credential(user_name, password)

    # -- choices

    async def choice(
        self,
        caption: str | None,
        message: str | None,
        choices: Sequence[ChoiceDescription],
        default: int,
    ) -> int:
        """Return the index of the choice; -1 for ``default`` is no default."""
        self._introduce(caption, message)
        defaults = [default] if 0 <= default < len(choices) else []
        hint = f'(default is "{_name(choices[default])}"): ' if defaults else ""
        *above, last = _listed(choices, defaults, hint, self._screen.size.width)
        while True:
            for line in above:
                self._screen.write_line(line)
            text = (await self._reader.read_line(last)).strip()
            if text == _HELP:
                self._help(choices)
            elif not text and defaults:
                return default
            elif (chosen := _chosen(text, choices)) is not None:
                return chosen

    async def choices(
        self,
        caption: str | None,
        message: str | None,
        choices: Sequence[ChoiceDescription],
        defaults: Sequence[int] | None,
    ) -> list[int]:
        """Return the indexes of the choices that are made until an empty answer."""
        self._introduce(caption, message)
        known = [index for index in defaults or () if 0 <= index < len(choices)]
        names = ",".join(_name(choices[index]) for index in known)
        hint = {0: "", 1: f'(default is "{names}")'}.get(
            len(known), f"(default choices are {names})"
        )
        for line in _listed(choices, known, hint, self._screen.size.width):
            self._screen.write_line(line.rstrip())
        chosen: list[int] = []
        while True:
            text = (await self._reader.read_line(f"Choice[{len(chosen)}]: ")).strip()
            if not text:
                return chosen or known
            if text == _HELP:
                self._help(choices)
            elif (found := _chosen(text, choices)) is not None:
                chosen.append(found)

    def _help(self, choices: Sequence[ChoiceDescription]) -> None:
        for each in choices:
            self._screen.write_line(f"{_name(each)} - {displayable(each.help_message or '')}")


def _listed(
    choices: Sequence[ChoiceDescription], defaults: list[int], hint: str, width: int
) -> list[str]:
    """Return the lines that list the choices, the defaults in colour.

    As in PowerShell, a part that begins a line has no blanks at its end.
    """
    parts = [
        (f"[{hot_key(each.label)}] {plain_label(each.label)}  ", index in defaults)
        for index, each in enumerate(choices)
    ]
    lines = [""]
    taken = 0
    for text, is_default in [*parts, ("[?] Help ", False), (hint, False)]:
        length = width_of(text)
        if taken + length > width - 1:
            lines.append("")
            taken = 0
            text = text.rstrip()
        taken += length
        lines[-1] += paint(text, ConsoleColor.Yellow if is_default else -1)
    return lines


def _name(choice: ChoiceDescription) -> str:
    return hot_key(choice.label) or plain_label(choice.label)


def _chosen(text: str, choices: Sequence[ChoiceDescription]) -> int | None:
    wanted = text.casefold()
    for index, each in enumerate(choices):
        if wanted and wanted in (
            hot_key(each.label).casefold(),
            plain_label(each.label).casefold(),
        ):
            return index
    return None
