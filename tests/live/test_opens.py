"""Sessions of the real client on a socket of ours. spec-notes/endpoint.md"""

from __future__ import annotations

from pathlib import Path

from tests.live.opens import opened, serving
from tests.live.powershell import PowerShell


def test_each_of_thirty_openings_on_a_socket_succeeds(real: PowerShell, tmp_path: Path) -> None:
    with serving(tmp_path) as path:
        assert opened(real, path, 30) == {"Opened": 30}
