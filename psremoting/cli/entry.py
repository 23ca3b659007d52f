"""Where the program `psrp` begins."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """`psremoting.cli.main`, but for the command lines that sshd runs for every client: those
    go straight to the endpoint, without what reads options."""
    functions: str | None = None
    match sys.argv[1:]:
        case ["serve", "--stdio"]:
            pass
        case ["serve", "--stdio", "--functions", str(functions)]:
            pass
        case _:
            from psremoting.cli.main import main as program

            program()
            return
    from psremoting.cli.serving import CannotServe, run

    try:
        sys.exit(run(functions=functions))
    except CannotServe as error:
        sys.exit(f"Error: {error}")
