"""The values in host calls, as a host uses them. [MS-PSRP] 2.2.3.1-2.2.3.3,
2.2.3.26-2.2.3.29; their wire format is in `psrp.host_types`.
"""

from __future__ import annotations

from typing import Any

from psrp.clixml.objects import Credential
from psrp.frozen import dataclass

__all__ = [
    "BufferCell",
    "ChoiceDescription",
    "Coordinates",
    "Credential",
    "FieldDescription",
    "KeyInfo",
    "Rectangle",
    "Size",
]


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A position on the screen, in cells from the top left."""

    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class Size:
    """A size in cells."""

    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A part of the screen, including all four edges."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


@dataclass(frozen=True, slots=True)
class BufferCell:
    """One cell of the screen."""

    character: str = "\0"
    foreground_color: int = 0
    background_color: int = 0
    type: int = 0
    """0 complete, 1 leading half, 2 trailing half of a wide character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """A key that was pressed or released."""

    virtual_key_code: int = 0
    character: str = "\0"
    """One UTF-16 code unit; NUL if the key has none."""
    control_key_state: int = 0
    """Bits of ControlKeyStates. [MS-PSRP] 2.2.3.27"""
    key_down: bool = False


@dataclass(frozen=True, slots=True)
class ChoiceDescription:
    """One answer of PromptForChoice; an ``&`` in the label marks its shortcut."""

    label: str
    help_message: str | None = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDescription:
    """One question of Prompt."""

    name: str
    label: str | None = ""
    parameter_type_name: str | None = "String"
    parameter_type_full_name: str | None = "System.String"
    parameter_assembly_full_name: str | None = "System.String"
    help_message: str | None = ""
    is_mandatory: bool = True
    default_value: Any = None
    modified_by_remoting_protocol: bool = False
    is_from_remote_host: bool = False
