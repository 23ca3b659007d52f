"""`psrp clixml`: conversion of CLIXML files to JSON, to readable text, and back."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NoReturn, Self

import click

from psremoting.cli.clixml_streams import PIECE, ClixmlOutput, Items, open_input
from psremoting.cli.json_elements import JsonElements, JsonError
from psremoting.cli.plainjson import PlainItems, dumps
from psremoting.cli.shell_completion import complete_file
from psremoting.powershell.sanitizer import displayable
from psrp.clixml.files import RawText, StreamItem
from psrp.clixml.incremental import MAX_VALUE, WINDOW
from psrp.clixml.jsonform import JsonItems
from psrp.clixml.jsonread import JsonItemsReader
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


@click.group(epilog=_epilog(_TO_JSON, _FROM_JSON, _FORMAT, _TEXT))
def clixml() -> None:
    """Convert CLIXML to JSON, to readable text, and back.

    The commands read files of Export-Clixml (UTF-8 or UTF-16), "#< CLIXML" streams of
    powershell.exe, and single elements as in PSRP messages. FILE may be - for standard input.
    Files are read value by value, so that memory is needed for one value at a time.
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


_max_value = click.option(
    "--max-value", metavar="MIB", type=click.IntRange(1, 4096), default=MAX_VALUE >> 20,
    help=f"Refuse a value of more than MIB million characters (default: {MAX_VALUE >> 20}).",
)  # fmt: skip
_encoding = click.option(
    "--encoding", metavar="NAME",
    help="Encoding of files without a byte order mark, such as cp437 (default: UTF-8 or UTF-16).",
)  # fmt: skip


@clixml.command("to-json", epilog=_epilog(_TO_JSON))
@_io
@_encoding
@_max_value
@click.option("--plain", is_flag=True, help="Print only the data, without types.")
@click.option("--compact", is_flag=True, help="Print one line without spaces.")
def to_json_command(
    file: str, output: str, encoding: str | None, max_value: int, plain: bool, compact: bool
) -> None:
    """Convert CLIXML to JSON and keep every type.

    The result is the JSON form of the value, or an array unless there is exactly one value;
    spec-notes/clixml-json.md describes the form. Text between documents becomes {"$text": ...},
    an item with a stream {"$stream": ..., "value": ...}. Values are printed as they are read; if
    the file is truncated, the values before that point are printed.
    """
    with _Files(file, output) as files:
        array = _Array(files.write, compact)
        shared: list[JsonItems] = []
        items = Items(
            files.source, encoding, max_value << 20,
            lambda alive: shared[0].forget(alive),
        )  # fmt: skip
        typed, unfolded = JsonItems(items.reader.is_referred), PlainItems()
        shared.append(typed)
        size = 0
        failure: ProtocolError | None = None
        try:
            for item in items:
                read, size = items.reader.size - size, items.reader.size
                form = unfolded.write(item.value, read) if plain else typed.write(item.value)
                array.add(_shown(item, form, "" if plain else "$"))
        except (ClixmlError, LocalProtocolError) as error:
            failure = error
        if failure is None or array.has_values:
            array.end(is_list=failure is not None)
    if failure is not None:
        _fail(file, str(failure))


class _Array:
    """Writes JSON values as an array, or as a single value if there is exactly one.

    The first value is therefore written when the second is there, or at the end.
    """

    def __init__(self, write: Callable[[bytes], object], compact: bool) -> None:
        self._write = write
        self._compact = compact
        self._first: list[Any] = []
        self._count = 0

    def add(self, form: Any) -> None:
        self._count += 1
        if self._count == 1:
            self._first.append(form)
            return
        self._put_first()
        self._put(form)

    @property
    def has_values(self) -> bool:
        return self._count > 0

    def _put_first(self) -> None:
        if self._first:
            self._put(self._first.pop(), "[")

    def _put(self, form: Any, before: str = ",") -> None:
        space = "" if self._compact else "\n  "
        self._write((before + space + self._text(form, 1)).encode())

    def _text(self, form: Any, level: int) -> str:
        if self._compact:
            return dumps(form, compact=True)
        return dumps(form, indent=2, level=level)

    def end(self, *, is_list: bool) -> None:
        """Write the end; ``is_list``: also of a single value."""
        if not self._count:
            self._write(b"[]\n")
            return
        if self._first and not is_list:
            self._write(self._text(self._first[0], 0).encode() + b"\n")
            return
        self._put_first()
        self._write(b"]\n" if self._compact else b"\n]\n")


@clixml.command("from-json", epilog=_epilog(_FROM_JSON))
@_io
@_max_value
def from_json_command(file: str, output: str, max_value: int) -> None:
    """Convert JSON in the form of to-json to a CLIXML document.

    An array contains several values, anything else is one value. If the first value has the form
    {"$stream": ...} or {"$text": ...}, the result is a "#< CLIXML" stream. Values are written as
    they are read.
    """
    with _Files(file, output) as files:
        out = ClixmlOutput(files.write)
        failure = None
        try:
            for item in _from_json(files, out, max_value << 20):
                out.add(item)
        except (JsonError, ProtocolError) as error:
            failure = str(error)
        except RecursionError:
            failure = "nested too deeply"
        if failure is None or files.has_written:
            out.end()
    if failure is not None:
        _fail(file, failure)


def _from_json(files: _Files, out: ClixmlOutput, max_value: int) -> Iterator[StreamItem]:
    """Yield the items of JSON forms. Raises JsonError, LocalProtocolError and RecursionError."""
    elements, reader = JsonElements(max_value), JsonItemsReader()
    decode = codecs.getincrementaldecoder("utf-8")()
    kept: list[StreamItem] = []
    at = size = numbered = taken = 0
    data = files.source.read1(PIECE)
    while 0 < len(data) < 3 and (more := files.source.read1(PIECE)):
        data += more
    data = data.removeprefix(codecs.BOM_UTF8)
    while True:
        waiting = len(decode.getstate()[0])
        try:
            elements.receive_text(decode.decode(data, not data))
        except UnicodeDecodeError as error:
            raise JsonError(f"not UTF-8: byte {taken - waiting + error.start}") from None
        taken += len(data)
        while (found := elements.next_value(last=not data)) is not None:
            before = reader.numbered
            item = _item(found[0], at, reader)
            numbered += found[1] if reader.numbered > before else 0
            if numbered > 4 * max_value:
                raise JsonError("the values with an $id need too much memory")
            at, size = at + 1, size + found[1]
            kept.append(item)
            yield item
            if size > WINDOW:
                out.forget(reader.alive())
                kept.clear()
                size = 0
        if not data:
            return
        data = files.source.read1(PIECE)


def _item(part: Any, at: int, reader: JsonItemsReader) -> StreamItem:
    """Return the item of a JSON form, the inverse of `_shown`."""
    kind = next((kind for kind in _MARKED if isinstance(part, dict) and kind in part), None)
    if kind is None:
        return StreamItem(None, reader.read(part))
    if not (part.keys() == _MARKED[kind] and type(part[kind]) is str):
        raise LocalProtocolError(
            f"$[{at}]: {kind} needs a string and no other member than its value"
        )
    value = reader.read(part[next(iter(_MARKED[kind] - {"$stream"}))])
    return StreamItem(None, RawText(value)) if kind == "$text" else StreamItem(part[kind], value)


_MARKED = {"$stream": {"$stream", "value"}, "$text": {"$text"}}


@clixml.command("format", epilog=_epilog(_FORMAT), short_help="Indent and normalize CLIXML.")
@_io
@_encoding
@_max_value
def format_command(file: str, output: str, encoding: str | None, max_value: int) -> None:
    """Write CLIXML as an indented UTF-8 document in PowerShell's notation.

    Ids count from 0, type names are shared, escapes and white space are normalized. Values are
    written as they are read; if the file is truncated, the values before that point are written.
    """
    with _Files(file, output) as files:
        out = ClixmlOutput(files.write)
        failure: ProtocolError | None = None
        try:
            for item in Items(files.source, encoding, max_value << 20, out.forget):
                out.add(item)
        except (ClixmlError, LocalProtocolError) as error:
            failure = error
        if failure is None or files.has_written:
            out.end()
    if failure is not None:
        _fail(file, str(failure))


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
        piece = source.read1(PIECE)
        decode = _decoder(piece, encoding)
        while piece:
            _show(reader.feed(decode.decode(piece)))
            piece = source.read1(PIECE)
        _show(reader.feed(decode.decode(b"", True)) + reader.end())


def _show(text: str) -> None:
    if sys.stdout.isatty():
        text = displayable(text, colours=not os.environ.get("NO_COLOR"))
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


class _Files:
    """The input and the output of a command; what is written goes out at once."""

    def __init__(self, file: str, output: str) -> None:
        self._file, self._output = file, output
        self.source = _open(file)
        self._target: BinaryIO | None = None
        self.has_written = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if self._file != "-":
            self.source.close()
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            _fail(self._file, error.strerror or str(error))
        if self._target is None or self._output == "-":
            return
        try:
            self._target.close()
        except OSError as failure:
            # A write that failed is reported already; the close repeats it.
            if kind is None:
                _fail(self._output, failure.strerror or str(failure))

    def write(self, data: bytes) -> None:
        """Write to the output, which is opened by the first write."""
        if not data:
            return
        try:
            if self._target is None:
                is_standard = self._output == "-"
                self._target = sys.stdout.buffer if is_standard else _created(self._output)
            self._target.write(data)
            self._target.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            name = "standard output" if self._output == "-" else self._output
            _fail(name, error.strerror or str(error))
        self.has_written = True


def _created(output: str) -> BinaryIO:
    return open(output, "wb")


def _open(file: str) -> io.BufferedReader:
    try:
        return open_input(file)
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


def _shown(item: StreamItem, form: Any, mark: str) -> Any:
    if isinstance(item.value, RawText):
        return {f"{mark}text": form}
    return form if item.stream is None else {f"{mark}stream": item.stream, "value": form}


def _fail(file: str, why: str) -> NoReturn:
    name = "standard input" if file == "-" else file
    click.echo(f"psrp clixml: {name}: {' '.join(why.splitlines())}", err=True)
    sys.exit(2)
