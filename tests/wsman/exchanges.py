"""Recorded WS-Man exchanges as requests and responses, for the tests in this folder.

Three forms are read: YAML pairs, JSON lines of the live recordings, and JSON lines of the proxy
(`dir`, `conn`, `body`). Encrypted bodies are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.recordings import FIXTURES, SHARED

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One HTTP message with its envelope; ``request`` is the direction."""

    request: bool
    soap: str
    status: int = 200
    connection: int = 0
    failed: bool = False
    step: str = ""


def read_yaml(path: Path) -> Iterator[Message]:
    loaded = yaml.load(path.read_text("utf-8"), Loader=_LOADER)
    if isinstance(loaded, dict):
        for item in loaded["messages"]:
            yield Message(request=True, soap=item["request"])
            error = item.get("transport_error")
            status = int(error["code"]) if error else 200
            failed = item.get("http_error") in ("true", True)
            yield Message(
                request=False, soap=item.get("response") or "", status=status, failed=failed
            )
        return
    for item in loaded:
        yield Message(request=True, soap=item["Request"]["Body"])
        response = item["Response"]
        status = int(response["StatusCode"])
        yield Message(request=False, soap=response.get("Body") or "", status=status)


def read_json_lines(path: Path) -> Iterator[Message]:
    for line in path.read_text("utf-8").splitlines():
        item = json.loads(line)
        live = "from" in item
        request = item["from"] == "client" if live else item["dir"] == "c2s"
        text = item.get("soap") if live else item.get("body")
        start = str(item.get("start") or "")
        headers = {str(name).lower(): str(value) for name, value in item.get("headers") or ()}
        sealed = "encrypted" in headers.get("content-type", "") and not live
        words = start.split()
        yield Message(
            request=request,
            soap="" if sealed or not isinstance(text, str) else text,
            status=int(words[1]) if not request and len(words) > 1 else 200,
            connection=int(item.get("connection", item.get("conn", 0))),
            failed=bool(item.get("incomplete")),
            step=headers.get("x-step", ""),
        )


def read(path: Path) -> list[Message]:
    return list(read_yaml(path) if path.suffix == ".yml" else read_json_lines(path))


def recordings() -> list[Path]:
    """Return every file with plain envelopes: of the whole collection, or of the fixtures."""
    if SHARED is None:
        folders = [FIXTURES / name for name in ("wsman", "winrs", "wsman-live", "wsman-omi")]
    else:
        names = ("wsman-recordings", "winrs-recordings", "wsman-live", "wsman-omi")
        folders = [SHARED / name for name in names]
    found = [path for folder in folders for path in folder.glob("*") if folder.is_dir()]
    return sorted(path for path in found if path.suffix in (".yml", ".jsonl"))
