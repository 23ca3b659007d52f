"""Reassemble and decode messages that span packets, envelopes and connections.

Every stream (session, target, sender, priority) has its own defragmenter. Entries come out in
the order of their first fragments, so an unfinished message holds back later ones, and so does a
sealed message whose key has not come yet. Both wait in a queue of bounded length; when it is
full, the oldest message gives up its place and appears where it ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from psremoting.capture.entries import Counts, Entry
from psremoting.capture.key_ring import KeyMissing, KeyRing, Secrets, UnknownKey
from psremoting.capture.source import CaptureError
from psrp.clixml.read import loads
from psrp.events import EncryptedSessionKey, PublicKey, SessionCapability, UnknownMessage
from psrp.fragments import HEADER_SIZE, Defragmenter
from psrp.messages import Header, decode_body, read_header, type_name
from psrp.sansio import FragmentError, LimitExceeded, RemoteProtocolError, Side, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psremoting.capture.source import Damage
    from psrp.events import Event

__all__ = ["Joiner", "Session"]

MAX_HELD = 20_000
"""Maximum number of entries that wait for an earlier one."""
MAX_HELD_BYTES = 64 << 20
_MESSAGE_HEADER = 40
_TO_SERVER = 2


@dataclass(slots=True)
class _Place:
    """A line of the timeline, reserved by the first fragment of a message."""

    carrier: dict[str, Any]
    entry: Entry | None = None
    parked: _Parked | None = None
    given_up: bool = False
    held: int = 0
    """Bytes of the message in this place."""


@dataclass(slots=True)
class _Lane:
    """One stream of one target, sent by one side."""

    target: UUID | None
    side: Side
    stream: Stream
    defragmenter: Defragmenter
    place: _Place | None = None
    spoiled: bool = False

    @property
    def untouched(self) -> bool:
        """True if data arrived but contained no fragment so far."""
        return self.rest > 0 and not self.defragmenter.consumed

    @property
    def rest(self) -> int:
        """Bytes of an unfinished message."""
        return self.defragmenter.pending + self.defragmenter.unfinished


@dataclass(slots=True)
class _Parked:
    """A complete message that waits for its session key."""

    session: Session
    header: Header
    message: bytes
    entry: Entry


@dataclass(slots=True, eq=False)
class Session:
    """One runspace pool: a shell over WS-Man, one opening of an out-of-process connection."""

    secrets: Secrets
    whole: bool = False
    """True if the recording contains the beginning of the session."""
    bare: bool = False
    """True if only fragments were recorded; sender and target come from the messages."""
    enveloped: bool = False
    """True if payloads were complete, in envelopes, so that a short fragment is unexpected."""
    refused: bool = False
    """True for the payload of a request that the server refused."""
    lanes: dict[tuple[UUID | None, Side, Stream], _Lane] = field(default_factory=dict)
    parked: list[_Place] = field(default_factory=list)


class Joiner:
    """Converter of payloads and acts, in the order of the recording, to entries.

    ``name`` is the file name in the error for a key that does not fit.
    """

    def __init__(self, name: str, ring: KeyRing) -> None:
        self.counts = Counts()
        self.failure: CaptureError | None = None
        """The first session key that no given key decrypts."""
        self._name = name
        self._ring = ring
        self._queue: deque[_Place] = deque()
        self._held_bytes = 0
        self._sessions: list[Session] = []

    def session(
        self, *, whole: bool = False, bare: bool = False, enveloped: bool = False
    ) -> Session:
        """Add a session; see `Session` for the flags."""
        made = Session(secrets=Secrets(self._ring), whole=whole, bare=bare, enveloped=enveloped)
        self._sessions.append(made)
        return made

    # -- input of the readers

    def act(self, entry: Entry) -> None:
        """Add an act of the carrier; the caller counts its bytes."""
        self.counts.acts += 1
        self._append(entry)

    def text(self, entry: Entry, size: int) -> None:
        """Add payload that is not a message and is shown unchanged."""
        self.counts.bytes += size
        self.counts.accounted += size
        self.act(entry)

    def error(self, rule: str, text: str, *, lost: int = 0, **where: Any) -> None:
        """Add an error; ``lost`` is the number of payload bytes, not yet counted, that it costs."""
        self.counts.errors += 1
        self.counts.bytes += lost
        data = {"rule": rule, "text": text} | ({"bytes": lost} if lost else {})
        self._append(Entry(type="error", data=data, **where))

    def damage(self, damage: Damage) -> None:
        """Add an error for a line of the file that cannot be read."""
        self.failure = self.failure or damage.error
        carrier = {"line": damage.line.number, "file_offset": damage.line.offset}
        self.error("line", damage.error.text, lost=len(damage.line.data), carrier=carrier)

    def payload(
        self,
        session: Session,
        target: UUID | None,
        side: Side,
        stream: Stream,
        data: bytes,
        carrier: dict[str, Any],
    ) -> None:
        """Take the next bytes of one stream."""
        self.counts.bytes += len(data)
        lane = self._lane(session, target, side, stream)
        lane.defragmenter.receive_data(data)
        dropped = lane.defragmenter.dropped_fragments
        missing = "beginning" if lane.defragmenter.tolerate_leading_tail else "end"
        while not lane.spoiled:
            try:
                message = lane.defragmenter.next_message()
            except (FragmentError, LimitExceeded) as error:
                self._bad_fragment(session, lane, error, carrier)
                dropped = lane.defragmenter.dropped_fragments
                continue
            if dropped != lane.defragmenter.dropped_fragments:
                count = lane.defragmenter.dropped_fragments - dropped
                dropped = lane.defragmenter.dropped_fragments
                self._incomplete(
                    session,
                    lane,
                    f"{count} fragments of a message whose {missing} is not there",
                    carrier,
                )
            if message is None:
                break
            place, lane.place = lane.place or self._reserve(carrier), None
            self._message(session, lane, message, place, carrier)
        if lane.rest and lane.place is None and not lane.spoiled:
            lane.place = self._reserve(carrier)

    def refused_payload(
        self,
        session: Session,
        target: UUID | None,
        side: Side,
        stream: Stream,
        data: bytes,
        carrier: dict[str, Any],
    ) -> None:
        """Show the payload of a refused request, without any effect on the session.

        What cannot be decoded becomes a line of type ``refused``, and no error.
        """
        before = self.counts.accounted
        apart = Session(secrets=session.secrets, whole=True, refused=True)
        self._sessions.append(apart)
        self.payload(apart, target, side, stream, data, carrier)
        self.close(apart)
        self.counts.accounted = before + len(data)

    def forget(self, session: Session, target: UUID | None) -> None:
        """Drop the streams of a closed pipeline that hold no unfinished message."""
        for key in [k for k in session.lanes if k[0] == target]:
            if not session.lanes[key].rest:
                del session.lanes[key]

    def resume(self, session: Session) -> None:
        """Accept streams that begin inside an object, because another client connected."""
        session.whole = False

    def close(self, session: Session) -> None:
        """End a session; add entries for unfinished and for sealed messages."""
        for place in session.parked:
            self._decode_sealed(place)
        session.parked.clear()
        for lane in session.lanes.values():
            if session.enveloped and lane.untouched and lane.rest < HEADER_SIZE:
                self._too_short(lane)
            elif lane.rest and not lane.spoiled:
                rest = lane.defragmenter.pending
                running = lane.defragmenter.unfinished
                text = f"the recording ends inside a message: {rest + running} bytes are left"
                self._incomplete(session, lane, text, {})
        session.lanes.clear()
        if session in self._sessions:
            self._sessions.remove(session)

    # -- output

    def ready(self) -> Iterator[Entry]:
        """Yield the entries that wait for no earlier one."""
        queue = self._queue
        while queue:
            place = queue[0]
            if place.entry is None and not place.given_up:
                if len(queue) <= MAX_HELD and self._held_bytes <= MAX_HELD_BYTES:
                    return
                self._give_up(place)
            queue.popleft()
            self._held_bytes -= place.held
            if place.entry is not None:
                yield place.entry

    def end(self) -> Iterator[Entry]:
        """End the recording; yield all remaining entries."""
        for session in list(self._sessions):
            self.close(session)
        yield from self.ready()

    # -- inside

    def _lane(self, session: Session, target: UUID | None, side: Side, stream: Stream) -> _Lane:
        key = target, side, stream
        lane = session.lanes.get(key)
        if lane is None:
            made = Defragmenter(tolerate_leading_tail=not session.whole)
            lane = session.lanes[key] = _Lane(target, side, stream, made)
        elif lane.spoiled:
            # A real receiver never recovers. Packets mostly begin with a fragment, so the next
            # one is tried again, to show the traffic after the fault.
            lane.defragmenter, lane.spoiled = Defragmenter(), False
        return lane

    def _append(self, entry: Entry) -> None:
        self._queue.append(_Place(entry.carrier, entry))
        self._hold(self._queue[-1], entry)

    def _reserve(self, carrier: dict[str, Any]) -> _Place:
        place = _Place(carrier)
        self._queue.append(place)
        return place

    def _fill(self, place: _Place, entry: Entry) -> None:
        if place.given_up:
            self._append(entry)
            return
        place.entry, place.parked = entry, None
        self._hold(place, entry)

    def _hold(self, place: _Place, entry: Entry) -> None:
        size = len(entry.raw) if entry.raw is not None else entry.size or 0
        self._held_bytes += size - place.held
        place.held = size

    def _give_up(self, place: _Place) -> None:
        if place.parked is not None:
            place.parked.session.parked.remove(place)
            self._decode_sealed(place)
        else:
            place.given_up = True

    def _where(self, lane: _Lane, carrier: dict[str, Any]) -> dict[str, Any]:
        return {
            "direction": lane.side,
            "target": lane.target,
            "stream": lane.stream,
            "carrier": carrier,
        }

    def _bad_fragment(
        self,
        session: Session,
        lane: _Lane,
        error: FragmentError | LimitExceeded,
        carrier: dict[str, Any],
    ) -> None:
        if isinstance(error, FragmentError):
            rule, offset = error.rule, error.offset
        else:
            rule, offset = "limit", lane.defragmenter.consumed
        lane.spoiled = lane.defragmenter.spoiled
        if lane.place is not None:
            lane.place.given_up, lane.place = True, None
        where = self._where(lane, carrier | {"stream_offset": offset})
        if session.refused:
            self.act(Entry(type="refused", data={"rule": rule, "text": str(error)}, **where))
        else:
            self.error(rule, str(error), **where)

    def _too_short(self, lane: _Lane) -> None:
        """Show the bytes of a stream that has too few for the header of a fragment."""
        place, lane.place = lane.place or self._reserve({}), None
        text = f"{lane.rest} bytes, too few for a fragment"
        self.counts.acts += 1
        self.counts.accounted += lane.rest
        self._fill(
            place, Entry(type="unused", data={"text": text}, **self._where(lane, place.carrier))
        )

    def _incomplete(
        self, session: Session, lane: _Lane, text: str, carrier: dict[str, Any]
    ) -> None:
        if session.refused:
            self.counts.acts += 1
        else:
            self.counts.incomplete += 1
        place, lane.place = lane.place, None
        if place is None:
            place = self._reserve(carrier)
        self._fill(
            place,
            Entry(
                type="refused" if session.refused else "incomplete",
                data={"text": text},
                **self._where(lane, place.carrier),
            ),
        )

    def _message(
        self,
        session: Session,
        lane: _Lane,
        message: bytes,
        place: _Place,
        carrier: dict[str, Any],
    ) -> None:
        defragmenter = lane.defragmenter
        entry = Entry(
            type="error",
            object_id=defragmenter.object_id,
            fragments=defragmenter.fragment_count,
            size=len(message),
            raw=message,
            **self._where(lane, _from_to(place.carrier, carrier)),
        )
        self.counts.fragments += defragmenter.fragment_count
        try:
            header = read_header(message)
        except RemoteProtocolError as error:
            self._fail(session, place, entry, "message", error)
            return
        entry.rpid, entry.pid = header.rpid, header.pid
        if session.bare:
            sender = Side.CLIENT if header.destination == _TO_SERVER else Side.SERVER
            entry.direction, entry.target = sender, header.pid
        entry.type = type_name(header.message_type)
        try:
            self._decode(session, place, entry, header, message, session.secrets.opener)
        except KeyMissing:
            place.parked = _Parked(session, header, message, entry)
            session.parked.append(place)
            self._hold(place, entry)
        except UnknownKey as error:
            where = next((f"{k} {v}" for k, v in carrier.items()), "")
            self.failure = self.failure or CaptureError(self._name, f"{where}: {error}")
            session.secrets.ring = KeyRing((), session.secrets.ring.candidates)
            parked, session.parked = session.parked, []
            for other in parked:
                self._decode_sealed(other)

    def _decode(
        self,
        session: Session,
        place: _Place,
        entry: Entry,
        header: Header,
        message: bytes,
        unseal: Any,
    ) -> None:
        body = memoryview(message)[_MESSAGE_HEADER:]
        try:
            entry.event = _read_body(header, bytes(body), session.secrets.version, unseal)
            if isinstance(entry.event, UnknownMessage) and entry.event.body:
                loads(entry.event.body)
        except RemoteProtocolError as error:
            self._fail(session, place, entry, entry.type, error)
            return
        self.counts.messages += 1
        self.counts.accounted += len(message) + HEADER_SIZE * (entry.fragments or 0)
        self._fill(place, entry)
        self._learn(session, entry)

    def _fail(
        self, session: Session, place: _Place, entry: Entry, what: str, error: RemoteProtocolError
    ) -> None:
        if session.refused:
            self.counts.acts += 1
        else:
            self.counts.errors += 1
        entry.type = "refused" if session.refused else "error"
        entry.data = {"rule": "message", "message": what, "text": str(error)}
        self._fill(place, entry)

    def _learn(self, session: Session, entry: Entry) -> None:
        """Take the version and the keys from a message, for those after it."""
        event, secrets = entry.event, session.secrets
        if isinstance(event, SessionCapability) and entry.direction is not None:
            secrets.announced(entry.direction, event)
        elif isinstance(event, PublicKey):
            secrets.public_key(event)
        elif isinstance(event, EncryptedSessionKey) and secrets.session_key(event):
            parked, session.parked = session.parked, []
            for place in parked:
                held = place.parked
                if held is not None:
                    self._decode(
                        session, place, held.entry, held.header, held.message, secrets.opener
                    )

    def _decode_sealed(self, place: _Place) -> None:
        held = place.parked
        if held is not None:
            self._decode(held.session, place, held.entry, held.header, held.message, None)


def _read_body(header: Header, body: bytes, version: tuple[int, int] | None, unseal: Any) -> Event:
    """Decode a body. A secure string that cannot be decrypted stays encrypted."""
    read = partial(decode_body, header.message_type, header.pid, body)
    if version is not None:
        read = partial(read, version=version)
    if unseal is None:
        return read()
    failed = False

    def opener(text: str) -> str:
        nonlocal failed
        try:
            return str(unseal(text))
        except RemoteProtocolError:
            failed = True
            raise

    try:
        return read(unseal=opener)
    except RemoteProtocolError:
        if not failed:
            raise
        return read()


def _from_to(first: dict[str, Any], last: dict[str, Any]) -> dict[str, Any]:
    """Return the carrier of the first fragment, with the number of the last one's."""
    if first is last:
        return first
    for name in ("envelope", "packet"):
        if first.get(name) != last.get(name):
            return first | {f"last_{name}": last.get(name)}
    return first
