"""One-line summaries of entries for people.

The texts come from a peer, so all of them pass `visible`: none may move the cursor, ring a bell
or break the line.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from psremoting.capture.jsonlines import body, is_structure
from psremoting.powershell.sanitizer import visible
from psrp import events as e
from psrp.clixml import Dictionary, PSObject, SecureString
from psrp.clixml.files import RawText
from psrp.enums import CommandTypes
from psrp.host_methods import HostMethodId

if TYPE_CHECKING:
    from collections.abc import Callable

    from psremoting.capture.entries import Entry

__all__ = ["short", "summary"]

MAX_TEXT = 200


def cut(text: str, size: int = MAX_TEXT) -> str:
    """Return at most ``size`` characters, and the length of a text that is longer."""
    text = text.strip("\r\n")
    shown = visible(text[:size].replace("\r\n", "\n"))
    return shown if len(text) <= size else f"{shown}… ({len(text)} characters)"


def short(value: Any, *, reveal: bool = False) -> str:
    """Return a short text for a CLIXML value."""
    if isinstance(value, str):
        return cut(value) if value else "''"
    if value is None or isinstance(value, bool):
        return {None: "$null", True: "$true", False: "$false"}[value]
    if isinstance(value, SecureString):
        return _secret(value, reveal)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, PSObject):
        return _object(value, reveal)
    if isinstance(value, dict | Dictionary):
        return _pairs(value.items(), len(value), reveal)
    if is_structure(value):
        return _structure(value, reveal)
    if isinstance(value, list | tuple):
        shown = ", ".join(_one_level(item, reveal) for item in value[:5])
        return f"({shown}{', …' if len(value) > 5 else ''})" + _count(len(value), 5)
    return cut(str(value))


def _count(size: int, shown: int) -> str:
    return f" of {size}" if size > shown else ""


def _pairs(items: Any, size: int, reveal: bool) -> str:
    parts = []
    for number, (key, value) in enumerate(items):
        if number == 5:
            break
        text = _one_level(value, reveal)
        parts.append(f"{visible(str(key))}={text}")
    return f"{{{'; '.join(parts)}{'; …' if size > 5 else ''}}}" + _count(size, 5)


def _one_level(value: Any, reveal: bool) -> str:
    """Return a member without members of its own."""
    if isinstance(value, PSObject | dict | Dictionary | list):
        text = getattr(value, "to_string", None)
        return cut(text, 60) if text else f"[{_type_of(value)}]"
    return short(value, reveal=reveal)


def _type_of(value: Any) -> str:
    names = getattr(value, "type_names", None) or ()
    name = next(iter(names), type(value).__name__)
    return visible(str(name).rpartition(".")[2][:60])


def _object(value: PSObject, reveal: bool) -> str:
    if value.value is not None and not isinstance(value.value, PSObject):
        if value.to_string:
            return cut(value.to_string)
        return short(value.value, reveal=reveal)
    members = {**(value.adapted or {}), **value.extended}
    if value.to_string and not value.to_string.startswith("@{"):
        return f"{cut(value.to_string)} [{_type_of(value)}]"
    return _pairs(members.items(), len(members), reveal)


def _structure(value: Any, reveal: bool) -> str:
    """Return a protocol structure, such as a choice: its label, or its fields."""
    for name in ("label", "name", "message"):
        if text := getattr(value, name, None):
            return cut(str(text), 60)
    parts = [_one_level(getattr(value, field.name), reveal) for field in fields(value)]
    return f"{type(value).__name__}({', '.join(parts)})"


def _secret(value: SecureString, reveal: bool) -> str:
    if value.sealed is not None:
        return "<secure string, sealed>"
    text = value.reveal()
    if not reveal:
        return f"<secure string, {len(text)} characters>"
    return f"<secure string {cut(text)!r}>"


# -- PSRP messages


def _capability(event: e.SessionCapability, _: bool) -> str:
    return (
        f"protocol {event.protocol_version}, PowerShell {event.ps_version}, "
        f"serialization {event.serialization_version}"
    )


def _init(event: e.InitRunspacePool, reveal: bool) -> str:
    text = f"{event.min_runspaces} to {event.max_runspaces} runspaces"
    if event.application_arguments:
        text += f", application arguments {short(event.application_arguments, reveal=reveal)}"
    return text


def _private(event: e.ApplicationPrivateData, reveal: bool) -> str:
    data = event.data or {}
    table = data.get("PSVersionTable")
    if isinstance(table, Dictionary | dict):
        return (
            f"PowerShell {short(table.get('PSVersion'))}, "
            f"protocol {short(table.get('PSRemotingProtocolVersion'))}"
        )
    return short(data, reveal=reveal)


def _error(record: Any) -> str:
    text = cut(record.message)
    return f"{text} [{visible(record.fully_qualified_error_id)}]"


def _pool_state(event: e.RunspacePoolStateMessage, _: bool) -> str:
    text = str(event.state)
    return f"{text}: {_error(event.error)}" if event.error else text


def _pipeline_state(event: e.PipelineStateMessage, _: bool) -> str:
    text = str(event.state)
    return f"{text}: {_error(event.error)}" if event.error else text


def _create(event: e.CreatePipeline, _: bool) -> str:
    flags = [
        word
        for word, on in (
            ("with input", not event.no_input),
            ("nested", event.is_nested),
            ("into history", event.add_to_history),
        )
        if on
    ]
    return cut(str(event.powershell).strip()) + (f"  ({', '.join(flags)})" if flags else "")


def _metadata(event: e.GetCommandMetadata, _: bool) -> str:
    kinds = [
        name for bit, name in CommandTypes.labels().items() if bit & event.command_types == bit
    ]
    names = ", ".join(event.names or ("*",))
    return cut(f"Get-Command {names} ({', '.join(k for k in kinds if k != 'All')})")


def _method(number: int) -> str:
    try:
        return HostMethodId(number).name
    except ValueError:
        return f"method {number}"


def _call(event: e.PipelineHostCall | e.RunspacePoolHostCall, reveal: bool) -> str:
    arguments = ", ".join(short(item, reveal=reveal) for item in event.arguments)
    call = f"{_method(event.method)}({arguments})"
    return call if event.call_id == -100 else f"{call}  call {event.call_id}"


def _answer(event: e.PipelineHostResponse | e.RunspacePoolHostResponse, reveal: bool) -> str:
    result = _error(event.error) if event.error else short(event.result, reveal=reveal)
    return f"{_method(event.method)} -> {result}  call {event.call_id}"


def _progress(event: e.ProgressRecordMessage, _: bool) -> str:
    record = event.record
    parts = [f"{record.activity}: {record.status}"]
    if record.current_operation:
        parts.append(record.current_operation)
    if record.percent_complete >= 0:
        parts.append(f"{record.percent_complete} %")
    if int(record.type) == 1:
        parts.append("completed")
    return cut(", ".join(parts))


def _information(event: e.InformationRecordMessage, reveal: bool) -> str:
    record = event.record
    text = str(record) or short(record.message_data, reveal=reveal)
    return cut(text) + (f"  [{visible(', '.join(record.tags))}]" if record.tags else "")


def _limits(event: Any, _: bool) -> str:
    if event.min_runspaces is None and event.max_runspaces is None:
        return "any number of runspaces"
    return f"{event.min_runspaces} to {event.max_runspaces} runspaces"


def _user_event(event: e.UserEvent, reveal: bool) -> str:
    return f"{cut(event.source_id)} {short(event.message_data, reveal=reveal)}"


_MESSAGES: dict[type[e.Event], Callable[[Any, bool], str]] = {
    e.SessionCapability: _capability,
    e.InitRunspacePool: _init,
    e.ConnectRunspacePool: _limits,
    e.RunspacePoolInitData: _limits,
    e.PublicKey: lambda event, _: "an RSA key for the session key",
    e.EncryptedSessionKey: lambda event, _: "the session key, sealed with the client's RSA key",
    e.PublicKeyRequest: lambda event, _: "the client shall start the key exchange",
    e.SetMaxRunspaces: lambda event, _: f"{event.count}  call {event.call_id}",
    e.SetMinRunspaces: lambda event, _: f"{event.count}  call {event.call_id}",
    e.GetAvailableRunspaces: lambda event, _: f"call {event.call_id}",
    e.ResetRunspaceState: lambda event, _: f"call {event.call_id}",
    e.RunspaceAvailability: lambda event, _: f"{short(event.answer)}  call {event.call_id}",
    e.RunspacePoolStateMessage: _pool_state,
    e.UserEvent: _user_event,
    e.ApplicationPrivateData: _private,
    e.CreatePipeline: _create,
    e.GetCommandMetadata: _metadata,
    e.PipelineInput: lambda event, reveal: short(event.data, reveal=reveal),
    e.PipelineOutput: lambda event, reveal: short(event.data, reveal=reveal),
    e.ErrorRecordMessage: lambda event, _: _error(event.record),
    e.DebugRecordMessage: lambda event, _: cut(event.record.message),
    e.VerboseRecordMessage: lambda event, _: cut(event.record.message),
    e.WarningRecordMessage: lambda event, _: cut(event.record.message),
    e.ProgressRecordMessage: _progress,
    e.InformationRecordMessage: _information,
    e.PipelineStateMessage: _pipeline_state,
    e.PipelineHostCall: _call,
    e.RunspacePoolHostCall: _call,
    e.PipelineHostResponse: _answer,
    e.RunspacePoolHostResponse: _answer,
    e.UnknownMessage: lambda event, _: f"a message of unknown type, {len(event.body)} bytes",
}


# -- acts of the carrier


def _create_shell(data: dict[str, Any]) -> str:
    uri = str(data.get("resource_uri", "")).rsplit("/", 1)[-1]
    words = [f"shell {data.get('shell_id', '(id from the server)')} of {uri}"]
    if data.get("options"):
        words.append(" ".join(f"{k}={v}" for k, v in data["options"].items()))
    return "  ".join(words)


def _shell(data: dict[str, Any]) -> str:
    shell = data.get("shell") or {}
    owner, state = shell.get("Owner"), shell.get("State")
    text = f"shell {data.get('shell_id') or shell.get('ShellId', '')}"
    return text + (f" of {owner}" if owner else "") + (f", {state}" if state else "")


def _fault(data: dict[str, Any]) -> str:
    number = data.get("wsman_code")
    code = f"{number}" if number is not None else data.get("code", "")
    return f"{data.get('subcode', '')} {code}: {data.get('text') or data.get('meaning')}"


def _http(data: dict[str, Any]) -> str:
    words = [str(data["status"])] if "status" in data else []
    if "scheme" in data:
        words.append(f"{data['scheme']} ({data['token_size']} characters)")
    words += [data[name] for name in ("note", "problem", "text") if name in data]
    return " ".join(words)


def _sealed(data: dict[str, Any]) -> str:
    words = [f"sealed, {data['bytes']:,} bytes, {data['protocol']}"]
    if "status" in data:
        words.insert(0, str(data["status"]))
    if "note" in data:
        words.append(f"({data['note']})")
    return "  ".join(words)


def _connection(data: dict[str, Any]) -> str:
    words = [f"{data['client']} to {data['server']}"]
    if "through" in data:
        words.append(f"as a proxy to {data['through']}")
    if "host" in data:
        words.append(f"host {data['host']}")
    if "tls" in data:
        words.append(", ".join(filter(None, (data["tls"], data.get("suite"), data.get("key")))))
    return "  ".join(words)


def _log_on(data: dict[str, Any]) -> str:
    words = [data["mechanism"], data.get("user") or "(user not known)"]
    if "host" in data:
        words.append(f"from {data['host']}")
    if "service" in data:
        words.append(f"to {data['service']}")
    if "password" in data:
        words.append(f"password {_hidden(data['password'])}")
    if data.get("key"):
        words.append(f"opened with {data['key']}")
    if "missing" in data:
        words.append(f"(missing: {data['missing']})")
    if "error" in data:
        words.append(f"error {data['error']}")
    return " ".join(words)


def _gap(data: dict[str, Any]) -> str:
    size = f"{data['bytes']:,} bytes" if "bytes" in data else "bytes of unknown number"
    return f"{size} {data['note']}"


def _credentials(data: dict[str, Any]) -> str:
    if "sealed" in data:
        return f"sealed, {data['sealed']:,} bytes  (missing: {data['missing']})"
    if "user" not in data:
        return f"of {data['kind']}"
    return f"of {data['user']}, password {_hidden(data['password'])}"


def _hidden(shown: dict[str, str]) -> str:
    return repr(shown["open"]) if "open" in shown else f"<{shown['hidden']}>"


def _received(data: dict[str, Any]) -> str:
    count = len(data.get("streams", ()))
    words = [f"{count} streams" if count != 1 else "1 stream"]
    if "state" in data:
        words.append(data["state"])
    if "exit_code" in data:
        words.append(f"exit code {data['exit_code']}")
    return ", ".join(words)


def _shells(data: dict[str, Any]) -> str:
    found = data.get("shells", ())
    return f"{len(found)} shells " + " ".join(
        f"{shell.get('ShellId', '')} {shell.get('State', '')}" for shell in found
    )


_ACTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "net:Connection": _connection,
    "net:Gap": _gap,
    "net:LogOn": _log_on,
    "net:Credentials": _credentials,
    "tls:Sealed": _sealed,
    "wsman:Create": _create_shell,
    "wsman:Connect": _create_shell,
    "wsman:CreateResponse": _shell,
    "wsman:GetResponse": _shell,
    "wsman:EnumerateResponse": _shells,
    "wsman:Command": lambda data: " ".join([data.get("command", ""), *data.get("arguments", ())]),
    "wsman:Signal": lambda data: str(data.get("meaning", "")),
    "wsman:Fault": _fault,
    "wsman:Authenticate": _http,
    "wsman:HTTP": _http,
    "wsman:Sealed": _sealed,
    "wsman:ReceiveResponse": _received,
    "wsman:Send": _received,
}


def summary(entry: Entry, *, reveal: bool = False) -> str:
    """Return the summary of an entry, without its type."""
    if entry.event is not None:
        describe = _MESSAGES.get(type(entry.event))
        return describe(entry.event, reveal) if describe else ""
    if entry.holds_value:
        return (
            cut(entry.value)
            if isinstance(entry.value, RawText)
            else short(entry.value, reveal=reveal)
        )
    data = entry.data
    if not isinstance(data, dict):
        return ""
    if entry.type in _ACTS:
        return cut(_ACTS[entry.type](body(entry, reveal=reveal)), 400)
    if entry.type in ("error", "refused") and "rule" in data:
        what = f"{data['message']}: " if "message" in data else ""
        return cut(f"{what}{data.get('text', '')}  ({data.get('rule', '')})", 400)
    if data.get("end") and not data["text"]:
        return "(end of the stream)"
    note = f"  ({data['note']})" if "note" in data else ""
    return cut(str(data.get("text", "")) + note)
