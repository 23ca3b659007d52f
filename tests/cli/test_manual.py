"""The manual pages contain the text of ``--help``, and a formatter can read them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path

import click
import pytest

from psremoting.cli.main import main
from psremoting.cli.manual import manual_pages, write_manual

PAGES = dict(manual_pages())
EVERY = pytest.mark.parametrize("page", PAGES)


def commands(command: click.Command = main, *names: str) -> dict[str, click.Command]:
    """Return every command by the name of its page."""
    names = names or ("psrp",)
    found = {f"{'-'.join(names)}.1": command}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found |= commands(below, *names, name)
    return found


def plain(roff: str) -> str:
    """Return the text without formatter requests."""
    for mark, character in {r"\-": "-", r"\(aq": "'", r"\(ti": "~", r"\(rs": "\\"}.items():
        roff = roff.replace(mark, character)
    return roff


def test_every_command_has_its_page() -> None:
    assert set(PAGES) == set(commands())
    assert {"psrp.1", "psrp-enter.1", "psrp-clixml-to-json.1"} <= set(PAGES)


@EVERY
def test_a_page_has_the_parts_of_a_manual_page(page: str) -> None:
    sections = re.findall(r"^\.SH (.+)$", PAGES[page], re.MULTILINE)
    assert sections[:4] == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"]
    assert sections[-1] == "SEE ALSO"
    assert "EXAMPLES" in sections
    assert len(sections) == len(set(sections))


@EVERY
def test_a_page_names_every_option_and_says_what_it_is_for(page: str) -> None:
    text = plain(PAGES[page])
    options = [each for each in commands()[page].params if isinstance(each, click.Option)]
    for option in options:
        assert option.hidden or option.help, option.name
        assert option.hidden or all(name in text for name in option.opts), option.name
    assert "-h, -?, --help" in text


@EVERY
def test_the_examples_are_complete_commands(page: str) -> None:
    after = plain(PAGES[page]).partition(".SH EXAMPLES\n.PP\n.nf\n")[2]
    examples = after.partition("\n.fi")[0].splitlines()
    name = re.sub("^psrp-(clixml|account|endpoint)-", r"psrp \1 ", page.removesuffix(".1"))
    name = name.replace("psrp-", "psrp ")
    assert examples
    assert all("psrp" in line for line in examples)
    assert any(name in line for line in examples)


def examples(epilog: str) -> list[list[str]]:
    """Return the words after each `psrp` in the examples, up to those of the shell."""
    found = []
    for line in epilog.splitlines():
        if not (line.startswith("  ") and "psrp " in line):
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|()<>")
        lexer.commenters = ""
        lexer.wordchars += ":@$%,*{}[]"
        words = list(lexer)
        starts = [at + 1 for at, word in enumerate(words) if word == "psrp"]
        found += [list(takewhile(lambda word: word[0] not in "|()<>", words[at:])) for at in starts]
    return found


@EVERY
def test_the_command_lines_of_the_help_are_right(page: str) -> None:
    found = examples(commands()[page].epilog or "")
    assert found
    for words in found:
        context = main.make_context("psrp", list(words))
        if words[:1] == ["-c"]:
            continue
        command: click.Command = main
        rest = words
        while isinstance(command, click.Group) and rest:
            below = command.get_command(context, rest[0])
            assert below is not None, words
            context = below.make_context(rest[0], rest[1:], parent=context)
            command, rest = below, rest[1:]


@EVERY
def test_a_formatter_has_nothing_to_complain_about(page: str, tmp_path: Path) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("no groff here")
    path = tmp_path / page
    path.write_text(PAGES[page], encoding="utf-8")
    ran = subprocess.run(
        [groff, "-man", "-Kutf8", "-Tutf8", "-ww", str(path)], capture_output=True, text=True
    )
    if "cannot load" in ran.stderr or "can't find" in ran.stderr:
        pytest.skip("a groff without its macros and devices")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "EXAMPLES" in re.sub(r".\x08|\x1b\[[0-9;]*m", "", ran.stdout)


def test_what_a_formatter_would_take_for_its_own_is_text() -> None:
    page = PAGES["psrp-enter.1"]
    assert r"printf \(aqGet\-Date\(rsnexit\(rsn\(aq" in page
    requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".B", ".BR", ".PP", ".TP", ".nf", ".fi"}


def test_the_pages_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    written = write_manual(tmp_path / "man" / "man1")
    assert sorted(path.name for path in written) == sorted(PAGES)
    assert all(path.read_text("utf-8") == PAGES[path.name] for path in written)
