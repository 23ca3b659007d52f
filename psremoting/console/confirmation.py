"""-WhatIf, -Confirm and -Verbose of commands that change something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psremoting.console.error_reports import CommandFailure
from psremoting.console.parameter_types import parameter
from psremoting.powershell.parameters import Parameter
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from psremoting.console.calls import Call

__all__ = ["Confirmation", "confirming_parameters", "show_verbose", "show_warning"]

_CHOICES = "[Y] Yes  [A] Yes to All  [N] No  [L] No to All  [S] Suspend  [?] Help"
_HELP = (
    ("Y", "Continue with only the next step of the operation."),
    ("A", "Continue with all the steps of the operation."),
    ("N", "Skip this operation and proceed with the next operation."),
    ("L", "Skip this operation and all subsequent operations."),
    ("S", 'Pause the current pipeline and return to the command prompt. Type "exit" to resume the '
     "pipeline."),
)  # fmt: skip
_ANSWERS = {
    "": "y", "y": "y", "yes": "y", "a": "a", "yes to all": "a", "n": "n", "no": "n", "l": "l",
    "no to all": "l",
}  # fmt: skip


def confirming_parameters() -> tuple[Parameter, ...]:
    """Return -WhatIf, -Confirm, -Verbose and -WarningAction."""
    return (
        parameter(
            "WhatIf", "switch", alias="wi", common=True,
            help="Show what would happen, and do nothing.",
        ),
        parameter(
            "Confirm", "switch", alias="cf", common=True, help="Ask before each change.",
        ),
        parameter(
            "Verbose", "switch", alias="vb", common=True, help="Show each change that was made.",
        ),
        parameter(
            "WarningAction", "string", alias="wa", common=True,
            values="SilentlyContinue Stop Continue Ignore",
            help="The reaction to a warning: Continue (default), or SilentlyContinue and Ignore "
            "to hide it.",
        ),
    )  # fmt: skip


class _NonInteractive(CommandFailure):
    """-Confirm has to ask, and there is no terminal to ask at."""

    error_id = "InvalidOperation"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.Management.Automation.PSInvalidOperationException"


class Confirmation:
    """The answers of one command: each operation is allowed, refused, or only shown."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._always: bool | None = None

    async def allow(self, target: str, action: str) -> bool:
        """Return whether to carry out ``action``; ask where -Confirm says so."""
        text = f'Performing the operation "{action}" on target "{target}".'
        query = f"Are you sure you want to perform this action?\n{text}"
        return await self.allow_described(text, query, "Confirm")

    async def allow_described(self, description: str, query: str, caption: str) -> bool:
        """Like `allow`, with texts of its own for -WhatIf and for the question."""
        binding, workspace = self._call.binding, self._call.workspace
        if binding["WhatIf"]:
            workspace.printer.end()
            workspace.surface.output(f"What if: {description}")
            return False
        if not binding["Confirm"]:
            return True
        if self._always is None:
            answer = await self._ask(f"\n{caption}\n{query}")
            if answer not in ("a", "l"):
                return answer == "y"
            self._always = answer == "a"
        return self._always

    async def _ask(self, head: str) -> str:
        self._call.workspace.printer.end()
        while True:
            answer = await self._call.workspace.surface.ask(
                f'{head}\n{_CHOICES} (default is "Y"): ', confirming=True
            )
            if answer is None:
                raise _NonInteractive(
                    "PowerShell is in NonInteractive mode. Read and Prompt functionality is not "
                    "available."
                )
            chosen = _ANSWERS.get(answer.strip().casefold())
            if chosen is not None:
                return chosen
            head = "\n".join(f"{key} - {text}" for key, text in _HELP)


def show_warning(call: Call, text: str) -> None:
    """Show a warning unless -WarningAction hides it."""
    action = str(call.binding["WarningAction"] or "").casefold()
    if action not in ("silentlycontinue", "ignore"):
        call.workspace.printer.end()
        call.workspace.surface.warning(text)


def show_verbose(call: Call, text: str) -> None:
    """Show what was done, with -Verbose."""
    if call.binding["Verbose"]:
        call.workspace.printer.end()
        call.workspace.surface.output(f"VERBOSE: {text}")
