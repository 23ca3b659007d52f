"""Security identifiers: their text, and the well-known ones. [MS-DTYP] 2.4.2

A SID is kept as its text, ``S-1-5-32-544``, because everything here compares or shows it.
"""

from __future__ import annotations

import re

from psrp.sansio import LocalProtocolError

__all__ = [
    "ALIASES",
    "AUTHENTICATED_USERS",
    "BUILTIN_ADMINISTRATORS",
    "EVERYONE",
    "INTERACTIVE",
    "NETWORK",
    "REMOTE_MANAGEMENT_USERS",
    "SID_ALIASES",
    "WELL_KNOWN_NAMES",
    "parse_sid",
    "sid_order",
    "well_known_sid",
]

EVERYONE = "S-1-1-0"
NETWORK = "S-1-5-2"
INTERACTIVE = "S-1-5-4"
AUTHENTICATED_USERS = "S-1-5-11"
BUILTIN_ADMINISTRATORS = "S-1-5-32-544"
REMOTE_MANAGEMENT_USERS = "S-1-5-32-580"

_BUILTIN = {
    "BA": ("544", "Administrators"),
    "BU": ("545", "Users"),
    "BG": ("546", "Guests"),
    "PU": ("547", "Power Users"),
    "AO": ("548", "Account Operators"),
    "SO": ("549", "Server Operators"),
    "PO": ("550", "Print Operators"),
    "BO": ("551", "Backup Operators"),
    "RE": ("552", "Replicator"),
    "RU": ("554", "Pre-Windows 2000 Compatible Access"),
    "RD": ("555", "Remote Desktop Users"),
    "NO": ("556", "Network Configuration Operators"),
    "MU": ("558", "Performance Monitor Users"),
    "LU": ("559", "Performance Log Users"),
    "IS": ("568", "IIS_IUSRS"),
    "CY": ("569", "Cryptographic Operators"),
    "ER": ("573", "Event Log Readers"),
    "CD": ("574", "Certificate Service DCOM Access"),
    "RA": ("575", "RDS Remote Access Servers"),
    "ES": ("576", "RDS Endpoint Servers"),
    "MS": ("577", "RDS Management Servers"),
    "HA": ("578", "Hyper-V Administrators"),
    "AA": ("579", "Access Control Assistance Operators"),
    "RM": ("580", "Remote Management Users"),
}
_KNOWN = {
    "WD": (EVERYONE, "Everyone"),
    "CO": ("S-1-3-0", "CREATOR OWNER"),
    "CG": ("S-1-3-1", "CREATOR GROUP"),
    "OW": ("S-1-3-4", "OWNER RIGHTS"),
    "NU": (NETWORK, "NT AUTHORITY\\NETWORK"),
    "IU": (INTERACTIVE, "NT AUTHORITY\\INTERACTIVE"),
    "SU": ("S-1-5-6", "NT AUTHORITY\\SERVICE"),
    "AN": ("S-1-5-7", "NT AUTHORITY\\ANONYMOUS LOGON"),
    "ED": ("S-1-5-9", "NT AUTHORITY\\ENTERPRISE DOMAIN CONTROLLERS"),
    "PS": ("S-1-5-10", "NT AUTHORITY\\SELF"),
    "AU": (AUTHENTICATED_USERS, "NT AUTHORITY\\Authenticated Users"),
    "RC": ("S-1-5-12", "NT AUTHORITY\\RESTRICTED"),
    "SY": ("S-1-5-18", "NT AUTHORITY\\SYSTEM"),
    "LS": ("S-1-5-19", "NT AUTHORITY\\LOCAL SERVICE"),
    "NS": ("S-1-5-20", "NT AUTHORITY\\NETWORK SERVICE"),
    "WR": ("S-1-5-33", "NT AUTHORITY\\WRITE RESTRICTED"),
    "AC": ("S-1-15-2-1", "APPLICATION PACKAGE AUTHORITY\\ALL APPLICATION PACKAGES"),
    "LW": ("S-1-16-4096", "Mandatory Label\\Low Mandatory Level"),
    "ME": ("S-1-16-8192", "Mandatory Label\\Medium Mandatory Level"),
    "MP": ("S-1-16-8448", "Mandatory Label\\Medium Plus Mandatory Level"),
    "HI": ("S-1-16-12288", "Mandatory Label\\High Mandatory Level"),
    "SI": ("S-1-16-16384", "Mandatory Label\\System Mandatory Level"),
} | {alias: (f"S-1-5-32-{rid}", f"BUILTIN\\{name}") for alias, (rid, name) in _BUILTIN.items()}
"""Aliases of SDDL. Those of a domain (DA, DU, LA ...) are missing: there is no domain here."""

ALIASES: dict[str, str] = {alias: sid for alias, (sid, _) in _KNOWN.items()}
"""Alias in SDDL to SID."""
SID_ALIASES: dict[str, str] = {sid: alias for alias, sid in ALIASES.items()}
"""SID to its alias in SDDL."""
WELL_KNOWN_NAMES: dict[str, str] = dict(_KNOWN.values())
"""SID to the account name that Windows shows."""
_BY_NAME = {name.casefold(): sid for sid, name in WELL_KNOWN_NAMES.items()}

_TEXT = re.compile(
    r"S-1-(0x[0-9A-F]{1,12}|[0-9]{1,15})((?:-(?:0x[0-9A-F]{1,8}|[0-9]{1,10})){1,15})"
)
_MOST_AUTHORITY = (1 << 48) - 1
_MOST_PART = (1 << 32) - 1


def parse_sid(text: str) -> str:
    """Return a SID in its canonical text. Raises LocalProtocolError."""
    found = _TEXT.fullmatch(text.upper().replace("X", "x"))
    if found is not None:
        authority = int(found[1], 0) if "x" in found[1] else int(found[1])
        parts = [int(each, 16) if "x" in each else int(each) for each in found[2].split("-")[1:]]
        if authority <= _MOST_AUTHORITY and max(parts) <= _MOST_PART:
            shown = str(authority) if authority <= _MOST_PART else f"0x{authority:012X}"
            return "-".join(("S-1", shown, *map(str, parts)))
    raise LocalProtocolError(f"expected a SID such as S-1-5-32-544, got {text[:80]!r}")


def well_known_sid(name: str) -> str:
    """Return the SID of a well-known name such as ``BUILTIN\\Users``, else an empty text."""
    return _BY_NAME.get(name.casefold(), "")


def sid_order(sid: str) -> tuple[int, int, tuple[int, ...]]:
    """Return the key by which .NET sorts the SIDs of an access control list."""
    authority, *parts = sid.split("-")[2:]
    return int(authority, 0), len(parts), tuple(map(int, parts))
