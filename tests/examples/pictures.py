"""Draw the pictures of the README from the running program: `make pictures`.

    python -m tests.examples.pictures FOLDER

`entered.svg` is the screen of an entered session, `timeline.svg` a decoded capture of packets.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.recordings import ROOT
from tests.shell.terminal import PROMPT, Terminal, entered

PSRP = Path(sys.executable).with_name("psrp")
RECORDING = "fixtures/pcap-kerberos/session.pcapng"
PASSWORD = "abc123!D@t3M1k3"
COLUMNS, LINES = 96, 30
SHOWN = 24
"""Number of timeline rows in the picture."""
COLORS = {"brown": "yellow", "brightbrown": "bright_yellow", "brightblack": "bright_black"}


def main(folder: str) -> None:
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    _write(target / "entered.svg", _entered(), "psrp enter")
    _write(target / "timeline.svg", _timeline(), "psrp decode")


def _entered() -> list[Text]:
    with tempfile.TemporaryDirectory() as state:
        command = [str(PSRP), "enter"]
        with entered(Path(state), columns=COLUMNS, lines=LINES, command=command) as terminal:
            terminal.see_prompt()
            for line in ("Get-Endpoint", '"one", "two" | ConvertTo-Upper', "Show-Streams"):
                _type(terminal, line)
                terminal.see_prompt()
            _type(terminal, "Show-Greeting")
            terminal.see("Your name:")
            terminal.enter("Anna")
            terminal.see_prompt()
            return _screen(terminal.screen)


def _type(terminal: Terminal, line: str) -> None:
    terminal.enter(line)
    terminal.see(f"{PROMPT[:-1]}> {line.split()[0]}".replace("[", r"\[").replace("|", r"\|"))
    terminal.wait()


def _screen(screen: pyte.Screen) -> list[Text]:
    lines = []
    for row in range(screen.lines):
        text = Text()
        for column in range(screen.columns):
            cell = screen.buffer[row][column]
            color = None if cell.fg == "default" else _color(cell.fg)
            text.append(cell.data, Style(color=color, bold=cell.bold, reverse=cell.reverse))
        text.rstrip()
        lines.append(text)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def _color(name: str) -> str:
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    return COLORS.get(name, name.replace("bright", "bright_") if "bright" in name else name)


def _timeline() -> list[Text]:
    printed = subprocess.run(
        [str(PSRP), "decode", "--color", "always", "--password", PASSWORD, RECORDING],
        capture_output=True, text=True, cwd=ROOT, check=True, timeout=60,
    ).stdout  # fmt: skip
    *rows, summary = printed.splitlines()
    lines = [Text.from_ansi(row) for row in [*rows[:SHOWN], "     …", summary]]
    for line in lines:
        line.truncate(COLUMNS + 24, overflow="ellipsis")
    return lines


def _write(path: Path, lines: list[Text], title: str) -> None:
    width = max(line.cell_len for line in lines) + 1
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(line, no_wrap=True, soft_wrap=True)
    svg = console.export_svg(title=title, unique_id=path.stem)
    # Use the fonts of the page: a picture must not load external files.
    kept, skip = [], False
    for row in svg.splitlines():
        skip = skip or row.strip().startswith("@font-face")
        if not skip:
            kept.append(row.rstrip())
        if skip and row.strip() == "}":
            skip = False
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
