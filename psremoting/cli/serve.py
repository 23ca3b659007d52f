"""`psrp serve`: an endpoint on this program's stdio, on a unix socket, or over WS-Man."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from psremoting.cli.serving import CannotServe, open_log, run
from psremoting.cli.shell_completion import complete_file

__all__ = ["serve"]

_EPILOG = """\b
Examples:
  psrp serve --stdio
  psrp serve --stdio --functions mytools.remote:commands
  psrp serve --stdio --process "pwsh -s -NoLogo"
  psrp serve --unix /run/user/1000/tools.sock --functions mytools.remote:commands
  psrp serve --https 0.0.0.0:5986 --certificate cert.pem --accounts accounts
  psrp serve --http 5985 --keytab http.keytab --process "pwsh -s -NoLogo -NoProfile"

\b
As a subsystem of OpenSSH, in sshd_config (the path is absolute; then reload sshd):
  Subsystem powershell /usr/local/bin/psrp serve --stdio

\b
A module for --functions:
  import os
  def get_load(minutes: int = 1) -> float:
      "Gets the load average."
      return os.getloadavg()[{1: 0, 5: 1, 15: 2}[minutes]]
  commands = {"Get-Load": get_load}

\b
Exit codes:
  0    --unix, --http, --https: stopped by a signal
  1    the functions cannot be loaded, or a listener cannot be made
  2    the command line is wrong
  160  --stdio: the client has gone, as PowerShell's own server says it
"""


_FILE = click.Path(path_type=Path, dir_okay=False)
_WSMAN_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--http", {"multiple": True, "metavar": "[HOST:]PORT", "help": "Listen for WS-Man over "
     "HTTP; repeatable. The host is 127.0.0.1 unless given; port 0 takes any."}),
    ("--https", {"multiple": True, "metavar": "[HOST:]PORT", "help": "The same over HTTPS."}),
    ("--certificate", {"type": _FILE, "metavar": "PEM", "help": "HTTPS: the certificate chain. "
     "It is read again when the file changes."}),
    ("--certificate-key", {"type": _FILE, "metavar": "PEM", "help": "HTTPS: the key, when it is "
     "not in the same file."}),
    ("--accounts", {"type": _FILE, "metavar": "FILE", "help": "WS-Man: who may sign in with a "
     "password; see psrp account."}),
    ("--keytab", {"type": _FILE, "metavar": "FILE", "help": "WS-Man: take Kerberos with these "
     "keys."}),
    ("--principal", {"multiple": True, "metavar": "PATTERN", "help": "WS-Man: take only these "
     "Kerberos names, such as *@EXAMPLE.ORG; repeatable."}),
    ("--allow-unencrypted", {"is_flag": True, "help": "WS-Man over HTTP: take Basic and messages "
     "that nothing encrypts."}),
    ("--no-credssp", {"is_flag": True, "help": "WS-Man: do not offer CredSSP, with which clients "
     "hand over their password."}),
    ("--channel-bindings", {"type": click.Choice(["none", "relaxed", "strict"]),
     "default": "relaxed", "show_default": True, "help": "HTTPS: what is asked of Negotiate and "
     "Kerberos clients."}),
    ("--client-ca", {"type": _FILE, "metavar": "PEM", "help": "HTTPS: take client certificates "
     "of these authorities."}),
    ("--certificate-mapping", {"type": _FILE, "metavar": "FILE", "help": "Accounts of client "
     "certificates: account, issuer's thumbprint, subject, resource URI, one rule a line."}),
    ("--configuration", {"multiple": True, "metavar": "NAME=KIND:...", "help": "WS-Man: a session "
     "configuration, NAME=functions:MODULE:NAME or NAME=process:COMMAND; repeatable. "
     "--functions and --process are the one of PowerShell's default name."}),
    ("--winrs", {"is_flag": True, "help": "WS-Man: let clients run any program of this machine "
     "as this user."}),
    ("--max-shells", {"type": click.IntRange(1), "default": 1000, "show_default": True,
     "help": "WS-Man: shells of all users at once."}),
    ("--max-shells-per-user", {"type": click.IntRange(1), "default": 30, "show_default": True,
     "help": "WS-Man: shells of one user at once."}),
    ("--max-connections", {"type": click.IntRange(1), "default": 300, "show_default": True,
     "help": "WS-Man: connections at once."}),
    ("--max-envelope-size", {"type": click.IntRange(8), "default": 500, "show_default": True,
     "metavar": "KIB", "help": "WS-Man: the largest request and answer."}),
    ("--idle-timeout", {"type": click.FloatRange(60), "default": 7200.0, "show_default": True,
     "metavar": "SECONDS", "help": "WS-Man: how long a shell stays that nobody uses."}),
)  # fmt: skip
"""The options of the WS-Man listeners, and what click is told about each."""


def _wsman_options(function: Any) -> Any:
    for name, settings in reversed(_WSMAN_OPTIONS):
        complete = complete_file if settings.get("type") is _FILE else None
        function = click.option(name, shell_complete=complete, **settings)(function)
    return function


@click.command(epilog=_EPILOG)
@click.option("--stdio", is_flag=True, help="Serve one client on stdin and stdout.")
@click.option(
    "--unix",
    metavar="PATH",
    shell_complete=complete_file,
    help="Serve the clients of a unix socket, side by side, until stopped.",
)
@click.option(
    "--functions",
    "functions",
    metavar="MODULE:NAME",
    help="Offer these Python functions: a mapping of command name to callable, or a callable "
    "that gives one. Without it a few commands to try.",
)
@click.option(
    "--process", metavar="COMMAND", help="Hand clients on to another server, started for each."
)
@click.option(
    "--log",
    metavar="FILE",
    shell_complete=complete_file,
    help="Append errors of the start, tracebacks and what commands print to FILE.",
)
@_wsman_options
def serve(
    stdio: bool,
    unix: str | None,
    functions: str | None,
    process: str | None,
    log: str | None,
    **wsman: Any,
) -> None:
    """Serve a PowerShell remoting endpoint.

    A client gets a runspace without language: the commands that are offered, Get-Command,
    Get-Help, Select-Object, Measure-Object, and what an interactive session needs. Nothing that
    a command prints or reads can reach the protocol. Parameters come from the signature of each
    function, help from its docstring.

    --stdio serves the one client that started it; --unix whoever connects, until SIGINT or
    SIGTERM. With --process everything is handed on as it comes.

    --http and --https serve WS-Man, as Windows machines do, to any number of clients: each
    listener prints its URL on stderr when it is ready. Clients sign in with Basic (over HTTPS),
    NTLM, Kerberos, CredSSP or a certificate; over HTTP messages are encrypted.
    """
    listens = bool(wsman["http"] or wsman["https"])
    if stdio + (unix is not None) + listens != 1:
        raise click.UsageError("Say where to serve: --stdio, --unix PATH, or --http and --https.")
    if functions is not None and process is not None:
        raise click.UsageError("--functions and --process exclude each other.")
    try:
        log_fd = None if log is None else open_log(log)
        if listens:
            sys.exit(_serve_wsman(functions, process, wsman))
        sys.exit(run(unix, functions, process, log_fd))
    except CannotServe as error:
        raise click.ClickException(str(error)) from None


def _serve_wsman(functions: str | None, process: str | None, given: dict[str, Any]) -> int:
    from psremoting.cli.serving_wsman import configurations_of, run_wsman
    from psremoting.endpoint.wsman_endpoint import EndpointSettings, parse_address
    from wsman.auth_server import ChannelBindings
    from wsman.service_checks import ServiceLimits
    from wsman.trio_server import ServerLimits

    try:
        http, https = ([parse_address(each) for each in given[key]] for key in ("http", "https"))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    settings = EndpointSettings(
        http=http,
        https=https,
        certificate=given["certificate"],
        certificate_key=given["certificate_key"],
        accounts=given["accounts"],
        keytab=given["keytab"],
        principals=given["principal"] or ("*",),
        client_ca=given["client_ca"],
        certificate_mappings=given["certificate_mapping"],
        allow_unencrypted=given["allow_unencrypted"],
        credssp=not given["no_credssp"],
        channel_bindings=ChannelBindings(given["channel_bindings"]),
        programs=given["winrs"],
        limits=ServiceLimits(
            max_envelope_size=given["max_envelope_size"] * 1024,
            max_shells=given["max_shells"],
            max_shells_per_user=given["max_shells_per_user"],
            idle_timeout=given["idle_timeout"],
        ),
        server_limits=ServerLimits(max_connections=given["max_connections"]),
    )
    return run_wsman(settings, configurations_of(functions, process, given["configuration"]))
