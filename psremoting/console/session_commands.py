"""Enter-, Exit-, New-, Get- and Remove-PSSession."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from psremoting.console.calls import Call
from psremoting.console.connections import (
    host_from_options,
    is_local,
    refuse,
    targets_of,
    throttle_limit,
)
from psremoting.console.error_reports import CommandFailure
from psremoting.console.session_tables import TARGET_SET
from psremoting.console.wsman_commands import sessions_at_servers
from psremoting.console.wsman_connections import (
    ask_credential,
    is_wsman,
    more_of,
)
from psremoting.errors import PSRemotingError
from psremoting.fanout import THROTTLE, fan_out
from psremoting.powershell.binder import Binding
from psremoting.session_table import SessionEntry
from psremoting.targets import Target, WSManTarget
from psrp.records import ErrorCategory

__all__ = [
    "enter_pssession",
    "exit_pssession",
    "get_pssession",
    "new_pssession",
    "remove_pssession",
]


class _NotOpen(CommandFailure):
    error_id = "PushedRunspaceMustBeOpen"
    category = ErrorCategory.InvalidArgument
    exception_type = "System.ArgumentException"


# -- Enter-PSSession

_LOOKUPS = {"Id": "id", "InstanceId": "instance_id", "Name": "name"}


async def enter_pssession(call: Call) -> None:
    await call.bind(lambda binding: _complete(call, binding, "local"))
    for binding in call.each():
        try:
            await _enter(call, binding)
        except PSRemotingError as error:
            _enter_failed(call, error)


def _complete(call: Call, binding: Binding, here: Any, *ignoring: str) -> None:
    """Take a host from the options; without any target, take this program's endpoint."""
    host_from_options(binding)
    if call.inputs is None and is_local(binding, ignoring=ignoring):
        binding.values["Target"] = here
        binding.sets = frozenset({TARGET_SET})


async def _enter(call: Call, binding: Binding) -> None:
    surface, table = call.workspace.surface, call.workspace.table
    set_name = binding.set_name
    if set_name == "Session":
        entry: SessionEntry | None = binding["Session"]
        if entry is None:
            return
        if entry.state != "Opened":
            raise _NotOpen(
                f"Cannot enter session {entry.name} because it is not in the disconnected state "
                "or is not available for connection. Retrieve the remote session using "
                f"Get-PSSession -ComputerName {entry.computer_name} -InstanceId "
                f"{entry.instance_id}."
            )
    elif set_name in _LOOKUPS:
        entry = table.find(**{_LOOKUPS[set_name]: binding[set_name]})
        if entry.state != "Opened":
            raise _NotOpen("Session must be open.")
    else:
        await ask_credential(call, binding)
        (target,) = targets_of(binding)
        # This session is not in the table, but takes an id like the others.
        table.new_id()
        with trio.CancelScope() as everything:
            async with call.workspace.connect(
                target,
                host=surface.host,
                like_powershell=True,
                on_notice=surface.notice,
                **more_of(binding),
            ) as session:
                if not await surface.enter(session):
                    everything.cancel()
                    await trio.lowlevel.checkpoint()
        return
    await surface.enter(entry.session)


def _enter_failed(call: Call, error: PSRemotingError) -> None:
    """Set the error id of this command on a transport failure, with the message of its cause."""
    if error.error_id == "CreateRemoteRunspaceFailed":
        call.fail(error)
        return
    from psremoting.shell.entering import enter_error

    call.write_error(enter_error(error))


async def exit_pssession(call: Call) -> None:
    """Do nothing: at the local prompt there is no session to leave."""
    await call.bind()


# -- New-PSSession


async def new_pssession(call: Call) -> None:
    await call.bind(lambda binding: _complete(call, binding, ["local"], "Name"))
    for binding in call.each():
        await _new(call, binding)


async def _new(call: Call, binding: Binding) -> None:
    if binding.set_name == "Session":
        targets: Sequence[Any] = [entry.target for entry in binding["Session"] or ()]
    else:
        await ask_credential(call, binding)
        targets = targets_of(binding)
    names = binding["Name"] or []
    more = more_of(binding)
    surface, table = call.workspace.surface, call.workspace.table

    async def add(numbered: tuple[int, int, Target]) -> SessionEntry:
        at, number, target = numbered
        return await table.add(
            target,
            id=number,
            name=names[at] if at < len(names) else None,
            host=surface.host,
            like_powershell=True,
            on_notice=surface.notice,
            configuration_name=_configuration(target),
            **more,
        )

    throttle = throttle_limit(binding["ThrottleLimit"], THROTTLE)
    numbered = [(at, table.new_id(), target) for at, target in enumerate(targets)]
    for outcome in await fan_out(numbered, add, throttle=throttle):
        if outcome.error is not None:
            call.fail(outcome.error)
        else:
            call.emit(outcome.value)


def _configuration(target: Target) -> str | None:
    return target.configuration_name if isinstance(target, WSManTarget) else None


# -- Get-PSSession, Remove-PSSession


async def get_pssession(call: Call) -> None:
    await call.bind()
    for binding in call.each():
        refuse(binding)
        if is_wsman(binding):
            for each in await sessions_at_servers(call, binding):
                call.emit(each)
            continue
        kind = next((name for name in _LOOKUPS if name in binding), None)
        found = call.workspace.table.entries
        if kind is not None:
            found, missing = call.workspace.table.match(_LOOKUPS[kind], binding[kind])
            for error in missing:
                call.fail(error)
        for entry in found:
            call.emit(entry)


_REMOVED_BY = {**_LOOKUPS, "ComputerName": "computer_name"}


async def remove_pssession(call: Call) -> None:
    await call.bind()
    for binding in call.each():
        if binding.set_name == "Session":
            found = binding["Session"]
        else:
            kind = binding.set_name
            if kind not in _REMOVED_BY:
                refuse(binding)
            found, missing = call.workspace.table.match(_REMOVED_BY[kind], binding[kind])
            for error in missing:
                call.fail(error)
        for entry in found:
            if binding["WhatIf"]:
                call.workspace.surface.output(
                    f'What if: Performing the operation "Remove" on target "{entry.computer_name}".'
                )
            else:
                await call.workspace.table.remove(entry)
