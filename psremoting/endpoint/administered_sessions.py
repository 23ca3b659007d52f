"""The sessions of an administered endpoint, in the store: who is connected, and what was asked.

A server enters its sessions into the store, reads the requests of administrators from it, and
writes the audit trail. The store is used in worker threads, so a slow disk delays no session.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import trio

from psremoting.administration.configurations import (
    AdministrationError,
    AuditRecord,
    SessionRecord,
)
from psremoting.administration.store import Store

__all__ = ["SessionBook"]

_ROUND = 0.5
"""Seconds between two looks at the store."""
_REFRESH = 15.0
"""Seconds between two records of the last activity of a session."""
_MOST_WAITING = 10_000
"""Audit records that wait to be written; beyond that the oldest are dropped, and counted."""

Act = Callable[[str, str], bool]
"""Carries out a request for a session: its id and ``disconnect`` or ``remove``."""


class SessionBook:
    """The sessions of one server process and its audit trail.

    ``act`` carries out what administrators ask for; it returns False if it cannot. ``activity``
    returns the state of a session and the seconds since its last request, or None if it is over.
    """

    def __init__(
        self,
        store: Store,
        *,
        act: Act,
        activity: Callable[[str], tuple[str, float] | None] = lambda id: ("Connected", 0.0),
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._store = store
        self._act = act
        self._activity = activity
        self._report = report
        self._sessions: dict[str, SessionRecord] = {}
        self._written: dict[str, float] = {}
        self._audits: list[AuditRecord] = []
        self._dropped = 0
        self._work = trio.Event()
        self._failing = ""

    @property
    def sessions(self) -> tuple[SessionRecord, ...]:
        return tuple(self._sessions.values())

    # -- what happens; these return at once

    def opened(self, session: SessionRecord) -> None:
        """Enter a new session."""
        self._sessions[session.id] = replace(session, server=os.getpid())
        self.audit(
            session.owner, session.address, "session opened", session.configuration, session.id
        )

    def ended(self, id: str) -> None:
        """Remove a session that has ended."""
        session = self._sessions.pop(id, None)
        if session is not None:
            self.audit(
                session.owner, session.address, "session ended", session.configuration, session.id
            )

    def audit(
        self, who: str, address: str, action: str, target: str = "", detail: str = ""
    ) -> None:
        """Append to the audit trail."""
        self._audits.append(
            AuditRecord(
                time=time.time(), who=who, address=address, action=action, target=target,
                detail=detail,
            )
        )  # fmt: skip
        if len(self._audits) > _MOST_WAITING:
            del self._audits[0]
            self._dropped += 1
        self._work.set()

    # -- the store

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the store up to date until cancelled; then remove the sessions of this process."""
        await self._try(self._forget_dead)
        task_status.started()
        try:
            while True:
                with trio.move_on_after(_ROUND):
                    await self._work.wait()
                self._work = trio.Event()
                await self.flush()
                await self._try(self._take_requests)
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(5):
                self._sessions.clear()
                await self.flush()

    async def flush(self) -> None:
        """Write what has happened so far."""
        audits, dropped = tuple(self._audits), self._dropped
        due = [made for each in list(self._sessions.values()) if (made := self._current(each))]
        gone = self._written.keys() - self._sessions.keys()
        if audits or due or gone:
            await self._try(partial(self._write, audits, dropped, due, gone))

    async def _try(self, work: Callable[[], object]) -> None:
        """Use the store in a thread; report a failure once, and go on."""
        try:
            await trio.to_thread.run_sync(work)
            self._failing = ""
        except AdministrationError as error:
            if self._failing != str(error):
                self._failing = str(error)
                self._report(self._failing)
            # Not to try again and again in a tight loop.
            await trio.sleep(_ROUND)

    def _write(
        self,
        audits: tuple[AuditRecord, ...],
        dropped: int,
        due: list[SessionRecord],
        gone: set[str],
    ) -> None:
        with self._store.transaction():
            if dropped:
                text = f"{dropped} records were lost because the store could not be written"
                self._store.audit(
                    AuditRecord(time=time.time(), who="", action="audit", detail=text)
                )
            self._store.audit(*audits)
            for made in due:
                self._store.put_session(made)
            for id in gone:
                self._store.remove_session(id)
        # Later records were appended behind these.
        del self._audits[: len(audits)]
        self._dropped -= dropped
        for made in due:
            self._written[made.id] = made.active
        for id in gone:
            del self._written[id]

    def _current(self, session: SessionRecord) -> SessionRecord | None:
        """Return the session to write, or None if the store's record is good enough."""
        found = self._activity(session.id)
        if found is None:
            return None
        state, idle = found
        made = replace(session, state=state, active=time.time() - idle)
        changed = session.state != state or session.id not in self._written
        if not changed and made.active - self._written.get(session.id, -math.inf) < _REFRESH:
            return None
        self._sessions[session.id] = made
        return made

    def _take_requests(self) -> None:
        for session, action, who in self._store.take_requests(frozenset(self._sessions)):
            known = self._sessions.get(session)
            target = known.configuration if known is not None else ""
            trio.from_thread.run_sync(self._carry_out, session, action, who, target)

    def _carry_out(self, session: str, action: str, who: str, target: str) -> None:
        done = self._act(session, action)
        self.audit(who, "", f"session {action}" if done else f"session {action} failed", target,
                   session)  # fmt: skip

    def _forget_dead(self) -> None:
        """Remove the sessions of server processes that no longer exist."""
        for each in self._store.sessions():
            if not _is_alive(each.server):
                self._store.remove_session(each.id)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return process != os.getpid()
