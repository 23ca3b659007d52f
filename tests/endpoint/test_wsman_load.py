"""A hundred shells at once in one endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.endpoint import many_shells
from tests.endpoint.served_wsman import serving

pytestmark = pytest.mark.xdist_group("wsman-clients")

SHELLS = 100


def get_number(number: int) -> int:
    return number


COMMANDS = {"Get-Number": get_number}


async def test_no_shell_of_many_is_lost(tmp_path: Path) -> None:
    functions = ("--functions", "tests.endpoint.test_wsman_load:COMMANDS")
    with trio.fail_after(200), serving(tmp_path, *functions, *many_shells.OPTIONS) as endpoint:
        load = await many_shells.measure(endpoint, SHELLS, "Get-Number")
    assert load.values == tuple(range(SHELLS))
    # An idle shell has a session, a waiting request and one connection.
    assert load.memory < 1 << 20
    assert "failed" not in endpoint.log()
