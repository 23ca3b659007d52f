"""Invoke-Command: a script on other computers or in open sessions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from psremoting.client.streams import StreamKind
from psremoting.console.calls import Call
from psremoting.console.connections import host_from_options, refuse, targets_of, throttle_limit
from psremoting.console.error_reports import CommandFailure
from psremoting.console.jobs import Job
from psremoting.console.parameter_types import as_text
from psremoting.console.results import CallResults
from psremoting.console.wsman_commands import DisconnectedEntry, disconnected_entry
from psremoting.console.wsman_connections import ask_credential, more_of
from psremoting.errors import PSRemotingError
from psremoting.exception_groups import lone_exception
from psremoting.fanout import THROTTLE, fan_out
from psremoting.powershell.binder import Binding
from psremoting.powershell.script_file import read_script
from psremoting.remote_command import RemoteCommand
from psremoting.session import PSSession
from psremoting.session_table import SessionEntry
from psremoting.targets import Target
from psremoting.wsman_target import WSManTarget
from psrp.clixml import Dictionary, PSObject
from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["invoke_command"]

_USING = re.compile(r"[$@]\{?using:(\w+)", re.IGNORECASE)


class _NoFile(CommandFailure):
    error_id = "PathNotFound"
    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.ItemNotFoundException"


class _DoNotFit(CommandFailure):
    """Two parameters of one parameter set that cannot be used together."""

    error_id = "System.InvalidOperationException"
    category = ErrorCategory.NotSpecified
    exception_type = "System.InvalidOperationException"


def _check(binding: Binding) -> None:
    """Refuse combinations of parameters that are no matter of parameter sets."""
    disconnected = binding["InDisconnectedSession"]
    if disconnected and (binding["AsJob"] or binding["JobName"]):
        raise _DoNotFit(
            "You cannot use the Invoke-Command cmdlet with both the AsJob and Disconnected "
            "parameters in the same command."
        )
    if binding["SessionName"] and not disconnected:
        raise _DoNotFit(
            "The SessionName parameter can only be used with the Disconnected switch parameter."
        )


async def invoke_command(call: Call) -> None:
    await call.bind(host_from_options)
    inputs: list[Any] | None = None
    binding = call.binding
    if call.inputs is not None:
        inputs = []
        for each in call.each():
            binding = each
            inputs.append(each["InputObject"])
        if not inputs:
            # Without an object, input does not choose a parameter set: take the first.
            binding.sets = frozenset(sorted(binding.sets)[:1])
    elif "InputObject" in binding:
        value = binding["InputObject"]
        inputs = value if isinstance(value, list) else [value]
    refuse(binding)
    _check(binding)
    if binding.set_name == "InProcess":
        await call.run_block(binding["ScriptBlock"], call.emit)
        return
    await ask_credential(call, binding)
    work = _Work(call, binding, inputs)
    targets = (
        binding["Session"]
        if binding.set_name in ("Session", "FilePathRunspace")
        else targets_of(binding)
    )
    throttle = throttle_limit(binding["ThrottleLimit"], THROTTLE)
    if binding["AsJob"] or binding["JobName"]:
        call.emit(_start_job(call, work, targets or [], throttle))
        return
    if binding["InDisconnectedSession"]:
        await _invoke_disconnected(call, work, targets or [], throttle)
        return
    host = call.workspace.surface.host
    results = CallResults(call, host_shows=not host.info.is_host_ui_null)
    try:
        outcomes = await fan_out(targets or [], work.run(results.show), throttle=throttle)
    except BaseExceptionGroup as group:
        # -ErrorAction Stop, while other sessions still run.
        raise lone_exception(group) from None
    for outcome in outcomes:
        if outcome.error is not None:
            results.failed(outcome.error)


async def _invoke_disconnected(
    call: Call, work: _Work, targets: Sequence[SessionEntry | Target], throttle: int
) -> None:
    """Start the script on each target, leave it there, and emit the disconnected sessions."""
    names = call.binding["SessionName"] or []
    numbered = []
    for at, target in enumerate(targets):
        number = call.workspace.table.new_id()
        name = names[at] if at < len(names) else f"Runspace{number}"
        numbered.append((target, number, name))
    results = CallResults(call)
    for outcome in await fan_out(numbered, work.leave, throttle=throttle):
        if outcome.error is not None:
            results.failed(outcome.error)
        else:
            call.emit(outcome.value)


def _start_job(
    call: Call, work: _Work, targets: Sequence[SessionEntry | Target], throttle: int
) -> Job:
    async def one(pair: tuple[Job, SessionEntry | Target]) -> None:
        child, target = pair

        def keep(computer: str, kind: StreamKind, item: Any) -> None:
            child.keep((computer, kind, item))

        async def run(_: Job) -> None:
            try:
                await work.run(keep)(target)
            except PSRemotingError as error:
                child.fail(error)

        await child.run(run)

    async def run(job: Job) -> None:
        await fan_out(list(zip(job.children, targets, strict=True)), one, throttle=throttle)

    computers = [
        each.computer_name if isinstance(each, SessionEntry) else each.computer for each in targets
    ]
    name = call.binding["JobName"] or ""
    return call.workspace.jobs.start(run, name=name, command=work.script, computers=computers)


Show = Callable[[str, StreamKind, Any], None]
"""A function that takes a computer's name, and an object or a record that it sent."""


class _Work:
    """One script to run in many sessions."""

    def __init__(self, call: Call, binding: Binding, inputs: list[Any] | None) -> None:
        self.call = call
        self.script = script = _script(binding)
        names = dict.fromkeys(name.casefold() for name in _USING.findall(script))
        self.command = RemoteCommand(
            what=script,
            arguments=[_sendable(value) for value in binding["ArgumentList"] or []],
            using={name: _sendable(call.workspace.variable(name)) for name in names},
            input=None if inputs is None else [_sendable(value) for value in inputs],
            tag=True,
        )
        self.hide = bool(binding["HideComputerName"])
        self.more = more_of(binding)

    def run(self, show: Show) -> Callable[[SessionEntry | Target], Awaitable[None]]:
        """Return a function that runs the script in a session and passes results to ``show``."""

        async def one(target: SessionEntry | Target) -> None:
            async with self.session(target) as session:

                def shown(kind: StreamKind, item: Any) -> None:
                    show(session.computer, kind, self._tagged(kind, item))

                command = await self.command.start(session, shown)
                async with command.invocation:
                    await command.wait()

        return one

    async def leave(self, numbered: tuple[SessionEntry | Target, int, str]) -> DisconnectedEntry:
        """Start the script in a new session with a number and a name, and disconnect it."""
        target, number, name = numbered
        assert isinstance(target, WSManTarget)
        async with self.session(target, name=name) as session:
            await self.command.start_disconnected(session)
            return disconnected_entry(session, target, id=number, name=name)

    def _tagged(self, kind: StreamKind, item: Any) -> Any:
        """Return an object without its computer's name, if that was asked for."""
        hide = self.hide and kind is StreamKind.OUTPUT
        if hide and isinstance(item, PSObject) and "PSShowComputerName" in item:
            item.extended["PSShowComputerName"] = False
        return item

    @asynccontextmanager
    async def session(self, target: SessionEntry | Target, **more: Any) -> AsyncIterator[PSSession]:
        """Yield an open session, or a new one that closes at the end of the block."""
        if isinstance(target, SessionEntry):
            yield target.session
            return
        surface = self.call.workspace.surface
        async with self.call.workspace.connect(
            target,
            host=surface.host,
            like_powershell=True,
            on_notice=surface.notice,
            **self.more,
            **more,
        ) as session:
            yield session


def _script(binding: Binding) -> str:
    if "ScriptBlock" in binding:
        return str(binding["ScriptBlock"])
    path = binding["FilePath"]
    try:
        return read_script(Path(path).expanduser())
    except OSError:
        raise _NoFile(f"Cannot find path '{path}' because it does not exist.") from None


def _sendable(value: Any) -> Any:
    """Return a value that can be sent; an object that only this prompt has becomes its text."""
    if isinstance(value, Dictionary):
        pairs = ((_sendable(key), _sendable(item)) for key, item in value.items())
        return Dictionary(pairs, value.type_names)
    if isinstance(value, list):
        return [_sendable(item) for item in value]
    if isinstance(value, ErrorRecord):
        return value.to_object()
    here = type(value).__module__.startswith("psremoting.")
    return as_text(value) if here else value
