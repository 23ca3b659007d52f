"""A Python signature as the parameters of a command: names, types and help.

    def find(name: str, *, limit: int = 10, exact: bool = False) -> ...

has -Name (mandatory, position 0), -Limit and the switch -Exact. `Param` in `Annotated` adds help,
aliases, pipeline input, another name.
"""

from __future__ import annotations

import functools
import inspect
import typing
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, get_type_hints

from psremoting.endpoint.annotations import bare_type, kind_of
from psremoting.powershell.parameters import ALL_SETS, SWITCH, Parameter, Role
from psrp.frozen import dataclass

__all__ = ["COMMON", "FROM_PIPELINE", "Input", "Param", "Signature", "describe", "wire_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """Details of a parameter, for ``Annotated[type, Param(...)]``."""

    help: str = ""
    name: str = ""
    """The name in PowerShell, if it is not the Python name in PascalCase."""
    aliases: tuple[str, ...] = ()
    from_pipeline: bool = False
    """The function is called once for each object of the pipeline, with the object here."""
    by_property_name: bool = False
    """True if it accepts the property of this name of pipeline objects."""
    secret: bool = False
    """True if it is never shown, not even in an error text; it is prompted for without echo."""
    allow_empty: bool = False
    """True if a mandatory parameter also accepts an empty text or list."""


FROM_PIPELINE = Param(from_pipeline=True)
"""For a parameter that takes each object of the pipeline."""


class Input(ABC):
    """Annotation of a parameter that gets all pipeline input, as one named ``input`` does.

    An ``async def`` iterates with ``async for``, another function with ``for``.
    """

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[Any]: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The parameters of a function.

    ``context`` and ``input`` name its arguments for the context and for all pipeline input.
    """

    parameters: tuple[Parameter, ...]
    context: str | None = None
    input: str | None = None
    by_position: tuple[tuple[str, Any], ...] = ()
    """Arguments that Python takes by position only, with defaults: those before ``*args`` or
    ``/``."""


def wire_name(argument: str) -> str:
    """Return ``computer_name`` as ``ComputerName``."""
    words = argument.strip("_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)


def describe(function: Callable[..., Any]) -> Signature:
    """Read a signature. Raises TypeError for ``**kwargs`` and for an annotation that no argument
    can satisfy."""
    hints = _hints(function)
    found: list[Parameter] = []
    context = whole_input = None
    position = 0
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            raise TypeError(f"{function!r}: a command cannot have **{name}")
        annotation = hints.get(name, Any)
        if _is_context(name, annotation):
            context = name
        elif annotation is Input or name == "input":
            whole_input = name
        else:
            try:
                info = _parameter(name, parameter, annotation, position)
            except TypeError as error:
                raise TypeError(f"{_name_of(function)}: parameter {name}: {error}") from None
            position += info.only_role.position is not None
            found.append(info)
    return Signature(
        parameters=tuple(found),
        context=context,
        input=whole_input,
        by_position=_by_position(function),
    )


def _name_of(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))


def _by_position(function: Callable[..., Any]) -> tuple[tuple[str, Any], ...]:
    parameters = list(inspect.signature(function).parameters.values())
    has_rest = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    return tuple(
        (each.name, each.default)
        for each in parameters
        if each.kind is each.POSITIONAL_ONLY
        or (has_rest and each.kind is each.POSITIONAL_OR_KEYWORD)
    )


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    target = _where_hints_are(function)
    try:
        return get_type_hints(target, include_extras=True)
    except NameError:
        return {name: hint for name, hint in _each_hint(target) if not isinstance(hint, str)}


def _where_hints_are(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    target: Any = inspect.unwrap(function)
    if inspect.isclass(target):
        return target.__init__
    return target if inspect.isroutine(target) else type(target).__call__


def _each_hint(target: Any) -> Iterator[tuple[str, Any]]:
    """Yield hints one by one: a name that only type checkers know makes one of them unknown."""
    target = inspect.unwrap(target)
    for name, hint in getattr(target, "__annotations__", {}).items():
        alone = SimpleNamespace(
            __annotations__={name: hint}, __globals__=getattr(target, "__globals__", {})
        )
        with suppress(NameError):
            yield name, get_type_hints(alone, include_extras=True)[name]


def _is_context(name: str, annotation: Any) -> bool:
    kind = bare_type(annotation)
    if (getattr(kind, "__module__", ""), getattr(kind, "__name__", "")) in _CONTEXTS:
        return True
    return name in ("context", "ctx") and annotation is Any


_CONTEXTS = (
    ("psremoting.endpoint.context", "Context"),
    ("psremoting.endpoint.sync_context", "SyncContext"),
)


def _parameter(
    name: str, parameter: inspect.Parameter, annotation: Any, position: int
) -> Parameter:
    said = Param()
    if typing.get_origin(annotation) is typing.Annotated:
        for extra in typing.get_args(annotation)[1:]:
            if isinstance(extra, Param):
                said = extra
            elif isinstance(extra, str) and not said.help:
                said = Param(help=extra)
        annotation = typing.get_args(annotation)[0]
    default = None if parameter.default is parameter.empty else parameter.default
    switch = annotation is bool and default is False
    remaining = parameter.kind is parameter.VAR_POSITIONAL
    named_only = parameter.kind is parameter.KEYWORD_ONLY or switch or remaining
    if remaining:
        annotation = list[annotation]
    kind = kind_of(annotation)
    role = Role(
        mandatory=parameter.default is parameter.empty and not remaining,
        position=None if named_only else position,
        by_value=said.from_pipeline,
        by_name=said.by_property_name,
        remaining=remaining,
    )
    return Parameter(
        name=said.name or wire_name(name),
        key=name,
        type=SWITCH if switch else kind.type_name,
        aliases=said.aliases,
        roles={ALL_SETS: role},
        convert=None if switch else kind.make,
        not_null=not kind.nullable and kind.empty is None,
        not_empty=kind.not_empty,
        may_be_empty=kind.nullable or said.allow_empty,
        values=kind.choices,
        secret=said.secret,
        help=said.help,
        default=default,
    )


def _common(name: str, alias: str, type_name: str) -> Parameter:
    return Parameter(name=name, aliases=(alias,), type=type_name, common=True, may_be_empty=True)


_ACTION = "System.Management.Automation.ActionPreference"
_TEXT = "System.String"

#: The parameters that every command of PowerShell has. [ref] outofproc/sessions/enter-interactive
COMMON: tuple[Parameter, ...] = (
    _common("Verbose", "vb", SWITCH),
    _common("Debug", "db", SWITCH),
    _common("ErrorAction", "ea", _ACTION),
    _common("WarningAction", "wa", _ACTION),
    _common("InformationAction", "infa", _ACTION),
    _common("ProgressAction", "proga", _ACTION),
    _common("ErrorVariable", "ev", _TEXT),
    _common("WarningVariable", "wv", _TEXT),
    _common("InformationVariable", "iv", _TEXT),
    _common("OutVariable", "ov", _TEXT),
    _common("OutBuffer", "ob", "System.Int32"),
    _common("PipelineVariable", "pv", _TEXT),
)
