"""The errors of evaluating an expression."""

from __future__ import annotations

from psremoting.errors import PSRemotingError
from psrp.records import ErrorCategory

__all__ = ["EvaluationError", "Unsupported"]


class Unsupported(PSRemotingError):
    """An expression that only a full PowerShell can evaluate. ``reason`` is a noun phrase."""

    error_id = "NotSupported"
    category = ErrorCategory.NotImplemented

    def __init__(self, reason: str) -> None:
        super().__init__(f"Only PowerShell itself can evaluate this: {reason}.")
        self.reason = reason


class EvaluationError(PSRemotingError):
    """An expression that fails in PowerShell too, with PowerShell's error id and message."""

    category = ErrorCategory.InvalidOperation
    exception_type = "System.Management.Automation.RuntimeException"

    def __init__(self, message: str, error_id: str = "RuntimeException") -> None:
        super().__init__(message, error_id=error_id)
