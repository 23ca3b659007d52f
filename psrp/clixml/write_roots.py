"""Writing one object whose like was written before.

The output of a command travels as one document per object, and these documents differ only in
their values. From the second document on, the document of an object with scalar properties is a
template with a ``%s`` for each value, found by the type names and the names and types of the
properties.

A value with a form of its own (an `int` beyond 32 bits, empty bytes, an empty text) and a value
with no form in CLIXML are left to the general path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psrp.clixml.objects import PSObject
from psrp.clixml.scalars import FORMAT
from psrp.clixml.text import escape, is_special
from psrp.clixml.write_columns import SCALARS, Like, like

__all__ = ["note_written", "write_root"]

_Form = Callable[[Any], str]
_Template = tuple[str, tuple[_Form, ...]]
_TEMPLATES: dict[Like, _Template | None] = {}
"""None for a kind of objects of which one was written."""
_KEPT = 64
_LONGEST = 4000
"""Characters of the longest template."""


def write_root(value: PSObject) -> str | None:
    """Return the document of an object, or None if its template is not known or does not fit."""
    if type(value.type_names) is not tuple:
        return None
    try:
        template = _TEMPLATES.get(like(value))  # type: ignore[arg-type]
        if template is None:
            return None
        text, forms = template
        values = [] if value.to_string is None else [value.to_string]
        if value.adapted:
            values += value.adapted.values()
        values += value.extended.values()
        return text % tuple([form(each) for form, each in zip(forms, values, strict=True)])
    except (ValueError, TypeError):
        return None  # the general path reports the place


def note_written(value: PSObject, attribute: Callable[[str], str]) -> None:
    """Note that an object was written by the general path; ``attribute`` returns ``N="..."``."""
    if type(value.type_names) is not tuple:
        return
    shared = like(value)
    if shared is None or not SCALARS.issuperset(shared[2] + shared[4]):
        return
    if shared in _TEMPLATES:
        _TEMPLATES[shared] = _TEMPLATES[shared] or _template(value, attribute)
        return
    if len(_TEMPLATES) >= _KEPT:
        _TEMPLATES.clear()
    if sum(map(len, (*shared[0], *shared[1], *shared[3]))) < _LONGEST:
        _TEMPLATES[shared] = None


def _template(value: PSObject, attribute: Callable[[str], str]) -> _Template:
    forms: list[_Form] = []

    def members(tag: str, given: dict[str, Any]) -> str:
        inside = "".join(_member(attribute(name), each, forms) for name, each in given.items())
        return f"<{tag}>{inside}</{tag}>" if given else f"<{tag} />"

    names = "".join(f"<T>{escape(name)}</T>" for name in value.type_names)
    text = f'<TN RefId="0">{names}</TN>'.replace("%", "%%") if names else ""
    if value.to_string is not None:
        forms.append(_not_empty(escape))
        text += "<ToString>%s</ToString>"
    if value.adapted is not None:
        text += members("Props", value.adapted)
    if value.extended:
        text += members("MS", value.extended)
    return (f'<Obj RefId="0">{text}</Obj>' if text else '<Obj RefId="0" />'), tuple(forms)


def _member(attribute: str, value: Any, forms: list[_Form]) -> str:
    attribute = attribute.replace("%", "%%")
    kind = type(value)
    if value is None:
        forms.append(_null)
        return f"<Nil{attribute} />%s"
    tag, form = FORMAT[kind] if kind is not int else ("I32", _int32)
    if kind is str:
        form = _string
    forms.append(_not_empty(form) if tag == "BA" else form)
    return f"<{tag}{attribute}>%s</{tag}>"


def _null(value: None) -> str:
    return ""


def _int32(value: int) -> str:
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise ValueError("an integer of more than 32 bits")
    return int.__repr__(value)


def _string(value: str) -> str:
    return escape(value) if is_special(value) else value


def _not_empty(form: _Form) -> _Form:
    def checked(value: Any) -> str:
        text = form(value)
        if not text:
            raise ValueError("an empty element has another form")
        return text

    return checked
