"""The service of an endpoint: the effect of each request and its answer."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import pytest

from psrp.sansio import Outgoing, Stream, TransportAct
from tests.wsman.served import COMMAND, OTHER, POWERSHELL, SHELL, Table
from wsman import names, queries, soap
from wsman import shell_values as v
from wsman.faults import (
    NO_SUCH_SHELL,
    TIMED_OUT,
    Fault,
)

STOP = "powershell/signal/crtl_c"


@pytest.fixture
def table() -> Table:
    return Table()


def state(name: str, command_id: str = COMMAND) -> tuple[soap.CommandState, ...]:
    return (soap.CommandState(state=name, command_id=command_id),)


def stream(data: bytes, command_id: str = COMMAND) -> v.StreamData:
    return v.StreamData(name="stdout", data=data, command_id=command_id)


# -- the life of a shell


def test_a_shell_is_created_with_the_id_that_the_client_proposes(table: Table) -> None:
    made = table.ask(
        v.Create(shell_id=SHELL, name="mine", idle_timeout=240.0, creation_xml=b"first"),
        session_id="uuid:1",
        locale="de-DE",
    )
    assert isinstance(made, v.CreateResponse)
    assert (made.resource_uri, made.selectors) == (POWERSHELL, (("ShellId", SHELL),))
    shell = made.shell
    assert shell is not None
    assert (shell.owner, shell.client_ip, shell.state) == ("carol", "192.0.2.1", "Connected")
    assert (shell.idle_timeout, shell.name, shell.locale) == (240.0, "mine", "de-DE")
    assert table.work.received == [Outgoing(act=TransportAct.CREATE_POOL, data=b"first")]
    assert table.work.request.owner == "carol"


def test_a_shell_without_creation_data_or_id_is_created_too(table: Table) -> None:
    for creation in (None, b""):
        made = table.ask(v.Create(creation_xml=creation))
        assert isinstance(made, v.CreateResponse)
        assert UUID(made.selectors[0][1])


def test_output_waits_for_a_receive_and_a_receive_for_output(table: Table) -> None:
    work = table.open()
    work.put(b"early")
    assert table.ask(v.Receive()) == v.ReceiveResponse(
        streams=(v.StreamData(name="stdout", data=b"early"),)
    )
    ticket = table.send(v.Receive())
    assert table.answer(ticket) is None
    work.put(b"late")
    assert table.woken
    table.advance()
    assert table.answer(ticket).streams[0].data == b"late"


def test_a_command_runs_and_ends_with_done_in_an_answer_of_its_own(table: Table) -> None:
    work = table.open()
    target = table.start()
    assert work.received[-1] == Outgoing(
        target=target, act=TransportAct.CREATE_PIPELINE, data=b"pipe"
    )
    work.put(b"one", target)
    work.put(b"two", target)
    work.finish(target)
    assert table.ask(v.Receive(command_id=COMMAND)) == v.ReceiveResponse(
        streams=(stream(b"one"), stream(b"two")), states=state("Running")
    )
    assert table.ask(v.Receive(command_id=COMMAND)) == v.ReceiveResponse(states=state("Done"))
    assert table.ask(v.Signal(code=names.SIGNAL_TERMINATE, command_id=COMMAND)) == (
        v.SignalResponse()
    )
    assert work.received[-1].act is TransportAct.CLOSE_PIPELINE
    assert table.ask(v.Receive(command_id=COMMAND)).wsman_code == NO_SUCH_SHELL


def test_one_answer_holds_what_fits_into_the_envelope(table: Table) -> None:
    work = table.open()
    target = table.start()
    work.put(bytes(1_000_000), target)
    ticket = table.send(v.Receive(command_id=COMMAND), max_envelope_size=100_000)
    first = table.answer(ticket)
    assert len(table.answers[ticket].data) <= 100_000
    assert [len(each.data) for each in first.streams][:2] == [32768, 32768]
    total = sum(len(each.data) for each in first.streams)
    while total < 1_000_000:
        answer = table.ask(v.Receive(command_id=COMMAND), max_envelope_size=512_000)
        total += sum(len(each.data) for each in answer.streams)
    assert total == 1_000_000


def test_output_of_a_running_command_waits_a_moment_for_more() -> None:
    table = Table(gather_time=0.5)
    work = table.open()
    target = table.start()
    ticket = table.send(v.Receive(command_id=COMMAND))
    work.put(b"one", target)
    table.advance(0.1)
    work.put(b"two", target)
    table.advance(0.3)
    assert table.answer(ticket) is None
    assert table.service.next_deadline() == pytest.approx(table.now + 0.2)
    table.advance(0.2)
    assert table.answer(ticket) == v.ReceiveResponse(
        streams=(stream(b"one"), stream(b"two")), states=state("Running")
    )


def test_output_does_not_wait_for_more_at_the_end_of_a_command_or_when_it_asks() -> None:
    table = Table(gather_time=0.5)
    work = table.open()
    target = table.start()
    work.put(b"ask", target)
    work.asking.add(target)
    assert table.ask(v.Receive(command_id=COMMAND)).states == state("Pending")
    work.asking.clear()
    assert table.ask(v.Receive(command_id=COMMAND)).states == state("Running")
    work.put(bytes(1_000_000), target)
    assert len(table.ask(v.Receive(command_id=COMMAND)).streams) == 3
    work.finish(target)
    while (made := table.ask(v.Receive(command_id=COMMAND))).streams:
        assert made.states == state("Running")
    assert made == v.ReceiveResponse(states=state("Done"))


def test_gathered_output_is_given_to_the_next_receive() -> None:
    table = Table(gather_time=0.5)
    work = table.open()
    target = table.start()
    ticket = table.send(v.Receive(command_id=COMMAND))
    work.put(b"one", target)
    table.advance(0.1)
    table.service.client_gone(ticket, table.now)
    again = table.send(v.Receive(command_id=COMMAND))
    work.link.fail("gone")
    table.advance()
    assert table.answer(again).streams == (stream(b"one"),)


def test_input_goes_to_its_target_and_stream(table: Table) -> None:
    work = table.open()
    target = table.start()
    streams = (
        v.StreamData(name="stdin", data=b"in", command_id=COMMAND),
        v.StreamData(name="pr", data=b"answer"),
    )
    assert table.ask(v.Send(streams=streams)) == v.SendResponse()
    assert work.received[-2:] == [
        Outgoing(target=target, data=b"in"),
        Outgoing(stream=Stream.PROMPT_RESPONSE, data=b"answer"),
    ]


def test_a_send_is_answered_when_the_target_takes_more(table: Table) -> None:
    work = table.open()
    target = table.start()
    work.full.add(target)
    value = v.Send(streams=(v.StreamData(name="stdin", data=b"x", command_id=COMMAND),))
    first, second = table.send(value), table.send(value)
    assert table.answer(first) is None
    work.full.clear()
    work.link.wake()
    table.advance()
    assert table.answer(first) == table.answer(second) == v.SendResponse()


def test_a_command_that_waits_for_its_client_is_pending_and_then_running(table: Table) -> None:
    work = table.open()
    target = table.start()
    work.put(b"host call", target)
    work.asking.add(target)
    asked = table.ask(v.Receive(command_id=COMMAND))
    assert asked == v.ReceiveResponse(streams=(stream(b"host call"),), states=state("Pending"))
    ticket = table.send(v.Receive(command_id=COMMAND))
    assert table.answer(ticket) is None
    work.asking.clear()
    work.link.wake()
    table.advance()
    assert table.answer(ticket) == v.ReceiveResponse(states=state("Running"))
    assert table.answer(table.send(v.Receive(command_id=COMMAND))) is None


def test_a_slow_target_holds_up_no_other(table: Table) -> None:
    work = table.open()
    work.full.add(table.start())
    table.start(OTHER)
    value = v.Send(streams=(v.StreamData(name="stdin", data=b"x", command_id=OTHER),))
    assert table.ask(value) == v.SendResponse()


def test_nothing_within_the_operation_timeout_is_asked_for_again(table: Table) -> None:
    """Statement H73."""
    table.open()
    ticket = table.send(v.Receive(), operation_timeout=5.0)
    assert table.service.next_deadline() == table.now + 5.0
    table.advance(4.9)
    assert table.answer(ticket) is None
    table.advance(0.2)
    fault = table.answer(ticket)
    assert (fault.wsman_code, fault.subcode) == (TIMED_OUT, "TimedOut")
    assert table.answers[ticket].status == 500


def test_an_operation_timeout_over_the_limit_is_cut(table: Table) -> None:
    table.open()
    ticket = table.send(v.Receive(), operation_timeout=180_000.0)
    table.advance(60.1)
    assert table.answer(ticket).wsman_code == TIMED_OUT


# -- signals


@pytest.mark.parametrize("code", [STOP, "powershell/signal/ctrl_c", STOP.upper()])
def test_a_stop_is_answered_after_the_state_stopped(table: Table, code: str) -> None:
    """Statement H72."""
    work = table.open()
    target = table.start()
    receive = table.send(v.Receive(command_id=COMMAND))
    signal = table.send(v.Signal(code=code, command_id=COMMAND))
    assert work.received[-1] == Outgoing(target=target, act=TransportAct.STOP_PIPELINE)
    assert table.answer(signal) is None
    work.put(b"stopped", target)
    work.confirm(TransportAct.STOP_PIPELINE, target)
    work.finish(target)
    table.advance()
    assert list(table.answers)[-2:] == [receive, signal]
    assert table.answer(receive).streams == (stream(b"stopped"),)
    assert table.answer(signal) == v.SignalResponse()
    assert table.ask(v.Receive(command_id=COMMAND)).states == state("Done")


def test_a_stop_waits_for_the_receive_that_follows_it(table: Table) -> None:
    """A client whose Receive was just answered sends the next one beside the Signal."""
    work = table.open()
    target = table.start()
    signal = table.send(v.Signal(code=STOP, command_id=COMMAND))
    work.put(b"stopped", target)
    work.confirm(TransportAct.STOP_PIPELINE, target)
    work.finish(target)
    table.advance(0.1)
    assert table.answer(signal) is None
    receive = table.send(v.Receive(command_id=COMMAND))
    assert list(table.answers)[-2:] == [receive, signal]


def test_a_stop_is_answered_when_the_state_is_written(table: Table) -> None:
    work = table.open()
    target = table.start()
    receive = table.send(v.Receive(command_id=COMMAND))
    signal = table.send(v.Signal(code=STOP, command_id=COMMAND))
    work.put(b"stopped", target)
    work.finish(target)
    table.service.advance(table.now)
    assert [each.ticket for each in table.service.take_answers()] == [receive]
    table.service.answered(receive)
    assert [each.ticket for each in table.service.take_answers()] == [signal]


def test_a_stop_that_nobody_listens_to_is_answered_after_a_second(table: Table) -> None:
    table.open()
    table.start()
    signal = table.send(v.Signal(code=STOP, command_id=COMMAND))
    table.advance(0.9)
    assert table.answer(signal) is None
    table.advance(0.1)
    assert table.answer(signal) == v.SignalResponse()


CLOSING = [
    names.SIGNAL_TERMINATE,
    names.SHELL + "/signal/Terminate",
    names.SIGNAL_CTRL_C,
    names.SIGNAL_CTRL_BREAK,
    "nonsense",
]


@pytest.mark.parametrize("code", CLOSING)
def test_every_other_signal_closes_the_command_without_its_output(table: Table, code: str) -> None:
    """Statement H72."""
    work = table.open()
    target = table.start()
    receive = table.send(v.Receive(command_id=COMMAND))
    assert table.ask(v.Signal(code=code, command_id=COMMAND)) == v.SignalResponse()
    assert table.answer(receive) == v.ReceiveResponse(states=state("Done"))
    assert work.received[-1] == Outgoing(target=target, act=TransportAct.CLOSE_PIPELINE)
    work.put(b"the state that nobody wants", target)
    work.confirm(TransportAct.CLOSE_PIPELINE, target)
    table.advance()
    assert not work.queues[target]
    table.start()


def test_a_signal_without_a_command_does_nothing(table: Table) -> None:
    work = table.open()
    assert table.ask(v.Signal(code=STOP)) == v.SignalResponse()
    assert work.acts() == [TransportAct.CREATE_POOL]


# -- the plugin's refusals

ARGUMENTS = [
    ((), 0x80540BC4),
    ((b"a", b"b"), 0x80540BC4),
    (("not base64!",), 0x80540FA0),
]


@pytest.mark.parametrize(("arguments", "code"), ARGUMENTS)
def test_a_command_has_one_argument_in_base64(
    table: Table, arguments: tuple[str | bytes, ...], code: int
) -> None:
    """Statement H76."""
    table.open()
    value = v.Command(command_id=COMMAND, command="x", arguments=arguments)
    assert table.ask(value).wsman_code == code


def test_a_command_id_is_used_once(table: Table) -> None:
    table.open()
    table.start()
    fault = table.ask(v.Command(command_id=COMMAND.lower(), arguments=(b"x",)))
    assert fault.wsman_code == 0x80540FA0
    assert "same key" in fault.message


CREATIONS: list[tuple[dict[str, Any], dict[str, Any], int]] = [
    ({"input_streams": ""}, {}, 0x80540BB9),
    ({"output_streams": " "}, {}, 0x80540BB9),
    ({}, {"options": ()}, 0x80540BC7),
    ({}, {"options": (soap.Option(name="ProtocolVersion", value="2.3"),)}, 0x80540BC7),
    ({}, {"options": (soap.Option(name="protocolversion", value="1.0"),)}, 0x80540BC5),
    ({}, {"options": (soap.Option(name="protocolversion", value="3.0"),)}, 0x80540BC5),
    ({}, {"options": (soap.Option(name="protocolversion", value="abc"),)}, 0x80540BC5),
    (
        {},
        {"options": (soap.Option(name="PS_X", value="1", must_comply=True),)},
        0x80540BC6,
    ),
]


@pytest.mark.parametrize(("changes", "headers", "code"), CREATIONS)
def test_a_creation_that_the_plugin_refuses(
    table: Table, changes: dict[str, Any], headers: dict[str, Any], code: int
) -> None:
    """Statement H76."""
    fault = table.ask(v.Create(shell_id=SHELL, **changes), **headers)
    assert isinstance(fault, Fault)
    assert fault.wsman_code == code
    assert not table.endpoint.works


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.9"])
@pytest.mark.parametrize("streams", ["stdin", "pr stdin", "stdin pr x"])
def test_a_creation_that_the_plugin_takes(table: Table, version: str, streams: str) -> None:
    options = (soap.Option(name="protocolversion", value=version),)
    value = v.Create(shell_id=SHELL, input_streams=streams, output_streams="stdout stderr")
    assert isinstance(table.ask(value, options=options), v.CreateResponse)


def test_what_is_no_base64_has_the_plugins_code(table: Table) -> None:
    good = table.envelope(v.Create(shell_id=SHELL, creation_xml=b"creation"))
    bad = good.replace(base64.b64encode(b"creation"), b"!not base64!")
    assert bad != good
    assert table.answer(table.raw(bad)).wsman_code == 0x80540FA0


def test_an_unknown_configuration_is_named_as_an_unknown_resource(table: Table) -> None:
    fault = table.ask(v.Create(shell_id=SHELL), resource_uri=names.POWERSHELL_PREFIX + "Missing")
    assert fault.subcode == "DestinationUnreachable"
    assert fault.wsman_code == 0x80338002


def test_a_command_that_cannot_start_ends_its_receive(table: Table) -> None:
    work = table.open()
    target = table.start()
    receive = table.send(v.Receive(command_id=COMMAND))
    work.link.act_failed(TransportAct.CREATE_PIPELINE, target, "no such thing")
    table.advance()
    assert table.answer(receive).message == "no such thing"


# -- endings


def test_delete_ends_the_receives_first_and_then_the_shell(table: Table) -> None:
    work = table.open()
    table.start()
    pool = table.send(v.Receive())
    command = table.send(v.Receive(command_id=COMMAND))
    delete = table.send(v.Delete())
    assert list(table.answers)[-3:] == [pool, command, delete]
    assert table.answer(pool).states == state("Done", "")
    assert table.answer(command).wsman_code == 995
    assert table.answer(delete) == v.DeleteResponse()
    assert work.gone
    for value in (v.Receive(), v.Delete(), v.Command(command_id=COMMAND, arguments=(b"x",))):
        assert table.ask(value).wsman_code == NO_SUCH_SHELL


def test_a_session_that_ends_by_itself_says_its_last_words(table: Table) -> None:
    work = table.open()
    ticket = table.send(v.Receive())
    work.put(b"closed")
    work.link.fail("The process has ended.")
    table.advance()
    assert table.answer(ticket).streams[0].data == b"closed"
    fault = table.ask(v.Receive())
    assert fault.message == "The process has ended."
    assert table.ask(v.Receive()).wsman_code == NO_SUCH_SHELL
    assert not table.service.shells


def test_a_shell_that_is_idle_for_too_long_ends(table: Table) -> None:
    work = table.open()
    table.ask(v.Command(command_id=COMMAND, arguments=(b"x",)))
    table.advance(7199.0)
    assert not work.gone
    table.ask(queries.Get())
    table.advance(7199.0)
    assert not work.gone
    table.advance(2.0)
    assert work.gone
    assert table.ask(queries.Get()).wsman_code == NO_SUCH_SHELL


def test_a_shell_with_a_receive_is_not_idle(table: Table) -> None:
    work = table.open(shell=SHELL)
    for _ in range(200):
        table.send(v.Receive(), operation_timeout=60.0)
        table.advance(60.0)
    assert not work.gone


def test_the_idle_time_is_within_the_limits(table: Table) -> None:
    for asked, given in ((1.0, 60.0), (None, 7200.0), (1e9, 2_147_483.0)):
        made = table.ask(v.Create(idle_timeout=asked))
        assert made.shell.idle_timeout == given


def test_the_end_of_the_service_answers_everybody(table: Table) -> None:
    work = table.open()
    ticket = table.send(v.Receive())
    table.service.draining = True
    assert table.ask(v.Create()).wsman_code == 1115
    table.service.end()
    table.collect()
    assert "shutting down" in table.answer(ticket).message
    assert work.gone


# -- other users


def test_a_shell_of_another_user_does_not_exist(table: Table) -> None:
    work = table.open()
    table.start()
    for value in (
        v.Receive(),
        v.Delete(),
        v.Disconnect(),
        v.Reconnect(),
        v.Connect(connect_xml=b"x"),
        v.Signal(code=STOP, command_id=COMMAND),
        v.Send(streams=(v.StreamData(name="stdin", data=b"x"),)),
        v.Command(command_id=OTHER, arguments=(b"x",)),
        queries.Get(),
    ):
        fault = table.ask(value, user="mallory")
        assert fault.wsman_code == NO_SUCH_SHELL
        assert fault == table.ask(value, user="mallory", shell=OTHER)
    assert table.ask(queries.Enumerate(), "mallory", resource_uri=names.SHELL).shells == ()
    assert len(work.received) == 2
    table.open(user="mallory")
    assert len(table.service.shells) == 2


def test_a_user_enumerates_shells_and_commands(table: Table) -> None:
    """Statement H86."""
    table.open()
    table.start()
    table.open(shell=OTHER)
    found = table.ask(queries.Enumerate(), resource_uri=names.SHELL, shell="")
    assert [each.shell_id for each in found.shells] == [SHELL, OTHER]
    assert found.end
    commands = table.ask(
        queries.Enumerate(dialect=names.SELECTOR_FILTER, selectors=((v.SHELL_SELECTOR, SHELL),)),
        resource_uri=names.RESOURCE_COMMAND,
        shell="",
    )
    assert [each.command_id for each in commands.commands] == [COMMAND]
    for resource in (POWERSHELL, names.RESOURCE_CMD):
        fault = table.ask(queries.Enumerate(), resource_uri=resource, shell="")
        assert fault.subcode == "ActionNotSupported"


def test_an_enumeration_is_pulled_in_pieces(table: Table) -> None:
    for number in range(5):
        table.open(shell=str(UUID(int=number + 100)))
    first = table.ask(
        queries.Enumerate(optimized=False, max_elements=2), resource_uri=names.SHELL, shell=""
    )
    assert (first.shells, first.end) == ((), False)
    sizes = []
    context = first.context
    while True:
        got = table.ask(
            queries.Pull(context=context, max_elements=2), resource_uri=names.SHELL, shell=""
        )
        sizes.append(len(got.shells))
        if got.end:
            break
        context = got.context
    assert sizes == [2, 2, 1]
    fault = table.ask(queries.Pull(context=context), resource_uri=names.SHELL, shell="")
    assert fault.subcode == "InvalidEnumerationContext"


def test_an_enumeration_is_the_users_own_and_expires(table: Table) -> None:
    table.open()
    asked = queries.Enumerate(optimized=False)
    context = table.ask(asked, resource_uri=names.SHELL, shell="").context
    pull = queries.Pull(context=context)
    for user, wait in (("mallory", 0.0), ("carol", 61.0)):
        table.advance(wait)
        fault = table.ask(pull, user, resource_uri=names.SHELL, shell="")
        assert fault.subcode == "InvalidEnumerationContext"
    context = table.ask(asked, resource_uri=names.SHELL, shell="").context
    released = table.ask(queries.Release(context=context), resource_uri=names.SHELL, shell="")
    assert released == queries.ReleaseResponse()


# -- quotas


def test_shells_users_and_operations_are_limited() -> None:
    table = Table(max_shells_per_user=2, max_shells=4, max_users=3, max_operations_per_user=2)
    shells = [str(UUID(int=number)) for number in range(10)]
    for shell in shells[:2]:
        table.open(shell=shell)
    assert table.ask(v.Create(shell_id=shells[2])).wsman_code == 0x803381A5
    table.open("dave")
    table.open("eve")
    assert table.ask(v.Create(), "frank").wsman_code == 0x803381A8
    table.ask(v.Delete(), shell=shells[0])
    assert table.ask(v.Create(), "frank").wsman_code == 0x803381AB
    waiting = [table.send(v.Receive(), shell=shells[1])]
    table.ask(v.Command(command_id=COMMAND, arguments=(b"x",)), shell=shells[1])
    waiting.append(table.send(v.Receive(command_id=COMMAND), shell=shells[1]))
    assert all(table.answer(each) is None for each in waiting)
    fault = table.ask(v.Receive(command_id=COMMAND), shell=shells[1])
    assert (fault.wsman_code, fault.subcode) == (0x803381A6, "QuotaLimit")
    table.service.client_gone(waiting[0], table.now)
    ticket = table.send(v.Receive(), shell=shells[1])
    assert table.answer(ticket) is None


def test_the_commands_of_a_shell_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsman.powershell_work._MAX_COMMANDS", 2)
    table = Table()
    table.open()
    for number in (1, 2):
        table.start(str(UUID(int=number)))
    fault = table.ask(v.Command(command_id=COMMAND, arguments=(b"x",)))
    assert (fault.wsman_code, fault.subcode) == (0x803381A6, "QuotaLimit")
    signal = v.Signal(command_id=str(UUID(int=1)), code=names.SIGNAL_TERMINATE)
    assert isinstance(table.ask(signal), v.SignalResponse)
    table.start()


def test_a_command_counts_as_concurrent_until_its_end_is_told(table: Table) -> None:
    work = table.open()
    work.link.max_commands = 1
    first = table.start()
    another = v.Command(command_id=OTHER, arguments=(b"x",))
    assert table.ask(another).subcode == "QuotaLimit"
    work.finish(first)
    (state,) = table.ask(v.Receive(streams="stdout", command_id=COMMAND)).states
    assert state.state == "Done"
    assert isinstance(table.ask(another), v.CommandResponse)


def test_a_client_that_reuses_its_message_id_is_served(table: Table) -> None:
    """winrm-client of npm has one MessageID for all requests."""
    same: dict[str, Any] = {"message_id": "uuid:always"}
    table.open(**same)
    made = table.ask(v.Command(command_id=COMMAND, arguments=(b"x",)), **same)
    assert isinstance(made, v.CommandResponse)
    for text in (b"one", b"two"):
        table.work.put(text, UUID(COMMAND))
        table.advance()
        received = table.ask(v.Receive(command_id=COMMAND), **same)
        assert b"".join(each.data for each in received.streams) == text
    signal = v.Signal(command_id=COMMAND, code=names.SIGNAL_TERMINATE)
    assert isinstance(table.ask(signal, **same), v.SignalResponse)
    assert isinstance(table.ask(v.Delete(), **same), v.DeleteResponse)


def test_an_envelope_that_demands_more_the_second_time_is_the_same(table: Table) -> None:
    """A robust client repeats a request with a header that has to be understood."""
    table.open()
    text = table.envelope(v.Command(command_id=COMMAND, arguments=(b"x",))).decode()
    header = '<p:OperationID s:mustUnderstand="{}">uuid:3</p:OperationID></s:Header>'
    for flag in ("false", "true"):
        ticket = table.raw(text.replace("</s:Header>", header.format(flag)).encode())
        assert table.answer(ticket) == v.CommandResponse(command_id=COMMAND)
    assert table.work.acts().count(TransportAct.CREATE_PIPELINE) == 1
