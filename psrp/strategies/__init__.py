"""Hypothesis strategies for all values of PSRP, for testing your own code.

Install ``psremoting[testing]``; nothing else in `psrp` imports this package. Every strategy
generates all legal values and nothing else; `mutations` generates bytes that are not legal.
Nonsensical arguments raise ValueError when the strategy is made. spec-notes/fuzzing.md shows how
to test your own fragmenter with them.
"""

from __future__ import annotations

from psrp.clixml.strategies import containers, objects, scalars, strings, values
from psrp.strategies.conversations import Step, conversations
from psrp.strategies.messages import messages
from psrp.strategies.wire import FragmentSequence, cuttings, fragments, mutations

__all__ = [
    "FragmentSequence",
    "Step",
    "containers",
    "conversations",
    "cuttings",
    "fragments",
    "messages",
    "mutations",
    "objects",
    "scalars",
    "strings",
    "values",
]
