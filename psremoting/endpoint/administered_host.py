"""The session configurations of a store as a host of the WS-Man service.

Each new shell is decided by what the store says at that moment: the configuration, who may use
it, its quotas. Running sessions are not affected by later changes. facts.md 6.6
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from psremoting.administration.configurations import (
    AdministrationError,
    ConnectedUser,
    SessionConfiguration,
    SessionRecord,
)
from psremoting.administration.identities import configuration_for, connected_user
from psremoting.administration.permissions import may_connect
from psremoting.administration.store import Store
from psremoting.endpoint.administered_sessions import SessionBook
from psremoting.endpoint.configured_engine import engine_for
from psremoting.endpoint.observed_session import ObservedSession
from psremoting.endpoint.received_sizes import ReceivedSizes
from psremoting.endpoint.sender import Sender
from psremoting.endpoint.wsman_host import WSManHost, unknown_configuration
from wsman.faults import make_fault
from wsman.hosting import Refusal

if TYPE_CHECKING:
    from psremoting.endpoint.engine import Engine, Link, Session
    from wsman.hosting import ShellLink, ShellRequest

__all__ = ["AdministeredHost", "SSHEngine"]

_ACCESS_DENIED = "Access is denied."
_SESSIONS_OF_USER, _USERS, _SESSIONS = 0x803381E4, 0x803381E5, 0x803381E6
_TEXTS = {
    _SESSIONS_OF_USER: "The maximum number of concurrent shells for this user has been exceeded. "
    "Close existing shells or raise the quota for this user.",
    _USERS: "The maximum number of concurrent users has been exceeded. Close existing shells of "
    "other users or raise the quota of the session configuration.",
    _SESSIONS: "The maximum number of concurrent shells has been exceeded. Close existing shells "
    "or raise the quota of the session configuration.",
}
_CANNOT = "The WS-Management service cannot process the request. "


class AdministeredHost(WSManHost):
    """Opens sessions of the configurations in ``store``, and enters them into ``book``."""

    def __init__(
        self,
        store: Store,
        book: SessionBook,
        *,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__({}, report=report)
        self._store = store
        self._book = book

    def engine(self, name: str, request: ShellRequest, link: ShellLink) -> Engine:
        try:
            user = connected_user(
                self._store,
                request.owner,
                address=request.client_address,
                interactive=request.interactive,
            )
            configuration = configuration_for(self._store, name)
            if configuration is None:
                self._book.audit(user.name, user.address, "session refused", name, "unknown")
                raise unknown_configuration(request.resource_uri)
            if not may_connect(configuration, user.sids):
                self._book.audit(
                    user.name, user.address, "session refused", configuration.name, "access denied"
                )
                raise Refusal(make_fault("AccessDenied", _ACCESS_DENIED))
            check_quotas(configuration, user, self._book)
            engine = engine_for(configuration, user, reconnects=True)
        except AdministrationError as error:
            self._book.audit(request.owner, request.client_address, "session refused", name,
                             str(error))  # fmt: skip
            self._report(str(error))
            text = "The session configuration cannot be used; the server's log has the reason."
            raise Refusal(make_fault("InternalError", text)) from None
        self._limit(configuration, request, link)
        self._book.opened(_record(configuration, request, link))
        return engine

    @staticmethod
    def _limit(configuration: SessionConfiguration, request: ShellRequest, link: ShellLink) -> None:
        option = configuration.transport_option
        if option.idle_timeout is not None and request.idle_timeout is None:
            link.idle_timeout = float(option.idle_timeout)
        if option.max_idle_timeout is not None:
            link.idle_timeout = min(link.idle_timeout, float(option.max_idle_timeout))
        if option.max_concurrent_commands_per_session is not None:
            link.max_commands = option.max_concurrent_commands_per_session

    def observed(self, session: Session, request: ShellRequest, link: ShellLink) -> Session:
        name = request.resource_uri.rpartition("/")[2]

        def started(text: str) -> None:
            self._book.audit(request.owner, request.client_address, "command", name, text)

        return ObservedSession(
            session, on_command=started, sizes=self._sizes(name), on_excess=link.fail
        )

    def _sizes(self, name: str) -> ReceivedSizes | None:
        configuration = configuration_for(self._store, name)
        return None if configuration is None else received_sizes(configuration)

    def session_ended(self, request: ShellRequest) -> None:
        self._book.ended(request.shell_id.upper())


def received_sizes(configuration: SessionConfiguration) -> ReceivedSizes | None:
    """Return the counter for the limits of a configuration, or None without limits."""
    data = configuration.max_received_data_size_mb
    item = configuration.max_received_object_size_mb
    if data is None and item is None:
        return None
    return ReceivedSizes(
        per_command=None if data is None else int(data * 1_048_576),
        per_object=None if item is None else int(item * 1_048_576),
    )


def check_quotas(
    configuration: SessionConfiguration, user: ConnectedUser, book: SessionBook
) -> None:
    """Refuse a session beyond the quotas of its configuration. Raises Refusal."""
    option = configuration.transport_option
    same = [each for each in book.sessions if each.configuration == configuration.name]
    owners = {each.owner for each in same}
    own = sum(each.owner == user.name for each in same)
    code = 0
    if option.max_sessions_per_user is not None and own >= option.max_sessions_per_user:
        code = _SESSIONS_OF_USER
    elif option.max_sessions is not None and len(same) >= option.max_sessions:
        code = _SESSIONS
    elif option.max_concurrent_users is not None and user.name not in owners:
        code = _USERS if len(owners) >= option.max_concurrent_users else 0
    if code:
        book.audit(user.name, user.address, "session refused", configuration.name, _TEXTS[code])
        raise Refusal(make_fault("QuotaLimit", _CANNOT + _TEXTS[code], wsman_code=code))


def _record(
    configuration: SessionConfiguration, request: ShellRequest, link: ShellLink
) -> SessionRecord:
    now = time.time()
    return SessionRecord(
        id=request.shell_id.upper(),
        owner=request.owner,
        address=request.client_address,
        configuration=configuration.name,
        transport="WSMan",
        name=request.name,
        started=now,
        active=now,
        idle_timeout=link.idle_timeout,
    )


class _SentLink:
    """Link of a carrier whose client is known. It is a `psremoting.endpoint.engine.Link`."""

    def __init__(self, link: Link, sender: Sender) -> None:
        self.sender = sender
        self.wake = link.wake
        self.report = link.report
        self.act_failed = link.act_failed
        self.fail = link.fail


class SSHEngine:
    """The engine of one client that came through sshd. It is a `psremoting.endpoint.engine.Engine`.

    ``name`` is the configuration that the client's subsystem asks for; ``on_open`` gets the id of
    the session.
    """

    def __init__(
        self,
        store: Store,
        book: SessionBook,
        *,
        user_name: str,
        address: str,
        name: str,
        on_open: Callable[[str], None] = lambda id: None,
    ) -> None:
        self._store = store
        self._book = book
        self._user_name = user_name
        self._address = address
        self._name = name
        self._on_open = on_open

    def open(self, link: Link) -> Session:
        try:
            engine, configuration = self._engine()
        except Refusal as refusal:
            return _refused(str(refusal), link)
        except AdministrationError as error:
            self._book.audit(self._user_name, self._address, "session refused", self._name,
                             str(error))  # fmt: skip
            return _refused("The session configuration cannot be used.", link)
        id = str(uuid4()).upper()
        now = time.time()
        sender = Sender(
            user_name=self._user_name,
            authentication_type="SSH",
            configuration_name=configuration.name,
            address=self._address,
        )
        session = engine.open(_SentLink(link, sender))
        self._book.opened(
            SessionRecord(
                id=id, owner=self._user_name, address=self._address,
                configuration=configuration.name, transport="SSH", started=now, active=now,
            )
        )  # fmt: skip

        def ended() -> None:
            self._book.ended(id)

        def started(text: str) -> None:
            self._book.audit(self._user_name, self._address, "command", configuration.name, text)

        self._on_open(id)
        return ObservedSession(
            session, on_command=started, on_end=ended, sizes=received_sizes(configuration),
            on_excess=link.fail,
        )  # fmt: skip

    def _engine(self) -> tuple[Engine, SessionConfiguration]:
        user = connected_user(self._store, self._user_name, address=self._address)
        configuration = configuration_for(self._store, self._name)
        if configuration is None or not may_connect(configuration, user.sids):
            reason = "unknown" if configuration is None else "access denied"
            self._book.audit(user.name, user.address, "session refused", self._name, reason)
            raise Refusal(make_fault("AccessDenied", _ACCESS_DENIED))
        check_quotas(configuration, user, self._book)
        return engine_for(configuration, user), configuration


def _refused(reason: str, link: Link) -> Session:
    """Return a session that refuses its client with ``reason``."""
    from psremoting.endpoint.functions import FunctionsEngine

    return FunctionsEngine({}, refusal=reason).open(link)
