"""All Python values of CLIXML in one place.

`None`, `bool`, `int`, `float`, `str`, `bytes`, `Decimal` and `UUID` represent themselves; these
classes represent everything else.
"""

from __future__ import annotations

from psrp.clixml.containers import Dictionary, Enumerable, List, Queue, Stack, TypeNames
from psrp.clixml.equality import equal, identical
from psrp.clixml.numbers import (
    Byte,
    Char,
    Int16,
    Int64,
    SByte,
    Single,
    SizedInt,
    UInt16,
    UInt32,
    UInt64,
)
from psrp.clixml.objects import (
    Credential,
    MemberSet,
    ProgressRecord,
    PSObject,
    ScriptBlock,
    SecureString,
    Uri,
    Version,
    XmlDocument,
)
from psrp.clixml.times import DateTime, DateTimeKind, TimeSpan

__all__ = [
    "Byte",
    "Char",
    "Credential",
    "DateTime",
    "DateTimeKind",
    "Dictionary",
    "Enumerable",
    "Int16",
    "Int64",
    "List",
    "MemberSet",
    "PSObject",
    "ProgressRecord",
    "Queue",
    "SByte",
    "ScriptBlock",
    "SecureString",
    "Single",
    "SizedInt",
    "Stack",
    "TimeSpan",
    "TypeNames",
    "UInt16",
    "UInt32",
    "UInt64",
    "Uri",
    "Version",
    "XmlDocument",
    "equal",
    "identical",
]
