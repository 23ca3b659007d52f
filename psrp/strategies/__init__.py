"""Hypothesis strategies for everything that PSRP moves: test your own code with them.

Install ``psremoting[testing]``; nothing else in `psrp` imports this package. Every strategy makes
all that is legal and nothing else; `mutations` is the one for bytes that are not. Arguments
that make no sense raise ValueError when the strategy is made. spec-notes/fuzzing.md shows how
to test a fragmenter of your own with them.
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
