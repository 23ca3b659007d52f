"""Recordings of other tools: strace, mitmproxy, Fiddler, and Windows event logs."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from psremoting.capture import CaptureError, Entry, decode
from psremoting.capture.decoding import decode_source
from psremoting.capture.jsonlines import line
from psremoting.cli.main import main
from psrp.sansio import Side
from tests.capture.makers import capability, entries, fragments, output, packet, source
from tests.capture.sealed_sessions import RECORDING, envelopes, http
from tests.capture.wire import conversations, pcap
from tests.recordings import FIXTURES
from wsman.http import SOAP


def messages(found: list[Entry]) -> list[Any]:
    return [(e.type, json.loads(line(e))["data"]) for e in found if e.event is not None]


# -- strace

CLIENT_LINE = packet(fragments(1, capability("2.3", Side.CLIENT))[0], None)
SERVER_LINE = packet(fragments(1, capability("2.3", Side.SERVER))[0], None)
OUTPUT_LINE = packet(fragments(2, output("hello"))[0])


def quoted(data: bytes) -> str:
    return '"' + data.decode().replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') + '"'


def call(name: str, fd: int, data: bytes, prefix: str = "") -> str:
    size = len(data) + (100 if name == "read" else 0)
    return f"{prefix}{name}({fd}, {quoted(data)}, {size}) = {len(data)}\n"


@pytest.mark.parametrize(
    "prefix", ["", "1234  ", "[pid  1234] ", "1234  1700000000.25 ", "1234 10:11:12.5 "]
)
def test_the_calls_of_a_server_give_both_directions(prefix: str) -> None:
    half = len(SERVER_LINE) // 2
    text = (
        call("read", 5, b"\x7fELF", prefix)
        + call("read", 0, CLIENT_LINE, prefix)
        + f"{prefix}futex(0x7f, FUTEX_WAKE) = 0\n"
        + call("write", 1, SERVER_LINE[:half], prefix)
        + call("write", 1, SERVER_LINE[half:] + OUTPUT_LINE, prefix)
    )
    found = entries(text)
    assert [(e.type, e.direction) for e in found[:-1]] == [
        ("SESSION_CAPABILITY", Side.CLIENT),
        ("SESSION_CAPABILITY", Side.SERVER),
        ("PIPELINE_OUTPUT", Side.SERVER),
    ]
    assert found[-1].data["form"] == "strace"


def test_a_size_of_many_digits_is_no_call() -> None:
    text = call("write", 1, OUTPUT_LINE) + f'write(1, "x", 1) = {"9" * 5000}\n'
    assert [e.type for e in entries(text)[:-1]] == ["PIPELINE_OUTPUT"]


def test_the_calls_of_a_client_have_the_other_directions() -> None:
    text = call("write", 7, CLIENT_LINE) + call("read", 9, SERVER_LINE)
    assert [e.direction for e in entries(text)[:-1]] == [Side.CLIENT, Side.SERVER]


def test_a_call_that_another_thread_interrupts_is_joined() -> None:
    text = (
        "[pid 1] read(0,  <unfinished ...>\n"
        + call("write", 1, SERVER_LINE, "[pid 2] ")
        + f"[pid 1] <... read resumed>{quoted(CLIENT_LINE)}, 4096) = {len(CLIENT_LINE)}\n"
    )
    assert [e.direction for e in entries(text)[:-1]] == [Side.SERVER, Side.CLIENT]


def test_a_text_that_strace_cut_is_a_gap_and_nothing_more() -> None:
    cut = quoted(SERVER_LINE[:32])
    text = f"write(1, {cut}..., {len(SERVER_LINE)}) = {len(SERVER_LINE)}\n" + call(
        "write", 1, b"rest\n" + OUTPUT_LINE
    )
    found = entries(text)
    assert [e.type for e in found[:-1]] == ["error", "PIPELINE_OUTPUT"]
    assert "strace cut the text" in found[0].data["text"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_what_strace_really_prints_is_read(tmp_path: Path) -> None:
    log, given = tmp_path / "log", tmp_path / "given"
    given.write_bytes(CLIENT_LINE + OUTPUT_LINE.replace(b"Default", b"Default"))
    command = ["strace", "-f", "-ttt", "-e", "read,write", "-s", "1000000", "-o", str(log), "cat"]
    with given.open("rb") as file:
        ran = subprocess.run(command, stdin=file, capture_output=True, timeout=60, check=False)
    if ran.returncode:
        pytest.skip("strace may not trace here")
    found = list(decode(log))
    kinds = [e.type for e in found if e.event is not None]
    assert kinds == ["SESSION_CAPABILITY", "PIPELINE_OUTPUT"] * 2
    assert found[0].carrier["time"] > 1_600_000_000


# -- mitmproxy


def tnetstring(value: Any) -> bytes:
    """Return a value in the form of mitmproxy's flow files."""
    forms: list[tuple[type, Any, bytes]] = [
        (bool, lambda v: b"true" if v else b"false", b"!"),
        (int, lambda v: str(v).encode(), b"#"),
        (float, lambda v: repr(v).encode(), b"^"),
        (bytes, bytes, b","),
        (str, str.encode, b";"),
        (list, lambda v: b"".join(map(tnetstring, v)), b"]"),
        (dict, lambda v: b"".join(tnetstring(k) + tnetstring(x) for k, x in v.items()), b"}"),
    ]
    if value is None:
        return b"0:~"
    data, mark = next((make(value), mark) for kind, make, mark in forms if isinstance(value, kind))
    return b"%d:%b%b" % (len(data), data, mark)


def pairs() -> list[tuple[Any, Any]]:
    """Return the requests of the recorded session with their responses."""
    waiting: dict[int, Any] = {}
    found = []
    for each in envelopes():
        if each.from_client:
            waiting[each.connection] = each
        elif each.connection in waiting:
            found.append((waiting.pop(each.connection), each))
    return found


def flow_file() -> bytes:
    headers = [[b"Content-Type", SOAP.encode()]]
    made = b""
    for request, response in pairs():
        made += tnetstring(
            {
                "version": 20,
                "type": "http",
                "id": "x",
                "client_conn": {"id": str(request.connection), "peername": ["10.0.0.1", 5000]},
                "request": {
                    "method": b"POST",
                    "path": b"/wsman",
                    "headers": headers,
                    "content": request.soap.encode(),
                    "timestamp_start": 1_700_000_000.5,
                    "trailers": None,
                },
                "response": {
                    "status_code": int(response.start.split()[1]),
                    "reason": b"",
                    "headers": headers,
                    "content": response.soap.encode(),
                    "timestamp_start": 1_700_000_001.5,
                },
                "websocket": None,
                "intercepted": False,
            }
        )
    return made


def saz_file() -> bytes:
    data = io.BytesIO()
    kind = (("Content-Type", SOAP),)
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (request, response) in enumerate(pairs(), 1):
            start = "POST http://server.lab:5985/wsman HTTP/1.1"
            archive.writestr(f"raw/{number}_c.txt", http(start, kind, request.soap.encode()))
            status = f"{response.start} -"
            archive.writestr(f"raw/{number}_s.txt", http(status, kind, response.soap.encode()))
            timers = (
                '<Session><SessionTimers ClientBeginRequest="2026-11-28T10:00:00.1234567+01:00" '
                'ServerBeginResponse="2026-11-28T10:00:01.1234567+01:00" /></Session>'
            )
            archive.writestr(f"raw/{number}_m.xml", timers)
        archive.writestr("_index.htm", "<html/>")
    return data.getvalue()


@pytest.mark.parametrize("make", [flow_file, saz_file])
def test_flows_of_proxies_give_the_messages_of_the_session(make: Any) -> None:
    kind = {flow_file: "mitmproxy", saz_file: "saz"}[make]
    found = list(decode_source(source(make())))
    assert found[-1].data["form"] == kind
    assert found[-1].data["errors"] == 0
    whole = messages(list(decode(RECORDING)))
    # A request whose answer is not in the recording is not in the flows.
    assert 0 < len(whole) - 3 <= len(messages(found)) <= len(whole)
    assert all(item in whole for item in messages(found))
    assert found[0].carrier["time"] > 1_700_000_000


@given(st.integers(0, 5000), st.binary(max_size=3))
def test_a_damaged_flow_file_is_an_error_of_ours(cut: int, other: bytes) -> None:
    data = flow_file()[:20_000]
    data = data[:cut] + other + data[cut + len(other) :]
    with pytest.raises(CaptureError):
        list(decode_source(source(data)))


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_cut_archive_gives_the_sessions_before_the_cut(part: float) -> None:
    data, found = saz_file(), []
    with pytest.raises(CaptureError, match="the archive is cut"):
        found.extend(decode_source(source(data[: int(len(data) * part)])))
    whole = messages(list(decode_source(source(data))))
    assert messages(found)
    assert messages(found) == whole[: len(messages(found))]


def test_a_hostile_cut_archive_is_bounded() -> None:
    """Headers without end, each of which unpacks the same bomb."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(1 << 24)) + packer.flush()
    header = b"PK\x03\x04" + bytes(4) + b"\x08\0" + bytes(16) + b"\x0b\0\0\0raw/1_c.txt"
    with pytest.raises(CaptureError):
        list(decode_source(source((header + bomb) * 100)))


def test_an_archive_that_is_no_saz_is_refused() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("x.txt", "x")
    with pytest.raises(CaptureError, match="not an archive of Fiddler"):
        list(decode_source(source(data.getvalue())))
    with pytest.raises(CaptureError, match="not a ZIP file"):
        list(decode_source(source(saz_file()[:1000])))


# -- Windows events

EVENT = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
    "<Provider Name='{provider}' Guid='{{a0c1853b-5c40-4b15-8766-3cf1c58f985a}}'/>"
    "<EventID>{number}</EventID><Version>1</Version><Level>4</Level>"
    "<TimeCreated SystemTime='{time}'/><EventRecordID>7</EventRecordID>"
    "<Execution ProcessID='4120' ThreadID='1'/><Channel>C</Channel>"
    "<Computer>server.lab</Computer><Security UserID='S-1-5-21-1'/></System>"
    "<EventData>{data}</EventData></Event>"
)


def event(
    number: int, time: float, provider: str = "Microsoft-Windows-PowerShell", **data: Any
) -> str:
    rows = "".join(f"<Data Name='{name}'>{value}</Data>" for name, value in data.items())
    stamp = f"2023-11-14T22:13:{20 + time:010.7f}Z"
    return EVENT.format(number=number, time=stamp, provider=provider, data=rows)


def script(number: int, total: int, text: str, time: float, name: str = "b1") -> str:
    return event(
        4104, time, MessageNumber=number, MessageTotal=total, ScriptBlockText=text,
        ScriptBlockId=name, Path="",
    )  # fmt: skip


@pytest.mark.parametrize("form", ["bare", "root", "utf-16"])
def test_script_blocks_are_joined_from_their_parts(form: str) -> None:
    rows = script(1, 2, "Get-Process ", 1) + script(1, 1, "whole", 2, "b2")
    rows += script(2, 2, "| &amp;x", 3)
    data: bytes = rows.encode()
    if form == "root":
        data = f'<?xml version="1.0" encoding="utf-8"?><Events>{rows}</Events>'.encode()
    if form == "utf-16":
        data = rows.encode("utf-16")
    found = list(decode_source(source(data)))
    assert [(e.type, e.data["text"]) for e in found[:-1]] == [
        ("event:4104", "whole"),
        ("event:4104", "Get-Process | &x"),
    ]
    assert found[1].data["parts"] == 2
    assert found[1].data["computer"] == "server.lab"
    assert found[1].carrier["time"] == pytest.approx(1_700_000_003)
    assert found[-1].data["unaccounted"] == 0


def test_a_script_block_with_missing_parts_says_which() -> None:
    found = entries(script(1, 3, "a", 1) + script(3, 3, "c", 2))
    assert found[0].data["text"] == "ac"
    assert found[0].data["note"] == "parts 1, 3 of 3; the others are missing"


def test_events_of_winrm_are_described_and_others_are_kept_aside() -> None:
    winrm = "Microsoft-Windows-WinRM"
    rows = (
        event(6, 0, winrm, connection="server/wsman?PSVersion=5.1")
        + event(91, 1, winrm, resourceUri="http://schemas.microsoft.com/powershell/x")
        + event(142, 2, winrm, operationName="CreateShell", errorCode=5)
        + event(169, 3, winrm, username="LAB\\bob", authenticationMechanism="NTLM")
        + event(
            4103, 4, ContextInfo="User = LAB\\bob\n Command Name = x", Payload="CommandInvocation"
        )
        + event(4624, 5, "Microsoft-Windows-Security-Auditing", TargetUserName="bob")
    )
    found = entries(rows)[:-1]
    assert [e.data["text"] for e in found] == [
        "creating a session to server/wsman?PSVersion=5.1",
        "creating a shell on the server for http://schemas.microsoft.com/powershell/x",
        "operation CreateShell failed with error 5",
        "user LAB\\bob authenticated with NTLM",
        "CommandInvocation",
        "Microsoft-Windows-Security-Auditing 4624",
    ]
    assert [e.plumbing for e in found] == [False] * 5 + [True]
    assert found[4].data["context"] == {"User": "LAB\\bob", "Command Name": "x"}


def test_a_broken_event_costs_itself_and_a_cut_file_is_named() -> None:
    rows = script(1, 1, "one", 1) + script(1, 1, "<<", 2) + script(1, 1, "three", 3)
    found = entries(rows)
    assert [e.type for e in found] == ["event:4104", "error", "event:4104", "summary"]
    with pytest.raises(CaptureError, match="ends inside an event"):
        entries(rows[:-20])


def test_many_events_without_end_are_passed_over_in_linear_time() -> None:
    with pytest.raises(CaptureError, match="no whole event"):
        entries("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>" * 100_000)


def test_an_event_cannot_name_entities_of_files() -> None:
    rows = script(1, 1, "&x;", 1)
    bomb = '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + rows
    found = list(decode_source(source(rows + bomb)))
    assert [e.type for e in found[:-1]] == ["error", "error"]


def test_events_merge_with_a_capture_by_time(tmp_path: Path) -> None:
    one, other = tmp_path / "a.pcap", tmp_path / "b.xml"
    request = http("POST /wsman HTTP/1.1", (("Content-Type", SOAP),), envelopes()[0].soap.encode())
    one.write_bytes(pcap(conversations([(1, True, request)])))
    other.write_text(script(1, 1, "before", -5) + script(1, 1, "after", 5))
    ran = CliRunner().invoke(main, ["decode", "--json", str(one), str(other)])
    rows = [json.loads(row) for row in ran.stdout.splitlines()]
    assert ran.exit_code == 0
    kinds = [row["type"] for row in rows]
    assert kinds[0] == kinds[-2] == "event:4104"
    assert "wsman:Create" in kinds
    assert [row["n"] for row in rows[:-1]] == list(range(1, len(rows)))
    assert rows[0]["carrier"]["file"] == str(other)
    assert rows[-1]["type"] == "summary"
    assert rows[-1]["data"]["files"] == 2


def test_an_event_log_file_needs_its_library_or_is_read(tmp_path: Path) -> None:
    pytest.importorskip("evtx", reason="the library evtx is not installed")
    path = tmp_path / "x.evtx"
    header = b"ElfFile\0" + bytes(34) + (1).to_bytes(2, "little") + bytes(4052)
    path.write_bytes(header + bytes(5000))
    with pytest.raises(CaptureError, match=r"x\.evtx: .*the recording ends inside a chunk"):
        list(decode(path))


def test_packets_recorded_by_tee_are_read() -> None:
    rows = (FIXTURES / "outofproc" / "sessions" / "streams.jsonl").read_text().splitlines()
    from base64 import b64decode

    whole = b"".join(b64decode(json.loads(row)["data"]) for row in rows
                     if json.loads(row)["from"] == "server")  # fmt: skip
    found = entries(whole)
    assert found[-1].data["form"] == "packets"
    assert found[-1].data["errors"] == found[-1].data["unaccounted"] == 0
