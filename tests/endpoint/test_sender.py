"""The description of a client for functions and processes."""

from __future__ import annotations

import pytest

from psremoting.endpoint.sender import Sender, local_sender


def test_the_environment_describes_the_client() -> None:
    sender = Sender(
        user_name="carol",
        authentication_type="NTLM",
        connection_string="http://h/wsman",
        configuration_name="c",
        address="192.0.2.1",
        culture="de-de",
    )
    assert sender.environment() == {
        "PSRP_SENDER_USER": "carol",
        "PSRP_SENDER_AUTHENTICATION": "NTLM",
        "PSRP_SENDER_CONNECTION": "http://h/wsman",
        "PSRP_SENDER_CONFIGURATION": "c",
        "PSRP_SENDER_ADDRESS": "192.0.2.1",
        "LC_MESSAGES": "de_DE.UTF-8",
    }


CULTURES = [("en-US", "en_US.UTF-8"), ("fr", "fr.UTF-8"), ("zh-Hans-cn", "zh_Hans_CN.UTF-8")]


@pytest.mark.parametrize(("culture", "variable"), CULTURES)
def test_a_culture_is_a_locale(culture: str, variable: str) -> None:
    sender = Sender(user_name="u", authentication_type="Basic", culture=culture)
    assert sender.environment()["LC_MESSAGES"] == variable


@pytest.mark.parametrize("culture", ["", "x", "../etc", "de_DE", "de-DE\n", "a" * 3000, "C"])
def test_what_is_no_culture_is_no_locale(culture: str) -> None:
    sender = Sender(user_name="u", authentication_type="Basic", culture=culture)
    assert "LC_MESSAGES" not in sender.environment()


def test_a_client_cannot_break_the_environment() -> None:
    """A NUL would make the start of a process fail; the URL is the client's."""
    sender = Sender(
        user_name="u", authentication_type="Basic", connection_string="a\0b" + "x" * 100_000
    )
    found = sender.environment()["PSRP_SENDER_CONNECTION"]
    assert found.startswith("abx")
    assert len(found) == 2048


def test_a_carrier_without_authentication_adds_nothing() -> None:
    assert local_sender().environment() == {}
