"""Decode one recording into entries, from its first byte to its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psremoting.capture.detect import Form, detect
from psremoting.capture.documents import read_documents, read_vectors
from psremoting.capture.entries import Counts, Entry
from psremoting.capture.http_text import read_http_text
from psremoting.capture.json_messages import read_har, read_json_lines
from psremoting.capture.key_ring import KeyRing
from psremoting.capture.packet_acts import read_packet_lines, read_transcript
from psremoting.capture.proxy_flows import read_flows, read_saz
from psremoting.capture.raw import read_fragments
from psremoting.capture.reassembly import Joiner
from psremoting.capture.refusals import mark_refused
from psremoting.capture.source import CaptureError, Source
from psremoting.capture.system_calls import read_system_calls
from psremoting.capture.windows_events import read_event_xml, read_evtx
from psremoting.capture.wsman_acts import WSManReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from psremoting.capture.http_message import HttpMessage
    from psremoting.capture.http_text import OtherText
    from psremoting.capture.network.secrets import PacketSecrets
    from psremoting.capture.source import Damage

__all__ = ["JSON_VERSION", "decode", "decode_source", "gather_packet_keys", "summary_data"]

JSON_VERSION = 1
"""Version of the JSON lines; members may be added without a new one."""


def decode(
    path: str | Path,
    form: Form | None = None,
    ring: KeyRing | None = None,
    secrets: PacketSecrets | None = None,
    follow: Callable[[], bool] | None = None,
) -> Iterator[Entry]:
    """Yield the entries of a file (``-`` is standard input); the last one is its summary.

    ``follow`` is called at the end of a file that may grow: it waits, and returns False to end.
    Raises CaptureError for a file that is not a recording, and after the summary for one that
    can be read only in part.
    """
    source = Source.open(path, follow)
    try:
        yield from decode_source(source, form, ring, secrets)
    finally:
        source.close()


def decode_source(
    source: Source,
    form: Form | None = None,
    ring: KeyRing | None = None,
    secrets: PacketSecrets | None = None,
) -> Iterator[Entry]:
    """Yield the entries of an open source, as `decode` does."""
    form = form or detect(source)
    joiner = Joiner(source.name, ring or KeyRing())
    failure: CaptureError | None = None
    number = 0
    feed = _feed(source, joiner, form, secrets)
    while failure is None:
        try:
            more = next(feed, _END) is not _END
        except CaptureError as error:
            failure, more = error, False
        for entry in joiner.ready() if more else joiner.end():
            number += 1
            entry.n = number
            yield entry
        if not more:
            break
    yield Entry(type="summary", n=number + 1, data=summary_data(source.name, joiner.counts, form))
    failure = failure or joiner.failure
    if failure is not None:
        raise failure


def _read_yaml(source: Source) -> Iterator[HttpMessage]:
    """Read YAML recordings; the YAML library is imported on use."""
    try:
        from psremoting.capture.yaml_exchanges import read_yaml
    except ModuleNotFoundError:
        raise source.fail(
            "cannot read YAML: PyYAML is missing (pip install 'psremoting[capture]')",
            0,
        ) from None
    yield from read_yaml(source)


_END = object()
_HTTP_READERS: dict[Form, Callable[[Source], Iterator[HttpMessage | OtherText | Damage]]] = {
    Form.YAML: _read_yaml,
    Form.HTTP: read_json_lines,
    Form.HTTP_TEXT: read_http_text,
    Form.HAR: read_har,
    Form.FLOWS: read_flows,
    Form.SAZ: read_saz,
}


def _feed(
    source: Source, joiner: Joiner, form: Form, secrets: PacketSecrets | None
) -> Iterator[object]:
    """Feed the joiner from the recording; each step may complete entries."""
    if form is Form.PACKETS_CAPTURED:
        yield from _feed_packets(source, joiner, secrets)
        return
    if form in _HTTP_READERS:
        # The bodies may be sealed; the readers of their keys load much, so on use only.
        from psremoting.capture.network.recorded_bodies import RecordedBodies

        reader = WSManReader(joiner)
        bodies = RecordedBodies(source, secrets, by_host=form in (Form.HAR, Form.SAZ))
        for message in mark_refused(bodies.messages(_HTTP_READERS[form](source))):
            reader.receive(message)
            yield None
    elif form is Form.TRANSCRIPT:
        yield from read_transcript(source, joiner)
    elif form is Form.STRACE:
        yield from read_system_calls(source, joiner)
    elif form is Form.EVENTS:
        yield from read_event_xml(source, joiner)
    elif form is Form.EVTX:
        yield from read_evtx(source, joiner)
    elif form is Form.PACKETS:
        yield from read_packet_lines(source, joiner)
    elif form is Form.CLIXML:
        yield from read_documents(source, joiner)
    elif form is Form.VECTORS:
        yield from read_vectors(source, joiner)
    else:
        yield from read_fragments(source, joiner, form)


def _feed_packets(
    source: Source, joiner: Joiner, secrets: PacketSecrets | None
) -> Iterator[object]:
    from psremoting.capture.network.packet_reader import PacketReader
    from psremoting.capture.network.secrets import PacketSecrets as NoSecrets

    packets = PacketReader(source, secrets if secrets is not None else NoSecrets())
    reader = WSManReader(joiner)
    try:
        for message in mark_refused(packets.messages()):
            reader.receive(message)
            yield None
    finally:
        for note, count in packets.notes.items():
            joiner.act(Entry(type="text", data={"text": f"{count} {note}"}, plumbing=True))


def gather_packet_keys(path: str, secrets: PacketSecrets) -> None:
    """Read the Kerberos exchanges of a capture file into ``secrets``; other files have none.

    Raises CaptureError for a file that cannot be opened.
    """
    from psremoting.capture.network.capture_files import is_packet_file
    from psremoting.capture.network.gathering import gather_keys

    source = Source.open(path)
    try:
        if is_packet_file(source.head):
            gather_keys(source, secrets)
    finally:
        source.close()


def summary_data(name: str, counts: Counts, form: Form | None = None) -> dict[str, Any]:
    """Return the members of a summary line."""
    return {
        "version": JSON_VERSION,
        "file": name,
        "form": form.value if form is not None else None,
        "messages": counts.messages,
        "acts": counts.acts,
        "fragments": counts.fragments,
        "bytes": counts.bytes,
        "carrier_bytes": counts.carrier_bytes,
        "errors": counts.errors,
        "incomplete": counts.incomplete,
        "unaccounted": counts.unaccounted,
    }
