"""A user's name and password, as ``-Credential`` takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psrp.clixml import SecureString

__all__ = ["Credential"]


@dataclass(frozen=True, slots=True)
class Credential:
    """``Credential("user", "password")``; the name may be ``DOMAIN\\\\user`` or ``user@domain``."""

    user_name: str
    password: str | SecureString = field(repr=False)

    @property
    def plain_password(self) -> str:
        """The password in the clear."""
        if isinstance(self.password, str):
            return self.password
        return self.password.reveal()
