"""The pipelines of an interactive client: for a typed line, the prompt and an error.

Every line goes through the server's Out-Default, which sends host calls with text that is formatted
for the window of the client. ``Executor.cs``, ``RunspaceRef.cs``; spec-notes/interactive.md
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from psrp import events as e
from psrp.clixml import PSObject
from psrp.commands import Command, PipelineResultTypes, PowerShell
from psrp.host import HostInfo
from psrp.records import ErrorRecord

__all__ = [
    "EXIT",
    "error_input",
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
#: The flags 1 and 2, which is the number of Warning; the real client sends this.
_ERRORS_AND_OUTPUT = 3
_OUT_DEFAULT = Command(
    "Out-Default", use_local_scope=True, merge_previous_results=_ERRORS_AND_OUTPUT
)
_ALL_COMMANDS = 271
"""Alias, Function, Filter, Cmdlet and Configuration."""


def is_exit(line: str) -> bool:
    """Return True if ``line`` leaves the session; the client turns it into Exit-PSSession."""
    return line.strip().casefold() == "exit"


def is_incomplete(record: ErrorRecord | None) -> bool:
    """Return True if a line failed only because it is incomplete."""
    return record is not None and record.category_reason == "IncompleteParseException"


def required_commands(id: UUID) -> e.GetCommandMetadata:
    """Ask for the commands that a session needs to be entered; the answer is an object with
    their number, then one for each."""
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
    """Return the pipeline that gives the prompt."""
    return _pipeline(id, PowerShell(statements=((Command("prompt"),),), history="prompt"))


def prompt_definition(id: UUID, script: str) -> e.CreatePipeline:
    """Return the pipeline that runs ``script``, which defines the prompt."""
    return e.CreatePipeline(
        pipeline_id=id,
        powershell=PowerShell.of(Command(script, is_script=True)),
        host_info=HostInfo.null(),
        remote_stream_options=15,
    )


def line_pipeline(id: UUID, line: str) -> e.CreatePipeline:
    """Return the pipeline that runs ``line`` and shows its output."""
    if is_exit(line):
        line = EXIT
    # Imported with the first line, so that the prompt appears sooner.
    from psremoting.powershell.evaluation_errors import Unsupported
    from psremoting.powershell.script_commands import script_commands

    try:
        statements = script_commands(line)
    except Unsupported:
        statements = ((Command(line, is_script=True),),)
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


_REMOTE_EXCEPTION = (
    "System.Management.Automation.RemoteException",
    "System.Management.Automation.RuntimeException",
    "System.SystemException",
    "System.Exception",
    "System.Object",
)


def error_input(record: ErrorRecord) -> PSObject:
    """Return the input of `error_pipeline`: the record as PowerShell's client has it.

    There it holds a RemoteException and no InvocationInfo, on which its first words depend.
    """
    members = {"WasThrownFromThrowStatement": False, "Message": record.message}
    exception = PSObject(_REMOTE_EXCEPTION, members, to_string=record.message)
    return replace(
        record,
        exception=exception,
        invocation=None,
        invocation_info=None,
        pipeline_iteration_info=None,
        raw=None,
    ).to_object()


def error_pipeline(id: UUID) -> e.CreatePipeline:
    """Return the pipeline that shows the ErrorRecord in its input."""
    return _pipeline(id, PowerShell.of(_OUT_DEFAULT), no_input=False)
