"""Where recorded traffic lies: always in fixtures/, and the whole collection where it is beside
the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"

_beside = Path(os.environ.get("PSREMOTING_CAPTURES", ROOT.parent / "shared" / "captures"))
SHARED: Path | None = _beside if _beside.is_dir() else None

needs_collection = pytest.mark.skipif(SHARED is None, reason="the whole collection is not here")
