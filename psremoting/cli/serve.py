"""`psrp serve`: an endpoint on this program's stdio, on a unix socket, or over WS-Man."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from psremoting.cli.recording import RECORD_OPTIONS, RecordTo, take_record
from psremoting.cli.serve_streams import CannotServe, open_log, run
from psremoting.cli.shell_completion import complete_file

__all__ = ["serve"]

_EPILOG = """\b
Examples:
  psrp serve --stdio
  psrp serve --stdio --functions mytools.remote:commands
  psrp serve --stdio --process "pwsh -s -NoLogo"
  psrp serve --stdio --functions mytools.remote:commands --configuration-file tools.pssc
  psrp serve --unix /run/user/1000/tools.sock --functions mytools.remote:commands
  psrp serve --https 0.0.0.0:5986 --certificate cert.pem --accounts accounts
  psrp serve --http 5985 --keytab http.keytab --process "pwsh -s -NoLogo -NoProfile"

\b
As a subsystem of OpenSSH, in sshd_config (use an absolute path, then reload sshd):
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
  1    the functions cannot be loaded, or a listener cannot be created
  2    the command line is wrong
  160  --stdio: the client disconnected (the exit code of PowerShell's own server)
"""


_FILE = click.Path(path_type=Path, dir_okay=False)
_WSMAN_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--http", {"multiple": True, "metavar": "[HOST:]PORT", "help": "Listen for WS-Man over "
     "HTTP. The default host is 127.0.0.1; port 0 selects a free port. Repeatable."}),
    ("--https", {"multiple": True, "metavar": "[HOST:]PORT", "help": "Listen for WS-Man "
     "over HTTPS, otherwise as --http."}),
    ("--certificate", {"type": _FILE, "metavar": "PEM", "help": "HTTPS: use the certificate "
     "chain in this file. It is reloaded when the file changes."}),
    ("--certificate-key", {"type": _FILE, "metavar": "PEM", "help": "HTTPS: read the private "
     "key from this file (default: the file of --certificate)."}),
    ("--accounts", {"type": _FILE, "metavar": "FILE", "help": "WS-Man: accept passwords of "
     "the accounts in this file; see psrp account."}),
    ("--keytab", {"type": _FILE, "metavar": "FILE", "help": "WS-Man: accept Kerberos with the "
     "keys in this file."}),
    ("--principal", {"multiple": True, "metavar": "PATTERN", "help": "WS-Man: accept only "
     "Kerberos names that match PATTERN, such as *@EXAMPLE.ORG. Repeatable."}),
    ("--allow-unencrypted", {"is_flag": True, "help": "WS-Man over HTTP: accept Basic and "
     "unencrypted messages."}),
    ("--no-credssp", {"is_flag": True, "help": "WS-Man: do not offer CredSSP, which sends the "
     "client's password to this server."}),
    ("--channel-bindings", {"type": click.Choice(["none", "relaxed", "strict"]),
     "default": "relaxed", "show_default": True, "help": "HTTPS: set the channel binding check "
     "for Negotiate and Kerberos clients."}),
    ("--client-ca", {"type": _FILE, "metavar": "PEM", "help": "HTTPS: accept client certificates "
     "from the authorities in this file."}),
    ("--certificate-mapping", {"type": _FILE, "metavar": "FILE", "help": "HTTPS: map "
     "client certificates to accounts. Each line of FILE is one rule: account, issuer's "
     "thumbprint, subject, resource URI."}),
    ("--configuration", {"multiple": True, "metavar": "NAME=KIND:...", "help": "WS-Man: serve a "
     "session configuration, NAME=functions:MODULE:NAME or NAME=process:COMMAND. Repeatable. "
     "--functions and --process define the configuration with PowerShell's default name."}),
    ("--winrs", {"is_flag": True, "help": "WS-Man: allow clients to run any program on this "
     "machine as this user."}),
    ("--max-shells", {"type": click.IntRange(1), "default": 1000, "show_default": True,
     "help": "WS-Man: limit the number of open shells of all users."}),
    ("--max-shells-per-user", {"type": click.IntRange(1), "default": 30, "show_default": True,
     "help": "WS-Man: limit the number of open shells of one user."}),
    ("--max-connections", {"type": click.IntRange(1), "default": 300, "show_default": True,
     "help": "WS-Man: limit the number of connections."}),
    ("--max-envelope-size", {"type": click.IntRange(8), "default": 500, "show_default": True,
     "metavar": "KIB", "help": "WS-Man: limit the size of a request and of a response."}),
    ("--idle-timeout", {"type": click.FloatRange(60), "default": 7200.0, "show_default": True,
     "metavar": "SECONDS", "help": "WS-Man: close a shell after this time without a request."}),
)  # fmt: skip
"""The options of the WS-Man listeners and their settings for `click.option`."""


def _wsman_options(function: Any) -> Any:
    for name, settings in reversed(_WSMAN_OPTIONS):
        complete = complete_file if settings.get("type") is _FILE else None
        function = click.option(name, shell_complete=complete, **settings)(function)
    return function


def _record_options(function: Any) -> Any:
    for option in reversed(RECORD_OPTIONS):
        function = option(function)
    return function


@click.command(epilog=_EPILOG)
@click.option("--stdio", is_flag=True, help="Serve one client on stdin and stdout.")
@click.option(
    "--unix",
    metavar="PATH",
    shell_complete=complete_file,
    help="Serve any number of clients on a unix socket until stopped.",
)
@click.option(
    "--functions",
    "functions",
    metavar="MODULE:NAME",
    help="Serve these Python functions: a mapping of command name to callable, or a callable "
    "that returns one (default: a few demonstration commands).",
)
@click.option(
    "--process", metavar="COMMAND", help="Start COMMAND for each client and relay its traffic."
)
@click.option(
    "--configuration-file",
    metavar="FILE",
    shell_complete=complete_file,
    help="Offer only what this session configuration file (.pssc) shows. The command of --process "
    "gets it as -ConfigurationFile. Only with --stdio and --unix.",
)
@click.option(
    "--copy-folder",
    metavar="DIR",
    shell_complete=complete_file,
    help="Let clients copy files to and from this folder, with psrp copy and Copy-Item. Only with "
    "--functions, and with --stdio and --unix.",
)
@click.option(
    "--log",
    metavar="FILE",
    shell_complete=complete_file,
    help="Append startup errors, tracebacks and output printed by commands to FILE.",
)
@_wsman_options
@_record_options
def serve(
    stdio: bool,
    unix: str | None,
    functions: str | None,
    process: str | None,
    configuration_file: str | None,
    copy_folder: str | None,
    log: str | None,
    **wsman: Any,
) -> None:
    """Serve a PowerShell remoting endpoint.

    Clients get a runspace in no-language mode with the offered commands, Get-Command, Get-Help,
    Select-Object, Measure-Object, and the commands that an interactive session needs. The
    standard streams of commands are separate from the protocol. The signature of a function
    defines the parameters of its command, its docstring the help.

    --stdio serves one client on stdin and stdout; --unix serves all clients that connect, until
    SIGINT or SIGTERM. With --process, all data is relayed unchanged.

    --http and --https serve WS-Man to any number of clients, like Windows machines. Each listener
    prints its URL on stderr when it is ready. Clients authenticate with Basic (over HTTPS), NTLM,
    Kerberos, CredSSP or a certificate; messages over HTTP are encrypted.
    """
    listens = bool(wsman["http"] or wsman["https"])
    if stdio + (unix is not None) + listens != 1:
        raise click.UsageError("expected one of --stdio, --unix PATH, or --http and --https")
    if functions is not None and process is not None:
        raise click.UsageError("--functions and --process are mutually exclusive")
    if listens and (configuration_file is not None or copy_folder is not None):
        raise click.UsageError("--configuration-file and --copy-folder need --stdio or --unix")
    if copy_folder is not None and process is not None:
        raise click.UsageError("--copy-folder and --process are mutually exclusive")
    record = take_record(wsman)
    try:
        log_fd = None if log is None else open_log(log)
        if listens:
            sys.exit(_serve_wsman(functions, process, record, wsman))
        sys.exit(run(unix, functions, process, log_fd, record, configuration_file, copy_folder))
    except CannotServe as error:
        raise click.ClickException(str(error)) from None


def _serve_wsman(
    functions: str | None, process: str | None, record: RecordTo | None, given: dict[str, Any]
) -> int:
    from psremoting.cli.serve_wsman import configurations_of, run_wsman
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
            # A shell needs a request for itself, one for its command, and one that sends.
            max_operations_per_user=max(
                ServiceLimits().max_operations_per_user, 3 * given["max_shells_per_user"]
            ),
            idle_timeout=given["idle_timeout"],
        ),
        server_limits=ServerLimits(max_connections=given["max_connections"]),
    )
    return run_wsman(
        settings, configurations_of(functions, process, given["configuration"]), record
    )
