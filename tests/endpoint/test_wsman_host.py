"""Engines of the WS-Man service: states, new clients, and sessions that outlive connections."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from psremoting.endpoint.engine import Engine
from psremoting.endpoint.fragment_watch import FragmentWatch, Seen, cut_after
from psremoting.endpoint.functions import FunctionsEngine
from psremoting.endpoint.process import ProcessEngine
from psremoting.endpoint.wsman_host import WatchedSession, WSManHost
from psrp import events as e
from psrp.commands import Command, PowerShell
from psrp.fragments import split
from psrp.host import HostInfo
from psrp.pool import Pool
from psrp.sansio import Outgoing, Side, TransportAct
from wsman import names
from wsman.hosting import Refusal, ShellRequest

POWERSHELL = names.POWERSHELL_PREFIX + "microsoft.powershell"
"""The name in lower case, because configuration names are compared without regard to case."""


class Link:
    """A stand-in for a shell of the service."""

    def __init__(self) -> None:
        self.woken = trio.Event()
        self.failed: list[tuple[TransportAct, UUID | None, str]] = []
        self.ended: str | None = None

    def wake(self) -> None:
        self.woken.set()

    def report(self, text: str) -> None:
        raise AssertionError("the log is the host's")

    def act_failed(self, act: TransportAct, target: UUID | None, message: str) -> None:
        self.failed.append((act, target, message))

    def fail(self, text: str) -> None:
        self.ended = text
        self.woken.set()


def kinds_in(data: bytes) -> set[int]:
    return {seen.kind for seen in FragmentWatch().take(data)}


class Client:
    """A client's pool connected to a session, moved step by step."""

    def __init__(self, session: WatchedSession, link: Link, id: UUID) -> None:
        self.session = session
        self.link = link
        self.pool = Pool(Side.CLIENT, id=id)
        self.events: list[e.Event] = []

    def send(self, *events: e.Event) -> None:
        for event in events:
            self.pool.send(event)
        while (out := self.pool.data_to_send()) is not None:
            if out.act is TransportAct.CONNECT and out.target is None:
                answer = self.session.connect(out.data, 32768)
                assert answer
                self.pool.receive_data(answer)
            else:
                self.session.receive(out)

    def pull(self, target: UUID | None) -> None:
        while (out := self.session.data_to_send(32768, target)) is not None:
            if out.data:
                self.pool.receive_data(out.data, target, out.stream)
            if out.act is not None and out.act is not TransportAct.DISCONNECT:
                self.pool.receive_act(out.act, target)
        while (event := self.pool.next_event()) is not None:
            self.events.append(event)

    async def until(self, kind: type[e.Event], target: UUID | None = None) -> e.Event:
        while True:
            self.pull(target)
            for event in self.events:
                if isinstance(event, kind):
                    self.events.remove(event)
                    return event
            await self.link.woken.wait()
            self.link.woken = trio.Event()


def opening(client: Client) -> None:
    client.send(
        e.SessionCapability(protocol_version="2.3"),
        e.InitRunspacePool(min_runspaces=1, max_runspaces=1, host_info=HostInfo.null()),
    )


def request(resource: str = POWERSHELL) -> ShellRequest:
    return ShellRequest(shell_id=str(uuid4()), owner="carol", resource_uri=resource)


async def ask() -> int:
    await trio.sleep(0)
    return 1


async def wait_and_go_on() -> int:
    await trio.sleep(0.2)
    return 2


FUNCTIONS = FunctionsEngine({"Get-One": ask, "Get-Two": wait_and_go_on})
_SERVER = "from psremoting.cli.entry import main; main()"
PROCESS = ProcessEngine(
    [sys.executable, "-c", _SERVER, "serve", "--stdio", "--functions",
     "tests.endpoint.test_wsman_host:OFFERED"],
    cwd=str(Path(__file__).resolve().parents[2]),
    reconnects=True,
)  # fmt: skip
OFFERED = {"Get-One": ask, "Get-Two": wait_and_go_on}


async def second_client(engine: Engine) -> None:
    host = WSManHost({"Microsoft.PowerShell": engine})
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        link = Link()
        session = host.open(request(), link)
        assert isinstance(session, WatchedSession)
        pool_id, pipeline = uuid4(), uuid4()
        first = Client(session, link, pool_id)
        opening(first)
        private = await first.until(e.ApplicationPrivateData)
        assert isinstance(private, e.ApplicationPrivateData)
        await first.until(e.RunspacePoolStateMessage)
        first.send(
            e.CreatePipeline(
                pipeline_id=pipeline,
                powershell=PowerShell.of(Command("Get-Two")),
                host_info=HostInfo.null(),
            )
        )
        session.receive(Outgoing(act=TransportAct.DISCONNECT))

        second = Client(session, link, pool_id)
        second.send(
            e.SessionCapability(protocol_version="2.3"),
            e.ConnectRunspacePool(),
        )
        again = await second.until(e.ApplicationPrivateData)
        assert isinstance(again, e.ApplicationPrivateData)
        assert again.data == private.data
        second.send(e.ConnectPipeline(pipeline_id=pipeline))
        output = await second.until(e.PipelineOutput, pipeline)
        assert isinstance(output, e.PipelineOutput)
        assert output.data == 2
        await second.until(e.PipelineStateMessage, pipeline)
        assert session.state(pipeline) == "Done"
        session.client_gone()
        with trio.fail_after(10):
            await host.ended()
        assert link.ended is not None
        nursery.cancel_scope.cancel()


async def test_functions_are_connected_to_by_a_second_client() -> None:
    """Statement H84."""
    with trio.fail_after(20):
        await second_client(FUNCTIONS)


async def test_a_process_is_connected_to_by_a_second_client() -> None:
    with trio.fail_after(30):
        await second_client(PROCESS)


@pytest.mark.parametrize("engine", [FUNCTIONS, PROCESS], ids=["functions", "process"])
async def test_a_connect_that_is_not_two_messages_is_refused(engine: Engine) -> None:
    """Statement H84."""
    host = WSManHost({"Microsoft.PowerShell": engine})
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            await nursery.start(host.run)
            link = Link()
            session = host.open(request(), link)
            assert isinstance(session, WatchedSession)
            first = Client(session, link, uuid4())
            opening(first)
            await first.until(e.RunspacePoolStateMessage)
            session.receive(Outgoing(act=TransportAct.DISCONNECT))
            while session.data_to_send(32768, None) is not None:
                pass
            other = Client(session, link, uuid4())
            other.pool.send(e.SessionCapability(protocol_version="2.3"))
            other.pool.send(e.ConnectRunspacePool())
            out = other.pool.data_to_send()
            assert out is not None
            for data in (b"x", out.data[:-5], out.data):
                # The last message is complete, but belongs to another pool.
                assert not kinds_in(session.connect(data, 32768)) & {0x2100B}
            session.client_gone()
            nursery.cancel_scope.cancel()


async def test_an_unknown_configuration_is_refused_by_name() -> None:
    host = WSManHost({"Mine": FUNCTIONS})
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run)
        for resource in (POWERSHELL, names.RESOURCE_CMD, "http://x/y", names.POWERSHELL_PREFIX):
            with pytest.raises(Refusal) as caught:
                host.open(request(resource), Link())
            assert caught.value.fault.wsman_code == 0x80338002
        made = host.open(request(names.POWERSHELL_PREFIX + "MINE"), Link())
        made.client_gone()
        nursery.cancel_scope.cancel()


# -- fragments


PIPELINE = UUID(int=7)


def message(kind: int, body: bytes = b"") -> bytes:
    head = (1).to_bytes(4, "little") + kind.to_bytes(4, "little") + bytes(16)
    return head + PIPELINE.bytes_le + body


STATE, CALL = 0x41006, 0x41100
MESSAGES = [
    message(0x41004, b"x" * 900),
    message(STATE, b'<Obj><MS><I32 N="PipelineState">2</I32></MS></Obj>'),
    message(CALL, b'<Obj><MS><I64 N="ci">-100</I64></MS></Obj>'),
    message(CALL, b'<Obj><MS><I64 N="ci">5</I64></MS></Obj>'),
    message(STATE, b'<Obj><MS><I32 N="PipelineState">4</I32></MS></Obj>'),
    message(STATE, b"<Obj><MS>" + b"e" * 2000 + b'<I32 N="PipelineState">5</I32></MS></Obj>'),
]


def wire(size: int) -> bytes:
    return b"".join(
        fragment
        for number, each in enumerate(MESSAGES, 1)
        for fragment in split(number, each, size)
    )


def told(seen: Seen) -> tuple[int, bool, bool]:
    return seen.kind, seen.ends_pipeline, seen.wants_answer


TOLD = [
    (0x41004, False, False),
    (STATE, False, False),
    (CALL, False, False),
    (CALL, False, True),
    (STATE, True, False),
    (STATE, True, False),
]


@given(size=st.integers(70, 4000), data=st.data())
def test_states_follow_the_messages(size: int, data: st.DataObject) -> None:
    whole = wire(size)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    watch = FragmentWatch()
    seen = []
    for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        seen += watch.take(whole[start:stop])
    assert [told(each) for each in seen] == TOLD
    assert {each.pipeline for each in seen} == {PIPELINE}


@given(st.binary(max_size=300))
def test_the_fragment_watch_reads_any_bytes(data: bytes) -> None:
    assert len(list(FragmentWatch().take(data))) <= len(data)


def test_fragments_are_cut_after_a_message() -> None:
    first = b"".join(split(1, message(0x2100B, b"a" * 100), 60))
    second = b"".join(split(2, message(0x21009, b"b"), 60))
    assert cut_after(first + second, 0x2100B) == (first, second)
    assert cut_after(first, 0x2100B) == (first, b"")
    assert cut_after(second, 0x2100B) == (second, b"")


class Said:
    """A session that has sent a few messages."""

    def __init__(self, messages: list[bytes], size: int) -> None:
        self.fragments = [
            fragment
            for number, each in enumerate(messages, 1)
            for fragment in split(number, each, size)
        ]

    def data_to_send(self, room: int, target: object = None) -> Outgoing | None:
        return Outgoing(target=PIPELINE, data=self.fragments.pop(0)) if self.fragments else None

    def pending(self, target: object) -> int:
        return sum(map(len, self.fragments))

    def takes_more(self, target: object) -> bool:
        return True

    def client_gone(self) -> None:
        return


@given(st.integers(61, 500), st.integers(0, 4000))
def test_what_is_dropped_is_whole_output_and_the_oldest(size: int, keep: int) -> None:
    messages = [message(0x41004, bytes([number]) * 90) for number in range(20)]
    messages.insert(3, message(CALL, b'<Obj><MS><I64 N="ci">5</I64></MS></Obj>'))
    messages.append(message(STATE, b'<Obj><MS><I32 N="PipelineState">4</I32></MS></Obj>'))
    session = WatchedSession(Said(messages, size))  # type: ignore[arg-type]
    session.drop(PIPELINE, keep)
    left = b""
    while (out := session.data_to_send(32768, PIPELINE)) is not None:
        left += out.data
    watch = FragmentWatch(keep={0x41004, CALL, STATE})
    seen = [each.beginning for each in watch.take(left)]
    assert seen[-1:] == messages[-1:]
    assert [each for each in messages if each in seen] == seen
    assert messages[3] in seen
    outputs = [each for each in seen if each not in (messages[3], messages[-1])]
    told = [each for each in messages if each not in (messages[3], messages[-1])]
    assert outputs == told[len(told) - len(outputs) :]
    assert session.state(PIPELINE) == "Done"
