"""Security descriptors in the Security Descriptor Definition Language. [MS-DTYP] 2.5.1

`parse_sddl` reads a descriptor, `format_sddl` writes one in the form of Windows: aliases for
well-known SIDs, rights in ascending order of their bits.
"""

from __future__ import annotations

import re

from psremoting.administration.access_conditions import Condition, parse_condition
from psremoting.administration.configurations import AdministrationError
from psremoting.administration.security_identifiers import ALIASES, SID_ALIASES, parse_sid
from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

__all__ = [
    "GENERIC_ALL",
    "GENERIC_EXECUTE",
    "Ace",
    "Acl",
    "SddlError",
    "SecurityDescriptor",
    "format_sddl",
    "parse_sddl",
]

GENERIC_ALL = 0x10000000
GENERIC_EXECUTE = 0x20000000
_MAX_TEXT = 65_535
_MAX_ACES = 1_820
"""An access control list has at most 64 KiB, and an entry at least 36 bytes with its header."""

_RIGHTS = {
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80,
    "CR": 0x100, "SD": 0x10000, "RC": 0x20000, "WD": 0x40000, "WO": 0x80000,
    "GA": GENERIC_ALL, "GX": GENERIC_EXECUTE, "GW": 0x40000000, "GR": 0x80000000,
}  # fmt: skip
"""Rights of one bit, in ascending order."""
_COMBINED = {
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
    "KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019,
}  # fmt: skip
_ACE_TYPES = ("A", "D", "AU", "AL", "OA", "OD", "OU", "OL", "XA", "XD", "XU")
_WITH_CONDITION = ("XA", "XD", "XU")
_WITH_GUIDS = ("OA", "OD", "OU", "OL")
_ACE_FLAGS = ("CI", "OI", "NP", "IO", "ID", "SA", "FA")
_NULL_ACL = "NO_ACCESS_CONTROL"
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SID = re.compile(r"S-[0-9xXa-fA-F-]*[0-9a-fA-F](?!:)")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}")


class SddlError(AdministrationError):
    """The text is no security descriptor; ``offset`` is the place in it, from 0."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"SDDL, character {offset + 1}: {message}")
        self.offset = offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Ace:
    """One access control entry."""

    type: str
    """``A`` allows, ``D`` denies, ``XA`` and ``XD`` under a condition; others do neither."""
    flags: tuple[str, ...] = ()
    mask: int
    object_guid: str = ""
    inherit_guid: str = ""
    sid: str
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acl:
    """An access control list."""

    flags: tuple[str, ...] = ()
    """``P`` (protected), ``AR`` and ``AI``."""
    aces: tuple[Ace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityDescriptor:
    """Owner, group and the two lists; a list that is None is missing."""

    owner: str = ""
    group: str = ""
    dacl: Acl | None = None
    sacl: Acl | None = None


# -- reading


def parse_sddl(text: str) -> SecurityDescriptor:
    """Read a security descriptor. Raises SddlError with the place."""
    if len(text) > _MAX_TEXT:
        raise SddlError(f"a descriptor has at most {_MAX_TEXT} characters", _MAX_TEXT)
    return _Reader(text).descriptor()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _fail(self, message: str, at: int | None = None) -> SddlError:
        return SddlError(message, self._at if at is None else at)

    def _starts(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def descriptor(self) -> SecurityDescriptor:
        found: dict[str, str | Acl] = {}
        while self._at < len(self._text):
            start = self._at
            kind = self._text[start]
            if kind not in "OGDS" or not self._text.startswith(":", start + 1):
                raise self._fail("expected O:, G:, D: or S:")
            if kind in found:
                raise self._fail(f"{kind}: occurs more than once")
            self._at += 2
            if kind in "OG":
                found[kind] = self._sid()
            else:
                found[kind] = self._acl()
        owner, group, dacl, sacl = (found.get(kind) for kind in "OGDS")
        return SecurityDescriptor(
            owner=owner if isinstance(owner, str) else "",
            group=group if isinstance(group, str) else "",
            dacl=dacl if isinstance(dacl, Acl) else None,
            sacl=sacl if isinstance(sacl, Acl) else None,
        )

    def _sid(self) -> str:
        """Read an alias or a SID."""
        start = self._at
        if self._starts("S-"):
            # The hexadecimal D of a SID must not be taken for the beginning of "D:".
            found = _SID.match(self._text, start)
            taken = found[0] if found else self._text[start : start + 1]
            try:
                sid = parse_sid(taken)
            except LocalProtocolError as error:
                raise self._fail(str(error), start) from None
            self._at += len(taken)
            return sid
        alias = self._text[start : start + 2]
        if alias not in ALIASES:
            raise self._fail(f"expected a SID or its alias, got {alias!r}")
        self._at += 2
        return ALIASES[alias]

    def _acl(self) -> Acl:
        if self._starts(_NULL_ACL):
            raise self._fail("NO_ACCESS_CONTROL would give everybody access")
        flags: list[str] = []
        while self._at < len(self._text) and self._text[self._at] != "(":
            flag = next((each for each in ("AR", "AI", "P") if self._starts(each)), None)
            if flag is None:
                break
            if flag in flags:
                raise self._fail(f"the flag {flag} occurs more than once")
            flags.append(flag)
            self._at += len(flag)
        aces: list[Ace] = []
        while self._starts("("):
            if len(aces) == _MAX_ACES:
                raise self._fail(f"a list has at most {_MAX_ACES} entries")
            aces.append(self._ace())
        return Acl(flags=tuple(flags), aces=tuple(aces))

    def _ace(self) -> Ace:
        self._at += 1
        kind_at = self._at
        kind = self._field()
        if kind not in _ACE_TYPES:
            raise self._fail(f"expected a type of entry ({', '.join(_ACE_TYPES)}), got {kind!r}",
                             kind_at)  # fmt: skip
        flags_at = self._at
        flags = self._pairs(self._field(), flags_at, _ACE_FLAGS)
        mask_at = self._at
        mask = self._mask(self._field(), mask_at)
        guids = [self._guid(kind, self._at, self._field()) for _ in range(2)]
        sid = self._sid()
        condition = None
        if kind in _WITH_CONDITION:
            if not self._starts(";"):
                raise self._fail("expected ; and a condition")
            condition = self._condition()
        if not self._starts(")"):
            raise self._fail("expected ) at the end of the entry")
        self._at += 1
        return Ace(
            type=kind, flags=flags, mask=mask, object_guid=guids[0], inherit_guid=guids[1],
            sid=sid, condition=condition,
        )  # fmt: skip

    def _field(self) -> str:
        """Take the text up to the next semicolon."""
        end = self._text.find(";", self._at)
        close = self._text.find(")", self._at, end if end >= 0 else None)
        if end < 0 or close >= 0:
            raise self._fail(
                "expected six fields, separated by ;", close if close >= 0 else len(self._text)
            )
        taken = self._text[self._at : end]
        self._at = end + 1
        return taken

    def _pairs(self, text: str, at: int, known: tuple[str, ...]) -> tuple[str, ...]:
        found = [text[place : place + 2] for place in range(0, len(text), 2)]
        for place, each in enumerate(found):
            if each not in known or each in found[:place]:
                raise self._fail(f"unexpected flag {each!r}", at + 2 * place)
        return tuple(found)

    def _mask(self, text: str, at: int) -> int:
        if _NUMBER.fullmatch(text):
            number = int(text, 16) if text[1:2] in "xX" and len(text) > 1 else int(text)
            if number >> 32:
                raise self._fail("a mask has 32 bits", at)
            return number
        mask = 0
        for place in range(0, len(text), 2):
            right = text[place : place + 2]
            bits = _RIGHTS.get(right) or _COMBINED.get(right)
            if bits is None:
                raise self._fail(f"unknown right {right!r}", at + place)
            mask |= bits
        return mask

    def _guid(self, kind: str, at: int, text: str) -> str:
        if not text:
            return ""
        if kind not in _WITH_GUIDS:
            raise self._fail(f"an entry of type {kind} has no object", at)
        if not _GUID.fullmatch(text):
            raise self._fail("expected a GUID", at)
        return text.lower()

    def _condition(self) -> Condition:
        self._at += 1
        try:
            condition, self._at = parse_condition(self._text, self._at)
        except LocalProtocolError as error:
            raise self._fail(str(error)) from None
        return condition


# -- writing


def format_sddl(descriptor: SecurityDescriptor) -> str:
    """Return the text that `parse_sddl` reads."""
    parts = []
    for kind, sid in (("O", descriptor.owner), ("G", descriptor.group)):
        if sid:
            parts.append(f"{kind}:{SID_ALIASES.get(sid, sid)}")
    for kind, acl in (("D", descriptor.dacl), ("S", descriptor.sacl)):
        if acl is not None:
            parts += [kind, ":", *acl.flags, *map(_ace_text, acl.aces)]
    return "".join(parts)


def _ace_text(ace: Ace) -> str:
    fields = [
        ace.type, "".join(ace.flags), _mask_text(ace.mask), ace.object_guid, ace.inherit_guid,
        SID_ALIASES.get(ace.sid, ace.sid),
    ]  # fmt: skip
    if ace.condition is not None:
        fields.append(str(ace.condition))
    return f"({';'.join(fields)})"


def _mask_text(mask: int) -> str:
    for name, bits in _COMBINED.items():
        if bits == mask:
            return name
    names = [name for name, bits in _RIGHTS.items() if mask & bits]
    if mask & ~sum(_RIGHTS.values()):
        return f"0x{mask:x}"
    return "".join(names)
