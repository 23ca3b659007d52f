"""The manual pages, made from the ``--help`` of each command.

    python -m psremoting.cli.manual build/man      psrp.1, psrp-enter.1, ...

The pages use the ``man`` macros that groff and mandoc share.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from psremoting.cli.main import main
from psremoting.version import __version__

__all__ = ["manual_pages", "write_manual"]

_VERBATIM = "\b"
_HEADING = re.compile(r"(\S.*):")
#: Characters that groff would replace or interpret as requests.
_ESCAPES = {"\\": "\\(rs", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}


def manual_pages() -> Iterator[tuple[str, str]]:
    """Yield the file name and text of the page of every command."""
    return _pages(main, ("psrp",), None)


def _pages(
    command: click.Command, names: tuple[str, ...], parent: click.Context | None
) -> Iterator[tuple[str, str]]:
    context = click.Context(command, parent, info_name=names[-1], **command.context_settings)
    below = _below(command, context)
    yield f"{'-'.join(names)}.1", "\n".join(_page(context, names, below)) + "\n"
    for name, each in below.items():
        yield from _pages(each, (*names, name), context)


def write_manual(folder: Path) -> list[Path]:
    """Write all pages into ``folder``; create it if missing. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in manual_pages():
        written.append(folder / name)
        written[-1].write_text(text, encoding="utf-8")
    return written


def _below(command: click.Command, context: click.Context) -> dict[str, click.Command]:
    if not isinstance(command, click.Group):
        return {}
    found = {name: command.get_command(context, name) for name in command.list_commands(context)}
    return {name: each for name, each in found.items() if each is not None}


def _page(
    context: click.Context, names: tuple[str, ...], below: dict[str, click.Command]
) -> Iterator[str]:
    command = context.command
    dashed, spaced = "-".join(names), " ".join(names)
    first, *rest = _paragraphs(command.help or "")
    yield f'.TH {_line(dashed.upper())} 1 "" "psremoting {_line(__version__)}" "psremoting"'
    yield ".SH NAME"
    yield f"{_line(dashed)} \\- {_line(_summary(first))}"
    yield ".SH SYNOPSIS"
    yield f".B {_line(spaced)}"
    yield _line(" ".join(command.collect_usage_pieces(context)))
    yield ".SH DESCRIPTION"
    for paragraph in (first, *rest):
        yield from _paragraph(paragraph)
    yield ".SH OPTIONS"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield from (".TP", f".B {_line(record[0])}", _line(record[1]))
    if below:
        yield ".SH COMMANDS"
        for name, each in below.items():
            page = f"\\fB{_line(f'{dashed}-{name}')}\\fR(1)"
            yield from (".TP", page, _line(each.get_short_help_str(limit=1000)))
    for paragraph in _paragraphs(command.epilog or ""):
        yield from _epilog(paragraph)
    yield from _see_also(names, below)


def _see_also(names: tuple[str, ...], below: dict[str, click.Command]) -> Iterator[str]:
    above = ["-".join(names[:end]) for end in range(1, len(names))]
    pages = [*above, *(f"{'-'.join(names)}-{name}" for name in below), "ssh"]
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {_line(page)} (1)" for page in pages).replace(",\n", " ,\n")


def _summary(paragraph: str) -> str:
    """Return the first sentence, for `whatis`."""
    return " ".join(paragraph.split()).partition(". ")[0].rstrip(".")


def _paragraphs(text: str) -> list[str]:
    lines = [line.rstrip() for line in _unindented(text).strip("\n").splitlines()]
    return [part for part in re.split(r"\n{2,}", "\n".join(lines)) if part.strip()]


def _unindented(text: str) -> str:
    from inspect import cleandoc

    return cleandoc(text) if not text.lstrip("\n").startswith(_VERBATIM) else text


def _paragraph(text: str) -> Iterator[str]:
    if text.startswith(_VERBATIM):
        yield from _verbatim(text.splitlines()[1:])
    else:
        yield ".PP"
        yield _line(" ".join(text.split()))


def _epilog(text: str) -> Iterator[str]:
    """Yield a heading with the lines under it, or a plain paragraph."""
    head, *lines = text.removeprefix(_VERBATIM).lstrip("\n").splitlines()
    heading = _HEADING.fullmatch(head)
    if not text.startswith(_VERBATIM) or heading is None:
        yield from _paragraph(text)
        return
    # Use only the first part of a long heading as the section name.
    name, _, more = heading[1].partition(", ")
    yield f".SH {_line(name.upper())}"
    if more:
        yield _line(f"{more[0].upper()}{more[1:]}:")
    yield from _verbatim(lines)


def _verbatim(lines: list[str]) -> Iterator[str]:
    yield from (".PP", ".nf")
    yield from (_line(line) for line in lines)
    yield ".fi"


def _line(text: str) -> str:
    """Escape ``text`` so that groff prints it as it is."""
    escaped = "".join(_ESCAPES.get(each, each) for each in text)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("one argument: the folder for the pages")
    for path in write_manual(Path(sys.argv[1])):
        print(path)
