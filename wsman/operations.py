"""The operations of WS-Management in one table: names, actions, values and codecs.

`write` turns headers and a value into an envelope; `read` turns an envelope into a value. Both
roles use both. The values are in `wsman.shell_values`, `wsman.queries` and `wsman.faults`.

[MS-WSMV] 3.1.4
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psrp.frozen import dataclass
from psrp.sansio import LocalProtocolError
from wsman import faults, names, queries, shell_codecs, soap
from wsman.envelopes import envelope_overhead, write_envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsman.envelopes import Body, Headers

__all__ = ["Acknowledge", "Cancel", "End", "KeepAlive", "action_of", "overhead", "read", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """The server is still processing the request; the real response follows.

    Windows sends it as a part of one chunked response when the request has an OperationID.
    [MS-WSMV] 3.1.4.1.39
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """The peer has received the responses up to the SequenceId of the headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancel the operation of the OperationID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The last envelope of an operation."""


_Row = tuple[type, "Callable[[Body, Any], None]", "Callable[[soap.Envelope], Any]"]


def _nothing(_body: Body, _value: object) -> None:
    pass


_TABLE: tuple[_Row, ...] = (
    *shell_codecs.CODECS,
    *queries.CODECS,
    (soap.Fault, faults.write_fault, soap.read_fault),
    *((kind, _nothing, lambda _, kind=kind: kind()) for kind in (KeepAlive, Acknowledge, Cancel,
                                                                End)),
)  # fmt: skip
_WRITERS = {kind: write for kind, write, _ in _TABLE}
_READERS = {kind.__name__: read for kind, _, read in _TABLE}


def action_of(kind: type) -> str:
    """Return the action URI of an operation's class; empty for Identify and its response."""
    return names.ACTION_URIS.get(kind.__name__, "")


def write(headers: Headers, value: object, *, encoding: str = "utf-8") -> bytes:
    """Return the envelope of one operation.

    ``headers.action`` takes precedence over the action of the value's class. ``encoding``
    is ``utf-8`` or ``utf-16``. Raises LocalProtocolError for a value that is not an operation, and
    for text that XML cannot hold.
    """
    fill = _WRITERS.get(type(value))
    if fill is None:
        raise LocalProtocolError(f"expected an operation, got {type(value).__name__}")
    action = faults.fault_action(value) if isinstance(value, soap.Fault) else ""
    return write_envelope(
        headers,
        lambda body: fill(body, value),
        action=headers.action or action or action_of(type(value)),
        encoding=encoding,
    )


def overhead(headers: Headers, value: object) -> int:
    """Return the size of an envelope in bytes, without the base64 of its streams."""
    fill = _WRITERS[type(value)]
    return envelope_overhead(headers, lambda body: fill(body, value), action=action_of(type(value)))


def read(envelope: soap.Envelope) -> Any:
    """Return the value of an envelope. Raises SoapError.

    A fault is a `soap.Fault`, whatever its action. A request without an action is recognized by its
    body; only Identify has none.
    """
    fault = soap.read_fault(envelope)
    if fault is not None:
        return fault
    reader = _READERS.get(envelope.operation)
    if reader is None or envelope.operation == "Fault":
        raise soap.SoapError(f"unknown operation {envelope.operation[:80]!r}", "Action")
    return reader(envelope)
