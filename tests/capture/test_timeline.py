"""The timeline of `psrp decode`: bytes as sent, times, selection, statistics, damage."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from psremoting.cli.main import main
from psrp.sansio import Side
from tests.capture.makers import OTHER, PIPE, capability, fragments, output, packet
from tests.recordings import FIXTURES

HELLO = str(FIXTURES / "outofproc" / "sessions" / "hello.jsonl")
STREAMS = str(FIXTURES / "outofproc" / "sessions" / "streams.jsonl")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["decode", *words])


def rows(*words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("--json", *words).stdout.splitlines()]


def recording(path: Path, chunks: list[tuple[float, str, bytes]]) -> str:
    lines = [
        json.dumps({"t": time, "from": sender, "data": b64encode(data).decode()})
        for time, sender, data in chunks
    ]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def one(number: int, value: Any, pipeline: Any = PIPE) -> bytes:
    return packet(fragments(number, output(value, pipeline))[0], pipeline)


@pytest.fixture
def dated(tmp_path: Path) -> str:
    """A recording of three outputs, at 12:00:00, 12:00:01.5 and 12:00:04 UTC of 2026-11-21."""
    at = 1_795_262_400.0
    chunks = [(at, "server", one(1, "first")), (at + 1.5, "server", one(2, "Second", OTHER))]
    return recording(tmp_path / "dated.jsonl", [*chunks, (at + 4, "server", one(3, "third"))])


def values(*words: str) -> list[Any]:
    return [row["data"] for row in rows(*words) if row["type"] == "PIPELINE_OUTPUT"]


def test_a_message_is_shown_as_it_was_sent() -> None:
    row = next(row for row in rows("--raw", HELLO) if row["type"] == "PIPELINE_OUTPUT")
    assert row["raw"]["xml"] == "<S>hello</S>"
    sent = bytes.fromhex(row["raw"]["hex"])
    assert len(sent) == row["size"]
    assert sent.endswith(b"<S>hello</S>")
    text = run("--raw", "--type", "PIPELINE_OUTPUT", HELLO).stdout
    assert "          <S>hello</S>\n" in text
    assert "000020  " in text


def test_secrets_in_bytes_as_sent_are_masked_unless_revealed(tmp_path: Path) -> None:
    chunks = [
        (number / 10, side.value, packet(fragments(1, capability("2.4", side))[0], None))
        for number, side in enumerate(Side)
    ]
    plain = b64encode("Pa55word".encode("utf-16-le")).decode()
    message = output(None)[:40] + f"<SS>{plain}</SS>".encode()
    secret = packet(fragments(2, message)[0])
    path = recording(tmp_path / "secret.jsonl", [*chunks, (1, "server", secret)])
    for words in (("--raw", path), ("--raw", "--json", path), ("--json", "-v", path)):
        shown = run(*words).stdout
        assert "Pa55word" not in shown
        assert plain not in shown
        assert plain.encode().hex() not in shown
    assert "*" * 8 in run("--raw", path).stdout
    (found,) = [row for row in rows("--raw", "--reveal", path) if row["type"] == "PIPELINE_OUTPUT"]
    assert found["data"]["open"] == "Pa55word"
    assert "*" not in found["raw"]["xml"]


def test_the_payload_of_an_envelope_is_shown_with_its_messages_only() -> None:
    path = str(FIXTURES / "wsman-live" / "managed-options.jsonl")
    sends = [row for row in rows("--raw", path) if row["type"] in ("wsman:Create", "wsman:Command")]
    assert sends
    assert all("*****" in row["raw"]["xml"] for row in sends)
    revealed = [row for row in rows("--raw", "--reveal", path) if row["type"] == "wsman:Create"]
    assert "AAAAA" in revealed[0]["raw"]["xml"]


def test_times_are_relative_or_deltas_or_dates(dated: str) -> None:
    def column(style: str) -> list[str]:
        lines = run("--time", style, dated).stdout.splitlines()
        return [line[7:].split("←")[0].strip() for line in lines if "PIPELINE_OUTPUT" in line]

    assert column("relative") == ["0.000", "1.500", "4.000"]
    assert column("delta") == ["+0.000", "+1.500", "+2.500"]
    assert column("utc") == [f"2026-11-21 12:00:0{time}" for time in ("0.000", "1.500", "4.000")]
    assert column("none") == ["", "", ""]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--from", "1.5"], ["Second", "third"]),
        (["--until", "1.5"], ["first", "Second"]),
        (["--from", "1", "--until", "2s"], ["Second"]),
        (["--from", "2026-11-21T12:00:01Z"], ["Second", "third"]),
        (["--until", "2026-11-21T13:00:01+01:00"], ["first"]),
        (["--search", "SEC"], ["Second"]),
        (["--search", "ir", "--search", "th"], ["third"]),
        (["--sender", "client"], []),
    ],
)
def test_lines_are_chosen_by_time_text_and_sender(
    words: list[str], wanted: list[str], dated: str
) -> None:
    assert values(*words, dated) == wanted


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--type", "wsman:Singal"], "no line has the type 'wsman:Singal'"),
        (["--type", "CREATE_PIPELINES"], "no line has the type"),
        (["--pipeline", "hello"], "no pipeline has the id"),
        (["--from", "yesterday"], "--from: expected seconds"),
        (["--until", "25:00:00"], "--until: expected seconds"),
    ],
)
def test_a_filter_that_nothing_can_match_is_refused(
    words: list[str], complaint: str, dated: str
) -> None:
    result = run(*words, dated)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_a_filter_without_matches_says_how_many_lines_there_are(dated: str) -> None:
    result = run("--search", "nowhere", dated)
    assert result.stderr == "psrp decode: 0 of 3 lines match the filters\n"
    result = run("--pipeline", "2222", "--pipeline", "77", dated)
    assert result.stderr == (
        "psrp decode: no pipeline has the id 77: the pipelines are 22222222, 33333333\n"
    )


def test_offsets_are_those_of_the_lines_in_the_file(dated: str) -> None:
    data = Path(dated).read_bytes()
    found = [row["carrier"]["file_offset"] for row in rows("--offsets", dated)[:-1]]
    starts = [0, data.index(b"\n") + 1, data.index(b"\n", data.index(b"\n") + 1) + 1]
    assert found == starts
    assert all("file_offset" not in row["carrier"] for row in rows(dated))
    assert run("--offsets", dated).stdout.splitlines()[1].split()[1] == str(starts[1])


def test_statistics_have_one_block_for_each_pipeline() -> None:
    found = {row["data"]["command"][:12]: row["data"] for row in rows("--stats", STREAMS)[:-1]}
    data = found["Write-Output"]
    assert data["outputs"] == {"System.String": 1}
    assert data["errors"]["My.Id"] == 1
    assert data["records"] == {
        "progress": 6, "information": 3, "warnings": 1, "verbose": 1, "debug": 1,
    }  # fmt: skip
    assert data["host_calls"]["WriteLine2"] == 1
    assert data["state"] == "Completed"
    assert data["duration"] > 0
    assert data["bytes"]["server"] > data["bytes"]["client"] > 0
    text = run("--stats", STREAMS).stdout
    assert "    output:     1 System.String\n" in text


def test_statistics_add_up_to_the_summary() -> None:
    found = rows("--stats", STREAMS)
    messages = sum(row["data"]["messages"] for row in found if row["type"] == "statistics")
    assert messages == found[-1]["data"]["messages"]


@pytest.mark.parametrize("torn", ['{"t": 1, "from": "server", "da\n', "[1]\n", "\0\xff\n"])
def test_a_torn_line_costs_that_line_only(torn: str, dated: str) -> None:
    lines = Path(dated).read_text().splitlines(keepends=True)
    Path(dated).write_text(lines[0] + torn + lines[1] + lines[2])
    result = run("--json", dated)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["type"] for row in found] == [
        "PIPELINE_OUTPUT", "error", "PIPELINE_OUTPUT", "PIPELINE_OUTPUT", "summary",
    ]  # fmt: skip
    assert found[1]["carrier"]["line"] == 2


def test_a_torn_first_line_costs_that_line_only(dated: str) -> None:
    text = Path(dated).read_text()
    Path(dated).write_text(text[30:])
    assert values(dated) == ["Second", "third"]


def test_a_torn_line_of_envelopes_costs_that_line_only(tmp_path: Path) -> None:
    whole = FIXTURES / "wsman-live" / "managed-options.jsonl"
    lines = whole.read_text().splitlines(keepends=True)
    path = tmp_path / "torn.jsonl"
    path.write_text("".join((*lines[:3], lines[3][:40] + "\n", *lines[3:])))
    types = [row["type"] for row in rows(str(path)) if row["type"] != "error"]
    assert types == [row["type"] for row in rows(str(whole))]
