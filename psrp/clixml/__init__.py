"""CLIXML, the XML form of PowerShell values; usable on its own. [MS-PSRP] 2.2.5

>>> loads(b'<Obj RefId="0"><LST><I32>1</I32><S>two</S></LST></Obj>')
List([1, 'two'])
>>> dumps({"a": 1.5})[-59:]
b'<En><S N="Key">a</S><Db N="Value">1.5</Db></En></DCT></Obj>'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psrp.clixml.read import loads, read_document
from psrp.clixml.typenames import deserialized
from psrp.clixml.values import *  # noqa: F403
from psrp.clixml.values import __all__ as _values
from psrp.clixml.write import dumps

if TYPE_CHECKING:
    from psrp.clixml.files import (
        RawText,
        StreamItem,
        dump_all,
        dump_streams,
        iter_streams,
        load_all,
        load_streams,
    )
    from psrp.clixml.jsonform import from_json, to_json
    from psrp.clixml.plain import to_plain
    from psrp.clixml.readable import StderrText, stderr_text

__all__ = [
    *_values,
    "RawText",
    "StderrText",
    "StreamItem",
    "deserialized",
    "dump_all",
    "dump_streams",
    "dumps",
    "from_json",
    "iter_streams",
    "load_all",
    "load_streams",
    "loads",
    "read_document",
    "stderr_text",
    "to_json",
    "to_plain",
]

#: Not needed by the protocol itself; loaded on first use.
_LATER = {
    "files": "RawText StreamItem dump_all dump_streams iter_streams load_all load_streams",
    "jsonform": "from_json to_json",
    "plain": "to_plain",
    "readable": "StderrText stderr_text",
}
_WHERE = {name: module for module, names in _LATER.items() for name in names.split()}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name not in _WHERE:
            raise AttributeError(f"module 'psrp.clixml' has no attribute {name!r}")
        found = getattr(import_module(f"psrp.clixml.{_WHERE[name]}"), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *_WHERE})
