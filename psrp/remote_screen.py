"""The client's screen as a server knows it: from the client's HostInfo, without host calls.
``ServerRemoteHostRawUserInterface.cs``; spec-notes/host.md
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psrp.host import HostDefaultData, HostInfo
from psrp.host_methods import HostMethodId as Method
from psrp.sansio import LocalProtocolError

__all__ = ["RemoteScreen"]

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


class RemoteScreen:
    """Answers the getters of the screen, and stores the values of the setters."""

    def __init__(self, info: HostInfo) -> None:
        known = None if info.is_host_raw_ui_null else info.default_data
        self.data = known or HostDefaultData(**dict.fromkeys(_READS.values()))

    def read(self, method: int) -> Any:
        """Return the answer of a getter.

        Raises LocalProtocolError for values that the client did not supply or that a server cannot
        know (KeyAvailable, GetBufferContents): PowerShell's server throws NotImplemented there.
        """
        name = _READS.get(Method(method))
        value = None if name is None else getattr(self.data, name)
        if value is None:
            raise LocalProtocolError(f"{Method(method).name}: not supplied by the client")
        return value

    def write(self, method: int, arguments: tuple[Any, ...]) -> None:
        """Store a setter's value; the call itself is still sent to the client."""
        name = _WRITES.get(Method(method))
        if name is not None:
            (value,) = arguments
            self.data = replace(self.data, **{name: value})
