"""The options of WS-Man targets: the resulting target and session options."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import click
import pytest
from click.testing import CliRunner

from psremoting.cli import wsman_options
from psremoting.cli.connecting import Connecting, connection_options
from psremoting.cli.spelling import respelled
from psremoting.errors import PSRemotingError
from psremoting.targets import SSHTarget, WSManTarget
from psrp.clixml import Credential

_made: list[Any] = []


@click.command()
@click.argument("target")
@connection_options
def show(target: str, connecting: Connecting) -> None:
    _made.append((connecting.target(target), connecting.session))


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    _made.clear()
    wsman_options._password.clear()
    monkeypatch.delenv("PSRP_PASSWORD", raising=False)


def run(*words: str, input: str | None = None) -> Any:
    result = CliRunner().invoke(show, list(words), input=input)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return _made[-1]


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://server", "http://server:5985/wsman"),
        ("https://server", "https://server:5986/wsman"),
        ("http://server:80/other", "http://server:80/other"),
        ("wsman:server", "http://server:5985/wsman"),
    ],
)
def test_urls_and_wsman_names_become_ws_man_targets(text: str, url: str) -> None:
    """Statement H88."""
    target, _ = run(text)
    assert isinstance(target, WSManTarget)
    assert target.location.url == url
    assert target.computer == "server"
    assert target.credential is None


def test_a_host_name_still_means_ssh() -> None:
    target, _ = run("server", "--user-name", "me", "--authentication", "basic")
    assert isinstance(target, SSHTarget)


def test_each_option_of_a_ws_man_target_has_its_effect() -> None:
    target, session = run(
        "wsman:server", "--use-ssl", "--port", "444", "--application-name", "app",
        "--authentication", "Kerberos", "--configuration-name", "Other", "--allow-unencrypted",
        "--trusted-host", "a", "--trusted-host", "b*", "--ca-file", "ca.pem", "--certificate",
        "me.pem", "--certificate-key", "me.key", "--skip-ca-check", "--skip-cn-check",
        "--compression", "--allow-redirection", "--max-connection-retry-count", "2",
        "--connect", "76056a84-51dc-4f24-9262-ca2a55464b2b",
    )  # fmt: skip
    assert target.location.url == "https://server:444/app"
    assert target.authentication == "kerberos"
    assert target.resource_uri == "http://schemas.microsoft.com/powershell/Other"
    assert target.allow_unencrypted
    assert target.trusted_hosts == ("a", "b*")
    assert (target.ca_file, target.certificate, target.key) == ("ca.pem", "me.pem", "me.key")
    assert target.connect_shell == UUID("76056a84-51dc-4f24-9262-ca2a55464b2b")
    assert target.allow_redirection
    assert session.skip_ca_check
    assert session.skip_cn_check
    assert session.no_compression is False
    assert session.max_connection_retries == 2


def test_a_configuration_name_that_is_a_uri_stays_as_it_is() -> None:
    uri = "http://schemas.microsoft.com/powershell/Microsoft.Exchange"
    target, _ = run("wsman:server", "--configuration-name", uri)
    assert target.resource_uri == uri


def test_the_password_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("päss word \r\nmore\n", "utf-8")
    target, _ = run("wsman:s", "--user-name", "me", "--password-file", str(path))
    assert target.credential == Credential("me", "päss word ")
    assert "päss" not in repr(target)


def test_the_password_comes_from_standard_input() -> None:
    words = ("wsman:s", "--user-name", "me", "--password-file", "-")
    target, _ = run(*words, input="secret\nrest\n")
    assert target.credential == Credential("me", "secret")


def test_the_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PSRP_PASSWORD", "secret")
    target, _ = run("wsman:s", "--user-name", "me")
    assert target.credential == Credential("me", "secret")


def test_the_password_is_asked_for_and_not_shown() -> None:
    result = CliRunner().invoke(show, ["wsman:s", "--user-name", "me"], input="secret\n")
    assert _made[-1][0].credential == Credential("me", "secret")
    assert "Password for me" in result.output
    assert "secret" not in result.output


def test_a_password_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(PSRemotingError, match="cannot read the password file /none/x"):
        run("wsman:s", "--user-name", "me", "--password-file", "/none/x")


def test_no_password_is_asked_for_where_none_is_used() -> None:
    words = ("--user-name", "me", "--authentication", "negotiate-with-implicit-credential")
    assert run("wsman:s", *words)[0].credential is None


def test_an_id_that_is_none_is_refused() -> None:
    with pytest.raises(PSRemotingError, match="expected the id of a shell, got 'x'"):
        run("wsman:s", "--connect", "x")


def test_a_computer_name_in_powershells_spelling_means_ws_man() -> None:
    assert respelled(["-ComputerName", "a,", "b", "x"], []) == ["wsman:a", "wsman:b", "x"]
    assert respelled(["-HostName", "a", "x"], []) == ["a", "x"]
