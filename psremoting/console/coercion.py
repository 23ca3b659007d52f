"""Values of the language become values of a parameter's type, or say why they cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from psremoting.console.error_reports import BindingError
from psremoting.console.nodes import ScriptBlock, WrittenNumber
from psremoting.console.parameters import Parameter
from psremoting.options import SessionOption
from psremoting.session_table import SessionEntry
from psrp.clixml import PSObject

__all__ = ["MECHANISMS", "TYPES", "as_text", "convert", "fits_exactly", "type_of"]


TYPES: dict[str, tuple[str, str]] = {
    "string": ("String", "System.String"),
    "int": ("Int32", "System.Int32"),
    "switch": ("SwitchParameter", "System.Management.Automation.SwitchParameter"),
    "guid": ("Guid", "System.Guid"),
    "uri": ("Uri", "System.Uri"),
    "hashtable": ("Hashtable", "System.Collections.Hashtable"),
    "pssession": ("PSSession", "System.Management.Automation.Runspaces.PSSession"),
    "credential": ("PSCredential", "System.Management.Automation.PSCredential"),
    "sessionoption": (
        "PSSessionOption",
        "System.Management.Automation.Remoting.PSSessionOption",
    ),
    "authentication": (
        "AuthenticationMechanism",
        "System.Management.Automation.Runspaces.AuthenticationMechanism",
    ),
    "scriptblock": ("ScriptBlock", "System.Management.Automation.ScriptBlock"),
    "object": ("Object", "System.Object"),
}
"""Short name to what help says, and what errors say."""

_EXACT: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "switch": lambda value: isinstance(value, bool),
    "guid": lambda value: isinstance(value, UUID),
    "hashtable": lambda value: isinstance(value, dict),
    "pssession": lambda value: isinstance(value, SessionEntry),
    "sessionoption": lambda value: isinstance(value, SessionOption),
    "scriptblock": lambda value: isinstance(value, ScriptBlock),
    "object": lambda value: True,
}


def fits_exactly(value: object, parameter: Parameter) -> bool:
    """Whether it can be bound without making something else of it."""
    test = _EXACT.get(parameter.element, lambda _: False)
    if parameter.many and isinstance(value, list):
        return bool(value) and all(test(item) for item in value)
    return test(value)


def convert(value: Any, parameter: Parameter) -> Any:
    """The value for ``parameter``; a list where it takes several. Raises BindingError."""
    _check_presence(value, parameter)
    if parameter.many:
        items = value if isinstance(value, list) else [value]
        return [_one(item, parameter) for item in items]
    if isinstance(value, list) and parameter.element != "object":
        raise _no_array(parameter)
    return _one(value, parameter)


def _no_array(parameter: Parameter) -> BindingError:
    type_name = TYPES[parameter.element][1]
    return BindingError(
        "CannotConvertArgument",
        "System.Object[]",
        type_name,
        parameter.name,
        "Specified method is not supported.",
    )


def _check_presence(value: Any, parameter: Parameter) -> None:
    """What is missing, or empty, although it was named."""
    if parameter.may_be_empty or parameter.element in ("int", "switch", "object"):
        return
    empty = value is None or value in ("", [])
    items = value if isinstance(value, list) else []
    if not empty and not any(item is None or item == "" for item in items):
        return
    if not parameter.mandatory:
        raise BindingError("ParameterArgumentValidationError", parameter.name, _EMPTY)
    kind = "EmptyStringNotAllowed" if "" in (value, *items) else "NullNotAllowed"
    raise BindingError(f"ParameterArgumentValidationError{kind}", parameter.name)


_EMPTY = (
    "The argument is null or empty. Provide an argument that is not null or empty, and then try "
    "the command again."
)


def _one(value: Any, parameter: Parameter) -> Any:
    make = _MAKERS.get(parameter.element)
    made = value if make is None else make(value, parameter)
    if parameter.limits is not None:
        _check_limits(made, parameter)
    if parameter.values and str(made).casefold() not in (v.casefold() for v in parameter.values):
        listed = ",".join(parameter.values)
        raise BindingError(
            "ParameterArgumentValidationError",
            parameter.name,
            f'The argument "{as_text(made)}" does not belong to the set "{listed}" specified by '
            "the ValidateSet attribute. Supply an argument that is in the set and then try the "
            "command again.",
        )
    return made


def _check_limits(value: int, parameter: Parameter) -> None:
    assert parameter.limits is not None
    least, most = parameter.limits
    if least <= value <= most:
        return
    words = ("less", "minimum", "greater") if value < least else ("greater", "maximum", "less")
    limit = least if value < least else most
    raise BindingError(
        "ParameterArgumentValidationError",
        parameter.name,
        f"The {value} argument is {words[0]} than the {words[1]} allowed range of {limit}. Supply "
        f"an argument that is {words[2]} than or equal to {limit} and then try the command again.",
    )


def _cannot(value: object, parameter: Parameter, reason: str) -> BindingError:
    """``reason`` is empty for a value of a type that nothing can be made of."""
    name = TYPES[parameter.element][1]
    if value is None:
        text = f'Cannot convert null to type "{name}".'
    elif reason:
        text = f'Cannot convert value "{as_text(value)}" to type "{name}". Error: "{reason}"'
    else:
        text = (
            f'Cannot convert the "{as_text(value)}" value of type "{type_of(value)}" to type '
            f'"{name}".'
        )
    return BindingError("CannotConvertArgumentNoMessage", parameter.name, text)


# -- one type after the other


def _string(value: Any, _: Parameter) -> str:
    return as_text(value)


def _int(value: Any, parameter: Parameter) -> int:
    if value is None:
        return 0
    if isinstance(value, bool | int):
        number = int(value)
    elif isinstance(value, float):
        number = round(value)
    else:
        text = as_text(value).strip()
        try:
            number = int(text)
        except ValueError:
            reason = f"The input string '{text}' was not in a correct format."
            raise _cannot(value, parameter, reason) from None
    if not -(2**31) <= number < 2**31:
        reason = "Value was either too large or too small for an Int32."
        raise _cannot(value, parameter, reason)
    return number


def _switch(value: Any, parameter: Parameter) -> bool:
    if isinstance(value, bool | int | float):
        return bool(value)
    raise _cannot(value, parameter, "")


def _guid(value: Any, parameter: Parameter) -> UUID:
    if isinstance(value, UUID):
        return value
    if value is None or not isinstance(value, str):
        raise _cannot(value, parameter, "")
    try:
        return UUID(value)
    except ValueError:
        raise _cannot(value, parameter, "Unrecognized Guid format.") from None


def _typed(kind: type) -> Callable[[Any, Parameter], Any]:
    def check(value: Any, parameter: Parameter) -> Any:
        if not isinstance(value, kind):
            raise _cannot(value, parameter, "")
        return value

    return check


def _session_option(value: Any, parameter: Parameter) -> Any:
    if isinstance(value, SessionOption | dict):
        return value
    raise _cannot(value, parameter, "")


def _credential(value: Any, parameter: Parameter) -> str:
    if isinstance(value, str):
        return value
    raise BindingError(
        "ParameterArgumentTransformationError",
        parameter.name,
        "It is the name of a user: User01 or Domain01\\User01.",
    )


MECHANISMS = (
    "Default", "Basic", "Negotiate", "NegotiateWithImplicitCredential", "Credssp", "Digest",
    "Kerberos",
)  # fmt: skip


def _authentication(value: Any, parameter: Parameter) -> str:
    text = as_text(value)
    for name in MECHANISMS:
        if name.casefold() == text.casefold():
            return name
    raise _cannot(
        value,
        parameter,
        f"Unable to match the identifier name {text} to a valid enumerator name. Specify one of "
        f"the following enumerator names and try again: {', '.join(MECHANISMS)}",
    )


_MAKERS: dict[str, Callable[[Any, Parameter], Any]] = {
    "string": _string,
    "int": _int,
    "switch": _switch,
    "guid": _guid,
    "uri": _string,
    "hashtable": _typed(dict),
    "pssession": _typed(SessionEntry),
    "credential": _credential,
    "sessionoption": _session_option,
    "authentication": _authentication,
    "scriptblock": _typed(ScriptBlock),
}


# -- values as such

_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "System.Boolean"),
    (int, "System.Int32"),
    (float, "System.Double"),
    (str, "System.String"),
    (list, "System.Object[]"),
    (dict, TYPES["hashtable"][1]),
    (UUID, TYPES["guid"][1]),
    (SessionEntry, TYPES["pssession"][1]),
    (SessionOption, TYPES["sessionoption"][1]),
    (ScriptBlock, TYPES["scriptblock"][1]),
)


def type_of(value: object) -> str:
    """The .NET type that PowerShell would have."""
    return next((name for kind, name in _TYPE_NAMES if isinstance(value, kind)), "System.Object")


def as_text(value: object) -> str:
    """What a value is in a text: ``$null`` nothing, several with blanks between them."""
    if value is None:
        return ""
    if isinstance(value, WrittenNumber):
        return value.text
    if isinstance(value, list):
        return " ".join(as_text(item) for item in value)
    if isinstance(value, dict):
        return TYPES["hashtable"][1]
    if isinstance(value, PSObject):
        return value.to_string if value.to_string is not None else str(value.value or "")
    return str(value)
