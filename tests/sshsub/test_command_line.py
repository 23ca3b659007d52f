"""The arguments of ssh as PowerShell passes them, and refused values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.sansio import LocalProtocolError
from sshsub.command_line import (
    HostName,
    InvalidArgument,
    InvalidHostName,
    connecting_seconds,
    is_host_name,
    parse_host_name,
    ssh_arguments,
)

ARGV = [
    pytest.param("server", {}, "-s server powershell", id="nothing but a host"),
    pytest.param(
        "UserA@LinuxServer02:22", {}, "-l UserA -p 22 -s LinuxServer02 powershell", id="in one text"
    ),
    pytest.param(
        "a@host:1", {"user_name": "b", "port": 2}, "-l a -p 1 -s host powershell", id="text beats"
    ),
    pytest.param(
        "host",
        {
            "options": {"Port": 9, "StrictHostKeyChecking": "no"},
            "subsystem": "pwsh7",
            "port": 2222,
            "user_name": "DOMAIN\\user",
            "key_file_path": "/home/u/.ssh/lab key",
        },
        "-i|/home/u/.ssh/lab key|-l|user@DOMAIN|-p|2222|-o|Port=9|-o|StrictHostKeyChecking=no"
        "|-s|host|pwsh7",
        id="everything in its order",
    ),
    pytest.param("[fe80::1]:2222", {}, "-p 2222 -s fe80::1 powershell", id="ipv6 and port"),
    pytest.param("[::1]", {}, "-s ::1 powershell", id="ipv6"),
    pytest.param("u@::1", {}, "-l u -s ::1 powershell", id="bare ipv6"),
    pytest.param(".", {"port": 0}, "-s localhost powershell", id="this machine"),
    pytest.param("host:", {"subsystem": ""}, "-s host powershell", id="empty port and subsystem"),
]


@pytest.mark.parametrize(("host", "more", "argv"), ARGV)
def test_options_and_host_become_arguments_of_ssh(
    host: str, more: dict[str, Any], argv: str
) -> None:
    """Statement G67."""
    assert ssh_arguments(host, **more) == argv.split("|" if "|" in argv else " ")


BAD_HOSTS = [
    *("", "-oProxyCommand=x", "a b", "user@-oProxyCommand=x", "a@b@c", "host/path", "host?x"),
    *("host:65536", "host:x", "host:-1", "[::1", "::1]", "[::g]", "[::1]x", "a..b", ".a", "_a"),
    *("..", "a..", "\u3002", "a\u00a0", "a\u2028", "a\u200b", "a\u0085", "é" * 64, "☃\ud800"),
    *("h" * 64, "host\n", "host;rm", "$(x)", "a,b", "%6c", "user@", "[1.2.3.4]"),
]


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_host_that_is_no_host_name_is_refused(host: str) -> None:
    """Statement G67."""
    with pytest.raises(InvalidHostName) as caught:
        ssh_arguments(host)
    assert caught.value.error_id == "PSSessionInvalidComputerName"
    assert isinstance(caught.value, LocalProtocolError)


@pytest.mark.parametrize(
    "host",
    [
        *("a", "a-", "a_b.c", "host.", "1.2.3.4", "::1", "[::1]", "bücher.example", "x" * 63),
        *("हिन्दी.example", "e\u0301.x", "☃.net", "例え。テスト", "a\u3002"),
    ],
)
def test_names_that_dot_net_takes(host: str) -> None:
    assert is_host_name(host)


@pytest.mark.parametrize(
    ("more", "argument"),
    [
        ({"user_name": "-oProxyCommand=x"}, "UserName"),
        ({"user_name": "DOMAIN\\-x"}, "UserName"),
        ({"user_name": "a\nb"}, "UserName"),
        ({"subsystem": "-oProxyCommand=x"}, "Subsystem"),
        ({"key_file_path": "a\0b"}, "KeyFilePath"),
        ({"options": {"ProxyCommand": "a\nb"}}, "Options"),
        ({"port": 65536}, "Port"),
        ({"port": -1}, "Port"),
    ],
    ids=str,
)
def test_values_that_ssh_would_misread_are_refused(more: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArgument, match=argument) as caught:
        ssh_arguments("host", **more)
    assert caught.value.argument == argument


def test_a_user_in_the_host_name_is_checked_too() -> None:
    with pytest.raises(InvalidArgument, match="UserName"):
        ssh_arguments("-x@host")


@given(st.text(max_size=30))
def test_the_host_never_looks_like_an_option(text: str) -> None:
    try:
        argv = ssh_arguments(text)
    except InvalidArgument:
        return
    assert argv[-3] == "-s"
    assert argv[-2][0] != "-"
    assert argv[-2].isprintable()
    assert not set(argv[-2]) & set(" /?#@[]")


def test_parts_of_a_host_name() -> None:
    assert parse_host_name("u@h:7") == HostName(host="h", user_name="u", port=7)
    assert parse_host_name("[::1]") == HostName(host="::1")


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(None, None), (-1, None), (-5, None), (0, 0.0), (1500, 1.5)]
)
def test_the_open_timeout_is_rounded_up_to_seconds_for_ssh(
    milliseconds: int | None, seconds: float | None
) -> None:
    assert connecting_seconds(milliseconds) == seconds
