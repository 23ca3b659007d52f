"""Windows event logs as entries: exported XML, and ``.evtx`` files through a library.

Script blocks (4104) come in parts, which their ScriptBlockId joins: the whole script stands at the
place of its last part. Of WinRM's operational log the events of sessions, shells and log-ons are
described; all other events are kept as lines that are not shown by default.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lxml import etree

from psremoting.capture.entries import Entry
from psrp.clixml.file_text import decode_text
from psrp.sansio import ClixmlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.reassembly import Joiner
    from psremoting.capture.source import Source

__all__ = ["EVTX", "looks_like_events", "read_event_xml", "read_evtx"]

EVTX = b"ElfFile\0"
_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
_EVENTS = re.compile(
    r"(?:<\?xml[^>]*\?>\s*)?(?:<(?:\w+:)?Events[^>]*>\s*)?<(?:\w+:)?Event\s[^>]*" + _NAMESPACE
)
_START = re.compile(r"<(?P<prefix>(?:\w{1,40}:)?)Event[\s>]")
_POWERSHELL = ("PowerShell",)
_WINRM = ("WinRM", "Windows Remote Management")
_SCRIPT_BLOCK = 4104
_HEADER, _CHUNK, _FLAGS = 4096, 1 << 16, 120
"""Bytes of the header and of a chunk of an ``.evtx`` file."""
_MAX_EVENT = 4 << 20
_MAX_SCRIPTS = 1000
_MAX_SCRIPT_CHARACTERS = 64 << 20
_WINRM_EVENTS = {
    6: "creating a session to {connection}",
    8: "closing the session",
    15: "closing a command",
    16: "closing a shell",
    31: "a session was created",
    33: "the session was closed",
    91: "creating a shell on the server for {resourceUri}",
    132: "operation {operationName} completed",
    142: "operation {operationName} failed with error {errorCode}",
    161: "the client cannot authenticate: {authFailureMessage}",
    162: "authenticating the user failed: {errorCode}",
    168: "sending HTTP error to the client: {httpStatus}",
    169: "user {username} authenticated with {authenticationMechanism}",
}
"""Events of Microsoft-Windows-WinRM/Operational with the fields of their EventData."""
_LEVELS = {1: "critical", 2: "error", 3: "warning", 4: "information", 5: "verbose"}


def looks_like_events(text: str) -> bool:
    """Return True if a text begins with exported events."""
    return _EVENTS.match(text.lstrip("\ufeff \t\r\n")) is not None


def read_event_xml(source: Source, joiner: Joiner) -> Iterator[None]:
    """Feed the joiner from exported events. An event that cannot be read costs itself only."""
    data = source.whole()
    joiner.counts.carrier_bytes += len(data)
    reader = _Events(joiner)
    found = 0
    try:
        text = decode_text(data)
    except ClixmlError as error:
        raise source.fail(str(error)) from None
    for start, event in _whole_events(text):
        found += 1
        reader.event(event, {"event": found, "character": start})
        yield
    reader.end()
    yield
    if not found:
        raise source.fail("no whole event in this file", 0)
    tail = text.rstrip()
    if not tail.endswith(("Event>", "Events>")):
        raise source.fail("the recording ends inside an event")


def _whole_events(text: str) -> Iterator[tuple[int, str]]:
    """Yield each event with its place, up to one that has no end."""
    at = 0
    while (match := _START.search(text, at)) is not None:
        tag = f"</{match['prefix']}Event>"
        end = text.find(tag, match.end())
        if end < 0:
            return
        at = end + len(tag)
        yield match.start(), text[match.start() : at]


def read_evtx(source: Source, joiner: Joiner) -> Iterator[None]:
    """Feed the joiner from an ``.evtx`` file. Raises CaptureError without the library."""
    try:
        from evtx import PyEvtxParser
    except ModuleNotFoundError:
        raise source.fail(
            "cannot read .evtx: the library evtx is missing (pip install 'psremoting[capture]', "
            "or export the log as XML: wevtutil qe LOG /f:xml)",
            0,
        ) from None
    from io import BytesIO

    data = source.whole()
    joiner.counts.carrier_bytes += len(data)
    reader = _Events(joiner)
    number, damage = 0, ""
    try:
        records = iter(PyEvtxParser(BytesIO(data)).records())
        while True:
            number += 1
            try:
                record = next(records)
            except StopIteration:
                break
            except RuntimeError as error:
                # A record that the library cannot read: it goes on with the next one.
                if not _is_unused(data, str(error)):
                    damage = damage or str(error)
                continue
            if record is None:
                continue
            reader.event(record["data"], {"event": number})
            yield
    except BaseException as error:
        # The library is not written in Python: its panics are no Exceptions.
        panic = type(error).__name__ == "PanicException"
        if not panic and not isinstance(error, RuntimeError | OSError | ValueError):
            raise
        raise source.fail(f"not an event log: {error}", 0) from None
    finally:
        reader.end()
    yield
    if damage:
        raise source.fail(f"a record of the event log cannot be read: {damage}")
    # The library passes over chunks that are cut.
    if len(data) < _HEADER or len(data) < _HEADER + int.from_bytes(data[42:44], "little") * _CHUNK:
        raise source.fail("the recording ends inside a chunk", len(data))


def _is_unused(data: bytes, problem: str) -> bool:
    """Return True if a problem is that of a chunk which the log has not used yet.

    A log that was copied while it was in use has such chunks, empty or with old bytes.
    """
    found = re.search(r"chunk number (\d{1,5})", problem)
    if found is None:
        return False
    number = int(found[1])
    start = _HEADER + number * _CHUNK
    dirty = bool(data[_FLAGS] & 1)
    used = number < int.from_bytes(data[42:44], "little") and not dirty
    return not used and not data.startswith(b"ElfChnk\0", start)


@dataclass(slots=True)
class _Script:
    """The parts of a script block."""

    total: int
    entry: Entry
    parts: dict[int, str] = field(default_factory=dict)


class _Events:
    """Converter of events, each as XML, to entries."""

    def __init__(self, joiner: Joiner) -> None:
        self._joiner = joiner
        self._scripts: OrderedDict[str, _Script] = OrderedDict()
        self._held = 0
        self._parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, recover=False
        )

    def event(self, text: str, carrier: dict[str, Any]) -> None:
        """Take one event."""
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > _MAX_EVENT:
            self._joiner.error("limit", f"an event of {size} bytes", lost=size, carrier=carrier)
            return
        try:
            root = etree.fromstring(_without_declaration(text).encode("utf-8"), self._parser)
            entry = self._entry(root, carrier)
        except (etree.XMLSyntaxError, ValueError) as error:
            self._joiner.error("event", str(error), lost=size, carrier=carrier)
            return
        self._joiner.counts.bytes += size
        self._joiner.counts.accounted += size
        if entry.type == f"event:{_SCRIPT_BLOCK}" and entry.data.get("total", 1) > 1:
            self._part(entry)
        else:
            entry.data.pop("number", None)
            entry.data.pop("total", None)
            self._joiner.act(entry)

    def end(self) -> None:
        """Add the scripts of which parts are missing."""
        for name in list(self._scripts):
            self._finish(name)

    def _part(self, entry: Entry) -> None:
        name = entry.data.get("script_block", "")
        number, total = entry.data.pop("number"), entry.data.pop("total")
        script = self._scripts.setdefault(name, _Script(total, entry))
        script.entry = entry
        if number not in script.parts:
            script.parts[number] = entry.data["text"]
            self._held += len(entry.data["text"])
        if len(script.parts) >= script.total:
            self._finish(name)
        while len(self._scripts) > _MAX_SCRIPTS or self._held > _MAX_SCRIPT_CHARACTERS:
            self._finish(next(iter(self._scripts)))

    def _finish(self, name: str) -> None:
        script = self._scripts.pop(name)
        self._held -= sum(map(len, script.parts.values()))
        numbers = sorted(script.parts)
        script.entry.data["text"] = "".join(script.parts[each] for each in numbers)
        script.entry.data["parts"] = len(numbers)
        if len(numbers) < script.total:
            listed = ", ".join(map(str, numbers[:20]))
            script.entry.data["note"] = f"parts {listed} of {script.total}; the others are missing"
        self._joiner.act(script.entry)

    def _entry(self, root: Any, carrier: dict[str, Any]) -> Entry:
        system = _child(root, "System")
        if system is None:
            raise ValueError("expected an element System in the event")
        number = int(_text(system, "EventID") or "-1")
        provider = _attribute(system, "Provider", "Name")
        created = _attribute(system, "TimeCreated", "SystemTime")
        if (time := _seconds(created)) is not None:
            carrier["time"] = time
        if record := _text(system, "EventRecordID"):
            carrier["record"] = int(record)
        fields = _fields(root)
        data: dict[str, Any] = {
            "provider": provider,
            "channel": _text(system, "Channel"),
            "computer": _text(system, "Computer"),
            "user": _attribute(system, "Security", "UserID"),
            "process": _attribute(system, "Execution", "ProcessID"),
            "level": _LEVELS.get(int(_text(system, "Level") or "0"), ""),
        }
        shown = True
        if number == _SCRIPT_BLOCK and any(each in provider for each in _POWERSHELL):
            data |= _script(fields)
        elif number == 4103 and any(each in provider for each in _POWERSHELL):
            data |= _invocation(fields)
        elif number in _WINRM_EVENTS and any(each in provider for each in _WINRM):
            data |= {"text": _described(_WINRM_EVENTS[number], fields), "fields": fields}
        else:
            shown = False
            data |= {"text": f"{provider} {number}", "fields": fields}
        found = {name: value for name, value in data.items() if value not in ("", {}, None)}
        found.setdefault("text", "")
        return Entry(type=f"event:{number}", carrier=carrier, data=found, plumbing=not shown)


def _script(fields: dict[str, str]) -> dict[str, Any]:
    """Return the data of a script block: its text, or one part of it."""
    return {
        "text": fields.get("ScriptBlockText", ""),
        "script_block": fields.get("ScriptBlockId", ""),
        "path": fields.get("Path", ""),
        "number": _positive(fields.get("MessageNumber")),
        "total": _positive(fields.get("MessageTotal")),
    }


def _invocation(fields: dict[str, str]) -> dict[str, Any]:
    """Return the data of a pipeline's execution (module logging)."""
    context = {
        name.strip(): value.strip()
        for name, colon, value in (
            line.partition("=") for line in fields.get("ContextInfo", "").splitlines()
        )
        if colon
    }
    found: dict[str, Any] = {"text": fields.get("Payload", "").strip()}
    if context:
        found["context"] = context
    if user_data := fields.get("UserData", "").strip():
        found["user_data"] = user_data
    return found


def _described(form: str, fields: dict[str, str]) -> str:
    lowered = {name.lower(): value for name, value in fields.items()}
    return re.sub(r"\{(\w+)\}", lambda each: lowered.get(each[1].lower(), "?"), form)


def _fields(root: Any) -> dict[str, str]:
    """Return the named values of EventData, or the elements of UserData."""
    found: dict[str, str] = {}
    data = _child(root, "EventData")
    if data is not None:
        for number, each in enumerate(_elements(data), 1):
            found[each.get("Name") or str(number)] = each.text or ""
        return found
    user = _child(root, "UserData")
    for outer in _elements(user) if user is not None else ():
        for each in _elements(outer):
            found[etree.QName(each).localname] = each.text or ""
    return found


def _elements(node: Any) -> Iterator[Any]:
    return (each for each in node if isinstance(each.tag, str))


def _child(node: Any, name: str) -> Any:
    return next((each for each in _elements(node) if etree.QName(each).localname == name), None)


def _text(node: Any, name: str) -> str:
    found = _child(node, name)
    return (found.text or "").strip() if found is not None else ""


def _attribute(node: Any, name: str, attribute: str) -> str:
    found = _child(node, name)
    return str(found.get(attribute, "")) if found is not None else ""


def _positive(text: str | None) -> int:
    return max(1, int(text)) if text and text.isdigit() and len(text) < 8 else 1


def _seconds(text: str) -> float | None:
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text.replace(" UTC", "+00:00"))
    try:
        found = datetime.fromisoformat(shortened)
        return found.timestamp() if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _without_declaration(text: str) -> str:
    return re.sub(r"\A\s*<\?xml[^>]*\?>\s*", "", text)
