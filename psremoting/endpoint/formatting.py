"""Objects as lines of text, much as PowerShell's default views show them.

Text and numbers are shown as they are, objects of up to four properties as rows of a table,
larger ones as a list; objects of the same shape that follow each other share one table. There
are no views from files, and no colours: what a terminal does with them is the client's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psrp.clixml import DateTime, Dictionary, PSObject, SecureString, TimeSpan, Version
from psrp.records import ErrorRecord
from psrp.sansio import LocalProtocolError, RemoteProtocolError

__all__ = ["Formatter", "error_lines", "show"]

_TABLE_MOST = 4
_ROWS_BEFORE_LAYOUT = 64
_ITEMS_SHOWN = 4
_MAX_DEPTH = 3
_LAST_COLUMN = 10
"""Cells that the last column of a view has at least."""
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

#: Views that PowerShell has: type -> columns and their widths, 0 for the rest of the line.
_VIEWS: dict[str, tuple[tuple[str, int], ...]] = {
    "System.Management.Automation.CommandInfo": (
        ("CommandType", 15), ("Name", 50), ("Version", 10), ("Source", 0),
    ),
    "HelpInfoShort": (("Name", 33), ("Category", 9), ("Synopsis", 0)),
}  # fmt: skip
_DICTIONARY_VIEW = (("Name", 30), ("Value", 0))
_ENTRY = ("Hashtable", "Name", "Value")


class Formatter:
    """Values in, lines out. ``width`` is that of the client's window in cells."""

    def __init__(self, width: int = 120) -> None:
        self._width = max(width, 20)
        self._shape: tuple[str, ...] | None = None
        self._rows: list[dict[str, Any]] = []
        self._columns: list[_Column] | None = None
        self._view: tuple[tuple[str, int], ...] | None = None
        self._begun = False

    def feed(self, value: Any) -> list[str]:
        """The lines that can be shown now."""
        shaped = _properties(value)
        if shaped is None:
            return [*self.flush(), *_plain_lines(value)]
        kind, members, view = shaped
        shape = (kind, *members)
        lines = [] if shape == self._shape else self.flush()
        if view is None and len(members) > _TABLE_MOST:
            self._shape = shape
            return [*lines, *self._as_list(members)]
        self._shape, self._view = shape, view
        if self._columns is not None:
            return [*lines, _row(self._columns, members)]
        self._rows.append(members)
        if len(self._rows) >= _ROWS_BEFORE_LAYOUT:
            lines += self._lay_out()
        return lines

    def feed_entry(self, key: Any, item: Any) -> list[str]:
        """One entry of a dictionary: a row of name and value."""
        lines = [] if self._shape == _ENTRY else self.flush()
        self._shape, self._view = _ENTRY, _DICTIONARY_VIEW
        self._rows.append({"Name": key, "Value": item})
        return [*lines, *self._lay_out_or_add()]

    def _lay_out_or_add(self) -> list[str]:
        if self._columns is None:
            return self._lay_out()
        rows, self._rows = self._rows, []
        return [_row(self._columns, row) for row in rows]

    def pause(self) -> list[str]:
        """Nothing came for a while: what was held back for the layout."""
        return self._lay_out() if self._rows else []

    def flush(self) -> list[str]:
        """The end of what was begun."""
        lines = self._lay_out() if self._rows else []
        if self._columns is not None or self._begun:
            lines.append("")
        self._shape = self._columns = self._view = None
        self._begun = False
        return lines

    def _lay_out(self) -> list[str]:
        rows, self._rows = self._rows, []
        if self._view is not None:
            self._columns = _fixed_columns(self._view, self._width)
        else:
            self._columns = _fitting_columns(rows, self._width)
        heads = {column.name: column.name for column in self._columns}
        dashes = {
            column.name: "-" * min(len(column.name), column.width) for column in self._columns
        }
        lines = ["", _row(self._columns, heads), _row(self._columns, dashes)]
        return [*lines, *(_row(self._columns, row) for row in rows)]

    def _as_list(self, members: dict[str, Any]) -> list[str]:
        lines = [""]
        self._begun = True
        widest = max(len(name) for name in members)
        for name, value in members.items():
            first, *more = show(value).split("\n")
            lines.append(f"{name:<{widest}} : {first}".rstrip())
            lines += [" " * (widest + 3) + line for line in more]
        return lines


class _Column:
    __slots__ = ("name", "right", "width")

    def __init__(self, name: str, width: int, right: bool) -> None:
        self.name = name
        self.width = width
        self.right = right


def _fixed_columns(view: tuple[tuple[str, int], ...], width: int) -> list[_Column]:
    """The widest column gives way so that the last has some cells left."""
    widths = [its for _, its in view]
    over = sum(widths) + len(widths) - 1 + _LAST_COLUMN - width
    if over > 0:
        at = widths.index(max(widths))
        widths[at] = max(10, widths[at] - over)
    rest = max(1, width - sum(widths) - len(widths) + 1)
    return [_Column(name, its or rest, False) for (name, _), its in zip(view, widths, strict=True)]


def _fitting_columns(rows: list[dict[str, Any]], width: int) -> list[_Column]:
    columns = []
    for name in rows[0]:
        right = _is_number(rows[0][name])
        widest = max(len(name), *(len(_cell(row.get(name))) for row in rows))
        columns.append(_Column(name, widest, right))
    over = sum(column.width + 1 for column in columns) - 1 - width
    while over > 0:
        widest_column = max(columns, key=lambda column: column.width)
        if widest_column.width <= 3:
            break
        cut = min(over, widest_column.width - 3)
        widest_column.width -= max(1, min(cut, (widest_column.width + 1) // 2))
        over = sum(column.width + 1 for column in columns) - 1 - width
    return columns


def _row(columns: list[_Column], members: Mapping[str, Any]) -> str:
    cells = []
    for column in columns:
        text = _cut(_cell(members.get(column.name)), column.width)
        cells.append(text.rjust(column.width) if column.right else text.ljust(column.width))
    return " ".join(cells).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _cell(value: Any) -> str:
    return show(value).replace("\r", "").replace("\n", " ")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


# -- what a value is made of


_Shaped = tuple[str, dict[str, Any], "tuple[tuple[str, int], ...] | None"]


def _properties(value: Any) -> _Shaped | None:
    """Type, properties and view of a value that is shown as a table or a list."""
    if isinstance(value, TimeSpan):
        value = value.to_timedelta()
    if isinstance(value, timedelta):
        return "TimeSpan", _span(value), None
    if isinstance(value, UUID):
        return "Guid", {"Guid": str(value)}, None
    if isinstance(value, Version):
        numbers = (*value.parts, -1, -1)[:4]
        names = ("Major", "Minor", "Build", "Revision")
        return "Version", dict(zip(names, numbers, strict=True)), None
    if not isinstance(value, PSObject) or value.value is not None or not len(value):
        return None
    kinds = [name.removeprefix("Deserialized.") for name in value.type_names]
    if "HelpInfo" in kinds or _is_record(value):
        return None
    for kind in kinds:
        if kind in _VIEWS:
            members = {name: value.get(name) for name, _ in _VIEWS[kind]}
            if "Name" in members:
                # An alias shows what it stands for.
                members["Name"] = value.get("DisplayName", members["Name"])
            return kind, members, _VIEWS[kind]
    return kinds[0] if kinds else "", dict(value.items()), None


def _span(value: timedelta) -> dict[str, Any]:
    seconds, rest = value.seconds, value.microseconds
    total = value.total_seconds()
    return {
        "Days": value.days,
        "Hours": seconds // 3600,
        "Minutes": seconds // 60 % 60,
        "Seconds": seconds % 60,
        "Milliseconds": rest // 1000,
        "Ticks": round(total * 10**7),
        "TotalDays": total / 86400,
        "TotalHours": total / 3600,
        "TotalMinutes": total / 60,
        "TotalSeconds": total,
        "TotalMilliseconds": total * 1000,
    }


def members_of_time(value: Any) -> dict[str, Any]:
    """The properties of a moment or a span of time; none for anything else."""
    if isinstance(value, TimeSpan):
        value = value.to_timedelta()
    if isinstance(value, timedelta):
        return _span(value)
    moment = value
    if isinstance(value, DateTime):
        try:
            moment = value.to_datetime()
        except (LocalProtocolError, ValueError, OverflowError):
            return {}
    if not isinstance(moment, datetime):
        return {}
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "Date": day,
        "Day": moment.day,
        "DayOfWeek": _DAYS[moment.weekday()],
        "DayOfYear": moment.timetuple().tm_yday,
        "Hour": moment.hour,
        "Millisecond": moment.microsecond // 1000,
        "Minute": moment.minute,
        "Month": moment.month,
        "Second": moment.second,
        "TimeOfDay": moment - day,
        "Year": moment.year,
    }


def _is_record(value: Any) -> bool:
    return isinstance(value, PSObject) and any(
        name.removeprefix("Deserialized.") in _RECORDS for name in value.type_names
    )


_RECORDS: dict[str, str | None] = {
    "System.Management.Automation.ErrorRecord": "",
    "System.Management.Automation.WarningRecord": "WARNING: ",
    "System.Management.Automation.VerboseRecord": "VERBOSE: ",
    "System.Management.Automation.DebugRecord": "DEBUG: ",
    "System.Management.Automation.InformationRecord": None,
}
"""What stands before their text; an error is shown in a way of its own."""


def _plain_lines(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, (DateTime, datetime)):
        return ["", _long_date(value), ""]
    if isinstance(value, (list, tuple)):
        return [line for item in value for line in _plain_lines(item)]
    if _is_record(value):
        kinds = [name.removeprefix("Deserialized.") for name in value.type_names]
        prefix = next((_RECORDS[kind] for kind in kinds if kind in _RECORDS), "")
        if prefix == "":
            return error_lines(value)
        return ((prefix or "") + (value.to_string or "")).splitlines()
    return show(value).replace("\r\n", "\n").split("\n")


def error_lines(value: Any) -> list[str]:
    """An error in PowerShell's short form: which command, and what it said."""
    record = value
    if isinstance(value, PSObject):
        try:
            record = ErrorRecord.from_object(value)
        except RemoteProtocolError:
            return f"Error: {value.to_string or ''}".splitlines()
    head = record.category_activity or "Error"
    return f"{head}: {record.message}".replace("\r\n", "\n").split("\n")


def _long_date(value: Any) -> str:
    try:
        moment = value.to_datetime() if isinstance(value, DateTime) else value
    except (LocalProtocolError, ValueError, OverflowError):
        return str(value)
    day = _DAYS[moment.weekday()]
    month = _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02} {month} {moment.year} {moment:%H:%M:%S}"


def show(value: Any, depth: int = 0) -> str:
    """A value as one text, as in a cell of a table. Secrets show their type."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, SecureString):
        return "System.Security.SecureString"
    if isinstance(value, (DateTime, datetime)):
        return _short_date(value)
    if isinstance(value, TimeSpan):
        value = value.to_timedelta()
    if isinstance(value, timedelta):
        return _short_span(value)
    if isinstance(value, (bytes, bytearray)):
        value = list(value[: _ITEMS_SHOWN + 1])
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [show(item, depth + 1) for item in list(value)[:_ITEMS_SHOWN]]
        return "{" + ", ".join(items) + ("…" if len(value) > _ITEMS_SHOWN else "") + "}"
    if isinstance(value, (Dictionary, Mapping)):
        pairs = [f"[{show(k, depth + 1)}, {show(v, depth + 1)}]" for k, v in value.items()]
        return "{" + ", ".join(pairs[:_ITEMS_SHOWN]) + ("…" if pairs[_ITEMS_SHOWN:] else "") + "}"
    if isinstance(value, PSObject):
        return _object(value, depth)
    return str(value)


def _object(value: PSObject, depth: int) -> str:
    if value.to_string is not None:
        return value.to_string
    if value.value is not None:
        return show(value.value, depth + 1)
    if depth >= _MAX_DEPTH or not len(value):
        return value.type_names[0] if value.type_names else ""
    return "@{" + "; ".join(f"{name}={show(item, depth + 1)}" for name, item in value.items()) + "}"


def _float(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "∞", "-inf": "-∞"}[str(float(value))]
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = repr(float(value))
    if "e" not in text:
        return text
    digits, _, power = text.partition("e")
    return f"{digits.removesuffix('.0')}E{power[0]}{power[1:].zfill(2)}"


def _short_date(value: Any) -> str:
    try:
        moment = value.to_datetime() if isinstance(value, DateTime) else value
    except (LocalProtocolError, ValueError, OverflowError):
        return str(value)
    return f"{moment:%m/%d/%Y %H:%M:%S}"


def _short_span(value: timedelta) -> str:
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    hours, rest = divmod(value.seconds, 3600)
    text = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    if value.days:
        text = f"{value.days}.{text}"
    if value.microseconds:
        text += f".{value.microseconds * 10:07}"
    return sign + text
