"""Sessions by number, name and instance id, and their lifetime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
import trio

from psremoting.errors import PSRemotingTransportError
from psremoting.session import PSSession
from psremoting.session_table import (
    MultipleMatches,
    NotAvailable,
    SessionTable,
)
from tests.session.servers import fake_server


@asynccontextmanager
async def connect(target: Any, **more: Any) -> AsyncIterator[PSSession]:
    """Open a separate fake server for every target except `nowhere`."""
    if target == "nowhere":
        raise PSRemotingTransportError("There is nobody.", computer="nowhere")
    async with fake_server() as (carrier, _), PSSession.connect(carrier, **more) as session:
        yield session


async def test_a_session_gets_a_number_and_a_name() -> None:
    async with SessionTable.open(connect=connect) as table:
        first, second = await table.add("a"), await table.add("b", name="lab")
        assert (first.id, first.name) == (1, "Runspace1")
        assert (second.id, second.name) == (2, "lab")
        assert (first.state, first.availability, first.computer_type) == (
            "Opened",
            "Available",
            "RemoteMachine",
        )
        assert (first.transport, first.computer_name) == ("Process", "lab")
        assert first.configuration_name == "DefaultShell"
        assert list(table) == [first, second]


async def test_a_session_is_found_by_each_of_its_names() -> None:
    async with SessionTable.open(connect=connect) as table:
        await table.add("a")
        lab = await table.add("b", name="lab")
        assert table.find(id=2) is lab
        assert table.find(name="LAB") is lab
        assert table.find(instance_id=lab.instance_id) is lab


@pytest.mark.parametrize(
    ("asked", "error_id", "text"),
    [
        (
            {"id": 999},
            "RemoteRunspaceNotAvailableForSpecifiedSessionId",
            "The remote session with the session ID 999 is not available.",
        ),
        (
            {"instance_id": UUID(int=0)},
            "RemoteRunspaceNotAvailableForSpecifiedRunspaceId",
            "Remote session is not available for 00000000-0000-0000-0000-000000000000.",
        ),
        (
            {"name": "lab*"},
            "RemoteRunspaceNotAvailableForSpecifiedName",
            "The remote session with the name lab*  is not available.",
        ),
    ],
)
async def test_a_missing_session_gives_the_error_of_powershell(
    asked: dict[str, Any], error_id: str, text: str
) -> None:
    async with SessionTable.open(connect=connect) as table:
        await table.add("a", name="lab1")
        with pytest.raises(NotAvailable) as caught:
            table.find(**asked)
        assert caught.value.error_id == error_id
        assert str(caught.value) == text


async def test_a_name_of_two_sessions_names_none() -> None:
    async with SessionTable.open(connect=connect) as table:
        await table.add("a", name="lab")
        await table.add("b", name="Lab")
        with pytest.raises(MultipleMatches, match="Multiple matches found for name lab") as caught:
            table.find(name="lab")
        assert caught.value.error_id == "RemoteRunspaceHasMultipleMatchesForSpecifiedName"


async def test_a_lookup_needs_exactly_one_question() -> None:
    async with SessionTable.open(connect=connect) as table:
        with pytest.raises(TypeError, match="one of"):
            table.find()
        with pytest.raises(TypeError, match="one of"):
            table.find(id=1, name="x")


async def test_patterns_match_names_and_each_session_once() -> None:
    async with SessionTable.open(connect=connect) as table:
        entries = [await table.add("a", name=name) for name in ("web1", "web2", "db")]
        found, missing = table.match("name", ["WEB?", "web1", "nothing*", "gone"])
        assert found == entries[:2]
        assert [error.value for error in missing] == ["gone"]
        assert table.match("id", [3])[0] == entries[2:]
        assert table.match("computer_name", ["l*"])[0] == entries


async def test_a_removed_session_is_closed_and_forgotten() -> None:
    async with SessionTable.open(connect=connect) as table:
        entry = await table.add("a")
        await table.remove(entry)
        await table.remove(entry)
        assert entry.state == "Closed"
        assert entry.availability == "None"
        assert len(table) == 0
        assert (await table.add("a")).id == 2


async def test_the_end_of_the_table_closes_its_sessions() -> None:
    async with SessionTable.open(connect=connect) as table:
        entries = [await table.add("a"), await table.add("b")]
    assert [entry.state for entry in entries] == ["Closed", "Closed"]


async def test_a_session_that_does_not_open_uses_up_its_number() -> None:
    async with SessionTable.open(connect=connect) as table:
        with pytest.raises(PSRemotingTransportError, match="nobody"):
            await table.add("nowhere")
        assert len(table) == 0
        assert (await table.add("a")).id == 2


async def test_a_cancelled_opening_leaves_nothing_behind() -> None:
    entered, left = trio.Event(), trio.Event()

    @asynccontextmanager
    async def never(_: Any, **__: Any) -> AsyncIterator[PSSession]:
        try:
            entered.set()
            await trio.sleep_forever()
            yield
        finally:
            left.set()

    async with SessionTable.open(connect=never) as table, trio.open_nursery() as nursery:
        nursery.start_soon(table.add, "a")
        await entered.wait()
        nursery.cancel_scope.cancel()
        await trio.lowlevel.checkpoint_if_cancelled()
    await left.wait()
    assert len(table) == 0


async def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    async def use() -> None:
        async with SessionTable.open(connect=connect) as table:
            await table.add("a")
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await use()
