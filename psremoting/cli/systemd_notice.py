"""Notices to systemd: the server is ready, or is about to end. sd_notify(3)"""

from __future__ import annotations

import os
import socket

__all__ = ["notify_systemd"]


def notify_systemd(text: str) -> None:
    """Send a notice if systemd started this process with ``Type=notify``."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(text.encode(), address)
        except OSError:
            return
