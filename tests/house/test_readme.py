"""The documentation pages are correct: code runs, commands print the shown output, links resolve.

In a `console` block every `$ psrp ...` line is run and must print the lines below it, where a line
`...` matches any lines. Text after a prompt or a question is typed. `$ make ...` lines must name
a target. Other commands are not run. All `python` blocks of one page run in order, in one
namespace; blocks marked `# from the example` are compared with that file by a separate test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT, pages

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: A prompt or a question, followed by typed text.
TYPED = re.compile(r"^(?:\[[\w.]+\]: PS> |[^:]*\(default is \"\w\"\): |Your name: )(.+)$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BIN = Path(sys.executable).parent


def blocks(page: Path, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [body for name, body in FENCE.findall(text) if name == language]
    return [body for body in found if not body.startswith("# from the example\n")]


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Return each command of the console blocks with its expected lines."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line.rstrip())
    return found


def fits(expected: list[str], printed: list[str]) -> bool:
    """Return whether the lines are equal, where `...` in ``expected`` matches any lines."""
    pattern = "".join(r"(?:.*\n)*" if x == "..." else re.escape(x) + r"\n" for x in expected)
    return re.fullmatch(pattern, "".join(f"{x.rstrip()}\n" for x in printed)) is not None


RUNNABLE = [
    pytest.param(command, expected, id=f"{page}: {command}")
    for page in pages()
    for command, expected in commands(page)
    if command.startswith("psrp ")
]


@pytest.mark.parametrize("page", [page for page in pages() if blocks(page, "python")], ids=str)
def test_the_python_of_a_page_runs(page: Path) -> None:
    namespace: dict[str, object] = {"__name__": "page"}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), namespace)
    assert len(namespace) > 2


@pytest.mark.parametrize(("command", "expected"), RUNNABLE)
def test_a_command_of_a_page_prints_what_the_page_shows(
    command: str, expected: list[str], tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT,
        env=environment,
        input="".join(f"{typed[1]}\n" for line in expected if (typed := TYPED.match(line))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert fits(expected, done.stdout.splitlines()), done.stdout


def test_the_readme_shows_what_is_promised() -> None:
    shown = [command for command, _ in commands(Path("README.md"))]
    assert {"make demo", "make test"} <= set(shown)
    assert any(command.startswith("psrp decode fixtures/") for command in shown)
    assert next(command for command in shown if command.startswith("psrp ")) == "psrp enter"
    assert blocks(Path("README.md"), "python")


def test_a_make_command_of_a_page_is_a_target() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = [command for page in pages() for command, _ in commands(page)]
    used = {command.split()[1] for command in shown if command.startswith("make ")}
    assert used
    assert used <= targets


@pytest.mark.parametrize("page", pages(), ids=str)
def test_a_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall((ROOT / page).read_text("utf-8")) if "://" not in link]
    places = [(ROOT / page).parent / link.split("#")[0] for link in links]
    assert not [str(place) for place in places if not place.exists()]


def test_the_changelog_says_what_is_not_released() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## Unreleased\n\n- \w", text, re.MULTILINE)
