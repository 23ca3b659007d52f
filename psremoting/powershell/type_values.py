"""Values of .NET types that CLIXML carries as objects: types, enums, switches, expressions.

The objects are those that PowerShell sends, except that a type has only the properties that hold in
every version of .NET. spec-notes/constrained-endpoints.md#what-we-do-not-evaluate
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from psremoting.powershell.conversion import ConversionError, convert, to_enum, to_text
from psremoting.powershell.enum_names import ENUMS
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.literals import BIG_INTEGER, big_integer
from psremoting.powershell.text_operators import is_common_pattern
from psremoting.powershell.type_names import full_type_name
from psrp.clixml import Int64, PSObject, TimeSpan
from psrp.properties import unwrap

__all__ = ["CASTS", "SWITCH", "enum_member", "is_opaque", "is_type", "switch_value", "type_value"]

SWITCH = "System.Management.Automation.SwitchParameter"
_SWITCH = (SWITCH, "System.ValueType", "System.Object")
_TYPE = (
    "System.RuntimeType",
    "System.Reflection.TypeInfo",
    "System.Type",
    "System.Reflection.MemberInfo",
    "System.Object",
)
_REGEX = ("System.Text.RegularExpressions.Regex", "System.Object")
_ADDRESS = ("System.Net.IPAddress", "System.Object")
_MAIL = ("System.Net.Mail.MailAddress", "System.Object")
_OPAQUE = frozenset({SWITCH, _TYPE[0], _REGEX[0], _ADDRESS[0], _MAIL[0]})
_VALUE_TYPES = frozenset(
    f"System.{name}"
    for name in (
        *("Boolean", "Byte", "Char", "DateTime", "Decimal", "Double", "Guid", "Int16", "Int32"),
        *("Int64", "SByte", "Single", "TimeSpan", "UInt16", "UInt32", "UInt64", "Void"),
    )
) | {SWITCH, BIG_INTEGER[0], *ENUMS}
_PRIMITIVE = _VALUE_TYPES - {
    *("System.DateTime", "System.Decimal", "System.Guid", "System.TimeSpan", "System.Void"),
    *(SWITCH, BIG_INTEGER[0], *ENUMS),
}
_INFINITE = TimeSpan(-10_000)
"""Regex.InfiniteMatchTimeout: minus one millisecond."""
_MAIL_TEXT = re.compile(r"([A-Za-z0-9._+-]+)@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)")


def is_opaque(value: Any) -> bool:
    """Return True for a value whose operators and further properties are known to .NET only."""
    if type(value) is not PSObject or not value.type_names:
        return False
    return value.type_names[0] in _OPAQUE or "System.Enum" in value.type_names


def is_type(value: Any) -> bool:
    """Return True for a type, whose text in PowerShell is a shorter name."""
    return type(value) is PSObject and value.type_names[:1] == _TYPE[:1]


def type_value(name: str) -> PSObject:
    """Return the type ``[name]`` as a value. Raises Unsupported for a type that is unknown here."""
    full = full_type_name(name)
    if full is None:
        raise Unsupported(f"a type as a value: [{name}]")
    namespace, _, short = full.rpartition(".")
    members = {
        "FullName": full,
        "Namespace": namespace,
        "IsEnum": full in ENUMS,
        "Name": short,
        "IsArray": full.endswith("[]"),
        "IsClass": full not in _VALUE_TYPES,
        "IsPrimitive": full in _PRIMITIVE,
        "IsValueType": full in _VALUE_TYPES,
    }
    return PSObject(_TYPE, members, to_string=full)


def enum_member(type_name: str, member: str) -> PSObject | None:
    """Return ``[type_name]::member`` if that is a member of a known enum, otherwise None."""
    enumeration = ENUMS.get(full_type_name(type_name) or "")
    if enumeration is None:
        return None
    folded = member.casefold()
    found = next((each for each in enumeration.members if each.casefold() == folded), None)
    return None if found is None else to_enum(found, enumeration)


def switch_value(value: Any) -> PSObject:
    """Return a SwitchParameter, as a parameter of type ``[switch]`` has it."""
    present = unwrap(value)
    if not isinstance(present, bool):
        raise Unsupported("a cast to [switch]")
    return PSObject(_SWITCH, {"IsPresent": present}, to_string=str(present))


def _regex(value: Any) -> Any:
    text = to_text(value)
    if not is_common_pattern(text):
        raise Unsupported("a regular expression that may differ from .NET's")
    members = {"Options": "None", "RightToLeft": False, "MatchTimeout": _INFINITE}
    return PSObject(_REGEX, members, to_string=text)


def _big_integer(value: Any) -> Any:
    plain = unwrap(value)
    if isinstance(plain, str):
        # PowerShell goes through Double.
        try:
            plain = convert(plain, "System.Double")
        except ConversionError as error:
            raise EvaluationError(error.message, error.error_id) from None
    if isinstance(plain, float) and not math.isfinite(plain):
        raise Unsupported("a cast to [bigint]")
    if not isinstance(plain, int | float | Decimal) or isinstance(plain, bool):
        raise Unsupported("a cast to [bigint]")
    return big_integer(int(plain))


def _ip_address(value: Any) -> Any:
    text = unwrap(value)
    try:
        address = ipaddress.IPv4Address(text if isinstance(text, str) else "")
    except ValueError:
        raise Unsupported("a cast to [ipaddress]") from None
    members = {
        "AddressFamily": "InterNetwork",
        "IsIPv6Multicast": False,
        "IsIPv6LinkLocal": False,
        "IsIPv6SiteLocal": False,
        "IsIPv6Teredo": False,
        "IsIPv6UniqueLocal": False,
        "IsIPv4MappedToIPv6": False,
        "Address": Int64(int.from_bytes(address.packed, "little")),
    }
    return PSObject(_ADDRESS, members, {"IPAddressToString": str(address)}, to_string=str(address))


def _mail_address(value: Any) -> Any:
    text = unwrap(value)
    found = _MAIL_TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise Unsupported("a cast to [mailaddress]")
    members = {"DisplayName": "", "User": found[1], "Host": found[2], "Address": found[0]}
    return PSObject(_MAIL, members, to_string=found[0])


CASTS: dict[str, Callable[[Any], Any]] = {
    SWITCH: switch_value,
    _REGEX[0]: _regex,
    BIG_INTEGER[0]: _big_integer,
    _ADDRESS[0]: _ip_address,
    _MAIL[0]: _mail_address,
}
"""The casts to types whose values are objects, by the name of the type. They raise Unsupported."""
