"""A recording as one HTML page without outside resources.

The page holds the lines as JSON, and a script that shows them: only visible rows are made, so that
100,000 messages stay usable. Text of a peer never becomes markup: in the file it is JSON without
``<``, ``>`` and ``&``, and the script only sets text. A Content-Security-Policy forbids everything
else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from typing import TYPE_CHECKING, Any

from psremoting.capture.html_parts import SCRIPT, STYLE
from psremoting.capture.jsonlines import body
from psremoting.capture.summaries import summary
from psremoting.powershell.sanitizer import displayable, visible
from psrp import events as e
from psrp.enums import ConsoleColor
from psrp.host_methods import HostMethodId

if TYPE_CHECKING:
    from pathlib import Path

    from psremoting.capture.entries import Entry

__all__ = ["HtmlPage"]

_MAX_BODY = 20_000
"""Maximum characters of the body of one line, as JSON."""
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028",
                          "\u2029": "\\u2029"})  # fmt: skip
_PREFIXES = {
    "WriteErrorLine": ("", 12), "WriteWarningLine": ("WARNING: ", 14),
    "WriteVerboseLine": ("VERBOSE: ", 14), "WriteDebugLine": ("DEBUG: ", 14),
}  # fmt: skip
_DEFAULT = 7
_COLOUR = re.compile("\x1b\\[([0-9;]*)m")
_CONSOLE = {
    code: number
    for number, (dark, bright) in enumerate(
        ((30, 90), (34, 94), (32, 92), (36, 96), (31, 91), (35, 95), (33, 93), (37, 97))
    )
    for code, number in ((dark, number), (bright, number + 8))
}
"""The colour codes of terminals to ConsoleColor."""


class HtmlPage:
    """Collector of the lines of a page."""

    def __init__(self, title: str, *, reveal: bool = False) -> None:
        self._title = title
        self._reveal = reveal
        self._rows: list[str] = []
        self._lanes: dict[tuple[int, str], int] = {}
        self._names: list[str] = []
        self._file = 0

    def begin(self) -> None:
        """Begin another recording; its pipelines have lanes of their own."""
        self._file += 1

    def add(self, entry: Entry) -> None:
        """Add a line. The last one of a recording is its summary."""
        time = entry.carrier.get("time")
        row: list[Any] = [
            entry.n,
            round(time, 6) if isinstance(time, int | float) else None,
            entry.direction.value[0] if entry.direction is not None else "",
            self._lane(entry),
            visible(entry.type),
            summary(entry, reveal=self._reveal) if entry.type != "summary" else "",
            int(entry.plumbing),
            self._body(entry),
            _screen(entry, self._reveal),
        ]
        self._rows.append(json.dumps(row, separators=(",", ":")).translate(_ESCAPES))

    def _lane(self, entry: Entry) -> int:
        found = entry.target or entry.pid
        key = self._file, str(found) if found is not None else ""
        number = self._lanes.get(key)
        if number is None:
            number = self._lanes[key] = len(self._names)
            self._names.append(str(found)[:8] if found is not None else "pool")
        return number

    def _body(self, entry: Entry) -> Any:
        found = body(entry, reveal=self._reveal)
        if found is None:
            return None
        text = json.dumps(found)
        if len(text) > _MAX_BODY:
            return {"cut": f"{len(text)} characters", "begin": text[:_MAX_BODY]}
        return found

    def write(self, path: Path) -> None:
        """Write the page. Raises OSError."""
        lanes = json.dumps(self._names).translate(_ESCAPES)
        policy = f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}"
        title = html.escape(visible(self._title))
        with path.open("w", encoding="utf-8") as file:
            file.write(
                '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
                f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
                f"<title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n"
                f"{_FRAME.format(title=title)}\n"
                '<script type="application/json" id="data">{"lanes":'
            )
            file.write(f'{lanes},"rows":[\n')
            for number, row in enumerate(self._rows):
                file.write(f"{',' if number else ''}{row}\n")
            file.write(f"]}}</script>\n<script>{SCRIPT}</script>\n</body></html>\n")


_FRAME = """<header><h1>{title}</h1>
<input id="search" type="search" placeholder="Search in all values" aria-label="Search">
<select id="lane" aria-label="Pipeline"><option value="">all pipelines</option></select>
<select id="sender" aria-label="Sender"><option value="">both sides</option>
<option value="c">client</option><option value="s">server</option></select>
<select id="type" aria-label="Type"><option value="">all types</option></select>
<label><input id="plumbing" type="checkbox"> acknowledgements</label>
<span id="count"></span></header>
<div id="lanes"><canvas id="chart"></canvas><div id="lane-space"></div></div>
<main><div id="list" tabindex="0"><div id="space"></div><div id="rows"></div></div>
<aside><nav><button id="show-body" class="on">Body</button><button id="show-screen">Screen</button>
</nav><div id="detail">Click a line.</div><pre id="screen" hidden></pre></aside></main>"""


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _screen(entry: Entry, reveal: bool) -> list[list[Any]] | None:
    """Return what a host call writes on the screen: lists of text, foreground, background."""
    event = entry.event
    if isinstance(event, e.PipelineHostCall | e.RunspacePoolHostCall):
        return _written(event.method, list(event.arguments), summary(entry, reveal=reveal))
    if isinstance(event, e.PipelineHostResponse | e.RunspacePoolHostResponse):
        if event.error is not None or event.result is None:
            return None
        answer = summary(entry, reveal=reveal).partition(" -> ")[2].rpartition("  call ")[0]
        return [[f"{answer}\n", 11, 0]]
    return None


def _written(method: int, arguments: list[Any], text: str) -> list[list[Any]] | None:
    try:
        name = HostMethodId(method).name
    except ValueError:
        return None
    if name in _PREFIXES:
        prefix, colour = _PREFIXES[name]
        return _painted(f"{prefix}{_text(arguments)}\n", colour, 0)
    if name.startswith("Write") and name != "WriteProgress":
        line_end = "\n" if name.startswith("WriteLine") else ""
        colours = [int(each) for each in arguments if isinstance(each, ConsoleColor | int)]
        fore, back = colours[:2] if len(colours) >= 2 else (_DEFAULT, 0)
        return _painted(f"{_text(arguments)}{line_end}", fore if fore >= 0 else _DEFAULT, back)
    if name.startswith(("Prompt", "Read")):
        return [[f"{text.rpartition('  call ')[0]}\n", 8, 0]]
    return None


def _painted(text: str, fore: int, back: int) -> list[list[Any]]:
    """Return text with colour sequences as parts; all other terminal controls are left out."""
    parts: list[list[Any]] = []
    colour, at = fore, 0
    text = displayable(text, colours=True)
    for found in (*_COLOUR.finditer(text), None):
        end = found.start() if found is not None else len(text)
        if end > at:
            parts.append([text[at:end], colour, max(back, 0)])
        if found is not None:
            at = found.end()
            for code in map(int, filter(None, found[1].split(";") or ["0"])):
                colour = fore if code in (0, 39) else _CONSOLE.get(code, colour)
    return parts


def _text(arguments: list[Any]) -> str:
    return next((str(each) for each in reversed(arguments) if isinstance(each, str)), "")
