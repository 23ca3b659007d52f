"""Writing of SOAP envelopes.

lxml builds and escapes everything except base64. A stream's bytes are encoded directly into the
serialized text: while the tree is built, a processing instruction marks their position. No value
can forge one, because lxml escapes ``<``.

[MS-WSMV] 2.2.4 and 3.1.4.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree
from pybase64 import b64encode

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError
from wsman import names
from wsman.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsman.soap import Option

    Fill = Callable[["Body"], None]
    _Add = Callable[[str, str, str, str], etree._Element]

__all__ = ["Body", "Headers", "envelope_overhead", "payload_room", "write_envelope"]

_PREFIXES = {
    "s": names.SOAP,
    "a": names.ADDRESSING,
    "w": names.WSMAN,
    "p": names.WSMV,
    "rsp": names.SHELL,
    "x": names.TRANSFER,
    "n": names.ENUMERATION,
}
_ENVELOPE = f"{{{names.SOAP}}}Envelope"
_HEADER = f"{{{names.SOAP}}}Header"
_BODY = f"{{{names.SOAP}}}Body"
_MUST_UNDERSTAND = f"{{{names.SOAP}}}mustUnderstand"
_LANG = f"{{{names.XML}}}lang"
_PLACE = re.compile(rb"<\?base64 (\d+)\?>")

_ID = re.compile(r"[A-Za-z0-9:._-]*")
"""An id that needs no escaping."""
_MESSAGE_ID, _RELATES_TO = "=message=id=", "=relates=to="
"""Placeholders that no such id contains and no other value of ours does."""
_MAX_HEADER_TEXTS = 128

SLACK = 256
"""Bytes of an envelope that are reserved for ids and numbers of varying length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """The headers of one envelope. An empty value is omitted."""

    action: str = ""
    """The action URI; empty for that of the body's operation."""
    to: str = ""
    reply_to: str = ""
    """Requests: `names.ANONYMOUS`."""
    message_id: str = ""
    """``uuid:`` and a GUID in upper case."""
    relates_to: str = ""
    """Responses: the MessageID of the request."""
    resource_uri: str = ""
    session_id: str = ""
    """``uuid:`` and a GUID: constant for one client process."""
    operation_id: str = ""
    sequence_id: int | None = None
    activity_id: str = ""
    operation_timeout: float | None = None
    """Seconds."""
    max_envelope_size: int | None = None
    """Bytes."""
    locale: str = ""
    data_locale: str = ""
    compression: str = ""
    """``xpress`` or empty."""
    selectors: tuple[tuple[str, str], ...] = ()
    options: tuple[Option, ...] = ()


_START = etree.tostring(etree.Element(_ENVELOPE, nsmap=_PREFIXES))[:-2] + b">"
_END = b"</s:Envelope>"
_HEADER_TEXTS: dict[tuple[object, ...], bytes] = {}


class Body:
    """The body under construction: elements by qualified name, text and base64."""

    def __init__(self, parent: etree._Element) -> None:
        self._parent = parent
        self.payloads: list[bytes] = []

    def add(
        self,
        space: str,
        name: str,
        text: str | None = None,
        attributes: dict[str, str] | None = None,
        *,
        parent: etree._Element | None = None,
    ) -> etree._Element:
        """Append one element. Raises LocalProtocolError for text that XML cannot represent."""
        try:
            element = etree.SubElement(
                self._parent if parent is None else parent, f"{{{space}}}{name}", attributes
            )
            if text is not None:
                element.text = text
        except ValueError:
            raise LocalProtocolError(f"{name}: text with characters that XML excludes") from None
        return element

    def add_bytes(self, element: etree._Element, data: bytes) -> None:
        """Make ``data`` the base64 content of ``element``."""
        if data:
            element.append(etree.ProcessingInstruction("base64", str(len(self.payloads))))
            self.payloads.append(data)

    def unprefixed(self, parent: etree._Element, name: str, space: str) -> etree._Element:
        """Append an element that declares ``space`` as its default namespace.

        All known clients write creationXml and similar elements in this form.
        """
        element = etree.SubElement(parent, f"{{{space}}}{name}", nsmap={None: space})  # type: ignore[dict-item]
        return element


def write_envelope(
    headers: Headers, fill: Fill | None = None, *, action: str = "", encoding: str = "utf-8"
) -> bytes:
    """Write one envelope. ``fill(body)`` adds the elements of the body.

    ``encoding`` is ``utf-8`` (no byte order mark) or ``utf-16`` (with one).
    """
    root = etree.Element(_ENVELOPE, nsmap=_PREFIXES)
    body = Body(etree.SubElement(root, _BODY))
    if fill is not None:
        fill(body)
    # Both trees declare the same namespaces at their root, so the header's text can be inserted.
    rest = etree.tostring(root, encoding="UTF-8", xml_declaration=False).removeprefix(_START)
    written = _START + _written_header(headers, action or headers.action) + rest
    if body.payloads:
        parts = _PLACE.split(written)
        parts[1::2] = [b64encode(body.payloads[int(number)]) for number in parts[1::2]]
        written = b"".join(parts)
    return written if encoding == "utf-8" else written.decode().encode(encoding)


def _written_header(values: Headers, action: str) -> bytes:
    """Return the Header element. Only its ids differ between most envelopes of a peer."""
    message_id, relates_to = values.message_id, values.relates_to
    if values.operation_id or not (_ID.fullmatch(message_id) and _ID.fullmatch(relates_to)):
        return _header_text(values, action, message_id, relates_to)
    kept = (
        action, values.to, values.reply_to, values.resource_uri, values.session_id,
        values.sequence_id, values.activity_id, values.operation_timeout,
        values.max_envelope_size, values.locale, values.data_locale, values.compression,
        values.selectors, values.options, bool(message_id), bool(relates_to),
    )  # fmt: skip
    text = _HEADER_TEXTS.get(kept)
    if text is None:
        if len(_HEADER_TEXTS) >= _MAX_HEADER_TEXTS:
            _HEADER_TEXTS.clear()
        text = _header_text(
            values, action, _MESSAGE_ID if message_id else "", _RELATES_TO if relates_to else ""
        )
        _HEADER_TEXTS[kept] = text
    if message_id:
        text = text.replace(_MESSAGE_ID.encode(), message_id.encode())
    if relates_to:
        text = text.replace(_RELATES_TO.encode(), relates_to.encode())
    return text


def _header_text(values: Headers, action: str, message_id: str, relates_to: str) -> bytes:
    root = etree.Element(_ENVELOPE, nsmap=_PREFIXES)
    _write_headers(etree.SubElement(root, _HEADER), values, action, message_id, relates_to)
    text = etree.tostring(root, encoding="UTF-8", xml_declaration=False)
    return text.removeprefix(_START).removesuffix(_END)


def _write_headers(
    header: etree._Element, values: Headers, action: str, message_id: str, relates_to: str
) -> None:
    def add(space: str, name: str, text: str, understand: str) -> etree._Element:
        element = etree.SubElement(header, f"{{{space}}}{name}")
        if text:
            element.text = text
        if understand:
            element.set(_MUST_UNDERSTAND, understand)
        return element

    try:
        _write_addressing(add, header, values, action)
        if message_id:
            add(names.ADDRESSING, "MessageID", message_id, "")
        if relates_to:
            add(names.ADDRESSING, "RelatesTo", relates_to, "")
        _write_management(add, values)
    except ValueError:
        text = "a header holds characters that XML excludes"
        raise LocalProtocolError(text) from None


def _write_addressing(add: _Add, header: etree._Element, values: Headers, action: str) -> None:
    if action:
        add(names.ADDRESSING, "Action", action, "true" if values.reply_to else "")
    if values.to:
        add(names.ADDRESSING, "To", values.to, "")
    if values.reply_to:
        reply = add(names.ADDRESSING, "ReplyTo", "", "")
        address = etree.SubElement(reply, f"{{{names.ADDRESSING}}}Address")
        address.text = values.reply_to
        address.set(_MUST_UNDERSTAND, "true")


def _write_management(add: _Add, values: Headers) -> None:
    if values.resource_uri:
        add(names.WSMAN, "ResourceURI", values.resource_uri, "true")
    if values.max_envelope_size is not None:
        add(names.WSMAN, "MaxEnvelopeSize", str(values.max_envelope_size), "true")
    if values.operation_timeout is not None:
        add(names.WSMAN, "OperationTimeout", format_duration(values.operation_timeout), "")
    if values.locale:
        add(names.WSMAN, "Locale", "", "false").set(_LANG, values.locale)
    if values.data_locale:
        add(names.WSMV, "DataLocale", "", "false").set(_LANG, values.data_locale)
    if values.session_id:
        add(names.WSMV, "SessionId", values.session_id, "false")
    if values.operation_id:
        add(names.WSMV, "OperationID", values.operation_id, "false")
    if values.sequence_id is not None:
        add(names.WSMV, "SequenceId", str(values.sequence_id), "false")
    if values.activity_id:
        add(names.WSMV, "ActivityId", values.activity_id, "false")
    if values.compression:
        add(names.SHELL, "CompressionType", values.compression, "true")
    if values.selectors:
        group = add(names.WSMAN, "SelectorSet", "", "")
        for name, value in values.selectors:
            etree.SubElement(group, f"{{{names.WSMAN}}}Selector", Name=name).text = value
    if values.options:
        group = add(names.WSMAN, "OptionSet", "", "true")
        for option in values.options:
            each = etree.SubElement(group, f"{{{names.WSMAN}}}Option", Name=option.name)
            if option.must_comply:
                each.set("MustComply", "true")
            each.text = option.value


def envelope_overhead(headers: Headers, fill: Fill | None = None, *, action: str = "") -> int:
    """Return the bytes of an envelope whose streams are empty, with room for longer ids."""
    return len(write_envelope(headers, fill, action=action)) + SLACK


def payload_room(max_envelope_size: int, overhead: int) -> int:
    """Return how many bytes fit into one envelope after base64, at least 0."""
    return max((max_envelope_size - overhead) // 4 * 3, 0)
