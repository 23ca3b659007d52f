"""The allowed imports between packages. CONTRIBUTING.md gives the reasons.

Every import statement is checked, including those in functions and those for type checkers only.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT, modules, tree
from tests.rows import rows

PURE_MODULES = """
    __future__ abc array base64 binascii bisect codecs collections contextlib copy dataclasses
    datetime decimal enum fractions functools hashlib heapq hmac html importlib inspect io ipaddress
    itertools json keyword math numbers operator re reprlib string struct sys textwrap types
    typing unicodedata urllib.parse uuid weakref xml zlib
"""
#: The standard library without I/O, clock, randomness, threads and logging.
PURE = set(PURE_MODULES.split())
ANY_STDLIB = set(sys.stdlib_module_names)

LAYERS = {
    "psrp": PURE | {"psrp", "lxml", "cryptography", "pybase64"},
    "wsman": PURE
    | {"wsman", "psrp.frozen", "psrp.sansio", "lxml", "pybase64", "spnego", "h11"}
    | {"cryptography"},
    "sshsub": PURE | {"sshsub", "psrp.frozen", "psrp.sansio", "pybase64"},
    "psremoting": ANY_STDLIB
    | {"psremoting", "psrp", "wsman", "sshsub", "trio", "cryptography", "lxml", "spnego", "h11"}
    | {"click", "evtx", "prompt_toolkit", "yaml"},
}
#: Additional modules that single files may use.
TRIO = ANY_STDLIB | {"trio"}
#: These are the process's own descriptors, not a transport.
DESCRIPTORS = {"sshsub/descriptors.py": {"os"}}
STRATEGIES = {"hypothesis", "psrp.strategies"}

#: Calls that read time, randomness, a file, a terminal or code.
WORLDLY_METHODS = {"uuid1", "uuid4", "getnode", "now", "utcnow", "today", "fromtimestamp"}
WORLDLY_NAMES = WORLDLY_METHODS | {"open", "input", "print", "exec", "eval", "__import__"}


#: Generates the ``__init__`` of a data class, as the standard library does.
COMPILES = {("psrp/frozen.py", "exec")}


def allowed(path: Path) -> set[str]:
    package = path.parts[0]
    names = LAYERS[package] | DESCRIPTORS.get(str(path), set())
    if "strategies" in path.with_suffix("").parts:
        names = names | STRATEGIES
    if path.name.startswith("trio_") and package in {"wsman", "sshsub"}:
        names = names | TRIO
    return names


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Return line and full name of every import of a file; a relative import begins with a dot."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def covered(name: str, names: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in names for count in range(1, len(parts) + 1))


@rows("path", modules(*PACKAGES), ids=str)
def test_every_import_stays_in_its_layer(path: Path) -> None:
    strangers = [f"{path}:{line} {name}" for line, name in imports(path) if name.startswith(".")]
    names = allowed(path)
    strangers += [
        f"{path}:{line} {name}" for line, name in imports(path) if not covered(name, names)
    ]
    assert not strangers


@rows("path", modules("psrp", "wsman", "sshsub"), ids=str)
def test_a_machine_never_asks_the_world(path: Path) -> None:
    if path.name.startswith("trio_"):
        return
    found = [
        f"{path}:{node.lineno} {ast.unparse(node.func)}()"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in WORLDLY_NAMES)
            or (isinstance(node.func, ast.Attribute) and node.func.attr in WORLDLY_METHODS)
        )
        and (str(path), ast.unparse(node.func)) not in COMPILES
    ]
    assert not found


@rows("path", modules("tests", "bench"), ids=str)
def test_tests_and_bench_import_absolutely(path: Path) -> None:
    assert not [f"{path}:{line}" for line, name in imports(path) if name.startswith(".")]


def _imported() -> dict[str, set[str]]:
    """Return the modules of the packages, each with those that it imports, lazily or not."""
    paths = {module_name(path): path for path in modules(*PACKAGES)}
    return {
        module: {name if name in paths else name.rpartition(".")[0] for _, name in imports(path)}
        & paths.keys()
        for module, path in paths.items()
    }


def module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def test_no_modules_import_each_other_in_a_circle() -> None:
    left = _imported()
    while free := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in free}
    assert not left


HEAVY = (
    "cryptography",
    "pybase64",
    "trio",
    "h11",
    "hypothesis",
    "spnego",
    "wsman",
    "sshsub",
    "psremoting",
)
LIGHT = ("import psrp", "import psrp, psrp.clixml, psrp.fragments, psrp.pool, psrp.messages")


@pytest.mark.parametrize("statement", LIGHT)
def test_importing_the_core_pulls_in_nothing_heavy(statement: str) -> None:
    script = f"{statement}; import sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert not set(HEAVY) & set(loaded)
    assert "psrp" in loaded
