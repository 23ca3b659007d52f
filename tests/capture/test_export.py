"""`psrp decode --export` and `--follow`."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from psremoting.capture import decode
from psremoting.capture.safe_names import safe_name, safe_parts
from psremoting.cli.main import main
from psrp import events as e
from psrp.clixml import Dictionary, load_all
from psrp.commands import PowerShell, command
from psrp.fragments import split
from psrp.host import HostInfo
from psrp.messages import encode
from psrp.sansio import Side
from tests.capture.makers import PIPE, POOL, output, packet, transcript, types
from tests.recordings import FIXTURES

SESSIONS = FIXTURES / "outofproc" / "sessions"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["decode", *words])


class Recording:
    """A transcript of commands of one pipeline id, as PowerShell uses it again."""

    def __init__(self) -> None:
        self._chunks: list[tuple[str, bytes]] = []
        self._objects = 0

    def say(self, sender: Side, message: bytes) -> None:
        self._objects += 1
        for part in split(self._objects, message, 32768):
            self._chunks.append((sender.value, packet(part, PIPE)))

    def run(self, name: str, *outputs: Any, **parameters: Any) -> None:
        event = e.CreatePipeline(
            pipeline_id=PIPE,
            powershell=PowerShell.of(command(name, **parameters)),
            no_input=True,
            host_info=HostInfo.null(),
        )
        self.say(Side.CLIENT, encode(event, POOL, sender=Side.CLIENT))
        for value in outputs:
            self.say(Side.SERVER, output(value))
        state = e.PipelineStateMessage(pipeline_id=PIPE, state=e.InvocationState.COMPLETED)
        self.say(Side.SERVER, encode(state, POOL, sender=Side.SERVER))

    def write(self, path: Path) -> str:
        path.write_text(transcript(self._chunks))
        return str(path)


def text(data: bytes) -> str:
    return b64encode(data).decode()


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_pipeline_has_a_folder_with_its_script_and_its_objects(tmp_path: Path) -> None:
    result = run("--export", str(tmp_path / "out"), str(SESSIONS / "streams.jsonl"))
    assert result.exit_code == 0
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name[:4] for name in folders] == ["001-", "002-", "003-"]
    last = tmp_path / "out" / folders[2]
    assert (last / "command.ps1").read_text("utf-8").strip().startswith("Write-Output out;")
    assert load_all((last / "output.clixml").read_bytes()) == ["out"]
    assert "ERROR_RECORD: an error [My.Id]" in (last / "records.txt").read_text("utf-8")


def test_input_is_exported_too(tmp_path: Path) -> None:
    run("--export", str(tmp_path / "out"), str(SESSIONS / "input.jsonl"))
    found = [load_all(path.read_bytes()) for path in tmp_path.rglob("input.clixml")]
    assert found
    assert all(found)


def test_copied_files_are_put_together_in_both_directions(tmp_path: Path) -> None:
    made = Recording()
    first, second = b"\0first", b"second\xff"
    to = "PSCopyToSessionHelper"
    made.run(to, copyToFilePath="C:\\x\\a.bin", createFile=True, b64Fragment=text(first))
    made.run(to, copyToFilePath="C:\\x\\a.bin", createFile=False, b64Fragment=text(second))
    made.run(to, copyToFilePath="/empty", createFile=True, emptyFile=True)
    for start, data in ((0, first), (len(first), second)):
        made.run(
            "PSCopyFromSessionHelper",
            Dictionary([("b64Fragment", text(data)), ("moreAvailable", not start)]),
            copyFromFilePath="/var/b.bin",
            copyFromStart=start,
            copyFromNumBytes=6,
        )
    out = tmp_path / "out"
    run("--export", str(out), made.write(tmp_path / "copy.jsonl"))
    assert files_below(out / "files") == {
        "to-server/C/x/a.bin": first + second,
        "to-server/empty": b"",
        "from-server/var/b.bin": first + second,
    }


@pytest.mark.parametrize(
    "name",
    [
        "../../../../escaped",
        "..\\..\\escaped",
        "/etc/passwd",
        "a/../../../escaped",
        "..",
        "\0\n/..",
    ],
)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    made = Recording()
    made.run("PSCopyToSessionHelper", copyToFilePath=name, createFile=True, b64Fragment=text(b"x"))
    made.run(f"../{name}")
    out = tmp_path / "in" / "out"
    path = made.write(tmp_path / "evil.jsonl")
    assert run("--export", str(out), path).exit_code == 0
    assert {each.name for each in tmp_path.iterdir()} == {"in", "evil.jsonl"}
    assert [each.name for each in (tmp_path / "in").iterdir()] == ["out"]
    assert b"x" in files_below(out / "files").values()


def test_two_files_that_share_a_safe_name_stay_apart(tmp_path: Path) -> None:
    made = Recording()
    for name in ("/a/x?", "/a/x*", "/a/x_/y"):
        data = text(name.encode())
        made.run("PSCopyToSessionHelper", copyToFilePath=name, createFile=True, b64Fragment=data)
    run("--export", str(tmp_path / "out"), made.write(tmp_path / "three.jsonl"))
    found = files_below(tmp_path / "out" / "files")
    assert sorted(found.values()) == [b"/a/x*", b"/a/x?", b"/a/x_/y"]


@pytest.mark.parametrize("name", ["", "...", "CON", "nul.txt", "a" * 500, "é\u202e", "-x", "a b"])
def test_a_safe_name_is_a_plain_file_name(name: str) -> None:
    made = safe_name(name)
    assert 0 < len(made) <= 101
    assert made.isascii()
    assert not set(made) & set('/\\:*?"<>| ')
    assert made.strip(".") == made
    assert made.partition(".")[0].upper() not in ("CON", "NUL")
    assert all(safe_parts(f"{name}/{name}"))


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("x")
    result = run("--export", str(tmp_path), str(SESSIONS / "hello.jsonl"))
    assert result.exit_code == 2
    assert "the folder is not empty" in result.stderr


def test_a_secret_in_exported_objects_is_masked_unless_revealed(tmp_path: Path) -> None:
    path = str(FIXTURES / "outofproc" / "probes" / "securestring-2.4.jsonl")
    run("--export", str(tmp_path / "masked"), path)
    run("--export", str(tmp_path / "open"), "--reveal", path)
    masked = b"".join(files_below(tmp_path / "masked").values())
    revealed = b"".join(files_below(tmp_path / "open").values())
    assert b"<SS" in revealed
    assert text("***".encode("utf-16-le"))[:6].encode() in masked
    assert text("***".encode("utf-16-le"))[:6].encode() not in revealed


def test_a_growing_file_is_followed_to_its_end(tmp_path: Path) -> None:
    lines = (SESSIONS / "hello.jsonl").read_bytes().splitlines(keepends=True)
    pieces = [b"".join(lines[:3]), *(part for line in lines[3:] for part in (line[:9], line[9:]))]
    path = tmp_path / "growing.jsonl"
    path.write_bytes(pieces.pop(0))
    waits = 0

    def follow() -> bool:
        nonlocal waits
        waits += 1
        if not pieces:
            return False
        with path.open("ab") as file:
            file.write(pieces.pop(0))
        return True

    found = []
    shown_early = False
    for entry in decode(path, follow=follow):
        shown_early = shown_early or bool(pieces)
        found.append(entry)
    assert shown_early
    assert waits > len(lines)
    assert types(found) == types(decode(SESSIONS / "hello.jsonl"))
