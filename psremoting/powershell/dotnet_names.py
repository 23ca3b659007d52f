"""The names of the .NET types of values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psrp.clixml import (
    Credential,
    DateTime,
    Dictionary,
    Enumerable,
    List,
    PSObject,
    Queue,
    SecureString,
    Stack,
    TimeSpan,
    Version,
    XmlDocument,
)
from psrp.properties import unwrap

__all__ = ["base_type", "type_name_of"]

_CUSTOM = "System.Management.Automation.PSCustomObject"
#: Types that a client rebuilds from their deserialized form.
_REBUILT = frozenset(
    {
        "System.Management.Automation.PSCredential",
        "System.Net.IPAddress",
        "System.Net.Mail.MailAddress",
    }
)
_SWITCH = "System.Management.Automation.SwitchParameter"
_NAMES: dict[type, str] = {
    bool: "System.Boolean",
    float: "System.Double",
    str: "System.String",
    bytes: "System.Byte[]",
    Decimal: "System.Decimal",
    datetime: "System.DateTime",
    DateTime: "System.DateTime",
    timedelta: "System.TimeSpan",
    TimeSpan: "System.TimeSpan",
    UUID: "System.Guid",
    Version: "System.Version",
    SecureString: "System.Security.SecureString",
    Credential: "System.Management.Automation.PSCredential",
    XmlDocument: "System.Xml.XmlDocument",
    list: "System.Object[]",
    tuple: "System.Object[]",
    dict: "System.Collections.Hashtable",
}
_SAME_NAME = frozenset(
    {"Byte", "Char", "Int16", "Int64", "SByte", "Single", "UInt16", "UInt32", "UInt64", "Uri"}
)


def type_name_of(value: Any, *, received: bool = False) -> str:
    """Return the .NET type name that PowerShell names for a value in an error."""
    kind = type(value)
    if received and kind in (list, tuple):
        return "System.Collections.ArrayList"
    if kind in _NAMES:
        return _NAMES[kind]
    if kind is int:
        return "System.Int32" if -(2**31) <= value < 2**31 else "System.Int64"
    if kind.__name__ in _SAME_NAME and kind.__module__.startswith("psrp."):
        return f"System.{kind.__name__}"
    if isinstance(value, PSObject):
        return _object_type(value, received)
    if isinstance(value, (List, Enumerable)):
        return "System.Collections.ArrayList" if received else (*value.type_names, "")[0]
    if isinstance(value, (Stack, Queue)):
        return f"System.Collections.{kind.__name__}"
    if isinstance(value, Dictionary):
        return (*value.type_names, "System.Collections.Hashtable")[0]
    if isinstance(value, str):
        # A script block arrives as its text.
        return "System.String" if received else "System.Management.Automation.ScriptBlock"
    if isinstance(value, Mapping):
        return _NAMES[dict]
    return "System.Object"


def _object_type(value: PSObject, received: bool) -> str:
    inner = unwrap(value)
    if inner is not None and not isinstance(inner, PSObject):
        return type_name_of(inner, received=received)
    name = value.type_names[0] if value.type_names else _CUSTOM
    if name in _REBUILT or name == _SWITCH or not received or name.startswith("Deserialized."):
        return name
    return f"Deserialized.{name}"


def base_type(value: Any, *, received: bool = False) -> str:
    """Return the name of the .NET type inside an object; PSCustomObject where there is none."""
    if isinstance(value, PSObject):
        inner = unwrap(value)
        if inner is None or isinstance(inner, PSObject):
            name = type_name_of(value, received=received)
            return name if name in _REBUILT or name == _SWITCH else _CUSTOM
        return type_name_of(inner, received=received)
    return type_name_of(value, received=received)
