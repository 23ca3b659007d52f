"""Scripts that write records: each field equals that of the real client's object.
spec-notes/live.md"""

from __future__ import annotations

import contextlib
import getpass
from typing import Any

import pytest

from psremoting import Result
from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.script_commands import script_commands
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary, PSObject
from psrp.records import ErrorRecord, InformationalRecord, InformationRecord, ProgressRecord
from tests.live.comparing import Comparison
from tests.live.peers import Clients
from tests.live.powershell import quoted
from tests.live.tables import sections
from tests.live.wsman_peers import USER

TABLE = sections("scripts")

_RUN = r"""
function global:Get-LiveText($value) { if ($null -eq $value) { $null } else { "$value" } }
function global:Get-LiveInvocation($info) {
    if ($null -eq $info) { return $null }
    [ordered]@{
        name = $info.InvocationName; line = $info.Line; at = $info.ScriptLineNumber
        offset = $info.OffsetInLine; position = $info.PositionMessage; script = $info.ScriptName
        length = $info.PipelineLength; place = $info.PipelinePosition
        input = $info.ExpectingInput; command = Get-LiveText $info.MyCommand.Name
    }
}
function global:Get-LiveError($r) {
    [ordered]@{
        message = $r.Exception.Message; shown = "$r"; id = $r.FullyQualifiedErrorId
        exception = $(
            $e = $r.Exception.SerializedRemoteException ?? $r.Exception
            $e.psobject.TypeNames[0] -replace '^Deserialized\.'
        )
        category = [int]$r.CategoryInfo.Category; activity = $r.CategoryInfo.Activity
        reason = $r.CategoryInfo.Reason; target_name = $r.CategoryInfo.TargetName
        target_type = $r.CategoryInfo.TargetType; category_message = $r.CategoryInfo.GetMessage()
        details = Get-LiveText $r.ErrorDetails.Message
        action = Get-LiveText $r.ErrorDetails.RecommendedAction
        stack = $r.ScriptStackTrace; target = Get-LiveText $r.TargetObject
        invocation = Get-LiveInvocation $r.InvocationInfo
        steps = @($r.PipelineIterationInfo)
    }
}
function global:Get-LiveRecord($r) {
    [ordered]@{
        message = $r.Message; shown = "$r"; invocation = Get-LiveInvocation $r.InvocationInfo
        steps = @($r.PipelineIterationInfo)
    }
}
function global:Invoke-LiveScript([powershell]$p, [string]$script) {
    $null = $p.AddScript($script)
    Invoke-LiveShell $p
}
function global:Invoke-LiveCommands([powershell]$p, [string]$script) {
    $p.Commands = [scriptblock]::Create($script).GetPowerShell($true, @()).Commands
    Invoke-LiveShell $p
}
function global:Invoke-LiveShell([powershell]$p) {
    $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
    $failure = $null
    try { $p.Invoke($null, $output) }
    catch {
        $inner = $_.Exception.InnerException
        if ($inner.ErrorRecord) { $failure = Get-LiveError $inner.ErrorRecord }
        else { $failure = [ordered]@{ message = $inner.Message } }
    }
    [ordered]@{
        state = "$($p.InvocationStateInfo.State)"
        output = @($output | ForEach-Object { Get-LiveText $_ })
        failure = $failure
        error = @($p.Streams.Error | ForEach-Object { Get-LiveError $_ })
        warning = @($p.Streams.Warning | ForEach-Object { Get-LiveRecord $_ })
        verbose = @($p.Streams.Verbose | ForEach-Object { Get-LiveRecord $_ })
        debug = @($p.Streams.Debug | ForEach-Object { Get-LiveRecord $_ })
        information = @($p.Streams.Information | ForEach-Object { [ordered]@{
            shown = "$_"; source = $_.Source; tags = @($_.Tags); user = $_.User
            computer = $_.Computer; data = Get-LiveText $_.MessageData
        } })
        progress = @($p.Streams.Progress | ForEach-Object { [ordered]@{
            activity = $_.Activity; status = $_.StatusDescription; operation = $_.CurrentOperation
            id = $_.ActivityId; parent = $_.ParentActivityId; percent = $_.PercentComplete
            seconds = $_.SecondsRemaining; type = [int]$_.RecordType
        } })
    }
}
"""

_POSITION = "the position is the server's text; the real client makes its own of a shorter extent"
_CATEGORY = "the category's text is the server's; the real client cuts its parts at 40 characters"

ACCEPTED: dict[str, str] = {
    "nosuchcommand -with arguments": _POSITION,
    "[nosuch.type]::new()": _POSITION,
    "Get-Item -Nosuch x": _POSITION,
    "try { 1 / 0 } finally { 'finally' }": _POSITION,
    "Write-Error 'x' -Category 99 -ErrorAction Continue": _POSITION,
    "& { $ErrorActionPreference = 'Ignore'; Get-Item /nosuch -ErrorAction Continue }": _POSITION,
    "& { Set-StrictMode -Version Latest; $nosuch; 'after' }": _POSITION,
    "& { Set-StrictMode -Version Latest; (1).Nosuch }": _POSITION,
    "function f { [CmdletBinding()] param([int]$x) $x }; f @{ a = 1 }": _CATEGORY,
    "param([int]$x = 'bad') $x": _CATEGORY,
    "/bin/sh -c 'echo out; echo err >&2; exit 3'; $LASTEXITCODE": _POSITION,
}


_THEIRS: dict[str, Any] = {}
"""The real client's records of each script, which are the same over every carrier."""


@pytest.mark.parametrize("section", TABLE)
def test_records_have_the_fields_of_the_real_client(
    clients: Clients, table_carrier: str, section: str
) -> None:
    clients.real.run(_RUN)
    comparison = Comparison(ACCEPTED)
    for script in TABLE[section]:
        if script not in _THEIRS:
            pipeline = clients.pipeline(table_carrier)
            (_THEIRS[script],) = clients.real.json(f"Invoke-LiveScript {pipeline} {quoted(script)}")
        theirs = _THEIRS[script]
        ours = _told(clients.ours(table_carrier).run(script, stream_options=15, as_script=True))
        different = {name for name in theirs if theirs[name] != ours[name]}
        comparison.add(
            script,
            _text({name: theirs[name] for name in theirs if name in different}),
            _text({name: ours[name] for name in theirs if name in different}),
        )
    comparison.check(TABLE[section])


#: The end of an error's id; only where the cmdlet travels as a command.
_WRITE_ERROR = ",Microsoft.PowerShell.Commands.WriteErrorCommand"
_SHOWN_OF_ERROR = ("message", "shown", "id", "exception", "category_message", "details", "action")


#: Arguments that the client evaluates, the real one too, arrive deserialized: the server shows
#: such a list or table in another way than its own.
_EVALUATED_HERE = frozenset(
    {
        "Write-Error 'x' -TargetObject (1..3)",
        "Write-Host @{ a = 1 }",
        "Write-Host (1, @(2, 3)) -Separator ','",
    }
)


def _converted() -> list[str]:
    """Return the scripts that travel as commands; the others are the same messages either way."""
    found = []
    for script in (script for rows in TABLE.values() for script in rows):
        with contextlib.suppress(Unsupported):
            script_commands(script)
            found.append(script)
    return found


def test_a_script_that_travels_as_commands_gives_the_same(clients: Clients) -> None:
    """Its records have the fields that the real client gets for the same commands. Compared with
    the script, the user sees the same, but for the ids of Write-Error."""
    clients.real.run(_RUN)
    session, pipeline = clients.ours("stdio"), clients.pipeline("stdio")
    scripts, differing = _converted(), {}
    for script in scripts:
        (theirs,) = clients.real.json(f"Invoke-LiveCommands {pipeline} {quoted(script)}")
        converted, sent = (
            _told(session.run(script, stream_options=15, as_script=each)) for each in (False, True)
        )
        names = [name for name in theirs if theirs[name] != converted[name]]
        if names:
            differing[script] = {name: (theirs[name], converted[name]) for name in names}
        elif script in _EVALUATED_HERE:
            continue
        elif (seen := (_seen(converted), _seen(sent)))[0] != seen[1]:
            differing[script] = seen
    assert not differing, "\n".join(f"{script}: {each}" for script, each in differing.items())
    assert len(scripts) > 20


def _seen(told: dict[str, Any]) -> dict[str, Any]:
    """Return what a user sees of a result: no positions, and an error that ended the script as
    any other."""
    failure = [] if told["failure"] is None else [told["failure"]]
    seen = {name: told[name] for name in ("output", "information", "progress")}
    for name in ("warning", "verbose", "debug"):
        seen[name] = [each["shown"] for each in told[name]]
    for each in (errors := [*told["error"], *failure]):
        if each["id"].endswith(_WRITE_ERROR):
            each["id"] = each["id"].removesuffix(_WRITE_ERROR)
    seen["errors"] = [{name: each[name] for name in _SHOWN_OF_ERROR} for each in errors]
    return seen


def _text(fields: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {value!r}" for name, value in fields.items())


def _told(result: Result) -> dict[str, Any]:
    """Return the same fields of our result."""
    streams = result.streams
    record = getattr(result.error, "record", None)
    failure = None
    if result.error is not None:
        failure = _error(record) if record else {"message": str(result.error)}
    return {
        "state": result.state.name.title(),
        "output": [None if value is None else _value(value) for value in result.output],
        "failure": failure,
        "error": list(map(_error, streams.error)),
        "warning": list(map(_record, streams.warning)),
        "verbose": list(map(_record, streams.verbose)),
        "debug": list(map(_record, streams.debug)),
        "information": list(map(_information, streams.information)),
        "progress": list(map(_progress, streams.progress)),
    }


def _value(value: Any) -> str:
    """Return a value as PowerShell formats it in a string."""
    if isinstance(value, PSObject):
        if value.to_string is not None:
            return value.to_string
        if value.value is not None:
            return _value(value.value)
        if value.extended:
            inside = "; ".join(f"{name}={_value(each)}" for name, each in value.extended.items())
            return f"@{{{inside}}}"
    if isinstance(value, Dictionary):
        return "System.Collections.Hashtable"
    if isinstance(value, list):
        # A list in a list is one text.
        inner = "System.Collections.ArrayList"
        return " ".join(inner if isinstance(item, list) else _value(item) for item in value)
    return to_text(value)


def _error(record: ErrorRecord) -> dict[str, Any]:
    exception = record.exception
    return {
        "message": record.exception_message,
        "shown": str(record),
        "id": record.fully_qualified_error_id,
        "exception": exception.type_names[0],
        "category": int(record.category),
        "activity": record.category_activity,
        "reason": record.category_reason,
        "target_name": record.category_target_name,
        "target_type": record.category_target_type,
        "category_message": record.category_message,
        "details": record.details_message,
        "action": record.recommended_action,
        "stack": record.script_stack_trace,
        "target": None if record.target_object is None else _value(record.target_object),
        "invocation": _invocation(record),
        "steps": list(record.pipeline_iteration_info or ()),
    }


def _invocation(record: ErrorRecord | InformationalRecord) -> dict[str, Any] | None:
    info = record.invocation_info
    if info is None:
        return None
    return {
        "name": info["InvocationInfo_InvocationName"],
        "line": info["InvocationInfo_Line"],
        "at": info["InvocationInfo_ScriptLineNumber"],
        "offset": info["InvocationInfo_OffsetInLine"],
        "position": info["InvocationInfo_PositionMessage"],
        "script": info["InvocationInfo_ScriptName"],
        "length": info["InvocationInfo_PipelineLength"],
        "place": info["InvocationInfo_PipelinePosition"],
        "input": info["InvocationInfo_ExpectingInput"],
        "command": info.get("CommandInfo_Name"),
    }


def _record(record: InformationalRecord) -> dict[str, Any]:
    return {
        "message": record.message,
        "shown": str(record),
        "invocation": _invocation(record),
        "steps": list(record.pipeline_iteration_info or ()),
    }


def _information(record: InformationRecord) -> dict[str, Any]:
    return {
        "shown": str(record),
        "source": record.source,
        "tags": list(record.tags),
        # Over WS-Man the session runs as another account.
        "user": getpass.getuser() if record.user == USER else record.user,
        "computer": record.computer,
        "data": None if record.message_data is None else _value(record.message_data),
    }


def _progress(record: ProgressRecord) -> dict[str, Any]:
    return {
        "activity": record.activity,
        "status": record.status,
        "operation": record.current_operation,
        "id": record.activity_id,
        "parent": record.parent_activity_id,
        "percent": record.percent_complete,
        "seconds": record.seconds_remaining,
        "type": int(record.type),
    }
