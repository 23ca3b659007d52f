"""The same scripts through pypsrp with PowerShell's plugin and with `psrp serve --process pwsh`:
requests and the content of answers have the same order.

The number of fragments in one answer may differ, and so may the number of answers that hold only
the middle of a message.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.endpoint.served_wsman import PASSWORD, USER, serving
from tests.live.wsman_peers import WSManServer

TIME_LIMIT = 400
pytestmark = pytest.mark.filterwarnings("ignore")

SCRIPTS = (Path(__file__).with_name("wsman_scripts.txt")).read_text("utf-8").splitlines()

_KINDS = {
    0x10002: "capability",
    0x21009: "private data",
    0x21005: "pool state",
    0x41004: "output",
    0x41005: "error",
    0x41006: "state",
    0x41007: "debug",
    0x41008: "verbose",
    0x41009: "warning",
    0x41010: "progress",
    0x41011: "information",
    0x41100: "host call",
}
_STATE = re.compile(rb'State">(\d)')


def kinds_in(text: str) -> list[str]:
    """Return the messages that begin in the streams of an envelope."""
    found = []
    for stream in re.findall(r"Stream [^>]*>([^<]*)<", text):
        data = b64decode(stream)
        at = 0
        while at + 21 <= len(data):
            _, _, flags, size = struct.unpack_from(">QQBI", data, at)
            at += 21
            if flags & 1:
                kind = struct.unpack_from("<I", data, at + 4)[0]
                state = (
                    _STATE.search(data[at : at + size]) if "state" in _KINDS.get(kind, "") else None
                )
                found.append(_KINDS.get(kind, hex(kind)) + (state[1].decode() if state else ""))
            at += size
    return found


def watch(connection: Any, log: list[tuple[str, ...]]) -> None:
    """Record every request and answer of a connection of pypsrp."""
    invoke = connection.invoke

    def watched(action: str, uri: str, resource: Any, *rest: Any, **named: Any) -> Any:
        asked = ElementTree.tostring(resource).decode() if resource is not None else ""
        target = "command" if "CommandId" in asked else "pool"
        operation = action.rsplit("/", 1)[-1]
        if operation != "Receive":
            codes = re.findall(r"Code>([^<]+)<", asked)
            log.append((operation, target, *(each.rsplit("/", 1)[-1] for each in codes)))
        answer = invoke(action, uri, resource, *rest, **named)
        text = ElementTree.tostring(answer).decode()
        kinds = kinds_in(text)
        log.extend((target, kind) for kind in kinds)
        states = re.findall(r"CommandState/(\w+)", text)
        # The state Running together with a stream, or with the middle of a message, has no meaning.
        log.extend((target, state) for state in states if state != "Running")
        return answer

    connection.invoke = watched


def sequences(port: int) -> dict[str, list[tuple[str, ...]]]:
    """Return the sequence of requests and answers at a server: opening, each script, closing."""
    from pypsrp.powershell import PowerShell, RunspacePool
    from pypsrp.wsman import WSMan

    log: list[tuple[str, ...]] = []
    found: dict[str, list[tuple[str, ...]]] = {}

    def keep(name: str) -> None:
        found[name] = list(log)
        log.clear()

    connection = WSMan(
        "127.0.0.1", port=port, ssl=False, auth="ntlm", encryption="always",
        username=USER, password=PASSWORD,
    )  # fmt: skip
    watch(connection, log)
    with connection:
        pool = RunspacePool(connection)
        pool.open()
        keep("open")
        for script in SCRIPTS:
            command = PowerShell(pool).add_script(script)
            command.invoke()
            command.close()
            keep(script)
        pool.close()
        keep("close")
    return found


def test_requests_and_answers_come_in_the_plugins_order(
    wsman_server: WSManServer, pwsh: str, tmp_path: Path
) -> None:
    pytest.importorskip("pypsrp")
    with serving(tmp_path, "--process", f"{pwsh} -s -NoLogo -NoProfile") as ours:
        here = sequences(ours.http)
    there = sequences(wsman_server.http)
    assert len(SCRIPTS) >= 60
    assert {name: here[name] for name in here if here[name] != there[name]} == {}
    assert here.keys() == there.keys()
