"""Every note names the test that checks it, and every statement of the checklist has a test.

The docstring of a test names the statements that it checks: `Statement E46.`, or `Statements E46,
E47.` The table in spec-notes/README.md is maintained by hand and compared in both directions.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT, modules, named_tests

TESTS = named_tests()
README = Path("spec-notes/README.md")
NOTES = sorted(path.relative_to(ROOT) for path in (ROOT / "spec-notes").glob("*.md"))
SECURITY = Path("SECURITY.md")

#: The checklist has consecutive numbers; the letter before the number is the section.
SECTIONS = {
    "A": range(1, 16),
    "B": range(16, 27),
    "C": range(27, 38),
    "D": range(38, 46),
    "E": range(46, 58),
    "F": range(58, 62),
    "G": range(62, 71),
    "H": range(71, 89),
    "I": range(89, 99),
    "J": range(99, 117),
}
STATEMENTS = {f"{section}{number}" for section, found in SECTIONS.items() for number in found}
#: Statements of the protocol core. Section J without those of the carriers and the shell.
ELSEWHERE = {"J101", "J106", "J107", "J108"}
CORE = {name for name in STATEMENTS if name[0] in "ABCDEFJ"} - ELSEWHERE

ROW = re.compile(r"^\| ([A-J]\d+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py::[\w:]+)`")
CLAIM = re.compile(r"\bStatements? ([A-J]\d+(?:(?:, and |, | and )[A-J]\d+)*)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CITATION = re.compile(r"spec-notes/([\w-]+\.md)(?:#([\w-]+))?")


def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def rows() -> dict[str, str]:
    return {name: tests for name, _, tests in ROW.findall(text(README))}


@cache
def claims() -> dict[str, set[str]]:
    """Return each statement with the tests whose docstrings name it."""
    found: dict[str, set[str]] = {}
    for name, node in TESTS.items():
        for listed in CLAIM.findall(ast.get_docstring(node) or ""):
            for statement in re.findall(r"[A-J]\d+", listed):
                found.setdefault(statement, set()).add(name)
    return found


@pytest.mark.parametrize("note", [*NOTES, SECURITY], ids=str)
def test_a_note_names_only_tests_that_exist(note: Path) -> None:
    assert not [name for name in TEST.findall(text(note)) if name not in TESTS]


@pytest.mark.parametrize("note", [note for note in NOTES if note != README], ids=str)
def test_what_is_said_to_be_held_names_its_test(note: Path) -> None:
    held = re.findall(r"Held by:(.*?)(?:\n\n|\Z)", text(note), re.DOTALL)
    assert not [named for named in held if not TEST.search(named)]


def test_each_line_of_the_security_page_names_its_test() -> None:
    promises = text(SECURITY).partition("## Limits")[0]
    rows = re.findall(r"^\| (?!a |---)(.*) \|$", promises, re.MULTILINE)
    assert len(rows) > 20
    assert not [row for row in rows if not TEST.search(row)]


def test_every_note_is_in_the_list_of_notes() -> None:
    listed = set(re.findall(r"^\| \[([\w-]+\.md)\]\(\1\) \| \w", text(README), re.MULTILINE))
    assert listed == {note.name for note in NOTES} - {README.name}


def test_the_table_has_every_statement_once_in_order() -> None:
    names = [name for name, _, _ in ROW.findall(text(README))]
    assert names == sorted(STATEMENTS, key=lambda name: int(name[1:]))


@pytest.mark.parametrize("statement", sorted(CORE, key=lambda name: int(name[1:])))
def test_a_statement_of_the_core_is_held(statement: str) -> None:
    tests = sorted(claims().get(statement, ()))
    assert tests, f"no docstring says 'Statement {statement}.'"


def test_the_table_and_the_docstrings_say_the_same() -> None:
    claimed = claims()
    assert not sorted(set(claimed) - STATEMENTS)
    wrong = [
        f"| {name} | ... | {'<br>'.join(f'`{test}`' for test in sorted(claimed.get(name, ())))} |"
        for name, tests in rows().items()
        if set(TEST.findall(tests)) != claimed.get(name, set())
    ]
    assert not wrong


def test_what_no_test_holds_is_called_open() -> None:
    unheld = {name: tests for name, tests in rows().items() if not TEST.search(tests)}
    assert set(unheld.values()) <= {"open"}


def anchors(note: str) -> set[str]:
    """Return the anchors of a page in GitHub's form."""
    found = HEADING.findall(text(Path("spec-notes", note)))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in found}


def test_a_note_that_the_source_cites_exists() -> None:
    missing = [
        f"{path}: {note}#{anchor}"
        for path in modules(*PACKAGES, "tests", "bench")
        for note, anchor in CITATION.findall(text(path))
        if not (ROOT / "spec-notes" / note).is_file() or (anchor and anchor not in anchors(note))
    ]
    assert not missing
