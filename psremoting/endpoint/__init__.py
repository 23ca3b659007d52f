"""The server side: engines that answer clients, and the drivers that bring clients to them."""

from __future__ import annotations

from psremoting.endpoint.context import Context
from psremoting.endpoint.engine import Engine, Link, Session
from psremoting.endpoint.failures import CommandError
from psremoting.endpoint.functions import FunctionsEngine
from psremoting.endpoint.parameters import FROM_PIPELINE, Input, Param
from psremoting.endpoint.threads import SyncContext

__all__ = [
    "FROM_PIPELINE",
    "CommandError",
    "Context",
    "Engine",
    "FunctionsEngine",
    "Input",
    "Link",
    "Param",
    "Session",
    "SyncContext",
]
