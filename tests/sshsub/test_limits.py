"""Limits on one client of a server: open commands, and work for each packet."""

from __future__ import annotations

from uuid import UUID

import pytest

from psrp.sansio import LimitExceeded, Outgoing, Side, TransportAct
from sshsub.events import ActReceived
from sshsub.packets import LineReader, Packet, PacketKind, write
from sshsub.subsystem import Subsystem
from tests.properties.steps import calls, grows_linearly


def command(number: int) -> bytes:
    return write(Packet(kind=PacketKind.COMMAND, target=UUID(int=number)))


def drain(machine: Subsystem) -> int:
    count = 0
    while machine.next_event() is not None:
        count += 1
    return count


def test_a_client_may_have_a_limited_number_of_open_commands() -> None:
    server = Subsystem(Side.SERVER, max_commands=10)
    for number in range(1, 11):
        server.receive_data(command(number))
    assert drain(server) == 11
    server.receive_data(command(11))
    with pytest.raises(LimitExceeded, match="open commands: 11 is over the limit of 10"):
        drain(server)


def test_a_closed_command_makes_room_for_another() -> None:
    server = Subsystem(Side.SERVER, max_commands=2)
    for number in range(1, 50):
        server.receive_data(command(number))
        server.receive_data(write(Packet(kind=PacketKind.CLOSE, target=UUID(int=number))))
        drain(server)
    assert b"CloseAck" in server.data_to_send()


def _many_commands(count: int) -> int:
    server = Subsystem(Side.SERVER)

    def work() -> None:
        for number in range(1, count + 1):
            server.receive_data(command(number))
            drain(server)

    return calls(work)


def test_a_packet_costs_the_same_with_many_open_commands() -> None:
    assert _many_commands(2000) < 2.2 * _many_commands(1000)


def _many_closes(count: int) -> int:
    client = Subsystem(Side.CLIENT)
    ids = [UUID(int=number) for number in range(1, count + 1)]
    for id in ids:
        client.send(Outgoing(target=id, data=b"x", act=TransportAct.CREATE_PIPELINE))
        client.receive_data(write(Packet(kind=PacketKind.COMMAND_ACK, target=id)))
        client.receive_data(write(Packet(kind=PacketKind.DATA_ACK, target=id)))
    assert drain(client) == 0

    def work() -> None:
        client.send(Outgoing(act=TransportAct.CLOSE_POOL))
        for id in ids:
            client.receive_data(write(Packet(kind=PacketKind.CLOSE_ACK, target=id)))
        client.receive_data(write(Packet(kind=PacketKind.CLOSE_ACK)))
        assert drain(client) == count + 1

    cost = calls(work)
    assert client.pending_replies == ()
    return cost


def test_closing_many_commands_is_linear_work() -> None:
    assert _many_closes(1000) < 2.2 * _many_closes(500)
    assert ActReceived(act=TransportAct.CLOSE_POOL).target is None


@pytest.mark.parametrize("text", [b"\r", b"\n", b"\r\n", b"a", b"<Data ", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("step", [1, 700])
def test_cutting_lines_is_linear_work(text: bytes, step: int) -> None:
    def work(size: int):  # type: ignore[no-untyped-def]
        data = text * (size // len(text))

        def read() -> None:
            reader = LineReader()
            for at in range(0, len(data), step):
                reader.receive_data(data[at : at + step])
                while reader.next_line() is not None:
                    pass

        return read

    assert grows_linearly(work)
