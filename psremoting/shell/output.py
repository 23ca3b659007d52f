"""Text for remote output that bypassed the server's Out-Default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psremoting.client.streams import StreamKind
from psremoting.powershell.error_view import error_text
from psremoting.powershell.formatting import Formatter
from psrp.clixml import PSObject
from psrp.records import ErrorRecord
from psrp.sansio import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psremoting.shell.screen import Screen

__all__ = ["OutputView"]

_RECORDS = ("WarningRecord", "VerboseRecord", "DebugRecord", "InformationRecord")
_ERROR = "ErrorRecord"


class OutputView:
    """Writer of output and error records to a screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._formatter: Formatter | None = None

    def add(self, kind: StreamKind, item: Any) -> None:
        """Show an object of the output, or an error record; other records are host calls too."""
        if kind is StreamKind.ERROR:
            self.error(item)
        elif kind is StreamKind.OUTPUT:
            self._output(item)

    def error(self, record: ErrorRecord | PSObject) -> None:
        """Show an error record, or an object of the output that was one."""
        if self._formatter is not None:
            self._lines(self._formatter.pause())
        self._screen.error(error_text(record, view="concise"))

    def end(self) -> None:
        """Show buffered rows that wait for more objects."""
        if self._formatter is not None:
            formatter, self._formatter = self._formatter, None
            self._lines(formatter.flush())

    def _output(self, item: Any) -> None:
        kind = _short_type(item)
        if kind == _ERROR and _is_error_record(item):
            self.error(item)
        elif kind in _RECORDS and item.to_string is not None:
            self._screen.write_line(item.to_string)
        else:
            if self._formatter is None:
                self._formatter = Formatter(self._screen.size.width)
            self._lines(self._formatter.feed(item))

    def _lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._screen.write_line(line)


def _is_error_record(item: PSObject) -> bool:
    try:
        ErrorRecord.from_object(item)
    except RemoteProtocolError:
        return False
    return True


def _short_type(item: Any) -> str:
    """Return the last part of the type name of an object; empty for other values."""
    if type(item) is not PSObject or not item.type_names:
        return ""
    return str(item.type_names[0]).rpartition(".")[2]
