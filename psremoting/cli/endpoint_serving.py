"""The work of `psrp endpoint serve` and `psrp endpoint subsystem`."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import trio

from psremoting.administration.configurations import AdministrationError
from psremoting.administration.sockets import find_local_socket
from psremoting.administration.store import Store
from psremoting.cli.systemd_notice import notify_systemd
from psremoting.exception_groups import leaves
from psremoting.os_errors import os_error_text
from psrp.sansio import LocalProtocolError

__all__ = ["run_endpoint", "run_subsystem"]

_CHUNK = 64 << 10
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run_endpoint(store: Store) -> int:
    """Serve until a signal arrives; return the exit code."""
    if not store.is_private:
        _say(f"warning: others can read {store.path}; it should have mode 600")
    try:
        trio.run(_serve, store)
    except BaseExceptionGroup as group:
        first = next(leaves(group))
        if not isinstance(first, (LocalProtocolError, OSError, AdministrationError)):
            raise
        _say(f"Error: {os_error_text(first)}")
        return 1
    except (LocalProtocolError, OSError) as error:
        _say(f"Error: {os_error_text(error)}")
        return 1
    return 0


async def _serve(store: Store) -> None:
    from psremoting.endpoint.administered import AdministeredEndpoint

    stop = trio.Event()
    served = AdministeredEndpoint(store, report=_say)
    ready = False

    def listening(url: str) -> None:
        nonlocal ready
        _say(f"listening on {url}")
        if not ready:
            ready = True
            notify_systemd("READY=1")

    async with trio.open_nursery() as nursery:

        async def wait_for_signal() -> None:
            with trio.open_signal_receiver(*_SIGNALS) as signals:
                async for _ in signals:
                    notify_systemd("STOPPING=1")
                    stop.set()

        nursery.start_soon(wait_for_signal)
        await served.serve(stop=stop, on_listening=listening)
        nursery.cancel_scope.cancel()


def run_subsystem(configuration: str, path: Path | None) -> int:
    """Relay stdin and stdout to the server's socket; return the exit code."""
    found = path or find_local_socket(subsystem=True)
    if found is None:
        _say("Error: the endpoint of this machine is not running")
        return 1
    # SSH_CONNECTION: client's address and port, server's address and port.
    address = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    try:
        return trio.run(_relay, found, f"{configuration}\t{address}\n".encode())
    except OSError as error:
        _say(f"Error: cannot reach the endpoint: {error.strerror or error}")
        return 1


async def _relay(path: Path, preface: bytes) -> int:
    stream = await trio.open_unix_socket(path)
    async with trio.open_nursery() as nursery:

        async def upwards() -> None:
            source = trio.lowlevel.FdStream(os.dup(0))
            # A server that has ended takes nothing more; what it sent is still relayed.
            with suppress(trio.BrokenResourceError):
                await stream.send_all(preface)
                while data := await source.receive_some(_CHUNK):
                    await stream.send_all(data)
                await stream.send_eof()

        nursery.start_soon(upwards)
        sink = trio.lowlevel.FdStream(os.dup(1))
        try:
            while data := await stream.receive_some(_CHUNK):
                await sink.send_all(data)
        except (trio.BrokenResourceError, OSError):
            pass
        nursery.cancel_scope.cancel()
    return 0
