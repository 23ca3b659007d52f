"""The client machine and the troubles of users of other clients (spec-notes/wsman-client.md)."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.wsman.shell_peer import COMMAND, CREATED, DONE, SHELL_ID, A, Peer, output
from wsman import client_events as ev
from wsman import faults, operations, queries, soap
from wsman import shell_values as v
from wsman.envelopes import Headers

GONE = faults.make_fault("InvalidSelectors", wsman_code=faults.NO_SUCH_SHELL)


def test_a_thousand_commands_leave_nothing_in_the_machine_or_at_the_server() -> None:
    peer = Peer().opened()
    for number in range(1000):
        target = UUID(int=1000 + number)
        peer.send(act=A.CREATE_PIPELINE, target=target, data=b"command")
        peer.answer("Command", v.CommandResponse(command_id=str(target)), target)
        peer.answer("Receive", output(b"x", DONE), target)
        peer.send(act=A.CLOSE_PIPELINE, target=target)
        peer.answer("Signal", v.SignalResponse(), target)
    assert peer.machine.commands == {}
    assert [(each.operation, each.target) for each in peer.machine.outstanding] == [
        ("Receive", None)
    ]


def test_a_terminate_of_a_shell_that_is_gone_is_success_and_is_not_repeated() -> None:
    peer = Peer(retries=5).running()
    peer.send(act=A.CLOSE_PIPELINE, target=COMMAND)
    peer.answer("Signal", GONE, COMMAND)
    assert peer.events[-1] == ev.ActDone(act=A.CLOSE_PIPELINE, target=COMMAND)
    assert peer.told(ev.Retrying) == []
    peer.answer("Receive", GONE, COMMAND)
    assert peer.machine.commands == {}
    assert peer.told(ev.ActFailed) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
def test_the_fault_in_an_answer_is_read_at_each_status(status: int) -> None:
    peer = Peer()
    peer.send(act=A.CREATE_POOL, data=b"first")
    (request,) = peer.out
    fault = faults.make_fault("AccessDenied", wsman_code=5)
    body = operations.write(Headers(relates_to=request.message_id), fault)
    peer.machine.receive_answer(request.number, status, [body], 0.0)
    peer.pump()
    (lost,) = peer.told(ev.Lost)
    assert lost.error.code == 5


@pytest.mark.parametrize("retries", [0, 5])
def test_a_shell_that_is_over_the_quota_is_created_once_more(retries: int) -> None:
    """For any number of retries: one pause, one new Create, then its code is reported."""
    peer = Peer(retries=retries)
    peer.send(act=A.CREATE_POOL, data=b"first")
    refused = faults.make_fault("QuotaLimit", wsman_code=faults.QUOTA_SHELLS)
    first = peer.find("Create", None).message_id
    assert peer.answer("Create", refused) == []
    assert peer.machine.next_time is not None
    peer.now = peer.machine.next_time
    assert peer.pump() == ["Create"]
    assert peer.find("Create", None).message_id != first
    peer.answer("Create", refused)
    (failed,) = peer.told(ev.ActFailed)
    assert failed.error.code == 2150859173
    assert peer.pump() == []
    assert peer.machine.next_time is None


def test_a_shell_that_fits_into_the_quota_in_the_meantime_is_opened() -> None:
    peer = Peer()
    peer.send(act=A.CREATE_POOL, data=b"first")
    peer.answer("Create", faults.make_fault("QuotaLimit", wsman_code=faults.QUOTA_SHELLS))
    peer.now += 10
    peer.pump()
    peer.answer("Create", CREATED)
    assert [each.act for each in peer.told(ev.ActDone)] == [A.CREATE_POOL]
    assert peer.told(ev.ActFailed) == []


def test_a_fault_without_details_in_another_language_has_its_text() -> None:
    text = operations.write(Headers(), faults.make_fault("AccessDenied")).decode()
    text = text.replace("en-US", "de-DE").replace("Access is denied.", "Zugriff verweigert")
    before, _, rest = text.partition("<s:Detail>")
    fault = operations.read(soap.parse((before + rest.partition("</s:Detail>")[2]).encode()))
    assert isinstance(fault, faults.Fault)
    assert (fault.wsman_code, fault.subcode) == (None, "AccessDenied")
    assert fault.reason == "Zugriff verweigert"


def test_the_address_of_a_client_may_have_a_zone() -> None:
    shell = v.ShellInfo(shell_id=SHELL_ID, client_ip="fe80::1c5b:2%5")
    written = operations.write(Headers(), queries.GetResponse(shell=shell))
    assert operations.read(soap.parse(written)) == queries.GetResponse(shell=shell)


def test_unknown_elements_in_header_and_body_change_nothing() -> None:
    expected = output(b"data")
    text = operations.write(Headers(relates_to="uuid:1"), expected).decode()
    new = '<new:New xmlns:new="urn:new" new:a="1"><new:Inner>x</new:Inner></new:New>'
    for before in ("</s:Header>", "<rsp:Stream ", "</rsp:ReceiveResponse>"):
        assert text.count(before) == 1
        text = text.replace(before, new + before)
    assert operations.read(soap.parse(text.encode())) == expected
