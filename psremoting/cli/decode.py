"""`psrp decode`: recorded traffic as a readable timeline."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import click

from psremoting.capture.decoding import decode as decode_recording
from psremoting.capture.decoding import summary_data
from psremoting.capture.detect import Form
from psremoting.capture.entries import Counts, Entry
from psremoting.capture.jsonlines import line as json_line
from psremoting.capture.key_ring import KeyRing
from psremoting.capture.source import CaptureError
from psremoting.capture.timeline import Filter, Timeline, summary_text
from psremoting.cli.shell_completion import complete_file

__all__ = ["decode"]

_EPILOG = """
\b
Examples:
  psrp decode session.jsonl
  psrp decode -v --type PIPELINE_HOST_CALL --type PIPELINE_HOST_RESPONSE session.jsonl
  psrp decode --pipeline 50a1e2f3 exchange.yml
  psrp decode --rsa-key client.pem exchange.yml
  psrp decode --json *.yml | jq 'select(.type == "ERROR_RECORD")'
  xxd -p fragments.bin | psrp decode --format hex -

\b
Exit codes:
  0  everything was read
  1  read, but some lines are errors: the recorded bytes break a rule
  2  a file cannot be read, or only up to a point; the reason is on standard error
"""


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_file)
@click.option(
    "--format", "form", type=click.Choice([form.value for form in Form]),
    help="Take the files as this form instead of looking at what stands in them.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with everything.")
@click.option("-v", "--verbose", is_flag=True, help="Show the decoded bodies as well.")
@click.option(
    "-a", "--all", "plumbing", is_flag=True,
    help="Show acknowledgements, polls and authentication legs too (--json always does).",
)  # fmt: skip
@click.option(
    "--type", "types", multiple=True, metavar="NAME",
    help="Only this type of line: CREATE_PIPELINE, 'wsman:*', error. May be given again.",
)  # fmt: skip
@click.option(
    "--pipeline", "pipelines", multiple=True, metavar="ID",
    help="Only this pipeline (the first digits of its id are enough), or 'pool'.",
)  # fmt: skip
@click.option(
    "--stream", "streams", multiple=True, type=click.Choice(["default", "prompt_response"]),
    help="Only this stream.",
)  # fmt: skip
@click.option(
    "--rsa-key", "keys", multiple=True, metavar="PEM", shell_complete=complete_file,
    help="Open session keys with this private key of the client, and show what they sealed.",
)  # fmt: skip
@click.option(
    "--show-secrets", is_flag=True,
    help="Show secure strings that travelled unsealed (protocol 2.4) or lie in documents.",
)  # fmt: skip
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto",
    help="Colour: by default on a terminal, unless NO_COLOR is set.",
)  # fmt: skip
@click.pass_context
def decode(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    form: str | None,
    as_json: bool,
    keys: tuple[str, ...],
    color: str,
    show_secrets: bool,
    verbose: bool,
    plumbing: bool,
    **filters: tuple[str, ...],
) -> None:
    """Show recorded PowerShell remoting traffic, one line a message.

    A FILE holds recorded WS-Man exchanges (YAML, or JSON lines with the envelopes in the
    clear), an out-of-process transcript (JSON lines of timed chunks, or the packets as text
    lines), PSRP fragments (binary, hex or base64), or CLIXML. Which one is seen from what
    stands in it. "-" is standard input.

    Each line has its number, the time where it is known, an arrow (to the server or to the
    client), the pipeline or the pool, the type, and what it says. What cannot be read is a
    line of type "error" that says where and why, and the lines after it go on. The last line
    counts messages, fragments, bytes, errors, and bytes not accounted for.

    Secure strings are shown as their length unless --rsa-key or --show-secrets asks for them.
    """
    _prepare(ctx, color)
    show = _Show(
        wanted=Filter(**filters),
        as_json=as_json,
        verbose=verbose,
        plumbing=plumbing,
        reveal=show_secrets or bool(keys),
    )
    ctx.exit(_decode_all(files, Form(form) if form else None, keys, show))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Show:
    """What the user wants to see, and how."""

    wanted: Filter
    as_json: bool
    verbose: bool
    plumbing: bool
    reveal: bool

    def timeline(self) -> Timeline:
        return Timeline(
            verbose=self.verbose,
            plumbing=self.plumbing,
            reveal=self.reveal,
            unicode=_speaks_unicode(),
        )

    def entry(self, entry: Entry, timeline: Timeline) -> None:
        if entry.type != "summary" and not self.wanted.passes(entry):
            return
        if self.as_json:
            click.echo(json_line(entry, reveal=self.reveal))
        elif entry.type == "summary":
            click.echo(summary_text(entry.data, timeline.hidden))
        else:
            for text in timeline.lines(entry):
                click.echo(text)

    def total(self, counts: Counts, files: int, unreadable: int) -> None:
        data = summary_data(f"{files} files", counts)
        if self.as_json:
            data |= {"files": files, "unreadable": unreadable}
            click.echo(json_line(Entry(type="summary", data=data)))
        else:
            click.echo(summary_text(data))


def _decode_all(
    files: tuple[str, ...], form: Form | None, keys: tuple[str, ...], show: _Show
) -> int:
    """Decode each file on its own; the exit code."""
    total, unreadable = Counts(), 0
    try:
        ring = KeyRing.load(keys)
    except CaptureError as error:
        click.echo(f"psrp decode: {error}", err=True)
        return 2
    for file in files:
        timeline = show.timeline()
        if len(files) > 1 and not show.as_json:
            click.echo(click.style(f"== {file}", bold=True))
        try:
            for entry in decode_recording(file, form, ring):
                if entry.type == "summary":
                    _count(total, entry.data)
                show.entry(entry, timeline)
        except CaptureError as error:
            unreadable += 1
            click.echo(f"psrp decode: {error}", err=True)
    if len(files) > 1:
        show.total(total, len(files), unreadable)
    return 2 if unreadable else 1 if total.errors else 0


def _count(total: Counts, data: dict[str, Any]) -> None:
    for name in Counts.__slots__:
        if name in data:
            setattr(total, name, getattr(total, name) + data[name])
    total.accounted += data["bytes"] - data["unaccounted"]


def _prepare(ctx: click.Context, color: str) -> None:
    if color != "auto":
        ctx.color = color == "always"
    elif os.environ.get("NO_COLOR"):
        ctx.color = False
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _speaks_unicode() -> bool:
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    return encoding.lower().replace("-", "") in ("utf8", "utf16", "utf32")
