"""The service of an endpoint, without I/O: envelopes of authenticated users in, answers out.

`Service.receive` takes a request under a ticket, `take_answers` returns the answers that are ready,
`advance` handles the time. The time is an argument, ids are passed in, and the work of the shells
is in `wsman.hosting` sessions. Users have access to their own shells only; to them, the shells of
other users do not exist. [MS-WSMV] 3.1.4
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID

from psrp.sansio import LimitExceeded, RemoteProtocolError
from wsman import faults, names, operations, queries, soap
from wsman import shell_values as v
from wsman.enumerations import Enumerations
from wsman.envelopes import Headers, payload_room
from wsman.faults import make_fault
from wsman.hosting import QUOTA_OPERATIONS, Host, Refusal, ShellRequest, too_many_commands
from wsman.powershell_work import PowerShellWork
from wsman.program_work import ProgramWork
from wsman.served_shell import Exchange, ServedShell
from wsman.service_calls import Answer, Call, Incoming
from wsman.service_checks import (
    CHUNKED,
    ServiceLimits,
    check_headers,
    check_idle_timeout,
    check_selectors,
    digest_of,
    envelope_limit,
    identify,
    timeout_of,
    unreadable,
)

__all__ = ["Service"]

_OVERHEAD = 2048
"""Bytes of an answer without its streams: headers, ids and namespaces."""
_ALREADY_EXISTS = 183
_SHUTTING_DOWN = 1115
_QUOTA_SYSTEM = 0x803381A8
_QUOTA_USERS = 0x803381AB
_LIMITS = ServiceLimits()


class Service:
    """All shells of one endpoint.

    ``new_id`` makes ids; ``on_wake`` is called if `advance` is due before `next_deadline`.
    ``version`` is the version that Identify reports.
    """

    def __init__(
        self,
        host: Host,
        *,
        limits: ServiceLimits = _LIMITS,
        new_id: Callable[[], UUID],
        on_wake: Callable[[], None] = lambda: None,
        version: str = "",
    ) -> None:
        self._host = host
        self._limits = limits
        self._new_id = new_id
        self._on_wake = on_wake
        self._version = version
        self._shells: dict[tuple[str, str], ServedShell] = {}
        self._tickets: dict[int, ServedShell] = {}
        self._operations: Counter[str] = Counter()
        self._dirty: dict[ServedShell, None] = {}
        self._deadlines: list[tuple[float, int, ServedShell]] = []
        self._turns = count()
        self._answers: list[Answer] = []
        self._enumerations = Enumerations(limits)
        self.draining = False
        """True if new shells are refused, because the service is about to end."""

    def __repr__(self) -> str:
        return f"<Service: {len(self._shells)} shells>"

    @property
    def shells(self) -> tuple[ServedShell, ...]:
        return tuple(self._shells.values())

    # -- the driver's side

    def receive(self, incoming: Incoming, now: float) -> None:
        """Take a request; `take_answers` returns its answer, at once or later."""
        encoding = "utf-16" if incoming.data[:2] in _UTF_16 else "utf-8"
        exchange = Exchange(ticket=incoming.ticket, user=incoming.user, encoding=encoding)
        try:
            envelope = soap.parse(incoming.data, max_size=self._limits.max_envelope_size)
        except LimitExceeded:
            self._answers.append(
                Answer(ticket=incoming.ticket, status=413, data=b"", encoding=encoding)
            )
            return
        except RemoteProtocolError as error:
            self._answer(exchange, make_fault("SchemaValidationError", str(error)))
            return
        exchange = replace(
            exchange,
            message_id=envelope.message_id[:2048],
            digest=digest_of(incoming.data),
            session_id=envelope.session_id,
        )
        try:
            self._handle(incoming, envelope, exchange, now)
        except Refusal as refusal:
            self._answer(exchange, refusal.fault)
        except soap.SoapError as error:
            self._answer(exchange, make_fault("SchemaValidationError", str(error)))

    def take_answers(self) -> list[Answer]:
        """Return the answers that are ready, in order, and remove them."""
        answers, self._answers = self._answers, []
        return answers

    def next_deadline(self) -> float | None:
        """Return the time of the next `advance`, or None."""
        while self._deadlines:
            at, _, shell = self._deadlines[0]
            if not shell.over and at == shell.scheduled:
                actual = shell.next_deadline()
                if actual <= at:
                    return at
                heapq.heappop(self._deadlines)
                self._schedule(shell)
            else:
                heapq.heappop(self._deadlines)
        return None

    def _schedule(self, shell: ServedShell) -> None:
        at = shell.next_deadline()
        shell.scheduled = at
        heapq.heappush(self._deadlines, (at, next(self._turns), shell))

    def advance(self, now: float) -> None:
        """Answer the requests that are ready or have timed out, and end idle shells."""
        due = self._dirty
        self._dirty = {}
        while (at := self.next_deadline()) is not None and at <= now:
            shell = heapq.heappop(self._deadlines)[2]
            shell.scheduled = None
            due[shell] = None
        for shell in due:
            try:
                if not shell.over:
                    shell.advance(now)
            except Exception:
                # An error of our own in a shell's work ends that shell only.
                shell.over = True
                raise
            finally:
                self._settle(shell)

    def _settle(self, shell: ServedShell) -> None:
        """Remove a shell that is over; schedule the next `advance` of others."""
        if shell.over:
            key = (shell.request.owner, shell.request.shell_id.upper())
            if self._shells.get(key) is shell:
                del self._shells[key]
        elif shell.scheduled is None or shell.next_deadline() < shell.scheduled:
            self._schedule(shell)

    def client_gone(self, ticket: int, now: float) -> None:
        """Handle the end of a request's connection before its answer was completely written."""
        if (shell := self._end_ticket(ticket)) is not None:
            shell.client_gone(ticket, now)
            self._settle(shell)

    def answered(self, ticket: int) -> None:
        """Record that the answer to a ticket was completely written; it may allow others."""
        if (shell := self._end_ticket(ticket)) is not None:
            shell.answered(ticket)

    def _end_ticket(self, ticket: int) -> ServedShell | None:
        shell = self._tickets.pop(ticket, None)
        if shell is not None:
            owner = shell.request.owner
            self._operations[owner] -= 1
            if not self._operations[owner]:
                del self._operations[owner]
        return shell

    def end(self, text: str = "The service is shutting down.") -> None:
        """End every shell; waiting requests are answered."""
        for shell in self.shells:
            shell.end(text)
        self._shells.clear()

    # -- the administrator's side

    def end_shell(self, shell_id: str, text: str) -> bool:
        """End the shell with this id, whoever owns it; return False if there is none."""
        found = self._of_id(shell_id)
        for shell in found:
            shell.end(text)
            self._settle(shell)
        return bool(found)

    def disconnect_shell(self, shell_id: str, now: float) -> bool:
        """Disconnect the client of a shell; return False if there is no such shell."""
        found = self._of_id(shell_id)
        for shell in found:
            shell.disconnect(v.Disconnect(), now)
            self._woken(shell)
        return bool(found)

    def _of_id(self, shell_id: str) -> list[ServedShell]:
        """Return the shells with this id, whoever owns them; the id is in upper case."""
        return [shell for shell in self.shells if shell.request.shell_id.upper() == shell_id]

    # -- one request

    def _handle(
        self, incoming: Incoming, envelope: soap.Envelope, exchange: Exchange, now: float
    ) -> None:
        if envelope.operation == "Identify":
            self._answer(exchange, identify(self._version))
            return
        check_headers(envelope)
        check_selectors(envelope)
        if incoming.chunked:
            text = "The request uses chunked transfer encoding, which is not supported."
            raise Refusal(make_fault("InternalError", text, wsman_code=CHUNKED))
        size = envelope_limit(envelope, self._limits)
        exchange = replace(
            exchange,
            room=payload_room(size // (2 if exchange.encoding == "utf-16" else 1), _OVERHEAD),
            timeout=timeout_of(envelope, self._limits),
        )
        try:
            value = operations.read(envelope)
        except soap.SoapError as error:
            raise unreadable(error) from None
        act = _OPERATIONS.get(type(value))
        if act is None:
            raise Refusal(make_fault("ActionNotSupported"))
        call = Call(incoming=incoming, envelope=envelope, exchange=exchange, now=now)
        act(self, call, value)

    def _answer(self, exchange: Exchange, value: object) -> None:
        headers = Headers(
            to=names.ANONYMOUS,
            message_id=f"uuid:{str(self._new_id()).upper()}",
            relates_to=exchange.message_id,
        )
        data = operations.write(headers, value, encoding=exchange.encoding)
        status = 500 if isinstance(value, faults.Fault) else 200
        self._answers.append(
            Answer(ticket=exchange.ticket, status=status, data=data, encoding=exchange.encoding)
        )

    def _woken(self, shell: ServedShell) -> None:
        self._dirty[shell] = None
        self._on_wake()

    def _find(self, call: Call) -> ServedShell:
        """Return the user's shell that the request addresses. Raises Refusal."""
        shell = self._shells.get((call.user, call.envelope.selector("ShellId").upper()))
        if shell is None or shell.over:
            raise Refusal(make_fault("InvalidSelectors"))
        if shell.request.interactive and not call.incoming.interactive:
            # An interactive session belongs to this machine: others cannot take it over.
            raise Refusal(make_fault("AccessDenied"))
        shell.touch(call.now)
        return shell

    # -- shells

    def _create(self, call: Call, value: v.Create) -> None:
        envelope, exchange = call.envelope, call.exchange
        if self.draining:
            text = "A system shutdown is in progress."
            raise Refusal(make_fault("InternalError", text, wsman_code=_SHUTTING_DOWN))
        if _is_powershell(envelope.resource_uri):
            PowerShellWork.check(value, envelope)
        shell_id = self._new_shell_id(value.shell_id, exchange)
        if shell_id is None:
            return
        self._check_quotas(call.user)
        request = ShellRequest(
            shell_id=shell_id,
            owner=call.user,
            resource_uri=envelope.resource_uri,
            name=value.name,
            client_address=call.incoming.address,
            authentication=call.incoming.authentication,
            to=envelope.to,
            options=envelope.options,
            locale=envelope.locale,
            data_locale=envelope.data_locale,
            environment=value.environment,
            working_directory=value.working_directory,
            interactive=call.incoming.interactive,
            idle_timeout=value.idle_timeout,
        )
        shell = self._opened(request, call, value)
        self._shells[call.user, shell_id.upper()] = shell
        if shell.failed is not None:
            shell.end(shell.failed)
            self._settle(shell)
            raise Refusal(make_fault("InternalError", shell.failed))
        created = v.CreateResponse(
            address=envelope.to,
            resource_uri=envelope.resource_uri,
            selectors=((v.SHELL_SELECTOR, shell_id),),
            shell=shell.info(call.now),
        )
        self._answer(exchange, shell.remember(exchange, created))
        self._settle(shell)

    def _new_shell_id(self, asked: str, exchange: Exchange) -> str | None:
        """Return the id of the new shell, or None if a repeated Create was answered again."""
        if not asked:
            return str(self._new_id()).upper()
        try:
            UUID(asked)
        except ValueError:
            text = f"Expected a GUID as ShellId, got {asked[:40]}."
            raise Refusal(make_fault("InvalidParameter", text)) from None
        there = self._shells.get((exchange.user, asked.upper()))
        if there is None:
            return asked
        if (before := there.repeated(exchange)) is not None:
            self._answer(exchange, before)
            return None
        text = "A shell with this ShellId exists already."
        raise Refusal(make_fault("InvalidParameter", text, wsman_code=_ALREADY_EXISTS))

    def _opened(self, request: ShellRequest, call: Call, value: v.Create) -> ServedShell:
        compressed = call.envelope.compression.lower() == "xpress"
        work: PowerShellWork | ProgramWork
        if _is_powershell(request.resource_uri):
            work = PowerShellWork(compressed=compressed)
        else:
            work = ProgramWork()
        limits = self._limits
        asked = value.idle_timeout if value.idle_timeout is not None else limits.idle_timeout
        shell = ServedShell(
            request,
            work,
            answer=self._answer,
            woken=self._woken,
            idle_timeout=min(max(asked, limits.min_idle_timeout), limits.max_idle_timeout),
            session_id=call.envelope.session_id,
            gather_time=limits.gather_time,
            now=call.now,
        )
        shell.compressed = compressed
        work.begin(self._host.open(request, shell), value)
        return shell

    def _check_quotas(self, user: str) -> None:
        owners = [owner for owner, _ in self._shells]
        limits = self._limits
        if owners.count(user) >= limits.max_shells_per_user:
            raise Refusal(make_fault("QuotaLimit"))
        if len(owners) >= limits.max_shells:
            text = "The maximum number of concurrent shells of this service has been exceeded."
            raise Refusal(make_fault("QuotaLimit", text, wsman_code=_QUOTA_SYSTEM))
        if user not in owners and len(set(owners)) >= limits.max_users:
            text = "The maximum number of concurrent users has been exceeded."
            raise Refusal(make_fault("QuotaLimit", text, wsman_code=_QUOTA_USERS))

    def _delete(self, call: Call, _: v.Delete) -> None:
        shell = self._find(call)
        shell.delete()
        self._settle(shell)
        self._answer(call.exchange, v.DeleteResponse())

    def _shell_request(self, call: Call, value: Any) -> None:
        """Handle Command, Send, Receive, Signal, Disconnect, Reconnect and Connect."""
        shell, exchange = self._find(call), call.exchange
        if (before := shell.repeated(exchange)) is not None:
            self._answer(exchange, before)
            return
        if isinstance(value, v.Receive | v.Send | v.Signal):
            self._admit(shell, exchange)
        if isinstance(value, v.Receive):
            shell.receive(value, exchange, call.now)
        elif isinstance(value, v.Send):
            shell.send(value, exchange, call.now)
        elif isinstance(value, v.Signal):
            shell.signal(value, exchange, call.now)
        else:
            self._answer(exchange, self._at_once(shell, value, call))
        self._settle(shell)

    def _admit(self, shell: ServedShell, exchange: Exchange) -> None:
        """Count a request that may wait for its answer. Raises Refusal."""
        if self._operations[exchange.user] >= self._limits.max_operations_per_user:
            text = "The maximum number of concurrent operations for this user has been exceeded."
            raise Refusal(make_fault("QuotaLimit", text, wsman_code=QUOTA_OPERATIONS))
        self._operations[exchange.user] += 1
        self._tickets[exchange.ticket] = shell

    def _at_once(self, shell: ServedShell, value: object, call: Call) -> object:
        """Return the answer to a request that is answered at once. Raises Refusal."""
        exchange = call.exchange
        if isinstance(value, v.Command):
            shell.check()
            if shell.work.running >= shell.max_commands:
                raise too_many_commands(shell.max_commands)
            command_id = value.command_id or str(self._new_id()).upper()
            shell.work.command(value, command_id)
            return shell.remember(exchange, v.CommandResponse(command_id=command_id))
        if isinstance(value, v.Disconnect):
            check_idle_timeout(value.idle_timeout, self._limits)
            shell.disconnect(value, call.now)
            return shell.remember(exchange, v.DisconnectResponse())
        if isinstance(value, v.Reconnect):
            if not value.command_id:
                shell.reconnect(exchange)
            elif not shell.work.knows(value.command_id):
                raise Refusal(make_fault("InvalidSelectors"))
            return v.ReconnectResponse()
        if isinstance(value, v.Connect):
            return shell.remember(exchange, shell.connect(value, exchange))
        raise Refusal(make_fault("ActionNotSupported"))

    # -- queries about shells

    def _get(self, call: Call, _: queries.Get) -> None:
        shell = self._find(call)
        self._answer(call.exchange, queries.GetResponse(shell=shell.info(call.now)))

    def _enumerate(self, call: Call, value: queries.Enumerate) -> None:
        resource = call.envelope.resource_uri.lower()
        if resource == names.RESOURCE_SHELL.lower():
            items: list[Any] = [
                shell.info(call.now)
                for (owner, _), shell in self._shells.items()
                if owner == call.user
            ]
        elif resource == names.RESOURCE_COMMAND.lower():
            items = self._commands_of(call.user, value)
        else:
            raise Refusal(make_fault("ActionNotSupported"))
        context = str(self._new_id()).upper()
        self._answer(
            call.exchange, self._enumerations.begin(call.user, context, items, value, call.now)
        )

    def _commands_of(self, user: str, value: queries.Enumerate) -> list[Any]:
        filtered = {name.lower(): text for name, text in value.selectors}
        shell = self._shells.get((user, filtered.get("shellid", "").upper()))
        if shell is None:
            raise Refusal(make_fault("InvalidSelectors"))
        return [
            queries.CommandInfo(shell_id=shell.request.shell_id, command_id=each, state=shell.state)
            for each in shell.work.command_ids
        ]

    def _pull(self, call: Call, value: queries.Pull) -> None:
        self._answer(call.exchange, self._enumerations.pull(call.user, value, call.now))

    def _release(self, call: Call, value: queries.Release) -> None:
        self._enumerations.release(call.user, value, call.now)
        self._answer(call.exchange, queries.ReleaseResponse())


_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_OPERATIONS: dict[type, Callable[[Service, Call, Any], None]] = {
    v.Create: Service._create,
    v.Delete: Service._delete,
    queries.Get: Service._get,
    queries.Enumerate: Service._enumerate,
    queries.Pull: Service._pull,
    queries.Release: Service._release,
    **dict.fromkeys(
        (v.Command, v.Send, v.Receive, v.Signal, v.Disconnect, v.Reconnect, v.Connect),
        Service._shell_request,
    ),
}


def _is_powershell(resource_uri: str) -> bool:
    return resource_uri.lower().startswith(names.POWERSHELL_PREFIX)
