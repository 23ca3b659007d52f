"""Our commands of a script are those that the real PowerShell makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.script_commands import script_commands
from psrp.clixml import Dictionary, PSObject, dumps, identical, loads
from tests.live.powershell import PowerShell, quoted

_EXPRESSIONS = [
    line
    for line in (Path(__file__).parent / "expressions.txt").read_text(encoding="utf-8").split("\n")
    if line
]
_SCRIPT = """
function global:Converted([string]$json) {
  foreach ($text in ConvertFrom-Json $json -DateKind String) {
    try {
      $ps = [scriptblock]::Create([string]$text).GetPowerShell($true, @())
      $found = @(foreach ($c in $ps.Commands.Commands) {
        ,@($c.CommandText, @(foreach ($p in $c.Parameters) { ,@($p.Name, [System.Management.Automation.PSSerializer]::Serialize($p.Value, 3)) }))
      })
    } catch { $found = "$($_.Exception.InnerException.GetType().Name)" }
    ConvertTo-Json @{ f = $found } -Depth 8 -Compress -EscapeHandling EscapeNonAscii
  }
}
"""  # noqa: E501
#: Results that differ, and the reason; see spec-notes/constrained-endpoints.md.
_ACCEPTED = {
    "@{a=1}.Keys": "the collection has properties of its own there",
    "@{a=1}.Values": "the collection has properties of its own there",
    "([datetime]'2020-01-02').DayOfWeek": "an enum",
}


def _compare(real: PowerShell, texts: list[str]) -> list[Any]:
    real.run(_SCRIPT)
    answers = real.run(f"Converted {quoted(json.dumps(texts))}").splitlines()
    return [
        (text, difference)
        for text, answer in zip(texts, answers, strict=True)
        if (difference := _difference(text, json.loads(answer)["f"]))
    ]


def _difference(text: str, found: Any) -> Any:
    try:
        (commands,) = script_commands(text)
    except Unsupported:
        return None
    if not isinstance(found, list):
        return found
    own = [[c.text, [[p.name, p.value] for p in c.parameters]] for c in commands]
    for (name, arguments), (real_name, real_arguments) in zip(own, found, strict=True):
        if name != real_name or len(arguments) != len(real_arguments):
            return own, found
        for (key, value), (real_key, written) in zip(arguments, real_arguments, strict=True):
            if key != real_key or not _same(value, loads(written)):
                return key, value, real_key, written
    return None


def _same(value: Any, real: Any) -> bool:
    """Tell if two values are the same. The order of a hashtable does not count, nor the spelling
    of a number, which a method call in PowerShell drops; the recorded lines have it."""
    if isinstance(value, PSObject) and value.value is not None:
        value = value.value
    if isinstance(value, Dictionary) and isinstance(real, Dictionary):
        return len(value) == len(real) and all(
            key in real and _same(item, real[key]) for key, item in value.items()
        )
    if isinstance(value, list) and isinstance(real, list):
        return len(value) == len(real) and all(map(_same, value, real))
    if isinstance(value, PSObject) and isinstance(real, PSObject):
        return value.type_names == real.type_names
    return identical(value, real) or dumps(value) == dumps(real)


def test_constant_expressions_have_the_values_of_powershell(real: PowerShell) -> None:
    differing = _compare(real, [f"Get-Thing ({text})" for text in _EXPRESSIONS])
    own = {text: difference for text, difference in differing if text[11:-1] not in _ACCEPTED}
    assert own == {}


_NUMBERS = st.one_of(
    st.integers(-(2**40), 2**70).map(str),
    st.builds("{}{}{}".format, st.integers(0, 300), st.sampled_from(["", "l", "d", "u", "uy", "n"]),
              st.sampled_from(["", "kb", "mb"])),
    st.builds("0x{:x}{}".format, st.integers(0, 2**64), st.sampled_from(["", "l", "u"])),
    st.floats(0, 1e20).map(repr),
    st.decimals(0, 1000, places=3).map(lambda value: f"{value}d"),
)  # fmt: skip
_TEXT = st.text("ab 1$`é😀-'\".", max_size=8)
_STRINGS = st.one_of(
    _TEXT.map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.text("ab 1.é😀-'", max_size=8).map(lambda text: f'"{text}"'),
    st.sampled_from(['"a`tb"', '"x$(1+1)y"', '"$true"', '"$(1,2)"', "@'\na\n'@", '"`u{41}"']),
)
_WORDS = st.sampled_from(["word", "a.b", "C:\\x", "--x", "-5", "%Y", "a=b", "[int]", "1..3", "~"])
_CONSTANTS = st.one_of(_NUMBERS, _STRINGS, st.sampled_from(["$true", "$false", "$null", "@()"]))
_OPERATORS = st.sampled_from(["+", "-", "*", "-eq", "-ne"])
_EXPRESSION = st.recursive(
    _CONSTANTS,
    lambda inner: st.one_of(
        st.builds("({}, {})".format, inner, inner),
        st.builds("@({}; {})".format, inner, inner),
        st.builds("@{{a={}; b={}}}".format, inner, inner),
        st.builds(
            "({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "-eq", "-ne"]), inner
        ),
        st.builds("({} -join '-')".format, inner),
        st.builds("[string]{}".format, inner),
        st.builds("(-not {})".format, inner),
    ),
    max_leaves=4,
)
_ARGUMENT = st.one_of(
    _NUMBERS,
    _WORDS,
    _EXPRESSION.map(lambda text: f"({text})"),
    st.builds("-x:{}".format, _NUMBERS),
    st.sampled_from(["-x", "–y", "-x: 5", "--", "2>&1", "*>&1"]),
    st.lists(_CONSTANTS, min_size=2, max_size=3).map(",".join),
)


@settings(max_examples=3, suppress_health_check=list(HealthCheck), deadline=None)
@given(commands=st.lists(st.lists(_ARGUMENT, max_size=4), min_size=60, max_size=60))
def test_generated_commands_are_converted_as_powershell_converts_them(
    real: PowerShell, commands: list[list[str]]
) -> None:
    texts = [" ".join(["Get-Thing", *words]) for words in commands]
    assert _compare(real, texts) == []
