"""What can be wrong with a line of the local prompt, in PowerShell's words and with its ids."""

from __future__ import annotations

from collections.abc import Sequence

from psremoting.errors import PSRemotingError, PSRemotingTransportError, not_recognized
from psrp.records import ErrorCategory

__all__ = [
    "BindingError",
    "CommandFailure",
    "CommandNotFound",
    "MissingMandatory",
    "NotBuilt",
    "ParseError",
    "SSHConnectionError",
    "WSManMissing",
]


class ParseError(PSRemotingError):
    """A text that cannot be read. ``incomplete``: more of it might make it right."""

    category = ErrorCategory.ParserError
    exception_type = "System.Management.Automation.ParentContainsErrorRecordException"

    def __init__(
        self, message: str, error_id: str, *, at: int = 0, incomplete: bool = False
    ) -> None:
        super().__init__(message, error_id=error_id)
        self.at = at
        """Characters in front of the place."""
        self.incomplete = incomplete


class CommandNotFound(PSRemotingError):
    """There is no such command here."""

    error_id = "CommandNotFoundException"
    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.CommandNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(not_recognized(name))
        self.name = name


class CommandFailure(PSRemotingError):
    """A command says what is wrong; the name of its class is added to the id when it is told."""


class BindingError(CommandFailure):
    """The arguments of a command do not fit its parameters."""

    category = ErrorCategory.InvalidArgument
    exception_type = "System.Management.Automation.ParameterBindingException"

    _TEXTS = {  # noqa: RUF012
        "AmbiguousParameter": "Parameter cannot be processed because the parameter name '{0}' is "
        "ambiguous. Possible matches include:{1}.",
        "AmbiguousParameterSet": "Parameter set cannot be resolved using the specified named "
        "parameters. One or more parameters issued cannot be used together or an insufficient "
        "number of parameters were provided.",
        "CannotConvertArgument": "Cannot convert '{0}' to the type '{1}' required by parameter "
        "'{2}'. {3}",
        "CannotConvertArgumentNoMessage": "Cannot bind parameter '{0}'. {1}",
        "InputObjectNotBound": "The input object cannot be bound to any parameters for the "
        "command either because the command does not take pipeline input or the input and its "
        "properties do not match any of the parameters that take pipeline input.",
        "MissingArgument": "Missing an argument for parameter '{0}'. Specify a parameter of type "
        "'{1}' and try again.",
        "MissingMandatoryParameter": "Cannot process command because of one or more missing "
        "mandatory parameters:{0}.",
        "NamedParameterNotFound": "A parameter cannot be found that matches parameter name '{0}'.",
        "ParameterAlreadyBound": "Cannot bind parameter because parameter '{0}' is specified more "
        "than once. To provide multiple values to parameters that can accept multiple values, use "
        'the array syntax. For example, "-parameter value1,value2,value3".',
        "ParameterArgumentTransformationError": "Cannot process argument transformation on "
        "parameter '{0}'. {1}",
        "ParameterArgumentValidationError": "Cannot validate argument on parameter '{0}'. {1}",
        "ParameterArgumentValidationErrorEmptyStringNotAllowed": "Cannot bind argument to "
        "parameter '{0}' because it is an empty string.",
        "ParameterArgumentValidationErrorNullNotAllowed": "Cannot bind argument to parameter "
        "'{0}' because it is null.",
        "PositionalParameterNotFound": "A positional parameter cannot be found that accepts "
        "argument '{0}'.",
    }

    def __init__(self, error_id: str, *words: object) -> None:
        super().__init__(self._TEXTS[error_id].format(*words), error_id=error_id)
        if error_id.startswith("ParameterArgument"):
            self.category = ErrorCategory.InvalidData
            self.exception_type = _VALIDATION
        if error_id == "ParameterArgumentTransformationError":
            self.exception_type = _TRANSFORMATION


_VALIDATION = "System.Management.Automation.ParameterBindingValidationException"
_TRANSFORMATION = "System.Management.Automation.ParameterBindingArgumentTransformationException"


class MissingMandatory(BindingError):
    """Values are missing that a person could be asked for: ``parameters``, by name."""

    def __init__(self, parameters: Sequence[str]) -> None:
        super().__init__("MissingMandatoryParameter", "".join(f" {name}" for name in parameters))
        self.parameters = tuple(parameters)


class NotBuilt(CommandFailure):
    """The parameters ask for something that this program does not have."""

    category = ErrorCategory.NotImplemented
    exception_type = "System.NotImplementedException"

    def __init__(self, what: str, instead: str = "Use -HostName to connect over SSH.") -> None:
        super().__init__(
            f"{what} is not available in this program. {instead}".rstrip(),
            error_id="CarrierNotAvailable",
        )


class WSManMissing(PSRemotingTransportError):
    """What PowerShell says where it has no WS-Man client, as on Linux and macOS."""

    error_id = "CreateRemoteRunspaceFailed"
    category = ErrorCategory.InvalidArgument

    def __init__(self) -> None:
        super().__init__(
            "This parameter set requires WSMan, and no supported WSMan client library was found. "
            "WSMan is either not installed or unavailable for this system.",
            error_id=self.error_id,
            category=self.category,
        )


class SSHConnectionError(CommandFailure):
    """A hashtable of -SSHConnection that is none."""

    error_id = "Argument"
    category = ErrorCategory.InvalidArgument
    exception_type = "System.Management.Automation.PSArgumentException"
