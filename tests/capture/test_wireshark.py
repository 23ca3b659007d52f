"""The dissector for Wireshark, run by tshark."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from psremoting.capture import Entry, decode
from psremoting.capture.lua_dissector import dissector
from psremoting.cli.main import main
from psrp.enums import InvocationState
from psrp.messages import MessageType
from psrp.sansio import Side
from tests.capture.makers import capability, fragments, output, packet
from tests.capture.sealed_sessions import RECORDING, Tls, identity, plain_turns
from tests.capture.wire import conversations, pcap, pcapng
from tests.recordings import SHARED, needs_collection

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lua") / "psrp.lua"
    ran = CliRunner().invoke(main, ["wireshark", "--output", str(path)])
    assert ran.exit_code == 0
    assert path.read_text("utf-8") == dissector()
    return path


def tshark(script: Path, capture: Path, *fields: str) -> list[list[str]]:
    """Return the fields of all packets with PSRP; values of one packet are separated by commas."""
    chosen = [word for field in fields for word in ("-e", field)]
    ran = subprocess.run(
        ["tshark", "-X", f"lua_script:{script}", "-r", str(capture), "-Y", "psrp",
         "-T", "fields", *chosen],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "Lua Error" not in ran.stderr + ran.stdout
    return [row.split("\t") for row in ran.stdout.splitlines()]


def values(rows: list[list[str]], column: int = 0) -> list[int]:
    return [int(text, 0) for row in rows for text in row[column].split(",") if text]


def kinds(found: list[Entry]) -> list[int]:
    """Return the types of the messages; a message that continues elsewhere has one start, too."""
    return [MessageType[entry.type] for entry in found if entry.event is not None]


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "TLS with its key log"])
def test_the_streams_of_wsman_are_dissected(script: Path, tmp_path: Path, sealed: bool) -> None:
    capture = tmp_path / "session.pcapng"
    turns, key_log = plain_turns(), b""
    if sealed:
        log = tmp_path / "keys.log"
        turns = Tls(identity(tmp_path, "rsa"), log).seal(turns)
        key_log = log.read_bytes()
    port = 5986 if sealed else 5985
    capture.write_bytes(pcapng(conversations(turns, port=port), key_log=key_log))
    rows = tshark(script, capture, "psrp.message_type", "psrp.pipeline_state", "psrp.destination")
    found = list(decode(RECORDING))
    # Wireshark shows packets in their order, and we messages by their beginnings.
    assert sorted(values(rows)) == sorted(kinds(found))
    states = [
        int(getattr(entry.event, "state", 0)) for entry in found if entry.type == "PIPELINE_STATE"
    ]
    assert sorted(values(rows, 1)) == sorted(states)
    assert InvocationState.COMPLETED in values(rows, 1)
    assert set(values(rows, 2)) == {1, 2}


@needs_collection
def test_a_capture_of_powershell_is_dissected(script: Path) -> None:
    assert SHARED is not None
    path = SHARED / "wsman-live" / "managed-basic.pcapng"
    rows = tshark(script, path, "psrp.message_type")
    assert sorted(values(rows)) == sorted(kinds(list(decode(path))))


def test_packets_on_tcp_are_dissected(script: Path, tmp_path: Path) -> None:
    client = packet(fragments(1, capability("2.3", Side.CLIENT))[0], None)
    server = packet(fragments(1, capability("2.3", Side.SERVER))[0], None)
    long = b"".join(packet(part) for part in fragments(2, output("x" * 5000), 1000))
    capture = tmp_path / "packets.pcap"
    turns = [(1, True, client), (1, False, server + long)]
    capture.write_bytes(pcap(conversations(turns, 700, 4000)))
    rows = tshark(script, capture, "psrp.message_type", "psrp.fragment_id", "psrp.packet")
    assert values(rows) == [0x10002, 0x10002, 0x41004]
    assert values(rows, 1) == [0, 0, *range(6)]
    assert {name for row in rows for name in row[2].split(",")} == {"Data"}


def test_damaged_streams_raise_no_error_of_lua(script: Path, tmp_path: Path) -> None:
    turns = []
    for number, (connection, client, data) in enumerate(plain_turns()):
        at = data.find(b"</rsp:Stream>")
        if at > 0 and number % 2:
            data = data[: at - 40] + b"AAAA" * 10 + data[at:]
        turns.append((connection, client, data))
    capture = tmp_path / "damaged.pcap"
    capture.write_bytes(pcap(conversations(turns)))
    assert tshark(script, capture, "psrp.message_type")
