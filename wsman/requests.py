"""The client's requests: the headers of a shell, message ids, and the reading of answers.

[MS-WSMV] 3.1.4.1 and 3.1.4.5.2: after Create, all later requests use the reference that the server
returned; SessionId, locale and encoding do not change for the life of a shell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psrp.frozen import dataclass
from psrp.sansio import RemoteProtocolError
from wsman import faults, names, operations, soap
from wsman import shell_values as v
from wsman.envelopes import Headers, payload_room
from wsman.errors import HTTP_ERROR, TransportFailure, WSManFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

__all__ = ["Request", "Requests", "ShellConfig"]

SMALL_ENVELOPE = 150 << 10
"""MaxEnvelopeSize until the server's version is known: the limit of WinRM 2."""
LARGE_ENVELOPE = 500 << 10
"""MaxEnvelopeSize of WinRM 3 and later."""
LATE = 30.0
"""Seconds that an answer may take beyond the OperationTimeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellConfig:
    """The settings for the envelopes of one shell. Times are seconds."""

    url: str
    """The wsa:To of the requests."""
    resource_uri: str = names.POWERSHELL_PREFIX + "Microsoft.PowerShell"
    shell_id: str = ""
    """The ShellId to propose or to connect to, in upper case; empty: the server chooses it."""
    session_id: str = ""
    """A GUID in upper case, constant for the client process; empty for none."""
    name: str = ""
    protocol_version: str = "2.3"
    operation_timeout: float = 180.0
    max_envelope_size: int = SMALL_ENVELOPE
    locale: str = "en-US"
    data_locale: str = "en-US"
    idle_timeout: float | None = None
    buffer_mode: str = ""
    """``Block``, ``Drop`` or empty; sent with Disconnect, Reconnect and Connect."""
    compress: bool = False
    """Request xpress compression."""
    pack_input: bool = False
    """Compress sent data if that makes it smaller. Off by default, because PowerShell's provider on
    Linux loses the session over compressed input; every server reads stored blocks."""
    utf_16: bool = False
    no_profile: bool = False
    retries: int = 5
    """MaxConnectionRetryCount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request to make: a POST of ``body``."""

    number: int
    operation: str
    """``Create``, ``Receive`` ..."""
    target: UUID | None
    """The command that the request is for, or None for the shell."""
    body: bytes
    message_id: str
    timeout: float
    """Seconds after which an answer is no longer expected."""
    content_type: str = "application/soap+xml;charset=UTF-8"

    @property
    def polls(self) -> bool:
        """True if the answer may take as long as the OperationTimeout: use its own connection."""
        return self.operation in ("Receive", "Send")


class Requests:
    """Makes the requests of one shell and reads the answers."""

    def __init__(self, config: ShellConfig, new_id: Callable[[], UUID]) -> None:
        self.config = config
        self.max_envelope_size = config.max_envelope_size
        self.resource_uri = config.resource_uri
        self.selectors: tuple[tuple[str, str], ...] = (
            ((v.SHELL_SELECTOR, config.shell_id),) if config.shell_id else ()
        )
        self._new_id = new_id
        self._numbers = 0
        self._room: tuple[int, int] = (0, 0)

    def make(
        self,
        value: object,
        *,
        target: UUID | None = None,
        options: tuple[soap.Option, ...] = (),
        **headers: Any,
    ) -> Request:
        """Make the request of one operation; ``headers`` replace those of the shell."""
        self._numbers += 1
        message_id = f"uuid:{str(self._new_id()).upper()}"
        written = operations.write(
            self._headers(value, message_id, options, headers),
            value,
            encoding="utf-16" if self.config.utf_16 else "utf-8",
        )
        charset = "UTF-16" if self.config.utf_16 else "UTF-8"
        return Request(
            number=self._numbers,
            operation=type(value).__name__,
            target=target,
            body=written,
            message_id=message_id,
            timeout=self.config.operation_timeout + LATE,
            content_type=f"application/soap+xml;charset={charset}",
        )

    def again(self, request: Request) -> Request:
        """Return the request again, with the same envelope.

        A server that knows its MessageID repeats its answer instead of acting again.
        """
        self._numbers += 1
        return replace(request, number=self._numbers)

    def _headers(
        self,
        value: object,
        message_id: str,
        options: tuple[soap.Option, ...],
        changes: dict[str, Any],
    ) -> Headers:
        config = self.config
        fields: dict[str, Any] = {
            "to": config.url,
            "reply_to": names.ANONYMOUS,
            "message_id": message_id,
            "resource_uri": self.resource_uri,
            "max_envelope_size": self.max_envelope_size,
            "operation_timeout": config.operation_timeout,
            "locale": config.locale,
            "data_locale": config.data_locale,
            "session_id": f"uuid:{config.session_id}" if config.session_id else "",
            "selectors": () if isinstance(value, v.Create) else self.selectors,
            "options": options,
        }
        if isinstance(value, v.Create) and config.compress:
            fields["compression"] = "xpress"
        return Headers(**(fields | changes))

    @property
    def room(self) -> int:
        """Return how many bytes of a stream fit into one envelope of any operation."""
        size, room = self._room
        if size != self.max_envelope_size:
            size = self.max_envelope_size
            largest = v.Create(
                shell_id="0" * 36, name=self.config.name, idle_timeout=1.0, creation_xml=b""
            )
            option = soap.Option(name="protocolversion", value="0.0", must_comply=True)
            headers = self._headers(largest, "0" * 41, (option,) * 2, {"selectors": ()})
            command = operations.overhead(
                self._headers(v.Delete(), "0" * 41, (), {}), v.Command(command_id="0" * 36)
            )
            taken = max(operations.overhead(headers, largest), command)
            room = payload_room(size // (2 if self.config.utf_16 else 1), taken)
            if self.config.compress:
                room -= 4 * (room // (1 << 16) + 1)
            self._room = size, room
        return room

    def read(self, request: Request, status: int, bodies: Sequence[bytes]) -> Any:
        """Return the value of an answer.

        ``bodies`` are the envelopes of one HTTP response, which may be several from Windows.
        Raises WSManFault or TransportFailure.
        """
        envelope = None
        for body in bodies:
            if not body.strip(b"\0 \t\r\n"):
                continue
            try:
                found = soap.parse(body)
            except RemoteProtocolError as error:
                raise _unreadable(status, str(error)) from error
            if found.operation != "KeepAlive":
                envelope = found
        if envelope is None:
            raise (
                TransportFailure.of_status(status)
                if status >= 300
                else _unreadable(status, "the answer is empty")
            )
        if envelope.relates_to and envelope.relates_to.lower() != request.message_id.lower():
            raise _unreadable(status, "the answer relates to another request")
        try:
            value = operations.read(envelope)
        except RemoteProtocolError as error:
            raise _unreadable(status, str(error)) from error
        if isinstance(value, faults.Fault):
            raise WSManFault(value)
        if type(value).__name__ != request.operation + "Response":
            text = f"expected {request.operation}Response, got {type(value).__name__}"
            raise _unreadable(status, text)
        return value


def _unreadable(status: int, text: str) -> TransportFailure:
    if status >= 300:
        failure = TransportFailure.of_status(status)
        return TransportFailure(
            failure.message, code=failure.code, sent=failure.sent, status=status
        )
    text = f"cannot use the server's answer: {text}"
    return TransportFailure(text, code=HTTP_ERROR, sent=True, partial=True, status=status)
