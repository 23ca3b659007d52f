"""The endpoint's description of itself: APPLICATION_PRIVATE_DATA. [MS-PSRP] 2.2.2.13

Clients decide by PSVersion. 5.1 is the lowest version that makes them use all current forms
(``$using:`` values as a table), and it promises none of the debugger commands of version 7.
See spec-notes/endpoint.md.
"""

from __future__ import annotations

import os
import platform
from typing import Any

from psremoting.version import __version__
from psrp.clixml import List, Version

__all__ = ["PS_VERSION", "application_private_data"]

PS_VERSION = "5.1"
_COMPATIBLE = ("1.0", "2.0", "3.0", "4.0", "5.0", "5.1")


def application_private_data(protocol_version: str) -> dict[str, Any]:
    """Return the private data of a pool with the negotiated ``protocol_version``."""
    table: dict[str, Any] = {
        "PSVersion": Version(PS_VERSION),
        "PSEdition": "Core",
        "PSCompatibleVersions": List(
            [Version(each) for each in _COMPATIBLE],
            ("System.Version[]", "System.Array", "System.Object"),
        ),
        "PSRemotingProtocolVersion": Version(protocol_version),
        "SerializationVersion": Version("1.1.0.1"),
        "WSManStackVersion": Version("3.0"),
        "PSSemanticVersion": f"{PS_VERSION}.0",
        "OS": f"{platform.system()} {platform.release()}",
        "Platform": "Win32NT" if os.name == "nt" else "Unix",
        "Implementation": "psremoting",
        "ImplementationVersion": __version__,
    }
    return {"PSVersionTable": table}
