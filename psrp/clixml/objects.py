"""Objects, their members, and the values that are text with a meaning. [MS-PSRP] 2.2.5.2"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from psrp.clixml.bounded_repr import show
from psrp.clixml.containers import TypeNames
from psrp.clixml.equality import equal, mapping_parts
from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

__all__ = [
    "Credential",
    "MemberSet",
    "PSObject",
    "ProgressRecord",
    "ScriptBlock",
    "SecureString",
    "Uri",
    "Version",
    "XmlDocument",
    "absorb_value",
]

_CREDENTIAL = "System.Management.Automation.PSCredential"
CUSTOM_OBJECT: TypeNames = ("System.Management.Automation.PSCustomObject", "System.Object")


class MemberSet(dict[str, Any]):
    """A set of members inside the members of an object, as in ``<MS N="PSStandardMembers">``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return show(self)

    def _contents(self) -> tuple[str, Iterable[Any], str]:
        return "MemberSet({", self.items(), "})"

    def __eq__(self, other: object) -> bool:
        return equal(self, other) if isinstance(other, dict) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def _parts(self, other: object, strict: bool) -> list[tuple[Any, Any]] | None:
        return mapping_parts(self, other, strict)


class PSObject:
    """An object with properties, or a value with additional properties. [MS-PSRP] 2.2.5.2

    type_names: the .NET types, most derived first; empty when the element has none.
    adapted: the properties of the .NET type (``<Props>``); None if that part is absent.
    extended: properties added to the object (``<MS>``); a nested set is a `MemberSet`.
    to_string: the text that PowerShell shows for it, or None.
    value: the primitive or container inside: the number of an enum, the text of a string
        with notes; None if the object has only properties. The type names of a container in
        here count only if the object has none.

    As a mapping it shows both kinds of property, an extended one hiding an adapted one of the
    same name; a name without an exact match is looked up without regard to case.
    """

    __slots__ = ("adapted", "extended", "to_string", "type_names", "value")

    type_names: TypeNames
    adapted: dict[str, Any] | None
    extended: dict[str, Any]
    to_string: str | None
    value: Any

    def __init__(
        self,
        type_names: Iterable[str] = (),
        adapted: Mapping[str, Any] | None = None,
        extended: Mapping[str, Any] | None = None,
        to_string: str | None = None,
        value: Any = None,
    ) -> None:
        self.type_names = tuple(type_names)
        self.adapted = None if adapted is None else dict(adapted)
        self.extended = {} if extended is None else dict(extended)
        self.to_string = to_string
        self.value = value

    @classmethod
    def custom(cls, /, **notes: Any) -> Self:
        """Return the object that ``[pscustomobject]@{...}`` makes."""
        return cls(CUSTOM_OBJECT, extended=notes)

    def _name(self, name: str) -> tuple[dict[str, Any], str] | None:
        for members in (self.extended, self.adapted):
            if members and name in members:
                return members, name
        folded = name.casefold()
        for members in (self.extended, self.adapted):
            for known in members or ():
                if known.casefold() == folded:
                    return members or {}, known
        return None

    def __getitem__(self, name: str) -> Any:
        if name in self.extended:
            return self.extended[name]
        found = self._name(name)
        if found is None:
            raise KeyError(name)
        return found[0][found[1]]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the property, or ``default`` if the object has none of that name."""
        if name in self.extended:
            return self.extended[name]
        found = self._name(name)
        return default if found is None else found[0][found[1]]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._name(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of all properties: adapted ones first, each name once."""
        hidden = {name.casefold() for name in self.extended} if self.adapted else ()
        for name in self.adapted or ():
            if name.casefold() not in hidden:
                yield name
        yield from self.extended

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return True

    def keys(self) -> list[str]:
        return list(self)

    def items(self) -> list[tuple[str, Any]]:
        return [(name, self[name]) for name in self]

    def __repr__(self) -> str:
        """Return type and property names, without values, which may be endless or secret."""
        kind = self.type_names[0] if self.type_names else ""
        shown = [repr(kind)] if kind else []
        if self.to_string is not None:
            shown.append(f"to_string={self.to_string!r}")
        if self.value is not None:
            shown.append(f"value=<{type(self.value).__name__}>")
        if names := list(self):
            shown.append("members=" + ", ".join(names[:12]) + (", ..." if names[12:] else ""))
        return f"<PSObject {' '.join(shown)}>" if shown else "<PSObject>"

    def __eq__(self, other: object) -> bool:
        return equal(self, other) if isinstance(other, PSObject) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def _parts(self, other: object, strict: bool) -> list[tuple[Any, Any]] | None:
        if (
            not isinstance(other, PSObject)
            or self.type_names != other.type_names
            or self.to_string != other.to_string
        ):
            return None
        return [
            (self.adapted, other.adapted),
            (self.extended, other.extended),
            (self.value, other.value),
        ]


def absorb_value(outer: PSObject) -> None:
    """Merge an object with the object that is its value.

    The outer one's type names, text and members take precedence, as when PowerShell reads an
    ``<Obj>`` inside an ``<Obj>``. Afterwards ``value`` is that of the inner one.
    """
    inner = outer.value
    outer.value = inner.value
    outer.type_names = outer.type_names or inner.type_names
    if outer.to_string is None:
        outer.to_string = inner.to_string
    outer.extended = _overlaid(inner.extended, outer.extended)
    if inner.adapted is not None:
        outer.adapted = _overlaid(inner.adapted, outer.adapted or {})


def _overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    hidden = {name.casefold() for name in above}
    kept = {name: value for name, value in below.items() if name.casefold() not in hidden}
    return {**kept, **above}


class Version(str):
    """System.Version: two to four numbers below 2^31. Other text raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not _VERSION.fullmatch(text) or max(map(int, text.split("."))) > 2**31 - 1:
            raise ValueError("a Version is two to four numbers with dots between")
        return str.__new__(cls, text)

    @property
    def parts(self) -> tuple[int, ...]:
        return tuple(map(int, self.split(".")))

    def __repr__(self) -> str:
        return f"Version({str.__repr__(self)})"


_VERSION = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,10}){1,3}")


class Uri(str):
    """System.Uri, absolute or relative, as spelt. Malformed brackets raise ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        _, slashes, rest = text.partition("//")
        if slashes and ("[" in rest or "]" in rest):
            host = _AUTHORITY.match(rest)
            if host is None or not _HOST.fullmatch(host[0]):
                raise ValueError("the brackets of a Uri do not enclose an address")
        return str.__new__(cls, text)

    def __repr__(self) -> str:
        return f"Uri({str.__repr__(self)})"


_AUTHORITY = re.compile(r"[^/?#]*")
_HOST = re.compile(r"[^\[\]]*(?:\[[0-9A-Fa-f:.%\w]*\](?::[0-9]*)?)?")


class ScriptBlock(str):
    """The source of a script block. PowerShell reads it back as a plain string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"ScriptBlock({str.__repr__(self)})"


class XmlDocument(str):
    """The outer text of an XML document, not parsed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"XmlDocument({str.__repr__(self)})"


class SecureString:
    """A secret: open (its text is known), or sealed (the encrypted text of ``<SS>`` is known).

    Immutable; two are equal when both are open with the same text or sealed with the same.
    """

    __slots__ = ("_plain", "_sealed")

    _plain: str | None
    _sealed: str | None

    def __init__(self, plain: str) -> None:
        self._plain = plain
        self._sealed = None

    @classmethod
    def from_sealed(cls, text: str) -> Self:
        """Return a secret that only the holder of the key can open."""
        secret = cls.__new__(cls)
        secret._plain = None
        secret._sealed = text
        return secret

    @property
    def sealed(self) -> str | None:
        """The text of the ``<SS>`` element, or None when the secret is open."""
        return self._sealed

    def reveal(self) -> str:
        """Return the secret text. Raises LocalProtocolError if it is sealed."""
        if self._plain is None:
            raise LocalProtocolError("cannot reveal a sealed SecureString: only its key opens it")
        return self._plain

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecureString):
            return NotImplemented
        return self._plain == other._plain and self._sealed == other._sealed

    def __hash__(self) -> int:
        return hash((self._plain, self._sealed))

    def __repr__(self) -> str:
        return "SecureString(<sealed>)" if self._plain is None else "SecureString(<open>)"


class Credential:
    """A user's name and password, System.Management.Automation.PSCredential. [MS-PSRP] 2.2.3.25

    ``Credential("user", "password")``; the name may be ``DOMAIN\\\\user`` or ``user@domain``.
    Immutable. As an argument, input or ``$using:`` value it reaches a script as a credential.
    """

    __slots__ = ("_password", "_user_name")

    def __init__(self, user_name: str, password: str | SecureString) -> None:
        self._user_name = user_name
        self._password = SecureString(password) if isinstance(password, str) else password

    @property
    def user_name(self) -> str:
        return self._user_name

    @property
    def password(self) -> SecureString:
        return self._password

    def to_object(self) -> PSObject:
        """Return the object that CLIXML has for it."""
        members = {"UserName": self._user_name, "Password": self._password}
        return PSObject((_CREDENTIAL, "System.Object"), members, to_string=_CREDENTIAL)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credential):
            return NotImplemented
        return self._user_name == other._user_name and self._password == other._password

    def __hash__(self) -> int:
        return hash((self._user_name, self._password))

    def __repr__(self) -> str:
        return f"Credential({self._user_name!r}, {self._password!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressRecord:
    """A progress record inside other data, element PR. [MS-PSRP] 2.2.5.1.25

    (A PROGRESS_RECORD message is an object instead.) ``seconds`` and ``percent`` are -1 when
    unknown, ``parent_activity_id`` is -1 when there is no parent.
    """

    activity: str
    activity_id: int
    status: str
    current_operation: str | None = None
    parent_activity_id: int = -1
    percent: int = -1
    seconds: int = -1
    type: str = "Processing"
