"""The entry point of the program `psrp`."""

from __future__ import annotations

import signal
import sys
from types import FrameType

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run `psremoting.cli.main`.

    The command lines that sshd runs for every client skip option parsing to start faster.
    """
    functions: str | None = None
    match sys.argv[1:]:
        case ["serve", "--stdio"]:
            pass
        case ["serve", "--stdio", "--functions", str(functions)]:
            pass
        case _:
            _run_program()
            return
    from psremoting.cli.serve_streams import CannotServe, run

    try:
        sys.exit(run(functions=functions))
    except CannotServe as error:
        sys.exit(f"Error: {error}")


def _run_program() -> None:
    """Run the program; Ctrl+C during loading exits with 130 and no traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quit)
        from psremoting.cli.main import main as program

        signal.signal(signal.SIGINT, signal.default_int_handler)
    else:
        from psremoting.cli.main import main as program
    program()


def _quit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(_INTERRUPTED)
