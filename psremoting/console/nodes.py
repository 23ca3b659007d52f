"""What a text of the local prompt is made of once it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Argument",
    "Array",
    "Assignment",
    "Block",
    "Collect",
    "CommandCall",
    "Constant",
    "Element",
    "Exit",
    "Expanded",
    "Expression",
    "Group",
    "Hash",
    "Index",
    "Member",
    "Named",
    "Pipeline",
    "Script",
    "ScriptBlock",
    "Splat",
    "Statement",
    "Variable",
    "WrittenNumber",
]


class WrittenNumber(int):
    """A number with the text that it was written as: ``-Name 007`` is no 7."""

    text: str

    def __new__(cls, text: str) -> WrittenNumber:
        made = super().__new__(cls, text)
        made.text = text
        return made


@dataclass(frozen=True, slots=True)
class ScriptBlock:
    """The text between braces, unread; another side runs it, or the local prompt."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Constant:
    value: object


@dataclass(frozen=True, slots=True)
class Expanded:
    """A text with values in it, in double quotes or bare."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    of: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Array:
    """``a, b``"""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """``(...)`` and ``$(...)``: one value alone, several as an array."""

    script: Script


@dataclass(frozen=True, slots=True)
class Collect:
    """``@(...)``: always an array."""

    script: Script


@dataclass(frozen=True, slots=True)
class Hash:
    """``@{ name = value; ... }``"""

    pairs: tuple[tuple[Expression, Statement], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """``{ ... }``"""

    block: ScriptBlock


@dataclass(frozen=True, slots=True)
class Named:
    """``-Name``, or ``-Name:value``."""

    name: str
    value: Expression | None = None


@dataclass(frozen=True, slots=True)
class Splat:
    """``@name``: the values of a variable as arguments."""

    name: str


@dataclass(frozen=True, slots=True)
class CommandCall:
    name: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    name: str
    value: Pipeline


@dataclass(frozen=True, slots=True)
class Exit:
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Script:
    statements: tuple[Statement, ...]


Expression: TypeAlias = (
    Constant | Expanded | Variable | Member | Index | Array | Group | Collect | Hash | Block
)
Argument: TypeAlias = Expression | Named | Splat
Element: TypeAlias = CommandCall | Expression
Statement: TypeAlias = Pipeline | Assignment | Exit
