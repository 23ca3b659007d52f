"""Any sequence of administrative commands leaves the store that a model predicts, and nobody who
may not execute gets a session at any moment of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import trio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from psremoting.administration.configurations import (
    LOCAL_SDDL,
    REMOTE_SDDL,
)
from psremoting.administration.exchange import export_store, import_store
from psremoting.administration.store import REMOTE_MANAGEMENT, Store
from psremoting.console.interpreter import run_text
from psremoting.console.workspace import Workspace
from psremoting.endpoint.administered_host import AdministeredHost
from psremoting.endpoint.administered_sessions import SessionBook
from tests.console.places import Place
from wsman.hosting import Refusal, ShellRequest

NAMES = ("Alpha", "Beta", "Gamma")
USERS = ("carol", "dave", "erin")
SOURCE = "tests.administration.running_endpoint:COMMANDS"
names = st.sampled_from(NAMES)
modes = st.sampled_from(["Disabled", "Local", "Remote"])


@dataclass(frozen=True)
class Expected:
    """The state of one configuration in the model: no descriptor is parsed here."""

    enabled: bool
    network_denied: bool
    ps_version: str = ""


def with_mode(state: Expected, mode: str) -> Expected:
    if mode == "Disabled":
        return replace(state, enabled=False)
    return replace(state, enabled=True, network_denied=mode == "Local")


class Administrators(RuleBasedStateMachine):
    """Two connections to one store, and a model of it."""

    commands = 0
    """Commands of all runs."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "endpoint.db"
        self.server = Store.open(self.path, create=True)
        self.server.set_members(REMOTE_MANAGEMENT, ("carol",))
        self.server.sid_of("dave")
        self.model: dict[str, Expected] = {}
        self.members: set[str] = {"carol"}

    def teardown(self) -> None:
        self.server.close()
        self._folder.cleanup()

    def run(self, text: str) -> None:
        place = Place()
        Administrators.commands += 1

        async def main() -> None:
            async with Workspace.open(place) as workspace:
                await run_text(workspace, f"{text} -Store '{self.path}'")

        trio.run(main)

    @rule(name=names, mode=modes, force=st.booleans())
    def register(self, name: str, mode: str, force: bool) -> None:
        forced = " -Force" if force else ""
        self.run(
            f"Register-PSSessionConfiguration {name} -Functions {SOURCE} -AccessMode {mode}{forced}"
        )
        if force or name not in self.model:
            self.model[name] = with_mode(Expected(True, False), mode)

    @rule(name=names)
    def unregister(self, name: str) -> None:
        self.run(f"Unregister-PSSessionConfiguration {name}")
        self.model.pop(name, None)

    @rule(name=names, mode=modes)
    def set_mode(self, name: str, mode: str) -> None:
        self.run(f"Set-PSSessionConfiguration {name} -AccessMode {mode}")
        if name in self.model:
            self.model[name] = with_mode(self.model[name], mode)

    @rule(name=names, version=st.sampled_from(["7.4", "7.6"]))
    def set_version(self, name: str, version: str) -> None:
        self.run(f"Set-PSSessionConfiguration {name} -PSVersion {version}")
        if name in self.model:
            self.model[name] = replace(self.model[name], ps_version=version)

    @rule(name=names)
    def enable(self, name: str) -> None:
        self.run(f"Enable-PSSessionConfiguration {name}")
        if name in self.model:
            self.model[name] = replace(self.model[name], enabled=True, network_denied=False)

    @rule(pattern=st.sampled_from(["*", *NAMES]))
    def disable(self, pattern: str) -> None:
        self.run(f"Disable-PSSessionConfiguration {pattern}")
        for name in self.model if pattern == "*" else self.model.keys() & {pattern}:
            self.model[name] = replace(self.model[name], enabled=False)

    @rule(force=st.booleans())
    def disable_remoting(self, force: bool) -> None:
        self.run("Disable-PSRemoting -Force" if force else "Disable-PSRemoting")
        for name, state in self.model.items():
            self.model[name] = replace(state, network_denied=state.network_denied or state.enabled)

    @rule(name=names, mode=modes)
    def what_if(self, name: str, mode: str) -> None:
        self.run(f"Set-PSSessionConfiguration {name} -AccessMode {mode} -WhatIf")
        self.run(f"Unregister-PSSessionConfiguration {name} -WhatIf")
        self.run("Disable-PSRemoting -WhatIf")

    @rule(users=st.sets(st.sampled_from(USERS)))
    def set_group(self, users: set[str]) -> None:
        with Store.open(self.path) as store:
            store.set_members(REMOTE_MANAGEMENT, tuple(sorted(users)))
        self.members = set(users)

    @rule()
    def export_and_import(self) -> None:
        with Store.open(self.path) as store:
            text = export_store(store)
        for each in ("other.db", self.path.name):
            with Store.open(self.path.parent / each, create=True) as store:
                import_store(store, text, who="root")
                found = export_store(store)
        assert found == text
        (self.path.parent / "other.db").unlink()

    @invariant()
    def the_store_is_the_model(self) -> None:
        found = {each.name: each for each in self.server.configurations()}
        assert found.keys() == self.model.keys()
        for name, state in self.model.items():
            assert (found[name].enabled, found[name].ps_version) == (
                state.enabled, state.ps_version,
            )  # fmt: skip
            assert normal(found[name].sddl) == normal(
                LOCAL_SDDL if state.network_denied else REMOTE_SDDL
            )

    @invariant()
    def only_those_who_may_execute_get_a_session(self) -> None:
        for name, state in self.model.items():
            for user in USERS:
                for interactive in (False, True):
                    allowed = state.enabled and (
                        interactive or (user in self.members and not state.network_denied)
                    )
                    found = outcome(self.server, name, user, interactive=interactive)
                    assert found == ("open" if allowed else "AccessDenied")


def normal(sddl: str) -> str:
    """Return a descriptor with its allowances in one order."""
    return "".join(sorted(sddl.replace(")", ")\n").splitlines(keepends=True)))


def outcome(store: Store, name: str, user: str, *, interactive: bool) -> str:
    """Return ``open`` if the server's host opens a session, else the fault."""
    book = SessionBook(store, act=lambda id, action: False)
    host = AdministeredHost(store, book)
    request = ShellRequest(
        shell_id="0D1F", owner=user, resource_uri=f"http://schemas.microsoft.com/powershell/{name}",
        interactive=interactive,
    )  # fmt: skip
    try:
        host.engine(name, request, Link())  # type: ignore[arg-type]
    except Refusal as refusal:
        return refusal.fault.subcode if not book.sessions else "refused and open"
    return "open" if len(book.sessions) == 1 else "not entered"


class Link:
    """The limits of a shell."""

    idle_timeout = 7200.0
    max_commands = 2_147_483_647


def test_any_sequence_of_commands_leaves_the_model_and_lets_nobody_in() -> None:
    limits = settings(
        max_examples=20, stateful_step_count=15, deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    run_state_machine_as_test(Administrators, settings=limits)
    assert Administrators.commands > 50
