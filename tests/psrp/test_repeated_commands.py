"""Equal CREATE_PIPELINE messages give equal events, read once."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from psrp import events as e
from psrp import repeated_commands
from psrp.commands import Command, Parameter, PowerShell
from psrp.host import HostInfo
from psrp.messages import MessageType, decode_body, encode_body
from psrp.repeated_commands import KEPT, LARGEST, RepeatedCommands
from psrp.versions import LATEST


def body_of(value: object, text: str = "Get-Thing") -> bytes:
    command = Command(text, parameters=(Parameter(None, value),))
    return encode_body(
        e.CreatePipeline(
            pipeline_id=uuid4(), powershell=PowerShell.of(command), host_info=HostInfo.null()
        )
    )


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bodies that were really decoded."""
    seen: list[bytes] = []

    def decode(kind: int, pid: UUID | None, body: bytes, **more: object) -> e.Event:
        seen.append(body)
        return decode_body(kind, pid, body, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(repeated_commands, "decode_body", decode)
    return seen


def read(commands: RepeatedCommands, body: bytes, pid: UUID) -> e.Event:
    return commands.decode_body(MessageType.CREATE_PIPELINE, pid, body, version=LATEST, unseal=None)


def test_an_equal_command_is_read_once_and_has_its_own_id(decoded: list[bytes]) -> None:
    commands, body = RepeatedCommands(), body_of(1)
    ids = [uuid4(), uuid4()]
    events = [read(commands, body, each) for each in ids]
    assert events == [decode_body(MessageType.CREATE_PIPELINE, each, body) for each in ids]
    assert decoded == [body]


@pytest.mark.parametrize("value", [["a list"], {"a": 1}, b"bytes", "x" * LARGEST], ids=type)
def test_values_that_can_change_and_large_ones_are_not_shared(
    value: object, decoded: list[bytes]
) -> None:
    commands, body = RepeatedCommands(), body_of(value)
    for _ in range(2):
        read(commands, body, uuid4())
    assert decoded == [body, body]


def test_a_session_keeps_the_last_few_commands_only(decoded: list[bytes]) -> None:
    commands = RepeatedCommands()
    bodies = [body_of(number) for number in range(KEPT + 1)]
    for body in (*bodies, *bodies[1:], bodies[0]):
        read(commands, body, uuid4())
    assert decoded == [*bodies, bodies[0]]


def test_other_messages_are_read_each_time(decoded: list[bytes]) -> None:
    commands, pid = RepeatedCommands(), uuid4()
    body = encode_body(e.PipelineInput(pipeline_id=pid, data=1))
    for _ in range(2):
        commands.decode_body(MessageType.PIPELINE_INPUT, pid, body, version=LATEST, unseal=None)
    assert decoded == [body, body]
