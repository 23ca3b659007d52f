"""The types of the prompt's parameters: short names, and types of the prompt alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import psremoting.console.object_properties  # noqa: F401 (registers the properties of sessions)
from psremoting.administration.configurations import TransportOption
from psremoting.console.jobs import Job
from psremoting.options import SessionOption
from psremoting.powershell.binding_errors import BindingError
from psremoting.powershell.conversion import ConversionError, convert, to_text
from psremoting.powershell.member_access import property_of
from psremoting.powershell.parameters import ABSENT, Parameter, roles_of
from psremoting.session_table import SessionEntry
from psrp.clixml import Credential, Dictionary, PSObject, ScriptBlock

__all__ = [
    "AUTHENTICATION",
    "as_text",
    "converted",
    "parameter",
    "property_or_absent",
]

AUTHENTICATION = "System.Management.Automation.Runspaces.AuthenticationMechanism"
_TYPES = {
    "string": "System.String",
    "int": "System.Int32",
    "long": "System.Int64",
    "double": "System.Double",
    "version": "System.Version",
    "switch": "System.Management.Automation.SwitchParameter",
    "guid": "System.Guid",
    "uri": "System.Uri",
    "hashtable": "System.Collections.Hashtable",
    "job": "System.Management.Automation.Job",
    "pssession": "System.Management.Automation.Runspaces.PSSession",
    "credential": "System.Management.Automation.PSCredential",
    "sessionoption": "System.Management.Automation.Remoting.PSSessionOption",
    "authentication": AUTHENTICATION,
    "scriptblock": "System.Management.Automation.ScriptBlock",
    "transportoption": "System.Management.Automation.PSTransportOption",
    "object": "System.Object",
    "property": "System.Object",
}
_NEVER_EMPTY = ("int", "long", "double", "switch", "object", "property")


def parameter(
    name: str,
    type: str,
    sets: Mapping[str, str] | Iterable[str] = (),
    *,
    alias: str = "",
    limits: tuple[int, int] | None = None,
    values: str = "",
    may_be_empty: bool = False,
    common: bool = False,
    help: str = "",
) -> Parameter:
    """Return a parameter from the row of a table.

    ``type`` is a short name (``string[]``); ``sets`` maps a set to a role such as ``0!vn``. Names
    alone are sets in which it is optional and named; without any it is in every set.
    """
    roles = roles_of(sets)
    element = type.removesuffix("[]")
    full = _TYPES[element] + type[len(element) :]
    return Parameter(
        name=name,
        type=full,
        aliases=tuple(alias.split()),
        roles=roles,
        convert=_converter(element, full),
        fits=_FITS.get(element),
        limits=limits,
        values=tuple(values.split()),
        may_be_empty=may_be_empty or element in _NEVER_EMPTY,
        not_empty=not may_be_empty and element not in _NEVER_EMPTY,
        common=common,
        help=help,
    )


def converted(value: Any, known: Parameter) -> Any:
    """Return ``value`` for a parameter outside of a command line. Raises BindingError."""
    try:
        return known.convert(value) if known.convert else convert(value, known.type)
    except ConversionError as error:
        raise BindingError("CannotConvertArgumentNoMessage", known.name, error.message) from None


# -- values of the language


def as_text(value: object) -> str:
    """Return a value as a text; a script block is its code."""
    if isinstance(value, ScriptBlock):
        return str(value)
    if type(value).__module__.startswith("psremoting."):
        # An object of the prompt alone.
        return str(value)
    return to_text(value)


def property_or_absent(value: Any, name: str) -> Any:
    """Return a property of any object of this prompt, or `ABSENT`."""
    found = property_of(value, name)
    return ABSENT if found is None else found


# -- types of the prompt alone


def _converter(element: str, full: str) -> Callable[[Any], Any] | None:
    make = _MAKERS.get(element)
    if make is None:
        return None
    if not full.endswith("[]"):
        return make
    return lambda value: [make(item) for item in (value if isinstance(value, list) else [value])]


def _refuse(value: object, element: str) -> ConversionError:
    name = _TYPES[element]
    if value is None:
        return ConversionError(f'Cannot convert null to type "{name}".')
    kind = {
        SessionEntry: "pssession",
        Job: "job",
        SessionOption: "sessionoption",
        TransportOption: "transportoption",
        ScriptBlock: "scriptblock",
    }
    known = kind.get(type(value))
    if known is not None:
        return ConversionError(
            f'Cannot convert the "{as_text(value)}" value of type "{_TYPES[known]}" to type '
            f'"{name}".'
        )
    try:
        convert(value, name)
    except ConversionError as error:
        return error
    return ConversionError(f'Cannot convert the value to type "{name}".')


def _only(element: str, *kinds: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kinds):
            raise _refuse(value, element)
        return value

    return check


def _credential(value: Any) -> str | Credential:
    if isinstance(value, str | Credential):
        return value
    raise BindingError(
        "ParameterArgumentTransformationError",
        "Credential",
        "expected the name of a user, such as User01 or Domain01\\User01",
    )


def _authentication(value: Any) -> str:
    made = convert(value, AUTHENTICATION)
    return str(made.to_string)


def _string(value: Any) -> str:
    return as_text(value)


def _without_spelling(value: Any) -> Any:
    """Return a number without the text that it was written as; any other value as it is."""
    if isinstance(value, PSObject) and not value.type_names and not len(value):
        return value.value if isinstance(value.value, int | float | Decimal) else value
    return value


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "authentication": _authentication,
    "credential": _credential,
    "hashtable": _only("hashtable", Dictionary),
    "object": _without_spelling,
    "property": lambda value: value,
    "job": _only("job", Job),
    "pssession": _only("pssession", SessionEntry),
    "scriptblock": _only("scriptblock", ScriptBlock),
    "sessionoption": _only("sessionoption", SessionOption, Dictionary),
    "transportoption": _only("transportoption", TransportOption),
}
_FITS: dict[str, Callable[[Any], bool]] = {
    "authentication": lambda value: False,
    "credential": lambda value: isinstance(value, Credential),
    "object": lambda value: True,
    "property": lambda value: True,
    "job": lambda value: _all(value, Job),
    "pssession": lambda value: _all(value, SessionEntry),
    "scriptblock": lambda value: isinstance(value, ScriptBlock),
    "sessionoption": lambda value: isinstance(value, SessionOption),
    "transportoption": lambda value: isinstance(value, TransportOption),
    "uri": lambda value: False,
}


def _all(value: Any, kind: type) -> bool:
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, kind) for item in items)
