"""The carrier of WS-Man as a session sees it: errors in PowerShell's words, and what is noticed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import trio

from psremoting import Credential, PSSession, SessionOption, WSManTarget
from psremoting.client.wsman_carrier import WSManCarrier, translate
from psremoting.errors import PSRemotingTransportError
from wsman import faults
from wsman.errors import TransportFailure, WSManFault

POOL = UUID("76056a84-51dc-4f24-9262-ca2a55464b2b")
TARGET = WSManTarget(
    computer_name="127.0.0.1", port=1, credential=Credential("me", "secret"),
    authentication="basic", allow_unencrypted=True,
)  # fmt: skip


class User:
    def __init__(self) -> None:
        self.notices: list[str] = []
        self.errors: list[Any] = []

    def noticed(self, text: str) -> None:
        self.notices.append(text)

    def lost(self, error: Any, *, disconnected: bool = False) -> None:
        self.errors.append(error)


async def opened() -> tuple[WSManCarrier, User]:
    carrier, user = WSManCarrier(TARGET, SessionOption()), User()
    await carrier.open(POOL)
    carrier._receiver = user  # type: ignore[assignment]
    carrier._opened = True
    return carrier, user


def test_failures_have_powershells_words_and_ids() -> None:
    """Statement H87."""
    fault = WSManFault(faults.make_fault("AccessDenied"))
    opening = translate(fault, "server", opening=True)
    assert opening.error_id == "AccessDenied,PSSessionOpenFailed"
    assert opening.message == (
        "Connecting to remote server server failed with the following error message : Access is "
        "denied. For more information, see the about_Remote_Troubleshooting Help topic."
    )
    later = translate(fault, "server", opening=False)
    assert (later.error_id, later.message) == ("AccessDenied,PSSessionStateBroken", fault.message)


@pytest.mark.parametrize(
    "reason",
    ["self-signed certificate", "unable to get local issuer certificate",
     "certificate verify failed"],
)  # fmt: skip
def test_an_unknown_authority_comes_with_advice(reason: str) -> None:
    error = TransportFailure(f"cannot establish TLS with server:5986: {reason}", final=True)
    assert "--ca-file" in translate(error, "server", opening=True).message


async def test_a_session_that_the_network_lost_can_be_connected_to_again() -> None:
    carrier, user = await opened()
    carrier.lost(TransportFailure("cut", sent=True))
    (notice,) = user.notices
    assert str(POOL) in notice
    assert len(user.errors) == 1


async def test_a_session_that_the_server_lost_is_gone() -> None:
    carrier, user = await opened()
    carrier.lost(WSManFault(faults.make_fault("InvalidSelectors")))
    assert user.notices == []


async def test_envelopes_grow_with_the_servers_version() -> None:
    carrier, _ = await opened()
    carrier.negotiated("2.1")
    small = carrier.room(None)
    carrier.negotiated("2.3")
    assert carrier.room(None) > 3 * small


async def test_basic_over_http_has_to_be_allowed_by_name() -> None:
    place = WSManTarget(
        computer_name="127.0.0.1", port=1, credential=Credential("me", "secret"),
        authentication="basic",
    )  # fmt: skip
    with trio.fail_after(10), pytest.raises(PSRemotingTransportError) as caught:
        async with PSSession.connect(place):
            pass
    assert caught.value.error_id == "InvalidAuthentication,PSSessionOpenFailed"
    assert "secret" not in str(caught.value)
