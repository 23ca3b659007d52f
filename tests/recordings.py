"""The recorded traffic for the tests: fixtures/, and the whole collection if it is next to the
checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"

_beside = Path(os.environ.get("PSREMOTING_CAPTURES", ROOT.parent / "shared" / "captures"))
SHARED: Path | None = _beside if _beside.is_dir() else None
WHOLE = FIXTURES if SHARED is None else SHARED
"""The collection, or the part of it in fixtures/ with the same folders (outofproc, clixml)."""

needs_collection = pytest.mark.skipif(SHARED is None, reason="the whole collection is not here")
