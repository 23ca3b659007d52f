"""The users of the operating system."""

from __future__ import annotations

__all__ = ["user_name"]


def user_name(uid: int) -> str:
    """Return the name of a user id; its digits if the system knows no such user."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
