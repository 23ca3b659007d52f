# table: values and types, one per line.
"""Values and types for comparing conversions with PowerShell.

``python -m tests.live.conversions`` records the answers into fixtures/powershell, where
tests/powershell/test_conversion.py reads them without a PowerShell.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.live import powershell

__all__ = ["RECORDED", "TYPES", "VALUES", "ask", "recorded"]

RECORDED = Path(__file__).parents[2] / "fixtures" / "powershell" / "conversions.json.gz"
_SCRIPT = Path(__file__).with_name("conversions.ps1")

VALUES = (
    "$null",
    "''",
    "' '",
    "'5'",
    "' 5 '",
    "'-5'",
    "'+5'",
    "'1,5'",
    "'1,234'",
    "'1.5'",
    "'2.5'",
    "'1.50'",
    "'0x10'",
    "'0xFFFFFFFF'",
    "'0b101'",
    "'1kb'",
    "'1e3'",
    "'5L'",
    "'5d'",
    "'abc'",
    "'true'",
    "'False'",
    "'NaN'",
    "'Infinity'",
    "'99999999999'",
    "'99999999999999999999'",
    "'300'",
    "'a'",
    "'007'",
    "'2024-01-02'",
    "'2024-01-02T03:04:05Z'",
    "'2024-01-02T03:04:05.1234567+02:00'",
    "'1/2/2024'",
    "'13:00'",
    "'2:30 PM'",
    "'Jan 5, 2024'",
    "'1:2:3'",
    "'1.02:03:04'",
    "'25:00'",
    "'-1:00'",
    "'1.2'",
    "'1.2.3.4'",
    "'6f9619ff-8b86-d011-b42d-00c04fc964ff'",
    "'{6f9619ff-8b86-d011-b42d-00c04fc964ff}'",
    "'http://a.b/c?d=e'",
    "'Monday'",
    "'mon'",
    "'m'",
    "'t'",
    "'Monday,Tuesday'",
    "'<a>b</a>'",
    "0",
    "1",
    "5",
    "-5",
    "300",
    "70000",
    "3000000000",
    "99999999999999999999",
    "1.5",
    "2.5",
    "-2.5",
    "1e10",
    "1e30",
    "[double]::NaN",
    "[double]::PositiveInfinity",
    "-0.0",
    "0.1",
    "5.0",
    "1.50d",
    "[decimal]5",
    "[single]0.1",
    "[byte]5",
    "[sbyte]-5",
    "[int16]5",
    "[uint16]5",
    "[uint32]4000000000",
    "[uint64]18446744073709551615",
    "[bigint]5",
    "[bigint]::Pow(10,30)",
    "$true",
    "$false",
    "[char]'5'",
    "[char]'a'",
    "[char]0",
    "@()",
    "@(1)",
    "@(1,2)",
    "@('a','b')",
    "@('5')",
    "@(1,'x',$null)",
    "@(,@(1,2))",
    "@(@(1,2),@(3))",
    "[int[]](1,2)",
    "[string[]]('x','y')",
    "[byte[]](1,2,255)",
    "[byte[]]@()",
    "[System.Collections.ArrayList]@(1,2)",
    "[System.Collections.Generic.List[string]]@('a')",
    "[System.Collections.Stack]@(1,2)",
    "[System.Collections.Queue]@(1,2)",
    "@{}",
    "@{a=1}",
    "[ordered]@{b=1;a=2}",
    "@{UserName='u'}",
    "[pscustomobject]@{}",
    "[pscustomobject]@{a=1;b='x'}",
    "[datetime]'2024-01-02'",
    "[datetime]'2024-01-02T03:04:05.5Z'",
    "[datetimeoffset]'2024-01-02T03:04:05+02:00'",
    "[timespan]'1:2:3'",
    "[timespan]'1.02:03:04.5'",
    "[guid]'6f9619ff-8b86-d011-b42d-00c04fc964ff'",
    "[version]'1.2.3'",
    "[uri]'http://a/b'",
    "[uri]'rel/x'",
    "[System.DayOfWeek]::Monday",
    "[System.ConsoleColor]::Red",
    "[System.IO.FileAttributes]'ReadOnly,Hidden'",
    "{ 1 }",
    "[xml]'<a>b</a>'",
    "[regex]'a+'",
    "[ipaddress]'10.0.0.1'",
    "[mailaddress]'a@b.c'",
    "[System.IO.FileInfo]'/tmp/x'",
    "[pscredential]::new('u', (ConvertTo-SecureString 'p' -AsPlainText -Force))",
    "[switch]$true",
    "[switch]$false",
    "[System.Exception]'boom'",
    "[string]",
    "[System.Text.Encoding]::UTF8",
    '!<Obj RefId="0"><I32>7</I32><ToString>007</ToString></Obj>',
    '!<Obj RefId="0"><Db>1.5</Db><ToString>1.50</ToString></Obj>',
    '!<Obj RefId="0"><I32>16</I32><ToString>0x10</ToString></Obj>',
    '!<Obj RefId="0"><Db>1000</Db><ToString>1e3</ToString></Obj>',
    '!<Obj RefId="0"><I32>10240</I32><ToString>10kb</ToString></Obj>',
    '!<Obj RefId="0"><I64>7</I64><ToString>7L</ToString></Obj>',
)
"""Expressions of PowerShell, or CLIXML after an exclamation mark."""

TYPES = (
    "System.Boolean",
    "System.Management.Automation.SwitchParameter",
    "System.String",
    "System.Char",
    "System.Byte",
    "System.Int16",
    "System.Int32",
    "System.Int64",
    "System.UInt32",
    "System.UInt64",
    "System.Single",
    "System.Double",
    "System.Decimal",
    "System.DateTime",
    "System.TimeSpan",
    "System.Guid",
    "System.Uri",
    "System.Version",
    "System.Collections.Hashtable",
    "System.Security.SecureString",
    "System.Management.Automation.ScriptBlock",
    "System.DayOfWeek",
    "System.ConsoleColor",
    "System.Object[]",
    "System.String[]",
    "System.Int32[]",
    "System.Int64[]",
    "System.Double[]",
    "System.Byte[]",
    "System.Boolean[]",
    "System.Char[]",
    "System.DateTime[]",
    "System.Guid[]",
    "System.Nullable`1[System.Int32]",
    "System.Nullable`1[System.Boolean]",
    "System.Nullable`1[System.DateTime]",
    "System.Array",
)


def ask(pwsh: str, folder: Path) -> list[dict[str, Any]]:
    """Return the answers of a real PowerShell: one row per value, with one answer per type."""
    values, types, out = folder / "values.txt", folder / "types.txt", folder / "answers.jsonl"
    values.write_text("\n".join(VALUES))
    types.write_text("\n".join(TYPES))
    home = folder / "home"
    home.mkdir(exist_ok=True)
    subprocess.run(
        [pwsh, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", _SCRIPT, values, types, out],
        env=powershell.environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=300,
        check=True,
    )
    return [json.loads(line) for line in out.read_text().splitlines()]


def recorded() -> list[dict[str, Any]]:
    """Return the recorded answers."""
    rows: list[dict[str, Any]] = json.loads(gzip.decompress(RECORDED.read_bytes()))
    return rows


def _record() -> None:
    pwsh = powershell.find()
    assert pwsh is not None, powershell.why_not()
    with tempfile.TemporaryDirectory() as folder:
        rows = ask(pwsh, Path(folder))
    RECORDED.parent.mkdir(exist_ok=True)
    RECORDED.write_bytes(gzip.compress(json.dumps(rows).encode(), mtime=0))


if __name__ == "__main__":
    _record()
