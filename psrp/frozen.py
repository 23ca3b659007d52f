"""Frozen data classes that cost nothing until the first instance is made.

`dataclasses` compiles five functions for each frozen class when the class is defined, which took a
fifth of the start-up time of every server that sshd starts. Here all classes share one comparison,
one repr and one guard against changes; each ``__init__`` is compiled on first use.
Everything else is the standard library's: `fields`, `replace`, `is_dataclass`, patterns, copies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

__all__ = ["dataclass"]

_T = TypeVar("_T")


class _Init:
    """Replaces an ``__init__`` until it is first used."""

    __slots__ = ("owner",)

    def __init__(self, owner: type) -> None:
        self.owner = owner

    def __get__(self, instance: object, kind: type | None = None) -> Any:
        made = _compiled(self.owner)
        self.owner.__init__ = made  # type: ignore[misc]
        return made.__get__(instance, kind)


def _compiled(owner: Any) -> Any:
    """Return ``def __init__(self, a, *, b=...)``, which writes to the slots past the guard."""
    names: dict[str, Any] = {}
    by_place, by_name, body = ["self"], ["*"], []
    for each in dataclasses.fields(owner):
        if each.default_factory is not dataclasses.MISSING:
            raise TypeError(f"{owner.__name__}.{each.name}: no default_factory here")
        names[f"set_{each.name}"] = getattr(owner, each.name).__set__
        body.append(f" set_{each.name}(self, {each.name})")
        parameter = each.name
        if each.default is not dataclasses.MISSING:
            names[f"default_{each.name}"] = each.default
            parameter += f"=default_{each.name}"
        (by_name if each.kw_only else by_place).append(parameter)
    parameters = by_place + (by_name if len(by_name) > 1 else [])
    # The compiled text contains only the names of a class's fields.
    exec("\n".join([f"def __init__({', '.join(parameters)}):", *body, " pass"]), names)
    made = names["__init__"]
    made.__qualname__ = f"{owner.__qualname__}.__init__"
    made.__module__ = owner.__module__
    made.__annotations__ = {each.name: each.type for each in dataclasses.fields(owner)}
    return made


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, each.name) for each in dataclasses.fields(self) if each.compare)


def _eq(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self is other or _compared(self) == _compared(other)


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _repr(self: Any) -> str:
    shown = (each.name for each in dataclasses.fields(self) if each.repr)
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _setattr(self: Any, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


_SHARED = {
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        *, frozen: Literal[True], slots: Literal[True], kw_only: bool = False
    ) -> Callable[[type[_T]], type[_T]]:
        """Replace ``dataclasses.dataclass(frozen=True, slots=True, kw_only=...)``.

        A field may have a default, but no ``default_factory``, and there is no
        ``__post_init__``. Methods that a class defines itself are kept.
        """

        def made(kind: type[_T]) -> type[_T]:
            own = vars(kind)
            kind = dataclasses.dataclass(
                init=False, repr=False, eq=False, slots=True, kw_only=kw_only
            )(kind)
            for name, method in _SHARED.items():
                if name not in own:
                    setattr(kind, name, method)
            kind.__init__ = _Init(kind)
            return kind

        return made
