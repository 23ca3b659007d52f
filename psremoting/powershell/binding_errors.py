"""Errors of parameter binding, with PowerShell's texts and ids."""

from __future__ import annotations

from collections.abc import Sequence

from psremoting.errors import PSRemotingError
from psrp.records import ErrorCategory

__all__ = ["BindingError", "MissingMandatory"]

_SMA = "System.Management.Automation."
_TEXTS = {
    "AmbiguousParameter": "Parameter cannot be processed because the parameter name '{0}' is "
    "ambiguous. Possible matches include:{1}.",
    "AmbiguousParameterSet": "Parameter set cannot be resolved using the specified named "
    "parameters. One or more parameters issued cannot be used together or an insufficient "
    "number of parameters were provided.",
    "CannotConvertArgument": "Cannot convert '{0}' to the type '{1}' required by parameter "
    "'{2}'. {3}",
    "CannotConvertArgumentNoMessage": "Cannot bind parameter '{0}'. {1}",
    "InputObjectMissingMandatory": "The input object cannot be bound because it did not contain "
    "the information required to bind all mandatory parameters:  {0}",
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
    "ParameterArgumentValidationErrorEmptyArrayNotAllowed": "Cannot bind argument to parameter "
    "'{0}' because it is an empty array.",
    "ParameterArgumentValidationErrorEmptyStringNotAllowed": "Cannot bind argument to "
    "parameter '{0}' because it is an empty string.",
    "ParameterArgumentValidationErrorNullNotAllowed": "Cannot bind argument to parameter "
    "'{0}' because it is null.",
    "PositionalParameterNotFound": "A positional parameter cannot be found that accepts "
    "argument '{0}'.",
}


class BindingError(PSRemotingError):
    """The arguments of a command do not fit its parameters.

    ``error_id`` is a key of the table of texts; the command's name is added when it is reported.
    """

    category = ErrorCategory.InvalidArgument
    exception_type = _SMA + "ParameterBindingException"

    def __init__(self, error_id: str, *words: object) -> None:
        super().__init__(_TEXTS[error_id].format(*words), error_id=error_id)
        self.argument: int | None = None
        """Index of the invalid argument of the command, if any."""
        if error_id.startswith("ParameterArgument"):
            self.category = ErrorCategory.InvalidData
            self.exception_type = _SMA + "ParameterBindingValidationException"
        if error_id == "ParameterArgumentTransformationError":
            self.exception_type = _SMA + "ParameterBindingArgumentTransformationException"


class MissingMandatory(BindingError):
    """Mandatory parameters have no value; ``parameters`` are their names."""

    def __init__(self, parameters: Sequence[str]) -> None:
        super().__init__("MissingMandatoryParameter", "".join(f" {name}" for name in parameters))
        self.parameters = tuple(parameters)
