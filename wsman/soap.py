"""Reading of SOAP envelopes as WS-Management peers send them.

Envelopes of a peer are read without DTD, entities and network access, and every fault in one is a
`SoapError` that names the element. The reader tolerates four deviations of real peers: a recorded
string declares another encoding than it has; NUL bytes follow the end (a client that seals in
blocks of 16 includes them in the length); attribute values use undeclared prefixes; attributes
such as ``mustUnderstand`` are in any namespace or in none.

[MS-WSMV] 2.2.4 and 3.1.4, [MS-WSMAN] 2.2.4.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree
from pybase64 import b64decode

from psrp.sansio import LimitExceeded, RemoteProtocolError
from wsman import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Command",
    "CommandState",
    "Envelope",
    "Fault",
    "Option",
    "Payload",
    "SoapError",
    "attribute",
    "children",
    "decode_base64",
    "find",
    "local_name",
    "parse",
    "read_command",
    "read_command_states",
    "read_fault",
    "read_payloads",
    "read_selectors",
    "read_shell",
    "read_shells",
    "read_signal",
    "text_of",
]

MAX_ENVELOPE = 16 << 20
"""Bytes of one envelope. Servers take 500 KiB by default and 4 MiB when configured so."""

_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*\?>")


class SoapError(RemoteProtocolError):
    """An envelope cannot be read. ``element`` names the element, or is empty."""

    def __init__(self, text: str, element: str = "") -> None:
        super().__init__(text + (f" (at {element})" if element else ""))
        self.element = element


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One wsman:Option."""

    name: str
    value: str
    must_comply: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message: the headers that are used here, and the body's first element.

    An absent header is an empty string, an empty tuple, or None for a number.
    """

    action: str
    message_id: str = ""
    relates_to: str = ""
    to: str = ""
    reply_to: str = ""
    resource_uri: str = ""
    session_id: str = ""
    operation_id: str = ""
    sequence_id: str = ""
    activity_id: str = ""
    operation_timeout: str = ""
    compression: str = ""
    locale: str = ""
    data_locale: str = ""
    max_envelope_size: int | None = None
    selectors: tuple[tuple[str, str], ...] = ()
    """Name and value in document order, including repeated names."""
    options: tuple[Option, ...] = ()
    must_understand: frozenset[str] = frozenset()
    """Local names of the headers that were sent with mustUnderstand="true"."""
    unknown: tuple[str, ...] = ()
    """Qualified names (``{namespace}name``) of the headers that are not read here."""
    repeated: tuple[str, ...] = ()
    """Local names of known headers that occur more than once; the last value is used."""
    body: etree._Element | None = None

    @property
    def operation(self) -> str:
        """``Create``, ``ReceiveResponse``, ``Fault`` ...; `Identify` has no action."""
        if self.action:
            return names.operation_name(self.action)
        return local_name(self.body) if self.body is not None else ""

    def selector(self, name: str) -> str:
        """Return a selector's value; names are compared without case. [MS-WSMV] 3.1.4.1.2"""
        wanted = name.lower()
        return next((value for key, value in self.selectors if key.lower() == wanted), "")

    def option(self, name: str) -> str | None:
        """Return an option's value, or None if it was not sent."""
        return next((option.value for option in self.options if option.name == name), None)

    @property
    def shell_id(self) -> str:
        """The shell's id: the selector, else the id that Create proposes or its response has."""
        return self.selector("ShellId") or read_shell(self).get("ShellId", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Base64 text that an envelope carries for a shell or a command, not yet decoded."""

    element: str
    """``creationXml``, ``connectXml``, ``connectResponseXml``, ``Arguments`` or ``Stream``."""
    text: str
    stream: str = ""
    """The Name of a Stream."""
    command_id: str = ""
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """rsp:CommandLine, or a CommandResponse (then only its id)."""

    command_id: str = ""
    command: str = ""
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandState:
    """rsp:CommandState; ``state`` is the last part of its URI: Done, Running, Pending."""

    state: str
    command_id: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A SOAP fault with Windows' detail. [MS-WSMV] 2.2.4.43"""

    code: str = ""
    """``Sender`` or ``Receiver``."""
    subcode: str = ""
    """``TimedOut``, ``AccessDenied`` ... without its prefix."""
    reason: str = ""
    detail: str = ""
    """The wsman:FaultDetail URI."""
    wsman_code: int | None = None
    machine: str = ""
    message: str = ""
    """All text of the innermost f:Message."""
    provider: str = ""


# -- parsing


def parse(data: bytes | str, *, max_size: int = MAX_ENVELOPE) -> Envelope:
    """Parse one envelope. Raises SoapError, and LimitExceeded for over ``max_size`` bytes."""
    root = _root(data, max_size)
    if root.tag != f"{{{names.SOAP}}}Envelope":
        raise SoapError(f"expected a SOAP 1.2 Envelope, got {root.tag!r}")
    fields: dict[str, object] = {}
    body: etree._Element | None = None
    for part in children(root):
        if local_name(part) == "Header":
            fields = _read_headers(part)
        elif local_name(part) == "Body":
            body = next(children(part), None)
    fields.setdefault("action", "")
    if body is not None and local_name(body) == "ResourceCreated":
        fields.setdefault("selectors", _reference_selectors(body))
    return Envelope(body=body, **fields)  # type: ignore[arg-type]


def _read_headers(header: etree._Element) -> dict[str, object]:
    fields: dict[str, object] = {}
    must_understand: set[str] = set()
    unknown: list[str] = []
    repeated: list[str] = []
    for element in children(header):
        local = local_name(element)
        read = _HEADERS.get(local)
        if attribute(element, "mustUnderstand") in ("true", "1"):
            must_understand.add(local)
        if read is None:
            unknown.append(str(element.tag))
            continue
        name, value = read(element)
        if name in fields:
            repeated.append(local)
        fields[name] = value
    return fields | {
        "must_understand": frozenset(must_understand),
        "unknown": tuple(unknown),
        "repeated": tuple(repeated),
    }


def _root(data: bytes | str, max_size: int) -> etree._Element:
    if len(data) > max_size:
        raise LimitExceeded("SOAP envelope", len(data), max_size)
    raw = _utf_8(data).rstrip(b"\0")
    if found := _DECLARATION.match(raw):
        raw = raw[found.end() :]
    if b"<!DOCTYPE" in raw:
        raise SoapError("a document type declaration is not allowed")
    # Use a new parser for each envelope: a shared one would keep a growing log.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True,
        remove_pis=True, encoding="utf-8",
    )  # fmt: skip
    try:
        return etree.fromstring(raw.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SoapError(f"not well-formed XML: {error}") from None


def _utf_8(data: bytes | str) -> bytes:
    """Return the text in UTF-8 without a byte order mark."""
    if isinstance(data, str):
        return data.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
    if data[:2] not in (b"\xff\xfe", b"\xfe\xff") and data[1:2] != b"\0":
        return data.removeprefix(b"\xef\xbb\xbf")
    # Without a byte order mark, the second byte of "<" determines the byte order.
    encoding = "utf-16" if data[:1] in (b"\xff", b"\xfe") else "utf-16-le"
    try:
        return data.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise SoapError(f"not {encoding} at byte {error.start}") from None


def local_name(element: etree._Element) -> str:
    """Return the tag without its namespace; empty for a comment."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(element: etree._Element) -> Iterator[etree._Element]:
    """Return the child elements, without comments."""
    return (child for child in element if isinstance(child.tag, str))


def text_of(element: etree._Element | None) -> str:
    """Return the element's text without surrounding white space; empty for None."""
    return (element.text or "").strip() if element is not None else ""


def attribute(element: etree._Element, name: str) -> str:
    """Return an attribute by its local name; peers use any namespace."""
    if (value := element.get(name)) is not None:
        return str(value)
    tail = "}" + name
    return next((str(v) for k, v in element.items() if str(k).endswith(tail)), "")


def find(element: etree._Element | None, name: str) -> etree._Element | None:
    """Return the first element with that local name: ``element`` itself or a descendant."""
    if element is None:
        return None
    return next(element.iter("{*}" + name), None)


def _number(element: etree._Element) -> int | None:
    text = text_of(element)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def read_selectors(element: etree._Element) -> tuple[tuple[str, str], ...]:
    """Return name and value of the Selector elements of a SelectorSet."""
    return tuple(
        (attribute(child, "Name"), text_of(child))
        for child in children(element)
        if local_name(child) == "Selector"
    )


def _reference_selectors(created: etree._Element) -> tuple[tuple[str, str], ...]:
    found = find(created, "SelectorSet")
    return read_selectors(found) if found is not None else ()


def _options(element: etree._Element) -> tuple[Option, ...]:
    return tuple(
        Option(
            name=attribute(child, "Name"),
            value=text_of(child),
            must_comply=attribute(child, "MustComply").lower() in ("true", "1"),
        )
        for child in children(element)
        if local_name(child) == "Option"
    )


_HEADERS: dict[str, Callable[[etree._Element], tuple[str, object]]] = {
    "Action": lambda e: ("action", text_of(e)),
    "MessageID": lambda e: ("message_id", text_of(e)),
    "RelatesTo": lambda e: ("relates_to", text_of(e)),
    "To": lambda e: ("to", text_of(e)),
    "ReplyTo": lambda e: ("reply_to", text_of(find(e, "Address"))),
    "ResourceURI": lambda e: ("resource_uri", text_of(e)),
    "SessionId": lambda e: ("session_id", text_of(e)),
    "OperationID": lambda e: ("operation_id", text_of(e)),
    "SequenceId": lambda e: ("sequence_id", text_of(e)),
    "ActivityId": lambda e: ("activity_id", text_of(e)),
    "OperationTimeout": lambda e: ("operation_timeout", text_of(e)),
    "CompressionType": lambda e: ("compression", text_of(e)),
    "Locale": lambda e: ("locale", attribute(e, "lang")),
    "DataLocale": lambda e: ("data_locale", attribute(e, "lang")),
    "MaxEnvelopeSize": lambda e: ("max_envelope_size", _number(e)),
    "SelectorSet": lambda e: ("selectors", read_selectors(e)),
    "OptionSet": lambda e: ("options", _options(e)),
}


# -- contents of bodies


def decode_base64(text: str, element: str) -> bytes:
    """Return the bytes of a base64 text; white space is allowed. Raises SoapError."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SoapError(f"not base64: {error}", element) from None


_NAMED_PAYLOADS = ("creationXml", "connectXml", "connectResponseXml")
_PAYLOADS = tuple("{*}" + name for name in (*_NAMED_PAYLOADS, "Arguments", "Stream"))


def read_payloads(envelope: Envelope) -> tuple[Payload, ...]:
    """Return the stream data that the envelope carries, in document order.

    They include the Arguments of a Command; those of a cmd shell are words, not base64.
    """
    body = envelope.body
    if body is None:
        return ()
    found: list[Payload] = []
    outer = attribute(body, "CommandId")
    for element in body.iter(*_PAYLOADS):
        name = local_name(element)
        if name != "Stream":
            found.append(Payload(element=name, text=element.text or "", command_id=outer))
        else:
            found.append(
                Payload(
                    element=name,
                    text=element.text or "",
                    stream=attribute(element, "Name"),
                    command_id=attribute(element, "CommandId") or outer,
                    end=attribute(element, "End").lower() in ("true", "1"),
                )
            )
    return tuple(found)


def read_command(envelope: Envelope) -> Command:
    """Read the command line of a Command, or the id in its response."""
    body = envelope.body
    if body is None:
        return Command()
    line = find(body, "Command")
    return Command(
        command_id=attribute(body, "CommandId") or text_of(find(body, "CommandId")),
        command=line.text or "" if line is not None else "",
        arguments=tuple(e.text or "" for e in body.iter("{*}Arguments")),
    )


def read_command_states(envelope: Envelope) -> tuple[CommandState, ...]:
    """Return the CommandState elements of a ReceiveResponse."""
    if envelope.body is None:
        return ()
    found = []
    for element in envelope.body.iter("{*}CommandState"):
        code = text_of(find(element, "ExitCode"))
        found.append(
            CommandState(
                state=attribute(element, "State").rsplit("/", 1)[-1],
                command_id=attribute(element, "CommandId"),
                exit_code=int(code) if re.fullmatch(r"-?\d{1,19}", code) else None,
            )
        )
    return tuple(found)


def read_signal(envelope: Envelope) -> tuple[str, str]:
    """Return the command id and the code of a Signal."""
    body = envelope.body
    if body is None:
        return "", ""
    return attribute(body, "CommandId"), text_of(find(body, "Code"))


def read_shell(envelope: Envelope) -> dict[str, str]:
    """Read the first rsp:Shell: its attributes and child elements by local name."""
    return next(iter(read_shells(envelope)), {})


def read_shells(envelope: Envelope) -> tuple[dict[str, str], ...]:
    """Read every rsp:Shell of the body: one for Create and Get, any number for Enumerate."""
    if envelope.body is None:
        return ()
    top = envelope.body.getparent()
    found = []
    for element in envelope.body.iter() if top is None else top.iter():
        if element.tag == f"{{{names.SHELL}}}Shell":
            members = {k: str(v) for k, v in element.attrib.items() if isinstance(k, str)}
            for child in children(element):
                if local_name(child) not in _NAMED_PAYLOADS and text_of(child):
                    members[local_name(child)] = text_of(child)
            found.append(members)
    return tuple(found)


def read_fault(envelope: Envelope) -> Fault | None:
    """Return the fault in the envelope, or None."""
    body = envelope.body
    if body is None or body.tag != f"{{{names.SOAP}}}Fault":
        return None
    values = [text_of(e).rpartition(":")[2] for e in body.iter() if local_name(e) == "Value"]
    windows = [e for e in body.iter() if local_name(e) == "WSManFault"]
    code = attribute(windows[0], "Code") if windows else ""
    message = find(windows[-1], "Message") if windows else None
    provider = find(windows[0], "ProviderFault") if windows else None
    return Fault(
        code=values[0] if values else "",
        subcode=values[1] if len(values) > 1 else "",
        reason=text_of(find(find(body, "Reason"), "Text")),
        detail=text_of(find(body, "FaultDetail")),
        wsman_code=int(code) if code.isascii() and code.isdigit() and len(code) < 12 else None,
        machine=attribute(windows[0], "Machine") if windows else "",
        message=" ".join("".join(map(str, message.itertext())).split())
        if message is not None
        else "",
        provider=attribute(provider, "provider") if provider is not None else "",
    )
