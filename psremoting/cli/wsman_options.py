"""Command-line options of WS-Man targets, and reading of the password."""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from psremoting.cli.shell_completion import complete_file
from psremoting.errors import PSRemotingError
from psremoting.wsman_target import WSManTarget
from psrp.clixml import Credential

__all__ = ["AUTHENTICATIONS", "WSMAN_OPTIONS", "WSManOptions", "read_password", "take_options"]

AUTHENTICATIONS = (
    "default", "basic", "negotiate", "negotiate-with-implicit-credential", "kerberos", "ntlm",
    "credssp", "digest", "certificate",
)  # fmt: skip
PASSWORD = "PSRP_PASSWORD"
"""Environment variable with the password."""
_IMPLICIT = ("negotiate-with-implicit-credential", "certificate")

WSMAN_OPTIONS = (
    click.option(
        "--authentication", type=click.Choice(AUTHENTICATIONS, case_sensitive=False),
        default="default", help="Use this authentication mechanism over WS-Man.",
    ),
    click.option(
        "--password-file", metavar="FILE", shell_complete=complete_file,
        help="Read the password from the first line of FILE (-: standard input). Default: "
        "PSRP_PASSWORD if set, otherwise ask.",
    ),
    click.option("--use-ssl", is_flag=True, help="Use HTTPS for wsman:HOST targets."),
    click.option(
        "--application-name", metavar="NAME", default="wsman", show_default=True,
        help="Set the URL path of the listener, for wsman:HOST targets.",
    ),
    click.option(
        "--allow-unencrypted", is_flag=True,
        help="Allow authentication and messages without encryption over HTTP.",
    ),
    click.option(
        "--trusted-host", "trusted_hosts", metavar="PATTERN", multiple=True,
        help="Allow NTLM over HTTP to hosts that match PATTERN (* matches all). Repeatable. "
        "PSRP_TRUSTED_HOSTS adds patterns, separated by commas.",
    ),
    click.option(
        "--ca-file", metavar="FILE", shell_complete=complete_file,
        help="Trust the certificate authorities in this PEM file.",
    ),
    click.option(
        "--skip-ca-check", is_flag=True, help="Accept a server certificate from any authority."
    ),
    click.option(
        "--skip-cn-check", is_flag=True, help="Accept a server certificate for another name."
    ),
    click.option(
        "--skip-revocation-check", is_flag=True,
        help="Do not use the revocation lists in --ca-file.",
    ),
    click.option(
        "--pinned-certificate", metavar="HEX",
        help="Accept only the server certificate with this SHA-256 (or SHA-1) fingerprint.",
    ),
    click.option(
        "--certificate", "--certificate-thumbprint", metavar="FILE", shell_complete=complete_file,
        help="Authenticate with the certificate in this PEM file.",
    ),
    click.option(
        "--certificate-key", metavar="FILE", shell_complete=complete_file,
        help="Read the private key of --certificate from this PEM file.",
    ),
    click.option(
        "--connect", metavar="SHELLID", help="Connect to this disconnected session of the server."
    ),
    click.option("--allow-redirection", is_flag=True, help="Follow redirects from the server."),
    click.option("--proxy", metavar="URL", help="Use this HTTP proxy for WS-Man."),
    click.option(
        "--compression", is_flag=True, help="Request compressed streams (xpress)."
    ),
    click.option(
        "--no-encryption", is_flag=True,
        help="Do not encrypt messages over HTTP; requires --allow-unencrypted.",
    ),
    click.option("--use-utf16", is_flag=True, help="Send UTF-16 instead of UTF-8."),
    click.option(
        "--include-port-in-spn", is_flag=True, help="Include the port in the Kerberos service name."
    ),
    click.option(
        "--max-connection-retry-count", type=click.IntRange(0), default=5, show_default=True,
        help="Retry a request at most this many times after a network failure.",
    ),
)  # fmt: skip
"""Options for every command that opens sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WSManOptions:
    """The values of `WSMAN_OPTIONS` that concern the target."""

    authentication: str
    password_file: str | None
    use_ssl: bool
    application_name: str
    allow_unencrypted: bool
    trusted_hosts: tuple[str, ...]
    ca_file: str | None
    pinned_certificate: str | None
    certificate: str | None
    certificate_key: str | None
    connect: str | None
    allow_redirection: bool
    proxy: str | None

    def complete(
        self, target: WSManTarget, *, user_name: str, port: int, configuration_name: str | None
    ) -> WSManTarget:
        """Return the target with the values of the options. Raises PSRemotingError."""
        made = replace(
            target,
            authentication=self.authentication.lower(),
            credential=self._credential(user_name),
            allow_unencrypted=self.allow_unencrypted,
            trusted_hosts=self.trusted_hosts,
            ca_file=self.ca_file or "",
            pinned_certificate=self.pinned_certificate or "",
            certificate=self.certificate or "",
            key=self.certificate_key or "",
            allow_redirection=self.allow_redirection,
            proxy=self.proxy or "",
            connect_shell=self._shell(),
        )
        if not target.connection_uri:
            made = replace(
                made, port=port, use_ssl=self.use_ssl, application_name=self.application_name
            )
        if configuration_name:
            made = replace(made, configuration_name=configuration_name)
        return made

    def _credential(self, user_name: str) -> Credential | None:
        if not user_name or self.authentication in _IMPLICIT:
            return None
        return Credential(user_name, read_password(self.password_file, user_name))

    def _shell(self) -> UUID | None:
        if self.connect is None:
            return None
        try:
            return UUID(self.connect)
        except ValueError:
            text = f"--connect: expected the id of a shell, got {self.connect!r}"
            raise PSRemotingError(text, error_id="ParameterBindingFailed") from None


_password: dict[tuple[str | None, str], str] = {}


def read_password(path: str | None, user_name: str) -> str:
    """Return the password from a file, from the environment, or from a prompt at the terminal.

    Each source is read once per process. Raises PSRemotingError.
    """
    key = path, user_name
    if key not in _password:
        _password[key] = _read(path, user_name)
    return _password[key]


def _read(path: str | None, user_name: str) -> str:
    if path == "-":
        return sys.stdin.readline().rstrip("\r\n")
    if path is not None:
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise PSRemotingError(
                f"cannot read the password file {path}: {reason}", error_id="InvalidPasswordFile"
            ) from None
        return text.partition("\n")[0].rstrip("\r")
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    try:
        with warnings.catch_warnings():
            # Without a terminal getpass would read the password from standard input.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return str(click.prompt(f"Password for {user_name}", hide_input=True, err=True))
    except (click.Abort, getpass.GetPassWarning):
        raise PSRemotingError(
            "cannot ask for the password: use --password-file or PSRP_PASSWORD",
            error_id="CredentialRequired",
        ) from None


_SESSION = (
    "skip_ca_check", "skip_cn_check", "skip_revocation_check", "no_encryption", "use_utf16",
    "include_port_in_spn",
)  # fmt: skip


def take_options(given: dict[str, Any]) -> tuple[WSManOptions, dict[str, Any]]:
    """Remove the WS-Man options from ``given``; return those of targets and those of sessions."""
    session = {name: given.pop(name) for name in _SESSION}
    session["no_compression"] = False if given.pop("compression") else None
    session["max_connection_retries"] = given.pop("max_connection_retry_count")
    names = WSManOptions.__dataclass_fields__
    return WSManOptions(**{name: given.pop(name) for name in names}), session
