"""The members of an act of WS-Man: what its envelope says besides its payload."""

from __future__ import annotations

from typing import Any

from wsman import names, soap

__all__ = ["describe"]


def describe(envelope: soap.Envelope, *, psrp: bool) -> dict[str, Any]:
    """Return the members of an envelope; of a PSRP shell without the arguments of its commands."""
    operation = envelope.operation
    data: dict[str, Any] = {}
    if envelope.shell_id:
        data["shell_id"] = envelope.shell_id
    if envelope.resource_uri and operation in ("Create", "Connect", "Enumerate", "Get"):
        data["resource_uri"] = envelope.resource_uri
    if envelope.options:
        data["options"] = {option.name: option.value for option in envelope.options}
    details = _DETAILS.get(operation)
    if details is not None:
        data |= details(envelope)
    if operation == "Command" and psrp:
        data.pop("arguments", None)
    return data


def _create(envelope: soap.Envelope) -> dict[str, Any]:
    data: dict[str, Any] = {
        "max_envelope_size": envelope.max_envelope_size,
        "operation_timeout": envelope.operation_timeout,
    }
    if envelope.compression:
        data["compression"] = envelope.compression
    return data | {"shell": soap.read_shell(envelope)}


def _command(envelope: soap.Envelope) -> dict[str, Any]:
    command = soap.read_command(envelope)
    return {"command": command.command, "arguments": list(command.arguments)}


def _streams(envelope: soap.Envelope) -> dict[str, Any]:
    found = soap.read_payloads(envelope)
    data: dict[str, Any] = {
        "streams": [{"name": p.stream, "characters": len(p.text)} for p in found]
    }
    for state in soap.read_command_states(envelope):
        data["state"] = state.state
        if state.exit_code is not None:
            data["exit_code"] = state.exit_code
    return data


def _signal(envelope: soap.Envelope) -> dict[str, Any]:
    _, code = soap.read_signal(envelope)
    return {"code": code, "meaning": names.signal_name(code)}


def _fault(envelope: soap.Envelope) -> dict[str, Any]:
    fault = soap.read_fault(envelope)
    if fault is None:
        return {}
    number = fault.wsman_code
    return {
        "code": fault.code,
        "subcode": fault.subcode,
        "wsman_code": number,
        "meaning": names.FAULT_CODES.get(number, "") if number is not None else "",
        "text": fault.message or fault.reason,
        "provider": fault.provider,
        "detail": fault.detail,
    }


_DETAILS = {
    "Create": _create,
    "CreateResponse": lambda e: {"shell": soap.read_shell(e)},
    "GetResponse": lambda e: {"shell": soap.read_shell(e)},
    "EnumerateResponse": lambda e: {"shells": list(soap.read_shells(e))},
    "Command": _command,
    "Send": _streams,
    "ReceiveResponse": _streams,
    "Signal": _signal,
    "Fault": _fault,
}
