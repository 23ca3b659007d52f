"""Base64 by .NET's rules: whole groups of four, no excess padding, no white space.

The standard library's decoder is fast for short data and slow for long data; long data is decoded
with pybase64, which uses SIMD instructions, if it is installed.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from functools import cache
from typing import Any

__all__ = ["decode", "encode"]

_MUCH = 8192


@cache
def _fast() -> Any:
    try:
        import pybase64
    except ImportError:
        return None
    return pybase64


def encode(data: bytes | bytearray | memoryview) -> bytes:
    if len(data) >= _MUCH and (fast := _fast()) is not None:
        return fast.b64encode(data)  # type: ignore[no-any-return]
    return b2a_base64(data, newline=False)


def decode(text: str | bytes | memoryview) -> bytes:
    """Decode a text. Raises binascii.Error, and ValueError for characters beyond ASCII."""
    # Both libraries accept some padding that .NET refuses.
    if len(text) & 3 or text[-3:] == ("===" if isinstance(text, str) else b"==="):
        raise Error("not whole groups")
    if len(text) >= _MUCH and (fast := _fast()) is not None:
        return fast.b64decode(text, validate=True)  # type: ignore[no-any-return]
    return a2b_base64(text, strict_mode=True)
