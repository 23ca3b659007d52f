"""Execution of local programs as the commands of a winrs shell.

A command line is run by a shell of the machine, as ``cmd`` does it on Windows, or without one when
the client ends it. Streams are bounded: a program waits while its output is not received.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable

import trio

from wsman.faults import make_fault
from wsman.hosting import Refusal, ShellLink, ShellRequest

__all__ = ["ProgramShell"]

_UNREAD = 1 << 20
"""Limit of queued output bytes at which a program waits for its client."""
_UNWRITTEN = 256 << 10
_CHUNK = 32 << 10
_PATIENCE = 2.0
_WITHOUT_SHELL = "WINRS_SKIP_CMD_SHELL"


class _Program:
    """One running command of a shell."""

    def __init__(self, argv: str | list[str]) -> None:
        self.argv = argv
        self.output: list[tuple[str, bytes]] = []
        self.size = 0
        self.room = trio.Event()
        self.input = bytearray()
        self.input_ended = False
        self.filled = trio.Event()
        self.process: trio.Process | None = None
        self.code: int | None = None
        self.scope = trio.CancelScope()
        self.interrupted = False


class ProgramShell:
    """The commands of one shell. It is a `wsman.hosting.ProgramSession`."""

    def __init__(self, request: ShellRequest, link: ShellLink) -> None:
        self._link = link
        self._programs: dict[str, _Program] = {}
        self._new: list[_Program] = []
        self._some = trio.Event()
        self._gone = False
        self._environment = os.environ | dict(request.environment)
        self._folder = request.working_directory or None
        options = {each.name.upper(): each.value.upper() for each in request.options}
        self._with_shell = options.get(_WITHOUT_SHELL) != "TRUE"

    # -- wsman.hosting.ProgramSession

    def start(self, command_id: str, command: str, arguments: tuple[str, ...]) -> None:
        """Run a command line. Raises Refusal for an empty one."""
        words = [each for each in (command, *arguments) if each]
        if not words:
            raise Refusal(make_fault("InvalidParameter", "Expected a command."))
        argv: str | list[str] = " ".join(words)
        if not self._with_shell:
            try:
                argv = shlex.split(command) + [each for each in arguments if each]
            except ValueError as error:
                raise Refusal(make_fault("InvalidParameter", str(error))) from None
        program = _Program(argv)
        self._programs[command_id] = program
        self._new.append(program)
        self._some.set()

    def write(self, command_id: str, data: bytes, *, end: bool) -> None:
        program = self._programs[command_id]
        program.input += data
        program.input_ended = program.input_ended or end
        program.filled.set()

    def read(self, command_id: str, room: int) -> list[tuple[str, bytes]]:
        """Return the output in order; adjacent chunks of one stream are joined."""
        program = self._programs[command_id]
        found: list[tuple[str, bytes]] = []
        while program.output and room > 0:
            name, data = program.output[0]
            taken, rest = data[:room], data[room:]
            if rest:
                program.output[0] = (name, rest)
            else:
                program.output.pop(0)
            room -= len(taken)
            program.size -= len(taken)
            if found and found[-1][0] == name:
                found[-1] = (name, found[-1][1] + taken)
            else:
                found.append((name, taken))
        if program.size < _UNREAD:
            program.room.set()
        return found

    def exit_code(self, command_id: str) -> int | None:
        program = self._programs[command_id]
        return program.code if not program.output else None

    def takes_more(self, command_id: str) -> bool:
        return len(self._programs[command_id].input) < _UNWRITTEN

    def interrupt(self, command_id: str) -> None:
        program = self._programs[command_id]
        program.interrupted = True
        _signal(program, signal.SIGINT)

    def close(self, command_id: str) -> None:
        program = self._programs.pop(command_id)
        program.scope.cancel()

    def client_gone(self) -> None:
        self._gone = True
        for program in self._programs.values():
            program.scope.cancel()
        self._some.set()

    # -- the work

    async def run(self) -> None:
        """Run the started programs until the shell is deleted."""
        async with trio.open_nursery() as nursery:
            while not self._gone:
                await self._some.wait()
                self._some = trio.Event()
                while self._new:
                    nursery.start_soon(self._run, self._new.pop(0))

    async def _run(self, program: _Program) -> None:
        with program.scope:
            try:
                process = await trio.lowlevel.open_process(
                    program.argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    shell=isinstance(program.argv, str),
                    env=self._environment,
                    cwd=self._folder,
                    start_new_session=True,
                )
            except OSError as error:
                self._put(program, "stderr", f"{error}\n".encode())
                program.code = 1
                self._link.wake()
                return
            program.process = process
            if program.interrupted:
                _signal(program, signal.SIGINT)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._feed, program, process, nursery.cancel_scope)
                    nursery.start_soon(self._end_interrupted, program, process)
                    async with trio.open_nursery() as readers:
                        readers.start_soon(self._drain, program, "stdout", process.stdout)
                        readers.start_soon(self._drain, program, "stderr", process.stderr)
                    program.code = await process.wait()
                    nursery.cancel_scope.cancel()
            finally:
                await self._end(program, process)
        self._link.wake()

    async def _end_interrupted(self, program: _Program, process: trio.Process) -> None:
        """End what an interrupted program leaves: sh starts background jobs with SIGINT ignored."""
        await process.wait()
        if program.interrupted:
            _signal(program, signal.SIGKILL)

    async def _feed(
        self, program: _Program, process: trio.Process, scope: trio.CancelScope
    ) -> None:
        assert process.stdin is not None
        try:
            while True:
                while program.input:
                    data = bytes(program.input[:_CHUNK])
                    await process.stdin.send_all(data)
                    del program.input[:_CHUNK]
                    self._link.wake()
                if program.input_ended:
                    await process.stdin.aclose()
                    return
                await program.filled.wait()
                program.filled = trio.Event()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            program.input.clear()

    async def _drain(
        self, program: _Program, name: str, stream: trio.abc.ReceiveStream | None
    ) -> None:
        assert stream is not None
        async for data in stream:
            self._put(program, name, bytes(data))
            while program.size >= _UNREAD:
                program.room = trio.Event()
                await program.room.wait()

    def _put(self, program: _Program, name: str, data: bytes) -> None:
        program.output.append((name, data))
        program.size += len(data)
        self._link.wake()

    async def _end(self, program: _Program, process: trio.Process) -> None:
        """End the processes of a program: SIGTERM first, then SIGKILL."""
        with trio.CancelScope(shield=True):
            if process.returncode is None:
                _signal(program, signal.SIGTERM)
                with trio.move_on_after(_PATIENCE):
                    await process.wait()
            _signal(program, signal.SIGKILL)
            await process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    await stream.aclose()


def _signal(program: _Program, number: int) -> None:
    """Send a signal to the program and everything that it has started."""
    kill: Callable[[int, int], None] = os.killpg
    if program.process is not None:
        try:
            kill(program.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return
