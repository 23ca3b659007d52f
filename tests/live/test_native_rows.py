"""PowerShell's own cmdlets give the same at `psrp serve --process pwsh` as at the plugin.

The native client runs the rows of ``native_rows.ps1`` at both servers. Over NTLM all of them but
`QUIET`, over Kerberos and HTTPS those in `EVERY_WAY`; with PSREMOTING_ALL_ROWS all over each way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endpoint.served_wsman import serving
from tests.endpoint.test_wsman_clients import _has_gssapi
from tests.live.kdc import Kdc
from tests.live.native_rows import NAMES, Rows
from tests.live.wsman_peers import NativeClient, WSManServer

TIME_LIMIT = 900

WAYS = ["negotiate", "kerberos", "https"]
EVERY_WAY = [
    "values",
    "each stream",
    "throw",
    "a large argument",
    "a large output",
    "a secret out",
    "exit",
    "a stopped job",
    "Copy-Item",
    "ApplicationArguments",
]
#: Members of -SessionOption whose effect no server can see; each opens a session of its own.
QUIET = {
    "NoMachineProfile",
    "IncludePortInSPN",
    "OpenTimeout",
    "OperationTimeout",
    "CancelTimeout",
    "IdleTimeout",
    "OutputBufferingMode",
    "MaximumConnectionRedirectionCount",
    "MaxConnectionRetryCount",
    "ProxyAccessType",
    "ProxyAuthentication",
    "SkipRevocationCheck",
}
#: Differences from the plugin, with the reason in spec-notes/wsman-service.md.
ACCEPTED = {
    # OMI serves every path; Windows and ours only that of the listener.
    "another application name": "refused\n",
    # OMI takes messages in the clear, Windows and ours only if that is allowed.
    "NoEncryption": "refused\n",
    # The plugin's process on Linux has the server's culture, Windows' and ours the client's.
    "Culture": "1,5\nde-DE\n",
}


class Both:
    """The outputs of all rows at both servers over one way."""

    def __init__(self, plugin: Rows, ours: Rows) -> None:
        self.plugin = plugin
        self.ours = ours

    @property
    def deaths(self) -> int:
        return self.plugin.client.deaths + self.ours.client.deaths


def names_of(way: str) -> list[str]:
    if "PSREMOTING_ALL_ROWS" in os.environ:
        return NAMES
    return [each for each in NAMES if each not in QUIET] if way == "negotiate" else EVERY_WAY


@pytest.fixture(scope="module")
def found(
    kdc: Kdc | None,
    wsman_server: WSManServer,
    pwsh: str,
    tmp_path_factory: pytest.TempPathFactory,
    record_testsuite_property: pytest.RecordProperty,
) -> Iterator[dict[str, Both]]:
    """The outputs found so far for each way; see `both`."""
    folder: Path = tmp_path_factory.mktemp("rows")
    keytab = str(kdc.keytab) if kdc is not None and _has_gssapi() else ""
    environment = {"KRB5_CONFIG": str(kdc.config)} if kdc is not None else {}
    program = ("--process", f"{pwsh} -s -NoLogo -NoProfile")
    with serving(folder, *program, keytab=keytab, environment=environment) as endpoint:
        here = WSManServer(endpoint.http, endpoint.https, kdc if keytab else None)
        made = {
            way: Both(
                Rows(NativeClient(folder, wsman_server), wsman_server, way, folder / "plugin"),
                Rows(NativeClient(folder, here), here, way, folder / "ours"),
            )
            for way in WAYS
        }
        yield made
    deaths = sum(each.deaths for each in made.values())
    record_testsuite_property("native client deaths in rows", deaths)


def both(found: dict[str, Both], way: str) -> Both:
    """Return the outputs over this way; the first call runs all its rows."""
    made = found[way]
    if way == "kerberos" and (made.ours.server.kdc is None or made.plugin.server.kdc is None):
        pytest.skip("no Kerberos here")
    for rows in (made.plugin, made.ours):
        if not rows.found:
            rows.run(names_of(way))
    return made


def plain(text: str) -> str:
    """Replace ids and new names, which differ in each run."""
    text = re.sub(r"\b[0-9a-f]{6,8}(…[0-9a-f]|-[0-9a-f]{4})[0-9a-f-]+", "ID", text)
    return re.sub(r"(?m)^(RunspaceId +: ).*", r"\1ID", text)


@pytest.mark.parametrize(("way", "name"), [(way, name) for way in WAYS for name in names_of(way)])
def test_a_row_is_the_same_at_both_servers(found: dict[str, Both], way: str, name: str) -> None:
    made = both(found, way)
    assert name in made.ours.found
    if name in ACCEPTED and not (name == "NoEncryption" and way == "https"):
        assert made.ours.found[name] == ACCEPTED[name]
        return
    assert plain(made.ours.found[name]) == plain(made.plugin.found[name])
    assert "died" not in made.ours.found[name]
