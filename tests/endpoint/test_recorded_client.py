"""The recorded PowerShell client with the functions engine: its packets are accepted, each
acknowledgement is at the same place as the real server's, and answers that both can give are
equal."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from psremoting.endpoint import Context, FunctionsEngine
from psremoting.endpoint.driver import serve_stream
from psrp.clixml import PSObject, loads
from psrp.host import ConsoleColor, HostMethodId
from psrp.host_methods import read_arguments
from psrp.properties import unwrap
from psrp.records import ErrorRecord
from tests.endpoint.replays import PIPELINE_STATE, Player
from tests.recordings import WHOLE

FOLDER = WHOLE / "outofproc" / "sessions"
SESSIONS = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
POOL = "00000000-0000-0000-0000-000000000000"
OUTPUT, ERROR, HOST_CALL, PRIVATE_DATA = 0x41004, 0x41005, 0x41100, 0x21009
WARNING, VERBOSE, INFORMATION, CREATE = 0x41009, 0x41008, 0x41011, 0x21006


def get_item(path: str) -> PSObject:
    types = ("System.IO.DirectoryInfo", "System.IO.FileSystemInfo", "System.Object")
    return PSObject(types, {"Name": path, "FullName": path, "Exists": True}, to_string=path)


async def write_error(context: Context, message: str) -> None:
    await context.write_error(message)


async def write_warning(context: Context, message: str) -> None:
    await context.write_warning(message)


async def write_host(
    context: Context, message: str, *, foreground_color: ConsoleColor | None = None
) -> None:
    await context.write_host(message, foreground=foreground_color)


async def write_verbose(context: Context, message: str) -> None:
    await context.write_verbose(message)


COMMANDS = {
    "Get-Item": get_item,
    "Write-Error": write_error,
    "Write-Host": write_host,
    "Write-Output": lambda value: value,
    "Write-Verbose": write_verbose,
    "Write-Warning": write_warning,
}


async def get_credential(context: Context, *, user_name: str = "", message: str = "") -> Any:
    return await context.prompt_credential(message, user_name=user_name)


async def play(name: str, **more: Any) -> Player:
    ours, theirs = trio.testing.memory_stream_pair()
    commands = {**COMMANDS, "Get-Credential": get_credential, **more}
    engine = FunctionsEngine(commands, protocol_version="2.4")
    player = Player(FOLDER / f"{name}.jsonl", ours)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_stream, theirs, engine)
            await player.play()
    return player


def by_target(acks: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {target: [kind for kind, its in acks if its == target] for _, target in acks}


@pytest.mark.parametrize("name", SESSIONS)
async def test_every_acknowledgement_is_where_the_real_server_had_it(name: str) -> None:
    """Statements G62, G63, J99, J100, J101."""
    player = await play(name)
    assert by_target(player.acks) == by_target(player.recorded_acks)
    assert all(len(player.said.of(id, PIPELINE_STATE)) == 1 for id in player.targets)
    assert all("An unknown element" in line for line in player.lines)


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(name not in SESSIONS, reason="the whole collection is not here")


def state(body: bytes) -> tuple[int, ErrorRecord | None]:
    value = loads(body)
    error = value.get("ExceptionAsErrorRecord")
    record = None if error is None else ErrorRecord.from_object(error)
    return unwrap(value["PipelineState"]), record


def words(record: ErrorRecord | None) -> tuple[Any, ...]:
    assert record is not None
    return (
        record.message,
        record.fully_qualified_error_id,
        record.category,
        record.category_activity,
        record.category_reason,
        record.category_target_name,
        record.category_target_type,
        record.category_message,
        record.target_object,
        record.exception.type_names[0],
    )


def calls(bodies: list[bytes]) -> list[tuple[Any, ...]]:
    """Return method, call id and arguments."""
    found = []
    for body in bodies:
        value = loads(body)
        method = unwrap(value["mi"])
        found.append((method, value["ci"], read_arguments(method, list(value["mp"]))))
    return found


def started(player: Player) -> dict[str, str]:
    """Return the command of each pipeline of the recording that is a single command."""
    names: dict[str, str] = {}
    sent = type(player.said)()
    for one in player.recorded:
        if one.sender == "client":
            sent.take(one)
    for target, kind, body in sent.all:
        if kind == CREATE:
            names[target] = loads(body)["PowerShell"]["Cmds"][0]["Cmd"]
    return names


async def test_the_pool_opens_with_the_same_messages() -> None:
    player = await play("hello")
    ours, theirs = player.said.of(POOL), player.truth.of(POOL)
    assert [kind for target, kind, _ in player.said.all if target == POOL] == [
        kind for target, kind, _ in player.truth.all if target == POOL
    ]
    assert ours[0] == theirs[0]
    table = loads(ours[1])["ApplicationPrivateData"]["PSVersionTable"]
    real = loads(theirs[1])["ApplicationPrivateData"]["PSVersionTable"]
    assert set(table) >= set(real) - {"GitCommitId"}
    assert table["PSRemotingProtocolVersion"] == real["PSRemotingProtocolVersion"]
    assert table["PSVersion"].parts[0] >= 5
    assert ours[2:] == theirs[2:]


async def test_objects_of_a_pipeline_of_commands_are_the_same() -> None:
    player = await play("pipeline-shapes")
    first = player.targets[1]
    assert [loads(body) for body in player.said.of(first, OUTPUT)] == [
        loads(body) for body in player.truth.of(first, OUTPUT)
    ]


@needs("enter-interactive")
async def test_a_client_that_enters_finds_the_commands_that_it_needs() -> None:
    """[MS-PSRP] 2.2.2.14: the count comes first, then each command."""
    player = await play("enter-interactive")
    ours = [loads(body) for body in player.said.of(player.targets[1], OUTPUT)]
    theirs = [loads(body) for body in player.truth.of(player.targets[1], OUTPUT)]
    assert ours[0] == theirs[0]
    assert sorted(each["Name"] for each in ours[1:]) == sorted(each["Name"] for each in theirs[1:])
    for mine, real in zip(ours[1:], sorted(theirs[1:], key=lambda each: each["Name"]), strict=True):
        assert mine.type_names == real.type_names
        assert list(mine) == list(real)
        assert mine["CommandType"] == real["CommandType"]
        assert set(mine["Parameters"]) == set(real["Parameters"]) - {"InputObject"}
        for name, each in mine["Parameters"].items():
            known = real["Parameters"][name]
            assert {**dict(each.items()), "Aliases": []} == {**dict(known.items()), "Aliases": []}
            assert list(each["Aliases"]) == list(known["Aliases"])


@needs("enter-interactive")
async def test_an_unknown_command_fails_in_the_same_words() -> None:
    player = await play("enter-interactive")
    (target,) = [id for id, name in started(player).items() if name == "Get-NoSuchThing"]
    (ours,), (theirs,) = (each.of(target, PIPELINE_STATE) for each in (player.said, player.truth))
    assert state(ours)[0] == state(theirs)[0] == 5
    assert words(state(ours)[1]) == words(state(theirs)[1])


@needs("enter-interactive")
async def test_errors_that_the_client_sends_back_are_shown_in_the_same_lines() -> None:
    """Statement J108."""
    player = await play("enter-interactive")
    alone = [id for id, name in started(player).items() if name == "Out-Default"]
    assert len(alone) >= 3
    for target in alone:
        assert calls(player.said.of(target, HOST_CALL)) == calls(player.truth.of(target, HOST_CALL))


@needs("enter-interactive")
async def test_warnings_errors_and_host_texts_of_a_line_are_the_same() -> None:
    """Statement J107: the record is sent first, then the host call."""
    player = await play("enter-interactive")
    (target,) = [id for id, name in started(player).items() if name == "Write-Warning"]
    assert calls(player.said.of(target, HOST_CALL)) == calls(player.truth.of(target, HOST_CALL))
    kinds = [
        [kind for its, kind, _ in each.all if its == target] for each in (player.said, player.truth)
    ]
    assert kinds[0] == kinds[1]
    for kind in (WARNING, VERBOSE):
        assert player.said.of(target, kind) == player.truth.of(target, kind)
    ours, theirs = (loads(each.of(target, INFORMATION)[0]) for each in (player.said, player.truth))
    assert ours["MessageData"] == theirs["MessageData"]
    assert (list(ours), ours["Source"], ours["Tags"][:]) == (
        list(theirs),
        theirs["Source"],
        theirs["Tags"][:],
    )


@needs("enter-interactive")
async def test_a_credential_is_asked_for_with_the_same_call_and_shown_as_a_table() -> None:
    player = await play("enter-interactive")
    (target,) = [id for id, name in started(player).items() if name == "Get-Credential"]
    ours, theirs = (calls(each.of(target, HOST_CALL)) for each in (player.said, player.truth))
    assert ours[0] == theirs[0]
    texts = [[call[2][0] for call in each[1:]] for each in (ours, theirs)]
    plain = [text.replace("\x1b[32;1m", "").replace("\x1b[0m", "") for text in texts[1]]
    assert [" ".join(text.split()) for text in texts[0]] == [
        " ".join(text.split()) for text in plain
    ]


@needs("enter-interactive")
async def test_leaving_is_the_same_call() -> None:
    player = await play("enter-interactive")
    (target,) = [id for id, name in started(player).items() if name == "Exit-PSSession"]
    assert calls(player.said.of(target, HOST_CALL)) == [(HostMethodId.PopRunspace, -100, ())]
    assert player.said.of(target) == player.truth.of(target)


def test_the_recordings_are_there() -> None:
    assert {"hello", "pipeline-shapes", "input"} <= set(SESSIONS)
