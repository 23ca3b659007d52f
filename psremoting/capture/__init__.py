"""Recorded traffic: which form it has, what stands in it, and how it is shown.

`decode` gives the entries of a file, `jsonlines` and `timeline` show them.
"""

from __future__ import annotations

from psremoting.capture.decoding import decode
from psremoting.capture.detect import Form
from psremoting.capture.entries import Entry
from psremoting.capture.key_ring import KeyRing
from psremoting.capture.source import CaptureError

__all__ = ["CaptureError", "Entry", "Form", "KeyRing", "decode"]
