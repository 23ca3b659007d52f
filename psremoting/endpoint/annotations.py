"""Conversion of arguments to Python annotations: the PowerShell type name and the value.

``int`` is System.Int64, ``list[str]`` System.String[], ``Literal`` a set of texts, an enum or a
data class a type of its own name. The conversion is PowerShell's; values that an
annotation forbids do not reach the function. An annotation that no argument can satisfy raises
TypeError when the commands are loaded.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from psremoting.powershell.conversion import ConversionError, ValidationError, convert, to_enum
from psremoting.powershell.dotnet_names import type_name_of
from psremoting.powershell.enum_names import Enumeration
from psremoting.powershell.parameter_values import not_in_set
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import (
    Char,
    DateTime,
    Dictionary,
    List,
    PSObject,
    ScriptBlock,
    SecureString,
    Single,
    SizedInt,
    TimeSpan,
    Uri,
    Version,
    XmlDocument,
)
from psrp.host import Credential
from psrp.properties import unwrap

__all__ = ["Kind", "bare_type", "kind_of", "plain_object"]

Make = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """The PowerShell type for an annotation."""

    type_name: str
    make: Make
    """Function that converts an argument. Raises ConversionError or ValidationError."""
    choices: tuple[str, ...] = ()
    """The allowed values, for completion."""
    nullable: bool = False
    """True if the annotation allows None."""
    empty: Callable[[], Any] | None = None
    """Function that makes the value for null; without it null is refused."""
    not_empty: bool = False
    """True if an empty string is refused."""


_OBJECT = "System.Object"
_VALUE_TYPES: dict[Any, tuple[str, Make]] = {
    bool: ("System.Boolean", bool),
    int: ("System.Int64", int),
    float: ("System.Double", float),
    Decimal: ("System.Decimal", lambda value: value),
    datetime: ("System.DateTime", lambda value: value.to_datetime()),
    DateTime: ("System.DateTime", lambda value: value),
    date: ("System.DateTime", lambda value: value.to_datetime().date()),
    timedelta: ("System.TimeSpan", lambda value: value.to_timedelta()),
    TimeSpan: ("System.TimeSpan", lambda value: value),
    UUID: ("System.Guid", lambda value: value),
    Char: ("System.Char", lambda value: value),
    Single: ("System.Single", lambda value: value),
    **{each: (f"System.{each.__name__}", each) for each in SizedInt.__subclasses__()},
}
_REFERENCE_TYPES: dict[Any, str] = {
    Version: "System.Version",
    Uri: "System.Uri",
    SecureString: "System.Security.SecureString",
    Credential: "System.Management.Automation.PSCredential",
    ScriptBlock: "System.Management.Automation.ScriptBlock",
    XmlDocument: "System.Xml.XmlDocument",
}
_LISTS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.MutableSequence: list,
}
_TABLES = (dict, Mapping, collections.abc.MutableMapping)


def bare_type(annotation: Any) -> Any:
    """Return an annotation without Annotated, without None, and without a new type's name."""
    while True:
        if get_origin(annotation) is typing.Annotated:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ or Any
        elif get_origin(annotation) in (Union, types.UnionType):
            rest = [each for each in get_args(annotation) if each is not type(None)]
            if len(rest) != 1:
                return annotation
            annotation = rest[0]
        else:
            return annotation


def _takes_none(annotation: Any) -> bool:
    while get_origin(annotation) is typing.Annotated:
        annotation = get_args(annotation)[0]
    return annotation is None or type(None) in get_args(annotation)


def kind_of(annotation: Any) -> Kind:
    """Return the type for an annotation. Raises TypeError if no argument can satisfy it."""
    kind = bare_type(annotation)
    made = _kind_of_bare(kind)
    if not _takes_none(annotation):
        return made
    name = made.type_name
    if name in _STRUCTS or name in _ENUM_KINDS:
        name = f"System.Nullable`1[{name}]"

    def make(value: Any) -> Any:
        if value is None:
            return None
        try:
            return made.make(value)
        except ConversionError as error:
            if name == made.type_name:
                raise
            raise _of_nullable(error, made.type_name, name) from None

    return dataclasses.replace(made, type_name=name, make=make, nullable=True, not_empty=False)


_STRUCTS = frozenset(name for name, _ in _VALUE_TYPES.values())
_ENUM_KINDS: frozenset[str] = frozenset()


def _of_nullable(error: ConversionError, inner: str, outer: str) -> ConversionError:
    """Return an error that names the nullable type, as PowerShell's final errors do."""
    if error.error_id != "ConvertToFinalInvalidCastException":
        return error
    return ConversionError(error.message.replace(f'"{inner}"', f'"{outer}"'), error.error_id)


def _kind_of_bare(kind: Any) -> Kind:
    if kind is Any or kind is object or isinstance(kind, (str, typing.ForwardRef)):
        return Kind(_OBJECT, plain_object, nullable=True)
    if kind is None or kind is type(None):
        raise TypeError("no argument can be None")
    origin = get_origin(kind) or kind
    if origin in (Union, types.UnionType):
        return _union(kind)
    if origin is Literal:
        return _literal(get_args(kind))
    if origin in _VALUE_TYPES:
        return _value_type(*_VALUE_TYPES[origin])
    if origin is str:
        return Kind("System.String", lambda value: _converted(value, "System.String"))
    if origin in _REFERENCE_TYPES:
        name = _REFERENCE_TYPES[origin]
        return Kind(name, lambda value: _converted(value, name))
    if origin in (bytes, bytearray):
        return Kind("System.Byte[]", _bytes_of(origin), empty=origin)
    if origin in _LISTS or origin is List:
        return _list(origin, get_args(kind))
    if origin in _TABLES or origin is Dictionary or typing.is_typeddict(origin):
        return _table(origin, get_args(kind))
    if isinstance(origin, type):
        return _class(origin)
    raise TypeError(f"no argument of PowerShell can be {kind!r}")


def _class(kind: type) -> Kind:
    if issubclass(kind, enum.Enum):
        return _enum(kind)
    if issubclass(kind, PSObject):
        return Kind("System.Management.Automation.PSObject", _wrapped)
    if issubclass(kind, PurePath):
        made = Kind("System.String", lambda value: kind(_text(value)))
        return dataclasses.replace(made, not_empty=True)
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return _record(kind)
    raise TypeError(f"no argument of PowerShell can be {kind.__module__}.{kind.__qualname__}")


def _converted(value: Any, type_name: str) -> Any:
    return convert(value, type_name, received=True)


def _value_type(name: str, change: Make) -> Kind:
    def make(value: Any) -> Any:
        made = _converted(value, name)
        try:
            return change(made)
        except (ValueError, OverflowError) as error:
            shown = to_text(value, received=True)
            raise ConversionError(
                f'Cannot convert value "{shown}" to type "{name}". Error: "{error}"'
            ) from None

    return Kind(name, make)


def _text(value: Any) -> str:
    return str(_converted(value, "System.String"))


def _bytes_of(kind: Any) -> Make:
    def make(value: Any) -> Any:
        made = _converted(value, "System.Byte[]")
        return kind(made or b"")

    return make


def plain_object(value: Any) -> Any:
    """Return an argument for a parameter of any type: a number loses its spelling.

    Objects, tables and lists come as `psrp.clixml` reads them.
    """
    if type(value) is PSObject:
        bare = value.value is not None and not value.type_names
        return unwrap(value) if bare and not value.extended and not value.adapted else value
    if type(value) is List and any(type(item) is PSObject for item in value):
        return List([plain_object(item) for item in value], value.type_names)
    return value


def _wrapped(value: Any) -> Any:
    return value if value is None or isinstance(value, PSObject) else PSObject(value=value)


# -- several


def _list(origin: Any, arguments: tuple[Any, ...]) -> Kind:
    gather = _LISTS.get(origin, List)
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return _fixed([kind_of(each) for each in arguments])
    element = kind_of(arguments[0]) if arguments else kind_of(Any)
    name = f"{element.type_name}[]"

    def make(value: Any) -> Any:
        if value is None:
            return gather([])
        # PowerShell's own conversion gives the errors; the elements are then made one by one.
        items = _elements(value)
        try:
            return gather([_not_none(element.make(item), element) for item in items])
        except ConversionError:
            _converted(value, name if element.type_name in _KNOWN else f"{_OBJECT}[]")
            raise

    return Kind(name, make, choices=element.choices, empty=lambda: gather([]))


_KNOWN = _STRUCTS | {"System.String", *_REFERENCE_TYPES.values()}


def _not_none(value: Any, element: Kind) -> Any:
    if value is None and not element.nullable:
        raise ValidationError(_NULL_ELEMENT)
    return value


_NULL_ELEMENT = (
    "The argument has a null value, or an element of the argument collection contains a null "
    "value. Provide a collection that does not contain any null values, and then try the command "
    "again."
)


def _elements(value: Any) -> Iterable[Any]:
    inner = unwrap(value)
    if isinstance(inner, bytes):
        return list(inner)
    made = _converted(value, f"{_OBJECT}[]")
    return made if isinstance(made, list) else [value]


def _fixed(kinds: list[Kind]) -> Kind:
    def make(value: Any) -> Any:
        items = list(_elements(value)) if value is not None else []
        if len(items) != len(kinds):
            raise ConversionError(f"expected {len(kinds)} values, got {len(items)}")
        return tuple(kind.make(item) for kind, item in zip(kinds, items, strict=True))

    return Kind(f"{_OBJECT}[]", make)


def _table(origin: Any, arguments: tuple[Any, ...]) -> Kind:
    keys = values = None
    if len(arguments) == 2:
        keys, values = (kind_of(each) for each in arguments)

    def make(value: Any) -> Any:
        made = _converted(value, "System.Collections.Hashtable")
        if made is None:
            made = Dictionary()
        if origin is Dictionary:
            return made
        if keys is None or values is None:
            return {_plain_key(name): plain_object(item) for name, item in made.items()}
        return {keys.make(name): values.make(item) for name, item in made.items()}

    return Kind("System.Collections.Hashtable", make, empty=lambda: make(Dictionary()))


def _plain_key(name: Any) -> Any:
    key = unwrap(name)
    return key if isinstance(key, typing.Hashable) else to_text(key)


# -- choices


def _literal(values: tuple[Any, ...]) -> Kind:
    shown = tuple(to_text(each) for each in values)
    by_text = {text.casefold(): each for text, each in zip(shown, values, strict=True)}

    def make(value: Any) -> Any:
        text = _text(value)
        if text.casefold() not in by_text:
            raise ValidationError(not_in_set(text, shown))
        return by_text[text.casefold()]

    return Kind("System.String", make, choices=shown)


def _enum(kind: type[enum.Enum]) -> Kind:
    members = list(kind.__members__.items())
    numbers = {
        name: member.value if type(member.value) is int else at
        for at, (name, member) in enumerate(members)
    }
    known = Enumeration(name=kind.__name__, members=numbers, flags=issubclass(kind, enum.Flag))

    def make(value: Any) -> Any:
        plain = unwrap(value)
        for each in kind:
            if isinstance(each.value, str) and each.value == plain:
                return each
        made = to_enum(value, known, received=True)
        if issubclass(kind, enum.Flag):
            return kind(made.value)
        name = next(each for each, number in numbers.items() if number == made.value)
        return kind[name]

    return Kind(kind.__name__, make, choices=tuple(name for name, _ in members))


# -- records and unions


def _record(kind: Any) -> Kind:
    """Make the type of a data class or named tuple, built from a table or an object."""
    name = kind.__qualname__
    hints = typing.get_type_hints(kind, include_extras=True)
    names = (
        [each.name for each in dataclasses.fields(kind) if each.init]
        if dataclasses.is_dataclass(kind)
        else list(kind._fields)
    )
    kinds = {each: kind_of(hints.get(each, Any)) for each in names}
    settable = ", ".join(f"[{each} <{kinds[each].type_name}>]" for each in names)
    folded = {each.replace("_", "").casefold(): each for each in names}

    def make(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, PSObject) and value.value is None:
            given = value.items()
        elif isinstance(unwrap(value), (Dictionary, dict)):
            given = list(unwrap(value).items())
        else:
            raise ConversionError(
                f'Cannot convert the "{to_text(value, received=True)}" value of type '
                f'"{type_name_of(value, received=True)}" to type "{name}".'
            )
        found: dict[str, Any] = {}
        head = f'Cannot create object of type "{name}". '
        for key, item in given:
            field = folded.get(to_text(key).replace("_", "").casefold())
            if field is None:
                raise ConversionError(
                    f"{head}The property '{to_text(key)}' was not found for the '{name}' object. "
                    f"The settable properties are: {settable}."
                )
            try:
                found[field] = kinds[field].make(item)
            except ConversionError as error:
                raise ConversionError(head + error.message) from None
        try:
            return kind(**found)
        except (TypeError, ValueError) as error:
            raise ConversionError(f"{head}{error}") from None

    return Kind(name, make)


def _union(kind: Any) -> Kind:
    several = [each for each in get_args(kind) if each is not type(None)]
    kinds = [kind_of(each) for each in several]

    def make(value: Any) -> Any:
        plain = unwrap(value)
        for each in several:
            exact = get_origin(each) or each
            if isinstance(exact, type) and type(plain) is exact:
                return plain
        for each in kinds:
            with suppress(ConversionError, ValidationError):
                return each.make(value)
        raise ConversionError(
            f'Cannot convert the "{to_text(value, received=True)}" value of type '
            f'"{type_name_of(value, received=True)}" to any of the types '
            + ", ".join(f'"{each.type_name}"' for each in kinds)
            + "."
        )

    return Kind(_OBJECT, make)
