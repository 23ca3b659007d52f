"""Recorded traffic: detect its form, decode it, and show it.

`open_capture` returns recordings as objects; `decode` yields the entries of one file, which
`jsonlines` and `timeline` render.
"""

from __future__ import annotations

from psremoting.capture.decoding import decode
from psremoting.capture.detect import Form
from psremoting.capture.entries import Entry
from psremoting.capture.key_ring import KeyRing
from psremoting.capture.opened import (
    Capture,
    Connection,
    Exchange,
    Message,
    Pipeline,
    open_capture,
)
from psremoting.capture.recorder import RecordedSecrets, Recorder
from psremoting.capture.source import CaptureError

__all__ = [
    "Capture",
    "CaptureError",
    "Connection",
    "Entry",
    "Exchange",
    "Form",
    "KeyRing",
    "Message",
    "Pipeline",
    "RecordedSecrets",
    "Recorder",
    "decode",
    "open_capture",
]
