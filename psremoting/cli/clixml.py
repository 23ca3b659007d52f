"""`psrp clixml`: conversion of CLIXML files to JSON, to readable text, and back."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, cast

import click

from psremoting.cli.plainjson import dumps, plain_json
from psremoting.cli.shell_completion import complete_file
from psremoting.powershell.sanitizer import displayable
from psrp.clixml.files import (
    RawText,
    StreamItem,
    decode_text,
    dump_all,
    dump_streams,
    iter_streams,
    load_all,
)
from psrp.clixml.jsonform import from_json, to_json
from psrp.clixml.readable import StderrText
from psrp.sansio import ClixmlError, LocalProtocolError, ProtocolError

__all__ = ["clixml"]

_TO_JSON = """\
  psrp clixml to-json services.xml | jq '.[] | .adapted.Name'
  psrp clixml to-json --plain services.xml
  powershell.exe -File x.ps1 2>&1 | psrp clixml to-json --encoding cp437 -
"""
_TEXT = """\
  ssh server powershell -File x.ps1 2>&1 | psrp clixml text
  psrp clixml text --verbose build.log
"""
_FROM_JSON = """\
  psrp clixml from-json edited.json -o services.xml
  psrp clixml to-json a.xml | jq '.[0]' | psrp clixml from-json -
"""
_FORMAT = """\
  psrp clixml format body.xml
  diff <(psrp clixml format a.xml) <(psrp clixml format b.xml)
"""


def _epilog(*examples: str) -> str:
    return f"""
\b
Examples:
{"".join(examples)}
\b
Exit codes:
  0  done
  2  a file cannot be read, or only in part; the reason is on standard error
"""


_TEXT_EPILOG = f"""
\b
Examples:
{_TEXT}
\b
Exit codes:
  0  done, for any input
  2  FILE cannot be opened
"""
_PIECE = 65536


@click.group(epilog=_epilog(_TO_JSON, _FROM_JSON, _FORMAT, _TEXT))
def clixml() -> None:
    """Convert CLIXML to JSON, to readable text, and back.

    The commands read files of Export-Clixml (UTF-8 or UTF-16), "#< CLIXML" streams of
    powershell.exe, and single elements as in PSRP messages. FILE may be - for standard input.
    """


def _io(command: Callable[..., None]) -> Callable[..., None]:
    """Add the argument and the option that the three commands share."""
    command = click.option(
        "-o",
        "--output",
        metavar="FILE",
        default="-",
        shell_complete=complete_file,
        help="Write to FILE (default: standard output).",
    )(command)
    return click.argument("file", metavar="FILE", shell_complete=complete_file)(command)


_encoding = click.option(
    "--encoding", metavar="NAME",
    help="Encoding of files without a byte order mark, such as cp437 (default: UTF-8 or UTF-16).",
)  # fmt: skip


@clixml.command("to-json", epilog=_epilog(_TO_JSON))
@_io
@_encoding
@click.option("--plain", is_flag=True, help="Print only the data, without types.")
@click.option("--compact", is_flag=True, help="Print one line without spaces.")
def to_json_command(
    file: str, output: str, encoding: str | None, plain: bool, compact: bool
) -> None:
    """Convert CLIXML to JSON and keep every type.

    The result is the JSON form of the value, or an array unless there is exactly one value;
    spec-notes/clixml-json.md describes the form. Text between documents becomes {"$text": ...},
    an item with a stream {"$stream": ..., "value": ...}. If the file is truncated, the values
    before that point are still printed.
    """
    items, error = _load(file, encoding)
    try:
        forms = _plain_forms(items) if plain else _forms(items)
    except LocalProtocolError as refused:
        _fail(file, str(refused))
    shown = forms[0] if len(forms) == 1 and error is None else forms
    text = dumps(shown, compact=True) if compact else dumps(shown, indent=2)
    _write(output, text.encode() + b"\n")
    if error is not None:
        _fail(file, str(error))


@clixml.command("from-json", epilog=_epilog(_FROM_JSON))
@_io
def from_json_command(file: str, output: str) -> None:
    """Convert JSON in the form of to-json to a CLIXML document.

    An array contains several values, anything else is one value. If a value has the form
    {"$stream": ...} or {"$text": ...}, the result is a "#< CLIXML" stream.
    """
    try:
        data = json.loads(_read(file).decode("utf-8-sig"))
        items = _items(data if isinstance(data, list) else [data])
        written = _dump(items)
    except json.JSONDecodeError as error:
        _fail(file, f"not JSON: {error}")
    except UnicodeDecodeError as error:
        _fail(file, f"not UTF-8: byte {error.start}")
    except RecursionError:
        _fail(file, "nested too deeply")
    except ProtocolError as error:
        _fail(file, str(error))
    _write(output, written)


@clixml.command("format", epilog=_epilog(_FORMAT), short_help="Indent and normalize CLIXML.")
@_io
@_encoding
def format_command(file: str, output: str, encoding: str | None) -> None:
    """Write CLIXML as an indented UTF-8 document in PowerShell's notation.

    Ids count from 0, type names are shared, escapes and white space are normalized. If the file
    is truncated, the values before that point are still printed.
    """
    items, error = _load(file, encoding)
    _write(output, _dump(items))
    if error is not None:
        _fail(file, str(error))


@clixml.command(
    "text", epilog=_TEXT_EPILOG, short_help="Print standard error streams as readable text."
)
@click.argument("file", metavar="[FILE]", default="-", shell_complete=complete_file)
@_encoding
@click.option("--verbose", is_flag=True, help="Also show verbose, debug and information records.")
def text_command(file: str, encoding: str | None, verbose: bool) -> None:
    """Print PowerShell's standard error output as readable text.

    FILE, or standard input, is a stream or a log that contains "#< CLIXML" documents, which may
    be truncated, prefixed, or quoted in JSON. Errors and warnings are printed as text when they
    are read, progress records are dropped, and everything else is copied unchanged.
    """
    reader = StderrText(verbose=verbose)
    with _open(file) as source:
        piece = source.read1(_PIECE)
        decode = _decoder(piece, encoding)
        while piece:
            _show(reader.feed(decode.decode(piece)))
            piece = source.read1(_PIECE)
        _show(reader.feed(decode.decode(b"", True)) + reader.end())


def _show(text: str) -> None:
    if sys.stdout.isatty():
        text = displayable(text, colours=not os.environ.get("NO_COLOR"))
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _open(file: str) -> io.BufferedReader:
    if file == "-":
        # CliRunner and pipes use other classes, which also have read1.
        return cast("io.BufferedReader", sys.stdin.buffer)
    try:
        return open(file, "rb")
    except OSError as error:
        _fail(file, error.strerror or str(error))


def _decoder(first: bytes, encoding: str | None) -> codecs.IncrementalDecoder:
    """Return a decoder that accepts any bytes; ``first`` selects the encoding if none is given."""
    name = encoding or "utf-8-sig"
    if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        name = "utf-16"
    elif encoding is None and len(first) > 1 and 0 in first[:2]:
        name = "utf-16-le" if first[1] == 0 else "utf-16-be"
    try:
        return codecs.getincrementaldecoder(name)("replace")
    except LookupError:
        raise click.BadParameter(
            f"unknown encoding {encoding!r}", param_hint="--encoding"
        ) from None


def _load(file: str, encoding: str | None) -> tuple[list[StreamItem], ClixmlError | None]:
    """Return the readable items of a file, and the error that ended reading."""
    items: list[StreamItem] = []
    try:
        text = decode_text(_read(file), encoding)
        # A file without a document is a single element, or an error that load_all reports.
        if "Objs" not in text:
            return [StreamItem(None, value) for value in load_all(text)], None
        items.extend(iter_streams(text))
    except ClixmlError as error:
        return items, error
    return items, None


def _forms(items: list[StreamItem]) -> list[Any]:
    # All at once: an object that occurs in two items is written once.
    forms = to_json([item.value for item in items])
    return [_shown(item, form, "$") for item, form in zip(items, forms, strict=True)]


def _plain_forms(items: list[StreamItem]) -> list[Any]:
    return [_shown(item, plain_json(item.value), "") for item in items]


def _shown(item: StreamItem, form: Any, mark: str) -> Any:
    if isinstance(item.value, RawText):
        return {f"{mark}text": form}
    return form if item.stream is None else {f"{mark}stream": item.stream, "value": form}


def _items(data: list[Any]) -> list[StreamItem]:
    """Return the items of JSON forms, the inverse of `_forms`."""
    streams: list[str | None] = []
    forms = []
    for at, part in enumerate(data):
        kind = next((kind for kind in _MARKED if isinstance(part, dict) and kind in part), None)
        if kind is not None and not (part.keys() == _MARKED[kind] and type(part[kind]) is str):
            raise LocalProtocolError(
                f"$[{at}]: {kind} needs a string and no other member than its value"
            )
        streams.append(part["$stream"] if kind == "$stream" else kind)
        forms.append(part if kind is None else part[next(iter(_MARKED[kind] - {"$stream"}))])
    values = from_json(forms)
    return [
        StreamItem(None, RawText(value)) if stream == "$text" else StreamItem(stream, value)
        for stream, value in zip(streams, values, strict=True)
    ]


_MARKED = {"$stream": {"$stream", "value"}, "$text": {"$text"}}


def _dump(items: list[StreamItem]) -> bytes:
    if any(item.stream is not None or isinstance(item.value, RawText) for item in items):
        written = dump_streams(items)
    else:
        written = dump_all(item.value for item in items)
    return written + b"\n" if written.endswith(b">") else written


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        _fail(file, error.strerror or str(error))


def _write(output: str, data: bytes) -> None:
    try:
        if output == "-":
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            Path(output).write_bytes(data)
    except OSError as error:
        _fail(output, error.strerror or str(error))


def _fail(file: str, why: str) -> NoReturn:
    name = "standard input" if file == "-" else file
    click.echo(f"psrp clixml: {name}: {' '.join(why.splitlines())}", err=True)
    sys.exit(2)
