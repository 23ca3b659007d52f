"""The work of `psrp serve --http` and `--https`, without option parsing."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio

from psremoting.cli.recording import RecordTo, report_incomplete
from psremoting.cli.serve_streams import CannotServe, engine_of, opened_record
from psremoting.endpoint.wsman_endpoint import EndpointSettings, serve_wsman
from psremoting.endpoint.wsman_host import DEFAULT_CONFIGURATION
from psremoting.exception_groups import leaves
from psremoting.os_errors import os_error_text
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Engine

__all__ = ["configurations_of", "run_wsman"]

_KINDS = ("functions", "process")


def configurations_of(
    functions: str | None, process: str | None, named: Sequence[str]
) -> Mapping[str, Engine]:
    """Return the engines by configuration name. Raises CannotServe.

    ``functions`` or ``process`` is the default configuration; ``named`` are texts like
    ``NAME=functions:MODULE:NAME`` and ``NAME=process:COMMAND``.
    """
    found: dict[str, Engine] = {}
    for each in named:
        name, _, rest = each.partition("=")
        kind, _, what = rest.partition(":")
        if not name or kind not in _KINDS or not what:
            raise CannotServe(
                f"expected NAME=functions:MODULE:NAME or NAME=process:COMMAND, got {each!r}"
            )
        found[name] = engine_of(
            what if kind == "functions" else None,
            what if kind == "process" else None,
            reconnects=True,
        )
    if functions is not None or process is not None or not found:
        found.setdefault(DEFAULT_CONFIGURATION, engine_of(functions, process, reconnects=True))
    return found


def run_wsman(
    settings: EndpointSettings,
    configurations: Mapping[str, Engine],
    record: RecordTo | None = None,
) -> int:
    """Serve until a signal arrives; return the exit code. Raises CannotServe."""
    recorder = opened_record(record)
    serve = partial(
        serve_wsman,
        settings,
        configurations,
        on_listening=lambda url: _say(f"listening on {url}"),
        report=_say,
        tap=recorder.exchanges if recorder is not None else None,
    )
    # Modules and commands live as long as the server: keep them out of each garbage collection.
    gc.collect()
    gc.freeze()
    try:
        trio.run(serve)
    except BaseExceptionGroup as group:
        # Two listeners may fail at once; the first reason is enough.
        first = next(leaves(group))
        if not isinstance(first, (LocalProtocolError, OSError)):
            raise
        raise CannotServe(os_error_text(first)) from None
    except (LocalProtocolError, OSError) as error:
        raise CannotServe(os_error_text(error)) from None
    finally:
        if recorder is not None:
            report_incomplete(recorder)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
