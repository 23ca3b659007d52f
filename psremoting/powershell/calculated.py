"""Properties that a script or a hashtable defines: ``{ -$_ }``, ``@{ n = 'x'; e = { 2 } }``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psremoting.powershell.evaluation_errors import EvaluationError, Unsupported
from psremoting.powershell.operators import truth
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary, ScriptBlock
from psrp.properties import unwrap

__all__ = ["Calculated", "property_spec"]

_KEYS = {
    "n": "name",
    "name": "name",
    "l": "name",
    "label": "name",
    "e": "expression",
    "expression": "expression",
    "descending": "descending",
    "ascending": "ascending",
}
_LAYOUT = ("width", "alignment", "align", "formatstring", "format", "depth")


@dataclass(frozen=True, slots=True)
class Calculated:
    """A property with a name of its own. The value is that of a script, or of another property."""

    name: str
    expression: ScriptBlock | str
    descending: bool | None = None
    """The order of Sort-Object; None for that of the command."""


def property_spec(value: Any) -> str | Calculated:
    """Return a property as a name or as `Calculated`. Raises EvaluationError and Unsupported."""
    inner = unwrap(value)
    if isinstance(inner, ScriptBlock):
        return Calculated(str(inner), inner)
    if not isinstance(inner, Dictionary | Mapping):
        return to_text(value)
    found: dict[str, Any] = {}
    for key, item in inner.items():
        name = to_text(key)
        if name.casefold() in _LAYOUT:
            raise Unsupported(f"the key {name} of a property")
        meaning = _KEYS.get(name.casefold())
        if meaning is None:
            raise EvaluationError(f"The {name} key is not valid.", "DictionaryKeyIllegal")
        found[meaning] = item
    expression = unwrap(found.get("expression"))
    if expression is None:
        raise EvaluationError('The "Expression" key is missing.', "DictionaryKeyMandatoryEntry")
    if not isinstance(expression, ScriptBlock):
        expression = to_text(expression)
    descending = None
    if "descending" in found or "ascending" in found:
        descending = truth(found.get("descending", not truth(found.get("ascending", True))))
    name = to_text(found["name"]) if "name" in found else str(expression)
    return Calculated(name, expression, descending)
