"""Recorded traffic: detect its form, decode it, and show it.

`decode` yields the entries of a file; `jsonlines` and `timeline` render them.
"""

from __future__ import annotations

from psremoting.capture.decoding import decode
from psremoting.capture.detect import Form
from psremoting.capture.entries import Entry
from psremoting.capture.key_ring import KeyRing
from psremoting.capture.recorder import RecordedSecrets, Recorder
from psremoting.capture.source import CaptureError

__all__ = [
    "CaptureError",
    "Entry",
    "Form",
    "KeyRing",
    "RecordedSecrets",
    "Recorder",
    "decode",
]
