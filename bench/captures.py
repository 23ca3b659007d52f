"""Packet captures: traffic of others, plain WS-Man and sealed WS-Man, beside tshark.

tshark only counts the conversations of the same file; it does not open them.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.report import OURS, Clock, Row, Table
from psremoting.capture.decoding import decode
from psremoting.capture.network.secrets import PacketSecrets
from tests.capture.sealed_sessions import PASSWORD, Tls, Turn, identity, plain_turns, sealed_turns
from tests.capture.wire import ETHERNET, Frame, conversations, pcap, segment
from wsman.auth import Authentication

__all__ = ["memory", "tables"]

TSHARK = "tshark -z conv,tcp"
_MB = 1_000_000


def _repeated(turns: list[Turn], size: int) -> list[Frame]:
    """Return the session as often as it takes for about ``size`` bytes, each on new connections."""
    once = sum(len(data) for _, _, data in turns)
    numbers = max(number for number, _, _ in turns)
    copies = max(1, size // once)
    many = [
        (number + copy * numbers, client, data)
        for copy in range(copies)
        for number, client, data in turns
    ]
    return conversations(many)


def _others(size: int) -> list[Frame]:
    data = b"SSH-2.0-x\r\n" + bytes(range(256)) * (size // 256)
    return conversations([(1, False, data)])


def _write(path: Path, frames: list[Frame]) -> int:
    head = bytes(12) + b"\x08\0"
    path.write_bytes(pcap([Frame(f.time, head + f.data) for f in frames], link_type=ETHERNET))
    return path.stat().st_size


def _files(folder: Path, size: int) -> Iterator[tuple[str, Path, PacketSecrets | None]]:
    password = PacketSecrets()
    password.add_password(PASSWORD)
    log = folder / "keys.log"
    tls = Tls(identity(folder, "rsa"), log)
    makers: list[tuple[str, Callable[[], list[Frame]], PacketSecrets | None]] = [
        ("traffic of others", lambda: _others(size), None),
        ("plain WS-Man", lambda: _repeated(plain_turns(), size // 4), None),
        (
            "WS-Man in NTLM",
            lambda: _repeated(sealed_turns(Authentication.NTLM), size // 4),
            password,
        ),
        ("WS-Man in TLS 1.3", lambda: _repeated(tls.seal(plain_turns()), size // 4), None),
    ]
    for number, (case, make, secrets) in enumerate(makers):
        path = folder / f"{number}.pcap"
        _write(path, make())
        if case.startswith("WS-Man in TLS"):
            secrets = PacketSecrets()
            secrets.add_key_log(str(log))
        yield case, path, secrets


def tables(clock: Clock, *, quick: bool) -> Iterator[Table]:
    """Yield the table of speeds."""
    rows = []
    with TemporaryDirectory() as folder:
        for case, path, secrets in _files(Path(folder), (8 if quick else 40) * _MB):
            size = path.stat().st_size

            def work(path: Path = path, secrets: PacketSecrets | None = secrets) -> None:
                for _ in decode(path, secrets=secrets):
                    pass

            rows.append(Row(subject="captures", case=case, who=OURS, seconds=clock.simple(work),
                            size=size))  # fmt: skip
            if shutil.which("tshark"):
                command = ["tshark", "-q", "-z", "conv,tcp", "-r", str(path)]

                def other(command: list[str] = command) -> None:
                    subprocess.run(command, capture_output=True, check=True)

                rows.append(Row(subject="captures", case=case, who=TSHARK,
                                seconds=clock.simple(other), size=size))  # fmt: skip
    others = [TSHARK] if shutil.which("tshark") else []
    notes = ["tshark counts conversations only; we reassemble, open and decode all messages"]
    yield Table(title="captures", rows=rows, others=others, aims={}, elsewhere={}, notes=notes)


def memory(path: Path) -> None:
    """Decode one capture and print its size and the peak of memory.

    ``python -m bench.captures FILE``; without a file 2 GB of other traffic are made and removed,
    and with ``--connections N`` a capture of so many connections that do not end.
    """
    for _ in decode(path):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{path.stat().st_size / _MB:.0f} MB decoded, peak memory {peak:.0f} MiB")


def _make(path: Path, size: int) -> None:
    """Write a capture of ``size`` bytes: other traffic, with plain sessions of WS-Man in it."""
    head = bytes(12) + b"\x08\0"
    ours = [Frame(f.time, head + f.data) for f in conversations(plain_turns())]
    others = [Frame(f.time, head + f.data) for f in _others(4 * _MB)]
    part = pcap([*ours, *others], link_type=ETHERNET)
    with path.open("wb") as file:
        file.write(part)
        while file.tell() < size:
            file.write(part[24:])


def _make_connections(path: Path, count: int) -> None:
    """Write a hostile capture: connections that each begin a request of WS-Man and never end."""
    request = (
        b"POST /wsman HTTP/1.1\r\nHost: a\r\nContent-Type: application/soap+xml\r\n"
        b"Content-Length: 100000\r\n\r\n<" + bytes(199)
    )
    server = b"\x0a\xff\0\2", 5985
    with path.open("wb") as file:
        file.write(pcap([]))
        for number in range(count):
            client = (10 << 24 | number // 60_000).to_bytes(4, "big"), 1024 + number % 60_000
            frames = [
                Frame(1_700_000_000.0, segment(client, server, 1000, b"", 2)),
                Frame(1_700_000_000.0, segment(client, server, 1001, request, 0x18, 5001)),
            ]
            file.write(pcap(frames)[24:])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--connections"]:
        with TemporaryDirectory() as folder:
            _make_connections(Path(folder) / "many.pcap", int(sys.argv[2]))
            memory(Path(folder) / "many.pcap")
    elif len(sys.argv) > 1:
        memory(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as folder:
            _make(Path(folder) / "large.pcap", 2000 * _MB)
            memory(Path(folder) / "large.pcap")
