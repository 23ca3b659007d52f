"""Access to session configurations: the check, and PowerShell's changes of descriptors.

A client needs GENERIC_EXECUTE. A deny entry wins wherever it stands, and a descriptor without a
list of access gives nobody access. [MS-WSMV] 3.1.4.1.28, facts.md 6.1, spec-notes/permissions.md
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace

from psremoting.administration.configurations import (
    LOCAL_SDDL,
    REMOTE_SDDL,
    AccessMode,
    AdministrationError,
    SessionConfiguration,
)
from psremoting.administration.sddl import (
    GENERIC_ALL,
    GENERIC_EXECUTE,
    Ace,
    Acl,
    SecurityDescriptor,
    format_sddl,
    parse_sddl,
)
from psremoting.administration.security_identifiers import (
    BUILTIN_ADMINISTRATORS,
    EVERYONE,
    INTERACTIVE,
    NETWORK,
    REMOTE_MANAGEMENT_USERS,
    WELL_KNOWN_NAMES,
    sid_order,
)

__all__ = [
    "access_mode",
    "checked_sddl",
    "denies_network",
    "is_granted",
    "may_connect",
    "permission_text",
    "with_access_mode",
    "with_network_denied",
    "without_everyone_denied",
    "without_network_denied",
]

_ALLOWS, _DENIES = ("A", "XA"), ("D", "XD")
_EFFECTIVE = GENERIC_ALL | GENERIC_EXECUTE
_TYPE_NAMES = {
    "A": "AccessAllowed",
    "D": "AccessDenied",
    "XA": "AccessAllowedCallback",
    "XD": "AccessDeniedCallback",
    "OA": "AccessAllowedObject",
    "OD": "AccessDeniedObject",
}
_NETWORK_DENY = Ace(type="D", mask=GENERIC_ALL, sid=NETWORK)
_DEFAULTS = tuple(
    Ace(type="A", mask=GENERIC_ALL, sid=sid)
    for sid in (INTERACTIVE, BUILTIN_ADMINISTRATORS, REMOTE_MANAGEMENT_USERS)
)


def checked_sddl(text: str) -> str:
    """Return a descriptor's text as it is stored. Raises SddlError, AdministrationError."""
    descriptor = parse_sddl(text)
    if descriptor.dacl is None:
        raise AdministrationError(
            "expected a list of access (D:...) in the SDDL: Windows gives everybody access "
            "without one"
        )
    return format_sddl(descriptor)


# -- the access check


def is_granted(descriptor: SecurityDescriptor, sids: Set[str]) -> bool:
    """Return whether a user with these SIDs has GENERIC_EXECUTE."""
    allowed = False
    for ace in descriptor.dacl.aces if descriptor.dacl is not None else ():
        if "IO" in ace.flags or not ace.mask & _EFFECTIVE or ace.sid not in sids:
            continue
        if ace.type == "A":
            allowed = True
        elif ace.type == "D":
            return False
        elif ace.condition is not None and ace.condition.holds(sids):
            if ace.type == "XD":
                return False
            allowed = allowed or ace.type == "XA"
    return allowed


def may_connect(configuration: SessionConfiguration, sids: Set[str]) -> bool:
    """Return whether a user may open a session; a descriptor that cannot be read refuses all."""
    if not configuration.enabled:
        return False
    try:
        return is_granted(parse_sddl(configuration.sddl), sids)
    except AdministrationError:
        return False


# -- the Permission column


def permission_text(sddl: str, name_of: Callable[[str], str] = lambda sid: sid) -> str:
    """Return the text of the Permission column, such as ``NT AUTHORITY\\NETWORK AccessDenied``.

    The entries are in the order of .NET: denials first, then by SID. ``name_of`` returns the name
    of a SID that is not well known. Raises SddlError.
    """
    descriptor = parse_sddl(sddl)
    shown = []
    for ace in _canonical(descriptor.dacl or Acl()).aces:
        name = WELL_KNOWN_NAMES.get(ace.sid) or name_of(ace.sid)
        shown.append(f"{name} {_TYPE_NAMES.get(ace.type, ace.type)}")
    return ", ".join(shown)


def _canonical(acl: Acl) -> Acl:
    """Return a list in .NET's order, without the entries that have no effect."""
    kept = [
        ace for ace in acl.aces if ace.mask and "IO" not in ace.flags and ace.type in _TYPE_NAMES
    ]
    return replace(acl, aces=tuple(sorted(kept, key=_order)))


def _order(ace: Ace) -> tuple[int, tuple[int, int, tuple[int, ...]]]:
    rank = (_DENIES, ("OD",), _ALLOWS, ("OA",))
    place = next(at for at, types in enumerate(rank) if ace.type in types)
    return place, sid_order(ace.sid)


# -- changes


def _is_network_deny(ace: Ace) -> bool:
    return ace.type == "D" and ace.sid == NETWORK and ace.mask == GENERIC_ALL


def denies_network(sddl: str) -> bool:
    """Return whether a descriptor has PowerShell's entry against the network. Raises SddlError."""
    dacl = parse_sddl(sddl).dacl
    return dacl is not None and any(map(_is_network_deny, dacl.aces))


def with_network_denied(sddl: str) -> str:
    """Return the descriptor with the entry against the network, added if missing."""
    descriptor = parse_sddl(sddl)
    acl = descriptor.dacl or Acl(flags=("P",))
    if any(map(_is_network_deny, acl.aces)):
        return sddl
    acl = _canonical(replace(acl, aces=(_NETWORK_DENY, *acl.aces)))
    return format_sddl(replace(descriptor, dacl=acl))


def without_network_denied(sddl: str) -> str:
    """Return the descriptor without the entry against the network.

    If nothing is left, administrators, remote management users and interactive users have access.
    """
    return _without(sddl, _is_network_deny)


def without_everyone_denied(sddl: str) -> str:
    """Return the descriptor without entries that deny everybody, as version 2 added them."""
    return _without(sddl, lambda ace: ace.type == "D" and ace.sid == EVERYONE)


def _without(sddl: str, unwanted: Callable[[Ace], bool]) -> str:
    descriptor = parse_sddl(sddl)
    acl = descriptor.dacl or Acl()
    kept = tuple(ace for ace in acl.aces if not unwanted(ace))
    if len(kept) == len(acl.aces):
        return sddl
    acl = _canonical(replace(acl, aces=kept or _DEFAULTS))
    return format_sddl(replace(descriptor, dacl=acl))


def access_mode(configuration: SessionConfiguration) -> AccessMode:
    """Return the access mode that the flag and the descriptor amount to."""
    if not configuration.enabled:
        return AccessMode.DISABLED
    return AccessMode.LOCAL if denies_network(configuration.sddl) else AccessMode.REMOTE


def with_access_mode(configuration: SessionConfiguration, mode: AccessMode) -> SessionConfiguration:
    """Return the configuration with another access mode. Disabled keeps the descriptor."""
    if mode is AccessMode.DISABLED:
        return replace(configuration, enabled=False)
    sddl = configuration.sddl
    if not sddl:
        sddl = LOCAL_SDDL if mode is AccessMode.LOCAL else REMOTE_SDDL
    change = with_network_denied if mode is AccessMode.LOCAL else without_network_denied
    return replace(configuration, enabled=True, sddl=change(sddl))
