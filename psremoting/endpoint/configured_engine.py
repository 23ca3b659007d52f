"""The engine that serves a session configuration to one user."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from psremoting.administration.configurations import (
    AdministrationError,
    ConnectedUser,
    EngineKind,
    SessionConfiguration,
)

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Engine

__all__ = ["engine_for"]


def engine_for(
    configuration: SessionConfiguration, user: ConnectedUser, *, reconnects: bool = False
) -> Engine:
    """Return the engine of ``configuration`` for the session of ``user``.

    ``reconnects``: the carrier lets clients disconnect and connect. Raises AdministrationError.
    """
    if configuration.kind is EngineKind.PROCESS:
        from psremoting.endpoint.process import ProcessEngine

        command = shlex.split(configuration.source)
        if not command:
            raise AdministrationError(f"{configuration.name}: the command line is empty")
        return ProcessEngine(command, reconnects=reconnects)
    from psremoting.endpoint.functions import FunctionsEngine

    return FunctionsEngine(_functions(configuration))


def _functions(configuration: SessionConfiguration) -> Mapping[str, Callable[..., Any]]:
    """Return the functions of ``MODULE:NAME``: a mapping, or a callable that returns one."""
    module, _, name = configuration.source.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not isinstance(found, Mapping) and callable(found):
            found = found()
    except Exception as error:
        # The module's own code may raise anything.
        raise AdministrationError(
            f"{configuration.name}: cannot load {configuration.source}: "
            f"{type(error).__name__}: {error}"
        ) from None
    if not isinstance(found, Mapping):
        raise AdministrationError(
            f"{configuration.name}: {configuration.source} is no mapping of commands to functions"
        )
    return found
