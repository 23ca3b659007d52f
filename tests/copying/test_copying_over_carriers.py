"""Copies with our endpoint in a process of its own: over WS-Man, and by the program `psrp`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from psremoting import SessionOption
from psremoting.copying import CopyOptions, copy_from, copy_to, files_of
from psremoting.session import PSSession
from psremoting.wsman_target import WSManTarget
from psrp.clixml import Credential
from tests.console.places import prompt
from tests.endpoint.served_wsman import PASSWORD, ROOT, USER, Endpoint, serving

_FUNCTIONS = "tests.copying.folder_from_environment:commands"
_TIME = 1_600_000_000_123_456_700


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory, served: Path) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("endpoint")
    with serving(
        folder, "--functions", _FUNCTIONS, environment={"COPY_FOLDER": str(served)}
    ) as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "sub").mkdir(parents=True)
    for name, size in (("empty", 0), ("sub/big", (3 << 20) + 5)):
        (root / name).write_bytes(os.urandom(size))
        os.utime(root / name, ns=(_TIME, _TIME))
    return root


def _contents(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("tls", [False, True])
async def test_a_tree_goes_over_wsman_and_back(
    tls: bool, endpoint: Endpoint, served: Path, source: Path, tmp_path: Path
) -> None:
    target = WSManTarget(
        computer_name="127.0.0.1",
        port=endpoint.https if tls else endpoint.http,
        use_ssl=tls,
        credential=Credential(USER, PASSWORD),
        authentication="basic" if tls else "negotiate",
    )
    options = CopyOptions(recurse=True, force=True)
    sessions = SessionOption(skip_ca_check=True, skip_cn_check=True)
    async with PSSession.connect(target, options=sessions) as session:
        files = await files_of(session)
        await copy_to(files, [source], f"User:/{tls}", options)
        await copy_from(files, [f"User:/{tls}"], tmp_path, options)
    assert _contents(served / str(tls)) == _contents(tmp_path / str(tls)) == _contents(source)


def _target(served: Path) -> str:
    start = "from psremoting.cli.entry import main; main()"
    words = [sys.executable, "-c", start, "serve", "--stdio", "--copy-folder", str(served)]
    return f"process:{shlex.join(words)}"


def _psrp(*words: str) -> subprocess.CompletedProcess[str]:
    start = "from psremoting.cli.entry import main; main()"
    return subprocess.run(
        [sys.executable, "-c", start, *words],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip


def test_the_program_copies_there_and_back(served: Path, source: Path, tmp_path: Path) -> None:
    target = _target(served)
    to = _psrp("copy", "-r", "--progress", "--to", target, str(source), "User:/program")
    assert (to.returncode, to.stdout) == (0, "")
    assert "Copying big" in to.stderr
    back = _psrp("copy", "-r", "--from", target, "User:/program", str(tmp_path / "back"))
    assert (back.returncode, back.stdout, back.stderr) == (0, "", "")
    assert _contents(served / "program") == _contents(tmp_path / "back") == _contents(source)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--to", "TARGET", "/none", "User:/x"], 1, "cannot read /none"),
        (["--from", "TARGET", "User:/none", "x"], 1, "Cannot find path 'User:/none'"),
        (["--from", "TARGET", "User:/../etc/passwd", "x"], 1, "is not a path within the folder"),
        (["--to", "TARGET", "tests", "User:/x"], 1, "tests is a directory (not copied; use -r)"),
        (["--to", "local", "pyproject.toml", "x"], 1, "The endpoint offers no folder for files."),
        (["--to", "process:/none", "pyproject.toml", "x"], 3, "/none"),
        (["--to", "unix:/none/socket", "pyproject.toml", "x"], 3, "/none/socket"),
        (["a", "b"], 2, "neither source nor destination is TARGET:PATH"),
        (["h:a", "h:b"], 2, "both at a target"),
        (["h:a", "g:b", "c"], 2, "all sources at one target"),
        (["h:a", "b", "c"], 2, "all sources at one target"),
        (["a"], 2, "expected a source and a destination"),
        (["--to", "x", "--from", "y", "a", "b"], 2, "mutually exclusive"),
    ],
)
def test_what_cannot_be_copied_is_one_error(
    words: list[str], code: int, text: str, served: Path
) -> None:
    ran = _psrp("copy", *(_target(served) if each == "TARGET" else each for each in words))
    assert ran.returncode == code, ran.stderr
    assert text in ran.stderr


def test_errors_of_this_side_name_no_computer(served: Path, tmp_path: Path) -> None:
    target = _target(served)
    (tmp_path / "sub").mkdir()
    os.mkfifo(tmp_path / "sub" / "fifo")
    words = ("--to", target)
    here = _psrp("copy", *words, "/none", "User:/x")
    assert "PSComputerName" not in here.stderr
    assert "cannot read /none" in here.stderr
    there = _psrp("copy", *words, "pyproject.toml", "User:/../x")
    assert "PSComputerName" in there.stderr
    skipped = _psrp("copy", "-r", "--to", target, str(tmp_path / "sub"), "User:/skipped")
    text = f"WARNING: {tmp_path}/sub/fifo is left out: it is no regular file.\n"
    assert (skipped.returncode, skipped.stderr) == (0, text)


async def test_copy_item_of_the_local_prompt(served: Path, source: Path, tmp_path: Path) -> None:
    async with prompt(PSSession.connect) as run:
        await run(f"$s = New-PSSession -Target {_quoted(_target(served))}")
        await run(f"Copy-Item {source} -Destination User:/prompt -ToSession $s -Recurse")
        await run(f"Copy-Item User:/prompt -Destination {tmp_path} -FromSession $s -Recurse")
        assert run.error_ids() == []
        assert _contents(served / "prompt") == _contents(tmp_path / "prompt") == _contents(source)
        assert run.place.records[-1].percent_complete == 100
        assert await run(f"Copy-Item {source} -Destination User:/w -ToSession $s -WhatIf") == (
            'What if: Performing the operation "Copy File" on target '
            f'"Item: {source} Destination: User:/w".'
        )
        assert not (served / "w").exists()
        for line in (
            "Copy-Item /none -Destination User:/x -ToSession $s",
            f"Copy-Item {source}/empty -Destination User:/prompt2/x/y -ToSession $s",
            f"Copy-Item {source} -ToSession $s",
            f"Copy-Item {source} -Destination x -ToSession $s -FromSession $s",
            f"Copy-Item {source} -Destination x",
            "Copy-Item 'User:/none' -Destination x -FromSession $s",
        ):
            await run(line)
        names = [each.partition(",")[0] for each in run.error_ids()]
    assert names == [
        "PathNotFound", "RemotePathNotFound",
        "CopyItemRemoteDestinationIsNullOrEmpty", "InvalidInput", "InvalidInput",
        "RemotePathNotFound",
    ]  # fmt: skip


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
