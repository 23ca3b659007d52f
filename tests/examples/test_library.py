"""The examples of the library run, and the README shows them unchanged."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from psremoting import PSSession, sync
from tests.examples.from_asyncio import in_trio
from tests.house.source import ROOT

HERE = Path(__file__).parent
PAGES = {"tools.py": ROOT / "README.md", "from_asyncio.py": ROOT / "spec-notes" / "asyncio.md"}
#: The path of the installed psrp program.
PSRP = f"{sys.executable} -c 'from psremoting.cli.main import main; main()'"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_an_example_as_it_is(name: str) -> None:
    page = PAGES[name].read_text("utf-8")
    (_, block) = page.split("```python\n# from the example\n")
    assert block.partition("```")[0].strip() in (HERE / name).read_text("utf-8")
    assert f"tests/examples/{name}" in page


def test_sessions_in_a_program_of_asyncio() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(HERE / "from_asyncio.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[1, 2, 3]\n[1, 2, 3]\n", "")


def test_a_cancelled_task_of_asyncio_cancels_the_guest() -> None:
    told: list[str] = []

    async def forever() -> None:
        async with PSSession.connect("local") as session:
            told.append("opened")
            opened.set()
            try:
                await session.run("Start-Countdown 1000")
            except trio.Cancelled:
                told.append("cancelled")
                raise

    async def main() -> None:
        task = asyncio.create_task(in_trio(forever))
        await opened.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    opened = asyncio.Event()
    asyncio.run(main())
    assert told == ["opened", "cancelled"]


def test_an_error_of_the_guest_reaches_asyncio() -> None:
    async def wrong() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(in_trio(wrong))


def test_the_commands_of_the_module_are_offered() -> None:
    target = f"process:{PSRP} serve --stdio --functions tests.examples.tools:commands"
    with sync.connect(target) as session:
        assert session.run("Restart-Service web -Force").output == ["web has been restarted"]
        (load,) = session.run("Get-Load -Minutes 15").output
        assert load >= 0
