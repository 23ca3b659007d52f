"""The views of types: the properties that PowerShell shows, their labels and widths.

# table: one entry per type

Measured with ``Get-FormatData`` and ``Out-String`` of PowerShell 7.6.9; see
spec-notes/formatting.md for the types that are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from psremoting.powershell.display_text import text_of
from psrp.clixml import Dictionary, PSObject, TimeSpan
from psrp.frozen import dataclass

__all__ = ["Column", "View", "applies", "find_view", "plain_types"]

Alignment = Literal["left", "right"]
Source = str | Callable[[Any], Any]
"""A property's name, or a function of the object's properties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table or line of a list. ``width`` 0 shares what is left of the line."""

    label: str
    source: Source
    width: int = 0
    alignment: Alignment = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view. ``kind`` is "table", "list" or "text"; of a text the one column is the whole."""

    name: str
    kind: Literal["table", "list", "text"] = "table"
    columns: tuple[Column, ...]
    group_label: str = ""
    group_by: Source | None = None
    wraps: bool = False
    """A table continues long cells on the next line."""


def _table(name: str, *columns: tuple[str, int] | Column, **more: Any) -> View:
    made = tuple(
        each if isinstance(each, Column) else _column(each[0], each[1]) for each in columns
    )
    return View(name=name, columns=made, **more)


def _column(name: str, width: int) -> Column:
    """Return ``"Name"``, or ``">Name"`` for one that is aligned to the right."""
    label = name.lstrip(">")
    return Column(
        label=label, source=label, width=width, alignment="right" if name[0] == ">" else "left"
    )


def _list(name: str, *names: str) -> View:
    return View(name=name, kind="list", columns=tuple(_column(each, 0) for each in names))


def _text(name: str, source: Source) -> View:
    return View(name=name, kind="text", columns=(Column(label="", source=source),))


def _made(label: str, width: int, source: Source, alignment: Alignment = "left") -> Column:
    return Column(label=label, source=source, width=width, alignment=alignment)


# -- columns that are computed


def _number(value: Any) -> float | None:
    while isinstance(value, PSObject):
        value = value.value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return float(value)
    return None


def _megabytes(name: str) -> Callable[[Any], Any]:
    def shown(members: Any) -> str:
        number = _number(members.get(name)) or 0.0
        return f"{number / 1048576:,.2f}"

    return shown


def _kilobytes(members: Any) -> Any:
    return round((_number(members.get("NPM")) or 0.0) / 1024)


def _seconds(members: Any) -> str:
    return f"{_number(members.get('CPU')) or 0.0:,.2f}"


def _gigabytes(name: str) -> Callable[[Any], Any]:
    def shown(members: Any) -> str:
        if not (_number(members.get("Used")) or _number(members.get("Free"))):
            return ""
        return f"{(_number(members.get(name)) or 0.0) / 1073741824:.2f}"

    return shown


def _command_name(members: Any) -> Any:
    if text_of(members.get("CommandType")) == "Alias":
        return members.get("DisplayName", members.get("Name"))
    return members.get("Name")


def _parent(members: Any) -> str:
    """Return the folder of a file, without the provider's name."""
    return text_of(members.get("PSParentPath")).partition("::")[2]


def _file_time(members: Any) -> str:
    return text_of(members.get("LastWriteTime"))[:16]


def _duration(members: Any) -> str:
    span = members.get("Duration")
    ticks = span.ticks if isinstance(span, TimeSpan) else 0
    seconds, fraction = divmod(abs(ticks) // 10_000, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minute:02}:{second:02}.{fraction:03}"
    return f"{minute}:{second:02}.{fraction:03}" if minute else f"{second}.{fraction:03}"


def _match(members: Any) -> str:
    path, line = members.get("Path"), text_of(members.get("Line"))
    if path is None or text_of(path) == "InputStream":
        return line
    return f"{text_of(members.get('Filename'))}:{text_of(members.get('LineNumber'))}:{line}"


def _provider(members: Any) -> Any:
    provider = members.get("Provider")
    return provider.get("Name") if isinstance(provider, PSObject) else None


def _root(members: Any) -> Any:
    shown = members.get("DisplayRoot")
    return members.get("Root") if shown is None else shown


def _exported(members: Any) -> Any:
    commands = members.get("ExportedCommands")
    if isinstance(commands, PSObject):
        commands = commands.value
    return commands.keys() if isinstance(commands, Dictionary) else commands


_COMMAND = _table(
    "CommandInfo",
    ("CommandType", 15),
    _made("Name", 50, _command_name),
    ("Version", 10),
    ("Source", 0),
)
_CHILDREN = {"group_label": "    Directory: ", "group_by": _parent}
_UNIX_FILE = _table(
    "childrenWithUnixStat",
    ("UnixMode", 10),
    (">User", 10),
    ("Group", 10),
    _made("LastWriteTime", 16, _file_time, "right"),
    (">Size", 12),
    _made("Name", 0, "NameString"),
    **_CHILDREN,
)
_WINDOWS_FILE = _table(
    "children",
    _made("Mode", 7, "ModeWithoutHardLink"),
    _made("LastWriteTime", 26, "LastWriteTimeString", "right"),
    _made("Length", 14, "LengthString", "right"),
    _made("Name", 0, "NameString"),
    **_CHILDREN,
)
_SPAN = (
    *("Days", "Hours", "Minutes", "Seconds", "Milliseconds", "Ticks", "TotalDays"),
    *("TotalHours", "TotalMinutes", "TotalSeconds", "TotalMilliseconds"),
)

_VIEWS: dict[str, View] = {
    "System.Collections.DictionaryEntry": _table("Dictionary", ("Name", 30), ("Value", 0)),
    "System.Diagnostics.Process": _table(
        "process",
        _made("NPM(K)", 7, _kilobytes, "right"),
        _made("PM(M)", 8, _megabytes("PM"), "right"),
        _made("WS(M)", 10, _megabytes("WS"), "right"),
        _made("CPU(s)", 10, _seconds, "right"),
        (">Id", 7),
        (">SI", 3),
        ("ProcessName", 0),
    ),
    "System.IO.FileInfo": _UNIX_FILE,
    "System.IO.DirectoryInfo": _UNIX_FILE,
    "System.ServiceProcess.ServiceController": _table(
        "service", ("Status", 8), ("Name", 18), ("DisplayName", 38)
    ),
    "System.Management.Automation.CommandInfo": _COMMAND,
    "System.Management.Automation.AliasInfo": _COMMAND,
    "System.Management.Automation.ApplicationInfo": _COMMAND,
    "System.Management.Automation.CmdletInfo": _COMMAND,
    "System.Management.Automation.ExternalScriptInfo": _COMMAND,
    "System.Management.Automation.FilterInfo": _COMMAND,
    "System.Management.Automation.FunctionInfo": _COMMAND,
    "System.Management.Automation.ScriptInfo": _COMMAND,
    "HelpInfoShort": _table("help", ("Name", 33), ("Category", 9), ("Synopsis", 0)),
    "System.Version": _table(
        "System.Version", ("Major", 6), ("Minor", 6), ("Build", 6), ("Revision", 8)
    ),
    "System.Management.Automation.SemanticVersion": _table(
        "SemanticVersion",
        ("Major", 6),
        ("Minor", 6),
        ("Patch", 6),
        ("PreReleaseLabel", 15),
        ("BuildLabel", 11),
    ),
    "System.Guid": _table("System.Guid", ("Guid", 0)),
    "System.TimeSpan": _list("System.TimeSpan", *_SPAN),
    "System.DateTime": _text("DateTime", "DateTime"),
    "System.Globalization.CultureInfo": _table(
        "CultureInfo", ("LCID", 16), ("Name", 16), ("DisplayName", 0)
    ),
    "Microsoft.PowerShell.Commands.GroupInfo": _table(
        "GroupInfo", (">Count", 5), ("Name", 25), ("Group", 0)
    ),
    "Microsoft.PowerShell.Commands.GroupInfoNoElement": _table(
        "GroupInfoNoElement", (">Count", 5), ("Name", 25)
    ),
    "Microsoft.PowerShell.Commands.GenericMeasureInfo": _list(
        "GenericMeasureInfo", "Count", "Average", "Sum", "Maximum", "Minimum", "Property"
    ),
    "Microsoft.PowerShell.Commands.TextMeasureInfo": _table(
        "TextMeasureInfo", ("Lines", 0), ("Words", 0), ("Characters", 0), ("Property", 0)
    ),
    "Microsoft.PowerShell.Commands.HistoryInfo": _table(
        "history", (">Id", 4), _made("Duration", 12, _duration, "right"), ("CommandLine", 0)
    ),
    "Microsoft.PowerShell.Commands.FileHashInfo": _table(
        "FileHashInfo", ("Algorithm", 15), ("Hash", 70), ("Path", 0)
    ),
    "Microsoft.PowerShell.Commands.MatchInfo": _text("MatchInfo", _match),
    "System.Management.Automation.PSVariable": _table("Variable", ("Name", 30), ("Value", 0)),
    "System.Management.Automation.PathInfo": _table("PathInfo", ("Path", 0)),
    "System.Management.Automation.PSDriveInfo": _table(
        "drive",
        ("Name", 10),
        _made("Used (GB)", 13, _gigabytes("Used"), "right"),
        _made("Free (GB)", 13, _gigabytes("Free"), "right"),
        _made("Provider", 13, _provider),
        _made("Root", 35, _root),
        ("CurrentLocation", 0),
    ),
    "System.Management.Automation.ProviderInfo": _table(
        "provider", ("Name", 20), ("Capabilities", 0), ("Drives", 0)
    ),
    "System.Management.Automation.PSModuleInfo": _table(
        "Module",
        ("ModuleType", 10),
        ("Version", 10),
        _made("PreRelease", 10, lambda _: None),
        ("Name", 35),
        _made("ExportedCommands", 0, _exported),
    ),
    "System.Management.Automation.Runspaces.PSSession": _table(
        "PSSession",
        (">Id", 3),
        ("Name", 15),
        ("Transport", 9),
        ("ComputerName", 15),
        ("ComputerType", 15),
        ("State", 13),
        ("ConfigurationName", 20),
        (">Availability", 13),
    ),
    "Microsoft.PowerShell.Commands.PSSessionConfigurationCommands#PSSessionConfiguration": _list(
        "PSSessionConfiguration", "Name", "PSVersion", "StartupScript", "RunAsUser", "Permission"
    ),
    "Microsoft.WSMan.Management.WSManConfigContainerElement": _table(
        "WSManConfigContainerElement",
        ("Type", 15),
        ("Keys", 35),
        ("Name", 0),
        group_label="   WSManConfig: ",
        group_by="PSParentPath",
    ),
    "System.Management.Automation.Job": _table(
        "Job",
        ("Id", 6),
        ("Name", 15),
        ("PSJobTypeName", 15),
        ("State", 13),
        ("HasMoreData", 15),
        ("Location", 20),
        ("Command", 25),
    ),
    "System.Management.Automation.CallStackFrame": _table(
        "CallStackFrame", ("Command", 0), ("Arguments", 0), ("Location", 0)
    ),
}
"""Type name, without ``Deserialized.``, to its default view."""


def plain_types(type_names: tuple[str, ...]) -> list[str]:
    """Return the type names without the prefix of objects that came from another process."""
    return [name.removeprefix("Deserialized.") for name in type_names]


def find_view(type_names: tuple[str, ...], members: Any) -> View | None:
    """Return the view of the most derived type; a file without Unix mode has Windows' view."""
    for name in plain_types(type_names):
        view = _VIEWS.get(name)
        if view is _UNIX_FILE and members.get("UnixMode") is None:
            return _WINDOWS_FILE
        if view is not None:
            return view
    return None


def applies(view: View | None, type_names: tuple[str, ...]) -> bool:
    """Return True if objects of these types are shown with ``view``."""
    for name in plain_types(type_names):
        found = _VIEWS.get(name)
        if found is not None:
            return found is view or (view is _WINDOWS_FILE and found is _UNIX_FILE)
    return False
