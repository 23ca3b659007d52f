"""Comparison of our conversions with PowerShell's answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psremoting.powershell.conversion import ConversionError, convert
from psrp import clixml
from tests.live.conversions import TYPES

__all__ = ["ACCEPTED", "compare", "reason_to_differ"]

_PREFIX = "Cannot process argument transformation on parameter 'p'. "
_SWITCH = "System.Management.Automation.SwitchParameter"


def compare(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the value, the type, our answer and PowerShell's for each pair."""
    for row in rows:
        for type_name, answer in zip(TYPES, row["answers"], strict=True):
            yield row["value"], type_name, _ours(row["clixml"], type_name), _theirs(answer)


def _ours(value: str, type_name: str) -> str:
    try:
        made = convert(clixml.loads(value.encode()), type_name, received=True)
    except ConversionError as error:
        return f"error: {error.message}"
    if type_name == _SWITCH:
        return str(made)
    return _written(made)


def _theirs(answer: dict[str, str]) -> str:
    if "id" in answer:
        assert answer["id"] == "ParameterArgumentTransformationError"
        return "error: " + answer["message"].removeprefix(_PREFIX).replace("\r\n", "\n")
    made = clixml.loads(answer["clixml"].encode())
    if isinstance(made, clixml.PSObject) and _SWITCH in made.type_names:
        return str(made["IsPresent"])
    return _written(made)


def _written(value: Any) -> str:
    """Return CLIXML without the prefix of deserialized type names."""
    bare = value.value if isinstance(value, clixml.PSObject) and not value.type_names else value
    return clixml.dumps(value if bare is None else bare).decode().replace("Deserialized.", "")


ACCEPTED = {
    "secret": "the text of a value that was meant to be a secret stays out of the error",
    "order": "the order of an ordered dictionary is kept",
    "nested array": "an array in an array keeps its own type name",
    "passed on": "an object that is passed on is written with another depth, a script block as one",
    "odd constructor": "PowerShell finds a constructor or a null argument by accident",
    "today": "the answer depends on the day on which it was asked",
}
"""The reasons why an answer may differ, by the keys that `reason_to_differ` returns."""


def reason_to_differ(value: str, type_name: str, theirs: str) -> str | None:
    """Return the key of `ACCEPTED` that a difference falls under, None for a fault."""
    if type_name == "System.Security.SecureString":
        return "secret"
    if type_name == "System.Collections.Hashtable" and value.startswith("[ordered]"):
        return "order"
    if type_name in ("System.Object[]", "System.Array") and value.startswith(("@(@(", "@(,")):
        return "nested array"
    if type_name in ("System.Object[]", "System.Array"):
        return "passed on"
    odd = value.startswith("[char]") and type_name in (
        "System.Collections.Hashtable",
        "System.Guid[]",
    )
    if odd or 'argument "obj" is null' in theirs or "Set accessor" in theirs:
        return "odd constructor"
    return None
