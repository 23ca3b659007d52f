"""The rules of PowerShell's plugin, request by request: raw envelopes to the plugin's server and to
`psrp serve --process pwsh` get answers of the same kind (facts: spec-notes/wsman-service.md).

OMI does not pass the plugin's own codes on; they are held by tests/wsman/test_service.py.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import trio

from psrp import events as e
from psrp.commands import Command, PowerShell
from psrp.host import HostInfo
from psrp.pool import Pool
from psrp.sansio import Side
from tests.endpoint.served_wsman import PASSWORD, USER, serving
from tests.live.wsman_peers import WSManServer
from tests.wsman.served import POWERSHELL, VERSION
from wsman import names, operations, soap
from wsman import shell_values as v
from wsman.envelopes import Headers
from wsman.http import SOAP, HttpClient

TIME_LIMIT = 200
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def ours(pwsh: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WSManServer]:
    folder: Path = tmp_path_factory.mktemp("rules")
    options = ("--process", f"{pwsh} -s -NoLogo -NoProfile", "--allow-unencrypted")
    with serving(folder, *options) as endpoint:
        yield WSManServer(endpoint.http, endpoint.https, None)


@pytest.fixture
def servers(ours: WSManServer, wsman_server: WSManServer) -> dict[str, int]:
    return {"plugin": wsman_server.http, "ours": ours.http}


class Raw:
    """Requests by hand in one shell; each has a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.id = uuid4()
        self.pool = Pool(Side.CLIENT, id=self.id)
        self.answers: list[str] = []

    def create(self, **changes: Any) -> v.Create:
        self.pool.send(e.SessionCapability(protocol_version="2.3"))
        self.pool.send(
            e.InitRunspacePool(min_runspaces=1, max_runspaces=1, host_info=HostInfo.null())
        )
        data = b""
        while (out := self.pool.data_to_send()) is not None:
            data += out.data
        values = {"shell_id": str(self.id).upper(), "creation_xml": data}
        return v.Create(**values | changes)

    def fragments(self, script: str) -> tuple[str, bytes]:
        """Return the id of a new command and its CREATE_PIPELINE."""
        id = uuid4()
        powershell = PowerShell.of(Command(script, is_script=True))
        self.pool.send(
            e.CreatePipeline(pipeline_id=id, powershell=powershell, host_info=HostInfo.null())
        )
        data = b""
        while (out := self.pool.data_to_send()) is not None:
            data += out.data
        return str(id).upper(), data

    async def post(self, body: bytes) -> Any:
        """Return the value of the answer."""
        http = HttpClient("127.0.0.1")
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        try:
            headers = (("Content-Type", SOAP), ("Authorization", BASIC))
            await stream.send_all(http.request("/wsman", headers, body))
            while (response := http.next_response()) is None:
                http.receive_data(bytes(await stream.receive_some(65536)))
        finally:
            await trio.aclose_forcefully(stream)
        assert response.status in (200, 500)
        return operations.read(soap.parse(response.body))

    async def ask(self, value: object, **changes: Any) -> Any:
        create = isinstance(value, v.Create)
        selectors = ((v.SHELL_SELECTOR, str(self.id).upper()),)
        given: dict[str, Any] = {
            "to": f"http://127.0.0.1:{self.port}/wsman",
            "reply_to": names.ANONYMOUS,
            "message_id": f"uuid:{uuid4()}",
            "resource_uri": POWERSHELL,
            "max_envelope_size": 153_600,
            "operation_timeout": 20.0,
            "options": VERSION if create else (),
            "selectors": () if create else selectors,
        }
        return await self.post(operations.write(Headers(**given | changes), value))

    async def receive(self, command_id: str = "") -> Any:
        answer = await self.ask(v.Receive(command_id=command_id))
        if isinstance(answer, v.ReceiveResponse):
            target = UUID(command_id) if command_id else None
            for each in answer.streams:
                self.pool.receive_data(each.data, target)
        return answer

    async def opened(self) -> None:
        """Create the shell and receive until its pool is open."""
        created = await self.ask(self.create())
        assert isinstance(created, v.CreateResponse), created
        while not self.pool_states():
            await self.receive()

    def events(self) -> list[e.Event]:
        found = []
        while (event := self.pool.next_event()) is not None:
            found.append(event)
        return found

    def pool_states(self) -> list[e.Event]:
        return [each for each in self.events() if isinstance(each, e.RunspacePoolStateMessage)]


@asynccontextmanager
async def opened(port: int) -> AsyncIterator[Raw]:
    """An open shell with a Receive outstanding, without which the plugin answers no Delete."""
    raw = Raw(port)
    with trio.fail_after(90):
        await raw.opened()
        async with trio.open_nursery() as nursery:

            async def poll() -> None:
                while isinstance(answer := await raw.receive(), v.ReceiveResponse):
                    if any(each.state == "Done" for each in answer.states):
                        return

            nursery.start_soon(poll)
            yield raw
            await raw.ask(v.Delete())


def kind(value: Any) -> str:
    return "fault" if isinstance(value, soap.Fault) else type(value).__name__


def option(name: str, value: str, must: bool = True) -> dict[str, Any]:
    return {"options": (soap.Option(name=name, value=value, must_comply=must),)}


CREATIONS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "protocolversion in another case": ({}, option("ProtocolVersion", "2.3"), "fault"),
    "no protocolversion": ({}, {"options": ()}, "fault"),
    "version 1.0": ({}, option("protocolversion", "1.0"), "fault"),
    "version 3.0": ({}, option("protocolversion", "3.0"), "fault"),
    "version abc": ({}, option("protocolversion", "abc"), "fault"),
    "version 2.0": ({}, option("protocolversion", "2.0"), "CreateResponse"),
    "version 2.1": ({}, option("protocolversion", "2.1"), "CreateResponse"),
    "version 2.9": ({}, option("protocolversion", "2.9"), "CreateResponse"),
    "not MustComply": ({}, option("protocolversion", "2.3", must=False), "CreateResponse"),
    "no creationXml": ({"creation_xml": None}, {}, "CreateResponse"),
    "3 bytes of creationXml": ({"creation_xml": b"abc"}, {}, "CreateResponse"),
    "input stdin": ({"input_streams": "stdin"}, {}, "CreateResponse"),
    "input in another order": ({"input_streams": "pr stdin"}, {}, "CreateResponse"),
    "an unknown input": ({"input_streams": "stdin pr x"}, {}, "CreateResponse"),
    "more output": ({"output_streams": "stdout stderr"}, {}, "CreateResponse"),
}


@pytest.mark.parametrize("name", CREATIONS)
async def test_a_creation_is_judged_as_by_the_plugin(servers: dict[str, int], name: str) -> None:
    changes, headers, expected = CREATIONS[name]
    found = {}
    for server, port in servers.items():
        raw = Raw(port)
        with trio.fail_after(60):
            found[server] = kind(await raw.ask(raw.create(**changes), **headers))
    assert found == {"plugin": expected, "ours": expected}


async def commands(raw: Raw) -> list[str]:
    """Commands with wrong arguments, one that runs, and its id again."""
    id, data = raw.fragments("1")
    found = [
        kind(await raw.ask(v.Command(command_id=id, command=" ", arguments=()))),
        kind(await raw.ask(v.Command(command_id=id, command=" ", arguments=(data, data)))),
        kind(await raw.ask(v.Command(command_id=id, command=" ", arguments=("!?",)))),
        kind(await raw.ask(v.Command(command_id=id, command=" ", arguments=(data,)))),
        kind(await raw.ask(v.Command(command_id=id, command=" ", arguments=(data,)))),
    ]
    return [*found, *(await until_done(raw, id))]


async def until_done(raw: Raw, id: str) -> list[str]:
    """Receive until Done; return the messages and states."""
    found: list[str] = []
    while True:
        answer = await raw.receive(id)
        if not isinstance(answer, v.ReceiveResponse):
            return [*found, kind(answer)]
        found += [type(each).__name__ for each in raw.events()]
        if any(each.state == "Done" for each in answer.states):
            return [*found, f"Done with {len(answer.streams)} streams"]


def signalling(code: str) -> Callable[[Raw], Any]:
    async def signal(raw: Raw) -> list[str]:
        id, data = raw.fragments("'begun'; Start-Sleep 60")
        await raw.ask(v.Command(command_id=id, command=" ", arguments=(data,)))
        while not any(isinstance(each, e.PipelineOutput) for each in raw.events()):
            await raw.receive(id)
        found: list[str] = []
        async with trio.open_nursery() as nursery:

            async def receive() -> None:
                found.extend(await until_done(raw, id))

            nursery.start_soon(receive)
            await trio.sleep(0.3)
            answer = await raw.ask(v.Signal(command_id=id, code=code))
        return [kind(answer), *found]

    return signal


async def signal_of_nothing(raw: Raw) -> list[str]:
    return [kind(await raw.ask(v.Signal(code=names.SIGNAL_TERMINATE))), *(await commands(raw))]


async def two_at_once(raw: Raw) -> list[str]:
    """The pool has one runspace: the second command waits for the first."""
    made = [raw.fragments(f"Start-Sleep 1; {n}") for n in (1, 2)]
    found: list[str] = []
    for id, data in made:
        found.append(kind(await raw.ask(v.Command(command_id=id, command=" ", arguments=(data,)))))
    for id, _ in made:
        found += await until_done(raw, id)
    return found


CONVERSATIONS: dict[str, Callable[[Raw], Any]] = {
    "commands": commands,
    "crtl_c": signalling(names.SIGNAL_STOP),
    "terminate": signalling(names.SIGNAL_TERMINATE),
    "Terminate": signalling(names.SHELL + "/signal/Terminate"),
    "ctrl_break": signalling(names.SIGNAL_CTRL_BREAK),
    "nonsense": signalling("urn:nonsense"),
    "a signal without a command": signal_of_nothing,
    "two commands at once": two_at_once,
}


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_conversation_goes_as_with_the_plugin(servers: dict[str, int], name: str) -> None:
    found = {}
    for server, port in servers.items():
        async with opened(port) as raw:
            found[server] = await CONVERSATIONS[name](raw)
    assert found["ours"] == found["plugin"]
    assert len(found["ours"]) > 1


async def test_delete_ends_the_pools_receive_with_done(
    servers: dict[str, int],
) -> None:
    for port in servers.values():
        raw = Raw(port)
        order: list[str] = []
        with trio.fail_after(60):
            await raw.opened()
            async with trio.open_nursery() as nursery:

                async def receive(raw: Raw = raw, order: list[str] = order) -> None:
                    answer = await raw.receive()
                    while not (
                        isinstance(answer, v.ReceiveResponse)
                        and any(each.state == "Done" for each in answer.states)
                    ):
                        answer = await raw.receive()
                    order.append("Done")

                nursery.start_soon(receive)
                await trio.sleep(0.5)
                order.append(kind(await raw.ask(v.Delete())))
        # They come over two connections, so the client may read them in either order.
        assert sorted(order) == ["DeleteResponse", "Done"]
