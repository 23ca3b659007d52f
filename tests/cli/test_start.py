"""Help is shown without loading what sessions need."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CODE = """
import sys
from psremoting.cli.entry import main
try:
    main()
finally:
    print([name for name in ("trio", "yaml", "prompt_toolkit", "spnego") if name in sys.modules])
"""


@pytest.mark.parametrize("words", [("--help",), ("enter", "--help"), ("clixml", "text", "--help")])
def test_help_does_not_load_what_opens_sessions(words: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _CODE, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.splitlines()[-1] == "[]"
    assert "Usage: " in ran.stdout
