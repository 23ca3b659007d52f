"""The work of a winrs shell in the service: programs with their input, output and exit code.

[MS-WSMV] 3.1.4.1.31, 3.1.4.11 to 3.1.4.14
"""

from __future__ import annotations

from typing import Any

from wsman import names, soap
from wsman import shell_values as v
from wsman.faults import make_fault
from wsman.hosting import ProgramSession, Refusal, too_many_commands

__all__ = ["ProgramWork"]

_LEAST_ROOM = 512
_MAX_COMMANDS = 1000
_INTERRUPTS = (names.SIGNAL_CTRL_C, names.SIGNAL_CTRL_BREAK)


class ProgramWork:
    """One shell's session and its commands by id."""

    streams = ("stdin", "stdout stderr")

    def __init__(self) -> None:
        self._session: ProgramSession | None = None
        self._commands: dict[str, str] = {}
        self._ended: set[str] = set()

    def begin(self, session: Any, create: v.Create) -> None:
        self._session = session

    @property
    def session(self) -> ProgramSession:
        assert self._session is not None
        return self._session

    @property
    def command_ids(self) -> tuple[str, ...]:
        return tuple(self._commands)

    @property
    def running(self) -> int:
        """The number of commands whose end the client has not been told."""
        return len(self._commands) - len(self._ended)

    def knows(self, command_id: str) -> bool:
        return command_id.upper() in self._commands

    def _find(self, command_id: str) -> str:
        if not self.knows(command_id):
            raise Refusal(make_fault("InvalidSelectors"))
        return command_id.upper()

    def command(self, value: v.Command, command_id: str) -> None:
        """Start a program. Raises Refusal."""
        key = command_id.upper()
        if key in self._commands:
            raise Refusal(make_fault("InvalidParameter", "The CommandId is in use."))
        if len(self._commands) >= _MAX_COMMANDS:
            raise too_many_commands(_MAX_COMMANDS)
        arguments = tuple(
            each if isinstance(each, str) else each.decode("utf-8", "replace")
            for each in value.arguments
        )
        self.session.start(key, value.command, arguments)
        self._commands[key] = value.command

    def send(self, value: v.Send) -> tuple[str, ...]:
        """Pass input on; return the ids of its commands. Raises Refusal, changing nothing."""
        for each in value.streams:
            self._find(each.command_id)
            if each.name.lower() != "stdin":
                raise Refusal(make_fault("InvalidParameter", "Expected the stream stdin."))
        for each in value.streams:
            self.session.write(each.command_id.upper(), each.data, end=each.end)
        return tuple(dict.fromkeys(each.command_id for each in value.streams))

    def takes_more(self, command_id: str) -> bool:
        return not self.knows(command_id) or self.session.takes_more(command_id.upper())

    def signal(self, value: v.Signal) -> bool:
        """Act on a Signal; its answer is never delayed. Raises Refusal."""
        if not value.command_id:
            return False
        key = self._find(value.command_id)
        if value.code.lower() in _INTERRUPTS:
            self.session.interrupt(key)
        else:
            del self._commands[key]
            self._ended.discard(key)
            self.session.close(key)
        return False

    def stopped(self, command_id: str) -> bool:
        return True

    def settle(self) -> None:
        return

    def output(
        self, command_id: str, room: int, *, gather: bool = False
    ) -> v.ReceiveResponse | None:
        """Return the answer to a Receive, or None while there is none. Raises Refusal.

        Output of programs is never gathered.
        """
        if not command_id:
            return None
        key = self._find(command_id)
        streams = tuple(
            v.StreamData(name=name, data=data, command_id=command_id)
            for name, data in self.session.read(key, max(room - _LEAST_ROOM, _LEAST_ROOM))
        )
        code = self.session.exit_code(key)
        if code is None:
            if not streams:
                return None
            state = soap.CommandState(state="Running", command_id=command_id)
            return v.ReceiveResponse(streams=streams, states=(state,))
        state = soap.CommandState(state="Done", command_id=command_id, exit_code=code)
        if key in self._ended and not streams:
            return v.ReceiveResponse(states=(state,))
        self._ended.add(key)
        ends = tuple(
            v.StreamData(name=name, command_id=command_id, end=True)
            for name in ("stdout", "stderr")
        )
        return v.ReceiveResponse(streams=streams + ends, states=(state,))

    def is_gathering(self, command_id: str) -> bool:
        return False

    def closed_answer(self, command_id: str) -> v.ReceiveResponse:
        return v.ReceiveResponse(states=(soap.CommandState(state="Done", command_id=command_id),))

    def drop_output(self) -> None:
        return

    def disconnect(self) -> None:
        return

    def reconnect(self) -> None:
        return

    def connect(self, data: bytes | None, room: int) -> bytes:
        raise Refusal(make_fault("UnsupportedFeature", "A shell of programs has no Connect."))

    def connect_command(self, command_id: str) -> None:
        self._find(command_id)

    def take_failed_commands(self) -> tuple[tuple[str, str], ...]:
        return ()

    def end(self) -> None:
        if self._session is not None:
            self._session.client_gone()
