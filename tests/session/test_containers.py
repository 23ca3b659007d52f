"""Sessions in containers, with a stand-in for docker."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from psremoting import ContainerTarget, PSSession
from psremoting.errors import InvalidContainerId, ProgramNotFound
from psremoting.options import SessionOption
from psremoting.targets import carrier_for, parse_target
from tests.recordings import ROOT
from tests.shell.terminal import piped

SERVE = (
    "import sys; sys.argv[1:] = ['serve', '--stdio']; from psremoting.cli.entry import main; main()"
)


def stand_in(folder: Path, name: str = "docker") -> Path:
    """Write a program that records its arguments in a file and runs the endpoint of this
    package."""
    program = folder / name
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {folder}/arguments\n"
        'case "$*" in *gone*) echo "Error: No such container: gone" >&2; exit 1;; esac\n'
        f"cd {ROOT} && exec {sys.executable} -c {shlex.quote(SERVE)}\n"
    )
    program.chmod(0o755)
    return program


async def test_a_container_is_entered_by_its_program(tmp_path: Path) -> None:
    program = stand_in(tmp_path)
    target = ContainerTarget(container_id="web", program=str(program), run_as_administrator=True)
    async with PSSession.connect(target) as session:
        assert session.transport == "Container"
        assert session.computer == "web"
        assert (await session.run("Get-Command", check=True)).output
    assert (tmp_path / "arguments").read_text().split() == [
        "exec", "-i", "--user", "0", "web", "pwsh", "-NoLogo", "-NoProfile", "-s",
    ]  # fmt: skip


async def test_the_first_program_that_is_installed_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramNotFound, match="docker or podman or nerdctl"):
        carrier_for("container:web", SessionOption())
    stand_in(tmp_path, "nerdctl")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), "/usr/bin", "/bin"]))
    async with PSSession.connect(parse_target("container:web")) as session:
        assert session.state == "Opened"


async def test_a_container_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    target = ContainerTarget(container_id="gone", program=str(stand_in(tmp_path)))
    with pytest.raises(InvalidContainerId, match="The input ContainerId gone does not exist") as e:
        async with PSSession.connect(target):
            raise AssertionError("it must not open")
    assert "No such container: gone" in str(e.value)
    assert e.value.error_id == "InvalidContainerId"


@pytest.mark.parametrize("name", ["-rm", "a b", 'x"; evil', ""])
def test_a_name_that_is_no_container_is_refused(name: str) -> None:
    with pytest.raises(InvalidContainerId):
        carrier_for(ContainerTarget(container_id=name, program="true"), SessionOption())


def test_the_program_enters_a_container(tmp_path: Path) -> None:
    done = piped(
        tmp_path, "container:web", "--container-program", str(stand_in(tmp_path)), text="exit\n"
    )
    assert done.returncode == 0, done.stderr
