"""CLIXML on standard error as readable text, in the forms that logs have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.clixml.readable import StderrText, stderr_text
from tests.recordings import ROOT

_HEAD = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
_PROGRESS = (
    '<Obj S="progress" RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T>'
    '</TN><MS><I64 N="SourceId">1</I64><PR N="Record"><AV>Preparing</AV><AI>0</AI></PR></MS></Obj>'
)
_BODY = (
    f'{_HEAD}{_PROGRESS}<S S="Error">first &lt;_x000D__x000A_</S><S S="Error">cut he</S>'
    '<S S="Error">re_x000D__x000A_</S><S S="warning">careful</S><S S="verbose">more</S>'
    '<S S="debug">still more</S></Objs>'
)
_DOCUMENT = f"#< CLIXML\r\n{_BODY}"
_SHOWN = "first <\ncut here\nWARNING: careful\n"


def _escaped(text: str) -> str:
    return text.replace('"', '\\"').replace("\r\n", "\\r\\n")


FORMS: list[tuple[str, str, str]] = [
    ("one document", _DOCUMENT, _SHOWN),
    ("text around it", f"before\n{_DOCUMENT}after\n", f"before\n{_SHOWN}after\n"),
    ("a line end after it", f"{_DOCUMENT}\r\nafter\r\n", f"{_SHOWN}after\n"),
    ("two documents", _DOCUMENT * 2, _SHOWN * 2),
    ("text between two", f"{_DOCUMENT}between\n{_DOCUMENT}", f"{_SHOWN}between\n{_SHOWN}"),
    ("no marker", _BODY, _SHOWN),
    ("cut in a record", _DOCUMENT[: _DOCUMENT.index("_x000D__x000A_</S><S S=\"w")],
     "first <\ncut here\n"),
    ("cut in an escape", _DOCUMENT[: _DOCUMENT.index("D__x000A_</S><S S=\"w")],
     "first <\ncut here\n"),
    ("cut in a tag", _DOCUMENT[: _DOCUMENT.index("warning")], "first <\ncut here\n"),
    ("a marker that nothing follows", "#< CLIXML\r\n", ""),
    ("a broken line", _DOCUMENT.replace('<S S="Error">cut', '<S \nS="Error">cut'), _SHOWN),
    ("a broken word", _DOCUMENT.replace("cut he", "cut\n he"), _SHOWN),
    ("a prefix before each line",
     f"    host: start\n    host: {_DOCUMENT}\n".replace("\r\n", "\n    host: "),
     "    host: start\n" + "".join(f"    host: {line}\n" for line in _SHOWN.splitlines())),
    ("times before each line",
     f"10:00:00 [ERR] {_DOCUMENT}\n10:00:02 next\n".replace("\r\n", "\n10:00:01 [ERR] "),
     "".join(f"10:00:01 [ERR] {line}\n" for line in _SHOWN.splitlines()) + "10:00:02 next\n"),
    ("a log of JSON lines",
     f'{{"log":"#< CLIXML\\r\\n"}}\n{{"log":"{_escaped(_BODY)}"}}\n{{"log":"plain"}}\n',
     f'{_SHOWN}{{"log":"plain"}}\n'),
    ("quoted in JSON", f'  "stderr": "{_escaped(_DOCUMENT)}",\n'.replace("<", "\\u003c"), _SHOWN),
    ("text inside",
     f'#< CLIXML\n{_HEAD}<S S="Error">first_x000A_</S>inside-the-block\n'
     '<S S="Error">second_x000A_</S></Objs>',
     "first\ninside-the-block\nsecond\n"),
    ("signs inside",
     f'#< CLIXML\n{_HEAD}<S S="Error">first_x000A_</S>a < b & c\n'
     '<S S="Error">second_x000A_</S></Objs>',
     "first\na < b & c\nsecond\n"),
    ("a tag of another program",
     f'#< CLIXML\n{_HEAD}<note>hi</note><S S="Error">x_x000A_</S></Objs>',
     "<note>hi</note>x\n"),
    ("no CLIXML at all", "plain <b>text</b>\n#hash\n", "plain <b>text</b>\n#hash\n"),
    ("colours", f'#< CLIXML\n{_HEAD}<S S="Error">_x001B_[31mred_x001B_[0m_x000A_</S></Objs>',
     "\x1b[31mred\x1b[0m\n"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shown"), [row[1:] for row in FORMS], ids=[x[0] for x in FORMS])
def test_a_form_is_readable_whole_and_in_single_characters(text: str, shown: str) -> None:
    assert stderr_text(text) == shown
    reader = StderrText()
    assert "".join(map(reader.feed, text)) + reader.end() == shown


def test_white_space_and_cut_tags_do_not_depend_on_the_pieces() -> None:
    text = "<Objs> x\n\n <S>a</S><Nil/> \n<S>b</S>\n</Objs>"
    whole = stderr_text(text)
    assert whole == " x\n\n \na\nb\n"
    for size in range(1, len(text)):
        reader = StderrText()
        pieces = [reader.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert "".join(pieces) + reader.end() == whole


def test_verbose_adds_the_other_records() -> None:
    assert stderr_text(_DOCUMENT, verbose=True) == (f"{_SHOWN}VERBOSE: more\nDEBUG: still more\n")
    said = f'{_HEAD}<Obj S="information" RefId="0"><ToString>said</ToString></Obj></Objs>'
    assert stderr_text(said) == ""
    assert stderr_text(said, verbose=True) == "said\n"


def test_errors_are_returned_before_the_document_ends() -> None:
    reader = StderrText()
    assert reader.feed(_DOCUMENT[: _DOCUMENT.index("cut")]) == "first <\n"
    assert reader.feed("cut now_x000A_</S>") == "cut now\n"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "fixtures" / "clixml" / "stderr").glob("*")), ids=lambda path: path.name
)
def test_recorded_streams_lose_their_markup(path: Path) -> None:
    shown = stderr_text(path.read_bytes().decode("utf-8", "replace"))
    assert "<Objs" not in shown
    assert "_x000" not in shown


@given(st.text(alphabet='<>/SObjsErr"=#& CLIXM_x0A\n\r{}\\', max_size=200), st.integers(1, 9))
def test_anything_is_taken_and_pieces_do_not_matter(text: str, size: int) -> None:
    reader = StderrText()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert "".join(map(reader.feed, pieces)) + reader.end() == stderr_text(text)


def test_work_grows_with_the_length_alone() -> None:
    for text in (
        "<" * 100_000,
        '<S S="Error">' * 40_000,
        "<Obj " * 20_000,
        "#< CLIXML" * 50_000,
        "<Objs ></Objs>" * 40_000,
        '<Obj S="x">' * 40_000,
    ):
        assert isinstance(stderr_text(f"{_HEAD}{text}"), str)
        assert isinstance(stderr_text(text), str)


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_documents_that_follow_each_other_in_a_line_are_read_in_pieces(size: int) -> None:
    """Found by fuzzing: the start of the next document in the same piece was shown as text."""
    one = (
        '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        '<S S="Error">bad_x000A_</S></Objs>'
    )
    text = f"{one}{one} words <Ob{one}tail {one}"
    reader = StderrText()
    pieces = [reader.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join(pieces) + reader.end() == stderr_text(text)
    assert stderr_text(text).count("bad\n") == 4
