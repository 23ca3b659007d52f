"""The wire format of the values of host calls (`psrp.host_values`).

PowerShell writes structures under the names of their *private* fields and omits null fields;
enums are plain I32 here, not objects. ``RemoteHostEncoder.cs``, [MS-PSRP] 2.2.3.1-2.2.3.3,
2.2.3.25-2.2.3.30, 2.2.6.

Each type is a pair of functions: ``write`` raises LocalProtocolError for a value of another type,
``read`` returns unreadable values unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from psrp.clixml import Char, Dictionary, Int64, List, PSObject, SecureString, Version
from psrp.host_values import (
    BufferCell,
    ChoiceDescription,
    Coordinates,
    Credential,
    FieldDescription,
    KeyInfo,
    Rectangle,
    Size,
)
from psrp.properties import ARRAY_LIST, bag, int32, int64, unwrap
from psrp.records import ProgressRecord
from psrp.sansio import LocalProtocolError, MessageError

__all__ = [
    "ANY",
    "BOOLEAN",
    "CELL",
    "CELLS",
    "CHOICES",
    "COORDINATES",
    "CREDENTIAL",
    "FIELDS",
    "GUID",
    "INT32",
    "INT32S",
    "INT64",
    "KEY",
    "OBJECTS",
    "PROGRESS",
    "PROMPTED",
    "RECTANGLE",
    "SECRET",
    "SIZE",
    "STRING",
    "VERSION",
    "HostType",
    "read_typed",
    "write_typed",
]


class HostType(NamedTuple):
    """A .NET type in the form that host calls use."""

    name: str
    """The full name in .NET, which is sent with a value of no declared type."""
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


# -- simple values


def _checked(name: str, kind: type | tuple[type, ...]) -> HostType:
    def write(value: Any) -> Any:
        if value is not None and not isinstance(value, kind):
            raise LocalProtocolError(f"expected {name}, got {type(value).__name__}")
        return value

    return HostType(name, write, unwrap)


def _write_int32(value: Any) -> int:
    return int32("I32", _integer(value))


def _write_int64(value: Any) -> int:
    return int64("I64", _integer(value))


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise LocalProtocolError(f"expected an integer, got {type(value).__name__}")
    return value


def _read_integer(value: Any) -> Any:
    plain = unwrap(value)
    return int(plain) if isinstance(plain, int) and not isinstance(plain, bool) else value


STRING = _checked("System.String", str)
BOOLEAN = _checked("System.Boolean", bool)
VERSION = _checked("System.Version", Version)
GUID = _checked("System.Guid", UUID)
SECRET = _checked("System.Security.SecureString", SecureString)
INT32 = HostType("System.Int32", _write_int32, _read_integer)
INT64 = HostType("System.Int64", _write_int64, _read_integer)
ANY = HostType("System.Object", lambda value: value, lambda value: value)


# -- structures

_Field: TypeAlias = tuple[str, str, HostType]


def _char(value: Any) -> Char:
    if not isinstance(value, str):
        raise LocalProtocolError(f"expected a character, got {type(value).__name__}")
    try:
        return Char(value)
    except ValueError:
        raise LocalProtocolError("expected exactly one UTF-16 code unit") from None


CHARACTER = HostType("System.Char", _char, unwrap)
_EMPTY_LIST = HostType("", lambda value: List((), ARRAY_LIST), unwrap)
_TEXT = STRING
_ABSENT = {INT32: 0, BOOLEAN: False, CHARACTER: "\0"}


def _structure(name: str, kind: type, *fields: _Field) -> HostType:
    """Return the type of a structure. ``fields``: wire name, attribute ("" for none), type."""

    def write(value: Any) -> PSObject:
        if not isinstance(value, kind):
            raise LocalProtocolError(f"expected {name}, got {type(value).__name__}")
        members: dict[str, Any] = {}
        for wire, attribute, form in fields:
            member = getattr(value, attribute) if attribute else ()
            if member is not None:
                members[wire] = form.write(member)
        return bag(members)

    wires = {wire for wire, _, _ in fields}

    def read(value: Any) -> Any:
        # PowerShell fails on an unknown member.
        if type(value) is not PSObject or not wires.issuperset(value):
            return value
        known: dict[str, Any] = {}
        for wire, attribute, form in fields:
            if attribute:
                member = value.get(wire)
                known[attribute] = _ABSENT.get(form) if member is None else form.read(member)
        try:
            made = kind(**known)
            write(made)
        except LocalProtocolError:
            return value
        return made

    return HostType(name, write, read)


_HOST = "System.Management.Automation.Host."

COORDINATES = _structure(_HOST + "Coordinates", Coordinates, ("x", "x", INT32), ("y", "y", INT32))
SIZE = _structure(_HOST + "Size", Size, ("width", "width", INT32), ("height", "height", INT32))
RECTANGLE = _structure(
    _HOST + "Rectangle",
    Rectangle,
    ("left", "left", INT32),
    ("top", "top", INT32),
    ("right", "right", INT32),
    ("bottom", "bottom", INT32),
)
CELL = _structure(
    _HOST + "BufferCell",
    BufferCell,
    ("character", "character", CHARACTER),
    ("foregroundColor", "foreground_color", INT32),
    ("backgroundColor", "background_color", INT32),
    ("bufferCellType", "type", INT32),
)
KEY = _structure(
    _HOST + "KeyInfo",
    KeyInfo,
    ("virtualKeyCode", "virtual_key_code", INT32),
    ("character", "character", CHARACTER),
    ("controlKeyState", "control_key_state", INT32),
    ("keyDown", "key_down", BOOLEAN),
)
CHOICE = _structure(
    _HOST + "ChoiceDescription",
    ChoiceDescription,
    ("label", "label", _TEXT),
    ("helpMessage", "help_message", _TEXT),
)
FIELD = _structure(
    _HOST + "FieldDescription",
    FieldDescription,
    ("name", "name", _TEXT),
    ("label", "label", _TEXT),
    ("parameterTypeName", "parameter_type_name", _TEXT),
    ("parameterTypeFullName", "parameter_type_full_name", _TEXT),
    ("parameterAssemblyFullName", "parameter_assembly_full_name", _TEXT),
    ("helpMessage", "help_message", _TEXT),
    ("isMandatory", "is_mandatory", BOOLEAN),
    ("defaultValue", "default_value", ANY),
    ("metadata", "", _EMPTY_LIST),
    ("modifiedByRemotingProtocol", "modified_by_remoting_protocol", BOOLEAN),
    ("isFromRemoteHost", "is_from_remote_host", BOOLEAN),
)


# -- collections


def _collection(name: str, form: HostType) -> HostType:
    def write(value: Any) -> List:
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            raise LocalProtocolError(f"expected a list, got {type(value).__name__}")
        return List([form.write(item) for item in value], ARRAY_LIST)

    def read(value: Any) -> Any:
        items = unwrap(value)
        return tuple(form.read(item) for item in items) if isinstance(items, list) else value

    return HostType(name, write, read)


INT32S = _collection("System.Collections.ObjectModel.Collection`1[System.Int32]", INT32)
CHOICES = _collection("System.Collections.ObjectModel.Collection`1", CHOICE)
FIELDS = _collection("System.Collections.ObjectModel.Collection`1", FIELD)


def _write_cells(value: Any) -> PSObject:
    """Write rows of equal length as elements in row order (mae) and two lengths (mal)."""
    rows = [tuple(row) for row in value]
    width = len(rows[0]) if rows else 0
    if any(len(row) != width for row in rows):
        raise LocalProtocolError("expected rows of cells of one length")
    cells = [CELL.write(cell) for row in rows for cell in row]
    lengths = ("System.Int32[]", "System.Array", "System.Object")
    return bag({"mae": List(cells, ARRAY_LIST), "mal": List([len(rows), width], lengths)})


def _read_cells(value: Any) -> Any:
    if type(value) is not PSObject:
        return value
    cells, lengths = unwrap(value.get("mae")), unwrap(value.get("mal"))
    if not isinstance(cells, list) or not isinstance(lengths, list) or len(lengths) != 2:
        return value
    if not all(type(length) is int and length >= 0 for length in lengths):
        return value
    height, width = lengths
    # Check the declared size against the received elements, before anything is allocated.
    if height * width != len(cells) or (width == 0 and height > 0):
        return value
    made = [CELL.read(cell) for cell in cells]
    return tuple(tuple(made[row * width : (row + 1) * width]) for row in range(height))


CELLS = HostType(_HOST + "BufferCell[,]", _write_cells, _read_cells)


# -- credentials and prompts

_CREDENTIAL = "System.Management.Automation.PSCredential"


def _write_credential(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, Credential):
        raise LocalProtocolError(f"expected a Credential, got {type(value).__name__}")
    return value.to_object()


def _read_credential(value: Any) -> Any:
    if type(value) is not PSObject:
        return value
    user_name, password = unwrap(value.get("UserName")), unwrap(value.get("Password"))
    if not isinstance(user_name, str) or not isinstance(password, SecureString):
        return value
    return Credential(user_name, password)


CREDENTIAL = HostType(_CREDENTIAL, _write_credential, _read_credential)


def _write_prompted(value: Any) -> Any:
    """Write the answers of Prompt: a Hashtable of field name to value."""
    if not isinstance(value, Mapping):
        raise LocalProtocolError(f"expected answers by name, got {type(value).__name__}")
    return Dictionary(
        {
            name: _write_credential(answer) if isinstance(answer, Credential) else answer
            for name, answer in value.items()
        }
    )


def _read_prompted(value: Any) -> Any:
    answers = unwrap(value)
    if not isinstance(answers, Dictionary) or not all(type(key) is str for key in answers):
        return value
    return {name: _read_credential(answer) for name, answer in answers.items()}


PROMPTED = HostType("System.Collections.Generic.Dictionary`2", _write_prompted, _read_prompted)


def _write_progress(value: Any) -> Any:
    if not isinstance(value, ProgressRecord):
        raise LocalProtocolError(f"expected a ProgressRecord, got {type(value).__name__}")
    return value.to_object()


def _read_progress(value: Any) -> Any:
    try:
        return ProgressRecord.from_object(value)
    except MessageError:
        return value


PROGRESS = HostType("System.Management.Automation.ProgressRecord", _write_progress, _read_progress)


# -- values of no declared type, which are sent with the name of their type

_BY_NAME = {
    kind.name: kind
    for kind in (
        BOOLEAN,
        CELL,
        CHARACTER,
        CHOICE,
        COORDINATES,
        CREDENTIAL,
        FIELD,
        GUID,
        INT32,
        INT64,
        KEY,
        PROGRESS,
        RECTANGLE,
        SECRET,
        SIZE,
        STRING,
        VERSION,
        INT32._replace(name="System.ConsoleColor"),
    )
}
_BY_TYPE: dict[type, HostType] = {
    bool: BOOLEAN,
    BufferCell: CELL,
    Char: CHARACTER,
    ChoiceDescription: CHOICE,
    Coordinates: COORDINATES,
    Credential: CREDENTIAL,
    FieldDescription: FIELD,
    UUID: GUID,
    int: INT32,
    Int64: INT64,
    KeyInfo: KEY,
    ProgressRecord: PROGRESS,
    Rectangle: RECTANGLE,
    SecureString: SECRET,
    Size: SIZE,
    str: STRING,
    Version: VERSION,
}


def write_typed(value: Any, name: str = "") -> PSObject | None:
    """Write an item of an ``object[]`` or a dictionary of objects: type name T and value V."""
    if value is None:
        return None
    kind = _BY_NAME.get(name) or _BY_TYPE.get(type(value), ANY)
    return bag({"T": name or kind.name, "V": kind.write(value)})


def read_typed(value: Any) -> Any:
    """Read an item that `write_typed` wrote; return other values unchanged."""
    if type(value) is not PSObject:
        return value
    name = unwrap(value.get("T"))
    if not isinstance(name, str) or "V" not in value:
        return value
    return _BY_NAME.get(name, ANY).read(value.get("V"))


OBJECTS = _collection("System.Object[]", HostType("", write_typed, read_typed))
