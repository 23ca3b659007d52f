"""CREATE_PIPELINE messages that a client has sent, from a copy of its bytes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from psrp import events as e
from psrp.clixml import Dictionary, dumps, identical
from psrp.commands import Command
from psrp.fragments import Defragmenter
from psrp.messages import MessageType, decode, read_header
from sshsub.packets import LineReader, read_line

__all__ = ["Sent", "copying", "same_commands"]

_FLAGS = (
    "use_local_scope", "merge_my_result", "merge_to_result", "merge_previous_results",
    "merge_error", "merge_warning", "merge_verbose", "merge_debug", "merge_information",
)  # fmt: skip


def copying(argv: list[str], copy: Path) -> list[str]:
    """Return a server program that writes what it receives to ``copy`` before it reads it."""
    copy.touch()
    tee = f"tee /dev/fd/3 3>&1 >> {shlex.quote(str(copy))}"
    return ["/bin/sh", "-c", f"{tee} | {shlex.join(argv)}"]


class Sent:
    """The pipelines in a growing copy of a client's bytes."""

    def __init__(self, copy: Path) -> None:
        self._copy = copy
        self._at = 0
        self._lines = LineReader()
        self._streams: dict[Any, Defragmenter] = {}

    def new(self) -> list[e.CreatePipeline]:
        """Return the pipelines that were sent since the last call."""
        with self._copy.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        self._at += len(data)
        self._lines.receive_data(data)
        found = []
        while (line := self._lines.next_line()) is not None:
            for packet in read_line(line.data):
                if packet.data:
                    found += self._pipelines(packet.target, packet.data)
        return found

    def _pipelines(self, target: Any, data: bytes) -> list[e.CreatePipeline]:
        stream = self._streams.setdefault(target, Defragmenter())
        stream.receive_data(data)
        found = []
        while (message := stream.next_message()) is not None:
            if read_header(message).message_type == MessageType.CREATE_PIPELINE:
                event = decode(message)[1]
                assert isinstance(event, e.CreatePipeline)
                found.append(event)
        return found


def same_commands(
    ours: tuple[tuple[Command, ...], ...], real: tuple[tuple[Command, ...], ...]
) -> bool:
    """Return whether commands, names, values and flags of all statements are equal."""
    if [len(each) for each in ours] != [len(each) for each in real]:
        return False
    pairs = [
        pair for one, other in zip(ours, real, strict=True) for pair in zip(one, other, strict=True)
    ]
    return all(_same_command(one, other) for one, other in pairs)


def _same_command(one: Command, other: Command) -> bool:
    names = [[each.name for each in command.parameters] for command in (one, other)]
    return (
        (one.text, one.is_script, names[0]) == (other.text, other.is_script, names[1])
        and all(getattr(one, flag) == getattr(other, flag) for flag in _FLAGS)
        and all(
            _same_value(mine.value, theirs.value)
            for mine, theirs in zip(one.parameters, other.parameters, strict=True)
        )
    )


def _same_value(one: Any, other: Any) -> bool:
    """Return whether two values are equal. The order of a hashtable changes in the real client."""
    if isinstance(one, Dictionary) and isinstance(other, Dictionary):
        ordered = "OrderedDictionary" in one.type_names[0]
        return (
            one.type_names == other.type_names
            and len(one) == len(other)
            and (not ordered or list(one) == list(other))
            and all(key in other and _same_value(item, other[key]) for key, item in one.items())
        )
    return identical(one, other) or dumps(one) == dumps(other)
