"""What the endpoint says about itself: APPLICATION_PRIVATE_DATA. [MS-PSRP] 2.2.2.13

PSVersion is what clients decide by. 5.1 is the lowest that makes them use all present forms
(``$using:`` values as a table), and promises none of the commands of a debugger that come with 7.
See spec-notes/endpoint.md.
"""

from __future__ import annotations

import os
import platform
from typing import Any

from psremoting import __version__
from psrp.clixml import List, Version

__all__ = ["PS_VERSION", "application_private_data"]

PS_VERSION = "5.1"
_COMPATIBLE = ("1.0", "2.0", "3.0", "4.0", "5.0", "5.1")


def application_private_data(protocol_version: str) -> dict[str, Any]:
    """The private data of a pool that speaks ``protocol_version``."""
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
