"""`psrp decode --html`: the page in a real browser, by clicking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from psremoting.capture import Entry, decode
from psremoting.capture.html_page import HtmlPage
from psremoting.cli.main import main
from psrp import events as e
from psrp.sansio import Side
from tests.capture.browser import Browser, program
from tests.capture.makers import OTHER, PIPE, fragments, output, packet, transcript
from tests.recordings import FIXTURES

INTERACTIVE = FIXTURES / "outofproc" / "sessions" / "enter-interactive.jsonl"
EVIL = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>&lt;"
needs_browser = pytest.mark.skipif(program() is None, reason="no Chromium here")


def made(recording: Path, folder: Path, *words: str) -> Path:
    path = folder / "page.html"
    result = CliRunner().invoke(main, ["decode", "--html", str(path), *words, str(recording)])
    assert result.exit_code in (0, 1), result.output
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = made(INTERACTIVE, tmp_path_factory.mktemp("html"))
    with Browser() as browser:
        browser.open(path)
        yield browser


def rows(page: Browser) -> int:
    return int(page.evaluate("document.querySelectorAll('.row').length"))


def count(page: Browser) -> str:
    return str(page.evaluate("document.getElementById('count').textContent"))


def test_a_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    text = made(INTERACTIVE, tmp_path).read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)\s*=|@import|url\(", text.partition('id="data"')[0])
    assert "innerHTML" not in text


@needs_browser
def test_the_page_shows_the_lines_and_a_clicked_one_with_its_body(page: Browser) -> None:
    total = len([entry for entry in decode(INTERACTIVE) if entry.type != "summary"])
    assert count(page).endswith(f" of {total} lines")
    page.click(".row:nth-child(2)")
    detail = "document.getElementById('detail').textContent"
    page.wait_for(f"{detail}.includes('INIT_RUNSPACEPOOL')")
    assert "min_runspaces: 1" in page.evaluate(detail)
    folded = page.evaluate("document.querySelectorAll('#detail details:not([open])').length")
    assert folded > 0
    page.click("#detail details:not([open]) summary")
    page.wait_for(
        f"document.querySelectorAll('#detail details:not([open])').length !== {folded} || "
        "document.querySelectorAll('#detail details details').length > 0"
    )
    assert page.picture().startswith(b"\x89PNG")
    assert page.problems == []


@needs_browser
def test_search_and_filters_choose_lines(page: Browser) -> None:
    page.click("#search")
    page.type("get-credential")
    page.wait_for("!document.getElementById('count').textContent.startsWith('359')")
    page.wait_for("document.querySelectorAll('.row').length > 0")
    found = int(count(page).split()[0])
    assert 0 < found < 60
    page.evaluate(
        "(() => { const s = document.getElementById('search'); s.value = '';"
        "s.dispatchEvent(new Event('input')); })()"
    )
    page.wait_for(f"!document.getElementById('count').textContent.startsWith('{found} ')")
    before = count(page)
    page.click("#plumbing")
    page.wait_for(f"document.getElementById('count').textContent !== {before!r}")
    page.click("#plumbing")
    page.evaluate(
        "(() => { const s = document.getElementById('type'); s.value = 'PIPELINE_HOST_CALL';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    kinds = page.evaluate(
        "[...new Set([...document.querySelectorAll('.y')].map(y=>y.textContent))]"
    )
    assert kinds == ["PIPELINE_HOST_CALL"]
    page.evaluate(
        "(() => { const s = document.getElementById('type'); s.value = '';"
        "s.dispatchEvent(new Event('change')); })()"
    )


@needs_browser
def test_host_calls_are_shown_as_a_screen(page: Browser) -> None:
    page.evaluate("list.scrollTop = 1e9")
    page.wait_for("[...document.querySelectorAll('.row')].some(r => +r.dataset.i > 400)")
    page.click("#show-screen")
    page.wait_for("document.getElementById('detail').hidden")
    page.evaluate("select(ROWS.length - 1)")
    text = page.evaluate("document.getElementById('screen').textContent")
    for shown in ("WARNING: careful", "PromptForChoice(", "hello Ada"):
        assert shown in text
    assert "\x1b" not in text
    page.evaluate("select(20)")
    assert len(page.evaluate("document.getElementById('screen').textContent")) < len(text)
    page.click("#show-body")


@needs_browser
def test_a_click_into_the_lanes_selects_the_nearest_line(page: Browser) -> None:
    box = page.evaluate(
        "(() => { const r = chart.getBoundingClientRect(); return [r.left, r.top, r.width]; })()"
    )
    page.click_at(box[0] + box[2] - 20, box[1] + 30)
    page.wait_for("document.querySelector('.row.on .l').textContent === 'pool'")


@needs_browser
def test_text_of_a_peer_never_becomes_markup(tmp_path: Path) -> None:
    recording = tmp_path / "evil.jsonl"
    chunks = [
        ("server", packet(fragments(1, output(EVIL))[0])),
        ("server", packet(fragments(2, output({EVIL: [EVIL]}, OTHER))[0], OTHER)),
        ("server", b"banner " + EVIL.encode() + b"\n"),
    ]
    recording.write_text(transcript(chunks))
    path = made(recording, tmp_path)
    assert "</script><script>window" not in path.read_text("utf-8")
    assert "<img" not in path.read_text("utf-8")
    with Browser() as page:
        page.open(path)
        assert rows(page) == 3
        for row in (1, 2, 3):
            page.click(f".row:nth-child({row})")
            page.wait_for("document.getElementById('detail').textContent.includes('<img src=x')")
        assert page.evaluate("typeof window.hacked") == "undefined"
        assert page.evaluate("document.querySelectorAll('img').length") == 0
        assert page.problems == []


@needs_browser
def test_a_hundred_thousand_messages_stay_usable(tmp_path: Path) -> None:
    page = HtmlPage("many")
    page.begin()
    for number in range(1, 100_001):
        event = e.PipelineOutput(pipeline_id=PIPE, data=f"value {number}")
        page.add(
            Entry(type="PIPELINE_OUTPUT", n=number, direction=Side.SERVER, target=PIPE,
                  event=event, carrier={"time": number / 100})
        )  # fmt: skip
    path = tmp_path / "many.html"
    page.write(path)
    with Browser() as browser:
        browser.open(path)
        assert count(browser) == "100000 of 100000 lines"
        assert 0 < rows(browser) < 100
        browser.evaluate("list.scrollTop = list.scrollHeight")
        browser.wait_for("document.querySelector('.row:last-child').textContent.includes('100000')")
        browser.click("#search")
        browser.type("value 54321")
        browser.wait_for("document.getElementById('count').textContent.startsWith('1 of')")
        browser.click(".row")
        browser.wait_for("document.getElementById('detail').textContent.includes('value 54321')")
        assert browser.problems == []
