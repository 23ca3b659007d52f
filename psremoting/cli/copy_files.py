"""`psrp copy`: files and directories to a target and back."""

from __future__ import annotations

import glob
import math
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psremoting.cli.connecting import Connecting, connection_options
from psremoting.cli.shell_completion import complete_file

if TYPE_CHECKING:
    from psremoting.cli.display import Display
    from psremoting.targets import Target

__all__ = ["copy"]

_EPILOG = """\b
Examples:
  psrp copy report.txt UserA@LinuxServer01:/srv/reports/
  psrp copy -r UserA@LinuxServer01:/var/log/app logs
  psrp copy setup.exe 'https://server01:C:\\Temp'
  psrp copy --to unix:/run/tools.sock data.csv User:/

\b
Exit codes:
  0    everything was copied
  1    a file could not be copied
  2    nothing was copied: the command line is wrong
  3    the target could not be reached, or the session was lost and could not be opened again
  130  interrupted with Ctrl+C
"""
_REMOTE = re.compile(
    r"(?P<target>https?://[^/:\s]+(?::\d+(?=[:/]))?(?:/[^:]*)?|wsman:[^:/]+(?::\d+(?=:))?"
    r"|(?:[^/:@]+@)?(?:\[[^\]]+\]|[^/:@\[\]]+)(?::\d+(?=:))?):(?P<path>.*)",
    re.DOTALL,
)
_FAILED, _USAGE, _CONNECTION, _INTERRUPTED = 1, 2, 3, 130


@dataclass(frozen=True, slots=True)
class _Plan:
    """The paths of a copy; the target has ``destination`` if ``to_target``, else ``sources``."""

    target: str
    sources: tuple[str, ...]
    destination: str
    to_target: bool


@click.command(epilog=_EPILOG, short_help="Copy files to a target and back.")
@click.argument(
    "words", nargs=-1, required=True, metavar="SRC... TARGET:DST | TARGET:SRC... DST",
    shell_complete=complete_file,
)  # fmt: skip
@click.option("--to", metavar="TARGET", help="Copy to TARGET; all words are then paths.")
@click.option("--from", "origin", metavar="TARGET", help="Copy from TARGET, otherwise as --to.")
@click.option("-r", "--recurse", is_flag=True, help="Copy directories with their contents.")
@click.option("--filter", metavar="PATTERN", default="*", help="Copy files with such names only.")
@click.option("--include", metavar="PATTERN", multiple=True, help="As --filter. Repeatable.")
@click.option("--exclude", metavar="PATTERN", multiple=True, help="Leave such files out.")
@click.option(
    "--retry", type=click.IntRange(0), default=3, show_default=True,
    help="Open the session again so many times when it is lost, and go on where it was.",
)  # fmt: skip
@click.option(
    "--progress/--no-progress", default=None, help="Show a progress bar (default: on a terminal)."
)
@connection_options
def copy(connecting: Connecting, words: tuple[str, ...], **given: Any) -> None:
    """Copy files and directories to a target, or from it.

    TARGET is [user@]host[:port], https://host[:port] or wsman:host; for any other target, such as
    process:COMMAND, use --to or --from. Into a directory that exists, files go under their names.

    A file gets its name when all its bytes have arrived and their SHA-256 is that of the source;
    until then they are in a hidden file beside it, and a copy that broke off goes on there. Times
    are kept, and permission bits where both sides have them. Links to files are followed; links to
    directories, and what is no regular file, are left out with a warning.

    The target has to be a PowerShell with its full language, an endpoint of psrp that offers a
    folder (psrp serve --copy-folder), where paths begin with User:, or a constrained PowerShell
    with a user drive.
    """
    import trio

    from psremoting.cli.display import Display

    plan = _plan(words, given["to"], given["origin"])
    ctx = click.get_current_context()
    display = Display(progress=given["progress"])
    try:
        code = trio.run(partial(_run, connecting, plan, display, given))
    except KeyboardInterrupt:
        code = _INTERRUPTED
    display.finish()
    ctx.exit(code)


def _plan(words: Sequence[str], to: str | None, origin: str | None) -> _Plan:
    """Return what the words mean. Raises click.UsageError."""
    if len(words) < 2:
        raise click.UsageError("expected a source and a destination")
    if to is not None and origin is not None:
        raise click.UsageError("--to and --from are mutually exclusive")
    *sources, destination = words
    if to is not None or origin is not None:
        return _Plan(to or origin or "", tuple(sources), destination, to is not None)
    into = _remote(destination)
    found = [_remote(each) for each in sources]
    remote = [each for each in found if each is not None]
    if into is not None:
        if remote:
            raise click.UsageError("source and destination are both at a target")
        return _Plan(into[0], tuple(sources), into[1], True)
    if not remote:
        raise click.UsageError("neither source nor destination is TARGET:PATH")
    if len(remote) != len(sources) or len({target for target, _ in remote}) > 1:
        raise click.UsageError("expected all sources at one target")
    return _Plan(remote[0][0], tuple(path for _, path in remote), destination, False)


def _remote(word: str) -> tuple[str, str] | None:
    """Return target and path of ``TARGET:PATH``; None for a local path, as for scp."""
    if word.startswith(("/", "./", "../", "~")):
        return None
    found = _REMOTE.fullmatch(word)
    return None if found is None else (found["target"], found["path"] or ".")


async def _run(connecting: Connecting, plan: _Plan, display: Display, given: dict[str, Any]) -> int:
    import trio

    from psremoting.cli.display import Origin
    from psremoting.copying import CopyError, CopyOptions
    from psremoting.errors import PSRemotingError, PSRemotingTransportError

    try:
        target = connecting.target(plan.target)
    except PSRemotingError as error:
        origin = Origin(label=plan.target, computer=plan.target)
        display.failed(origin, error.to_record("psrp copy"))
        return _USAGE
    origin = Origin(label=target.computer, computer=target.computer)
    here = Origin(label=target.computer, computer="")
    failures: list[CopyError] = []

    def failed(error: CopyError) -> None:
        failures.append(error)
        display.error(origin if error.is_remote else here, error.to_record("psrp copy"))

    options = CopyOptions(
        needs_recurse=True,
        force=True,
        **{name: given[name] for name in ("recurse", "filter", "include", "exclude")},
        on_error=failed,
        on_skip=lambda text: display.notice(here, f"WARNING: {text}"),
        on_progress=partial(_show, display, origin, plan, target.computer),
    )
    for attempt in range(given["retry"] + 1):
        opened = False

        def on_open() -> None:
            nonlocal opened
            opened = True

        try:
            await _copy(connecting, target, plan, options, on_open, display, origin)
            break
        except PSRemotingTransportError as error:
            if not opened or attempt == given["retry"]:
                display.failed(origin, error.to_record("psrp copy"))
                return _CONNECTION
            display.notice(origin, f"The session was lost ({error}); opening it again.")
            await trio.sleep(min(2**attempt, 30))
        except PSRemotingError as error:
            is_local = isinstance(error, CopyError) and not error.is_remote
            display.failed(here if is_local else origin, error.to_record("psrp copy"))
            return _FAILED
    return _FAILED if failures else 0


async def _copy(
    connecting: Connecting,
    target: Target,
    plan: _Plan,
    options: Any,
    on_open: Any,
    display: Display,
    origin: Any,
) -> None:
    """Open a session and copy what is not copied yet. Raises PSRemotingError."""
    from psremoting.copying import copy_from, copy_to, files_of
    from psremoting.session import PSSession

    with connecting.recorded_session() as session_options:
        async with PSSession.connect(
            target, options=session_options, on_notice=partial(display.notice, origin)
        ) as session:
            on_open()
            files = await files_of(session)
            if plan.to_target:
                await copy_to(files, _local(plan.sources), plan.destination, options)
            else:
                await copy_from(files, plan.sources, Path(plan.destination), options)


def _local(words: Sequence[str]) -> list[Path]:
    """Return the local sources. The shell expands wildcards; on its own it leaves them."""
    found: list[Path] = []
    for word in words:
        paths = [word] if os.path.exists(word) else sorted(glob.glob(word)) or [word]
        found += [Path(each).expanduser() for each in paths]
    return found


def _show(
    display: Display, origin: Any, plan: _Plan, computer: str, name: str, done: int, size: int
) -> None:
    from psremoting.client.streams import StreamKind
    from psrp.records import ProgressRecord, ProgressType

    ends = ("localhost", computer) if plan.to_target else (computer, "localhost")
    over = done >= size
    record = ProgressRecord(
        activity=f"Copying {name}",
        activity_id=0,
        status=f"From {ends[0]} to {ends[1]}, {done / 2**20:.1f} of {size / 2**20:.1f} MiB",
        percent_complete=100 if over else math.floor(done * 100 / size),
        type=ProgressType.Completed if over else ProgressType.Processing,
    )
    display.record(origin, StreamKind.PROGRESS, record)
    sys.stderr.flush()
