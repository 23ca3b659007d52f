"""Limits on the size of files and functions, and rules for names and tests."""

from __future__ import annotations

import ast
import re
import warnings
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT, all_functions, modules, tree
from tests.rows import rows

WANTED_FILE = 500
"""A longer file gives a warning only, because one subject should not be split to save lines."""
MAX_FILE = 750
MAX_FUNCTION = 50
#: A longer file gives its reason in one of its first lines: `# table: ...`, `# generated: ...` or
#: `# long: ...`.
FILE_MARK = re.compile(r"^# (table|generated|long): \w", re.MULTILINE)
#: A longer function is marked on its `def` line: `def read(self) -> None:  # table`.
FUNCTION_MARK = re.compile(r"#\s*table\b")

NAMES_THAT_SAY_NOTHING = re.compile(
    r"^_*(utils?|utilit\w*|helpers?|misc|common|managers?|handlers?|base|stuff|core)$|\d$"
)
#: Names that each package may use, for the same subject of its own layer.
SAME_SUBJECT = {"__init__", "errors", "events", "messages", "strategies", "trio_server"}
EVERYTHING = modules(*PACKAGES, "tests", "bench")


def lines(path: Path) -> list[str]:
    return (ROOT / path).read_text(encoding="utf-8").splitlines()


@pytest.mark.filterwarnings("default:.* lines:UserWarning")
@rows("path", EVERYTHING, ids=str)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    count = len(lines(path))
    if FILE_MARK.search("\n".join(lines(path)[:5])):
        return
    assert count <= MAX_FILE
    if count > WANTED_FILE:
        warnings.warn(f"{path} has {count} lines", stacklevel=1)


@rows("path", EVERYTHING, ids=str)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    text = lines(path)
    long = [
        f"{path}:{node.lineno} {node.name} has {length} lines"
        for node in all_functions(path)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION
        and not FUNCTION_MARK.search("\n".join(text[node.lineno - 1 : node.body[0].lineno - 1]))
    ]
    assert not long


@rows("path", EVERYTHING, ids=str)
def test_a_name_says_what_the_module_holds(path: Path) -> None:
    assert not [part for part in path.with_suffix("").parts if NAMES_THAT_SAY_NOTHING.search(part)]


def test_no_two_modules_share_a_name() -> None:
    found: dict[str, list[str]] = {}
    for path in modules(*PACKAGES):
        if path.stem not in SAME_SUBJECT:
            found.setdefault(path.stem, []).append(str(path))
    assert not [paths for paths in found.values() if len(paths) > 1]


@rows("path", EVERYTHING, ids=str)
def test_a_file_that_has_code_says_what_it_is_for(path: Path) -> None:
    assert not tree(path).body or ast.get_docstring(tree(path))


def checks(node: ast.AST, names: set[str]) -> bool:
    """Return whether code asserts something, directly or through a function that it calls.

    A `try` counts, because a property test may check that only one kind of error is raised.
    """
    return any(
        isinstance(inner, ast.Assert | ast.Try)
        or (isinstance(inner, ast.Name) and inner.id in names)
        or (isinstance(inner, ast.Attribute) and inner.attr in names)
        for inner in ast.walk(node)
    )


def test_every_test_checks_something() -> None:
    every = [(path, node) for path in modules("tests") for node in all_functions(path)]
    names = {"raises", "suppress", "warns"}
    while more := {node.name for _, node in every if checks(node, names)} - names:
        names |= more
    idle = [
        f"{path}::{node.name}"
        for path, node in every
        if node.name.startswith("test_") and not checks(node, names)
    ]
    assert not idle


@rows("path", modules(*PACKAGES), ids=str)
def test_no_except_star_clause_raises(path: Path) -> None:
    """Python before 3.11.4 wraps what such a clause raises in another group."""
    clauses = (node for node in ast.walk(tree(path)) if isinstance(node, ast.TryStar))
    raises = [
        inner.lineno
        for node in clauses
        for clause in node.handlers
        for inner in ast.walk(clause)
        if isinstance(inner, ast.Raise)
    ]
    assert raises == []
