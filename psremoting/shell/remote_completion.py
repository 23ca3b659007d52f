"""Completion of a typed line by the remote TabExpansion2, or from Get-Command without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import trio

from psremoting.client.command_descriptions import describe
from psremoting.errors import PSRemotingError
from psremoting.shell.described_completion import candidates
from psrp import events as e
from psrp.clixml import PSObject
from psrp.commands import Command, Parameter, PowerShell
from psrp.host import HostInfo
from psrp.properties import unwrap
from psrp.sansio import LocalProtocolError

if TYPE_CHECKING:
    from psremoting.client.command_descriptions import CommandDescription
    from psremoting.client.invocation import Result
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
    """Completion requests to the server: to TabExpansion2, and where that fails to Get-Command."""

    def __init__(self, session: PSSession) -> None:
        self._session = session
        self._available = True
        self._commands: list[CommandDescription] | None = None

    async def matches(self, text: str, cursor: int) -> list[Match]:
        """Return the completions of ``text`` at ``cursor``, in UTF-16 code units."""
        if self._session.state != "Opened":
            return []
        try:
            with trio.move_on_after(_PATIENCE):
                found = await self._expanded(text, cursor) if self._available else None
                return await self._described(text, cursor) if found is None else found
        except (LocalProtocolError, PSRemotingError):
            pass
        return []

    async def _expanded(self, text: str, cursor: int) -> list[Match] | None:
        """Return the answer of TabExpansion2; None for an error."""
        given = (Parameter("inputScript", text), Parameter("cursorColumn", cursor))
        result = await self._run(Command("TabExpansion2", parameters=given))
        missing = getattr(result.error, "error_id", "").startswith("CommandNotFound")
        self._available = not missing
        if result.output:
            return read_completion(result.output[0])
        return None if result.had_errors else []

    async def _described(self, text: str, cursor: int) -> list[Match]:
        if self._commands is None:
            self._commands = []
            self._commands = await describe(self._run)
        before = text.encode("utf-16-le", "surrogatepass")[: 2 * cursor]
        length, found = candidates(self._commands, before.decode("utf-16-le", "surrogatepass"))
        start = cursor - length
        return [Match(full, start, length, full.strip("'\""), about) for full, about in found]

    async def _run(self, what: Command | PowerShell, **_: Any) -> Result:
        event = e.CreatePipeline(
            pipeline_id=uuid4(),
            powershell=PowerShell.of(what) if isinstance(what, Command) else what,
            host_info=HostInfo.null(),
        )
        async with await self._session.start(event) as invocation:
            return await invocation.result()
