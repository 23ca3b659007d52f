"""Recording of live sessions: the command line, the library, both carriers, secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting import PSSession
from psremoting.capture import CaptureError, RecordedSecrets, Recorder, decode
from psremoting.capture.jsonlines import body
from psremoting.capture.secret_mask import FragmentMask, PacketMask
from psremoting.options import SessionOption
from psrp.clixml import SecureString
from psrp.fragments import split
from psrp.keys import seal_plain
from tests.capture.makers import output, packet, types
from tests.endpoint.served_wsman import PASSWORD, USER, Endpoint, serving
from tests.recordings import FIXTURES, ROOT


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("recorded")
    with serving(folder, "--record", str(folder / "server.jsonl")) as served:
        yield served


def psrp(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from psremoting.cli.entry import main; main()", *words],
        input=text, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip


def conversation(path: Path) -> list[tuple[Any, ...]]:
    """Return the messages: sender, target, type and size; and check that nothing is lost."""
    found = list(decode(path))
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0
    return [
        (entry.direction, entry.target, entry.type, entry.size)
        for entry in found
        if entry.event is not None
    ]


def by_target(path: Path) -> dict[Any, list[tuple[Any, ...]]]:
    made: dict[Any, list[tuple[Any, ...]]] = {}
    for sender, target, kind, size in conversation(path):
        made.setdefault((sender, target), []).append((kind, size))
    return made


@pytest.mark.parametrize("kind", ["invoke", "enter"])
def test_both_ends_of_a_recorded_session_decode_to_the_same_messages(
    kind: str, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "client.jsonl", tmp_path / "server.jsonl"
    start = "from psremoting.cli.entry import main; main()"
    server = f"process:{sys.executable} -c '{start}' serve --stdio --record {theirs}"
    if kind == "invoke":
        done = psrp("invoke", "--record", str(ours), server, "Show-Greeting Joe; Show-Streams")
    else:
        done = psrp("enter", "--record", str(ours), server, text="Show-Greeting Joe\nexit\n")
    assert "Hello, Joe!" in done.stdout, done.stderr
    assert by_target(ours) == by_target(theirs)
    assert "CREATE_PIPELINE" in types(decode(ours))


def test_an_embedded_session_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "embedded.jsonl"
    done = psrp("enter", "--record", str(path), text="Show-Greeting Joe\nexit\n")
    assert "Hello, Joe!" in done.stdout
    calls = [entry.event for entry in decode(path) if entry.type == "PIPELINE_HOST_CALL"]
    assert any("Hello, Joe!" in str(call) for call in calls)


@pytest.mark.parametrize("authentication", ["basic", "ntlm"])
def test_both_ends_of_a_recorded_wsman_session_decode_to_the_same_messages(
    authentication: str, endpoint: Endpoint, tmp_path: Path
) -> None:
    path = tmp_path / "client.jsonl"
    secure = authentication == "basic"
    port = endpoint.https if secure else endpoint.http
    url = f"{'https' if secure else 'http'}://localhost:{port}/wsman"
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    done = psrp(
        "invoke", "--record", str(path), url, "Show-Greeting Joe", "--user-name", USER,
        "--password-file", str(password), "--authentication", authentication,
        "--skip-ca-check", "--skip-cn-check", "--trusted-host", "*",
    )  # fmt: skip
    assert "Hello, Joe!" in done.stdout, done.stderr
    ours = by_target(path)
    theirs = by_target(endpoint.folder / "server.jsonl")
    assert {key: theirs[key] for key in ours if key[1]} == {
        key: messages for key, messages in ours.items() if key[1]
    }
    text = path.read_text()
    assert PASSWORD not in text
    assert b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in text


def test_times_of_a_recording_are_dates(tmp_path: Path) -> None:
    path = tmp_path / "dated.jsonl"
    with Recorder(path, clock=lambda: 1_795_262_400.25) as recorder:
        recorder.packets().record("server", packet(next(split(1, output("x"), 32768))))
    (found, _) = decode(path)
    assert found.carrier["time"] == 1_795_262_400.25
    first = json.loads(path.read_text())
    assert (first["recording"], first["began"]) == (1, "2026-11-21T12:00:00.250000+00:00")


def test_a_recording_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.jsonl"
    path.write_text('{"t":0,"from":"client","data":"","recording":2,"began":""}\n')
    with pytest.raises(CaptureError, match="expected version 1 of the recording, got 2"):
        list(decode(path))


def test_only_its_owner_reads_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "private.jsonl"
    Recorder(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("secrets", list(RecordedSecrets))
def test_a_secure_string_is_recorded_as_chosen(secrets: RecordedSecrets, tmp_path: Path) -> None:
    known = FIXTURES / "outofproc" / "probes" / "securestring-2.4.jsonl"
    path = tmp_path / "secret.jsonl"
    with Recorder(path, secrets=secrets) as recorder:
        tap = recorder.packets()
        for line in known.read_text("utf-8").splitlines():
            chunk = json.loads(line)
            tap.record(chunk["from"], b64decode(chunk["data"]))
        tap.end()
    before, after = secrets_of(known), secrets_of(path)
    assert before
    if secrets is RecordedSecrets.AS_SENT:
        assert after == before
    else:
        assert after == ["*" * len(text) for text in before]
    assert conversation(path) == conversation(known)


def secrets_of(path: Path) -> list[str]:
    """Return the secure strings of a recording."""
    found = []
    for entry in decode(path):
        pending = [body(entry, reveal=True)]
        while pending:
            form = pending.pop()
            if isinstance(form, dict):
                pending.extend(form.values())
                if form.get("$type") == "SecureString":
                    found.append(form["open"])
            elif isinstance(form, list):
                pending.extend(form)
    return found


async def test_the_library_records_a_session(tmp_path: Path) -> None:
    path = tmp_path / "library.jsonl"
    with Recorder(path) as recorder:
        options = SessionOption(recorder=recorder)
        async with PSSession.connect("local", options=options) as session:
            result = await session.call("Measure-Secret", SecureString("Pa55word"))
    assert result.output == [8]
    assert "PIPELINE_OUTPUT" in types(decode(path))


def secret_message(text: str) -> bytes:
    body = f'<Obj RefId="0"><MS><SS N="a&gt;b">{seal_plain(text)}</SS><S N="SS">kept</S></MS></Obj>'
    return output(None)[:40] + body.encode()


@given(
    st.text(min_size=1, max_size=40),
    st.integers(1, 60),
    st.lists(st.integers(1, 50), min_size=1, max_size=200),
)
def test_no_cut_shows_a_secret_and_nothing_else_changes(
    text: str, size: int, cuts: list[int]
) -> None:
    message = secret_message(text)
    stream = b"".join(split(1, message, 21 + size))
    mask, masked, rest = FragmentMask(), b"", stream
    for cut in cuts * (len(stream) + 1):
        if not rest:
            break
        masked += mask.mask(rest[:cut])
        rest = rest[cut:]
    expected = mask_by_hand(stream, size)
    assert masked == expected


def mask_by_hand(stream: bytes, size: int) -> bytes:
    """Return the stream with the secret of its only message masked after putting it together."""
    parts = [stream[at : at + 21 + size] for at in range(0, len(stream), 21 + size)]
    message = b"".join(part[21:] for part in parts)
    begin = message.index(b">", message.index(b"<SS")) + 1
    end = message.index(b"</SS>")
    stars = b"KgAqACoA" * (end - begin)
    text = bytes(
        old if old in b"=" else new for old, new in zip(message[begin:end], stars, strict=False)
    )
    message = message[:begin] + text + message[end:]
    return b"".join(
        part[:21] + message[index * size : (index + 1) * size] for index, part in enumerate(parts)
    )


def test_lines_that_hold_no_packets_are_recorded_as_they_are(tmp_path: Path) -> None:
    mask = PacketMask()
    for line in (b"", b"Welcome", b"<Data broken", b"<Data PSGuid='x'>not base64!</Data>"):
        assert mask.line("server", line) == line


def test_a_full_disk_ends_the_recording_and_not_the_session(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = psrp("invoke", "--record", "/dev/full", "local", "Show-Greeting Joe")
    assert "Hello, Joe!" in done.stdout
    assert "the recording is incomplete: No space left on device" in done.stderr


def test_a_recording_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    done = psrp("invoke", "--record", str(tmp_path / "no" / "file"), "local", "Show-Greeting Joe")
    assert done.returncode != 0
    assert "cannot record to" in done.stderr
    assert "Hello" not in done.stdout


def test_each_target_has_a_recording_of_its_own(tmp_path: Path) -> None:
    done = psrp(
        "invoke", "--record", str(tmp_path / "r.jsonl"), "local", "local", "Show-Greeting Joe"
    )
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r-2.jsonl", "r.jsonl"]
    assert all("PIPELINE_OUTPUT" in types(decode(path)) for path in tmp_path.iterdir())
