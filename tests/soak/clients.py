"""The clients of the soak: each opens a session and does one of several things with it.

Every client checks that the output of its commands is complete and in order. The choices come from
a seeded generator.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from psremoting import PSSession, SessionOption, WSManTarget, sessions_on
from psremoting.errors import PSRemotingTransportError, SessionDisconnected
from psremoting.targets import SocketTarget
from psrp.clixml import Credential
from psrp.events import InvocationState
from tests.soak.server import SOCKET

__all__ = ["Soak"]


@dataclass
class Soak:
    """All clients of one server."""

    folder: Path
    port: int
    user: str
    password: str
    rng: random.Random
    idle: float = 10.0
    """Seconds after which the server ends a session without requests."""
    limit: float = 120.0
    """Seconds in which each action has to end; a longer one is a hang."""
    done: Counter[str] = field(default_factory=Counter)
    left: set[str] = field(default_factory=set)
    """Ids of the shells whose clients vanished; the server ends them after their idle time."""

    @property
    def options(self) -> SessionOption:
        """Options for a machine that may be busy: no time limit is reached before ours."""
        return SessionOption(
            open_timeout=self.limit, operation_timeout=self.limit, cancel_timeout=self.limit
        )

    async def round(self) -> None:
        """Let one client do one thing. Raises AssertionError for lost or doubled output."""
        action: Callable[[], Awaitable[None]] = self.rng.choice(
            [self.run, self.run, self.stop, self.vanish, self.reconnect, self.garbage]
        )
        begin = trio.current_time()
        try:
            with trio.fail_after(self.limit):
                await action()
        except PSRemotingTransportError as error:
            took = trio.current_time() - begin
            if took < self.idle or "invalid selectors" not in str(error):
                raise AssertionError(f"{action.__name__} failed after {took:.0f} s") from error
            # On a busy machine a session may end before its client is able to go on.
            self.done["expired"] += 1
            return
        self.done[action.__name__] += 1

    def _wsman(self) -> WSManTarget:
        return WSManTarget(computer_name="127.0.0.1", port=self.port, allow_unencrypted=True)

    def _how(self) -> dict[str, Any]:
        credential = Credential(self.user, self.password)
        return {"credential": credential, "authentication": "basic", "options": self.options}

    def _session(self) -> Any:
        if self.rng.random() < 0.5:
            target = SocketTarget(path=str(self.folder / SOCKET))
            return PSSession.connect(target, options=self.options)
        return PSSession.connect(self._wsman(), **self._how())

    async def _numbers(self, session: PSSession) -> None:
        count = self.rng.choice((0, 1, 10, 1000))
        result = await session.call("Get-Soak", count)
        assert result.output == list(range(count)), f"{len(result.output)} of {count}"
        assert not result.errors

    async def run(self) -> None:
        """Open a session, run commands, close it."""
        async with self._session() as session:
            for _ in range(self.rng.randrange(1, 4)):
                await self._numbers(session)

    async def stop(self) -> None:
        """Stop a command that would run for ever, and run another one."""
        async with self._session() as session:
            invocation = await session.invoke("Wait-Soak")
            await trio.sleep(self.rng.choice((0, 0.01)))
            await invocation.stop()
            await self._numbers(session)

    async def vanish(self) -> None:
        """End a session's connection without closing anything."""
        if self.rng.random() < 0.5:
            stream = await trio.open_unix_socket(str(self.folder / SOCKET))
            await stream.send_all(self.rng.choice(_OPENINGS))
            await stream.aclose()
            return
        async with PSSession.connect(self._wsman(), **self._how()) as session:
            await session.invoke("Wait-Soak")
            await session.disconnect()
            self.left.add(str(session.id))

    async def reconnect(self) -> None:
        """Disconnect while a command runs; receive its whole output from another connection."""
        count = self.rng.choice((10, 5000))
        target = self._wsman()
        async with PSSession.connect(target, **self._how()) as session:
            invocation = await session.invoke(f"Get-Soak {count}")
            received = [await anext(invocation)] if self.rng.random() < 0.5 else []
            await session.disconnect()
            with suppress(SessionDisconnected):
                async for value in invocation:
                    received.append(value)
        at_client = len(received)
        is_unfinished = invocation.state is InvocationState.DISCONNECTED
        async with PSSession.reconnect(target, session.id, **self._how()) as again:
            # A command whose last output came before the disconnect is still listed for a moment.
            for command in await again.commands() if is_unfinished else ():
                received += await (await again.attach(command)).output()
            await self._numbers(again)
        assert received == list(range(count)), (
            f"{count} outputs became {len(received)}: {received[:3]} to {received[-3:]}, "
            f"{at_client} of them before the disconnect"
        )

    async def garbage(self) -> None:
        """Send bytes that are no request."""
        stream: trio.abc.Stream
        if self.rng.random() < 0.5:
            stream = await trio.open_unix_socket(str(self.folder / SOCKET))
        else:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            try:
                await stream.send_all(self.rng.randbytes(self.rng.choice((1, 100, 100_000))))
                await stream.send_all(b"\r\n\r\n")
            except trio.BrokenResourceError:
                pass

    async def remaining(self) -> set[str]:
        """Return the ids of the shells that the server still has."""
        return {str(each.id) for each in await sessions_on(self._wsman(), **self._how())}


_OPENINGS = (
    b"",
    b"<Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>",
    b"<Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>AAAA</Data>\n",
    b"<Close PSGuid='00000000-0000-0000-0000-000000000000' />\n",
)
