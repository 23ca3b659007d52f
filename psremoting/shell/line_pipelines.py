"""What an interactive client sends for a typed line, for the prompt and for an error.

Every line runs through Out-Default over there, so that text comes back as host calls, made up
for the client's window. ``Executor.cs``, ``RunspaceRef.cs``; spec-notes/interactive.md
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from psremoting.shell.simple import simple_statements
from psrp import events as e
from psrp.commands import Command, PipelineResultTypes, PowerShell
from psrp.host import HostInfo
from psrp.records import ErrorRecord

__all__ = [
    "EXIT",
    "error_pipeline",
    "is_exit",
    "is_incomplete",
    "line_pipeline",
    "prompt_definition",
    "prompt_pipeline",
    "required_commands",
]

EXIT = "Exit-PSSession"
_REQUIRED = ("Out-Default", EXIT)
#: 1 and 2 as flags, which by number is Warning; it is what the client sends.
_ERRORS_AND_OUTPUT = 3
_OUT_DEFAULT = Command(
    "Out-Default", use_local_scope=True, merge_previous_results=_ERRORS_AND_OUTPUT
)
_ALL_COMMANDS = 271
"""Alias, Function, Filter, Cmdlet and Configuration."""


def is_exit(line: str) -> bool:
    """Whether ``line`` leaves the session: the client makes Exit-PSSession of it."""
    return line.strip().casefold() == "exit"


def is_incomplete(record: ErrorRecord | None) -> bool:
    """Whether a line failed only because more of it may follow."""
    return record is not None and record.category_reason == "IncompleteParseException"


def required_commands(id: UUID) -> e.GetCommandMetadata:
    """Asks for the commands without which no session can be entered; each gives an object,
    after one with their number."""
    return e.GetCommandMetadata(pipeline_id=id, names=_REQUIRED, command_types=_ALL_COMMANDS)


def _pipeline(
    id: UUID, shell: PowerShell, *, history: bool = False, no_input: bool = True
) -> e.CreatePipeline:
    return e.CreatePipeline(
        pipeline_id=id,
        powershell=replace(shell, redirect_shell_error_output_pipe=False),
        no_input=no_input,
        host_info=HostInfo.null(),
        add_to_history=history,
    )


def prompt_pipeline(id: UUID) -> e.CreatePipeline:
    """Asks for the text in front of the next line."""
    return _pipeline(id, PowerShell(statements=((Command("prompt"),),), history="prompt"))


def prompt_definition(id: UUID, script: str) -> e.CreatePipeline:
    """Return the pipeline that runs ``script``, which defines the prompt of the server."""
    return e.CreatePipeline(
        pipeline_id=id,
        powershell=PowerShell.of(Command(script, is_script=True)),
        host_info=HostInfo.null(),
        remote_stream_options=15,
    )


def line_pipeline(id: UUID, line: str) -> e.CreatePipeline:
    """Runs ``line`` and has its output shown."""
    if is_exit(line):
        line = EXIT
    statements = simple_statements(line) or ((Command(line, is_script=True),),)
    if len(statements) == 1 and len(statements[0]) == 1:
        statements = ((_merging(statements[0][0]),),)
    shown = tuple((*statement, _OUT_DEFAULT) for statement in statements)
    return _pipeline(id, PowerShell(statements=shown, history=line), history=True)


def _merging(command: Command) -> Command:
    return replace(
        command,
        merge_my_result=PipelineResultTypes.ERROR,
        merge_to_result=PipelineResultTypes.OUTPUT,
        merge_error=PipelineResultTypes.OUTPUT,
    )


def error_pipeline(id: UUID) -> e.CreatePipeline:
    """Has an ErrorRecord shown that is piped in: how a line failed."""
    return _pipeline(id, PowerShell.of(_OUT_DEFAULT), no_input=False)
