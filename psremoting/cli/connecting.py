"""The options that say how to reach a target, for every command that opens sessions.

The names are PowerShell's parameters in kebab-case. Times are seconds, but for
``--connecting-timeout``, which is milliseconds as it is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from psremoting.cli.shell_completion import complete_file
from psremoting.cli.spelling import hashtable
from psremoting.cli.wsman_options import WSMAN_OPTIONS, WSManOptions, take_options
from psremoting.errors import PSRemotingError
from psremoting.options import SessionOption
from psremoting.targets import SSHTarget, Target, WSManTarget, parse_target

__all__ = ["Connecting", "connection_options", "named_value", "named_values"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """What the options of `connection_options` said."""

    ssh: SSHTarget
    session: SessionOption
    wsman: WSManOptions
    configuration_name: str | None = None

    def target(self, text: str) -> Target:
        """The target that a word on the command line names. Raises PSRemotingError."""
        made = parse_target(text, self.ssh)
        if isinstance(made, WSManTarget):
            return self.wsman.complete(
                made,
                user_name=self.ssh.user_name,
                port=self.ssh.port,
                configuration_name=self.configuration_name,
            )
        if self.configuration_name is not None:
            raise PSRemotingError(
                f"{text}: a session configuration is chosen over WS-Man; over ssh the subsystem "
                "chooses it (--subsystem), and a local command its own options.",
                error_id="AmbiguousParameterSet",
            )
        return made


def named_value(text: str, *, option: str) -> tuple[str, str]:
    """``NAME=VALUE``. Raises click.BadParameter."""
    name, equals, value = text.partition("=")
    if not (equals and name):
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
    return name, value


def named_values(texts: tuple[str, ...], *, option: str) -> dict[str, str]:
    """Several, also as ``@{NAME='VALUE'}``; the last one of a name counts."""
    pairs = [
        pair for text in texts for pair in (hashtable(text) if text.startswith("@{") else [text])
    ]
    return dict(named_value(pair, option=option) for pair in pairs)


_OPTIONS = (
    click.option("--user-name", metavar="USER", help="The user to log in as."),
    click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port of ssh."),
    click.option(
        "--key-file-path", metavar="FILE", shell_complete=complete_file,
        help="The private key for ssh.",
    ),
    click.option("--subsystem", metavar="NAME", help="The ssh subsystem; else powershell."),
    click.option(
        "--options", "ssh_options", metavar="NAME=VALUE", multiple=True,
        help="An option for ssh -o, such as StrictHostKeyChecking=accept-new; may be repeated.",
    ),
    click.option(
        "--connecting-timeout", type=int, metavar="MS",
        help="Milliseconds until the server says something; negative is no limit.",
    ),
    click.option(
        "--configuration-name", metavar="NAME", help="The session configuration (WS-Man only)."
    ),
    click.option("--open-timeout", type=float, metavar="S", help="For opening; else 180."),
    click.option("--operation-timeout", type=float, metavar="S", help="For one answer; else 180."),
    click.option("--cancel-timeout", type=float, metavar="S", help="For stopping; else 60."),
    click.option("--close-timeout", type=float, metavar="S", help="For closing; else 60."),
)  # fmt: skip
_TIMES = ("open_timeout", "operation_timeout", "cancel_timeout", "close_timeout")


def connection_options(command: F) -> F:
    """Give a command these options; it gets them as ``connecting``, a `Connecting`."""

    def gather(**given: Any) -> Any:
        return command(connecting=_connecting(given), **given)

    gather.__name__ = command.__name__
    gather.__doc__ = command.__doc__
    gather.__click_params__ = list(getattr(command, "__click_params__", ()))  # type: ignore[attr-defined]
    made: Any = gather
    for option in reversed(_OPTIONS + WSMAN_OPTIONS):
        made = option(made)
    return made  # type: ignore[no-any-return]


def _connecting(given: dict[str, Any]) -> Connecting:
    milliseconds = given.pop("connecting_timeout")
    limit = math.inf if milliseconds is None or milliseconds < 0 else milliseconds / 1000
    ssh = SSHTarget(
        host_name="",
        user_name=given.pop("user_name") or "",
        port=given.pop("port"),
        key_file_path=given.pop("key_file_path") or "",
        subsystem=given.pop("subsystem") or "powershell",
        options=named_values(given.pop("ssh_options"), option="--options"),
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
    )
