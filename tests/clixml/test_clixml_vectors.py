"""Vectors that PowerShell 7.6 wrote and read."""

from __future__ import annotations

from typing import Any

import pytest

from psrp.clixml import DateTime, dump_all, dumps, loads, read_document
from psrp.sansio import ClixmlError
from tests.clixml.truth import differences, vectors
from tests.rows import rows

WRITTEN = vectors("write.jsonl")
READ = vectors("read.jsonl")

TOO_DEEP = {"deep-60"}
"""Vectors that are nested deeper than PowerShell reads; read here with a higher limit."""

REFUSED = {"xmldoc-dtd": "PowerShell expands the entities of a DTD inside XD; we refuse it"}

SHOWN_OTHERWISE = {
    "xmldoc": "the text of an XML document is kept, not parsed and shown anew",
    "dict-list-key": "PowerShell's Hashtable answers null for a list as a key; ours finds it",
    "obj-nested-obj": "PowerShell lifts the members of the inner object to the outer one",
}
"""Documents that both read, but for which PowerShell shows another value than their text."""

WRITTEN_OTHERWISE = {
    "string-entity-fffe": "U+FFFE goes out as an escape, not as a reference that XML forbids",
    "datetime-offset-max": "the offset of a local time is kept, not converted to our zone",
    "datetime-offset-15": "the offset of a local time is kept, not converted to our zone",
    "datetime-0001-offset": "the offset of a local time is kept, not converted to our zone",
    "xmldoc": "the text of an XML document is kept, not parsed and written anew",
    "scriptblock-escape": "a script block stays one, so that it can be written again",
    "securestring": "a sealed text is kept as it is, not opened and sealed anew",
    "ienumerable": "IE stays IE, so that it can be written again",
    "obj-nested-obj": "PowerShell makes up the ToString and members of the outer object",
    "dict-int-string-keys": "order is kept; PowerShell's Hashtable has none",
}
AGAIN = [
    vector
    for vector in READ
    if vector["ok"] and vector["name"] not in {*REFUSED, *WRITTEN_OTHERWISE}
]

BEHIND_THE_ROOT = {"objs-trailing"}

GIVEN_NAMES = (
    "<T>System.Management.Automation.PSCustomObject</T><T>System.Object</T>",
    "<T>System.Collections.ArrayList</T><T>System.Object</T>",
    "<T>System.Collections.Stack</T><T>System.Object</T>",
    "<T>System.Collections.Queue</T><T>System.Object</T>",
    "<T>System.Collections.Hashtable</T><T>System.Object</T>",
)


def load_all(text: str, max_depth: int = 48) -> list[Any]:
    return [value for _, value in read_document(text, max_depth=max_depth)]


def names(lines: list[dict[str, Any]]) -> list[str]:
    return [line["name"] for line in lines]


@rows("vector", WRITTEN, ids=names(WRITTEN))
def test_what_powershell_writes_is_read_as_the_value_it_had(vector: dict[str, Any]) -> None:
    value = loads(vector["bare"], max_depth=60 if vector["name"] in TOO_DEEP else 48)
    assert list(differences(value, vector["truth"])) == []


@pytest.mark.parametrize("form", ["bare", "bare_depth_1"])
@rows("vector", WRITTEN, ids=names(WRITTEN))
def test_what_powershell_writes_is_written_again_byte_for_byte(
    vector: dict[str, Any], form: str
) -> None:
    """Statement J109. (`wide` holds primitives in an otherwise empty Obj.)"""
    text = vector.get(form) or vector["bare"]
    depth = 60 if vector["name"] in TOO_DEEP else 48
    assert dumps(loads(text, max_depth=depth), max_depth=depth).decode() == text


SHALLOWER = [vector for vector in WRITTEN if vector.get("bare_depth_1")]

DEEPER = {"deserialized-again"}
"""PowerShell's types table gives a nested PSCredential one more level."""


@rows("vector", SHALLOWER, ids=names(SHALLOWER))
def test_at_depth_one_objects_in_properties_are_their_text(vector: dict[str, Any]) -> None:
    """Statement E55."""
    depth = 60 if vector["name"] in TOO_DEEP else 48
    value = loads(vector["bare"], max_depth=depth)
    if vector["name"] not in DEEPER:
        assert dumps(value, depth=1, max_depth=depth).decode() == vector["bare_depth_1"]


@rows("vector", WRITTEN, ids=names(WRITTEN))
def test_a_document_is_written_as_export_clixml_does(vector: dict[str, Any]) -> None:
    depth = 60 if vector["name"] in TOO_DEEP else 48
    values = load_all(vector["document"], max_depth=depth)
    assert dump_all(values, max_depth=depth).decode() == vector["document"]


@rows("vector", READ, ids=names(READ))
def test_what_powershell_reads_is_read_and_what_it_refuses_is_refused(
    vector: dict[str, Any],
) -> None:
    if vector["ok"] and vector["name"] not in REFUSED:
        values = load_all(vector["input"])
        expected = vector["values"]
        assert len(values) == len(expected)
        if vector["name"] not in SHOWN_OTHERWISE:
            for value, truth in zip(values, expected, strict=True):
                assert list(differences(value, truth)) == []
    else:
        with pytest.raises(ClixmlError) as caught:
            load_all(vector["input"])
        assert caught.value.offset >= 0
        assert caught.value.path.startswith("/") or vector["name"] in BEHIND_THE_ROOT


@rows("vector", AGAIN, ids=names(AGAIN))
def test_what_is_read_is_written_as_powershell_would(vector: dict[str, Any]) -> None:
    for value, again in zip(load_all(vector["input"]), vector["again"], strict=True):
        assert _nameless(dumps(value).decode()) == _nameless(again)


@pytest.mark.parametrize("name", WRITTEN_OTHERWISE)
def test_each_difference_in_writing_is_still_one(name: str) -> None:
    vector = next(vector for vector in READ if vector["name"] == name)
    values = load_all(vector["input"])
    assert [_nameless(dumps(value).decode()) for value in values] != [
        _nameless(again) for again in vector["again"]
    ]


def _nameless(text: str) -> str:
    """Remove type names, which PowerShell prefixes or adds when it reads."""
    text = text.replace("Deserialized.", "").replace('<TNRef RefId="0" />', "")
    for given in GIVEN_NAMES:
        for number in range(3):
            text = text.replace(f'<TN RefId="{number}">{given}</TN>', "")
    return text.replace('"></Obj>', '" />')


def test_a_local_time_is_the_same_moment_that_powershell_reads() -> None:
    for vector in READ:
        if vector["name"].startswith("datetime-offset"):
            (value,) = load_all(vector["input"])
            assert isinstance(value, DateTime)
            assert str(value.utc_ticks) == vector["values"][0]["utc_ticks"]
