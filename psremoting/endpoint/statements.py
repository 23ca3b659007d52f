"""What a command line becomes: statements of commands and literals, and where each stood."""

from __future__ import annotations

from typing import Any

from psrp.commands import Command
from psrp.frozen import dataclass

__all__ = ["INPUT", "Literal", "Place", "Statement"]

INPUT: Any = object()
"""The value of a `Literal` that stands for the pipeline's input: ``$input``."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value at the head of a pipeline; an array gives its items one by one."""

    value: Any


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of a script's text."""

    text: str
    """The whole script."""
    start: int
    end: int
    line_number: int = 1
    arguments: tuple[tuple[int, int], ...] = ()
    """Where the arguments of the command stand, one for each of its parameters."""

    def argument(self, number: int) -> Place:
        start, end = self.arguments[number]
        line_number = self.line_number + self.text.count("\n", self.start, start)
        return Place(self.text, start, end, line_number)

    def is_short(self, most: int) -> bool:
        """Whether it and its line go on for no more than so many characters either way."""
        text, start = self.text, self.start
        begins = start <= most or text.rfind("\n", start - most, start) >= 0
        ends = len(text) - start <= most or text.find("\n", start, start + most) >= 0
        return begins and ends and self.end - start <= most

    @property
    def before(self) -> int:
        """How many characters stand before it in its line."""
        return self.start - self.text.rfind("\n", 0, self.start) - 1

    @property
    def column(self) -> int:
        """From 1 on, in UTF-16 units."""
        text = self.text[self.start - self.before : self.start]
        return len(text) + sum(each > "\uffff" for each in text) + 1

    @property
    def line(self) -> str:
        """The line in which it begins, whole."""
        first = self.start - self.before
        last = self.text.find("\n", self.start)
        return self.text[first : None if last < 0 else last].removesuffix("\r")

    @property
    def statement(self) -> str:
        return self.text[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Statement:
    """Commands that feed each other, and where they stood."""

    parts: tuple[Command | Literal, ...]
    places: tuple[Place, ...]
