"""All targets; importing this module registers them."""

from __future__ import annotations

from tests.fuzz import file_targets, protocol_targets, reader_targets, wsman_targets
from tests.fuzz.target import TARGETS

__all__ = ["TARGETS", "file_targets", "protocol_targets", "reader_targets", "wsman_targets"]
