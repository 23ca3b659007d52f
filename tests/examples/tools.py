"""Commands for people on other machines: `psrp serve --functions tests.examples.tools:commands`."""

import os
from typing import Literal

from psremoting.endpoint import Context


def get_load(minutes: Literal[1, 5, 15] = 1) -> float:
    """Gets the load of this machine."""
    return os.getloadavg()[{1: 0, 5: 1, 15: 2}[minutes]]


async def restart_service(context: Context, name: str, *, force: bool = False) -> str:
    """Restarts a service after asking; this example only reports it."""
    if not force and await context.choose("Restart", f"Restart {name}?", ["&Yes", "&No"]) == 1:
        return "nothing done"
    return f"{name} has been restarted"


commands = {"Get-Load": get_load, "Restart-Service": restart_service}
