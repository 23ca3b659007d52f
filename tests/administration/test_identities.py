"""The identity of a connected user, and the session configuration that a name selects."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from psremoting.administration.configurations import EngineKind, SessionConfiguration
from psremoting.administration.identities import configuration_for, connected_user
from psremoting.administration.security_identifiers import (
    AUTHENTICATED_USERS,
    BUILTIN_ADMINISTRATORS,
    EVERYONE,
    INTERACTIVE,
    NETWORK,
    REMOTE_MANAGEMENT_USERS,
)
from psremoting.administration.store import ADMINISTRATORS, REMOTE_MANAGEMENT, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "endpoint.db", create=True) as made:
        yield made


def test_a_user_has_the_sids_of_its_connection_and_its_groups(store: Store) -> None:
    carol = store.sid_of("carol")
    store.set_members(REMOTE_MANAGEMENT, ("Carol", "dave"))
    store.set_members("operators", ("carol",))
    found = connected_user(store, "carol", address="10.0.0.7")
    operators = store.known_sid("operators")
    assert found.sids == {
        EVERYONE, AUTHENTICATED_USERS, NETWORK, REMOTE_MANAGEMENT_USERS, carol, operators,
    }  # fmt: skip
    assert found.groups == {REMOTE_MANAGEMENT.casefold(), "operators"}
    assert (found.address, found.local_user) == ("10.0.0.7", "")
    interactive = connected_user(store, "carol", interactive=True)
    assert INTERACTIVE in interactive.sids
    assert NETWORK not in interactive.sids
    nobody = connected_user(store, "erin")
    assert nobody.sids == {EVERYONE, AUTHENTICATED_USERS, NETWORK}


def test_root_and_the_owner_of_the_store_are_administrators(store: Store) -> None:
    root, owner = pwd.getpwuid(0).pw_name, pwd.getpwuid(os.getuid()).pw_name
    for name in (root, owner):
        found = connected_user(store, name)
        assert BUILTIN_ADMINISTRATORS in found.sids
        assert found.local_user == name
    # A principal of that name in a realm is somebody else.
    assert BUILTIN_ADMINISTRATORS not in connected_user(store, f"{root}@EXAMPLE.ORG").sids


def test_members_may_be_a_group_of_the_operating_system(store: Store) -> None:
    user = pwd.getpwuid(os.getuid())
    group = grp.getgrgid(user.pw_gid).gr_name
    store.set_members("readers", (f"@{group}",))
    assert "readers" in connected_user(store, user.pw_name).groups
    store.set_members(ADMINISTRATORS, (f"@{group}",))
    assert BUILTIN_ADMINISTRATORS in connected_user(store, user.pw_name).sids
    assert BUILTIN_ADMINISTRATORS not in connected_user(store, "carol").sids


def test_a_name_keeps_its_sid_and_a_sid_its_name(store: Store) -> None:
    first = store.sid_of("carol")
    assert store.sid_of("CAROL") == first
    assert store.sid_of(".\\carol") == first
    assert store.sid_of("DOMAIN01\\carol") != first
    assert store.name_of(first).endswith("\\carol")
    assert store.name_of(store.sid_of("DOMAIN01\\User01")) == "DOMAIN01\\User01"
    assert store.sid_of("BUILTIN\\Administrators") == BUILTIN_ADMINISTRATORS
    assert store.name_of("S-1-5-21-9-9-9-9") == "S-1-5-21-9-9-9-9"
    assert first.startswith("S-1-5-21-")


def _named(name: str, *, exact: bool = True) -> SessionConfiguration:
    return SessionConfiguration(
        name=name, kind=EngineKind.FUNCTIONS, source="m:f", exact_match=exact
    )


def test_the_exact_name_comes_before_the_longest_beginning(store: Store) -> None:
    for each in (
        _named("PowerShell.7", exact=False), _named("PowerShell.7.6", exact=False),
        _named("PowerShell.7.6.9"), _named("Exact"),
    ):  # fmt: skip
        store.put_configuration(each)

    def selected(name: str) -> str:
        found = configuration_for(store, name)
        return found.name if found is not None else ""

    assert selected("powershell.7.6.9") == "PowerShell.7.6.9"
    assert selected("PowerShell.7.6.8") == "PowerShell.7.6"
    assert selected("PowerShell.7.4") == "PowerShell.7"
    assert selected("PowerShell.7") == "PowerShell.7"
    assert selected("Exact.more") == ""
    assert selected("PowerShell.6") == ""
