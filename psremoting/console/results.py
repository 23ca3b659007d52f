"""The results of a remote command, passed on by a command of the local prompt."""

from __future__ import annotations

from typing import Any

from psremoting.client.streams import StreamKind
from psremoting.console.calls import Call
from psremoting.errors import PipelineFailed, PSRemotingError
from psremoting.powershell.record_text import record_text
from psremoting.remote_command import invoke_error

__all__ = ["CallResults"]


class CallResults:
    """Writer of objects and records as the output and errors of ``call``.

    ``host_shows``: the text of the other records comes as a host call as well, which shows it.
    """

    def __init__(self, call: Call, *, host_shows: bool = False) -> None:
        self._call = call
        self._host_shows = host_shows

    def show(self, computer: str, kind: StreamKind, item: Any) -> None:
        """Write an object or a record that came from ``computer``."""
        workspace = self._call.workspace
        if kind is StreamKind.OUTPUT:
            self._call.emit(item)
        elif kind is StreamKind.ERROR:
            self._call.write_error(item, computer)
        elif self._host_shows:
            return
        elif kind is StreamKind.WARNING:
            workspace.surface.warning(str(item))
        else:
            text = record_text(kind.value, item)
            if text is not None:
                workspace.printer.end()
                workspace.surface.output(text)

    def failed(self, error: PSRemotingError) -> None:
        """Write the failure of a whole computer."""
        if isinstance(error, PipelineFailed):
            self._call.write_error(error.record, error.computer)
        else:
            self._call.fail(invoke_error(error))
