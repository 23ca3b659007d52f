"""The versions of the protocol, and the first version with each feature."""

from __future__ import annotations

from typing import TypeAlias

__all__ = [
    "BATCHES_SINCE",
    "CONNECT_SINCE",
    "INFORMATION_SINCE",
    "KNOWN",
    "LATEST",
    "NESTED_REQUIRED_SINCE",
    "OLDEST",
    "PLAIN_SECRETS_SINCE",
    "PS_VERSION",
    "RESET_SINCE",
    "SERIALIZATION_VERSION",
    "UNREQUESTED_KEY_SINCE",
    "ProtocolVersion",
    "number",
]

ProtocolVersion: TypeAlias = tuple[int, int]
"""Major and minor number."""

OLDEST: ProtocolVersion = (2, 0)
LATEST: ProtocolVersion = (2, 3)
"""The version that PowerShell announces, and our default."""

CONNECT_SINCE: ProtocolVersion = (2, 2)
"""Disconnect, reconnect and connect."""
UNREQUESTED_KEY_SINCE: ProtocolVersion = (2, 2)
"""A server encrypts secrets with its session key before the client has requested the key."""
BATCHES_SINCE: ProtocolVersion = (2, 2)
"""Several statements in one pipeline, and merging of single streams."""
NESTED_REQUIRED_SINCE: ProtocolVersion = (2, 2)
"""IsNested is a mandatory property of CREATE_PIPELINE."""
INFORMATION_SINCE: ProtocolVersion = (2, 3)
"""The information stream."""
RESET_SINCE: ProtocolVersion = (2, 3)
"""RESET_RUNSPACE_STATE."""
PLAIN_SECRETS_SINCE: ProtocolVersion = (2, 4)
"""SecureStrings are not encrypted by the protocol; there is no session key."""

PS_VERSION = "2.0"
SERIALIZATION_VERSION = "1.1.0.1"

#: The versions that a server accepts, compared as text: ``2.3.0.0`` is none of them.
KNOWN = ("2.0", "2.1", "2.2", "2.3")


def number(version: str) -> ProtocolVersion:
    """Return major and minor number; (-1, -1) for a text that is not a version."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    if not (major.isdecimal() and minor.isdecimal() and len(version) < 50):
        return -1, -1
    return int(major), int(minor)
