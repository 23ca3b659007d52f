"""What a Python signature says to a PowerShell user: parameters with names, types and help.

    def find(name: str, *, limit: int = 10, exact: bool = False) -> ...

has -Name (mandatory, position 0), -Limit and the switch -Exact. `Param` inside `Annotated` says
what a signature cannot: help, aliases, pipeline input, another name.
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

from psremoting.endpoint.coercion import bare_type, choices_of, type_name
from psrp.frozen import dataclass

__all__ = ["COMMON", "FROM_PIPELINE", "Input", "Param", "ParameterInfo", "describe", "wire_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """Goes into ``Annotated[type, Param(...)]``."""

    help: str = ""
    name: str = ""
    """The name on the wire, where the Python name in PascalCase will not do."""
    aliases: tuple[str, ...] = ()
    from_pipeline: bool = False
    """The function is called once for each object of the pipeline, with the object here."""
    by_property_name: bool = False
    """Takes the property of this name of the pipeline's object."""
    secret: bool = False
    """Never shown, not even in an error text."""


FROM_PIPELINE = Param(from_pipeline=True)
"""Short for a parameter that takes each object of the pipeline."""


class Input(ABC):
    """Annotates the parameter that gets all pipeline input at once, as a parameter with the
    name ``input`` does: an ``async def`` iterates with ``async for``, another function with
    ``for``."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[Any]: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterInfo:
    """One parameter of a command."""

    name: str
    """As users write it, without the dash."""
    argument: str
    """As Python has it."""
    annotation: Any = Any
    default: Any = None
    mandatory: bool = False
    position: int | None = None
    switch: bool = False
    remaining: bool = False
    """Takes all positional arguments that are left (``*args``)."""
    from_pipeline: bool = False
    by_property_name: bool = False
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    secret: bool = False
    help: str = ""
    shown_type: str = ""
    """A .NET type to show instead of the annotation's."""

    @property
    def type_name(self) -> str:
        """The .NET type that a client is shown."""
        if self.shown_type:
            return self.shown_type
        if self.switch:
            return "System.Management.Automation.SwitchParameter"
        return type_name(self.annotation) + ("[]" if self.remaining else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes: ``context`` and ``input`` are the arguments that get the context
    and the whole pipeline input, if it has them."""

    parameters: tuple[ParameterInfo, ...]
    context: str | None = None
    input: str | None = None
    by_position: tuple[tuple[str, Any], ...] = ()
    """What Python takes by position alone, with defaults: all before ``*args``, or ``/``."""


def wire_name(argument: str) -> str:
    """``computer_name`` as ``ComputerName``."""
    words = argument.strip("_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)


def describe(function: Callable[..., Any]) -> Signature:
    """Read a signature. Raises TypeError for ``**kwargs``, which no PowerShell user can name."""
    hints = _hints(function)
    found: list[ParameterInfo] = []
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
            info = _parameter(name, parameter, annotation, position)
            position += info.position is not None
            found.append(info)
    return Signature(
        parameters=tuple(found),
        context=context,
        input=whole_input,
        by_position=_by_position(function),
    )


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
    """One by one: a name that exists for type checkers only leaves one parameter unknown."""
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
) -> ParameterInfo:
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
    return ParameterInfo(
        name=said.name or wire_name(name),
        argument=name,
        annotation=annotation,
        default=default,
        mandatory=parameter.default is parameter.empty and not remaining,
        position=None if named_only else position,
        switch=switch,
        remaining=remaining,
        from_pipeline=said.from_pipeline,
        by_property_name=said.by_property_name,
        aliases=said.aliases,
        choices=choices_of(annotation),
        secret=said.secret,
        help=said.help,
    )


def _common(name: str, alias: str, shown_type: str, *, switch: bool = False) -> ParameterInfo:
    return ParameterInfo(
        name=name, argument="", aliases=(alias,), switch=switch, shown_type=shown_type
    )


_SWITCH = "System.Management.Automation.SwitchParameter"
_ACTION = "System.Management.Automation.ActionPreference"
_TEXT = "System.String"

#: What every command of PowerShell takes. [ref] outofproc/sessions/enter-interactive
COMMON: tuple[ParameterInfo, ...] = (
    _common("Verbose", "vb", _SWITCH, switch=True),
    _common("Debug", "db", _SWITCH, switch=True),
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
