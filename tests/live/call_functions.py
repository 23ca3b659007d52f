"""Python functions of our endpoint, each with the PowerShell function that does the same.

The two have the same parameters; `tests.live.test_calls` calls both and compares the results.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from psremoting.endpoint import CommandError, Context, Param
from psrp.clixml import Char, PSObject, SecureString, Uri, Version
from psrp.records import ErrorCategory

__all__ = ["COMMANDS", "TWINS"]


_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
# Errors name the type.
Day = enum.Enum("System.DayOfWeek", {day: number for number, day in enumerate(_DAYS)})  # type: ignore[misc]


def get_thing(name: str = "thing", count: int = 1) -> str:
    return f"{name} x {count}"


def take_string(p: str) -> str:
    return f"<{p}>"


def take_optional(p: str | None = None) -> str:
    return f"<{p or ''}>"


def take_int(p: int) -> int:
    return p


def take_double(p: float) -> float:
    return p


def take_decimal(p: Decimal) -> Decimal:
    return p


def take_bool(p: bool) -> bool:
    return p


def take_switch(*, on: bool = False) -> bool:
    return on


def take_datetime(p: datetime) -> str:
    return p.replace(tzinfo=None).isoformat(timespec="seconds")


def take_timespan(p: timedelta) -> float:
    return p.total_seconds()


def take_guid(p: UUID) -> UUID:
    return p


def take_version(p: Version) -> Version:
    return p


def take_choice(p: Literal["one", "two", "three"]) -> str:
    return p


def take_strings(p: list[str]) -> str:
    return "|".join(p)


def take_ints(p: list[int]) -> int:
    return sum(p)


def take_bytes(p: bytes) -> int:
    return len(p)


def take_table(p: dict[str, Any]) -> int:
    return len(p)


def take_secret(p: SecureString) -> int:
    return len(p.reveal())


def take_anything(p: Any) -> Any:
    return p


def take_day(p: Day) -> str:  # type: ignore[valid-type]
    return str(p.name)  # type: ignore[attr-defined]


def take_uri(p: Uri) -> str:
    return str(p)


def take_char(p: Char) -> str:
    return f"<{p}>"


def take_doubles(p: list[float]) -> float:
    return sum(p)


def take_dates(p: list[datetime]) -> str:
    return "|".join(each.isoformat(timespec="seconds") for each in p)


def take_maybe_int(p: int | None) -> str:
    return f"<{'' if p is None else p}>"


def take_rest(first: str, *rest: str) -> str:
    return f"{first}+{len(rest)}"


def double(p: Annotated[int, Param(from_pipeline=True)]) -> int:
    return p * 2


def join(
    name: Annotated[str, Param(by_property_name=True)],
    value: Annotated[int, Param(by_property_name=True)] = 0,
) -> str:
    return f"{name}={value}"


def fail() -> None:
    raise CommandError("it failed", error_id="MyId", category=ErrorCategory.InvalidData, target=5)


async def complain(context: Context, text: str = "wrong") -> str:
    await context.write_error(
        text, error_id="MyId", category=ErrorCategory.ObjectNotFound, target="target"
    )
    return "after"


async def complain_plainly(context: Context, text: str = "wrong") -> str:
    await context.write_error(text)
    return "after"


async def warn(context: Context) -> str:
    await context.write_warning("careful")
    await context.write_verbose("said")
    return "done"


def get_several() -> Iterator[Any]:
    yield 1
    yield "two"
    yield None
    yield [3, 4]
    yield {"a": 1}
    yield PSObject.custom(Name="x", Value=2)


COMMANDS: dict[str, Any] = {
    "Get-Thing": get_thing,
    "Test-String": take_string,
    "Test-Optional": take_optional,
    "Test-Int": take_int,
    "Test-Double": take_double,
    "Test-Decimal": take_decimal,
    "Test-Bool": take_bool,
    "Test-Switch": take_switch,
    "Test-DateTime": take_datetime,
    "Test-TimeSpan": take_timespan,
    "Test-Guid": take_guid,
    "Test-Version": take_version,
    "Test-Choice": take_choice,
    "Test-Strings": take_strings,
    "Test-Ints": take_ints,
    "Test-Bytes": take_bytes,
    "Test-Table": take_table,
    "Test-Secret": take_secret,
    "Test-Anything": take_anything,
    "Test-Day": take_day,
    "Test-Uri": take_uri,
    "Test-Char": take_char,
    "Test-Doubles": take_doubles,
    "Test-Dates": take_dates,
    "Test-MaybeInt": take_maybe_int,
    "Test-Rest": take_rest,
    "Test-Double2": double,
    "Test-Join": join,
    "Test-Failure": fail,
    "Test-Complaint": complain,
    "Test-PlainComplaint": complain_plainly,
    "Test-Warning": warn,
    "Get-Several": get_several,
}

_FAIL = (
    "$r = [System.Management.Automation.ErrorRecord]::new("
    "[System.Management.Automation.RuntimeException]::new('it failed'), 'MyId', 'InvalidData', 5);"
)

TWINS: dict[str, str] = {
    "Get-Thing": '[CmdletBinding()] param([string]$Name = "thing", [long]$Count = 1)'
    ' "$Name x $Count"',
    "Test-String": '[CmdletBinding()] param([Parameter(Mandatory)][string]$P) "<$P>"',
    "Test-Optional": '[CmdletBinding()] param([string]$P) "<$P>"',
    "Test-Int": "[CmdletBinding()] param([Parameter(Mandatory)][long]$P) $P",
    "Test-Double": "[CmdletBinding()] param([Parameter(Mandatory)][double]$P) $P",
    "Test-Decimal": "[CmdletBinding()] param([Parameter(Mandatory)][decimal]$P) $P",
    "Test-Bool": "[CmdletBinding()] param([Parameter(Mandatory)][bool]$P) $P",
    "Test-Switch": "[CmdletBinding()] param([switch]$On) [bool]$On",
    "Test-DateTime": "[CmdletBinding()] param([Parameter(Mandatory)][datetime]$P) $P.ToString('s')",
    "Test-TimeSpan": "[CmdletBinding()] param([Parameter(Mandatory)][timespan]$P) $P.TotalSeconds",
    "Test-Guid": "[CmdletBinding()] param([Parameter(Mandatory)][guid]$P) $P",
    "Test-Version": "[CmdletBinding()] param([Parameter(Mandatory)][version]$P) $P",
    "Test-Choice": "[CmdletBinding()] param([Parameter(Mandatory)]"
    "[ValidateSet('one', 'two', 'three')][string]$P) $P",
    "Test-Strings": "[CmdletBinding()] param([Parameter(Mandatory)][string[]]$P) $P -join '|'",
    "Test-Ints": "[CmdletBinding()] param([Parameter(Mandatory)][long[]]$P)"
    " $s = [long]0; foreach ($i in $P) { $s += $i }; $s",
    "Test-Bytes": "[CmdletBinding()] param([Parameter(Mandatory)][byte[]]$P) [long]$P.Length",
    "Test-Table": "[CmdletBinding()] param([Parameter(Mandatory)][hashtable]$P) [long]$P.Count",
    "Test-Secret": "[CmdletBinding()] param([Parameter(Mandatory)][securestring]$P)"
    " [long]$P.Length",
    "Test-Anything": "[CmdletBinding()] param([Parameter(Mandatory)]$P) $P",
    "Test-Day": '[CmdletBinding()] param([Parameter(Mandatory)][DayOfWeek]$P) "$P"',
    "Test-Uri": "[CmdletBinding()] param([Parameter(Mandatory)][uri]$P) $P.OriginalString",
    "Test-Char": '[CmdletBinding()] param([Parameter(Mandatory)][char]$P) "<$P>"',
    "Test-Doubles": "[CmdletBinding()] param([Parameter(Mandatory)][double[]]$P)"
    " $s = 0.0; foreach ($i in $P) { $s += $i }; $s",
    "Test-Dates": "[CmdletBinding()] param([Parameter(Mandatory)][datetime[]]$P)"
    " @(foreach ($i in $P) { $i.ToString('s') }) -join '|'",
    "Test-MaybeInt": "[CmdletBinding()] param([Parameter(Mandatory)][AllowNull()]"
    '[Nullable[long]]$P) "<$P>"',
    "Test-Rest": "[CmdletBinding()] param([Parameter(Mandatory)][string]$First,"
    ' [Parameter(ValueFromRemainingArguments)][string[]]$Rest) "$First+$($Rest.Count)"',
    "Test-Double2": "[CmdletBinding()] param([Parameter(Mandatory, ValueFromPipeline)][long]$P)"
    " process { $P * 2 }",
    "Test-Join": "[CmdletBinding()] param("
    "[Parameter(Mandatory, ValueFromPipelineByPropertyName)][string]$Name,"
    " [Parameter(ValueFromPipelineByPropertyName)][long]$Value = 0)"
    ' process { "$Name=$Value" }',
    "Test-Failure": f"[CmdletBinding()] param() {_FAIL} $PSCmdlet.ThrowTerminatingError($r)",
    "Test-Complaint": '[CmdletBinding()] param([string]$Text = "wrong")'
    " Write-Error $Text -ErrorId MyId -Category ObjectNotFound -TargetObject target; 'after'",
    "Test-PlainComplaint": '[CmdletBinding()] param([string]$Text = "wrong")'
    " Write-Error $Text; 'after'",
    "Test-Warning": "[CmdletBinding()] param() Write-Warning careful; Write-Verbose said; 'done'",
    "Get-Several": "[CmdletBinding()] param() [long]1; 'two'; $null; , @([long]3, [long]4);"
    " @{ a = [long]1 }; [pscustomobject]@{ Name = 'x'; Value = [long]2 }",
}
"""The body of the PowerShell function of each name. Our ``int`` corresponds to [long]."""
