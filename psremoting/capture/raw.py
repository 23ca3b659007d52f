"""Fragments without a carrier, as bytes or as hexadecimal or base64 text."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

from psremoting.capture.detect import Form
from psrp.sansio import Side, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psremoting.capture.reassembly import Joiner
    from psremoting.capture.source import Source

__all__ = ["read_fragments"]

_GROUP = {Form.HEX: 2, Form.BASE64: 4}
_PADDED = re.compile(rb"[^=]+={0,2}|=+")
_SPACE = re.compile(rb"\s+")


def read_fragments(source: Source, joiner: Joiner, form: Form) -> Iterator[None]:
    """Feed the joiner with one stream; sender and target are taken from each message.

    Raises CaptureError for text that is not hexadecimal or base64.
    """
    session = joiner.session(bare=True)
    offset = 0
    for data in _pieces(source, form):
        joiner.counts.carrier_bytes += len(data)
        joiner.payload(session, None, Side.SERVER, Stream.DEFAULT, data, {"offset": offset})
        offset += len(data)
        yield


def _pieces(source: Source, form: Form) -> Iterator[bytes]:
    if form is Form.FRAGMENTS:
        yield from source.pieces()
        return
    group = _GROUP[form]
    rest, offset = b"", 0
    for piece in source.pieces():
        digits = rest + _SPACE.sub(b"", piece)
        whole = len(digits) - len(digits) % group
        rest = digits[whole:]
        if digits[:whole]:
            yield _decode(source, form, digits[:whole], offset)
        offset = source.position
    if rest:
        raise source.fail(f"the recording ends inside a {form.value} group", offset)


def _decode(source: Source, form: Form, digits: bytes, offset: int) -> bytes:
    try:
        if form is Form.HEX:
            return binascii.unhexlify(digits)
        # Each line may be padded base64 of its own.
        texts = _PADDED.findall(digits)
        return b"".join(binascii.a2b_base64(text, strict_mode=True) for text in texts)
    except binascii.Error as error:
        raise source.fail(f"not {form.value}: {error}", offset) from None
