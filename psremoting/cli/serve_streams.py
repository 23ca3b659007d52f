"""The work of `psrp serve`, without option parsing.

sshd starts the program for every client, and loading the option parser takes 50 ms.
"""

from __future__ import annotations

import gc
import os
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psremoting.capture.recorder import Recorder
    from psremoting.cli.recording import RecordTo
    from psremoting.endpoint.engine import Engine
    from sshsub.trio_stream import Wire

__all__ = ["CannotServe", "engine_of", "open_log", "run"]


_INTERRUPTED = 130
_FIRST_ANSWER_DELAY = 0.01
"""Seconds between the first bytes of a socket's client and our answer. PowerShell's client breaks
its session if the answer arrives before it has started to read: spec-notes/endpoint.md."""


class CannotServe(Exception):
    """The functions cannot be loaded, or the socket cannot be made."""


def run(
    unix: str | None = None,
    functions: str | None = None,
    process: str | None = None,
    log_fd: int | None = None,
    record: RecordTo | None = None,
    configuration_file: str | None = None,
    copy_folder: str | None = None,
) -> int:
    """Serve stdin and stdout, or a socket; return the exit code (130: Ctrl+C). Raises CannotServe.

    ``log_fd`` is the result of `open_log`. On stdio the client also gets a startup error.
    """
    # Objects created during startup live as long as the process.
    gc.disable()
    failed = False
    try:
        engine = engine_of(
            functions, process, configuration_file=configuration_file, copy_folder=copy_folder
        )
    except CannotServe as error:
        if unix is not None:
            raise
        from psremoting.endpoint.functions import FunctionsEngine

        failed = True
        print(f"Error: {error}", file=sys.stderr, flush=True)
        engine = FunctionsEngine({}, refusal=f"The endpoint could not be started: {error}")
    code = _INTERRUPTED
    try:
        if unix is None:
            code = _serve_stdio(engine, log_fd, record)
        else:
            code = _serve_unix(engine, unix, record)
    except* KeyboardInterrupt:
        # No traceback after Ctrl+C; trio wraps the exception in a group.
        pass
    return 1 if failed else code


def open_log(path: str) -> int:
    """Append stderr, tracebacks and printed output to a file that only its owner can read.

    Returns its descriptor. Raises CannotServe.
    """
    import logging

    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        from psremoting.os_errors import os_error_text

        raise CannotServe(f"cannot open the log {os_error_text(error)}") from None
    os.dup2(fd, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return fd


def engine_of(
    functions: str | None,
    process: str | None,
    *,
    reconnects: bool = False,
    configuration_file: str | None = None,
    copy_folder: str | None = None,
) -> Engine:
    """Return the engine for ``functions`` or ``process``, as a `.pssc` file shows it, with the
    commands for copying where there is a folder. Raises CannotServe."""
    try:
        if configuration_file is not None or copy_folder is not None:
            return _configured(functions, process, configuration_file, copy_folder)
        return _engine(functions, process, reconnects=reconnects)
    except Exception as error:
        # The loaded module may raise any exception.
        if not isinstance(error, (ImportError, AttributeError, TypeError, ValueError)):
            import logging

            logging.getLogger("psremoting.endpoint").exception("the functions cannot be loaded")
            raise CannotServe(f"{type(error).__name__}: {error}") from None
        raise CannotServe(str(error)) from None


def _engine(functions: str | None, process: str | None, *, reconnects: bool) -> Engine:
    if process is not None:
        command = shlex.split(process)
        if not command:
            raise ValueError("--process needs a command line")
        from psremoting.endpoint.process import ProcessEngine

        return ProcessEngine(command, reconnects=reconnects)
    from psremoting.endpoint.functions import FunctionsEngine

    if functions is None:
        from psremoting.endpoint.demo import DEMO

        return FunctionsEngine(DEMO)
    return FunctionsEngine(_load(functions))


def _configured(
    functions: str | None, process: str | None, path: str | None, copy_folder: str | None
) -> Engine:
    """Return the engine of a configuration for the user who runs this program."""
    import getpass
    import grp

    from psremoting.administration.configurations import (
        AdministrationError,
        ConnectedUser,
        EngineKind,
        SessionConfiguration,
    )
    from psremoting.endpoint.configured_engine import engine_for

    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    kind = EngineKind.FUNCTIONS if process is None else EngineKind.PROCESS
    configuration = SessionConfiguration(
        name=os.path.basename(path or "configuration").removesuffix(".pssc"),
        kind=kind,
        source=process or functions or "psremoting.endpoint.demo:DEMO",
        path="" if path is None else os.path.abspath(path),
        copy_folder="" if copy_folder is None else os.path.abspath(copy_folder),
    )
    user = getpass.getuser()
    groups: set[str] = set()
    for number in {os.getegid(), *os.getgroups()}:
        try:
            groups.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    connected = ConnectedUser(name=user, local_user=user, groups=frozenset(groups))
    try:
        return engine_for(configuration, connected)
    except AdministrationError as error:
        raise ValueError(str(error)) from None


def _load(where: str) -> Mapping[str, Callable[..., Any]]:
    """Return the functions of ``module:name``. Raises ValueError, TypeError, ImportError."""
    module, _, name = where.partition(":")
    if not module or not name:
        raise ValueError(f"{where!r} is not of the form module:name")
    # Appended after installed modules: under sshd the client may be able to write to this folder.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not isinstance(found, Mapping) and callable(found):
        found = found()
    if not isinstance(found, Mapping):
        raise TypeError(f"{where} is no mapping of command names to functions")
    return found


def opened_record(record: RecordTo | None) -> Recorder | None:
    """Begin a recording, if there is to be one. Raises CannotServe."""
    if record is None:
        return None
    from psremoting.errors import PSRemotingError

    try:
        return record.open()
    except PSRemotingError as error:
        raise CannotServe(str(error)) from None


def _serve_stdio(engine: Engine, log_fd: int | None, record: RecordTo | None) -> int:
    from psremoting.endpoint.functions import FunctionsEngine
    from psremoting.endpoint.outofproc_server import OutOfProcServer
    from sshsub.descriptors import isolate_stdio

    recorder = opened_record(record)
    descriptors = isolate_stdio(output=log_fd)
    server = OutOfProcServer(engine)
    over = False
    # The first packets are answered without a wire, which a recording needs.
    if isinstance(engine, FunctionsEngine) and recorder is None:
        from psremoting.endpoint.opening import answer_opening

        over = answer_opening(server, *descriptors)
    import trio

    from psremoting.endpoint.driver import serve_outofproc
    from sshsub.trio_server import serve_stdio

    if isinstance(engine, FunctionsEngine):
        engine.prepare()
    gc.freeze()
    gc.enable()
    one: Callable[[Wire], Awaitable[int]] = partial(serve_outofproc, server=server, over=over)
    serve = partial(serve_stdio, _recorded(one, recorder), descriptors)
    try:
        return trio.run(_until_signal, serve)
    finally:
        from psremoting.endpoint.children import end_children

        end_children()


def _recorded(
    serve: Callable[[Wire], Awaitable[int]], recorder: Recorder | None
) -> Callable[[Wire], Awaitable[int]]:
    """Return ``serve`` with a recording of its client."""
    if recorder is None:
        return serve

    async def recorded(wire: Wire) -> int:
        from psremoting.cli.recording import report_incomplete

        tapped = recorder.wire(wire, server=True)
        try:
            return await serve(tapped)
        finally:
            tapped.end()
            report_incomplete(recorder)

    return recorded


async def _until_signal(serve: Callable[[], Awaitable[int]]) -> int:
    """Run ``serve``; SIGTERM and SIGHUP end it cleanly with the exit code 128 + signal."""
    import trio

    code = 0
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                nonlocal code
                async for number in signals:
                    code = 128 + number
                    nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            code = await serve()
            nursery.cancel_scope.cancel()
    return code


def _serve_unix(engine: Engine, path: str, record: RecordTo | None) -> int:
    import trio

    from psremoting.endpoint.driver import serve_wire

    gc.freeze()
    gc.enable()
    serve = partial(serve_wire, engine=engine, first_answer_delay=_FIRST_ANSWER_DELAY)

    async def one(wire: Wire) -> int:
        return await _recorded(serve, opened_record(record))(wire)

    failed = trio.run(_serve_socket, path, one)
    if failed is not None:
        raise CannotServe(failed)
    return 0


def _report(error: Exception) -> None:
    """Print the error of one client; the other clients are not affected."""
    import traceback

    traceback.print_exception(error, file=sys.stderr)


async def _serve_socket(path: str, one: Callable[[Wire], Awaitable[int]]) -> str | None:
    """Serve until a signal arrives; return the reason of a failure, or None."""
    import trio

    from psrp.sansio import LocalProtocolError
    from sshsub.trio_server import serve_unix

    failed: str | None = None
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            try:
                await serve_unix(path, one, on_error=_report)
            except (OSError, LocalProtocolError) as error:
                from psremoting.os_errors import os_error_text

                failed = os_error_text(error, f"cannot listen on {path}")
            nursery.cancel_scope.cancel()
    return failed
