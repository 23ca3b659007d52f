"""The identity of a client: its SIDs from the store's table, its groups, its kind of connection.

NETWORK is every authenticated connection but one from this machine's own socket that asked for
`-EnableNetworkAccess`, which is INTERACTIVE. Administrators are root, the owner of the store, and
the members that the store names. spec-notes/administration.md
"""

from __future__ import annotations

import grp
import os
import pwd
from contextlib import suppress

from psremoting.administration.configurations import ConnectedUser, SessionConfiguration
from psremoting.administration.security_identifiers import (
    AUTHENTICATED_USERS,
    BUILTIN_ADMINISTRATORS,
    EVERYONE,
    INTERACTIVE,
    NETWORK,
)
from psremoting.administration.store import Store
from psremoting.local_users import user_name

__all__ = ["configuration_for", "connected_user", "current_user"]


def current_user() -> str:
    """Return the user of the operating system that runs this process, behind sudo its caller."""
    if os.geteuid() == 0 and (caller := os.environ.get("SUDO_USER")):
        return caller
    return user_name(os.geteuid())


def connected_user(
    store: Store, name: str, *, address: str = "", interactive: bool = False
) -> ConnectedUser:
    """Return an authenticated user with its SIDs. Raises StoreError."""
    local, system_groups = _of_the_system(name)
    names = {name.casefold()} | {f"@{each}".casefold() for each in system_groups}
    groups = {
        group
        for group, members in store.groups().items()
        if names & {each.casefold() for each in members}
    }
    sids = {EVERYONE, AUTHENTICATED_USERS, INTERACTIVE if interactive else NETWORK}
    for each in (name, *groups, *system_groups):
        if sid := store.known_sid(each):
            sids.add(sid)
    if local is not None and local.pw_uid in (0, _owner(store)):
        sids.add(BUILTIN_ADMINISTRATORS)
    return ConnectedUser(
        name=name,
        address=address,
        sids=frozenset(sids),
        groups=frozenset(groups | system_groups),
        local_user=local.pw_name if local is not None else "",
    )


def _of_the_system(name: str) -> tuple[pwd.struct_passwd | None, set[str]]:
    """Return the user of the operating system of this name and the names of its groups."""
    try:
        user = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None, set()
    groups = set()
    for number in os.getgrouplist(user.pw_name, user.pw_gid):
        with suppress(KeyError):
            groups.add(grp.getgrgid(number).gr_name)
    return user, groups


def _owner(store: Store) -> int:
    return store.path.stat().st_uid


def configuration_for(store: Store, name: str) -> SessionConfiguration | None:
    """Return the configuration that serves ``name``, as WinRM chooses it.

    The configuration of this very name comes first, then the one with the longest name that
    ``name`` begins with, if it takes longer names. [MS-WSMV] 3.1.4.1.34.1
    """
    exact = store.configuration(name)
    if exact is not None:
        return exact
    folded = name.casefold()
    fitting = [
        each
        for each in store.configurations()
        if not each.exact_match and folded.startswith(each.name.casefold())
    ]
    return max(fitting, key=lambda each: len(each.name), default=None)
