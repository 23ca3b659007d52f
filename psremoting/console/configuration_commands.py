"""The commands for session configurations, on the store of this computer's endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psremoting.administration.configurations import (
    AccessMode,
    AdministrationError,
    SessionConfiguration,
    TransportOption,
)
from psremoting.administration.identities import current_user
from psremoting.administration.permissions import (
    access_mode,
    permission_text,
    with_access_mode,
    without_everyone_denied,
    without_network_denied,
)
from psremoting.administration.store import Store
from psremoting.administration.store_file import default_store_path, store_exists
from psremoting.console.configuration_settings import (
    checked_name,
    descriptor,
    new_configuration,
    transport_option,
    with_settings,
)
from psremoting.console.confirmation import Confirmation, show_verbose, show_warning
from psremoting.console.error_reports import CommandFailure
from psremoting.console.object_properties import TRANSPORT_PROPERTIES
from psremoting.console.role_permissions import with_role_permissions
from psremoting.powershell.wildcards import has_wildcards, matches
from psrp.clixml import PSObject
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from psremoting.console.calls import Call
    from psremoting.powershell.binder import Binding

__all__ = [
    "change_configuration",
    "disable_configuration",
    "enable_all",
    "enable_configuration",
    "get_configuration",
    "new_pstransportoption",
    "opened_store",
    "register_configuration",
    "set_configuration",
    "unregister_configuration",
]

_TYPE = "Microsoft.PowerShell.Commands.PSSessionConfigurationCommands#PSSessionConfiguration"
_CONTAINER = "Microsoft.WSMan.Management.WSManConfigContainerElement"
_RUN_AS_WARNING = (
    "When RunAs is enabled in a PowerShell session configuration, the Windows security model "
    "cannot enforce a security boundary between different user sessions that are created by using "
    "this endpoint. Verify that the PowerShell runspace configuration is restricted to only the "
    "necessary set of cmdlets and capabilities."
)


class _NotFound(CommandFailure):
    error_id = "Microsoft.PowerShell.Commands.WriteErrorException"
    category = ErrorCategory.NotSpecified
    exception_type = "Microsoft.PowerShell.Commands.WriteErrorException"


class _InvalidOperation(CommandFailure):
    error_id = "InvalidOperation"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.InvalidOperationException"


class _Exists(CommandFailure):
    error_id = "SessionConfigurationExists"
    category = ErrorCategory.ResourceExists
    exception_type = "System.InvalidOperationException"


@contextmanager
def opened_store(call: Call, *, create: bool = False) -> Iterator[Store]:
    """Open the store of ``-Store``, else the default one; a store that cannot be used is an error
    of the command."""
    try:
        with Store.open(_store_path(call), create=create) as store:
            yield store
    except AdministrationError as error:
        raise _InvalidOperation(str(error)) from None


def _store_path(call: Call) -> Path:
    return Path(call.binding["Store"] or default_store_path()).expanduser()


def _no_match(pattern: str) -> _NotFound:
    return _NotFound(f'No session configuration matches criteria "{pattern}".')


def _chosen(store: Store, patterns: list[str]) -> list[SessionConfiguration]:
    """Return the configurations whose names match a pattern, in the order of the patterns."""
    every = store.configurations()
    return [each for pattern in patterns for each in every if matches(pattern, each.name)]


# -- Get-PSSessionConfiguration


async def get_configuration(call: Call) -> None:
    await call.bind()
    patterns = call.binding["Name"] or ["*"]
    try:
        if patterns == ["*"] and not store_exists(_store_path(call)):
            return
    except AdministrationError as error:
        raise _InvalidOperation(str(error)) from None
    with opened_store(call) as store:
        for pattern in patterns:
            found = _chosen(store, [pattern])
            for each in found:
                call.emit(_object(store, each))
            if not found and not has_wildcards(pattern):
                call.fail(_no_match(pattern))


def _object(store: Store, configuration: SessionConfiguration) -> PSObject:
    """Return a configuration as Get-PSSessionConfiguration writes it."""
    shown: dict[str, Any] = {
        "Name": configuration.name,
        "PSVersion": configuration.ps_version,
        "StartupScript": configuration.startup_script,
        "RunAsUser": configuration.run_as_user,
        "Permission": permission_text(configuration.sddl, store.name_of),
        "Enabled": configuration.enabled,
        "AccessMode": access_mode(configuration).name.title(),
        "SecurityDescriptorSddl": configuration.sddl,
        "ResourceUri": f"http://schemas.microsoft.com/powershell/{configuration.name}",
        "ExactMatch": configuration.exact_match,
        "ConfigFilePath": configuration.path,
        "SessionType": configuration.session_type,
        "ModulesToImport": list(configuration.modules_to_import),
        "ThreadOptions": configuration.thread_options,
        "MaxReceivedDataSizePerCommandMB": configuration.max_received_data_size_mb,
        "MaxReceivedObjectSizeMB": configuration.max_received_object_size_mb,
        "Engine": f"{configuration.kind.value}:{configuration.source}",
        "WorkingDirectory": configuration.working_directory,
        "CopyFolder": configuration.copy_folder,
    }
    option = configuration.transport_option
    shown |= {name: getattr(option, own) for name, own in TRANSPORT_PROPERTIES.items()}
    return PSObject((_TYPE, "System.Object"), shown)


# -- Register-, Unregister- and Set-PSSessionConfiguration


def _before(call: Call) -> None:
    """Refuse the dialog box, and warn of RunAs. Raises CommandFailure."""
    given = call.binding
    if given["ShowSecurityDescriptorUI"]:
        if given["SecurityDescriptorSddl"]:
            raise _InvalidOperation(
                '"SecurityDescriptorSddl" and "ShowSecurityDescriptorUI" parameters cannot be '
                'specified together. Specify either "SecurityDescriptorSddl" or  '
                '"ShowSecurityDescriptorUI" parameter.'
            )
        raise _InvalidOperation(
            "ShowSecurityDescriptorUI opens a dialog box of Windows, which does not exist here. "
            "Use -SecurityDescriptorSddl."
        )
    if given["RunAsCredential"]:
        show_warning(call, _RUN_AS_WARNING)


async def register_configuration(call: Call) -> None:
    await call.bind()
    _before(call)
    for binding in call.each():
        call.binding = binding
        name = checked_name(binding["Name"])
        configuration = new_configuration(binding)
        if binding["SecurityDescriptorSddl"]:
            target = (
                f"Name: {name} SDDL: {configuration.sddl}. This lets selected users remotely run "
                "PowerShell commands on this computer."
            )
        else:
            target = (
                f"Name: {name}. This lets administrators remotely run PowerShell commands on this "
                "computer."
            )
        if not await Confirmation(call).allow(target, call.table.name):
            continue
        with opened_store(call, create=True) as store:
            roles = bool(binding["Path"]) and not binding["SecurityDescriptorSddl"]
            _register(store, configuration, roles=roles, force=bool(binding["Force"]))
        show_verbose(call, f'The session configuration "{name}" was registered.')
        call.emit(_container(configuration))


def _register(
    store: Store, configuration: SessionConfiguration, *, roles: bool, force: bool
) -> None:
    """Add a configuration; ``roles``: its file's roles decide who may connect."""
    with store.transaction():
        if roles:
            configuration = with_role_permissions(store, configuration)
        _put_new(store, configuration, force=force)


def _put_new(store: Store, configuration: SessionConfiguration, *, force: bool) -> None:
    name = configuration.name
    with store.changing(
        who=current_user(), action="Register-PSSessionConfiguration", target=name,
        detail=_summary(configuration),
    ):  # fmt: skip
        if store.configuration(name) is not None and not force:
            raise _Exists(
                f'The session configuration "{name}" exists already. Use -Force to replace it, or '
                "Set-PSSessionConfiguration to change it."
            )
        store.put_configuration(configuration)


def _summary(configuration: SessionConfiguration) -> str:
    """Return what the audit trail says of a configuration; environments may hold secrets."""
    names = ", ".join(name for name, _ in configuration.environment)
    more = f", environment: {names}" if names else ""
    return (
        f"{configuration.kind.value}:{configuration.source}, "
        f"{access_mode(configuration).name.title()}, {configuration.sddl}{more}"
    )


def _container(configuration: SessionConfiguration) -> PSObject:
    """Return what Register-PSSessionConfiguration writes for a new configuration."""
    members = {
        "PSParentPath": "Microsoft.WSMan.Management\\WSMan::localhost\\Plugin",
        "Type": "Container",
        "Keys": [f"Name={configuration.name}"],
        "Name": configuration.name,
    }
    return PSObject((_CONTAINER, "System.Object"), members)


async def unregister_configuration(call: Call) -> None:
    await call.bind()
    ask = Confirmation(call)
    for binding in call.each():
        with opened_store(call) as store:
            found = _chosen(store, [binding["Name"]])
            if not found:
                call.fail(_no_match(binding["Name"]))
            for each in found:
                if not await ask.allow(f"Name: {each.name}", call.table.name):
                    continue
                with store.changing(who=current_user(), action=call.table.name, target=each.name):
                    store.remove_configuration(each.name)
                show_verbose(call, f'The session configuration "{each.name}" was removed.')


async def set_configuration(call: Call) -> None:
    await call.bind()
    _before(call)
    ask = Confirmation(call)
    for binding in call.each():
        call.binding = binding
        with opened_store(call) as store:
            name = binding["Name"]
            target = f"Name: {name}"
            if binding["SecurityDescriptorSddl"]:
                target += f" SDDL: {descriptor(binding['SecurityDescriptorSddl'])}"
            if not await ask.allow(target, call.table.name):
                continue

            def changed(old: SessionConfiguration, binding: Binding = binding) -> Any:
                new = with_settings(old, binding)
                roles = binding["Path"] and not binding["SecurityDescriptorSddl"]
                return with_role_permissions(store, new) if roles else new

            change_configuration(store, call, name, changed)


def change_configuration(store: Store, call: Call, name: str, change: Any) -> None:
    """Change one configuration in a transaction. Raises CommandFailure if there is none."""
    with store.transaction():
        old = store.configuration(name)
        if old is None:
            raise _NotFound(f'Session configuration "{name}" was not found.')
        new = change(old)
        if new == old:
            return
        with store.changing(
            who=current_user(), action=call.table.name, target=old.name, detail=_changes(old, new)
        ):
            store.put_configuration(new)
    show_verbose(call, f'The session configuration "{old.name}" was changed: {_changes(old, new)}.')


def _changes(old: SessionConfiguration, new: SessionConfiguration) -> str:
    """Return the changed fields with their new values; of an environment only the names."""
    shown = []
    for each in fields(SessionConfiguration):
        value = getattr(new, each.name)
        if value == getattr(old, each.name):
            continue
        if each.name == "environment":
            value = ", ".join(name for name, _ in value)
        elif each.name == "kind":
            value = value.value
        elif each.name == "transport_option":
            value = ", ".join(
                f"{name}={getattr(value, own)}"
                for name, own in TRANSPORT_PROPERTIES.items()
                if getattr(value, own) is not None
            )
        shown.append(f"{each.name}={value}")
    return "; ".join(shown)


# -- Enable- and Disable-PSSessionConfiguration


async def enable_configuration(call: Call) -> None:
    await call.bind()
    ask = Confirmation(call)
    for binding in call.each():
        with opened_store(call) as store:
            await enable_all(call, store, ask, binding["Name"] or ["*"])


async def enable_all(call: Call, store: Store, ask: Confirmation, patterns: list[str]) -> None:
    """Enable the configurations that match, and remove entries that deny everybody."""
    given = call.binding.values.get("SecurityDescriptorSddl")
    for each in _named(call, store, patterns):
        enable = not each.enabled and await ask.allow(
            "Enabled: True. This configures the WS-Management service to accept the connection "
            "request.",
            "Set-Item",
        )
        sddl = descriptor(given) if given else without_everyone_denied(each.sddl)
        if not given:
            # Enabling removes the entry against the network, too. facts.md 6.1
            sddl = without_network_denied(sddl)
        if sddl != each.sddl and not await ask.allow(
            f"Name: {each.name} SDDL: {sddl}. This lets selected users remotely run PowerShell "
            "commands on this computer.",
            "Set-PSSessionConfiguration",
        ):
            sddl = each.sddl

        def change(
            old: SessionConfiguration, enable: bool = enable, sddl: str = sddl
        ) -> SessionConfiguration:
            return replace(old, enabled=old.enabled or enable, sddl=sddl)

        change_configuration(store, call, each.name, change)


async def disable_configuration(call: Call) -> None:
    await call.bind()
    ask = Confirmation(call)
    for binding in call.each():
        with opened_store(call) as store:
            for each in _named(call, store, binding["Name"] or ["*"]):
                if each.enabled and await ask.allow(
                    "Enabled: False. This configures the WS-Management service to deny the "
                    "connection request.",
                    "Set-Item",
                ):
                    change_configuration(
                        store, call, each.name,
                        lambda old: with_access_mode(old, AccessMode.DISABLED),
                    )  # fmt: skip


def _named(call: Call, store: Store, patterns: list[str]) -> list[SessionConfiguration]:
    """Return the configurations; a name without wildcards that is missing is an error."""
    for pattern in patterns:
        if not has_wildcards(pattern) and store.configuration(pattern) is None:
            call.fail(_no_match(pattern))
    return _chosen(store, patterns)


# -- New-PSTransportOption


async def new_pstransportoption(call: Call) -> None:
    """Make a TransportOption of the parameters that were given."""
    await call.bind()
    made: TransportOption = transport_option(call.binding)
    call.emit(made)
