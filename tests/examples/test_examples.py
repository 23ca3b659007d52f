"""The examples of the notes work as described."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from psrp.fragments import split
from psrp.strategies import FragmentSequence
from tests.examples.fuzz_toy_defragmenter import FixedToy, Toy, check

HERE = Path(__file__).parent
NOTE = HERE.parent.parent / "spec-notes" / "fuzzing.md"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / "fuzz_toy_defragmenter.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_planted_bug_is_found_and_shown_small() -> None:
    ran = _run()
    assert ran.returncode == 1, ran.stderr
    assert "found: sent (b'\\x00',), received [b'']" in ran.stdout
    assert "Draw 1 (pieces)" in ran.stdout


def test_the_corrected_defragmenter_of_the_example_passes() -> None:
    ran = _run("--fixed")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_bug_is_where_the_note_says() -> None:
    stream = FragmentSequence(split(1, b"x", 22), [b"x"])
    check(Toy, stream, [stream.data])
    check(FixedToy, stream, [stream.data[:21], stream.data[21:]])
    with pytest.raises(AssertionError, match="received"):
        check(Toy, stream, [stream.data[:21], stream.data[21:]])


def test_the_note_shows_the_example_as_it_is() -> None:
    """Every line of code in the note is in the example, in the same order."""
    source = iter((HERE / "fuzz_toy_defragmenter.py").read_text("utf-8").splitlines())
    blocks = NOTE.read_text("utf-8").split("```python\n# from the example\n")[1:]
    shown = [line for block in blocks for line in block.split("```")[0].splitlines()]
    assert shown
    assert [line for line in shown if line.strip() and line not in source] == []
