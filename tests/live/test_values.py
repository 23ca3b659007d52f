"""Values of a real server, read and written again by our client: the document equals that of the
real client's PSSerializer. spec-notes/live.md"""

from __future__ import annotations

import re

import pytest

from psrp.clixml import List, dumps
from tests.live.comparing import Comparison, canonical
from tests.live.peers import Clients
from tests.live.powershell import quoted
from tests.live.tables import sections

TABLE = sections("values")

_READ = r"""
function global:Read-LiveValues([powershell]$Pipeline, [string[]]$Expressions) {
    foreach ($expression in $Expressions) {
        $Pipeline.Commands.Clear()
        $Pipeline.Streams.ClearStreams()
        $null = $Pipeline.AddScript($expression)
        # A list of PSObject: as arguments of their own, values lose their type names and notes.
        $values = [System.Collections.Generic.List[psobject]]::new()
        try {
            foreach ($value in $Pipeline.Invoke()) { $values.Add($value) }
            $document = [System.Management.Automation.PSSerializer]::Serialize($values, 100)
            foreach ($record in $Pipeline.Streams.Error) { $document += "`nerror: $record" }
        }
        catch {
            $document = "error: $($_.Exception.InnerException.Message)"
        }
        $document
    }
}
"""

_LIST = r"<T>System\.Collections\.Generic\.List`1\[\[[^<]*\.PSObject[^<]*</T>"

_NONCHARACTER = "PowerShell's reader fails on a noncharacter; ours reads it"
_ORDER = "PowerShell reads a dictionary into a hash table and loses the order"
_NAMELESS = "PowerShell gives an object without type names those of PSCustomObject"
_WRAPPED = "an object around a primitive, without members, stays an object here"

ACCEPTED: dict[str, str] = {
    '"`u{FFFE}"': _NONCHARACTER,
    '"`u{FFFF}"': _NONCHARACTER,
    "[uri]'http://example.com/%41%20'": "the text as it came; .NET's Uri drops a blank at its end",
    "[System.Collections.Generic.List[int]]": _WRAPPED,
    ",('a', 'b').GetEnumerator()": "Props without content is written again",
    "$d = [System.Collections.Generic.Dictionary[string, object]]::new();"
    " $d['a'] = 1; $d['b'] = 'x'; $d": _ORDER,
    "$d = [System.Collections.Generic.SortedDictionary[string, int]]::new();"
    " $d['b'] = 1; $d['a'] = 2; $d": _ORDER,
    "$d = [System.Collections.SortedList]::new(); $d['b'] = 1; $d['a'] = 2; $d": _ORDER,
    "'x' | Add-Member ScriptMethod ToString { 'y' } -Force -PassThru": _WRAPPED,
    "[System.IO.FileInfo]'/etc/hostname'": _WRAPPED,
    "[System.IO.DirectoryInfo]'/'": _WRAPPED,
    "Get-PSDrive Env": _WRAPPED,
    "[System.IO.FileInfo]'/etc/hostname' | Select-Object Directory": _WRAPPED,
    "[pscustomobject]@{ file = [System.IO.DirectoryInfo]'/' }": _WRAPPED,
    "[System.Management.Automation.ParameterMetadata]::new('p', [int])": _WRAPPED,
    ",([ordered]@{ a = 1; b = 2 }).GetEnumerator()": "Props without content is written again",
    "$o = [pscustomobject]@{ n = 1 }; $o.psobject.TypeNames.Clear(); $o": _NAMELESS,
    "$x = [pscustomobject]@{ n = 1 }; @{ a = $x; b = @($x, $x) }": _ORDER,
}


_THEIRS: dict[str, list[str]] = {}
"""The real client's documents of each section, which are the same over every carrier."""


@pytest.mark.parametrize("section", TABLE)
def test_values_are_read_and_written_as_powershell_does(
    clients: Clients, table_carrier: str, section: str
) -> None:
    rows = TABLE[section]
    clients.real.run(_READ)
    expressions = ", ".join(map(quoted, rows))
    if section not in _THEIRS:
        pipeline = clients.pipeline(table_carrier)
        code = f"Read-LiveValues {pipeline} @({expressions})"
        _THEIRS[section] = clients.real.json(code, timeout=100)
    theirs = _THEIRS[section]
    # PowerShell's hashtables have a different order in every process.
    by_chance = frozenset(row for row, reason in ACCEPTED.items() if reason is _ORDER)
    comparison = Comparison(ACCEPTED, by_chance)
    for row, document in zip(rows, theirs, strict=True):
        comparison.add(row, _document(document), _ours(clients, table_carrier, row))
    comparison.check(rows)


def _document(text: str) -> str:
    """Return a document in the form for comparison, and the errors after it.

    Accepted for all rows: PowerShell puts "Deserialized." before type names when it reads, and
    reads IE as a list and SBK as a string, so it writes LST and S; `loads` keeps all three.
    """
    document, line, errors = text.partition("\nerror: ")
    document = canonical(document).replace("<T>Deserialized.", "<T>")
    document = re.sub(r"(</?)IE( /)?>", r"\1LST\2>", document)
    document = re.sub(r"(</?)SBK\b", r"\1S", document)
    document = re.sub(_LIST, "<T>List</T>", document, count=1)
    return document + line + errors


def _ours(clients: Clients, carrier: str, expression: str) -> str:
    result = clients.ours(carrier).run(expression)
    if result.error is not None:
        return f"error: {result.error}"
    document = dumps(List(result.output, ("List", "System.Object"))).decode(
        "utf-8", "surrogatepass"
    )
    return _document("\n".join([document, *(f"error: {each}" for each in result.streams.error)]))
