"""The conditions of access control entries: membership in groups. [MS-DTYP] 2.4.4.17

    (Member_of {SID(BA)} && !(Member_of_Any {SID(S-1-5-21-1-2-3-1001), SID(BG)}))

Claims and attributes of resources do not exist here, so a condition that uses one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set

from psremoting.administration.security_identifiers import ALIASES, SID_ALIASES, parse_sid
from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError

__all__ = ["Condition", "parse_condition"]

_TOKEN = re.compile(
    r"\s*(?:(?P<word>(?:Not_)?Member_of(?:_Any)?)\b|(?P<sign>&&|\|\||[!(){},])"
    r"|SID\(\s*(?P<sid>[^()]{1,200}?)\s*\))",
    re.IGNORECASE,
)
_WORDS = {
    each.lower(): each
    for each in ("Member_of", "Member_of_Any", "Not_Member_of", "Not_Member_of_Any")
}
_DEEPEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition. ``operator`` is ``&&``, ``||``, ``!`` with parts, or a test of membership."""

    operator: str
    parts: tuple[Condition, ...] = ()
    sids: tuple[str, ...] = ()

    def holds(self, sids: Set[str]) -> bool:
        """Return whether the condition is true for a user with these SIDs."""
        if self.operator == "&&":
            return all(each.holds(sids) for each in self.parts)
        if self.operator == "||":
            return any(each.holds(sids) for each in self.parts)
        if self.operator == "!":
            return not self.parts[0].holds(sids)
        found = [each in sids for each in self.sids]
        member = any(found) if self.operator.endswith("_Any") else all(found)
        return member is not self.operator.startswith("Not_")

    def __str__(self) -> str:
        return f"({self._text()})"

    def _text(self) -> str:
        if self.operator == "!":
            return f"!{self.parts[0]}"
        if self.parts:
            return f" {self.operator} ".join(map(str, self.parts))
        sids = ", ".join(f"SID({SID_ALIASES.get(each, each)})" for each in self.sids)
        return f"{self.operator} {{{sids}}}"


def parse_condition(text: str, at: int) -> tuple[Condition, int]:
    """Read a condition in parentheses; return it and the place behind it.

    Raises LocalProtocolError.
    """
    reader = _Reader(text, at)
    reader.sign("(")
    condition = reader.either(0)
    reader.sign(")")
    return condition, reader.at


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self.at = at

    def _peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self._text, self.at)

    def _take(self, sign: str) -> bool:
        found = self._peek()
        if found is None or found["sign"] != sign:
            return False
        self.at = found.end()
        return True

    def sign(self, sign: str) -> None:
        if not self._take(sign):
            raise LocalProtocolError(f"expected {sign} in the condition at character {self.at + 1}")

    def either(self, depth: int) -> Condition:
        return self._chain("||", depth, self._both)

    def _both(self, depth: int) -> Condition:
        return self._chain("&&", depth, self._one)

    def _chain(self, sign: str, depth: int, part: Callable[[int], Condition]) -> Condition:
        parts = [part(depth)]
        while self._take(sign):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else Condition(operator=sign, parts=tuple(parts))

    def _one(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise LocalProtocolError(f"a condition is nested at most {_DEEPEST} deep")
        if self._take("!"):
            return Condition(operator="!", parts=(self._one(depth + 1),))
        if self._take("("):
            inner = self.either(depth + 1)
            self.sign(")")
            return inner
        found = self._peek()
        if found is None or not found["word"]:
            raise LocalProtocolError(
                f"expected Member_of or Member_of_Any in the condition at character {self.at + 1}"
            )
        self.at = found.end()
        self.sign("{")
        sids = [self._sid()]
        while self._take(","):
            sids.append(self._sid())
        self.sign("}")
        return Condition(operator=_WORDS[found["word"].lower()], sids=tuple(sids))

    def _sid(self) -> str:
        found = self._peek()
        if found is None or not found["sid"]:
            raise LocalProtocolError(
                f"expected SID(...) in the condition at character {self.at + 1}"
            )
        self.at = found.end()
        return ALIASES.get(found["sid"]) or parse_sid(found["sid"])
