"""Targets for files and texts of an administrator, and for CLIXML that is read in pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress

from psremoting.administration import value_codec
from psremoting.administration.configurations import (
    AdministrationError,
    EngineKind,
    SessionConfiguration,
)
from psremoting.administration.sddl import format_sddl, parse_sddl
from psremoting.cli.json_elements import JsonElements, JsonError
from psremoting.configuration_files.file_reading import ConfigurationFileError, parse_configuration
from psremoting.configuration_files.visibility import visibility_of
from psrp.clixml.files import iter_streams
from psrp.clixml.incremental import StreamReader
from psrp.clixml.jsonform import JsonItems
from psrp.sansio import ClixmlError, LocalProtocolError
from tests.fuzz import seeds
from tests.fuzz.target import Finding, target
from tests.recordings import FIXTURES

_AHEAD = re.compile("unescaped|unterminated|malformed markup|document type|'--'|text among")
"""Errors that a whole document has before its first element is read, or before an element that
misplaced text follows."""


def _stream(text: str, size: int) -> tuple[list[str], str | None]:
    """Return the items of a stream in pieces, and its first error."""
    reader = StreamReader(max_value=100_000)
    writer = JsonItems(lambda value: False)
    kept, found = [], []
    try:
        for at in range(0, len(text) + size, size):
            reader.receive_text(text[at : at + size])
            if at + size >= len(text):
                reader.end()
            while (item := reader.next_item()) is not None:
                kept.append(item)
                found.append(repr(item))
                with suppress(LocalProtocolError):
                    writer.write(item.value)
    except ClixmlError as error:
        return found, str(error)
    return found, None


@target("clixml-stream", seeds.clixml_documents, ())
def clixml_in_pieces(data: bytes) -> None:
    """Items and errors do not depend on the pieces, and are those of the whole stream."""
    text = data.decode("utf-8", "replace")
    whole = _stream(text, len(text) + 1)
    for size in (3, 100):
        if _stream(text, size) != whole:
            raise Finding(f"cut into pieces of {size} characters")
    if "<Objs" not in text:
        return
    items: list[str] = []
    error = None
    try:
        items.extend(map(repr, iter_streams(text)))
    except ClixmlError as found:
        error = str(found)
    if error is not None and _AHEAD.search(error):
        return
    if error != whole[1] or items != whole[0][: len(items)]:
        raise Finding(f"the whole: {error}; in pieces: {whole[1]}")


def _json_texts() -> list[bytes]:
    return [b'[1, "a,]", {"b": [2, null]}, "\\"\\\\", -1.5e3]', b'{"a": [1, "x"]}', b"[]"]


@target("json-elements", _json_texts, ())
def json_elements(data: bytes) -> None:
    """The elements of an array are those of json.loads, in any pieces."""
    text = data.decode("utf-8", "replace")

    def read(size: int) -> tuple[list[object], bool]:
        elements, found = JsonElements(100_000), []
        try:
            for at in range(0, len(text) + size, size):
                elements.receive_text(text[at : at + size])
                while (value := elements.next_value(last=at + size >= len(text))) is not None:
                    found.append(value[0])
        except (JsonError, RecursionError, ValueError):
            return found, False
        return found, True

    whole = read(len(text) + 1)
    if repr(read(3)) != repr(whole):
        raise Finding("cut into pieces of 3 characters")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if whole[1]:
            raise Finding("text that is not JSON was read") from None
        return
    if repr(whole) != repr((value if isinstance(value, list) else [value], True)):
        raise Finding("other elements than the array has")


def _descriptors() -> Iterator[bytes]:
    yield b"O:NSG:BAD:P(A;;GA;;;BA)(XA;;GA;;;WD;(Member_of {SID(S-1-5-1)}))S:P(AU;FA;GA;;;WD)"
    yield b"O:BAG:SYD:(A;OICI;0x1f;;;S-1-5-21-1-2-3-1001)(D;;GR;;;AN)"
    yield b"D:(XA;;GX;;;BA;(Member_of{SID(BA)} && !(Member_of_Any{SID(WD), SID(AN)})))"


@target("sddl", _descriptors, (AdministrationError,))
def security_descriptor(data: bytes) -> None:
    """A descriptor that can be read is written and read again."""
    descriptor = parse_sddl(data.decode("utf-8", "replace"))
    written = format_sddl(descriptor)
    if parse_sddl(written) != descriptor:
        raise Finding(f"written again differently: {written:.300}")


def _configuration_files() -> Iterator[bytes]:
    for pattern in ("*.pssc", "*.psrc"):
        for path in sorted(FIXTURES.rglob(pattern))[:20]:
            yield path.read_bytes()[: seeds.LARGEST]
    yield (
        b"@{ SchemaVersion = '2.0.0.0'; GUID = '11111111-2222-3333-4444-555555555555'\n"
        b"SessionType = 'RestrictedRemoteServer'; LanguageMode = 'NoLanguage'\n"
        b"VisibleCmdlets = 'Get-*', @{ Name = 'Restart-Service'; Parameters = @{ Name = 'Name'; "
        b"ValidateSet = 'a', 'b' }, @{ Name = 'Id'; ValidatePattern = 'x+' } }\n"
        b"RoleDefinitions = @{ 'A\\b' = @{ RoleCapabilities = 'c' } }\n"
        b"AliasDefinitions = @{ Name = 'x'; Value = 'y'; Options = 'AllScope' }\n"
        b"FunctionDefinitions = @{ Name = 'f'; ScriptBlock = { param($a) Get-Thing $a } } }"
    )


@target("configuration-file", _configuration_files, (ConfigurationFileError,), calls=(60_000, 1500))
def configuration_file(data: bytes) -> None:
    """A .pssc or .psrc file: data, the faults of its keys, and what it makes visible."""
    file = parse_configuration(data.decode("utf-8", "replace"), "x.pssc")
    for check in (file.check, file.check_for_server):
        with suppress(ConfigurationFileError):
            check()
    visibility_of(file.table)


def _settings() -> list[bytes]:
    full = SessionConfiguration(name="x", kind=EngineKind.FUNCTIONS, source="y.py")
    return [json.dumps(value_codec.to_json(full)).encode()]


@target("exported-settings", _settings, (AdministrationError, ValueError, RecursionError))
def exported_settings(data: bytes) -> None:
    """A configuration of an export that can be read is written and read again."""
    document = json.loads(data)
    found = value_codec.from_json(SessionConfiguration, document)
    again = value_codec.from_json(SessionConfiguration, value_codec.to_json(found))
    if repr(again) != repr(found):
        raise Finding("written again differently")
