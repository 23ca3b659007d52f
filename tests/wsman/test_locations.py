"""URLs of services: default ports, parts, and refused URLs."""

from __future__ import annotations

import pytest

from psrp.sansio import LocalProtocolError
from wsman.locations import Location, may_follow


def test_a_computer_name_means_5985_and_5986() -> None:
    """Statement H88."""
    assert Location.of_computer("server").url == "http://server:5985/wsman"
    assert Location.of_computer("server", secure=True).url == "https://server:5986/wsman"
    assert Location.of_computer("server", port=80, application="other").url == (
        "http://server:80/other"
    )
    assert Location.of_computer(".").host == "localhost"


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("http://server/wsman", "http://server:80/wsman"),
        ("https://server", "https://server:443/wsman"),
        (
            "HTTPS://Server:5986/PowerShell?PSVersion=7",
            "https://server:5986/PowerShell?PSVersion=7",
        ),
        ("http://[fe80::1]:5985/", "http://[fe80::1]:5985/wsman"),
    ],
)
def test_a_connection_uri_without_a_port_means_80_and_443(uri: str, url: str) -> None:
    """Statement H88."""
    assert Location.of_url(uri).url == url


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("ftp://server", "expected an http or https URL"),
        ("http://", "expected a host"),
        ("http://server:99999", "cannot use the URL"),
        ("http://user:secret@server", "must not contain a user name"),
        ("http://[::1", "cannot use the URL"),
    ],
)
def test_what_is_no_url_of_a_service_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint) as caught:
        Location.of_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "hosts", "follows"),
    [
        ("http://a", "http://a/other", (), True),
        ("http://a", "https://A", (), True),
        ("https://a", "http://a", ("*",), False),
        ("http://a", "http://b", (), False),
        ("http://a", "http://b", ("B",), True),
        ("http://a", "http://b", ("*",), True),
    ],
)
def test_redirects_keep_credentials_at_home(
    old: str, new: str, hosts: tuple[str, ...], follows: bool
) -> None:
    assert may_follow(Location.of_url(old), Location.of_url(new), hosts) is follows
