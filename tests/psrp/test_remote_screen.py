"""A server answers reads of the client's screen by itself."""

from __future__ import annotations

import pytest

from psrp.host import HostDefaultData, HostInfo
from psrp.host_methods import HostMethodId as Method
from psrp.host_types import Coordinates, Size
from psrp.remote_screen import RemoteScreen
from psrp.sansio import LocalProtocolError

TOLD = HostDefaultData(
    foreground_color=7,
    background_color=0,
    cursor_position=Coordinates(3, 4),
    window_position=Coordinates(0, 1),
    cursor_size=25,
    buffer_size=Size(120, 3000),
    window_size=Size(120, 50),
    max_window_size=Size(120, 60),
    max_physical_window_size=Size(200, 70),
    window_title="a title",
)


def test_getters_are_answered_from_what_the_client_told() -> None:
    """Statement D44."""
    screen = RemoteScreen(HostInfo.full(TOLD))
    assert screen.read(Method.GetWindowSize) == Size(120, 50)
    assert screen.read(Method.GetCursorPosition) == Coordinates(3, 4)
    assert screen.read(Method.GetWindowTitle) == "a title"
    assert [screen.read(Method(number)) for number in (27, 29)] == [7, 0]


@pytest.mark.parametrize("method", [Method.GetKeyAvailable, Method.GetBufferContents])
def test_what_a_server_cannot_know_is_not_asked_for(method: Method) -> None:
    """Statement D44."""
    with pytest.raises(LocalProtocolError, match=method.name):
        RemoteScreen(HostInfo.full(TOLD)).read(method)


def test_a_client_without_a_screen_told_nothing() -> None:
    for info in (HostInfo.null(), HostInfo.full(HostDefaultData(window_size=None))):
        with pytest.raises(LocalProtocolError, match="not supplied"):
            RemoteScreen(info).read(Method.GetWindowSize)


def test_a_getter_returns_what_the_setter_set() -> None:
    """Statement D44."""
    screen = RemoteScreen(HostInfo.full(TOLD))
    screen.write(Method.SetWindowTitle, ("another",))
    screen.write(Method.SetCursorPosition, (Coordinates(0, 0),))
    screen.write(Method.WriteLine2, ("no setter",))
    assert screen.read(Method.GetWindowTitle) == "another"
    assert screen.read(Method.GetCursorPosition) == Coordinates(0, 0)
    assert screen.read(Method.GetWindowSize) == Size(120, 50)
