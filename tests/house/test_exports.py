"""The names that `psremoting` exports, which are loaded on first use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import psremoting
from tests.house.source import ROOT, tree

FACE = Path("psremoting/__init__.py")


def test_every_name_is_there_and_is_the_one_of_its_module() -> None:
    for name in psremoting.__all__:
        found = getattr(psremoting, name)
        assert getattr(found, "__name__", name).rpartition(".")[2] in (name, "Union", "UnionType")


def test_what_type_checkers_see_is_what_is_loaded() -> None:
    (block,) = (node for node in tree(FACE).body if isinstance(node, ast.If) and not node.orelse
                and isinstance(node.test, ast.Name))  # fmt: skip
    seen = {
        (node.module, name.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    loaded = {(module, name) for name, module in psremoting._WHERE.items()}
    assert seen == loaded | {("psremoting", name) for name in psremoting._MODULES}
    assert {name for _, name in seen} | {"__version__"} == set(psremoting.__all__)


def test_the_names_are_listed_before_they_are_loaded() -> None:
    assert set(psremoting.__all__) <= set(dir(psremoting))


def test_an_unknown_name_is_an_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="no attribute 'PSSesion'"):
        psremoting.__getattr__("PSSesion")


def test_importing_the_package_loads_nothing_but_its_version() -> None:
    script = "import sys; before = set(sys.modules); import psremoting; \
print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {script}"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert set(loaded) <= {"__future__", "psremoting", "psremoting.version"}
