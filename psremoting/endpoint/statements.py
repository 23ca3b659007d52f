"""The parts of a command line at an endpoint without language: commands and literals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psrp.commands import Command
from psrp.frozen import dataclass

if TYPE_CHECKING:
    from psremoting.powershell.syntax import Place

__all__ = ["INPUT", "Literal", "Statement"]

INPUT: Any = object()
"""The value of a `Literal` that stands for the pipeline's input: ``$input``."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value at the head of a pipeline; an array gives its items one by one."""

    value: Any


@dataclass(frozen=True, slots=True)
class Statement:
    """The commands of a pipeline and their positions in the text."""

    parts: tuple[Command | Literal, ...]
    places: tuple[Place, ...]
