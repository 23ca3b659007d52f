"""CLIXML, the XML form of PowerShell values: usable alone. [MS-PSRP] 2.2.5

    >>> loads(b'<Obj RefId="0"><LST><I32>1</I32><S>two</S></LST></Obj>')
    List([1, 'two'])
    >>> dumps([1, "two"])[-51:]
    b'<LST><I32>1</I32><S>two</S></LST></Obj>'
"""

from __future__ import annotations

from psrp.clixml.read import load_all, loads, read_document
from psrp.clixml.values import *  # noqa: F403
from psrp.clixml.values import __all__ as _values
from psrp.clixml.write import dump_all, dumps

__all__ = [*_values, "dump_all", "dumps", "load_all", "loads", "read_document"]
