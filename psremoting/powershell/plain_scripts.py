"""Scripts whose meaning is known without a parser.

Loading the parser and the evaluator takes a quarter of the processor time of
`psrp invoke HOST COMMAND`, and the shortest scripts do not need them.
"""

from __future__ import annotations

import re

__all__ = ["is_number", "is_verb_and_noun"]

is_number = re.compile(r"[0-9]{1,9}", re.ASCII).fullmatch
"""Returns a match for a number, which is an expression."""
is_verb_and_noun = re.compile(r"[A-Za-z]{1,40}-[A-Za-z]{1,40}", re.ASCII).fullmatch
"""Returns a match for the name of a command without arguments. No keyword has a hyphen."""
