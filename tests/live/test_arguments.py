"""Python values as arguments of a script on a real server, compared with the values that the real
client sends. spec-notes/live.md"""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import psrp.clixml
from psremoting import sync
from psrp.sansio import LocalProtocolError
from tests.live.comparing import Comparison
from tests.live.peers import Clients
from tests.live.tables import sections

ROWS = [tuple(row.split(" :: ")) for rows in sections("arguments").values() for row in rows]

# The types of a value in a script, and its content as CLIXML, with decrypted secrets.
_DESCRIBE = r"""
function global:Describe($value) {
    if ($null -eq $value) { return 'null' }
    $secret = $value
    if ($value -is [hashtable] -and $value.secret) { $secret = $value.secret }
    if ($secret -is [pscredential]) { $secret = $secret.Password }
    if ($secret -is [securestring]) {
        $text = [pscredential]::new('u', $secret).GetNetworkCredential().Password
        return "$($value.GetType()) $($value.UserName) $text"
    }
    $values = [System.Collections.Generic.List[psobject]]::new()
    $values.Add($value)
    $text = [System.Management.Automation.PSSerializer]::Serialize($values, 10)
    "$($value.GetType().FullName) [$($value.psobject.TypeNames -join ', ')] $text"
}
"""

_ROUTES = {
    "parameter": "param($p) Describe $p",
    "args": "Describe $args[0]; $args.Count",
    "input": "$all = @($input); $all.Count; Describe $all[0]",
}
"""The way in which a script receives the value."""

_REAL = {
    "parameter": "$null = $p.AddScript($script).AddParameter('p', $value); $p.Invoke()",
    "args": "$null = $p.AddScript($script).AddArgument($value); $p.Invoke()",
    "input": "$in = [System.Collections.Generic.List[object]]::new(); $in.Add($value);"
    " $null = $p.AddScript($script); $p.Invoke($in)",
}

_TEXT_WITH_NOTE = "PSObject(extended={'note': 1}, value='text')"
_ROUTE_ACCEPTED = {
    _TEXT_WITH_NOTE: "AddParameter, AddArgument and Invoke of the real client take the bare text",
}


class Color(enum.Enum):
    Red = "Red"


class Number(enum.IntEnum):
    Two = 2


_THEIRS: dict[tuple[str, str], str] = {}
"""The real client's outcome of each route and row, which is the same over every carrier."""


def _theirs(clients: Clients, route: str, row: str, code: str) -> str:
    if (route, row) not in _THEIRS:
        _THEIRS[route, row] = clients.real.run(code)
    return _THEIRS[route, row]


def value_of(expression: str) -> Any:
    """Return the value of a row's Python expression."""
    names = {
        **{name: getattr(psrp.clixml, name) for name in psrp.clixml.__all__},
        "Decimal": Decimal,
        "UTC": UTC,
        "UUID": UUID,
        "Color": Color,
        "Number": Number,
        "date": date,
        "datetime": datetime,
        "timezone": timezone,
        "timedelta": timedelta,
    }
    return eval(expression, names)  # the table is part of the tests


def _run(session: sync.SyncSession, script: str, **more: Any) -> str:
    """Return the output of a script as text, or the reason of its failure."""
    try:
        result = session.run(script, **more)
    except LocalProtocolError as error:
        return f"cannot be sent: {error}"
    return str(result.error) if result.error else "\n".join(map(str, result.output))


@pytest.mark.parametrize("route", _ROUTES)
def test_an_argument_arrives_as_that_of_the_real_client(
    clients: Clients, table_carrier: str, route: str
) -> None:
    clients.ours(table_carrier).run(_DESCRIBE)
    clients.real.run(
        f"$null = {clients.pipeline(table_carrier)}.AddScript(@'\n{_DESCRIBE}\n'@).Invoke()"
    )
    pipeline = clients.pipeline(table_carrier)
    script = _ROUTES[route]
    comparison = Comparison(_ROUTE_ACCEPTED)
    for python, powershell in ROWS:
        code = f"$p = {pipeline}; $script = '{script}'; $value = {powershell}\n{_REAL[route]}"
        theirs = _theirs(clients, route, powershell, code)
        value = value_of(python)
        how: dict[str, dict[str, Any]] = {
            "parameter": {"parameters": {"p": value}},
            "args": {"arguments": [value]},
            "input": {"input": [value]},
        }
        comparison.add(python, theirs, _run(clients.ours(table_carrier), script, **how[route]))
    comparison.check(python for python, _ in ROWS)


def test_a_using_value_arrives_as_that_of_the_real_client(
    clients: Clients, table_carrier: str
) -> None:
    clients.ours(table_carrier).run(_DESCRIBE)
    session = clients.theirs(table_carrier)
    clients.real.run(f"Invoke-Command {session} {{ {_DESCRIBE} }}")
    comparison = Comparison()
    for python, powershell in ROWS:
        code = (
            f"$value = {powershell}\n"
            f'Invoke-Command {session} {{ Describe $using:value }} | ForEach-Object {{ "$_" }}'
        )
        theirs = _theirs(clients, "using", powershell, code)
        using = {"value": value_of(python)}
        ours = _run(clients.ours(table_carrier), "Describe $using:value", using=using)
        comparison.add(python, theirs, ours)
    comparison.check(python for python, _ in ROWS)
