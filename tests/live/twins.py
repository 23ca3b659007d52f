# table: functions, their twins and calls, one per row.
"""Functions in Python and their twins in PowerShell, and calls of them.

The twins are the functions of a real endpoint without language. A row of `CALLS` is a line that
the real client sends to both as commands; output, error id, category and message are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from psremoting.endpoint import CommandError, Context, Input, Param
from psremoting.endpoint.demo import write_output
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Char, Dictionary, PSObject, TimeSpan, Uri, Version
from psrp.records import ErrorCategory

__all__ = ["ACCEPTED", "CALLS", "COMMANDS", "TWINS"]


def _short(value: Any) -> str:
    return type_name_of(value).rpartition(".")[2]


def get_long(x: int = 0) -> str:
    return f"long {x}"


def get_double(x: float = 0.0) -> str:
    return f"double {to_text(float(x))}"


def get_decimal(x: Decimal = Decimal(0)) -> str:
    return f"decimal {x}"


def get_text(x: str = "") -> str:
    return f"text <{x}>"


def get_any(x: Any = None) -> str:
    if x is None:
        return "null"
    if isinstance(x, PSObject) and x.value is None:
        return "object " + ",".join(f"{name}={to_text(x[name])}" for name in x)
    if isinstance(x, (dict, Dictionary)):
        return "table " + ",".join(sorted(f"{key}={to_text(x[key])}" for key in x))
    if isinstance(x, list):
        return "list " + ",".join(f"{_short(item)}:{to_text(item)}" for item in x)
    return f"{_short(x)} {to_text(x)}"


def get_flag(*, on: bool = False) -> str:
    return f"flag {on}"


def get_bool(x: Annotated[bool, Param(help="no switch")] = True) -> str:
    return f"bool {x}"


def get_when(x: datetime = datetime(2000, 1, 1)) -> str:
    return f"when {x.isoformat(' ', 'seconds')}"


def get_span(x: timedelta = timedelta()) -> str:
    return f"span {to_text(TimeSpan.from_timedelta(x))}"


def get_texts(x: list[str] = []) -> str:  # noqa: B006
    return f"texts {len(x)} {' '.join(x)}"


def get_longs(x: list[int] = []) -> str:  # noqa: B006
    return f"longs {len(x)} {' '.join(map(str, x))}"


def get_choice(x: Literal["Red", "Green"] = "Red") -> str:
    return f"choice {x}"


def get_must(name: str, count: int = 1) -> str:
    return f"must {name} {count}"


def get_piped(x: Annotated[int, Param(from_pipeline=True)]) -> str:
    return f"piped {x}"


def get_piped_text(x: Annotated[str, Param(from_pipeline=True)] = "none") -> str:
    return f"piped <{x}>"


def get_property(
    name: Annotated[str, Param(by_property_name=True, aliases=("Label",))] = "none",
) -> str:
    return f"property {name}"


def get_table(x: dict[str, Any] = {}) -> str:  # noqa: B006
    return "table " + ",".join(sorted(map(str, x)))


def get_two(first: str = "", second: str = "", *, forced: bool = False) -> str:
    return f"two <{first}> <{second}> {forced}"


def get_alias(name: Annotated[str, Param(aliases=("cn", "Computer"))] = "") -> str:
    return f"alias {name}"


def get_rest(first: str = "", *rest: str) -> str:
    return f"rest {first} {len(rest)} {' '.join(rest)}".rstrip()


_ZERO = UUID(int=0)
_NONE = Version("0.0")
_URI = Uri("a")
_CHAR = Char("z")


def get_guid(x: UUID = _ZERO) -> str:
    return f"guid {x}"


def get_version(x: Version = _NONE) -> str:
    return f"version {x}"


def get_uri(x: Uri = _URI) -> str:
    return f"uri {x}"


def get_bytes(x: bytes = b"") -> str:
    return f"bytes {len(x)} {' '.join(map(str, x))}".rstrip()


def get_char(x: Char = _CHAR) -> str:
    return f"char {x}"


async def get_soft(context: Context) -> None:
    await context.write_error("soft")


async def get_known(context: Context) -> None:
    await context.write_error("known", error_id="Known", category=ErrorCategory.InvalidData)


def get_hard() -> None:
    raise CommandError("hard", error_id="Hard", category=ErrorCategory.InvalidOperation)


def get_nothing() -> None:
    return


async def get_input(input: Input) -> str:
    return "input " + " ".join([to_text(item) async for item in input])


def get_thing(x: Any = None) -> str:
    return f"thing {to_text(x, received=True)}"


COMMANDS: dict[str, Callable[..., Any]] = {
    "Get-Thing": get_thing,
    "Get-Long": get_long,
    "Get-Double": get_double,
    "Get-Decimal": get_decimal,
    "Get-Text": get_text,
    "Get-Any": get_any,
    "Get-Flag": get_flag,
    "Get-Bool": get_bool,
    "Get-When": get_when,
    "Get-Span": get_span,
    "Get-Texts": get_texts,
    "Get-Longs": get_longs,
    "Get-Choice": get_choice,
    "Get-Must": get_must,
    "Get-Piped": get_piped,
    "Get-PipedText": get_piped_text,
    "Get-Property": get_property,
    "Get-Table": get_table,
    "Get-Two": get_two,
    "Get-Alias": get_alias,
    "Get-Rest": get_rest,
    "Get-Guid": get_guid,
    "Get-Version": get_version,
    "Get-Uri": get_uri,
    "Get-Bytes": get_bytes,
    "Get-Char": get_char,
    "Get-Soft": get_soft,
    "Get-Known": get_known,
    "Get-Hard": get_hard,
    "Get-Nothing": get_nothing,
    "Get-Input": get_input,
    "Write-Output": write_output,
}


def _x(kind: str, body: str, default: str = "") -> str:
    return f"[CmdletBinding()] param([{kind}]$X{default}) {body}"


_ANY = """[CmdletBinding()] param($X)
if ($null -eq $X) { 'null' }
elseif ($X -is [System.Collections.IDictionary]) {
    'table ' + ((@(foreach ($k in $X.Keys) { "$k=$($X[$k])" }) | Sort-Object) -join ',') }
elseif ($X -is [System.Collections.IList]) {
    'list ' + (@(foreach ($i in $X) { "$($i.GetType().Name):$i" }) -join ',') }
elseif ($X.PSObject.TypeNames[0] -like '*PSCustomObject') {
    'object ' + (@(foreach ($p in $X.PSObject.Properties) { "$($p.Name)=$($p.Value)" }) -join ',') }
else { "$($X.GetType().Name) $($X.PSObject.BaseObject)" }"""

TWINS: dict[str, str] = {
    "Get-Thing": '[CmdletBinding()] param($X) "thing $X"',
    "Get-Long": _x("long", '"long $X"'),
    "Get-Double": _x("double", '"double $X"'),
    "Get-Decimal": _x("decimal", '"decimal $X"'),
    "Get-Text": _x("string", '"text <$X>"'),
    "Get-Any": _ANY,
    "Get-Flag": '[CmdletBinding()] param([switch]$On) "flag $On"',
    "Get-Bool": _x("bool", '"bool $X"', " = $true"),
    "Get-When": _x("datetime", "\"when $($X.ToString('yyyy-MM-dd HH:mm:ss'))\"", " = '2000-01-01'"),
    "Get-Span": _x("timespan", '"span $X"', " = '0:0'"),
    "Get-Texts": _x("string[]", '"texts $($X.Count) $X"', " = @()"),
    "Get-Longs": _x("long[]", '"longs $($X.Count) $X"', " = @()"),
    "Get-Choice": "[CmdletBinding()] param([ValidateSet('Red', 'Green')][string]$X = 'Red') "
    '"choice $X"',
    "Get-Must": "[CmdletBinding()] param([Parameter(Mandatory, Position=0)][string]$Name, "
    '[Parameter(Position=1)][long]$Count = 1) "must $Name $Count"',
    "Get-Piped": "[CmdletBinding()] param([Parameter(Mandatory, Position=0, ValueFromPipeline)]"
    '[long]$X) process { "piped $X" }',
    "Get-PipedText": "[CmdletBinding()] param([Parameter(Position=0, ValueFromPipeline)]"
    "[string]$X = 'none') process { \"piped <$X>\" }",
    "Get-Property": "[CmdletBinding()] param([Parameter(Position=0, "
    "ValueFromPipelineByPropertyName)][Alias('Label')][string]$Name = 'none') "
    'process { "property $Name" }',
    "Get-Table": _x("hashtable", "'table ' + (($X.Keys | Sort-Object) -join ',')", " = @{}"),
    "Get-Two": "[CmdletBinding()] param([string]$First, [string]$Second, [switch]$Forced) "
    '"two <$First> <$Second> $Forced"',
    "Get-Alias": "[CmdletBinding()] param([Alias('cn', 'Computer')][string]$Name) \"alias $Name\"",
    "Get-Rest": "[CmdletBinding()] param([Parameter(Position=0)][string]$First, "
    "[Parameter(ValueFromRemainingArguments)][string[]]$Rest) "
    '"rest $First $($Rest.Count) $Rest".TrimEnd()',
    "Get-Guid": _x("guid", '"guid $X"', " = [guid]::Empty"),
    "Get-Version": _x("version", '"version $X"', " = '0.0'"),
    "Get-Uri": _x("uri", '"uri $X"', " = 'a'"),
    "Get-Bytes": _x("byte[]", '"bytes $($X.Count) $X".TrimEnd()', " = @()"),
    "Get-Char": _x("char", '"char $X"', " = 'z'"),
    "Get-Soft": "[CmdletBinding()] param() Write-Error 'soft'",
    "Get-Known": "[CmdletBinding()] param() Write-Error 'known' -ErrorId Known "
    "-Category InvalidData",
    "Get-Hard": "[CmdletBinding()] param() $PSCmdlet.ThrowTerminatingError("
    "[System.Management.Automation.ErrorRecord]::new([System.Management.Automation."
    "RuntimeException]::new('hard'), 'Hard', 'InvalidOperation', $null))",
    "Get-Nothing": "[CmdletBinding()] param()",
    "Get-Input": "[CmdletBinding()] param([Parameter(ValueFromPipeline)]$InputObject) "
    'begin { $all = @() } process { $all += $InputObject } end { "input $all" }',
}

CALLS = tuple(
    """
Get-Long
Get-Long 5
Get-Long -X 5
Get-Long -x:5
Get-Long '5'
Get-Long ' 5 '
Get-Long abc
Get-Long ''
Get-Long $null
Get-Long 1.5
Get-Long 2.5
Get-Long 0x1F
Get-Long 1kb
Get-Long '1kb'
Get-Long 7L
Get-Long 99999999999999999999
Get-Long 1e30
Get-Long $true
Get-Long 1,2
Get-Long @{a=1}
Get-Long 5 6
Get-Long -Y 5
Get-Long -X
Get-Long -X 5 -X 6
Get-Long -5
Get-Long -- 5
Get-Long -- -x
Get-Long 1.50
Get-Long '1,234'
Get-Long -ErrorAction Stop x
Get-Long -Ver 5
Get-Long -Verbose 5
Get-Long -Debu 5
Get-Double 1.5
Get-Double '1,5'
Get-Double 1e3
Get-Double x
Get-Double 5
Get-Decimal 1.50
Get-Decimal '1.50'
Get-Decimal 5
Get-Decimal x
Get-Text 007
Get-Text 1.50
Get-Text 0x10
Get-Text 1e3
Get-Text 10kb
Get-Text 5
Get-Text 'a b'
Get-Text $null
Get-Text $true
Get-Text 1,2
Get-Text @{a=1}
Get-Text @()
Get-Text 7L
Get-Text -5
Get-Text -X:-x
Get-Text 1.0
Get-Text ([datetime]'2024-01-02')
Get-Text a,b
Get-Any
Get-Any 5
Get-Any 007
Get-Any 1kb
Get-Any 0x1F
Get-Any 7L
Get-Any 1.50
Get-Any text
Get-Any $true
Get-Any $null
Get-Any 1,2
Get-Any @(1,'x')
Get-Any @{b=1;a=2}
Get-Any ([ordered]@{b=1;a=2})
Get-Any ([pscustomobject]@{a=1;b='x'})
Get-Any 007,1kb
Get-Any 1.5
Get-Any ([datetime]'2024-01-02')
Get-Any '007'
Get-Any @()
Get-Any -5
Get-Flag
Get-Flag -On
Get-Flag -On:$true
Get-Flag -On:$false
Get-Flag -On:yes
Get-Flag -On:1
Get-Flag -On:0
Get-Flag -On yes
Get-Flag -On:$null
Get-Flag -o
Get-Flag -On:@{}
Get-Flag -On:''
Get-Bool $true
Get-Bool 1
Get-Bool 0
Get-Bool yes
Get-Bool $null
Get-When '2024-01-02'
Get-When 2024-01-02
Get-When '1/2/2024 3:04 PM'
Get-When x
Get-When $null
Get-When 5
Get-When ''
Get-When ([datetime]'2024-01-02T03:04:05')
Get-Span '1:2:3'
Get-Span 5
Get-Span '5'
Get-Span x
Get-Span $null
Get-Span 1.5
Get-Span '1.02:03:04'
Get-Texts a
Get-Texts a,b
Get-Texts 1,2
Get-Texts 007,1.50
Get-Texts $null
Get-Texts @()
Get-Texts @{a=1}
Get-Longs 1
Get-Longs 1,2
Get-Longs '3'
Get-Longs x
Get-Longs 1,x
Get-Longs $null
Get-Longs 1kb,0x10
Get-Choice Red
Get-Choice green
Get-Choice Blue
Get-Choice $null
Get-Choice ''
Get-Choice 5
Get-Choice 007
Get-Must a
Get-Must a 2
Get-Must -Count 2 a
Get-Must ''
Get-Must $null
Get-Must a x
Get-Must a 2 3
Get-Must -Name:a
Write-Output 1,2 | Get-Piped
Write-Output '3' | Get-Piped
Write-Output 'x' | Get-Piped
Write-Output 1,'x',3 | Get-Piped
Get-Piped 5
Write-Output $null | Get-Piped
Write-Output 1 | Get-Piped 5
Write-Output @{a=1} | Get-Piped
Write-Output 'a','b' | Get-PipedText
Write-Output 5 | Get-PipedText
Get-PipedText
Write-Output 'a' | Get-PipedText -X b
Write-Output $null | Get-PipedText
Write-Output ([pscustomobject]@{Name='n'}) | Get-Property
Write-Output ([pscustomobject]@{Label='l'}) | Get-Property
Write-Output ([pscustomobject]@{Other='o'}) | Get-Property
Write-Output 5 | Get-Property
Get-Property z
Get-Table @{a=1;b=2}
Get-Table x
Get-Table $null
Get-Table 5
Get-Two a b
Get-Two -Second b a
Get-Two -F a
Get-Two -Fo
Get-Two -Fir a
Get-Two a b c
Get-Two -s b -fi a
Get-Two -First a -Second b -Forced
Get-Two -First -Second b
Get-Two -First:a -second:b
Get-Two a -Forced b
Get-Alias -cn x
Get-Alias -Computer x
Get-Alias -Comp x
Get-Alias -c x
Get-Alias -Name x -cn y
Get-Rest a b c
Get-Rest
Get-Rest a
Get-Rest a 1 007
Get-Rest a -Rest b,c
Get-Rest a -What b
Get-Rest a b,c
Get-Guid '6f9619ff-8b86-d011-b42d-00c04fc964ff'
Get-Guid x
Get-Guid $null
Get-Version 1.2
Get-Version '1.2.3'
Get-Version x
Get-Version 5
Get-Version $null
Get-Uri 'http://a/b'
Get-Uri 5
Get-Bytes 5
Get-Bytes 1,2
Get-Bytes 300
Get-Bytes x
Get-Bytes $null
Get-Char a
Get-Char ab
Get-Char 65
Get-Char $null
Get-Char ''
Get-Soft
Get-Known
Get-Hard
Get-Nothing
Get-Soft -ErrorAction Stop
Get-Soft -ErrorAction SilentlyContinue
Get-Soft -ErrorAction Nonsense
Get-Soft -ea 0
Get-Soft -wa Stop
Write-Output 1,2,3 | Get-Input
Get-Input
Write-Output 'a' | Get-Input
Get-Missing
Get-Missing 5 -x
Get-Long 5 | Get-Input
Get-Long 5 | Get-PipedText
Get-Long x | Get-Input
Get-Soft | Get-Input
""".strip().splitlines()
)


ACCEPTED: dict[str, str] = {
    "Get-Span 5": "a timedelta holds microseconds, no ticks of 100 ns",
    "Get-Choice green": "a Literal gives its own spelling",
    "Get-Version $null": "an annotation without None takes no null",
}
"""Calls whose answers differ, with the reason."""
