"""`psrp clixml` as a process: standard output, standard error and exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from psremoting.cli import plainjson
from psremoting.cli.clixml import clixml
from psrp.clixml import (
    DateTime,
    Dictionary,
    Int64,
    List,
    PSObject,
    SecureString,
    TimeSpan,
    identical,
)
from psrp.clixml.files import RawText, StreamItem, dump_all, dump_streams, load_all, load_streams
from tests.recordings import WHOLE

STREAM = [
    StreamItem(None, RawText("WARNING: ä\r\n")),
    StreamItem("Error", "bad\r\n"),
    StreamItem(None, None),
]
THING = PSObject.custom(Name="ä", Half="\ud83d", N=Int64(5))


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(clixml, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_one_value_is_its_form_and_several_are_an_array(file: Path) -> None:
    file.write_bytes(dump_all([Int64(1)]))
    assert json.loads(run("to-json", file).stdout) == {"$type": "Int64", "value": "1"}
    file.write_bytes(dump_all([1, 2]))
    assert json.loads(run("to-json", file).stdout) == [1, 2]
    file.write_bytes(dump_all([]))
    assert json.loads(run("to-json", file).stdout) == []


def test_a_file_goes_to_json_and_back(file: Path) -> None:
    shared = List([THING])
    file.write_bytes(dump_all([THING, shared, {"x": shared}]))
    shown = run("to-json", file)
    assert shown.exit_code == 0
    assert "ä" in shown.stdout
    assert r"\ud83d" in shown.stdout
    again = run("from-json", "-", stdin=shown.stdout_bytes)
    assert again.exit_code == 0, again.stderr
    assert again.stdout_bytes.strip() == file.read_bytes().strip()


def test_a_stream_goes_to_json_and_back(file: Path) -> None:
    file.write_bytes(dump_streams(STREAM))
    shown = run("to-json", file, "--compact")
    assert json.loads(shown.stdout) == [
        {"$text": "WARNING: ä\r\n"},
        {"$stream": "Error", "value": "bad\r\n"},
        None,
    ]
    assert shown.stdout.count("\n") == 1
    again = run("from-json", "-", stdin=shown.stdout_bytes)
    assert load_streams(again.stdout_bytes) == STREAM


def test_a_bare_element_is_taken_and_formatted(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf<Obj RefId='7'><LST><I32>+05</I32></LST></Obj>")
    assert json.loads(run("to-json", file).stdout)["items"] == [5]
    formatted = run("format", file).stdout
    assert formatted.startswith("<Objs ")
    assert '\n  <Obj RefId="0">\n    <LST>\n      <I32>5</I32>\n' in formatted


def test_format_keeps_streams_and_is_stable(file: Path) -> None:
    file.write_bytes(dump_streams(STREAM))
    once = run("format", file).stdout_bytes
    assert load_streams(once) == STREAM
    assert run("format", "-", stdin=once).stdout_bytes == once


def test_plain_is_what_people_read(file: Path) -> None:
    twice = List([1])
    value = PSObject.custom(
        when=DateTime(0),
        span=TimeSpan(10_000_000),
        data=b"ab",
        big=1e300 * 1e10,
        keys=Dictionary([(1, "a"), (True, "b")]),
        table=Dictionary([(1, "a"), (2.5, "b")]),
        clash=Dictionary([(1, "a"), ("1", "b")]),
        a=twice,
        b=twice,
    )
    value.extended["me"] = value
    file.write_bytes(dump_streams([StreamItem("output", value), StreamItem(None, RawText("x"))]))
    assert json.loads(run("to-json", "--plain", file).stdout) == [
        {
            "stream": "output",
            "value": {
                "when": "0001-01-01T00:00:00",
                "span": "PT1S",
                "data": "YWI=",
                "big": "Infinity",
                "keys": {"1": "a", "true": "b"},
                "table": {"1": "a", "2.5": "b"},
                "clash": [[1, "a"], ["1", "b"]],
                "a": [1],
                "b": [1],
                "me": "(contains itself)",
            },
        },
        {"text": "x"},
    ]


def test_plain_does_not_unfold_without_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plainjson, "MOST", 1000)
    value: Any = List([1])
    for _ in range(20):
        value = List([value, value])
    file.write_bytes(dump_all([value]))
    ran = run("to-json", "--plain", file)
    assert ran.exit_code == 2
    assert "more than 1000 values" in ran.stderr
    assert run("to-json", file).exit_code == 0


def test_a_file_that_breaks_off_is_printed_as_far_as_it_goes(file: Path) -> None:
    whole = dump_all([1, "two", "three"])
    file.write_bytes(whole[: whole.index(b"ree")])
    for command, first in (("to-json", '[\n  1,\n  "two"\n]\n'), ("format", "<Objs ")):
        ran = run(command, file)
        assert ran.exit_code == 2
        assert ran.stdout.startswith(first)
        assert ran.stderr.startswith(f"psrp clixml: {file}: ")
        assert "(character " in ran.stderr
        assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "content", "why"),
    [
        ("to-json", b"words", "(character 0)"),
        ("to-json", b"<Objs/>", "namespace"),
        ("to-json", b"\xff", "byte 0 is not utf-8"),
        ("format", b"<Obj><I32>x</I32></Obj>", "(character 5)"),
        ("from-json", b"{", "not JSON"),
        ("from-json", b"[" * 100_000, "nested too deeply"),
        ("from-json", b"\xff", "not UTF-8: byte 0"),
        ("from-json", b'[1, {"$type": "Byte", "value": 300}]', "$[1]: Byte cannot be read"),
        ("from-json", b'{"$type": "SecureString", "open": "hunter2"}', "SecureString"),
        ("from-json", b'{"$stream": "Error"}', "$[0]: $stream needs"),
        ("from-json", b'{"$text": 1}', "$[0]: $text needs"),
        ("from-json", b'{"$type": "dict", "entries": [[null, 1]]}', "None"),
    ],
)
def test_bad_input_is_one_line_on_stderr(
    file: Path, command: str, content: bytes, why: str
) -> None:
    file.write_bytes(content)
    ran = run(command, file)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"psrp clixml: {file}: ")
    assert why in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "hunter2" not in ran.stderr


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    missing = run("to-json", tmp_path / "missing")
    assert missing.exit_code == 2
    assert missing.stderr == f"psrp clixml: {tmp_path}/missing: No such file or directory\n"
    folder = run("from-json", "-", "-o", tmp_path, stdin=b"1")
    assert folder.exit_code == 2
    assert f"{tmp_path}: Is a directory" in folder.stderr
    assert "standard input: not JSON" in run("from-json", "-", stdin=b"").stderr


class _Full(io.RawIOBase):
    """A file on a disk without space."""

    def writable(self) -> bool:
        return True

    def write(self, _: Any) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("command", ["to-json", "from-json", "format"])
def test_a_full_disk_is_one_line_on_stderr(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, output = tmp_path / "file", str(tmp_path / "full")
    file.write_bytes(b"[1]" if command == "from-json" else dump_all([1]))
    monkeypatch.setattr("psremoting.cli.clixml._created", lambda _: io.BufferedWriter(_Full()))
    ran = run(command, file, "-o", output)
    assert ran.exit_code == 2
    assert ran.stderr == f"psrp clixml: {output}: No space left on device\n"


@pytest.mark.parametrize("command", ["to-json", "format"])
def test_nothing_is_printed_when_nothing_was_read(command: str, file: Path) -> None:
    file.write_bytes(b"<Objs>")
    ran = run(command, file)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"psrp clixml: {file}: ")


def test_the_result_can_go_to_a_file(file: Path, tmp_path: Path) -> None:
    file.write_bytes(dump_all([SecureString.from_sealed("YQ==")]))
    ran = run("to-json", file, "-o", tmp_path / "out")
    assert ran.stdout == ""
    back = run("from-json", tmp_path / "out", "--output", tmp_path / "again")
    assert back.exit_code == 0
    assert load_all((tmp_path / "again").read_bytes()) == [SecureString.from_sealed("YQ==")]


def test_a_code_page_can_be_named(file: Path) -> None:
    file.write_bytes(dump_all(["é"]).decode().encode("cp437"))
    assert run("to-json", file).exit_code == 2
    assert json.loads(run("to-json", file, "--encoding", "cp437").stdout) == "é"


def test_help_has_examples() -> None:
    examples = {"to-json": "services.xml", "from-json": "edited.json", "format": "body.xml"}
    for command, file in examples.items():
        for shown in (run("--help"), run(command, "--help")):
            assert shown.exit_code == 0
            assert f"psrp clixml {command} {file}" in shown.stdout


def test_recorded_files_go_to_json_and_back(tmp_path: Path) -> None:
    for name in ("Get-CimInstanceDisk.xml", "test_sanitise_clixml_with_error.xml"):
        file = next(WHOLE.rglob(name))
        ran = run("to-json", file, "-o", tmp_path / "json")
        assert ran.exit_code == 0, ran.stderr
        again = run("from-json", tmp_path / "json")
        first, second = load_streams(file.read_bytes()), load_streams(again.stdout_bytes)
        assert [item.stream for item in first] == [item.stream for item in second]
        assert identical([item.value for item in first], [item.value for item in second])


ERRORS = (
    '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="x"><S S="Error">wrong é_x000D__x000A_</S>'
    '<S S="verbose">more</S></Objs>'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_text_is_read_in_the_encodings_of_files(file: Path, encoding: str) -> None:
    file.write_bytes(ERRORS.encode(encoding))
    assert run("text", file).stdout == "wrong é\n"


def test_text_is_a_filter_that_takes_anything() -> None:
    assert run("text", "-", stdin=ERRORS.encode()).stdout == "wrong é\n"
    assert run("text", "--verbose", "-", stdin=ERRORS.encode()).stdout == (
        "wrong é\nVERBOSE: more\n"
    )
    for data in (b"", b"\xff\xfe\x00", b"\x80<Objs", ERRORS.encode()[:70], bytes(range(256))):
        assert run("text", "-", stdin=data).exit_code == 0
    assert run("text", "/no/such/file").exit_code == 2
