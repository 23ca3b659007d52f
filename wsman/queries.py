"""Get, Enumerate, Pull, Release and Identify: values and codecs.

Shells are enumerated at `names.RESOURCE_SHELL`, commands at `names.RESOURCE_COMMAND` with a
filter that names the shell. [MS-WSMV] 3.1.4.1.31, [MS-WSMAN] 3.1.4
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psrp.frozen import dataclass
from wsman import names, soap
from wsman.shell_codecs import read_shell_info, write_shell_info
from wsman.shell_values import ShellInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

    from wsman.envelopes import Body

__all__ = [
    "CODECS",
    "CommandInfo",
    "Enumerate",
    "EnumerateResponse",
    "Get",
    "GetResponse",
    "Identify",
    "IdentifyResponse",
    "Pull",
    "PullResponse",
    "Release",
    "ReleaseResponse",
]

MAX_ELEMENTS = 32000
"""The number of items that clients ask for; also WinRM's MaxBatchItems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """Ask for one shell. Its id is in the selectors of the headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetResponse:
    shell: ShellInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandInfo:
    """rsp:Command of an enumeration."""

    shell_id: str = ""
    command_id: str = ""
    state: str = ""
    command_line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumerate:
    optimized: bool = True
    """The first response should contain items."""
    max_elements: int | None = MAX_ELEMENTS
    dialect: str = ""
    """The filter's dialect as sent; only `names.SELECTOR_FILTER` is known."""
    selectors: tuple[tuple[str, str], ...] = ()
    """The filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumerateResponse:
    context: str = ""
    """The context to name in the next Pull; empty if ``end`` is true."""
    shells: tuple[ShellInfo, ...] = ()
    commands: tuple[CommandInfo, ...] = ()
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    context: str = ""
    max_elements: int | None = MAX_ELEMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class PullResponse:
    context: str = ""
    shells: tuple[ShellInfo, ...] = ()
    commands: tuple[CommandInfo, ...] = ()
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseResponse:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """Ask for the server's product and versions; the only request without an Action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyResponse:
    protocol_version: str = names.WSMAN
    product_vendor: str = ""
    product_version: str = ""
    security_profiles: tuple[str, ...] = ()


def _write_nothing(_body: Body, _value: object) -> None:
    pass


def _write_get_response(body: Body, value: GetResponse) -> None:
    if value.shell is not None:
        write_shell_info(body, value.shell)


def _read_get_response(envelope: soap.Envelope) -> GetResponse:
    shells = soap.read_shells(envelope)
    return GetResponse(shell=read_shell_info(shells[0]) if shells else None)


# -- enumerations


def _number(body: Body, name: str, value: int | None, parent: etree._Element, space: str) -> None:
    if value is not None:
        body.add(space, name, str(value), parent=parent)


def _read_number(envelope: soap.Envelope, name: str) -> int | None:
    text = soap.text_of(soap.find(envelope.body, name))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _write_enumerate(body: Body, value: Enumerate) -> None:
    element = body.add(names.ENUMERATION, "Enumerate")
    if value.optimized:
        body.add(names.WSMAN, "OptimizeEnumeration", parent=element)
    _number(body, "MaxElements", value.max_elements, element, names.WSMAN)
    if value.selectors or value.dialect:
        dialect = {"Dialect": value.dialect or names.SELECTOR_FILTER}
        filtered = body.add(names.WSMAN, "Filter", attributes=dialect, parent=element)
        group = body.add(names.WSMAN, "SelectorSet", parent=filtered)
        for name, text in value.selectors:
            body.add(names.WSMAN, "Selector", text, {"Name": name}, parent=group)


def _read_enumerate(envelope: soap.Envelope) -> Enumerate:
    if envelope.body is None or soap.local_name(envelope.body) != "Enumerate":
        raise soap.SoapError("expected an Enumerate element", "Body")
    filtered = soap.find(envelope.body, "Filter")
    found = [e for e in filtered.iter() if soap.local_name(e) == "Selector"] if (
        filtered is not None
    ) else []  # fmt: skip
    return Enumerate(
        optimized=soap.find(envelope.body, "OptimizeEnumeration") is not None,
        max_elements=_read_number(envelope, "MaxElements"),
        dialect=soap.attribute(filtered, "Dialect") if filtered is not None else "",
        selectors=tuple((soap.attribute(e, "Name"), soap.text_of(e)) for e in found),
    )


_COMMAND_MEMBERS = (
    ("ShellId", "shell_id"),
    ("CommandId", "command_id"),
    ("State", "state"),
    ("CommandLine", "command_line"),
)


def _write_items(
    body: Body, value: EnumerateResponse | PullResponse, name: str, ending: str
) -> None:
    response = body.add(names.ENUMERATION, name)
    body.add(names.ENUMERATION, "EnumerationContext", value.context or None, parent=response)
    space = names.WSMAN if name == "EnumerateResponse" else names.ENUMERATION
    if value.shells or value.commands:
        items = body.add(space, "Items", parent=response)
        for shell in value.shells:
            write_shell_info(body, shell, items)
        for command in value.commands:
            element = body.add(names.SHELL, "Command", parent=items)
            for member, field in _COMMAND_MEMBERS:
                body.add(names.SHELL, member, getattr(command, field), parent=element)
            # pypsrp 1.0.0b1 looks for this one, PowerShell only for CommandId.
            body.add(names.SHELL, "CommandState", command.state, parent=element)
    if value.end:
        body.add(ending, "EndOfSequence", parent=response)


def _read_items(envelope: soap.Envelope) -> dict[str, Any]:
    body = envelope.body
    items = soap.find(body, "Items")
    commands = []
    for element in soap.children(items) if items is not None else ():
        if soap.local_name(element) == "Command":
            texts = {soap.local_name(child): child for child in soap.children(element)}
            commands.append(
                CommandInfo(
                    **{field: soap.text_of(texts.get(member)) for member, field in _COMMAND_MEMBERS}
                )
            )
    return {
        "context": soap.text_of(soap.find(body, "EnumerationContext")),
        "shells": tuple(read_shell_info(members) for members in soap.read_shells(envelope)),
        "commands": tuple(commands),
        "end": soap.find(body, "EndOfSequence") is not None,
    }


def _write_enumerate_response(body: Body, value: EnumerateResponse) -> None:
    _write_items(body, value, "EnumerateResponse", names.WSMAN)


def _write_pull_response(body: Body, value: PullResponse) -> None:
    _write_items(body, value, "PullResponse", names.ENUMERATION)


def _write_pull(body: Body, value: Pull) -> None:
    element = body.add(names.ENUMERATION, "Pull")
    body.add(names.ENUMERATION, "EnumerationContext", value.context, parent=element)
    _number(body, "MaxElements", value.max_elements, element, names.ENUMERATION)


def _write_release(body: Body, value: Release) -> None:
    element = body.add(names.ENUMERATION, "Release")
    body.add(names.ENUMERATION, "EnumerationContext", value.context, parent=element)


def _context(envelope: soap.Envelope) -> str:
    return soap.text_of(soap.find(envelope.body, "EnumerationContext"))


# -- Identify


def _write_identify(body: Body, _value: Identify) -> None:
    body.add(names.IDENTITY, "Identify")


def _write_identify_response(body: Body, value: IdentifyResponse) -> None:
    element = body.add(names.IDENTITY, "IdentifyResponse")
    body.add(names.IDENTITY, "ProtocolVersion", value.protocol_version, parent=element)
    body.add(names.IDENTITY, "ProductVendor", value.product_vendor, parent=element)
    body.add(names.IDENTITY, "ProductVersion", value.product_version, parent=element)
    if value.security_profiles:
        group = body.add(names.IDENTITY, "SecurityProfiles", parent=element)
        for profile in value.security_profiles:
            body.add(names.IDENTITY, "SecurityProfileName", profile, parent=group)


def _read_identify_response(envelope: soap.Envelope) -> IdentifyResponse:
    body = envelope.body
    profiles = body.iter() if body is not None else ()
    return IdentifyResponse(
        protocol_version=soap.text_of(soap.find(body, "ProtocolVersion")),
        product_vendor=soap.text_of(soap.find(body, "ProductVendor")),
        product_version=soap.text_of(soap.find(body, "ProductVersion")),
        security_profiles=tuple(
            soap.text_of(e) for e in profiles if soap.local_name(e) == "SecurityProfileName"
        ),
    )


CODECS: tuple[tuple[type, Callable[[Body, Any], None], Callable[[soap.Envelope], Any]], ...] = (
    (Get, _write_nothing, lambda _: Get()),
    (GetResponse, _write_get_response, _read_get_response),
    (Enumerate, _write_enumerate, _read_enumerate),
    (
        EnumerateResponse,
        _write_enumerate_response,
        lambda envelope: EnumerateResponse(**_read_items(envelope)),
    ),
    (
        Pull,
        _write_pull,
        lambda e: Pull(context=_context(e), max_elements=_read_number(e, "MaxElements")),
    ),
    (PullResponse, _write_pull_response, lambda e: PullResponse(**_read_items(e))),
    (Release, _write_release, lambda e: Release(context=_context(e))),
    (ReleaseResponse, _write_nothing, lambda _: ReleaseResponse()),
    (Identify, _write_identify, lambda _: Identify()),
    (IdentifyResponse, _write_identify_response, _read_identify_response),
)
"""Class, writer, reader. The class's name is that of the operation."""
