"""`psrp decode`: show recorded traffic as a readable timeline."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from psremoting.capture.decoding import decode as decode_recording
from psremoting.capture.decoding import summary_data
from psremoting.capture.detect import Form
from psremoting.capture.entries import Counts, Entry
from psremoting.capture.key_ring import KeyRing
from psremoting.capture.merging import has_events, merged
from psremoting.capture.source import CaptureError
from psremoting.cli.decode_keys import key_options, keys_of
from psremoting.cli.decode_view import View, view_of, view_options
from psremoting.cli.shell_completion import complete_file

if TYPE_CHECKING:
    from psremoting.capture.network.secrets import PacketSecrets

__all__ = ["decode"]

_EPILOG = """
\b
Examples:
  psrp decode session.jsonl
  psrp decode -v --type PIPELINE_HOST_CALL --type PIPELINE_HOST_RESPONSE session.jsonl
  psrp decode --pipeline 50a1e2f3 exchange.yml
  psrp decode --from 12.5 --until 14 --search Get-Process --raw session.jsonl
  psrp decode --stats session.jsonl
  psrp decode --html session.html session.jsonl
  psrp decode --export out session.jsonl
  psrp decode --follow session.jsonl
  psrp decode --rsa-key client.pem exchange.yml
  psrp decode --json *.yml | jq 'select(.type == "ERROR_RECORD")'
  psrp decode winrm.pcapng kdc.pcapng --password 'P@ss1'
  psrp decode https.pcapng --keylog sslkeys.log
  xxd -p fragments.bin | psrp decode --format hex -

\b
Exit codes:
  0  everything was read
  1  everything was read; some lines are errors because recorded bytes are invalid
  2  a file cannot be read, or only in part; the reason is on standard error
"""


@click.command(epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_file)
@click.option(
    "--format", "form", type=click.Choice([form.value for form in Form]),
    help="Read the files in this format (default: detected from their content).",
)  # fmt: skip
@view_options
@key_options
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto",
    help="Use colours (default: on a terminal, unless NO_COLOR is set).",
)  # fmt: skip
@click.pass_context
def decode(
    ctx: click.Context,
    /,
    files: tuple[str, ...],
    form: str | None,
    color: str,
    **more: Any,
) -> None:
    """Show recorded PowerShell remoting traffic, one line per message.

    A FILE holds captured packets (pcap, pcapng, also gzip), WS-Man exchanges (YAML, JSON
    lines, HAR, flows of mitmproxy, a SAZ archive of Fiddler, HTTP messages as text, curl -v, logs
    with SOAP envelopes), an out-of-process transcript (JSON lines of timed chunks, packets as text
    lines, strace of read and write), Windows events (.evtx, or exported as XML), PSRP fragments
    (binary, hex or base64), or CLIXML. The form is detected from the content. "-" is standard
    input. Files are shown one after the other; with an event log among them, all lines are merged
    by time.

    Encrypted packets, and encrypted bodies in other recordings, are decrypted with the secrets of
    --password, --nt-hash, --keytab, --krbtgt, --session-key, --keylog, --server-key and --keys. A
    line shows each message that stays encrypted and the missing secret; net:LogOn shows each user
    and the secret that opened the log-on. Kerberos keys and embedded TLS key logs are collected
    from all files, so the exchange with the KDC may be in another file.

    A line has a number, the time if recorded, an arrow (to the server or to the client), the
    pipeline or the pool, the type, and a summary. Invalid data is shown as a line of type
    "error" with its position and the reason; decoding continues after it. The last line counts
    messages, fragments, bytes, errors, and bytes not accounted for.

    Secure strings are shown as their length unless --rsa-key, --psrp-key or --reveal is given;
    passwords of Basic and CredSSP are shown as their length unless --reveal is given.

    Times are seconds since the first one; --from and --until accept these seconds, a time of the
    day, or a date.
    """
    _prepare(ctx, color)
    given = keys_of(more)
    view = view_of(more, reveal=given.opens_strings)
    try:
        secrets, ring = given.secrets(files), given.ring()
    except CaptureError as error:
        click.echo(f"psrp decode: {error}", err=True)
        ctx.exit(2)
    ctx.exit(_decode_all(files, Form(form) if form else None, ring, secrets, view))


def _decode_all(
    files: tuple[str, ...],
    form: Form | None,
    ring: KeyRing,
    secrets: PacketSecrets | None,
    view: View,
) -> int:
    """Decode each file on its own, or all by time with event logs; return the exit code."""
    if has_events(files):
        return _decode_merged(files, form, ring, secrets, view)
    total, unreadable = Counts(), 0
    for number, file in enumerate(files, 1):
        if len(files) > 1 and not view.as_json:
            click.echo(click.style(f"== {file}", bold=True))
        try:
            show = view.open(number if len(files) > 1 else 0)
            try:
                for entry in decode_recording(file, form, ring, secrets, view.follow):
                    show.entry(entry)
                    if entry.type == "summary":
                        _count(total, entry.data)
            finally:
                show.end()
        except CaptureError as error:
            unreadable += 1
            click.echo(f"psrp decode: {error}", err=True)
    try:
        view.write_page()
    except CaptureError as error:
        unreadable += 1
        click.echo(f"psrp decode: {error}", err=True)
    if len(files) > 1:
        view.total(summary_data(f"{len(files)} files", total), len(files), unreadable)
    for problem in view.problems(len(files)):
        click.echo(f"psrp decode: {problem}", err=True)
    return 2 if unreadable else 1 if total.errors else 0


def _decode_merged(
    files: tuple[str, ...],
    form: Form | None,
    ring: KeyRing,
    secrets: PacketSecrets | None,
    view: View,
) -> int:
    """Decode all files into one timeline; return the exit code."""
    total, failures = Counts(), 0
    try:
        show = view.open()
        recordings = [decode_recording(file, form, ring, secrets, view.follow) for file in files]
        for index, entry in merged(recordings):
            if isinstance(entry, CaptureError):
                failures += 1
                click.echo(f"psrp decode: {entry}", err=True)
            elif entry.type == "summary":
                _count(total, entry.data)
            else:
                entry.carrier = entry.carrier | {"file": files[index]}
                show.entry(entry)
        data = summary_data(f"{len(files)} files", total)
        show.entry(Entry(type="summary", data=data | {"files": len(files), "unreadable": failures}))
        show.end()
        view.write_page()
    except CaptureError as error:
        failures += 1
        click.echo(f"psrp decode: {error}", err=True)
    for problem in view.problems(1):
        click.echo(f"psrp decode: {problem}", err=True)
    return 2 if failures else 1 if total.errors else 0


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
