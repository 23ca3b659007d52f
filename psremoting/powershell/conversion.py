"""Conversion of a value to a .NET type, as PowerShell converts arguments and casts.

Values are those of `psrp.clixml`; an enum is a `psrp.clixml.PSObject` around its number. The error
texts are PowerShell's: tests/powershell/test_conversion.py holds them to recorded answers.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from psremoting.powershell.casts import (
    FINAL,
    INVALID_CAST,
    SCALARS,
    SEQUENCES,
    ConversionError,
    ValidationError,
    failed,
    fall_back,
    invalid_cast,
    is_empty_table,
    is_text,
    no_property,
    out_of_range,
    plain_text,
    refuse,
    to_boolean,
)
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.enum_names import ENUMS, Enumeration
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    Dictionary,
    List,
    PSObject,
    ScriptBlock,
    SecureString,
    Stack,
    XmlDocument,
)
from psrp.host import Credential
from psrp.properties import enum_object, unwrap

__all__ = [
    "ConversionError",
    "ValidationError",
    "convert",
    "is_of_type",
    "to_enum",
    "to_text",
    "type_name_of",
]


def convert(value: Any, type_name: str, *, received: bool = False) -> Any:
    """Return ``value`` as ``type_name`` (``System.Int32``, ``System.String[]``).

    ``received`` means that the value came over the wire, where an array is an ArrayList. A type
    that is not known takes only objects that have it among their type names. Raises
    ConversionError.
    """
    if type_name.endswith("[]"):
        return _array(value, type_name, received)
    if type_name.startswith(_NULLABLE):
        return _nullable(value, type_name, received)
    enumeration = ENUMS.get(type_name)
    if enumeration is not None:
        return to_enum(value, enumeration, received=received)
    maker = _MAKERS.get(type_name)
    if maker is None:
        return _of_unknown_type(value, type_name, received)
    return maker(value, type_name, received)


_NULLABLE = "System.Nullable`1["


def _nullable(value: Any, type_name: str, received: bool) -> Any:
    if value is None:
        return None
    inner = type_name[len(_NULLABLE) : -1]
    if isinstance(plain := unwrap(value), (int, float, Decimal)):
        # The spelling of a number is lost here.
        value = plain
    try:
        return convert(value, inner, received=received)
    except ConversionError as error:
        if error.error_id != FINAL:
            raise
        raise ConversionError(error.message.replace(f'"{inner}"', f'"{type_name}"')) from None


def is_of_type(value: Any, type_name: str) -> bool:
    """Return True if ``value`` has the type already, so that binding it converts nothing."""
    if type_name in ("System.Object", "System.Management.Automation.PSObject"):
        return True
    if type_name.endswith("[]") and (isinstance(value, SEQUENCES) or type(value) is list):
        element = type_name[:-2]
        return bool(value) and all(is_of_type(item, element) for item in value)
    if isinstance(value, PSObject) and type_name in value.type_names:
        return True
    if type_name == "System.Management.Automation.SwitchParameter":
        return isinstance(unwrap(value), bool)
    return type_name_of(value) == type_name


# -- tables, arrays, objects


def _hashtable(value: Any, type_name: str, received: bool) -> Any:
    inner = unwrap(value)
    if value is None or isinstance(inner, Dictionary):
        return inner
    if isinstance(inner, dict):
        return Dictionary(inner)
    if is_empty_table(value):
        return Dictionary()
    fall_back(value, type_name, received)


def _object(value: Any, type_name: str, received: bool) -> Any:
    return value


def _array(value: Any, type_name: str, received: bool) -> Any:
    if value is None:
        if type_name == "System.Boolean[]":
            return to_boolean(value, "System.Boolean", received)
        return None
    inner = unwrap(value)
    element = type_name[:-2]
    if isinstance(inner, bytes):
        if element == "System.Byte":
            return inner
        return _array_of([convert(Byte(each), element) for each in inner], type_name)
    if element == "System.Char" and is_text(inner):
        return _array_of([Char(each) for each in inner if each <= "\uffff"], type_name)
    if element == "System.Boolean" and not isinstance(inner, List):
        # A Boolean parameter takes lists apart, but no other collection.
        return _array_of([to_boolean(value, element, received)], type_name)
    if not isinstance(inner, SEQUENCES) and type(inner) not in (list, tuple):
        return _array_of([_only_element(value, type_name, received)], type_name)
    items = reversed(inner) if isinstance(inner, Stack) else inner
    try:
        return _array_of([convert(each, element, received=received) for each in items], type_name)
    except ConversionError as error:
        if element == "System.Boolean":
            raise
        text = plain_text(value, received)
        failed(text, type_name, error.message)


def _array_of(items: list[Any], type_name: str) -> Any:
    if type_name == "System.Byte[]":
        return bytes(items)
    return List(items, (type_name, "System.Array", "System.Object"))


def _only_element(value: Any, type_name: str, received: bool) -> Any:
    element = type_name[:-2]
    try:
        return convert(value, element, received=received)
    except ConversionError as error:
        inner = unwrap(value)
        if error.error_id == FINAL:
            refuse(value, type_name, received)
        casts = isinstance(inner, (DateTime, datetime)) or (
            isinstance(inner, bool) and element in ("System.Char", "System.DateTime")
        )
        if error.error_id == INVALID_CAST or casts:
            invalid_cast(value, type_name, received)
        failed(to_text(value, received=received), type_name, error.message)


def _of_unknown_type(value: Any, type_name: str, received: bool) -> Any:
    if value is None:
        return None
    names = value.type_names if isinstance(value, PSObject) else (type_name_of(value),)
    if type_name in names:
        return value
    refuse(value, type_name, received)


# -- enums


def to_enum(value: Any, enumeration: Enumeration, *, received: bool = False) -> PSObject:
    """Return ``value`` as a member of ``enumeration``. Raises ConversionError."""
    name = enumeration.name
    inner = unwrap(value)
    if value is None:
        raise ConversionError(
            f'Cannot convert null to type "{name}" due to enumeration values that are not valid. '
            f"{_possible(enumeration)}",
            "nullToEnumInvalidCast",
        )
    if isinstance(inner, (bytes, *SEQUENCES)) or type(inner) is list:
        return _enum_from_list(inner, enumeration, received)
    if is_empty_table(value):
        return _enum_from_number(0, "0", enumeration)
    if isinstance(inner, (Dictionary, dict)):
        no_property(inner, name)
    if isinstance(inner, bool) or type(inner) is Char or isinstance(inner, (DateTime, datetime)):
        invalid_cast(value, name, received)
    if isinstance(inner, int):
        return _enum_from_number(int(inner), str(int(inner)), enumeration)
    if isinstance(inner, (float, Decimal)) or is_text(inner):
        return _enum_from_text(to_text(value, received=received), enumeration)
    fall_back(value, name, received)


def _enum_from_list(items: Any, enumeration: Enumeration, received: bool) -> PSObject:
    """Combine the members that a list names; a list in it counts like its items."""
    words: list[str] = []
    waiting = list(items)
    while waiting and len(words) < _MOST_WORDS:
        item = waiting.pop(0)
        inner = unwrap(item)
        if isinstance(inner, SEQUENCES):
            waiting[:0] = inner
        elif item is None:
            to_enum(None, enumeration)
        else:
            words.append(to_text(item, received=received))
    return _enum_from_text(",".join(words), enumeration, several=True)


_MOST_WORDS = 1000


def _possible(enumeration: Enumeration) -> str:
    return (
        "Specify one of the following enumeration values and try again. The possible enumeration "
        f'values are "{",".join(enumeration.members)}".'
    )


def _enum_from_number(number: int, text: str, enumeration: Enumeration) -> PSObject:
    made = enumeration.text_of(number)
    if made is None:
        raise ConversionError(
            f'Cannot convert value "{text}" to type "{enumeration.name}" due to enumeration '
            f"values that are not valid. {_possible(enumeration)}",
            "InvalidCastEnumFromNumber",
        )
    return enum_object(enumeration.name, number, made)


def _enum_from_text(text: str, enumeration: Enumeration, *, several: bool = False) -> PSObject:
    if text.strip().lstrip("+-").isdecimal() and text.isascii():
        number = int(text)
        if not -(2**31) <= number < 2**31:
            failed(text, enumeration.name, out_of_range("System.Int32"))
        return _enum_from_number(number, text, enumeration)
    parts = [part.strip() for part in text.split(",")]
    members = {name.casefold(): number for name, number in enumeration.members.items()}
    if all(part.casefold() in members for part in parts):
        numbers = [members[part.casefold()] for part in parts]
        return _enum_from_number(_union(numbers), text, enumeration)
    if several and all(part.lstrip("+-").isdecimal() for part in parts):
        number = _union([int(part) for part in parts])
        return _enum_from_number(number, str(number), enumeration)
    found = enumeration.find(text)
    if len(found) == 1:
        return _enum_from_number(enumeration.members[found[0]], text, enumeration)
    if found:
        why = (
            f"The identifier name {text} cannot be processed because it is either too similar or "
            f"identical to the following enumerator names: {', '.join(found)}. Use a more "
            "specific identifier name."
        )
    else:
        why = (
            f"Unable to match the identifier name {text} to a valid enumerator name. Specify one "
            "of the following enumerator names and try again:\n" + ", ".join(enumeration.members)
        )
    failed(text, enumeration.name, why)


def _union(numbers: list[int]) -> int:
    made = 0
    for number in numbers:
        made |= number
    return made


# -- secrets, and what is only passed on


def _secure_string(value: Any, type_name: str, received: bool) -> Any:
    inner = unwrap(value)
    if value is None or isinstance(inner, SecureString):
        return inner
    # The value may be a secret: keep its text out of the error.
    name = type_name_of(value, received=received)
    raise ConversionError(f'Cannot convert the value of type "{name}" to type "{type_name}".')


def _credential(value: Any, type_name: str, received: bool) -> Any:
    if value is None or isinstance(value, Credential):
        return value
    if isinstance(value, PSObject):
        name, password = unwrap(value.get("UserName")), unwrap(value.get("Password"))
        if isinstance(name, str) and isinstance(password, SecureString):
            return Credential(str(name), password)
    name = type_name_of(value, received=received)
    raise ConversionError(f'Cannot convert the value of type "{name}" to type "{type_name}".')


def _xml(value: Any, type_name: str, received: bool) -> Any:
    inner = unwrap(value)
    if value is None or isinstance(inner, XmlDocument):
        return inner
    refuse(value, type_name, received)


def _script_block(value: Any, type_name: str, received: bool) -> Any:
    inner = unwrap(value)
    if value is None or (isinstance(inner, ScriptBlock) and not received):
        return inner
    if isinstance(inner, (bool, Char, DateTime, datetime)):
        invalid_cast(value, type_name, received)
    refuse(value, type_name, received)


_MAKERS = SCALARS | {
    "System.Array": lambda value, _, received: (
        value if isinstance(unwrap(value), bytes) else _array(value, "System.Object[]", received)
    ),
    "System.Collections.Hashtable": _hashtable,
    "System.Management.Automation.PSObject": _object,
    "System.Management.Automation.PSCredential": _credential,
    "System.Management.Automation.ScriptBlock": _script_block,
    "System.Object": _object,
    "System.Security.SecureString": _secure_string,
    "System.Xml.XmlDocument": _xml,
}
