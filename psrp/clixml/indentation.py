"""Fast path: deeply nested documents are read without their indentation.

PSSerializer and Export-Clixml begin each element on a line of its own, two blanks deeper for each
level. In an object nested 48 deep, nine tenths of the text are blanks. The reader splits the text
at ``<``, so each of these blanks becomes part of a piece that has to be stripped.

One regular expression removes them first, where they have no meaning:

* before an opening tag, because an element has text or elements, never both;
* before the closing tag of an element that holds elements.

Blanks before any other closing tag may be a string and stay. A flat list loses time by this,
because its runs are read by column with their blanks: the path is only taken if most lines are
deep.

Places in errors count the characters of the document as it came. If a reader finds a fault, the
document is therefore read again with its blanks, and that reader's result counts.
"""

from __future__ import annotations

import re

__all__ = ["without_indentation"]

_DEEP = "\n" + " " * 16
_BLANKS = re.compile(r">\n *+(?=<(?:[^/]|/(?:Obj|MS|Props|LST|IE|STK|QUE|DCT|En|TN|Objs)>))")


def without_indentation(text: str) -> str | None:
    """Return a deeply nested document without the blanks between its elements; None for others.

    Its value is that of ``text``; a fault in it has another place.
    """
    deep = text.count(_DEEP)
    if deep == 0 or 2 * deep < text.count("\n"):
        return None
    return _BLANKS.sub(">", text)
