"""`psrp replay`: play one side of a recording. `psrp diff`: compare two recordings."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import click
import trio

from psremoting.capture.source import CaptureError
from psremoting.cli.connecting import Connecting, connection_options
from psremoting.cli.decode_keys import key_options, keys_of
from psremoting.cli.replay_serving import CannotReplay, serve_replay
from psremoting.cli.shell_completion import complete_file
from psremoting.errors import PSRemotingError
from psremoting.powershell.error_view import error_text
from psremoting.powershell.sanitizer import visible
from psremoting.replay import IgnoreRules, Script, compare_scripts, play_client, read_scripts
from psremoting.replay.comparing import RULES
from psrp.sansio import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.replay import Deviation

__all__ = ["diff", "replay"]

_RULE_LINES = "\n".join(f"  {name:<10} {text}" for name, text in RULES.items())
_IGNORE = click.option(
    "--ignore", multiple=True, metavar="RULE",
    help="Ignore only differences of this kind (default: all kinds below; none for no kind), or "
    "path:PATTERN for members of the decoded body. Repeatable.",
)  # fmt: skip
_EPILOG = f"""\b
Examples:
  psrp replay session.jsonl --as-server --stdio
  psrp replay session.jsonl --as-server --unix /tmp/replay.sock --fast
  psrp replay winrm.pcapng --password 'P@ss1' --as-server --http 5985 --accounts accounts
  psrp replay session.jsonl --as-client me@server
  psrp replay session.jsonl --as-client 'process:pwsh -s -NoLogo -NoProfile' --fast

\b
Kinds of --ignore:
{_RULE_LINES}

\b
Exit codes:
  0  the peer did as in the recording
  1  it did not; each deviation was shown with both sides
  2  the recording cannot be read, the server not be reached, or the command line is wrong
"""
_DIFF_EPILOG = f"""\b
Examples:
  psrp diff monday.jsonl tuesday.jsonl
  psrp diff --ignore ids --ignore times --ignore path:PSHostInfo* a.jsonl b.pcapng

\b
Kinds of --ignore:
{_RULE_LINES}

\b
Exit codes:
  0  both mean the same
  1  they differ
  2  a recording cannot be read
"""


@click.command(epilog=_EPILOG)
@click.argument("file", shell_complete=complete_file)
@click.option("--as-server", is_flag=True, help="Answer a client as the recorded server did.")
@click.option("--as-client", metavar="TARGET", help="Play the recorded client against TARGET.")
@click.option("--stdio", is_flag=True, help="As server: serve one client on stdin and stdout.")
@click.option("--unix", metavar="PATH", help="As server: serve on a unix socket.")
@click.option("--http", metavar="[HOST:]PORT", help="As server: serve WS-Man over HTTP.")
@click.option(
    "--accounts", metavar="FILE", shell_complete=complete_file,
    help="As server with --http: accept the accounts in FILE; see psrp account.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="As server: serve until stopped, not each session once.")
@click.option(
    "--session", type=click.IntRange(min=1), metavar="N",
    help="Play only session N of the recording (default: all, one after the other).",
)  # fmt: skip
@click.option("--fast", is_flag=True, help="Leave out the recorded waits.")
@click.option(
    "--patience", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True,
    metavar="S", help="As client: wait this long for a message of the server.",
)  # fmt: skip
@_IGNORE
@key_options
@connection_options
def replay(connecting: Connecting, file: str, ignore: tuple[str, ...], **given: Any) -> None:
    """Play one side of the recording FILE, and compare what the other side does.

    As server, any client runs the recorded session: each of its pipelines is answered with the
    recorded one that means the same, else with the next one. As client, the recorded client's
    messages are sent when the server has answered as far as in the recording. If the recording has
    several sessions, each client gets the next one, and as client they are played one after the
    other.

    Ids are mapped and keys exchanged anew. Deviations are shown on standard error as they occur,
    and the last line is the verdict. FILE is anything that psrp decode reads; the key options are
    those of psrp decode. A recording of one carrier can be replayed over another one.
    """
    rules = _rules(ignore)
    server, target = given.pop("as_server"), given.pop("as_client")
    if server == (target is not None):
        raise click.UsageError("expected one of --as-server and --as-client TARGET")
    scripts = _scripts(file, given, "replay")
    if (session := given.pop("session")) is not None:
        if session > len(scripts):
            raise click.UsageError(f"--session: the recording has {len(scripts)}, got {session}")
        scripts = [scripts[session - 1]]
    if not server:
        assert target is not None
        sys.exit(_as_client(scripts, target, connecting, rules, given))
    ways = [given["stdio"], given["unix"] is not None, given["http"] is not None]
    if sum(ways) != 1:
        raise click.UsageError("--as-server: expected one of --stdio, --unix PATH and --http PORT")
    try:
        engine = serve_replay(scripts, rules, report=_report, **_server_options(given))
    except CannotReplay as error:
        raise click.UsageError(str(error)) from None
    sys.exit(_verdict(len(engine.deviations), engine.matched, "client"))


def _server_options(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("unix", "http", "accounts", "keep", "fast")}


def _as_client(
    scripts: list[Script],
    target: str,
    connecting: Connecting,
    rules: IgnoreRules,
    given: dict[str, Any],
) -> int:
    """Play the sessions one after the other; return the exit code."""
    deviations = matched = 0
    for number, script in enumerate(scripts):
        try:
            with connecting.recorded_session() as options:
                play = partial(
                    play_client,
                    script,
                    connecting.target(target),
                    options=options,
                    fast=given["fast"],
                    patience=given["patience"],
                )
                played = trio.run(play)
        except PSRemotingError as error:
            click.echo(error_text(error.to_record("psrp replay"), "normal"), err=True)
            return 2
        except KeyboardInterrupt:
            return 130
        for note in played.notes:
            click.echo(f"note: {visible(note)}", err=True)
        found = list(compare_scripts(script, played.script, rules, senders=(Side.SERVER,)))
        for deviation in found:
            _report(replace(deviation, session=number) if len(scripts) > 1 else deviation)
        received = sum(step.sender is Side.SERVER for _, step in played.script.order)
        deviations += len(found)
        matched += received - sum(each.kind != "missing" for each in found)
    return _verdict(deviations, matched, "server")


def _report(deviation: Deviation) -> None:
    for line in _lines(deviation, ("recorded", "got")):
        click.echo(line, err=True)


def _lines(deviation: Deviation, sides: tuple[str, str]) -> Iterator[str]:
    for line in deviation.lines(sides):
        text = line.lstrip()
        yield line[: len(line) - len(text)] + visible(text)


def _verdict(deviations: int, matched: int, peer: str) -> int:
    messages = f"{matched} message{'s' * (matched != 1)} of the {peer} as recorded"
    if deviations:
        text = f"verdict: {deviations} deviation{'s' * (deviations != 1)}, {messages}"
    else:
        text = f"verdict: no deviations, {messages}"
    click.echo(text, err=True)
    return 1 if deviations else 0


def _rules(texts: tuple[str, ...]) -> IgnoreRules:
    try:
        return IgnoreRules.parse(texts)
    except ValueError as error:
        raise click.UsageError(f"--ignore: {error}") from None


def _scripts(file: str, given: dict[str, Any], command: str) -> list[Script]:
    keys = keys_of(given)
    try:
        scripts = read_scripts(file, keys.ring(), keys.secrets((file,)))
    except CaptureError as error:
        click.echo(f"psrp {command}: {error}", err=True)
        sys.exit(2)
    return scripts


@click.command(epilog=_DIFF_EPILOG)
@click.argument("first", metavar="A", shell_complete=complete_file)
@click.argument("second", metavar="B", shell_complete=complete_file)
@_IGNORE
@key_options
def diff(first: str, second: str, ignore: tuple[str, ...], **given: Any) -> None:
    """Compare the recordings A and B by meaning.

    Sessions and pipelines are paired in the order in which they began; the messages of each side of
    a pipeline, and of the pool, are compared by type and decoded body. A and B may be of different
    forms and carriers. Acknowledgements, the negotiation of versions and keys, and the closing of
    pipelines and sessions are not compared.
    """
    rules = _rules(ignore)
    both = [_scripts(file, dict(given), "diff") for file in (first, second)]
    several = max(map(len, both)) > 1
    found = [
        replace(deviation, session=number) if several else deviation
        for number, (one, two) in enumerate(zip_longest(*both, fillvalue=Script()))
        for deviation in compare_scripts(one, two, rules)
    ]
    for deviation in found:
        kind = {"missing": "only in A", "extra": "only in B"}.get(deviation.kind, deviation.kind)
        for line in _lines(replace(deviation, kind=kind), ("A", "B")):
            click.echo(line)
    count = len(found)
    click.echo(f"{count} difference{'s' * (count != 1)}" if count else "no differences")
    sys.exit(1 if count else 0)
