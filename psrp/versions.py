"""Who accepts whom: protocol, PowerShell and serialization versions. [MS-PSRP] 3.1.5.4.1, 3.2.5.4.1

The rules are those of `serverremotesession.cs` and `clientremotesession.cs`, which are stricter
than the text in one place and laxer in another; see spec-notes/opening.md.
"""

from __future__ import annotations

from psrp.events import SessionCapability

__all__ = [
    "KNOWN",
    "PS_VERSION",
    "SERIALIZATION_VERSION",
    "client_accepts",
    "number",
    "server_answer",
]

PS_VERSION = "2.0"
SERIALIZATION_VERSION = "1.1.0.1"

#: The versions that a server adopts. They count by their text: ``2.3.0.0`` is none of them.
KNOWN = ("2.0", "2.1", "2.2", "2.3")

#: Connecting to a disconnected pool came with this version.
_CONNECT_SINCE = (2, 2)


def number(version: str) -> tuple[int, int]:
    """Major and minor, to be compared; (-1, -1) for a text that is no version."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal() and len(version) < 50):
        return -1, -1
    return int(major), int(minor)


def _reaches(theirs: str, ours: str) -> bool:
    their_major, their_minor = number(theirs)
    our_major, our_minor = number(ours)
    return their_major == our_major and their_minor >= our_minor


def server_answer(
    client: SessionCapability, own: str, *, connecting: bool = False
) -> tuple[SessionCapability, str | None]:
    """The capability that a server of version ``own`` answers, and why it refuses or None.

    A refused client gets an answer as well, and then nothing. [ref] serverremotesession.cs
    """
    asked = client.protocol_version
    refused: str | None = None
    if asked in KNOWN and number(asked) <= number(own):
        answer = asked
        if connecting and number(asked) < _CONNECT_SINCE:
            refused = f"protocol version {asked} cannot connect to a pool; 2.2 is the least"
    else:
        answer = own
        if not _reaches(asked, own):
            refused = f"protocol version {asked} is not supported; ours is {own}"
    if not _reaches(client.ps_version, PS_VERSION):
        refused = f"PSVersion {client.ps_version} is not supported; it must be {PS_VERSION}"
    if not _reaches(client.serialization_version, SERIALIZATION_VERSION):
        refused = (
            f"SerializationVersion {client.serialization_version} is not supported; "
            f"it must be {SERIALIZATION_VERSION}"
        )
    return SessionCapability(protocol_version=answer), refused


def client_accepts(server: SessionCapability, own: str) -> str | None:
    """Why a client of version ``own`` refuses what the server negotiated, or None."""
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
