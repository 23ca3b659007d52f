"""Completion of a typed line by the remote TabExpansion2, if there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import trio

from psrp import events as e
from psrp.clixml import PSObject
from psrp.commands import Command, Parameter, PowerShell
from psrp.host import HostInfo
from psrp.properties import unwrap
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from psremoting.session import PSSession

__all__ = ["Match", "RemoteCompletion", "read_completion"]

_PATIENCE = 5.0
"""Seconds after which a completion is cancelled."""


@dataclass(frozen=True, slots=True)
class Match:
    """A completion: ``text`` replaces ``length`` characters from ``start`` on."""

    text: str
    start: int
    length: int
    shown: str
    about: str


def read_completion(value: Any) -> list[Match]:
    """Return the matches of a CommandCompletion; [] for anything else."""
    if type(value) is not PSObject:
        return []
    start, length = unwrap(value.get("ReplacementIndex")), unwrap(value.get("ReplacementLength"))
    matches = unwrap(value.get("CompletionMatches"))
    if not (isinstance(start, int) and isinstance(length, int) and isinstance(matches, list)):
        return []
    if start < 0 or length < 0:
        return []
    found = []
    for each in matches:
        if type(each) is not PSObject:
            continue
        text, shown, about = (
            unwrap(each.get(name)) for name in ("CompletionText", "ListItemText", "ToolTip")
        )
        if isinstance(text, str) and text:
            if _is_container(each) and not text.endswith(("/", "\\")):
                text = _with_separator(text)
            first = shown if isinstance(shown, str) and shown else text
            found.append(Match(text, start, length, first, about if isinstance(about, str) else ""))
    return found


_CONTAINER = "ProviderContainer"


def _is_container(match: PSObject) -> bool:
    kind = match.get("ResultType")
    return (kind.to_string if type(kind) is PSObject else kind) == _CONTAINER


def _with_separator(text: str) -> str:
    """Return the path of a directory with a separator, inside its quotes."""
    separator = "\\" if "\\" in text and "/" not in text else "/"
    if text[-1:] in ("'", '"'):
        return f"{text[:-1]}{separator}{text[-1]}"
    return text + separator


class RemoteCompletion:
    """Completion requests to the server; disabled if it has no TabExpansion2."""

    def __init__(self, session: PSSession) -> None:
        self._session = session
        self._available = True

    async def matches(self, text: str, cursor: int) -> list[Match]:
        """Return the completions of ``text`` at ``cursor``, in UTF-16 code units."""
        if not self._available or self._session.state != "Opened":
            return []
        command = Command(
            "TabExpansion2",
            parameters=(Parameter("inputScript", text), Parameter("cursorColumn", cursor)),
        )
        event = e.CreatePipeline(
            pipeline_id=uuid4(), powershell=PowerShell.of(command), host_info=HostInfo.null()
        )
        try:
            with trio.move_on_after(_PATIENCE):
                async with await self._session.start(event) as invocation:
                    result = await invocation.result()
                    self._available = result.error is None
                    return read_completion(result.output[0]) if result.output else []
        except LocalProtocolError:
            pass
        return []
