"""What goes wrong around a session, with the words and the ids that PowerShell's users know.

Every error has a FullyQualifiedErrorId, an error category and the computer that it is about,
and becomes an `ErrorRecord` for whoever shows it the way PowerShell does. The id has two parts
where two things are said: what happened, and which command it happened to
(``2102,PSSessionOpenFailed``); see spec-notes/sessions.md for the ids of the real client.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from psrp.records import ErrorCategory, ErrorRecord
from psrp.sansio import FragmentError, LimitExceeded, MessageError

if TYPE_CHECKING:
    from psrp.sansio import RemoteProtocolError

__all__ = [
    "JOB_FAILURE",
    "OPEN_FAILED",
    "STATE_BROKEN",
    "CancelTimeout",
    "InvalidComputerName",
    "KeyFileNotFound",
    "OpenTimeout",
    "OperationTimeout",
    "PSRemotingError",
    "PSRemotingTransportError",
    "PipelineFailed",
    "PipelineStopped",
    "ProgramNotFound",
    "SessionNotOpen",
    "connecting_timed_out",
    "in_words",
    "negotiation_failed",
    "noise_instead_of_packets",
    "not_recognized",
    "opening_failed",
    "process_ended",
    "process_reported",
    "protocol_broken",
    "stopped_record",
]

OPEN_FAILED = "PSSessionOpenFailed"
"""What New-PSSession says of a session that could not be opened."""
STATE_BROKEN = "PSSessionStateBroken"
"""What Invoke-Command says of the same."""
JOB_FAILURE = "JobFailure"
"""What Invoke-Command says when the session breaks under a running command."""

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
    """Anything that ends or prevents remote work. ``error_id`` is the FullyQualifiedErrorId."""

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
        """The computer that it is about; empty when no connection was thought of yet."""
        if error_id is not None:
            self.error_id = error_id
        if category is not None:
            self.category = category
        self.notices: tuple[str, ...] = ()
        """What the transport printed beside the protocol: the lines of ssh, a banner."""

    def to_record(self, activity: str = "") -> ErrorRecord:
        """As the record that a command named ``activity`` would write."""
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
    """The way to the other side could not be opened, or broke."""

    error_id = OPEN_FAILED
    category = ErrorCategory.OpenError
    exception_type = _TRANSPORT
    _target_name = _RUNSPACE
    _target_type = "RemoteRunspace"

    def told_by(self, error_id: str) -> PSRemotingTransportError:
        """The same failure with the id of another command: `STATE_BROKEN` for Invoke-Command.

        A `JOB_FAILURE` stands alone, as there.
        """
        under_way = error_id == JOB_FAILURE
        code = "" if under_way else self.error_id.rpartition(",")[0]
        made = PSRemotingTransportError(
            self.message,
            error_id=f"{code},{error_id}" if code else error_id,
            category=ErrorCategory.OperationStopped if under_way else self.category,
            computer=self.computer,
        )
        made.__cause__ = self.__cause__
        made.notices = self.notices
        return made


class OpenTimeout(PSRemotingTransportError):
    """The session did not open in the time that was given for it."""


class OperationTimeout(PSRemotingError):
    """A command, or an answer, took longer than it was given."""

    error_id = "OperationTimeout"
    category = ErrorCategory.OperationTimeout
    exception_type = "System.TimeoutException"


class CancelTimeout(OperationTimeout):
    """The other side did not stop a command in the time that was given for it."""


class SessionNotOpen(PSRemotingError):
    """Something was asked of a session that is not open (any more)."""

    error_id = "InvalidSessionState"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.Management.Automation.Runspaces.InvalidRunspaceStateException"


class InvalidComputerName(PSRemotingError):
    """A host name that is none, or that ssh would take for an option."""

    error_id = "PSSessionInvalidComputerName"
    category = ErrorCategory.InvalidArgument
    exception_type = "System.ArgumentException"

    def __init__(self, name: str) -> None:
        super().__init__(
            "One or more computer names are not valid. If you are trying to pass a URI, use the "
            "-ConnectionUri parameter, or pass URI objects instead of strings."
        )
        self.name = name


class KeyFileNotFound(PSRemotingError):
    """The private key for ssh is not where it was said to be."""

    error_id = "PathNotFound"
    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.ItemNotFoundException"

    def __init__(self, path: str) -> None:
        super().__init__(f"Cannot find path '{path}' because it does not exist.")
        self.path = path


class ProgramNotFound(PSRemotingTransportError):
    """There is no ssh, or no such local command."""

    error_id = f"CommandNotFoundException,{OPEN_FAILED}"
    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.CommandNotFoundException"

    def __init__(self, name: str, computer: str = "") -> None:
        super().__init__(not_recognized(name), computer=computer)
        self.name = name


class PipelineFailed(PSRemotingError):
    """A remote command ended with a terminating error; ``record`` is what it said."""

    def __init__(self, record: ErrorRecord, computer: str = "") -> None:
        category = record.category
        super().__init__(
            record.message,
            error_id=record.fully_qualified_error_id,
            category=category if isinstance(category, ErrorCategory) else None,
            computer=computer,
        )
        self.record = record

    def to_record(self, activity: str = "") -> ErrorRecord:
        return self.record


class PipelineStopped(PipelineFailed):
    """A remote command was stopped, by us or over there."""

    def __init__(self, record: ErrorRecord | None = None, computer: str = "") -> None:
        super().__init__(record or stopped_record(_STOPPED), computer)


_STOPPED = "The remote pipeline has been stopped."


# -- the transport failures that the real client words in its own way


def process_ended(computer: str, *, ssh: bool, reason: str = "") -> PSRemotingTransportError:
    """The transport ended although nobody had closed the session."""
    if ssh:
        text = (
            "The SSH client session has ended with error message: The SSH transport process has "
            "abruptly terminated causing this remote session to break."
        )
        return PSRemotingTransportError(text, computer=computer)
    return PSRemotingTransportError(
        f"The background process closed or ended abnormally: {reason or 'no more data'}.",
        error_id=f"2101,{OPEN_FAILED}",
        computer=computer,
    )


def noise_instead_of_packets(computer: str, text: str) -> PSRemotingTransportError:
    """Nothing came but text that is no packet: a banner, a shell that is no subsystem."""
    return PSRemotingTransportError(
        f"There is an error processing data from the background process. Error reported: {text}.",
        error_id=f"2102,{OPEN_FAILED}",
        computer=computer,
    )


def process_reported(computer: str, text: str) -> PSRemotingTransportError:
    """The server wrote an error among its packets and gave up."""
    return PSRemotingTransportError(
        f"The background process reported an error with the following message: {text}.",
        error_id=f"2100,{OPEN_FAILED}",
        computer=computer,
    )


def connecting_timed_out(computer: str, seconds: float, *, ssh: bool) -> OpenTimeout:
    """ConnectingTimeout or OpenTimeout is over."""
    if ssh:
        # In whole seconds, as there.
        text = f"SSH connection attempt failed after time out: {int(seconds)} seconds."
    else:
        text = f"The session did not open within {seconds:g} seconds."
    return OpenTimeout(text, computer=computer)


_NEGOTIATED = re.compile(
    r"negotiated (?:protocol version|(PSVersion|SerializationVersion)) (\S+?);"
)


def negotiation_failed(
    computer: str, error: RemoteProtocolError, own: str
) -> PSRemotingTransportError:
    """The server's capability is one that we cannot take."""
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


def in_words(error: Exception) -> str:
    """What PowerShell's client says of such a fault, and ours behind it; else ours alone."""
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


def opening_failed(computer: str, state: str, why: str = "") -> PSRemotingTransportError:
    """The pool came into ``state`` instead of Opened, without a word from the server.

    ``why`` is what we make of it.
    """
    text = f"Opening the remote session failed with an unexpected state. State {state}."
    return PSRemotingTransportError(f"{text} ({why})" if why else text, computer=computer)


def protocol_broken(computer: str, error: Exception) -> PSRemotingTransportError:
    """The server broke a rule of the protocol, and nothing it says can be trusted any more."""
    made = PSRemotingTransportError(in_words(error), computer=computer)
    made.__cause__ = error
    return made
