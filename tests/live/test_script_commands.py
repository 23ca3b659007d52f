"""Our conversion of a script to commands equals that of the real PowerShell."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

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
    """Return whether two values are equal, ignoring the order of a hashtable and the spelling of a
    number, which a method call in PowerShell drops; the recorded lines check it."""
    if isinstance(value, PSObject) and value.value is not None and not value.type_names:
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


class _Commands:
    """Return random commands with constant arguments, the same in every run."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def command(self) -> str:
        words = [self._argument() for _ in range(self._random.randrange(5))]
        return " ".join(["Get-Thing", *words])

    def _argument(self) -> str:
        kind = self._random.randrange(6)
        if kind == 0:
            return self._random.choice(_WORDS)
        if kind == 1:
            return f"({self._expression(2)})"
        if kind == 2:
            return f"-x:{self._number()}"
        if kind == 3:
            return self._random.choice(["-x", "–y", "-x: 5", "2>&1", "*>&1"])
        if kind == 4:
            return ",".join(self._constant() for _ in range(3))
        return self._number()

    def _expression(self, depth: int) -> str:
        if depth == 0:
            return self._constant()
        form = self._random.choice(_FORMS)
        return form.format(*(self._expression(depth - 1) for _ in range(2)))

    def _constant(self) -> str:
        kind = self._random.randrange(4)
        if kind == 0:
            return self._random.choice(["$true", "$false", "$null", "@()"])
        if kind == 1:
            return self._random.choice(_STRINGS)
        if kind == 2:
            text = "".join(self._random.choices("ab 1$`é😀-'\".", k=self._random.randrange(8)))
            return "'" + text.replace("'", "''") + "'"
        return self._number()

    def _number(self) -> str:
        number, pick = self._random.randrange, self._random.choice
        return pick(
            [
                str(number(-(2**40), 2**40)),
                str(number(2**70)),
                f"{number(300)}{pick(['', 'l', 'd', 'u', 'uy', 'n'])}{pick(['', 'kb', 'mb'])}",
                f"0x{number(2**64):x}{pick(['', 'l', 'u'])}",
                repr(self._random.uniform(0, 10 ** number(20))),
                f"{number(10**6) / 1000}d",
            ]
        )


_WORDS = ["word", "a.b", "C:\\x", "--x", "-5", "%Y", "a=b", "[int]", "1..3", "~", 'a"b c"d']
_STRINGS = ['"a`tb"', '"x$(1+1)y"', '"$true"', '"$(1,2)"', "@'\na\n'@", '"`u{41}"', '"é ""😀"']
_FORMS = [
    "({}, {})", "@({}; {})", "@{{a={}; b={}}}", "({} + {})", "({} - {})", "({} * {})",
    "({} -eq {})", "({} -ne {})", "({} -join '-')", "[string]{}", "(-not {})", '"$({})"',
]  # fmt: skip


def test_generated_commands_are_converted_as_powershell_converts_them(real: PowerShell) -> None:
    commands = _Commands(20_26)
    assert _compare(real, [commands.command() for _ in range(300)]) == []
