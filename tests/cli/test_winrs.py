"""`psrp winrs` as a command, against a small server in another thread."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from tests.wsman.servers import Served, serve
from wsman import faults, names, operations, soap
from wsman import shell_values as v
from wsman.envelopes import Headers
from wsman.http import Request, Response

SHELL = (("ShellId", "S"),)


class Program:
    """A server with one program, which prints its arguments and input."""

    def __init__(self, code: int = 5) -> None:
        self.code = code
        self.log: list[str] = []
        self.text = b""
        self.input = b""
        self.ended = False
        self.interrupted = False

    async def answer(self, request: Request, served: Served) -> Response:
        envelope = soap.parse(request.body)
        value = operations.read(envelope)
        self.log.append(type(value).__name__)
        body = operations.write(Headers(relates_to=envelope.message_id), self.value(value))
        return Response(status=200, body=body)

    def value(self, value: Any) -> Any:
        match value:
            case v.Create():
                return v.CreateResponse(resource_uri=names.RESOURCE_CMD, selectors=SHELL)
            case v.Command():
                self.text = " ".join([value.command, *map(str, value.arguments)]).encode()
                return v.CommandResponse(command_id="C")
            case v.Send():
                self.input += value.streams[0].data
                self.ended = value.streams[0].end
                return v.SendResponse()
            case v.Receive() if self.ended or self.interrupted:
                return v.ReceiveResponse(
                    streams=(
                        v.StreamData(name="stdout", data=self.text + b"\n"),
                        v.StreamData(name="stderr", data=self.input),
                    ),
                    states=(soap.CommandState(state="Done", exit_code=self.code),),
                )
            case v.Receive():
                return faults.make_fault("TimedOut")
            case v.Signal():
                self.interrupted = self.interrupted or value.code == names.SIGNAL_CTRL_C
                return v.SignalResponse()
        return v.DeleteResponse()


@contextmanager
def listening(program: Program) -> Iterator[int]:
    ready = threading.Event()
    found: list[Any] = []

    async def main() -> None:
        async with serve(program.answer) as server:
            with trio.CancelScope() as scope:
                found.extend([server.port, scope, trio.lowlevel.current_trio_token()])
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        found[2].run_sync_soon(found[1].cancel)
        thread.join(10)


def winrs(port: int, *words: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    start = "from psremoting.cli.entry import main; main()"
    options = ["--user-name", "me", "--authentication", "basic", "--allow-unencrypted"]
    more, words = (list(words[: words.index("--")]), words[words.index("--") + 1 :])
    url = f"http://127.0.0.1:{port}/wsman"
    return subprocess.run(
        [sys.executable, "-c", start, "winrs", *options, *more, url, *words],
        input=input, capture_output=True, timeout=60,
        env=os.environ | {"PSRP_PASSWORD": "secret"},
    )  # fmt: skip


def test_output_errors_and_exit_code_are_those_of_the_program() -> None:
    program = Program()
    with listening(program) as port:
        done = winrs(port, "--", "dir", "/b", "c:\\a b")
    assert (done.stdout, done.stderr, done.returncode) == (b"dir /b c:\\a b\n", b"", 5)
    assert program.log[0] == "Create"
    assert program.log[-2:] == ["Signal", "Delete"]


def test_standard_input_reaches_the_program() -> None:
    program = Program(code=0)
    with listening(program) as port:
        done = winrs(port, "--input", "--", "sort", input=b"b\na\n")
    assert (done.stderr, done.returncode) == (b"b\na\n", 0)


@pytest.mark.parametrize("words", [("--", "x")])
def test_a_server_that_is_not_there_is_an_error_and_255(words: tuple[str, ...]) -> None:
    with listening(Program()) as port:
        pass
    done = winrs(port, *words)
    assert done.returncode == 255
    assert b"CannotConnect,PSSessionOpenFailed" in done.stderr
    assert b"secret" not in done.stderr


def test_targets_over_other_carriers_are_refused() -> None:
    start = "from psremoting.cli.entry import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", start, "winrs", "process:x", "dir"],
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"expected a WS-Man target" in done.stderr


@pytest.mark.parametrize("before", [0, 1, 2])
def test_options_come_before_or_after_the_target(before: int) -> None:
    options = ["--allow-unencrypted", "--authentication=basic"]
    first, second = options[:before], options[before:]
    program = Program()
    with listening(program) as port:
        url = f"http://127.0.0.1:{port}/wsman"
        words = ["winrs", "--user-name", "me", *first, url, *second, "dir", "--unknown", "-h"]
        done = subprocess.run(
            [sys.executable, "-c", "from psremoting.cli.entry import main; main()", *words],
            capture_output=True, timeout=60, env=os.environ | {"PSRP_PASSWORD": "secret"},
        )  # fmt: skip
    assert done.stdout == b"dir --unknown -h\n"
