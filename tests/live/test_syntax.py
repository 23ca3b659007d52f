"""Our parser and the real one read the same lines in the same way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from psremoting.powershell.parse_errors import ParseError
from tests.live.powershell import PowerShell, quoted
from tests.live.syntax_trees import LINES, SCRIPT, ours, theirs

_BATCH = 150
#: Lines on which we differ from the real parser, and the reason.
_ACCEPTED = {
    "if": "statements with a keyword are not parsed",
    "if x": "statements with a keyword are not parsed",
    "function": "statements with a keyword are not parsed",
    "from": "statements with a keyword are not parsed",
    ":x foreach": "labels are not parsed",
    "using namespace System": "using statements are no statements of the real tree",
    '"$:"': "names that only colons make are not read",
    '"$::"': "names that only colons make are not read",
    "param($a,": "the first of two errors",
    "process { a } b": "the error's id",
    "--5": "increments are not checked",
    "[Parameter()]$x": "attributes of values are not told apart",
    "[ValidateSet('a')]$x": "attributes of values are not told apart",
    "[a()]": "an attribute alone is not incomplete",
}


@pytest.mark.parametrize("number", range((len(LINES) + _BATCH - 1) // _BATCH))
def test_a_line_is_read_as_powershell_reads_it(real: PowerShell, number: int) -> None:
    real.run(SCRIPT)
    lines = LINES[number * _BATCH : (number + 1) * _BATCH]
    answers = real.run(f"Parsed {quoted(json.dumps(lines))}").splitlines()
    assert len(answers) == len(lines)
    differing = []
    for line, answer in zip(lines, answers, strict=True):
        difference = _difference(ours(line), json.loads(answer))
        if bool(difference) != (line in _ACCEPTED):
            differing.append((line, difference))
    assert differing == []


def _difference(own: ParseError | list[Any], real: dict[str, Any]) -> Any:
    """Return the first difference; None for equal trees, or for equivalent errors."""
    if not real["errors"]:
        tree = theirs(real["tree"])
        return None if own == tree else (own, tree)
    error_id, _, incomplete = real["errors"][0]
    any_incomplete = any(each[2] for each in real["errors"])
    if not isinstance(own, ParseError):
        return own, real["errors"]
    if own.error_id != error_id or (own.incomplete and not any_incomplete):
        return own.error_id, own.incomplete, real["errors"]
    return (own.incomplete, incomplete) if incomplete and not own.incomplete else None
