"""Record a real PowerShell's display of received objects.

python -m tests.powershell.record_formatting PWSH
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.powershell.formatting_rows import FORMATTED, ROWS

__all__ = ["RECORDING", "ask"]

RECORDING = Path(__file__).with_name("formatting_received.jsonl")

_SCRIPT = r"""
$PSStyle.OutputRendering = 'PlainText'
$rows = [Console]::In.ReadToEnd() | ConvertFrom-Json
foreach ($row in $rows) {
    $serializer = [System.Management.Automation.PSSerializer]
    $objects = @(. ([scriptblock]::Create($row.expression)))
    $depth = if ($row.formatted) { 10 } else { 1 }
    $texts = @(foreach ($each in $objects) {
        if ($null -eq $each) { '' }
        else { $serializer::Serialize($each, $depth) -replace ">\n *<", '><' }
    })
    $text = if ($row.formatted) {
        . ([scriptblock]::Create($row.expression)) | Out-String -Width $row.width
    } else {
        & { foreach ($each in $texts) { if ($each) { $serializer::Deserialize($each) } } } |
            Out-String -Width $row.width
    }
    [ordered]@{
        width = $row.width; expression = $row.expression; clixml = $texts; shown = $text
    } | ConvertTo-Json -Compress -Depth 5
}
"""


def ask(pwsh: str) -> list[dict[str, Any]]:
    """Return each row with the documents of its objects (``clixml``) and the text shown
    (``shown``)."""
    rows = [
        {"width": width, "expression": expression, "formatted": formatted}
        for table, formatted in ((ROWS, False), (FORMATTED, True))
        for width, expression in table
    ]
    answer = subprocess.run(
        [pwsh, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", _SCRIPT],
        input=json.dumps(rows), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    found = ask(sys.argv[1])
    with RECORDING.open("w", encoding="utf-8") as file:
        for row in found:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(len(found), "rows")
