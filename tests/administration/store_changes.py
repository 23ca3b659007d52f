"""A program that changes a store, for tests that kill it or let its system calls fail.

    python -m tests.administration.store_changes PATH

It prints a line when the store is open, then makes the changes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from psremoting.administration.configurations import (
    AdministrationError,
    EngineKind,
    SessionConfiguration,
)
from psremoting.administration.store import Store


def configuration(name: str, ps_version: str = "") -> SessionConfiguration:
    return SessionConfiguration(
        name=name, kind=EngineKind.FUNCTIONS, source="m:f", ps_version=ps_version
    )


def changes(store: Store) -> None:
    """Make one change of several tables; it is whole or not there."""
    with store.changing(who="root", action="test", target="One"):
        store.put_configuration(configuration("One", "2.0"))
        store.put_configuration(configuration("Two"))
        store.set_members("group", ("carol",))
        store.set_setting("MaxShells", "7")


def fingerprint(store: Store) -> tuple[object, ...]:
    """Return what `changes` changes."""
    return (
        store.configurations(),
        store.groups(),
        store.settings().get("MaxShells"),
        [each.action for each in store.audit_trail()],
    )


def main() -> None:
    try:
        with Store.open(Path(sys.argv[1]), create=True) as store:
            print("open", flush=True)
            changes(store)
    except AdministrationError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
