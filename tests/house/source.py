"""The project's files, for the house tests."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("psrp", "wsman", "sshsub", "psremoting")


def modules(*tops: str) -> list[Path]:
    """Return every Python file below these top-level folders, as paths from the root."""
    found = (path.relative_to(ROOT) for top in tops for path in (ROOT / top).rglob("*.py"))
    return sorted(path for path in found if "__pycache__" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file, which is kept out of garbage collection: a tree has many
    objects, and all of them live until the end."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@cache
def all_functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions and methods of one file, nested ones included."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree(path)) if isinstance(node, kinds)]


def named_tests() -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return every test by its pytest name: `tests/psrp/test_pool.py::test_x`, with its class if
    any."""
    return {
        "::".join((path.as_posix(), *names)): node
        for path in modules("tests")
        for names, node in _top_functions(tree(path).body)
        if node.name.startswith("test_")
    }


def _top_functions(
    body: list[ast.stmt], outer: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (*outer, node.name), node
        elif isinstance(node, ast.ClassDef):
            yield from _top_functions(node.body, (*outer, node.name))


def pages() -> list[Path]:
    """Return the documentation pages, as paths from the root."""
    texts = (
        *ROOT.glob("*.md"),
        *(ROOT / "spec-notes").glob("*.md"),
        *(ROOT / "bench").glob("*.md"),
    )
    return sorted(path.relative_to(ROOT) for path in texts)
