"""The errors of sessions, with PowerShell's texts and error ids.

Every error has a FullyQualifiedErrorId, an error category and the computer that it concerns, and
`PSRemotingError.to_record` makes the `ErrorRecord` that PowerShell would show. An id can have two
parts: the cause and the command that failed (``2102,PSSessionOpenFailed``); spec-notes/sessions.md
lists the ids of the real client.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psrp.records import ErrorCategory, ErrorRecord
from psrp.sansio import FragmentError, LimitExceeded, MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psrp.sansio import RemoteProtocolError

__all__ = [
    "JOB_FAILURE",
    "OPEN_FAILED",
    "STATE_BROKEN",
    "CancelTimeout",
    "InvalidComputerName",
    "InvalidContainerId",
    "KeyFileNotFound",
    "OpenTimeout",
    "OperationTimeout",
    "PSRemotingError",
    "PSRemotingTransportError",
    "PipelineFailed",
    "PipelineStopped",
    "ProgramNotFound",
    "RemoteErrors",
    "SessionDisconnected",
    "SessionNotOpen",
    "describe",
    "negotiation_failed",
    "no_answer",
    "not_recognized",
    "opening_failed",
    "opening_timed_out",
    "process_ended",
    "process_reported",
    "protocol_broken",
    "ssh_hint",
    "stopped_record",
    "text_instead_of_packets",
]

OPEN_FAILED = "PSSessionOpenFailed"
"""The id of New-PSSession for a session that could not be opened."""
STATE_BROKEN = "PSSessionStateBroken"
"""The id of Invoke-Command for a session that could not be opened."""
JOB_FAILURE = "JobFailure"
"""The id of Invoke-Command if the session breaks while a command runs."""

_TRANSPORT = "System.Management.Automation.Remoting.PSRemotingTransportException"
_RUNSPACE = "System.Management.Automation.RemoteRunspace"


def not_recognized(name: str) -> str:
    """Return PowerShell's message for a command name that was not found."""
    return (
        f"The term '{name}' is not recognized as a name of a cmdlet, function, script file, or "
        "executable program.\nCheck the spelling of the name, or if a path was included, verify "
        "that the path is correct and try again."
    )


def stopped_record(text: str = "The pipeline has been stopped.") -> ErrorRecord:
    """Return the error record of a stopped pipeline.
    [ref] outofproc/probes/close-while-running"""
    return ErrorRecord.create(
        text,
        error_id="PipelineStopped",
        category=ErrorCategory.OperationStopped,
        exception_type="System.Management.Automation.PipelineStoppedException",
    )


class PSRemotingError(Exception):
    """The base of all errors of sessions. ``error_id`` is the FullyQualifiedErrorId."""

    error_id = "InvalidOperation"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.Management.Automation.Remoting.PSRemotingException"

    def __init__(
        self,
        message: str,
        *,
        error_id: str | None = None,
        category: ErrorCategory | None = None,
        computer: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.computer = computer
        """The computer that the error concerns; empty before a connection was attempted."""
        if error_id is not None:
            self.error_id = error_id
        if category is not None:
            self.category = category
        self.notices: tuple[str, ...] = ()
        """Diagnostic lines of the transport: those of ssh, a banner."""

    def to_record(self, activity: str = "") -> ErrorRecord:
        """Make the error record that a command named ``activity`` would write."""
        where = f"[{self.computer}] " if self.computer else ""
        return ErrorRecord.create(
            f"{where}{self.message}",
            error_id=self.error_id,
            category=self.category,
            exception_type=self.exception_type,
            activity=activity,
            target_name=self._target_name,
            target_type=self._target_type,
        )

    _target_name = ""
    _target_type = ""


class PSRemotingTransportError(PSRemotingError):
    """The connection could not be opened, or broke."""

    error_id = OPEN_FAILED
    category = ErrorCategory.OpenError
    exception_type = _TRANSPORT
    _target_name = _RUNSPACE
    _target_type = "RemoteRunspace"

    def with_id(self, error_id: str) -> PSRemotingTransportError:
        """Return the same error with the id of another command, such as `STATE_BROKEN`.

        `JOB_FAILURE` replaces the whole id; the others keep the part that names the cause.
        """
        job = error_id == JOB_FAILURE
        cause = "" if job else self.error_id.rpartition(",")[0]
        made = PSRemotingTransportError(
            self.message,
            error_id=f"{cause},{error_id}" if cause else error_id,
            category=ErrorCategory.OperationStopped if job else self.category,
            computer=self.computer,
        )
        if error_id == STATE_BROKEN:
            made._target_name, made._target_type = self.computer, "String"
        made.__cause__ = self.__cause__
        made.notices = self.notices
        return made


class OpenTimeout(PSRemotingTransportError):
    """The session did not open within the time-out."""


class OperationTimeout(PSRemotingError):
    """A command, or an answer of the server, took longer than its time-out."""

    error_id = "OperationTimeout"
    category = ErrorCategory.OperationTimeout
    exception_type = "System.TimeoutException"


class CancelTimeout(OperationTimeout):
    """The server did not stop a command within the time-out."""


class SessionNotOpen(PSRemotingError):
    """The session is not open, or no longer open."""

    error_id = "InvalidSessionState"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.Management.Automation.Runspaces.InvalidRunspaceStateException"


class SessionDisconnected(PSRemotingError):
    """The session was disconnected while a command ran; the command continues on the server."""

    error_id = "SessionDisconnected"
    category = ErrorCategory.OperationStopped
    exception_type = "System.Management.Automation.Runspaces.InvalidRunspaceStateException"


class InvalidComputerName(PSRemotingError):
    """A host name is invalid, or ssh would read it as an option."""

    error_id = "PSSessionInvalidComputerName"
    category = ErrorCategory.InvalidArgument
    exception_type = "System.ArgumentException"

    def __init__(self, name: str) -> None:
        super().__init__(
            "One or more computer names are not valid. If you are trying to pass a URI, use the "
            "-ConnectionUri parameter, or pass URI objects instead of strings."
        )
        self.name = name


class InvalidContainerId(PSRemotingTransportError):
    """The container does not exist or is not running."""

    error_id = "InvalidContainerId"
    category = ErrorCategory.InvalidArgument
    exception_type = "System.Management.Automation.PSArgumentException"

    def __init__(self, container_id: str, reported: str = "") -> None:
        super().__init__(
            f"The input ContainerId {container_id} does not exist, or the corresponding container "
            "is not running." + (f" ({reported})" if reported else ""),
            computer=container_id,
        )
        self.container_id = container_id


class KeyFileNotFound(PSRemotingError):
    """The file of the private key for ssh does not exist."""

    error_id = "PathNotFound"
    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.ItemNotFoundException"

    def __init__(self, path: str) -> None:
        super().__init__(f"Cannot find path '{path}' because it does not exist.")
        self.path = path


class ProgramNotFound(PSRemotingTransportError):
    """The ssh program or the local command does not exist."""

    error_id = f"CommandNotFoundException,{OPEN_FAILED}"
    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.CommandNotFoundException"

    def __init__(self, name: str, computer: str = "") -> None:
        super().__init__(not_recognized(name), computer=computer)
        self.name = name


class PipelineFailed(PSRemotingError):
    """A remote command ended with a terminating error, which is ``record``.

    ``hint`` is a line of advice of this side, part of the text of the exception; empty for none.
    """

    def __init__(self, record: ErrorRecord, computer: str = "", *, hint: str = "") -> None:
        category = record.category
        super().__init__(
            record.message,
            error_id=record.fully_qualified_error_id,
            category=category if isinstance(category, ErrorCategory) else None,
            computer=computer,
        )
        self.record = record
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def to_record(self, activity: str = "") -> ErrorRecord:
        return self.record


class PipelineStopped(PipelineFailed):
    """A remote command was stopped, by this client or at the server."""

    def __init__(self, record: ErrorRecord | None = None, computer: str = "") -> None:
        super().__init__(record or stopped_record(_STOPPED), computer)


class RemoteErrors(PSRemotingError):
    """A remote command completed but wrote error records; ``records`` has all of them."""

    def __init__(self, records: Sequence[ErrorRecord], computer: str = "") -> None:
        first = records[0]
        more = f" (and {len(records) - 1} more errors)" if len(records) > 1 else ""
        category = first.category
        super().__init__(
            first.message + more,
            error_id=first.fully_qualified_error_id,
            category=category if isinstance(category, ErrorCategory) else None,
            computer=computer,
        )
        self.records = tuple(records)

    @property
    def record(self) -> ErrorRecord:
        """The first of `records`."""
        return self.records[0]

    def to_record(self, activity: str = "") -> ErrorRecord:
        return self.records[0]


_STOPPED = "The remote pipeline has been stopped."


# -- failures of the transport, in the words of the real client


def process_ended(
    computer: str,
    *,
    ssh: bool,
    reason: str = "",
    exit_code: int | None = None,
    stderr: str = "",
    opened: bool = False,
) -> PSRemotingTransportError:
    """Make the error for a transport that ended before the session was closed.

    ``stderr`` is the last line of its error output; with it and ``exit_code`` the message adds
    details after the text of the real client. ``opened`` leaves out hints that only
    apply to opening.
    """
    if ssh:
        text = (
            "The SSH client session has ended with error message: The SSH transport process has "
            "abruptly terminated causing this remote session to break."
        )
        text += "".join(_ssh_details(exit_code, stderr, opened))
        return PSRemotingTransportError(text, computer=computer)
    details = reason or "no more data"
    if exit_code is not None:
        details += f" (exit code {exit_code})"
    if stderr:
        details += f" (stderr: {stderr.strip()})"
    return PSRemotingTransportError(
        f"The background process closed or ended abnormally: {details}.",
        error_id=f"2101,{OPEN_FAILED}",
        computer=computer,
    )


def _ssh_details(exit_code: int | None, stderr: str, opened: bool) -> Iterator[str]:
    if stderr:
        yield f" ssh reported: {stderr.strip()}"
    elif exit_code not in (None, 0, 255):
        yield f" ssh exited with code {exit_code}."
    hint = "" if opened else ssh_hint(stderr, exit_code)
    if hint:
        yield f"\nHint: {hint}"


_SSH_HINTS = (
    ("subsystem request failed", "the server has no such subsystem; add a line 'Subsystem "
     "powershell ...' to its sshd_config, or name another with --subsystem."),
    ("Host key verification failed", "the key of the host is not known or has changed; check it "
     "with ssh, or with -o StrictHostKeyChecking=accept-new for a new host."),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "the key of the host has changed; check it, then "
     "remove the old one with ssh-keygen -R HOST."),
    ("Connection refused", "no ssh server listens on this port; check the port (--port)."),
    ("Could not resolve hostname", "the name of the host is unknown; check its spelling."),
    ("timed out", "the host did not answer; check its name, the port and firewalls."),
    ("No route to host", "the host cannot be reached; check its name and the network."),
    ("Permission denied", "the server refused the log-in; check the user name (--user-name) and "
     "the key (--key-file-path) or the password."),
    ("Too many authentication failures", "ssh offered too many keys; name one with "
     "--key-file-path and set -o IdentitiesOnly=yes."),
)  # fmt: skip
_SSH_EXIT_HINTS = {
    127: "the program of the subsystem was not found on the server (exit code 127).",
    126: "the program of the subsystem cannot be executed on the server (exit code 126).",
    1: "the program of the subsystem failed at its start (exit code 1).",
}


def ssh_hint(stderr: str, exit_code: int | None = None) -> str:
    """Return advice for a failure of ssh, by the last line of its stderr; empty for none."""
    for text, hint in _SSH_HINTS:
        if text.casefold() in stderr.casefold():
            return hint
    return _SSH_EXIT_HINTS.get(exit_code, "") if exit_code is not None else ""


def text_instead_of_packets(computer: str, text: str) -> PSRemotingTransportError:
    """Make the error for text in place of packets, such as a banner or a shell prompt."""
    return PSRemotingTransportError(
        f"There is an error processing data from the background process. Error reported: {text}.",
        error_id=f"2102,{OPEN_FAILED}",
        computer=computer,
    )


def process_reported(computer: str, text: str) -> PSRemotingTransportError:
    """Make the error for a server that reported an error in place of a packet and ended."""
    return PSRemotingTransportError(
        f"The background process reported an error with the following message: {text}.",
        error_id=f"2100,{OPEN_FAILED}",
        computer=computer,
    )


def opening_timed_out(computer: str, seconds: float, *, ssh: bool, stderr: str = "") -> OpenTimeout:
    """Make the error for an opening timeout of ``seconds``."""
    if ssh:
        text = f"SSH connection attempt failed after time out: {seconds:g} seconds."
    else:
        text = f"The session did not open within {seconds:g} seconds."
    if stderr:
        text += f" {'ssh' if ssh else 'The process'} reported: {stderr.strip()}"
    return OpenTimeout(text, computer=computer)


def no_answer(computer: str, seconds: float) -> OperationTimeout:
    """Make the error for a missing response to a request about the pool."""
    return OperationTimeout(f"No answer within {seconds:g} seconds.", computer=computer)


_NEGOTIATED = re.compile(
    r"negotiated (?:protocol version|(PSVersion|SerializationVersion)) (\S+?);"
)


def negotiation_failed(
    computer: str, error: RemoteProtocolError, own: str
) -> PSRemotingTransportError:
    """Make the error for an unacceptable SESSION_CAPABILITY of the server."""
    found = _NEGOTIATED.search(str(error))
    if found is None:
        return protocol_broken(computer, error)
    what, version = found[1] or "protocolversion", found[2]
    return PSRemotingTransportError(
        f"PowerShell client does not support the {what} {version} negotiated by the server. "
        f"Make sure the server is compatible with the protocol version {own} of PowerShell.",
        computer=computer,
    )


_BADLY_CUT = (
    "This can happen if the fragments are not properly constructed by the remote computer, or the "
    "data has been changed by unauthorized users."
)
_FRAGMENT_WORDS = {
    "object-id-zero": f"ObjectId cannot be less than or equal to 0. {_BADLY_CUT}",
    "object-id-mismatch": (
        "Unexpected ObjectId received. This can happen if the fragments are not properly "
        "constructed by the remote computer, or the data might have been corrupted or changed."
    ),
    "fragment-id-sequence": (
        "The FragmentIDs of the same object must be in sequence, incrementally changing by 1. "
        "This can happen if the fragments are not properly constructed by the remote computer. "
        "The data might also have been corrupted or changed."
    ),
    "length-overflow": (
        "Remoting data is too large to be reassembled from the fragments. This can happen if the "
        "length of the data in a fragment is greater than Int32.Max. It can also occur if the "
        "data was changed by unauthorized users."
    ),
}
_UNKNOWN_TYPE = re.compile(r"message type 0x([0-9A-F]{8})")


def describe(error: Exception) -> str:
    """Return the text of PowerShell's client for a protocol error, followed by ours in
    parentheses; our text alone where it has none."""
    words: str | None = None
    match error:
        case FragmentError(rule=rule):
            words = _FRAGMENT_WORDS.get(rule)
        case MessageError(element="Destination"):
            words = (
                "Received packet not destined for logged-on user: user = Client, "
                "packet destination = Server."
            )
        case MessageError(message=message) if found := _UNKNOWN_TYPE.fullmatch(message):
            words = f"Received remoting data with unsupported action: {int(found[1], 16)}."
        case LimitExceeded(what="data of one command", limit=limit):
            words = (
                "The total data received from the remote server exceeded the allowed maximum. "
                f"The allowed maximum is {limit}."
            )
        case LimitExceeded(what="message with its fragment headers", size=size, limit=limit):
            words = (
                "The current deserialized object size of the data received from the remote server "
                "exceeded the allowed maximum object size. The current deserialized object size "
                f"is {size}. The allowed maximum object size is {limit}."
            )
    return f"{words} ({error})" if words is not None else str(error)


def opening_failed(computer: str, state: str, reason: str = "") -> PSRemotingTransportError:
    """Make the error for a pool that entered ``state`` instead of Opened without a reason.

    ``reason`` is our explanation.
    """
    text = f"Opening the remote session failed with an unexpected state. State {state}."
    return PSRemotingTransportError(f"{text} ({reason})" if reason else text, computer=computer)


def protocol_broken(computer: str, error: Exception) -> PSRemotingTransportError:
    """Make the error for a protocol violation by the server that ends the session."""
    made = PSRemotingTransportError(describe(error), computer=computer)
    made.__cause__ = error
    return made
