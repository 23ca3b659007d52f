"""The values of a JSON text that arrives in pieces: the elements of an array, or one value."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import Any

__all__ = ["JsonElements", "JsonError"]

_SPACE = " \t\r\n"
_STRUCTURE = re.compile(r'["\[\]{},]')
_STRING_END = re.compile(r'["\\]')
_DECODER = json.JSONDecoder()


class JsonError(Exception):
    """Text that is not JSON; the message has its line, column and character."""


class JsonElements:
    """Splits an array into its elements; memory is needed for one element at a time.

    ``max_value`` is the maximum number of characters of one element. Errors are raised in the
    order of the text, after the elements before them.
    """

    def __init__(self, max_value: int) -> None:
        self._max_value = max_value
        self._text = ""
        self._pos = 0
        self._parts: list[str] = []
        """The parts of the element that were searched before the current text."""
        self._held = self._count = self._depth = 0
        self._in_string = False
        self._is_array: bool | None = None
        self._done = False
        self._separated = False
        """True if a comma was found last."""
        self._lines = self._offset = self._column = 0
        """The place of the element: line ends and characters before it, in all and in its line."""
        self._found: deque[Any] = deque()

    def receive_text(self, text: str) -> None:
        self._text = self._text[self._pos :] + text
        self._pos = 0

    def next_value(self, *, last: bool) -> tuple[Any, int] | None:
        """Return the next value and the size of its text; None if it is not complete.

        ``last``: no more text will come. Raises JsonError, and RecursionError for deep nesting.
        """
        if self._is_array is None:
            rest = self._text[self._pos :].lstrip(_SPACE)
            if not rest and not last:
                return None
            self._skip(len(self._text) - self._pos - len(rest))
            self._is_array = rest.startswith("[")
            if self._is_array:
                self._skip(1)
        if self._done:
            self._after_array()
            return None
        if not self._is_array:
            return self._single(last)
        return self._element(last)

    def _single(self, last: bool) -> tuple[Any, int] | None:
        self._hold(self._text[self._pos :])
        self._pos = len(self._text)
        if not last:
            return None
        text = "".join(self._parts)
        self._parts = []
        value, end = self._decoded(text)
        if text[end:].strip(_SPACE):
            raise self._error("Extra data", text, _after_space(text, end))
        self._done = True
        return value, len(text)

    def _element(self, last: bool) -> tuple[Any, int] | None:
        text, start = self._text, self._pos
        while True:
            if self._in_string:
                found = _STRING_END.search(text, self._pos)
                if found is not None and found[0] == "\\":
                    if found.end() == len(text) and not last:
                        self._pos = found.start()
                        break
                    self._pos = found.end() + 1
                    continue
                if found is None:
                    self._pos = len(text)
                    break
                self._in_string = False
                self._pos = found.end()
                continue
            found = _STRUCTURE.search(text, self._pos)
            if found is None:
                self._pos = len(text)
                break
            mark = found[0]
            self._pos = found.end()
            if mark == '"':
                self._in_string = True
            elif mark in "[{":
                self._depth += 1
            elif self._depth and mark != ",":
                self._depth -= 1
            elif not self._depth:
                return self._complete(text[start : found.start()], mark, last)
        self._hold(text[start : self._pos])
        if last:
            return self._complete("", "", last)
        return None

    def _complete(self, tail: str, mark: str, last: bool) -> tuple[Any, int] | None:
        text = "".join((*self._parts, tail))
        self._parts, self._held = [], 0
        if mark == "]" and not self._separated and not text.strip(_SPACE) and not self._count:
            self._move(text + mark)
            self._done = True
            return self.next_value(last=last)
        value, end = self._decoded(text)
        if text[end:].strip(_SPACE) or mark not in (",", "]"):
            raise self._error("Expecting ',' delimiter", text, _after_space(text, end))
        self._count += 1
        self._separated = mark == ","
        self._done = mark == "]"
        self._move(text + mark)
        return value, len(text)

    def _after_array(self) -> None:
        rest = self._text[self._pos :]
        if rest.strip(_SPACE):
            raise self._error("Extra data", rest, _after_space(rest, 0))
        self._skip(len(rest))

    def _decoded(self, text: str) -> tuple[Any, int]:
        try:
            return _DECODER.raw_decode(text, _after_space(text, 0))
        except json.JSONDecodeError as error:
            raise self._error(error.msg, text, error.pos) from None

    def _error(self, what: str, text: str, pos: int) -> JsonError:
        lines = text.count("\n", 0, pos)
        column = pos - text.rfind("\n", 0, pos) if lines else self._column + pos + 1
        return JsonError(
            f"not JSON: {what}: line {self._lines + lines + 1} column {column} "
            f"(char {self._offset + pos})"
        )

    def _skip(self, count: int) -> None:
        self._move(self._text[self._pos : self._pos + count])
        self._pos += count

    def _move(self, text: str) -> None:
        """Move the place of the element behind this text."""
        lines = text.count("\n")
        self._lines += lines
        self._offset += len(text)
        self._column = len(text) - text.rfind("\n") - 1 if lines else self._column + len(text)

    def _hold(self, text: str) -> None:
        self._parts.append(text)
        self._held += len(text)
        if self._held > self._max_value:
            raise JsonError(f"a value of more than {self._max_value} characters")


def _after_space(text: str, pos: int) -> int:
    return len(text) - len(text[pos:].lstrip(_SPACE))
