"""Adversarial replacements of the nodes of an XML document, whose tags stay balanced."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st
from lxml import etree

__all__ = ["TEXTS", "replaced"]

TEXTS = (
    "", " ", "-1", "+-2", "0", "00", "1e999999999", "-1e-999999999", "NaN", "INF", "9" * 300,
    "2147483648", "-2147483649", "18446744073709551616", "true", "TRUE", "nil", "\u00e9",
    "\U0001f600", "_xD800_", "_x0000_", "_x005F_", "{", "=", "AAAA", "A===", "P1D",
    "P99999999999999D", "PT",
    "2024-01-01T00:00:Z", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+14:00",
    "00000000-0000-0000-0000-000000000000", "x" * 5000, "\u0301" * 3000, "[" * 3000, "\t\n\r",
)  # fmt: skip
"""Texts at the edges of the types that leaves have."""
_ELEMENTS = (
    "<Nil/>", "<S>x</S>", "<I32>2147483647</I32>", "<U64>18446744073709551615</U64>",
    "<Db>NaN</Db>", "<B>true</B>", "<BA>AAAA</BA>", "<SS>AAAA</SS>", "<Ref RefId='0'/>",
    "<Ref RefId='99'/>",
    "<Obj RefId='0'><Ref RefId='0'/></Obj>", "<Obj RefId='0'><LST><Ref RefId='0'/></LST></Obj>",
    "<Obj RefId='7'><DCT><En><Ref N='Key' RefId='7'/><Nil N='Value'/></En></DCT></Obj>",
    "<Obj RefId='8'><TN RefId='0'><T>System.Int32</T></TN><MS/></Obj>", "<XD>&lt;a/&gt;</XD>",
    "<Obj RefId='9'><I32>5</I32><ToString>five</ToString></Obj>", "<Version>1.2.3.4</Version>",
)  # fmt: skip
"""Elements of every shape that a reader of a body may not expect, references among them."""


@st.composite
def replaced(draw: Any, document: bytes) -> bytes:
    """Return a well-formed document with one to three nodes, texts or attributes replaced."""
    root = etree.fromstring(document)
    for _ in range(draw(st.integers(1, 3))):
        nodes = [node for node in root.iter() if isinstance(node.tag, str)]
        node = draw(st.sampled_from(nodes))
        match draw(st.integers(0, 6)):
            case 0 | 1:
                for child in list(node):
                    node.remove(child)
                node.text = draw(st.sampled_from(TEXTS))
            case 2 if node.attrib:
                node.attrib[draw(st.sampled_from(sorted(node.attrib)))] = draw(
                    st.sampled_from(TEXTS)
                )
            case 3 if node.getparent() is not None:
                node.getparent().remove(node)
            case 4 if node.getparent() is not None:
                node.getparent().append(copy.deepcopy(node))
            case 5:
                node.append(copy.deepcopy(draw(st.sampled_from(nodes))))
            case _:
                _swap(node, draw(st.sampled_from(_ELEMENTS)))
    return etree.tostring(root)


def _swap(node: Any, text: str) -> None:
    """Replace an element, keeping its name among the members of its parent."""
    element = etree.fromstring(text)
    for name in ("N", "S"):
        if name in node.attrib:
            element.set(name, node.get(name))
    parent = node.getparent()
    if parent is not None:
        parent.replace(node, element)
    else:
        for child in list(node):
            node.remove(child)
        node.append(element)
