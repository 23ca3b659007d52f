"""Enums by name, their members, and the lookup of members by text."""

from __future__ import annotations

from collections.abc import Mapping

from psrp.frozen import dataclass

__all__ = ["ENUMS", "Enumeration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """A .NET enum. ``flags`` allows sums of members."""

    name: str
    members: Mapping[str, int]
    flags: bool = False

    def find(self, text: str) -> tuple[str, ...]:
        """Return the members for a text: the one with this name, or all with this prefix."""
        folded = text.casefold()
        for name in self.members:
            if name.casefold() == folded:
                return (name,)
        return tuple(name for name in self.members if name.casefold().startswith(folded))

    def text_of(self, number: int) -> str | None:
        """Return the text of a value, None for a number that is no value of the enum."""
        for name, value in self.members.items():
            if value == number:
                return name
        if not self.flags:
            return None
        parts: list[str] = []
        left = number
        for name, value in sorted(self.members.items(), key=lambda pair: -pair[1]):
            if value and left & value == value:
                parts.append(name)
                left -= value
        return None if left or not parts else ", ".join(reversed(parts))


def _listed(name: str, words: str, *, flags: bool = False) -> Enumeration:
    """Members by their order from 0, or as ``Name=1`` words."""
    members: dict[str, int] = {}
    for at, word in enumerate(words.split()):
        member, has_number, number = word.partition("=")
        members[member] = int(number) if has_number else at
    return Enumeration(name=name, members=members, flags=flags)


_COLORS = (
    "Black DarkBlue DarkGreen DarkCyan DarkRed DarkMagenta DarkYellow Gray DarkGray Blue Green "
    "Cyan Red Magenta Yellow White"
)

ENUMS: dict[str, Enumeration] = {
    each.name: each
    for each in (
        _listed(
            "System.Management.Automation.ActionPreference",
            "SilentlyContinue Stop Continue Inquire Ignore Suspend Break",
        ),
        _listed("System.ConsoleColor", _COLORS),
        _listed("System.DayOfWeek", "Sunday Monday Tuesday Wednesday Thursday Friday Saturday"),
        _listed(
            "System.Management.Automation.Runspaces.AuthenticationMechanism",
            "Default Basic Negotiate NegotiateWithImplicitCredential Credssp Digest Kerberos",
        ),
    )
}
"""The enums that are known by name; others are made where they are used."""
