"""Commands through our process engine, compared with the same commands on the server directly.

The engine forwards every byte, so the clients must get equal results.
"""

from __future__ import annotations

from typing import Any

from psremoting import Result, StreamKind, sync
from psrp.clixml import dumps
from psrp.clixml.values import SecureString
from tests.live.comparing import Comparison
from tests.live.peers import Clients
from tests.live.tables import sections

ROWS = [row for rows in sections("proxied").values() for row in rows]


def test_a_command_through_the_process_engine_is_that_of_the_server(
    clients: Clients, carrier: str
) -> None:
    comparison = Comparison()
    for row in ROWS:
        direct, proxied = (
            _all(clients.ours(carrier, server), row) for server in ("powershell", "process")
        )
        comparison.add(row, direct, proxied)
    comparison.check(ROWS)


def test_the_real_client_sees_the_same_through_the_process_engine(clients: Clients) -> None:
    comparison = Comparison()
    for row in ROWS[:-1]:
        direct, proxied = (
            clients.real.run(
                f"$p = {clients.pipeline('stdio', server)}; $null = $p.AddScript(@'\n{row}\n'@);"
                ' try { $p.Invoke() | Out-String -Width 200 } catch { "$_" };'
                " foreach ($s in 'Error', 'Warning', 'Verbose', 'Debug', 'Progress')"
                ' { $p.Streams.$s | ForEach-Object { "${s}: $_" } }'
            )
            for server in ("powershell", "process")
        )
        comparison.add(row, direct, proxied)
    comparison.check(ROWS[:-1])


def _all(session: sync.SyncSession, script: str) -> str:
    """Return the whole output of a command in the order of arrival."""
    seen: list[str] = []

    def record(kind: StreamKind, item: Any) -> None:
        seen.append(f"{kind.value}: {item}")

    result: Result = session.run(script, on_record=record)
    return "\n".join([*map(_shown, result.output), *seen, f"{result.state}: {result.error}"])


def _shown(value: Any) -> str:
    return value.reveal() if isinstance(value, SecureString) else dumps(value).decode()
