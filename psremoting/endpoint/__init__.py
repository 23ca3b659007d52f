"""The endpoint: engines that answer clients, and the drivers between clients and engines.

Names are imported on first use: describing commands needs no event loop.
"""

from __future__ import annotations

# Importing typing would take longer than everything else here; type checkers know this name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from psremoting.endpoint.context import Context
    from psremoting.endpoint.engine import Engine, Link, Session
    from psremoting.endpoint.error_records import CommandError
    from psremoting.endpoint.functions import FunctionsEngine
    from psremoting.endpoint.signatures import FROM_PIPELINE, Input, Param
    from psremoting.endpoint.sync_context import SyncContext

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

_FROM = {
    "context": "Context",
    "engine": "Engine Link Session",
    "error_records": "CommandError",
    "functions": "FunctionsEngine",
    "signatures": "FROM_PIPELINE Input Param",
    "sync_context": "SyncContext",
}
_WHERE = {name: module for module, names in _FROM.items() for name in names.split()}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _WHERE:
            raise AttributeError(f"module 'psremoting.endpoint' has no attribute {name!r}")
        found = getattr(import_module(f"psremoting.endpoint.{_WHERE[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_WHERE})
