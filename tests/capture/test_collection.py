"""Every available recording is decoded: nothing is lost, and errors are reported.

The recordings are the reference. A table has each probe that sends broken bytes, with the rule that
it breaks; every other recording decodes without errors and without unexplained bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from psremoting.capture import CaptureError, Entry, Form, decode
from psremoting.capture.jsonlines import line
from psremoting.capture.timeline import Timeline
from psrp.fragments import HEADER_SIZE
from tests.recordings import FIXTURES, SHARED
from tests.rows import rows

SUFFIXES = (".yml", ".jsonl", ".xml")

#: Probe to the rule its error line names; those of message bodies name the message.
BROKEN = {
    "body-primitive": ["GET_AVAILABLE_RUNSPACES"],
    "capability-as-string": ["SESSION_CAPABILITY"],
    "fragment-empty-packet": ["packet-data-empty"],
    "fragment-gap": ["fragment-id-sequence"],
    "fragment-id-0": ["object-id-zero"],
    "fragment-interleaved": ["object-id-mismatch"],
    "garbage-at-once": ["packet-text"],
    "host-response-unknown": ["RUNSPACEPOOL_HOST_RESPONSE"],
    "init-bad-xml": ["INIT_RUNSPACEPOOL"],
    "init-empty-body": ["INIT_RUNSPACEPOOL"],
    "init-int64": ["INIT_RUNSPACEPOOL"],
    "init-no-min": ["INIT_RUNSPACEPOOL"],
    "init-string-number": ["INIT_RUNSPACEPOOL"],
    "input-bad-xml": ["PIPELINE_INPUT"],
    "line-across-lines": ["packet-xml", "packet-text"],
    "line-attribute-extra": ["packet-attributes"],
    "line-data-bad-base64": ["packet-base64"],
    "line-data-empty": ["packet-data-empty"],
    "line-data-selfclosed": ["packet-data-empty"],
    "line-guid-bad": ["packet-guid"],
    "line-leading-tab": ["packet-white-space"],
    "line-no-guid": ["packet-attributes"],
    "line-no-stream": ["packet-attributes"],
    "line-noise": ["packet-text"],
    "line-unknown-element": ["packet-element"],
    "line-xml-declaration": ["packet-xml"],
    "message-short-header": ["message"],
    "pipeline-no-cmds": ["CREATE_PIPELINE"],
    "pipeline-noinput-string": ["CREATE_PIPELINE"],
    "pipeline-without-AddToHistory": ["CREATE_PIPELINE"],
    "pipeline-without-HostInfo": ["CREATE_PIPELINE"],
    "pipeline-without-IsNested": ["CREATE_PIPELINE"],
    "protocol-missing": ["SESSION_CAPABILITY"],
    "serialization-missing": ["SESSION_CAPABILITY"],
    "set-max-ci-int32": ["SET_MAX_RUNSPACES"],
}

#: Probes whose client never finishes an object; the real server does not complain either.
UNFINISHED = {
    "fragment-empty-blob-end": 132,
    "fragment-empty-object": 21,
    "fragment-interleaved": 132,
    "fragment-repeated": 51,
    "fragment-second-start": 51,
}

#: read.jsonl also holds documents that the real reader refuses, and marks them.
DOCUMENTS_MEANT_BROKEN = "read.jsonl"

#: Files that are not recordings or have an unsupported format, with the expected error text.
REFUSED = {
    ".keytab": "not a recording",
    ".pem": "PEM file",
    ".txt": "not a recording",
    "": "not a recording",
    ".md": "not a recording",
}


def recordings() -> list[Path]:
    roots = [root for root in (FIXTURES, SHARED) if root is not None and root.is_dir()]
    return [p for root in roots for p in sorted(root.rglob("*")) if p.suffix in SUFFIXES]


def name(path: Path) -> str:
    root = FIXTURES if path.is_relative_to(FIXTURES) else SHARED
    assert root is not None
    return f"{root.name}/{path.relative_to(root)}"


def rules(entries: list[Entry]) -> list[str]:
    errors = [entry.data for entry in entries if entry.type == "error"]
    named = [data["message"] if data["rule"] == "message" else data["rule"] for data in errors]
    assert all(data["text"] for data in errors)
    return named


@rows("path", recordings(), ids=name)
def test_every_byte_of_a_recording_is_accounted_for(path: Path) -> None:
    entries = list(decode(path))
    counted: dict[str, Any] = entries[-1].data
    errors = rules(entries)
    if path.name == DOCUMENTS_MEANT_BROKEN:
        lines = [json.loads(row) for row in path.read_text("utf-8").splitlines()]
        refused = {row["name"] for row in lines if not row["ok"]}
        found = {entry.carrier["name"] for entry in entries if entry.type == "error"}
        assert found == refused | {"xmldoc-dtd"}  # a DTD is never expanded
        return
    assert errors == BROKEN.get(path.stem, [])
    unfinished = UNFINISHED.get(path.stem, 0)
    assert counted["incomplete"] == (1 if unfinished else 0)
    if not errors:
        assert counted["unaccounted"] == unfinished
    else:
        assert counted["unaccounted"] >= max(unfinished, 1)


@rows("path", recordings(), ids=name)
def test_the_summary_adds_up_and_every_line_can_be_shown(path: Path) -> None:
    """Compare the counts of the summary with counts of the lines."""
    entries = list(decode(path))
    *lines, last = entries
    counted: dict[str, Any] = last.data
    assert last.type == "summary"
    assert [entry.n for entry in entries] == list(range(1, len(entries) + 1))
    messages = [entry for entry in lines if entry.event is not None]
    assert counted["messages"] == len(messages)
    assert counted["errors"] == sum(entry.type == "error" for entry in lines)
    whole = [entry for entry in lines if entry.object_id is not None]
    assert counted["fragments"] == sum(entry.fragments or 0 for entry in whole)
    carried = sum((e.size or 0) + HEADER_SIZE * (e.fragments or 0) for e in messages)
    assert 0 <= counted["unaccounted"] <= counted["bytes"] - carried
    timeline = Timeline(plumbing=True, verbose=True)
    for entry in lines:
        read = json.loads(line(entry))
        assert list(read) == [
            "n", "direction", "target", "stream", "type", "rpid", "pid", "object_id",
            "fragments", "size", "carrier", "data",
        ]  # fmt: skip
        assert not any(set(text) & {"\n", "\r", "\x07"} for text in timeline.lines(entry))


def refused() -> list[Path]:
    if SHARED is None:
        return []
    return [p for p in sorted(SHARED.rglob("*")) if p.is_file() and p.suffix in REFUSED]


@rows("path", refused(), ids=name)
def test_a_file_that_is_not_a_recording_is_refused_in_one_line(path: Path) -> None:
    with pytest.raises(CaptureError) as caught:
        list(decode(path))
    text = str(caught.value)
    assert text.startswith(f"{path}: byte 0: ")
    assert REFUSED[path.suffix] in text
    assert "\n" not in text


def test_the_fixtures_are_small_and_of_every_form() -> None:
    files = [path for path in FIXTURES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4 << 20
    forms = {list(decode(path))[-1].data["form"] for path in files if path.suffix in SUFFIXES}
    assert forms >= {Form.YAML.value, Form.HTTP.value, Form.TRANSCRIPT.value}
