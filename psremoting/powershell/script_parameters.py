"""The variables of a script whose commands are sent: parameters, ``$args``, ``$using:`` values.

Parameters are bound as PowerShell's client binds them before it converts a script: by position,
with defaults, types and validation. spec-notes/constrained-endpoints.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from psremoting.powershell import syntax as s
from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.evaluator import Scope, cast, evaluate
from psremoting.powershell.operators import binary, order
from psremoting.powershell.parse_errors import ParseError
from psremoting.powershell.parser import parse
from psremoting.powershell.text_operators import text_matches
from psremoting.powershell.type_names import full_type_name
from psremoting.powershell.type_values import CASTS, SWITCH
from psrp.clixml import Dictionary, List
from psrp.properties import unwrap

__all__ = ["ScriptScope", "Using"]

Using = Mapping[str, Any] | Callable[[str], Any]
"""The values of ``$using:`` variables by name, in any case; or a function that gives one."""

_CONSTANTS = frozenset({"true", "false", "null"})
_IGNORED = frozenset(
    {
        "parameter", "alias", "allownull", "allowemptystring", "allowemptycollection",
        "supportswildcards", "psdefaultvalue",
    }
)  # fmt: skip
"""Attributes that do not change the value of a positional argument."""
_NAMED_ARGUMENT = re.compile(r",\s*\w+\s*=.*", re.DOTALL)


class ScriptScope(Scope):
    """Constants, the script's parameters, ``$args`` and ``$using:`` values."""

    types = True

    def __init__(self, script: s.Script, arguments: Sequence[Any], using: Using) -> None:
        self._using = using
        self._known: dict[str, Any] = {"args": List()}
        rest = list(arguments)
        for each in script.parameters:
            folded = each.name.casefold()
            if folded in _CONSTANTS or (folded in self._known and folded != "args"):
                raise Unsupported(f"a parameter that cannot have this name: ${each.name}")
            self._known[folded] = self._parameter(each, rest)
        self._known["args"] = List(rest)

    def has(self, name: str) -> bool:
        """Return True if ``name`` is a parameter, ``args`` or a ``using:`` variable."""
        folded = name.casefold()
        return folded in self._known or folded.startswith("using:")

    def variable(self, name: str) -> Any:
        """Return the value of a variable. Raises Unsupported."""
        folded = name.casefold()
        if folded in self._known:
            return self._known[folded]
        if folded.startswith("using:"):
            return self._using_value(name[len("using:") :])
        return super().variable(name)

    def _using_value(self, name: str) -> Any:
        if callable(self._using):
            return self._using(name)
        folded = name.casefold()
        for each, value in self._using.items():
            if each.casefold() == folded:
                return value
        raise Unsupported(f"a variable without a value: $using:{name}")

    def _parameter(self, parameter: s.ScriptParameter, rest: list[Any]) -> Any:
        value, missing = self._default(parameter, needed=not rest)
        if rest:
            value, missing = rest.pop(0), False
        if parameter.type_name is not None:
            value = _typed(value, parameter.type_name, missing)
        for each in parameter.attributes:
            _apply(each, value, parameter.name)
        return value

    def _default(self, parameter: s.ScriptParameter, *, needed: bool) -> tuple[Any, bool]:
        """Return the default value; even one that is not needed has to be constant."""
        if parameter.default is None:
            return None, True
        try:
            return evaluate(parameter.default, self), False
        except EvaluationError:
            if needed:
                raise
            return None, True


def _typed(value: Any, type_name: str, missing: bool) -> Any:
    full = full_type_name(type_name)
    if full in ("System.Boolean", SWITCH) and missing:
        return cast(False, type_name)
    if value is None and (full == "System.Array" or (full in CASTS and full != SWITCH)):
        return None
    return cast(value, type_name)


def _apply(attribute: str, value: Any, parameter: str) -> None:
    """Raise Unsupported for a value that ``attribute`` refuses, and for an unknown attribute."""
    name, _, rest = attribute.partition("(")
    folded = name.strip().casefold().removesuffix("attribute")
    if folded in _IGNORED:
        return
    check = _CHECKS.get(folded)
    if check is None:
        raise Unsupported(f"a parameter with the attribute [{name.strip()}]: ${parameter}")
    try:
        allowed = check(value, _arguments(rest))
    except (EvaluationError, IndexError):
        allowed = False
    if not allowed:
        raise Unsupported(f"a value that [{name.strip()}] refuses: ${parameter}")


def _arguments(text: str) -> list[Any]:
    """Return the positional arguments of an attribute, from the text after its bracket."""
    if "{" in text:
        raise Unsupported("a script block in an attribute")
    text = _NAMED_ARGUMENT.sub("", text.rstrip().removesuffix(")"))
    if not text.strip():
        return []
    try:
        (statement,) = parse(f"({text})").statements
        expression = statement.pure_expression if isinstance(statement, s.Pipeline) else None
    except (ParseError, ValueError):
        expression = None
    if expression is None:
        raise Unsupported("the arguments of an attribute")
    value = evaluate(expression, Scope())
    return value if isinstance(value, list) else [value]


def _in_set(value: Any, allowed: list[Any]) -> bool:
    return bool(binary("-in", value, List(allowed)))


def _in_range(value: Any, limits: list[Any]) -> bool:
    return order(value, limits[0], False) >= 0 and order(value, limits[1], False) <= 0


def _has_length(value: Any, limits: list[Any]) -> bool:
    return isinstance(value, str) and limits[0] <= len(value) <= limits[1]


def _has_count(value: Any, limits: list[Any]) -> bool:
    return isinstance(value, list | Dictionary) and limits[0] <= len(value) <= limits[1]


def _is_present(value: Any, _: list[Any]) -> bool:
    return value is not None and not (isinstance(value, list) and None in value)


def _is_filled(value: Any, arguments: list[Any]) -> bool:
    plain = unwrap(value)
    return _is_present(value, arguments) and not (isinstance(plain, str | list) and not plain)


def _fits_pattern(value: Any, pattern: list[Any]) -> bool:
    return text_matches(str(unwrap(value)), str(pattern[0]), False)


_CHECKS: dict[str, Callable[[Any, list[Any]], bool]] = {
    "validateset": _in_set,
    "validaterange": _in_range,
    "validatelength": _has_length,
    "validatecount": _has_count,
    "validatenotnull": _is_present,
    "validatenotnullorempty": _is_filled,
    "validatepattern": _fits_pattern,
}
