"""What PowerShell says in the same words on both sides."""

from __future__ import annotations

from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["not_recognized", "stopped_record"]


def not_recognized(name: str) -> str:
    """Of a command that is not found."""
    return (
        f"The term '{name}' is not recognized as a name of a cmdlet, function, script file, or "
        "executable program.\nCheck the spelling of the name, or if a path was included, verify "
        "that the path is correct and try again."
    )


def stopped_record(text: str = "The pipeline has been stopped.") -> ErrorRecord:
    """What a stopped pipeline ends with, in the words of who tells it.
    [ref] outofproc/probes/close-while-running"""
    return ErrorRecord.create(
        text,
        error_id="PipelineStopped",
        category=ErrorCategory.OperationStopped,
        exception_type="System.Management.Automation.PipelineStoppedException",
    )
