"""SOAP envelopes as WS-Management peers send them: reading.

An envelope is XML from a peer, so it is read without a DTD, without entities and without the
network, and whatever is wrong with it is a `SoapError` that names the element. Real peers are
loose in four ways, and the reader bears them: text that was recorded as a string still carries
a declaration with another encoding; NUL bytes pad the end (a client that seals in blocks of
16 counts them in); attribute values use prefixes that nobody declared; attributes such as
``mustUnderstand`` stand in any namespace or none.

[MS-WSMV] 2.2.4 and 3.1.4, [MS-WSMAN] 2.2.4.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

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
    "decode_base64",
    "parse",
    "read_command",
    "read_command_states",
    "read_fault",
    "read_payloads",
    "read_shell",
    "read_shells",
    "read_signal",
]

MAX_ENVELOPE = 16 << 20
"""Bytes of one envelope. Servers take 500 KiB by default and 4 MiB when configured so."""

_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*\?>")


class SoapError(RemoteProtocolError):
    """An envelope cannot be read. ``element`` names the place, or is empty."""

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
    """One message: the headers that mean something here, and the body's first element.

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
    max_envelope_size: int | None = None
    selectors: tuple[tuple[str, str], ...] = ()
    options: tuple[Option, ...] = ()
    body: etree._Element | None = None

    @property
    def operation(self) -> str:
        """``Create``, ``ReceiveResponse``, ``Fault`` ...; `Identify` has no action."""
        if self.action:
            return names.operation_name(self.action)
        return _local(self.body) if self.body is not None else ""

    def selector(self, name: str) -> str:
        """A selector's value; names are compared without case. [MS-WSMV] 3.1.4.1.2"""
        wanted = name.lower()
        return next((value for key, value in self.selectors if key.lower() == wanted), "")

    def option(self, name: str) -> str | None:
        """An option's value, or None where it was not sent."""
        return next((option.value for option in self.options if option.name == name), None)

    @property
    def shell_id(self) -> str:
        """The shell this is about: the selector, or what a Create asks for or was given."""
        return self.selector("ShellId") or read_shell(self).get("ShellId", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Base64 text that an envelope carries for a shell or a command, not decoded yet."""

    element: str
    """``creationXml``, ``connectXml``, ``connectResponseXml``, ``Arguments`` or ``Stream``."""
    text: str
    stream: str = ""
    """The Name of a Stream."""
    command_id: str = ""
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """rsp:CommandLine, or the CommandResponse (then only its id)."""

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
    """One envelope. Raises SoapError, and LimitExceeded for one over ``max_size`` bytes."""
    root = _root(data, max_size)
    if _local(root) != "Envelope":
        raise SoapError(f"a SOAP envelope expected, but the root is {_local(root)!r}")
    fields: dict[str, object] = {}
    body: etree._Element | None = None
    for part in _children(root):
        if _local(part) == "Header":
            for header in _children(part):
                read = _HEADERS.get(_local(header))
                if read is not None:
                    name, value = read(header)
                    fields[name] = value
        elif _local(part) == "Body":
            body = next(_children(part), None)
    fields.setdefault("action", "")
    if body is not None and _local(body) == "ResourceCreated":
        fields.setdefault("selectors", _reference_selectors(body))
    return Envelope(body=body, **fields)  # type: ignore[arg-type]


def _root(data: bytes | str, max_size: int) -> etree._Element:
    if len(data) > max_size:
        raise LimitExceeded("SOAP envelope", len(data), max_size)
    if isinstance(data, bytes):
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            data = data.decode(encoding)
        except UnicodeDecodeError as error:
            raise SoapError(f"not {encoding} at byte {error.start}") from None
    text = data.rstrip("\0").removeprefix("\ufeff")
    if found := _DECLARATION.match(text):
        text = text[found.end() :]
    if "<!DOCTYPE" in text:
        raise SoapError("a document type declaration is not allowed")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True,
        remove_pis=True,
    )  # fmt: skip
    try:
        return etree.fromstring(text.strip().encode("utf-8", "surrogatepass"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SoapError(f"not well-formed XML: {error}") from None


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _children(element: etree._Element) -> Iterator[etree._Element]:
    return (child for child in element if isinstance(child.tag, str))


def _text(element: etree._Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _attribute(element: etree._Element, name: str) -> str:
    """An attribute by its local name, whatever namespace a peer put it into."""
    if (value := element.get(name)) is not None:
        return str(value)
    tail = "}" + name
    return next((str(v) for k, v in element.attrib.items() if str(k).endswith(tail)), "")


def _find(element: etree._Element | None, name: str) -> etree._Element | None:
    """The first descendant of that local name."""
    if element is None:
        return None
    return next((e for e in element.iter() if _local(e) == name), None)


def _number(element: etree._Element) -> int | None:
    text = _text(element)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _selectors(element: etree._Element) -> tuple[tuple[str, str], ...]:
    return tuple(
        (_attribute(child, "Name"), _text(child))
        for child in _children(element)
        if _local(child) == "Selector"
    )


def _reference_selectors(created: etree._Element) -> tuple[tuple[str, str], ...]:
    found = _find(created, "SelectorSet")
    return _selectors(found) if found is not None else ()


def _options(element: etree._Element) -> tuple[Option, ...]:
    return tuple(
        Option(
            name=_attribute(child, "Name"),
            value=_text(child),
            must_comply=_attribute(child, "MustComply").lower() in ("true", "1"),
        )
        for child in _children(element)
        if _local(child) == "Option"
    )


_HEADERS: dict[str, Callable[[etree._Element], tuple[str, object]]] = {
    "Action": lambda e: ("action", _text(e)),
    "MessageID": lambda e: ("message_id", _text(e)),
    "RelatesTo": lambda e: ("relates_to", _text(e)),
    "To": lambda e: ("to", _text(e)),
    "ReplyTo": lambda e: ("reply_to", _text(_find(e, "Address"))),
    "ResourceURI": lambda e: ("resource_uri", _text(e)),
    "SessionId": lambda e: ("session_id", _text(e)),
    "OperationID": lambda e: ("operation_id", _text(e)),
    "SequenceId": lambda e: ("sequence_id", _text(e)),
    "ActivityId": lambda e: ("activity_id", _text(e)),
    "OperationTimeout": lambda e: ("operation_timeout", _text(e)),
    "CompressionType": lambda e: ("compression", _text(e)),
    "MaxEnvelopeSize": lambda e: ("max_envelope_size", _number(e)),
    "SelectorSet": lambda e: ("selectors", _selectors(e)),
    "OptionSet": lambda e: ("options", _options(e)),
}


# -- what bodies hold


def decode_base64(text: str, element: str) -> bytes:
    """The bytes of a base64 text; white space in it is allowed. Raises SoapError."""
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SoapError(f"not base64: {error}", element) from None


_NAMED_PAYLOADS = ("creationXml", "connectXml", "connectResponseXml")


def read_payloads(envelope: Envelope) -> tuple[Payload, ...]:
    """Everything the envelope carries for streams, in document order.

    The Arguments of a Command are among them; for a cmd shell they are words, not base64.
    """
    body = envelope.body
    if body is None:
        return ()
    found: list[Payload] = []
    outer = _attribute(body, "CommandId")
    for element in body.iter():
        name = _local(element)
        if name in _NAMED_PAYLOADS or name == "Arguments":
            found.append(Payload(element=name, text=element.text or "", command_id=outer))
        elif name == "Stream":
            found.append(
                Payload(
                    element=name,
                    text=element.text or "",
                    stream=_attribute(element, "Name"),
                    command_id=_attribute(element, "CommandId") or outer,
                    end=_attribute(element, "End").lower() in ("true", "1"),
                )
            )
    return tuple(found)


def read_command(envelope: Envelope) -> Command:
    """What a Command asks to run, or the id that its response gives."""
    body = envelope.body
    if body is None:
        return Command()
    line = _find(body, "Command")
    return Command(
        command_id=_attribute(body, "CommandId") or _text(_find(body, "CommandId")),
        command=line.text or "" if line is not None else "",
        arguments=tuple(e.text or "" for e in body.iter() if _local(e) == "Arguments"),
    )


def read_command_states(envelope: Envelope) -> tuple[CommandState, ...]:
    """The CommandState elements of a ReceiveResponse."""
    if envelope.body is None:
        return ()
    found = []
    for element in envelope.body.iter():
        if _local(element) == "CommandState":
            code = _text(_find(element, "ExitCode"))
            found.append(
                CommandState(
                    state=_attribute(element, "State").rsplit("/", 1)[-1],
                    command_id=_attribute(element, "CommandId"),
                    exit_code=int(code) if re.fullmatch(r"-?\d{1,19}", code) else None,
                )
            )
    return tuple(found)


def read_signal(envelope: Envelope) -> tuple[str, str]:
    """The command id and the code of a Signal."""
    body = envelope.body
    if body is None:
        return "", ""
    return _attribute(body, "CommandId"), _text(_find(body, "Code"))


def read_shell(envelope: Envelope) -> dict[str, str]:
    """The members of the rsp:Shell beside or under the body's first element, ids as attributes."""
    return next(iter(read_shells(envelope)), {})


def read_shells(envelope: Envelope) -> tuple[dict[str, str], ...]:
    """Every rsp:Shell of the body: one for Create and Get, any number for Enumerate."""
    if envelope.body is None:
        return ()
    top = envelope.body.getparent()
    found = []
    for element in envelope.body.iter() if top is None else top.iter():
        if element.tag == f"{{{names.SHELL}}}Shell":
            members = {k: str(v) for k, v in element.attrib.items() if isinstance(k, str)}
            for child in _children(element):
                if _local(child) not in _NAMED_PAYLOADS and _text(child):
                    members[_local(child)] = _text(child)
            found.append(members)
    return tuple(found)


def read_fault(envelope: Envelope) -> Fault | None:
    """The fault that the envelope is, or None."""
    body = envelope.body
    if body is None or body.tag != f"{{{names.SOAP}}}Fault":
        return None
    values = [_text(e).rpartition(":")[2] for e in body.iter() if _local(e) == "Value"]
    windows = [e for e in body.iter() if _local(e) == "WSManFault"]
    code = _attribute(windows[0], "Code") if windows else ""
    message = _find(windows[-1], "Message") if windows else None
    provider = _find(windows[0], "ProviderFault") if windows else None
    return Fault(
        code=values[0] if values else "",
        subcode=values[1] if len(values) > 1 else "",
        reason=_text(_find(_find(body, "Reason"), "Text")),
        detail=_text(_find(body, "FaultDetail")),
        wsman_code=int(code) if code.isascii() and code.isdigit() and len(code) < 12 else None,
        machine=_attribute(windows[0], "Machine") if windows else "",
        message=" ".join("".join(map(str, message.itertext())).split())
        if message is not None
        else "",
        provider=_attribute(provider, "provider") if provider is not None else "",
    )
