"""The connection options of all commands that open sessions.

The names are PowerShell's parameters in kebab-case, and ssh's short options. Times are seconds,
except ``--connecting-timeout``, which is milliseconds as in PowerShell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from psremoting.cli.recording import RECORD_OPTIONS, RecordTo, report_incomplete, take_record
from psremoting.cli.shell_completion import complete_file
from psremoting.cli.spelling import hashtable
from psremoting.cli.wsman_options import WSMAN_OPTIONS, WSManOptions, take_options

if TYPE_CHECKING:
    from psremoting.options import SessionOption
    from psremoting.targets import SSHTarget, Target

__all__ = ["Connecting", "connection_options", "named_value", "named_values"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """The values of the options of `connection_options`."""

    ssh: SSHTarget
    session: SessionOption
    wsman: WSManOptions
    configuration_name: str | None = None
    container_program: str = ""
    run_as_administrator: bool = False
    record: RecordTo | None = None

    @contextmanager
    def recorded_session(self) -> Iterator[SessionOption]:
        """Return the options of one session, which is recorded if asked for.

        Raises PSRemotingError.
        """
        if self.record is None:
            yield self.session
            return
        recorder = self.record.open()
        try:
            yield replace(self.session, recorder=recorder)
        finally:
            report_incomplete(recorder)

    def target(self, text: str) -> Target:
        """Return the target that a word on the command line names. Raises PSRemotingError."""
        from psremoting.errors import PSRemotingError
        from psremoting.targets import ContainerTarget, WSManTarget, parse_target

        made = parse_target(text, self.ssh)
        if isinstance(made, WSManTarget):
            return self.wsman.complete(
                made,
                user_name=self.ssh.user_name,
                port=self.ssh.port,
                configuration_name=self.configuration_name,
            )
        if isinstance(made, ContainerTarget):
            return replace(
                made,
                program=self.container_program,
                run_as_administrator=self.run_as_administrator,
                configuration_name=self.configuration_name or "",
            )
        if self.configuration_name is not None:
            raise PSRemotingError(
                f"{text}: a session configuration is chosen over WS-Man; over ssh the subsystem "
                "chooses it (--subsystem), and a local command its own options.",
                error_id="AmbiguousParameterSet",
            )
        return made


def named_value(text: str, *, option: str) -> tuple[str, str]:
    """Split ``NAME=VALUE``. Raises click.BadParameter."""
    name, equals, value = text.partition("=")
    if not (equals and name):
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
    return name, value


def named_values(texts: tuple[str, ...], *, option: str) -> dict[str, str]:
    """Split ``NAME=VALUE`` texts or hashtables; the last value of a name is used."""
    pairs = [
        pair for text in texts for pair in (hashtable(text) if text.startswith("@{") else [text])
    ]
    return dict(named_value(pair, option=option) for pair in pairs)


_OPTIONS = (
    click.option("-l", "--user-name", metavar="USER", help="Log in as USER."),
    click.option(
        "-p", "--port", type=click.IntRange(0, 65535), default=0,
        help="Connect to this port (default: that of the transport).",
    ),
    click.option(
        "-i", "--key-file-path", metavar="FILE", shell_complete=complete_file,
        help="Use the private key in FILE for ssh.",
    ),
    click.option(
        "--subsystem", metavar="NAME", help="Use this ssh subsystem (default: powershell)."
    ),
    click.option(
        "-o", "--options", "ssh_options", metavar="NAME=VALUE", multiple=True,
        help="Pass an option to ssh -o, such as StrictHostKeyChecking=accept-new. Repeatable.",
    ),
    click.option(
        "-J", "jump", metavar="HOST", help="Connect through HOST, as ssh -J does."
    ),
    click.option(
        "-F", "config_file", metavar="FILE", shell_complete=complete_file,
        help="Use FILE as the configuration file of ssh.",
    ),
    click.option(
        "--connecting-timeout", type=int, metavar="MS",
        help="Timeout for the first packet from the server in milliseconds (default: none).",
    ),
    click.option(
        "--container-program", metavar="PROGRAM",
        help="Use PROGRAM for container:ID (default: docker, podman or nerdctl).",
    ),
    click.option(
        "--run-as-administrator", is_flag=True, help="Run as user 0 in the container."
    ),
    click.option(
        "--configuration-name", metavar="NAME",
        help="Open this session configuration (WS-Man and containers only).",
    ),
    click.option(
        "--open-timeout", type=float, metavar="S",
        help="Opening timeout in seconds (default: 180).",
    ),
    click.option(
        "--operation-timeout", type=float, metavar="S",
        help="Response timeout in seconds (default: 180).",
    ),
    click.option(
        "--cancel-timeout", type=float, metavar="S",
        help="Stopping timeout in seconds (default: 60).",
    ),
    click.option(
        "--close-timeout", type=float, metavar="S",
        help="Closing timeout in seconds (default: 60).",
    ),
)  # fmt: skip
_TIMES = ("open_timeout", "operation_timeout", "cancel_timeout", "close_timeout")


def connection_options(command: F) -> F:
    """Add these options to a command, which receives them as ``connecting``."""

    def gather(**given: Any) -> Any:
        return command(connecting=_connecting(given), **given)

    gather.__name__ = command.__name__
    gather.__doc__ = command.__doc__
    gather.__click_params__ = list(getattr(command, "__click_params__", ()))  # type: ignore[attr-defined]
    made: Any = gather
    for option in reversed(_OPTIONS + WSMAN_OPTIONS + RECORD_OPTIONS):
        made = option(made)
    return made  # type: ignore[no-any-return]


def _ssh_options(given: dict[str, Any]) -> dict[str, str]:
    options = named_values(given.pop("ssh_options"), option="--options")
    jump = given.pop("jump")
    return options if jump is None else {"ProxyJump": jump, **options}


def _connecting(given: dict[str, Any]) -> Connecting:
    # Imported late: help and completion do not need them.
    from psremoting.options import SessionOption
    from psremoting.targets import SSHTarget

    milliseconds = given.pop("connecting_timeout")
    limit = math.inf if milliseconds is None or milliseconds < 0 else milliseconds / 1000
    ssh = SSHTarget(
        host_name="",
        user_name=given.pop("user_name") or "",
        port=given.pop("port"),
        key_file_path=given.pop("key_file_path") or "",
        subsystem=given.pop("subsystem") or "powershell",
        options=_ssh_options(given),
        config_file=given.pop("config_file") or "",
        connecting_timeout=limit,
    )
    times = {name: given.pop(name) for name in _TIMES}
    wsman, switches = take_options(given)
    try:
        session = SessionOption(**{n: t for n, t in times.items() if t is not None}, **switches)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return Connecting(
        ssh=ssh,
        session=session,
        wsman=wsman,
        configuration_name=given.pop("configuration_name"),
        container_program=given.pop("container_program") or "",
        run_as_administrator=given.pop("run_as_administrator"),
        record=take_record(given),
    )
