"""Advice for failures of WS-Man that an option of this side can avoid."""

from __future__ import annotations

from wsman.errors import WSManError

__all__ = ["wsman_hint"]

_NAME = (
    "use a name of the certificate, or accept another one with --skip-cn-check "
    "(New-PSSessionOption -SkipCNCheck)."
)
_AUTHORITY = (
    "name the authority with --ca-file, or accept any authority with --skip-ca-check "
    "(New-PSSessionOption -SkipCACheck)."
)
_HINTS = (
    (
        "not among the trusted hosts",
        "use HTTPS, or trust the host with --trusted-host or PSRP_TRUSTED_HOSTS.",
    ),
    (
        "unencrypted traffic",
        "use HTTPS, or allow unencrypted traffic with --allow-unencrypted.",
    ),
    ("is not for the name", _NAME),
    ("Hostname mismatch", _NAME),
    ("IP address mismatch", _NAME),
    ("certificate verify failed", _AUTHORITY),
    ("self-signed certificate", _AUTHORITY),
    ("unable to get local issuer", _AUTHORITY),
)
"""Part of a message, and the advice; the first that fits is used."""


def wsman_hint(error: WSManError) -> str:
    """Return advice for a failure, by its message; empty for none."""
    return next((hint for part, hint in _HINTS if part in error.message), "")
