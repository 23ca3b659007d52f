"""Type literals: type accelerators, and the static members that are constants."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any
from uuid import UUID

from psremoting.powershell.enum_names import ENUMS
from psrp.clixml import (
    Byte,
    Char,
    DateTime,
    Int16,
    Int64,
    SByte,
    Single,
    TimeSpan,
    UInt16,
    UInt32,
    UInt64,
)

__all__ = ["full_type_name", "static_member"]

_SYSTEM = """
    bool=Boolean byte=Byte char=Char datetime=DateTime decimal=Decimal double=Double float=Single
    guid=Guid int=Int32 int16=Int16 int32=Int32 int64=Int64 long=Int64 object=Object sbyte=SByte
    short=Int16 single=Single string=String timespan=TimeSpan uint=UInt32 uint16=UInt16
    uint32=UInt32 uint64=UInt64 ulong=UInt64 uri=Uri ushort=UInt16 version=Version array=Array
"""
_NAMES = {
    **{name: f"System.{full}" for name, full in (each.split("=") for each in _SYSTEM.split())},
    "bigint": "System.Numerics.BigInteger",
    "cultureinfo": "System.Globalization.CultureInfo",
    "hashtable": "System.Collections.Hashtable",
    "ipaddress": "System.Net.IPAddress",
    "mailaddress": "System.Net.Mail.MailAddress",
    "pscredential": "System.Management.Automation.PSCredential",
    "psobject": "System.Management.Automation.PSObject",
    "pscustomobject": "System.Management.Automation.PSObject",
    "regex": "System.Text.RegularExpressions.Regex",
    "scriptblock": "System.Management.Automation.ScriptBlock",
    "securestring": "System.Security.SecureString",
    "switch": "System.Management.Automation.SwitchParameter",
    "void": "System.Void",
    "xml": "System.Xml.XmlDocument",
}
_FULL = {name.casefold(): name for name in (*_NAMES.values(), *ENUMS)}
_NULLABLE = "nullable["


def full_type_name(name: str) -> str | None:
    """Return the .NET name of a type literal such as ``int`` or ``System.String[]``; None if it
    is unknown here."""
    folded = name.casefold().strip()
    if folded.removeprefix("system.").startswith(_NULLABLE) and folded.endswith("]"):
        inner = full_type_name(folded.removeprefix("system.")[len(_NULLABLE) : -1])
        return None if inner is None else f"System.Nullable`1[{inner}]"
    if folded.endswith("[]"):
        element = full_type_name(folded[:-2])
        return None if element is None else f"{element}[]"
    if folded in _NAMES:
        return _NAMES[folded]
    return _FULL.get(folded) or _FULL.get(f"system.{folded}")


_MOST = sys.float_info.max
_STATIC: dict[tuple[str, str], Any] = {
    ("DateTime", "MinValue"): DateTime(0),
    ("DateTime", "MaxValue"): DateTime(3155378975999999999),
    ("TimeSpan", "Zero"): TimeSpan(0),
    ("TimeSpan", "MinValue"): TimeSpan(-(2**63)),
    ("TimeSpan", "MaxValue"): TimeSpan(2**63 - 1),
    ("Guid", "Empty"): UUID(int=0),
    ("String", "Empty"): "",
    ("Boolean", "TrueString"): "True",
    ("Boolean", "FalseString"): "False",
    ("Char", "MinValue"): Char(0),
    ("Char", "MaxValue"): Char(0xFFFF),
    ("Int32", "MinValue"): -(2**31),
    ("Int32", "MaxValue"): 2**31 - 1,
    ("Decimal", "Zero"): Decimal(0),
    ("Decimal", "One"): Decimal(1),
    ("Decimal", "MinusOne"): Decimal(-1),
    ("Decimal", "MinValue"): Decimal(-(2**96 - 1)),
    ("Decimal", "MaxValue"): Decimal(2**96 - 1),
    ("Double", "MinValue"): -_MOST,
    ("Double", "MaxValue"): _MOST,
    ("Double", "Epsilon"): 5e-324,
    ("Double", "NaN"): float("nan"),
    ("Double", "PositiveInfinity"): float("inf"),
    ("Double", "NegativeInfinity"): float("-inf"),
    ("Math", "PI"): 3.141592653589793,
    ("Math", "E"): 2.718281828459045,
    **{(kind.__name__, "MinValue"): kind(kind.MIN)
       for kind in (Byte, SByte, Int16, UInt16, UInt32, Int64, UInt64)},
    **{(kind.__name__, "MaxValue"): kind(kind.MAX)
       for kind in (Byte, SByte, Int16, UInt16, UInt32, Int64, UInt64)},
    ("Single", "MaxValue"): Single(3.4028234663852886e38),
    ("Single", "MinValue"): Single(-3.4028234663852886e38),
}  # fmt: skip
_FOLDED = {(kind.casefold(), name.casefold()): value for (kind, name), value in _STATIC.items()}
MISSING: Any = object()


def static_member(type_name: str, member: str) -> Any:
    """Return the value of a constant static .NET member; `MISSING` for any other member."""
    full = full_type_name(type_name) or type_name
    kind = full.casefold().removeprefix("system.")
    return _FOLDED.get((kind, member.casefold()), MISSING)
