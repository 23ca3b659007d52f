"""Scripts that are read without a parser mean what the parser says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.client.pipeline_input import as_powershell
from psremoting.powershell.evaluation_errors import Unsupported
from psremoting.powershell.plain_scripts import is_number, is_verb_and_noun
from psremoting.powershell.script_commands import script_commands
from psrp.commands import PowerShell


@given(st.from_regex(r"\A[A-Za-z]{1,9}-[A-Za-z]{1,9}\Z"))
def test_a_verb_and_a_noun_are_one_command(text: str) -> None:
    assert is_verb_and_noun(text)
    assert as_powershell(text) == (PowerShell(statements=script_commands(text)), "")


@given(st.integers(0, 999_999_999))
def test_a_number_is_an_expression(number: int) -> None:
    with pytest.raises(Unsupported) as caught:
        script_commands(str(number))
    assert as_powershell(str(number))[1] == caught.value.reason


@pytest.mark.parametrize(
    "text", ["", "1x", "1 + 1", "1\n", "٣", "Get-Date\n", "Get-Dä", "-a", "a-b-c", "if"]
)
def test_a_script_that_only_looks_plain_is_left_to_the_parser(text: str) -> None:
    assert not is_number(text)
    assert not is_verb_and_noun(text)
