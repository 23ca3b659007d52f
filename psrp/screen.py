"""The client's screen as a server knows it: read from what the client told when it opened the
pool, never asked for. ``ServerRemoteHostRawUserInterface.cs``; spec-notes/host.md
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psrp.host import HostDefaultData, HostInfo
from psrp.host_methods import HostMethodId as Method
from psrp.sansio import LocalProtocolError

__all__ = ["Screen"]

_READS = {
    Method.GetForegroundColor: "foreground_color",
    Method.GetBackgroundColor: "background_color",
    Method.GetCursorPosition: "cursor_position",
    Method.GetWindowPosition: "window_position",
    Method.GetCursorSize: "cursor_size",
    Method.GetBufferSize: "buffer_size",
    Method.GetWindowSize: "window_size",
    Method.GetMaxWindowSize: "max_window_size",
    Method.GetMaxPhysicalWindowSize: "max_physical_window_size",
    Method.GetWindowTitle: "window_title",
}

_WRITES = {
    Method.SetForegroundColor: "foreground_color",
    Method.SetBackgroundColor: "background_color",
    Method.SetCursorPosition: "cursor_position",
    Method.SetWindowPosition: "window_position",
    Method.SetCursorSize: "cursor_size",
    Method.SetBufferSize: "buffer_size",
    Method.SetWindowSize: "window_size",
    Method.SetWindowTitle: "window_title",
}


class Screen:
    """Answers reads of the screen, and follows what the server writes to it."""

    def __init__(self, info: HostInfo) -> None:
        known = None if info.is_host_raw_ui_null else info.default_data
        self.data = known or HostDefaultData(**dict.fromkeys(_READS.values()))

    def read(self, method: int) -> Any:
        """The answer of a getter.

        Raises LocalProtocolError for what the client did not tell and for what a server cannot
        know (KeyAvailable, GetBufferContents): PowerShell's server throws NotImplemented there.
        """
        name = _READS.get(Method(method))
        value = None if name is None else getattr(self.data, name)
        if value is None:
            raise LocalProtocolError(f"{Method(method).name}: the client did not tell")
        return value

    def write(self, method: int, arguments: tuple[Any, ...]) -> None:
        """Remember what a setter sets; the call itself still goes to the client."""
        name = _WRITES.get(Method(method))
        if name is not None:
            (value,) = arguments
            self.data = replace(self.data, **{name: value})
