"""The client's host: its description in HostInfo, and safety measures before showing a request.

The methods that a server may call are in `psrp.host_methods`, their values in `psrp.host_values`;
both are exported here. [MS-PSRP] 2.2.3.14, ``RemoteSessionCapability.cs``, ``RemoteHost.cs``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from psrp.clixml import Dictionary, PSObject
from psrp.enums import ConsoleColor
from psrp.frozen import dataclass
from psrp.host_methods import (
    METHODS,
    VOID_CALL_ID,
    HostMethod,
    HostMethodId,
    is_void,
    read_arguments,
    read_result,
    write_arguments,
    write_result,
)
from psrp.host_types import read_typed, write_typed
from psrp.host_values import (
    BufferCell,
    ChoiceDescription,
    Coordinates,
    Credential,
    FieldDescription,
    KeyInfo,
    Rectangle,
    Size,
)
from psrp.properties import Properties, bag, unwrap
from psrp.sansio import MessageError

__all__ = [
    "METHODS",
    "VOID_CALL_ID",
    "BufferCell",
    "ChoiceDescription",
    "ConsoleColor",
    "Coordinates",
    "Credential",
    "FieldDescription",
    "HostDefaultData",
    "HostInfo",
    "HostMethod",
    "HostMethodId",
    "KeyInfo",
    "Rectangle",
    "SecuredRequest",
    "Size",
    "is_void",
    "read_arguments",
    "read_host_info",
    "read_result",
    "secure_request",
    "write_arguments",
    "write_host_info",
    "write_result",
]

# -- the description of the host

_ORIGIN = Coordinates(0, 0)
_SIZE = Size(80, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDefaultData:
    """The state of the client's screen when the pool was opened; None for unknown values.

    A server answers the getters of the screen from this, without host calls.
    """

    foreground_color: int | None = -1
    background_color: int | None = -1
    cursor_position: Coordinates | None = _ORIGIN
    window_position: Coordinates | None = _ORIGIN
    cursor_size: int | None = 25
    buffer_size: Size | None = _SIZE
    window_size: Size | None = _SIZE
    max_window_size: Size | None = _SIZE
    max_physical_window_size: Size | None = _SIZE
    window_title: str | None = ""


#: key -> attribute, type on the wire. The client writes them from 9 down to 0.
_DEFAULTS = {
    9: ("window_title", "System.String"),
    8: ("max_physical_window_size", "System.Management.Automation.Host.Size"),
    7: ("max_window_size", "System.Management.Automation.Host.Size"),
    6: ("window_size", "System.Management.Automation.Host.Size"),
    5: ("buffer_size", "System.Management.Automation.Host.Size"),
    4: ("cursor_size", "System.Int32"),
    3: ("window_position", "System.Management.Automation.Host.Coordinates"),
    2: ("cursor_position", "System.Management.Automation.Host.Coordinates"),
    1: ("background_color", "System.ConsoleColor"),
    0: ("foreground_color", "System.ConsoleColor"),
}
_DEFAULT_TYPES = {4: int, 9: str, 1: int, 0: int, 2: Coordinates, 3: Coordinates}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInfo:
    """The abilities of the client's host. [MS-PSRP] 2.2.3.14

    ``use_runspace_host`` in a pipeline means the pool's host; the calls still name the pipeline.
    A client that cannot answer should declare that it has no host: an unanswered call blocks its
    pipeline without limit.
    """

    is_host_null: bool = False
    is_host_ui_null: bool = False
    is_host_raw_ui_null: bool = False
    use_runspace_host: bool = False
    default_data: HostDefaultData | None = None

    @classmethod
    def null(cls, *, use_runspace_host: bool = True) -> HostInfo:
        """Return the description of no host; a pipeline then uses the host of its pool."""
        return cls(
            is_host_null=True,
            is_host_ui_null=True,
            is_host_raw_ui_null=True,
            use_runspace_host=use_runspace_host,
        )

    @classmethod
    def full(cls, default_data: HostDefaultData | None = None) -> HostInfo:
        """Return a host with a screen."""
        return cls(default_data=default_data or HostDefaultData())


def write_host_info(info: HostInfo) -> PSObject:
    """Return the HostInfo member of INIT_RUNSPACEPOOL and CREATE_PIPELINE."""
    members: dict[str, Any] = {
        "_isHostUINull": info.is_host_ui_null,
        "_isHostRawUINull": info.is_host_raw_ui_null,
        "_isHostNull": info.is_host_null,
    }
    if info.default_data is not None:
        data = Dictionary()
        for key, (attribute, type_name) in _DEFAULTS.items():
            value = getattr(info.default_data, attribute)
            if value is not None:
                data.add(key, write_typed(value, type_name))
        members["_hostDefaultData"] = bag({"data": data})
    members["_useRunspaceHost"] = info.use_runspace_host
    return bag(members)


_FLAGS = {
    "_isHostUINull": "is_host_ui_null",
    "_isHostRawUINull": "is_host_raw_ui_null",
    "_isHostNull": "is_host_null",
    "_useRunspaceHost": "use_runspace_host",
}


def read_host_info(value: Any, message: str) -> HostInfo:
    """Read the HostInfo member of ``message``. Raises MessageError.

    Names are case-sensitive here (and only here) and an unknown member is an error, as in the real
    server; an absent flag is false.
    """
    source = Properties(message, value)
    flags: dict[str, bool] = {}
    data: HostDefaultData | None = None
    for name in value:
        if name in _FLAGS:
            flags[_FLAGS[name]] = source.take(name, bool)
        elif name == "_hostDefaultData":
            data = _read_default_data(source.child(name))
        else:
            raise MessageError(message, "not a member of HostInfo", name)
    return HostInfo(default_data=data, **flags)


def _read_default_data(source: Properties) -> HostDefaultData:
    found: dict[str, Any] = {attribute: None for attribute, _ in _DEFAULTS.values()}
    for key, item in source.take("data", Dictionary).items():
        number = unwrap(key)
        value = read_typed(item)
        known = type(number) is int and number in _DEFAULTS
        if known and isinstance(value, _DEFAULT_TYPES.get(number, Size)):
            found[_DEFAULTS[number][0]] = value
    return HostDefaultData(**found)


# -- safety measures before a request is shown to the user


class SecuredRequest(NamedTuple):
    """A host call that is safe to show: warnings to write first, then the call unless refused."""

    arguments: tuple[Any, ...]
    warnings: tuple[str, ...] = ()
    refused: str | None = None
    """The reason for answering with an error instead of making the call, if refused."""


_DEFAULT_CAPTION = "powershell credential request"
_CREDENTIAL_TYPE = "System.Management.Automation.PSCredential"
_SECRET_TYPE = "System.Security.SecureString"


def secure_request(method: int, arguments: tuple[Any, ...], computer_name: str) -> SecuredRequest:
    """Mark a request of a remote computer as remote (``RemoteHost.cs``).

    Requests for credentials get another caption and a warning before their message, reading a
    secret line is announced, and reading the screen is refused, so that a remote script cannot
    pass for a local program.
    """
    computer = computer_name.upper()
    if method in (HostMethodId.PromptForCredential1, HostMethodId.PromptForCredential2):
        return SecuredRequest(_mark_credential_request(arguments, computer))
    if method == HostMethodId.Prompt:
        return _secure_prompt(arguments, computer)
    if method == HostMethodId.ReadLineAsSecureString:
        return SecuredRequest(arguments, (_secret_warning(computer),))
    if method == HostMethodId.GetBufferContents:
        reason = f"The remote computer {computer} tried to read this screen; that is not allowed."
        return SecuredRequest(arguments, (reason,), reason)
    return SecuredRequest(arguments)


def _secret_warning(computer: str) -> str:
    return (
        f"The remote computer {computer} asks for a secret. Type one only if you trust that "
        "computer and what runs on it."
    )


def _mark_credential_request(arguments: tuple[Any, ...], computer: str) -> tuple[Any, ...]:
    caption, message = (text if isinstance(text, str) else "" for text in (*arguments, "", "")[:2])
    if caption.strip().casefold() != _DEFAULT_CAPTION:
        caption = f"PowerShell Credential Request: {caption}"
    warning = (
        f"Warning: the remote computer {computer} asks for your credentials. Give them only if "
        "you trust that computer and what runs on it."
    )
    return (caption, f"{warning}\n\n{message}", *arguments[2:])


def _secure_prompt(arguments: tuple[Any, ...], computer: str) -> SecuredRequest:
    if len(arguments) != 3 or not isinstance(arguments[2], tuple):
        return SecuredRequest(arguments)
    fields: list[Any] = []
    warnings: list[str] = []
    asks_credential = False
    for field in arguments[2]:
        if not isinstance(field, FieldDescription):
            fields.append(field)
            continue
        credential = _is_of(field, _CREDENTIAL_TYPE)
        asks_credential = asks_credential or credential
        if not credential and _is_of(field, _SECRET_TYPE):
            warnings.append(_secret_warning(computer))
        fields.append(
            replace(
                field,
                is_from_remote_host=True,
                modified_by_remoting_protocol=credential or field.modified_by_remoting_protocol,
            )
        )
    arguments = (arguments[0], arguments[1], tuple(fields))
    if asks_credential:
        arguments = _mark_credential_request(arguments, computer)
    return SecuredRequest(arguments, tuple(warnings))


def _is_of(field: FieldDescription, type_name: str) -> bool:
    names = (field.parameter_assembly_full_name, field.parameter_type_full_name)
    return any(name is not None and name.split(",")[0].strip() == type_name for name in names)
