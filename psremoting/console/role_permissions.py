"""The descriptor that a .pssc file's RoleDefinitions amount to: only the roles may connect.

PowerShell computes it when a file is registered without -SecurityDescriptorSddl; the groups of
RequiredGroups are checked when a session opens.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from psremoting.administration.configurations import REMOTE_SDDL, AccessMode, SessionConfiguration
from psremoting.administration.permissions import (
    access_mode,
    with_network_denied,
    without_network_denied,
)
from psremoting.administration.sddl import GENERIC_ALL, Ace, Acl, format_sddl, parse_sddl
from psremoting.administration.store import Store
from psremoting.configuration_files.file_reading import read_configuration_file
from psremoting.console.parameter_types import as_text
from psrp.clixml import Dictionary

__all__ = ["with_role_permissions"]


def with_role_permissions(
    store: Store, configuration: SessionConfiguration
) -> SessionConfiguration:
    """Return the configuration with the descriptor of its file's roles, if the file has any.

    Names without a SID get one from the store. Raises ConfigurationFileError.
    """
    roles = read_configuration_file(Path(configuration.path)).get("RoleDefinitions")
    if not isinstance(roles, Dictionary) or not len(roles):
        return configuration
    sids = dict.fromkeys(store.sid_of(as_text(name)) for name in roles)
    allowed = tuple(Ace(type="A", mask=GENERIC_ALL, sid=sid) for sid in sids)
    descriptor = parse_sddl(REMOTE_SDDL)
    sddl = format_sddl(replace(descriptor, dacl=Acl(flags=("P",), aces=allowed)))
    # Both changes put the entries into canonical order.
    denied = with_network_denied(sddl)
    local = access_mode(configuration) is AccessMode.LOCAL
    return replace(configuration, sddl=denied if local else without_network_denied(denied))
