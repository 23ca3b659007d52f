"""Negotiation of protocol, PowerShell and serialization versions. [MS-PSRP] 3.1.5.4.1, 3.2.5.4.1

The rules are those of `serverremotesession.cs` and `clientremotesession.cs`, which are stricter
than the specification in one place and more lenient in another; see spec-notes/opening.md.
"""

from __future__ import annotations

from psrp.events import SessionCapability
from psrp.versions import CONNECT_SINCE, KNOWN, PS_VERSION, SERIALIZATION_VERSION, number

__all__ = ["client_refusal", "server_answer"]


def _at_least(theirs: str, ours: str) -> bool:
    their_major, their_minor = number(theirs)
    our_major, our_minor = number(ours)
    return their_major == our_major and their_minor >= our_minor


def server_answer(
    client: SessionCapability, own: str, *, connecting: bool = False
) -> tuple[SessionCapability, str | None]:
    """Return the answer of a server of version ``own``, and the reason of a refusal or None.

    A refused client gets an answer too, but no further message. [ref] serverremotesession.cs
    """
    asked = client.protocol_version
    refused: str | None = None
    if asked in KNOWN and number(asked) <= number(own):
        answer = asked
        if connecting and number(asked) < CONNECT_SINCE:
            refused = f"protocol version {asked} cannot connect to a pool; 2.2 is the least"
    else:
        answer = own
        if not _at_least(asked, own):
            refused = f"protocol version {asked} is not supported; ours is {own}"
    if not _at_least(client.ps_version, PS_VERSION):
        refused = f"PSVersion {client.ps_version} is not supported; it must be {PS_VERSION}"
    if not _at_least(client.serialization_version, SERIALIZATION_VERSION):
        refused = (
            f"SerializationVersion {client.serialization_version} is not supported; "
            f"it must be {SERIALIZATION_VERSION}"
        )
    return SessionCapability(protocol_version=answer), refused


def client_refusal(server: SessionCapability, own: str) -> str | None:
    """Return the reason why a client of version ``own`` refuses the server's answer, or None."""
    answered = server.protocol_version
    if answered != own and not (answered in KNOWN and number(answered) <= number(own)):
        return f"the server negotiated protocol version {answered}; ours is {own}"
    if server.ps_version != PS_VERSION:
        return f"the server negotiated PSVersion {server.ps_version}; it must be {PS_VERSION}"
    if server.serialization_version != SERIALIZATION_VERSION:
        return (
            f"the server negotiated SerializationVersion {server.serialization_version}; "
            f"it must be {SERIALIZATION_VERSION}"
        )
    return None
