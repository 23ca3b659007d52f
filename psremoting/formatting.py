"""Values and records as lines of text, much as PowerShell shows them.

This is no copy of PowerShell's formatting system, which works from views that live on the
server: values are shown as what they are, objects as lists of their properties. Who wants a
table asks the server for it (``... | Format-Table | Out-String``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psremoting.client.streams import TAGS, StreamKind
from psrp.clixml import DateTime, Dictionary, PSObject, SecureString, TimeSpan
from psrp.records import ErrorRecord, InformationRecord

__all__ = ["ERROR_VIEWS", "error_text", "printable", "record_text", "value_text"]

ERROR_VIEWS = ("normal", "concise", "category")

_MAX_ITEMS = 4
"""PowerShell's $FormatEnumerationLimit."""
_HIDDEN = tuple(name.casefold() for name in TAGS)
_MARKED = {
    StreamKind.WARNING: "WARNING: ",
    StreamKind.VERBOSE: "VERBOSE: ",
    StreamKind.DEBUG: "DEBUG: ",
}
#: What would move the cursor or repaint the screen: a record must not. Colours may stand.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[0-9;]*m)")


def value_text(value: Any, *, hide_computer_name: bool = False) -> str:
    """What stands in the output for one object, without the line end behind it.

    A text stands for itself, an object with properties becomes a list of them between blank
    lines, ``$null`` becomes nothing. ``hide_computer_name`` leaves PSComputerName and
    RunspaceId out of such a list.
    """
    if isinstance(value, PSObject):
        names = [name for name in value if name.casefold() != "psshowcomputername"]
        told = [name for name in names if name.casefold() not in _HIDDEN]
        if value.value is not None or not told:
            return _short(value, top=True)
        pairs = [(name, value[name]) for name in (told if hide_computer_name else names)]
        return _listed(pairs)
    if isinstance(value, (Dictionary, dict)) and len(value):
        return _listed([(_short(key), item) for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return "\n".join(value_text(item) for item in value)
    return _short(value, top=True)


def _listed(pairs: list[tuple[str, Any]]) -> str:
    """Format-List: names to the left, aligned, and further lines below the value."""
    width = max(len(name) for name, _ in pairs)
    lines = []
    for name, item in pairs:
        first, *more = _short(item).split("\n")
        lines.append(f"{name:{width}} : {first}".rstrip())
        lines += [f"{'':{width}}   {line}" for line in more]
    return "\n" + "\n".join(lines) + "\n"


def _short(value: Any, *, top: bool = False, depth: int = 0) -> str:
    """A value in one place: inside a list of properties, or a value that is no object."""
    if isinstance(value, PSObject):
        return _object(value, top, depth)
    for kind, make in _SHORT.items():
        if isinstance(value, kind):
            return make(value)
    if isinstance(value, (list, tuple, Dictionary, dict)):
        if depth > 1:
            return "..."
        return _several(value, depth)
    return str(value)


def _object(value: PSObject, top: bool, depth: int) -> str:
    if value.value is not None:
        enum = any(name.endswith("System.Enum") for name in value.type_names)
        if enum and value.to_string is not None:
            return value.to_string
        if top and isinstance(value.value, (list, tuple)):
            return "\n".join(value_text(item) for item in value.value)
        return _short(value.value, depth=depth)
    if value.to_string is not None:
        return value.to_string
    if depth > 1:
        return "..."
    pairs = "; ".join(f"{name}={_short(item, depth=depth + 1)}" for name, item in value.items())
    return f"@{{{pairs}}}"


def _several(value: Iterable[Any] | Dictionary, depth: int) -> str:
    if isinstance(value, (Dictionary, dict)):
        shown = [
            f"[{_short(key, depth=depth + 1)}, {_short(item, depth=depth + 1)}]"
            for key, item in list(value.items())[: _MAX_ITEMS + 1]
        ]
    else:
        shown = [_short(item, depth=depth + 1) for item in list(value)[: _MAX_ITEMS + 1]]
    if len(shown) > _MAX_ITEMS:
        shown = [*shown[:_MAX_ITEMS], "…"]
    return "{" + ", ".join(shown) + "}"


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "-∞"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _span(value: TimeSpan) -> str:
    """As .NET's constant format: ``[-][d.]hh:mm:ss[.fffffff]``."""
    seconds, fraction = divmod(abs(value.ticks), 10_000_000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    text = f"{'-' if value.ticks < 0 else ''}{f'{days}.' if days else ''}"
    text += f"{hour:02}:{minute:02}:{second:02}"
    return text + (f".{fraction:07}" if fraction else "")


_SHORT: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    bool: lambda value: "True" if value else "False",
    str: str.__str__,
    int: int.__repr__,
    float: _number,
    Decimal: lambda value: f"{value:f}",
    UUID: str,
    DateTime: lambda value: str(value).replace("T", " "),
    datetime: str,
    TimeSpan: _span,
    bytes: lambda value: "{" + ", ".join(str(b) for b in value[:_MAX_ITEMS])
    + (", …" if len(value) > _MAX_ITEMS else "") + "}",
    SecureString: lambda _: "System.Security.SecureString",
}  # fmt: skip


# -- records


def error_text(record: ErrorRecord, computer: str = "", view: str = "normal") -> str:
    """An error as PowerShell shows it, with the computer that it came from.

    ``normal`` has the category and the FullyQualifiedErrorId below the message, ``concise`` the
    message alone, ``category`` one line of category information.
    """
    if view == "category":
        return printable(record.category_message or record.message)
    who = record.category_activity or record.category_reason or "Error"
    where = f"[{computer}] " if computer and not record.message.startswith(f"[{computer}]") else ""
    head = f"{who}: {where}{record.message}"
    if view == "concise":
        return printable(head)
    lines = [
        head,
        f"    + CategoryInfo          : {record.category_message or ''}",
        f"    + FullyQualifiedErrorId : {record.fully_qualified_error_id}",
    ]
    if computer:
        lines.append(f"    + PSComputerName        : {computer}")
    return printable("\n".join(lines))


def record_text(kind: StreamKind, record: Any) -> str | None:
    """A warning, verbose, debug or information record as a line; None for the others."""
    if kind in _MARKED:
        return printable(_MARKED[kind] + str(record))
    if kind is StreamKind.INFORMATION:
        assert isinstance(record, InformationRecord)
        return printable(str(record) or value_text(record.message_data))
    return None


def printable(text: str) -> str:
    """The text without the controls that could steer a terminal; colours stay."""
    return _CONTROL.sub("�", text)
