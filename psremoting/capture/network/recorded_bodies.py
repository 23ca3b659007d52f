"""Decryption of sealed bodies in recordings of HTTP messages: JSON lines, HAR, flows, SAZ, text.

The messages carry the tokens of the log-ons in their headers, as packets do. A recording that keeps
no connections, or numbers each request for itself, has one reader of log-ons for each host.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from psremoting.capture.http_message import HttpMessage, classify_body
from psremoting.capture.network.http_flows import RawMessage
from psremoting.capture.network.secrets import PacketSecrets
from psremoting.capture.network.unsealing import ConnectionKeys, Peers
from psremoting.capture.notices import Notice
from psrp.sansio import Side
from wsman.sealing import is_sealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from psremoting.capture.http_text import OtherText
    from psremoting.capture.source import CaptureError, Damage, Source

    Found = HttpMessage | Notice | OtherText | Damage

__all__ = ["RecordedBodies"]

_MAX_CONNECTIONS = 10_000
_PEER = b"", 0
_MECHANISMS = ("NTLM", "Kerberos", "CredSSP")


class RecordedBodies:
    """Opener of the messages of one recording.

    ``by_host`` shares log-ons between the connections of a host.
    """

    def __init__(
        self, source: Source, secrets: PacketSecrets | None, *, by_host: bool = False
    ) -> None:
        self._source = source
        self._secrets = secrets if secrets is not None else PacketSecrets()
        self._given = bool(self._secrets)
        self._by_host = by_host
        self._peers = Peers()
        self._keys: OrderedDict[tuple[int, str], ConnectionKeys] = OrderedDict()
        self._hosts: dict[int, str] = {}
        self._numbers = count(1)
        self._opened = False
        self._missing = ""

    def messages(self, recorded: Iterable[HttpMessage | OtherText | Damage]) -> Iterator[Found]:
        """Yield the messages with their bodies opened, and a line for each log-on.

        Raises CaptureError at the end if secrets were given and none of them opens anything.
        """
        for message in recorded:
            if not isinstance(message, HttpMessage) or not message.raw:
                yield message
                continue
            yield from self._message(message)
        if self._given and self._missing and not self._opened:
            raise self._failure()

    def _failure(self) -> CaptureError:
        return self._source.fail(f"no key given opens it; {self._missing}")

    def _message(self, message: HttpMessage) -> Iterator[Found]:
        keys = self._keys_of(message)
        raw = _raw(message)
        for finding in keys.receive(raw):
            if finding.data.get("mechanism") in _MECHANISMS or finding.type != "net:LogOn":
                yield Notice(
                    number=next(self._numbers), type=finding.type, side=finding.side,
                    offset=message.offset, connection=message.connection,
                    time=message.time, data=finding.data, in_packet=False,
                )  # fmt: skip
        if not message.body or not is_sealed(message.header("Content-Type")):
            yield replace(message, number=next(self._numbers))
            return
        for part in keys.open(raw):
            number = next(self._numbers)
            if part.text is None:
                if not self._missing and part.problem.startswith("missing: "):
                    self._missing = part.problem
                note = "; ".join(filter(None, (message.note, part.problem)))
                yield replace(message, number=number, body=part.sealed, note=note)
                continue
            self._opened = True
            kind = (("Content-Type", part.content_type),)
            soap, body = classify_body(part.text.rstrip(b"\0"), kind)
            yield replace(
                message, number=number, soap=soap, body=body, opened=part.key,
                headers=message.headers + kind,
            )  # fmt: skip

    def _keys_of(self, message: HttpMessage) -> ConnectionKeys:
        key = message.connection, ""
        if self._by_host:
            if message.side is Side.CLIENT:
                self._hosts[message.connection] = message.header("Host").lower()
            key = 0, self._hosts.get(message.connection, "")
            if message.side is Side.SERVER:
                self._hosts.pop(message.connection, None)
        found = self._keys.get(key)
        if found is None:
            found = ConnectionKeys(self._secrets, self._peers, _PEER, _PEER)
            self._keys[key] = found
            if len(self._keys) > _MAX_CONNECTIONS:
                self._keys.popitem(last=False)
        return found


def _raw(message: HttpMessage) -> RawMessage:
    return RawMessage(
        side=message.side,
        time=message.time or 0.0,
        packet=message.offset,
        start=message.start,
        status=message.status,
        headers=message.headers,
        body=message.body or b"",
        note=message.note,
    )
