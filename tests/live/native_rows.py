"""The rows of ``native_rows.ps1``, run by the native client against one server.

The client is old C code that crashes or hangs now and then: a process that does is ended, and its
last row is tried once more in a new one. Such ends are counted in `Rows.deaths`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.wsman_peers import NativeClient, WSManServer

__all__ = ["NAMES", "Rows", "parameters"]

_PARTS = re.split(
    r"^### (.*)\n", Path(__file__).with_suffix(".ps1").read_text("utf-8"), flags=re.MULTILINE
)
_PRELUDE = _PARTS[0]
_SCRIPTS = dict(zip(_PARTS[1::2], _PARTS[2::2], strict=True))
NAMES = list(_SCRIPTS)
_AT_ONCE = 10
"""Rows in one process."""
_LIMIT = 90.0


def parameters(server: WSManServer, way: str) -> str:
    """Return the connection's parameters as a hashtable: ``negotiate``, ``https``, ``kerberos``."""
    if way == "kerberos":
        return (
            f"@{{ComputerName='localhost'; Port={server.http}; Authentication='Kerberos'; "
            "Credential=[pscredential]::new('wsuser@TEST.LOCAL', $c.Password)}"
        )
    if way == "https":
        return (
            f"@{{ComputerName='localhost'; Port={server.https}; Authentication='Basic'; "
            "UseSSL=$true; SessionOption=$o; Credential=$c}"
        )
    return (
        f"@{{ComputerName='127.0.0.1'; Port={server.http}; Authentication='Negotiate'; "
        "Credential=$c}"
    )


@dataclass
class Rows:
    """Outputs of rows at one server over one way."""

    client: NativeClient
    server: WSManServer
    way: str
    folder: Path
    found: dict[str, str] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)
    """The rows at which a process crashed or hung; at the second time that is its output."""

    def run(self, names: list[str]) -> None:
        """Run rows in order."""
        left = list(names)
        while left:
            now = left[:_AT_ONCE]
            died, got = self._once(now)
            complete = [name for name in now if name in got]
            last = complete.pop() if died and complete else None
            for name in complete:
                self.found[name] = got[name]
                left.remove(name)
            if died:
                at = last or left[0]
                self.deaths.append(at)
                if self.deaths.count(at) > 1:
                    self.found[at] = got.get(at, "") + "the client died twice\n"
                    left.remove(at)

    def _once(self, names: list[str]) -> tuple[bool, dict[str, str]]:
        (self.folder / self.way).mkdir(parents=True, exist_ok=True)
        rows = "".join(
            f"$unique = [guid]::NewGuid().ToString(); $folder = '{self.folder}/' + $unique;"
            f"$null = mkdir $folder; Show-Row '{name}' {{\n{_SCRIPTS[name]}}}\n"
            for name in names
        )
        script = f"$a = {parameters(self.server, self.way)}\n{_PRELUDE}{rows}'== end'\n"
        died, output = self.client.run_once(script + "Remove-PSSession $s\n", timeout=_LIMIT)
        parts = re.split(r"^== (.*)\n?", output, flags=re.MULTILINE)
        got = dict(zip(parts[1::2], parts[2::2], strict=True))
        return died and "end" not in got, {name: got[name] for name in names if name in got}
