"""Codecs of the shell operations: each value to and from its body.

Readers take an envelope and return the value, or raise SoapError with the element. They accept
attributes and elements in any namespace, as `wsman.soap` does. [MS-WSMV] 2.2.4 and 3.1.4
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsman import names, soap
from wsman import shell_values as v
from wsman.durations import format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

    from wsman.envelopes import Body

__all__ = ["CODECS", "read_shell_info", "write_shell_info"]

_RSP = names.SHELL


def _seconds(text: str, element: str) -> float | None:
    if not text:
        return None
    seconds = parse_duration(text)
    if seconds is None:
        raise soap.SoapError(f"expected a duration, got {text[:40]!r}", element)
    return seconds


def _command(command_id: str) -> dict[str, str] | None:
    return {"CommandId": command_id} if command_id else None


# -- rsp:Shell

_MEMBERS: tuple[tuple[str, str, str], ...] = (
    ("ShellId", "shell_id", ""),
    ("Name", "name", ""),
    ("ResourceUri", "resource_uri", ""),
    ("Owner", "owner", ""),
    ("ClientIP", "client_ip", ""),
    ("ProcessId", "process_id", "number"),
    ("IdleTimeOut", "idle_timeout", "seconds"),
    ("InputStreams", "input_streams", ""),
    ("OutputStreams", "output_streams", ""),
    ("MaxIdleTimeOut", "max_idle_timeout", "seconds"),
    ("Locale", "locale", ""),
    ("DataLocale", "data_locale", ""),
    ("CompressionMode", "compression_mode", ""),
    ("ProfileLoaded", "profile_loaded", ""),
    ("Encoding", "encoding", ""),
    ("BufferMode", "buffer_mode", ""),
    ("State", "state", ""),
    ("ShellRunTime", "shell_run_time", "days"),
    ("ShellInactivity", "shell_inactivity", "days"),
    ("MemoryUsed", "memory_used", ""),
    ("ChildProcesses", "child_processes", "number"),
)
"""Element, field, and text format, in the order in which Windows writes them."""


def _days(seconds: float) -> str:
    """Write a running time as Windows does: ``P0DT0H0M9S``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{rest}S"


_FORMS: dict[str, Callable[[Any], str]] = {
    "": str,
    "number": str,
    "seconds": format_duration,
    "days": _days,
}


def read_shell_info(members: dict[str, str]) -> v.ShellInfo:
    """Return a ShellInfo for the members that `soap.read_shells` returns.

    An unreadable number or time counts as absent.
    """
    found: dict[str, Any] = {}
    for element, field, form in _MEMBERS:
        text = members.get(element)
        if not text:
            continue
        if not form:
            found[field] = text
        elif form == "number":
            found[field] = int(text) if text.isascii() and text.isdigit() else None
        else:
            found[field] = parse_duration(text)
    return v.ShellInfo(**found)


def write_shell_info(body: Body, info: v.ShellInfo, parent: etree._Element | None = None) -> None:
    """Append an rsp:Shell with every member that is present."""
    shell = body.add(_RSP, "Shell", parent=parent)
    for element, field, form in _MEMBERS:
        value = getattr(info, field)
        if value is None or value == "":
            continue
        body.add(_RSP, element, _FORMS[form](value), parent=shell)


# -- Create


def _write_create(body: Body, value: v.Create) -> None:
    ids = {"ShellId": value.shell_id, "Name": value.name}
    shell = body.add(_RSP, "Shell", attributes={key: text for key, text in ids.items() if text})
    if value.environment:
        environment = body.add(_RSP, "Environment", parent=shell)
        for name, text in value.environment:
            body.add(_RSP, "Variable", text, {"Name": name}, parent=environment)
    if value.lifetime is not None:
        body.add(_RSP, "Lifetime", format_duration(value.lifetime), parent=shell)
    if value.idle_timeout is not None:
        body.add(_RSP, "IdleTimeOut", format_duration(value.idle_timeout), parent=shell)
    if value.working_directory:
        body.add(_RSP, "WorkingDirectory", value.working_directory, parent=shell)
    body.add(_RSP, "InputStreams", value.input_streams, parent=shell)
    body.add(_RSP, "OutputStreams", value.output_streams, parent=shell)
    if value.creation_xml is not None:
        payload = body.unprefixed(shell, "creationXml", names.POWERSHELL)
        body.add_bytes(payload, value.creation_xml)


def _read_create(envelope: soap.Envelope) -> v.Create:
    shell = envelope.body
    if shell is None or soap.local_name(shell) != "Shell":
        raise soap.SoapError("expected a Shell element", "Body")
    texts = {soap.local_name(child): child for child in soap.children(shell)}
    creation = texts.get("creationXml")
    data = soap.decode_base64(creation.text or "", "creationXml") if creation is not None else None
    variables = texts.get("Environment")
    return v.Create(
        shell_id=soap.attribute(shell, "ShellId") or soap.text_of(texts.get("ShellId")),
        name=soap.attribute(shell, "Name") or soap.text_of(texts.get("Name")),
        input_streams=soap.text_of(texts.get("InputStreams")),
        output_streams=soap.text_of(texts.get("OutputStreams")),
        idle_timeout=_seconds(soap.text_of(texts.get("IdleTimeOut")), "IdleTimeOut"),
        lifetime=_seconds(soap.text_of(texts.get("Lifetime")), "Lifetime"),
        working_directory=soap.text_of(texts.get("WorkingDirectory")),
        environment=tuple(
            (soap.attribute(variable, "Name"), variable.text or "")
            for variable in (soap.children(variables) if variables is not None else ())
        ),
        creation_xml=data,
    )


def _write_create_response(body: Body, value: v.CreateResponse) -> None:
    created = body.add(names.TRANSFER, "ResourceCreated")
    body.add(names.ADDRESSING, "Address", value.address or names.ANONYMOUS, parent=created)
    parameters = body.add(names.ADDRESSING, "ReferenceParameters", parent=created)
    body.add(names.WSMAN, "ResourceURI", value.resource_uri, parent=parameters)
    selectors = body.add(names.WSMAN, "SelectorSet", parent=parameters)
    for name, text in value.selectors:
        body.add(names.WSMAN, "Selector", text, {"Name": name}, parent=selectors)
    if value.shell is not None:
        write_shell_info(body, value.shell)


def _read_create_response(envelope: soap.Envelope) -> v.CreateResponse:
    body = envelope.body
    created = soap.find(body, "ResourceCreated")
    shells = soap.read_shells(envelope)
    if created is None and not shells:
        raise soap.SoapError("expected a ResourceCreated element", "Body")
    selector_set = soap.find(created, "SelectorSet")
    return v.CreateResponse(
        address=soap.text_of(soap.find(created, "Address")),
        resource_uri=soap.text_of(soap.find(created, "ResourceURI")),
        selectors=soap.read_selectors(selector_set) if selector_set is not None else (),
        shell=read_shell_info(shells[0]) if shells else None,
    )


# -- Command


def _write_command(body: Body, value: v.Command) -> None:
    line = body.add(_RSP, "CommandLine", attributes=_command(value.command_id))
    body.add(_RSP, "Command", value.command, parent=line)
    for argument in value.arguments:
        if isinstance(argument, bytes):
            body.add_bytes(body.add(_RSP, "Arguments", parent=line), argument)
        else:
            body.add(_RSP, "Arguments", argument, parent=line)


def _read_command(envelope: soap.Envelope) -> v.Command:
    if soap.find(envelope.body, "CommandLine") is None:
        raise soap.SoapError("expected a CommandLine element", "Body")
    found = soap.read_command(envelope)
    return v.Command(command_id=found.command_id, command=found.command, arguments=found.arguments)


def _write_command_response(body: Body, value: v.CommandResponse) -> None:
    response = body.add(_RSP, "CommandResponse")
    body.add(_RSP, "CommandId", value.command_id, parent=response)


def _read_command_response(envelope: soap.Envelope) -> v.CommandResponse:
    return v.CommandResponse(command_id=soap.read_command(envelope).command_id)


# -- Send, Receive, Signal


def _write_streams(body: Body, streams: tuple[v.StreamData, ...], parent: etree._Element) -> None:
    for stream in streams:
        attributes = {"Name": stream.name} | (_command(stream.command_id) or {})
        if stream.end:
            attributes["End"] = "true"
        element = body.add(_RSP, "Stream", attributes=attributes, parent=parent)
        body.add_bytes(element, stream.data)


def _read_streams(envelope: soap.Envelope) -> tuple[v.StreamData, ...]:
    return tuple(
        v.StreamData(
            name=payload.stream,
            data=soap.decode_base64(payload.text, "Stream") if payload.text else b"",
            command_id=payload.command_id,
            end=payload.end,
        )
        for payload in soap.read_payloads(envelope)
        if payload.element == "Stream"
    )


def _write_send(body: Body, value: v.Send) -> None:
    _write_streams(body, value.streams, body.add(_RSP, "Send"))


def _read_send(envelope: soap.Envelope) -> v.Send:
    return v.Send(streams=_read_streams(envelope))


def _write_receive(body: Body, value: v.Receive) -> None:
    receive = body.add(_RSP, "Receive")
    body.add(_RSP, "DesiredStream", value.streams, _command(value.command_id), parent=receive)


def _read_receive(envelope: soap.Envelope) -> v.Receive:
    body = envelope.body
    desired = soap.find(body, "DesiredStream")
    outer = soap.attribute(body, "CommandId") if body is not None else ""
    inner = soap.attribute(desired, "CommandId") if desired is not None else ""
    return v.Receive(streams=soap.text_of(desired), command_id=inner or outer)


def _write_receive_response(body: Body, value: v.ReceiveResponse) -> None:
    response = body.add(_RSP, "ReceiveResponse")
    _write_streams(body, value.streams, response)
    for state in value.states:
        attributes = (_command(state.command_id) or {}) | {"State": v.state_uri(state.state)}
        element = body.add(_RSP, "CommandState", attributes=attributes, parent=response)
        if state.exit_code is not None:
            body.add(_RSP, "ExitCode", str(state.exit_code), parent=element)


def _read_receive_response(envelope: soap.Envelope) -> v.ReceiveResponse:
    return v.ReceiveResponse(
        streams=_read_streams(envelope), states=soap.read_command_states(envelope)
    )


def _write_signal(body: Body, value: v.Signal) -> None:
    signal = body.add(_RSP, "Signal", attributes=_command(value.command_id))
    body.add(_RSP, "Code", value.code, parent=signal)


def _read_signal(envelope: soap.Envelope) -> v.Signal:
    command_id, code = soap.read_signal(envelope)
    return v.Signal(code=code, command_id=command_id)


# -- Disconnect, Reconnect, Connect


def _write_disconnect(body: Body, value: v.Disconnect) -> None:
    element = body.add(_RSP, "Disconnect")
    if value.idle_timeout is not None:
        body.add(_RSP, "IdleTimeOut", format_duration(value.idle_timeout), parent=element)
    if value.buffer_mode:
        body.add(_RSP, "BufferMode", value.buffer_mode, parent=element)


def _read_disconnect(envelope: soap.Envelope) -> v.Disconnect:
    idle = soap.text_of(soap.find(envelope.body, "IdleTimeOut"))
    mode = soap.text_of(soap.find(envelope.body, "BufferMode"))
    return v.Disconnect(idle_timeout=_seconds(idle, "IdleTimeOut"), buffer_mode=mode)


def _write_reconnect(body: Body, value: v.Reconnect) -> None:
    element = body.add(_RSP, "Reconnect", attributes=_command(value.command_id))
    if value.buffer_mode:
        body.add(_RSP, "BufferMode", value.buffer_mode, parent=element)


def _command_id(envelope: soap.Envelope) -> str:
    """Return the CommandId attribute of the body, or the text of a CommandId element."""
    if envelope.body is None:
        return ""
    found = soap.attribute(envelope.body, "CommandId")
    return found or soap.text_of(soap.find(envelope.body, "CommandId"))


def _read_reconnect(envelope: soap.Envelope) -> v.Reconnect:
    mode = soap.text_of(soap.find(envelope.body, "BufferMode"))
    return v.Reconnect(command_id=_command_id(envelope), buffer_mode=mode)


def _write_connect(body: Body, value: v.Connect) -> None:
    element = body.add(_RSP, "Connect", attributes=_command(value.command_id))
    if value.buffer_mode:
        body.add(_RSP, "BufferMode", value.buffer_mode, parent=element)
    if value.connect_xml is not None:
        payload = body.unprefixed(element, "connectXml", names.POWERSHELL)
        body.add_bytes(payload, value.connect_xml)


def _payload(envelope: soap.Envelope, name: str) -> bytes | None:
    element = soap.find(envelope.body, name)
    return soap.decode_base64(element.text or "", name) if element is not None else None


def _read_connect(envelope: soap.Envelope) -> v.Connect:
    return v.Connect(
        command_id=_command_id(envelope),
        connect_xml=_payload(envelope, "connectXml"),
        buffer_mode=soap.text_of(soap.find(envelope.body, "BufferMode")),
    )


def _write_connect_response(body: Body, value: v.ConnectResponse) -> None:
    element = body.add(_RSP, "ConnectResponse")
    for name, text in (
        ("InputStreams", value.input_streams),
        ("OutputStreams", value.output_streams),
    ):
        if text:
            body.add(_RSP, name, text, parent=element)
    if value.connect_response_xml is not None:
        payload = body.unprefixed(element, "connectResponseXml", names.POWERSHELL)
        body.add_bytes(payload, value.connect_response_xml)


def _read_connect_response(envelope: soap.Envelope) -> v.ConnectResponse:
    return v.ConnectResponse(
        input_streams=soap.text_of(soap.find(envelope.body, "InputStreams")),
        output_streams=soap.text_of(soap.find(envelope.body, "OutputStreams")),
        connect_response_xml=_payload(envelope, "connectResponseXml"),
    )


# -- the table


def _element(name: str) -> Callable[[Body, Any], None]:
    """Return a writer of one element without content."""

    def write(body: Body, _value: object) -> None:
        body.add(_RSP, name)

    return write


def _nothing(_body: Body, _value: object) -> None:
    """Write an empty body."""


def _always(kind: Callable[[], Any]) -> Callable[[soap.Envelope], Any]:
    """Return a reader that ignores the body; Windows leaves such bodies empty."""
    return lambda _envelope: kind()


CODECS: tuple[tuple[type, Callable[[Body, Any], None], Callable[[soap.Envelope], Any]], ...] = (
    (v.Create, _write_create, _read_create),
    (v.CreateResponse, _write_create_response, _read_create_response),
    (v.Command, _write_command, _read_command),
    (v.CommandResponse, _write_command_response, _read_command_response),
    (v.Send, _write_send, _read_send),
    (v.SendResponse, _element("SendResponse"), _always(v.SendResponse)),
    (v.Receive, _write_receive, _read_receive),
    (v.ReceiveResponse, _write_receive_response, _read_receive_response),
    (v.Signal, _write_signal, _read_signal),
    (v.SignalResponse, _element("SignalResponse"), _always(v.SignalResponse)),
    (v.Delete, _nothing, _always(v.Delete)),
    (v.DeleteResponse, _nothing, _always(v.DeleteResponse)),
    (v.Disconnect, _write_disconnect, _read_disconnect),
    (v.DisconnectResponse, _nothing, _always(v.DisconnectResponse)),
    (v.Reconnect, _write_reconnect, _read_reconnect),
    (v.ReconnectResponse, _nothing, _always(v.ReconnectResponse)),
    (v.Connect, _write_connect, _read_connect),
    (v.ConnectResponse, _write_connect_response, _read_connect_response),
)
"""Class, writer, reader. The class's name is that of the operation."""
