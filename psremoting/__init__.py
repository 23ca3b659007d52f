"""Remote sessions of PowerShell: the client, the endpoint, and the programs.

    import trio
    from psremoting import PSSession

    async def main() -> None:
        async with PSSession.connect("user@server") as session:
            async for value in await session.invoke("Get-Process"):
                print(value["Name"])

    trio.run(main)

`psremoting.sync` is the same for programs without trio, `psremoting.endpoint` the other side.
Names are imported on first use, so importing the package is fast.
"""

from __future__ import annotations

from psremoting.version import __version__

# Importing typing would take longer than everything else here; type checkers know this name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from psremoting import endpoint, sync
    from psremoting.client.hosts import NULL_HOST, Host, HostRefusal, TableHost
    from psremoting.client.invocation import Invocation, Result
    from psremoting.client.streams import StreamKind, Streams
    from psremoting.errors import (
        CancelTimeout,
        InvalidComputerName,
        KeyFileNotFound,
        OpenTimeout,
        OperationTimeout,
        PipelineFailed,
        PipelineStopped,
        ProgramNotFound,
        PSRemotingError,
        PSRemotingTransportError,
        RemoteErrors,
        SessionDisconnected,
        SessionNotOpen,
    )
    from psremoting.fanout import Outcome, fan_out, invoke_on
    from psremoting.imported_commands import ImportedCommand, ImportedCommands
    from psremoting.options import SessionOption
    from psremoting.remote_sessions import RemoteSession, sessions_on
    from psremoting.session import PSSession
    from psremoting.session_table import SessionEntry, SessionTable
    from psremoting.targets import (
        ContainerTarget,
        HostProcessTarget,
        ProcessTarget,
        SocketTarget,
        SSHTarget,
        Target,
        local_target,
        parse_target,
    )
    from psremoting.wsman_target import WSManTarget
    from psrp.clixml import Credential
    from psrp.commands import Command, PowerShell, command, script

__all__ = [
    "NULL_HOST",
    "CancelTimeout",
    "Command",
    "ContainerTarget",
    "Credential",
    "Host",
    "HostProcessTarget",
    "HostRefusal",
    "ImportedCommand",
    "ImportedCommands",
    "InvalidComputerName",
    "Invocation",
    "KeyFileNotFound",
    "OpenTimeout",
    "OperationTimeout",
    "Outcome",
    "PSRemotingError",
    "PSRemotingTransportError",
    "PSSession",
    "PipelineFailed",
    "PipelineStopped",
    "PowerShell",
    "ProcessTarget",
    "ProgramNotFound",
    "RemoteErrors",
    "RemoteSession",
    "Result",
    "SSHTarget",
    "SessionDisconnected",
    "SessionEntry",
    "SessionNotOpen",
    "SessionOption",
    "SessionTable",
    "SocketTarget",
    "StreamKind",
    "Streams",
    "TableHost",
    "Target",
    "WSManTarget",
    "__version__",
    "command",
    "endpoint",
    "fan_out",
    "invoke_on",
    "local_target",
    "parse_target",
    "script",
    "sessions_on",
    "sync",
]

_FROM = {
    "psremoting.errors": "CancelTimeout InvalidComputerName KeyFileNotFound OpenTimeout "
    "OperationTimeout PSRemotingError PSRemotingTransportError PipelineFailed PipelineStopped "
    "ProgramNotFound RemoteErrors SessionDisconnected SessionNotOpen",
    "psrp.clixml": "Credential",
    "psremoting.fanout": "Outcome fan_out invoke_on",
    "psremoting.client.hosts": "NULL_HOST Host HostRefusal TableHost",
    "psremoting.client.invocation": "Invocation Result",
    "psremoting.imported_commands": "ImportedCommand ImportedCommands",
    "psremoting.options": "SessionOption",
    "psremoting.remote_sessions": "RemoteSession sessions_on",
    "psremoting.session": "PSSession",
    "psremoting.client.streams": "StreamKind Streams",
    "psremoting.session_table": "SessionEntry SessionTable",
    "psremoting.targets": "ContainerTarget HostProcessTarget ProcessTarget SSHTarget "
    "SocketTarget Target local_target parse_target",
    "psremoting.wsman_target": "WSManTarget",
    "psrp.commands": "Command PowerShell command script",
}
_WHERE = {name: module for module, names in _FROM.items() for name in names.split()}
_MODULES = ("endpoint", "sync")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _MODULES:
            return import_module(f"psremoting.{name}")
        if name not in _WHERE:
            raise AttributeError(f"module 'psremoting' has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_WHERE[name]), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
