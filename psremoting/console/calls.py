"""One running command of the local prompt: its arguments, input and output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psremoting.errors import PSRemotingError
from psremoting.powershell.binder import Binding, Complete, Given, bind, bind_input
from psremoting.powershell.binding_errors import BindingError, MissingMandatory
from psremoting.powershell.parameters import CommandTable
from psrp.records import ErrorRecord

if TYPE_CHECKING:
    from psremoting.console.workspace import Workspace

__all__ = ["Call", "Emit", "Implementation", "StopScript"]

Emit = Callable[[Any], None]


class StopScript(Exception):
    """End of a text by -ErrorAction Stop."""


class Call:
    """One command of a pipeline. ``inputs`` is None without pipeline input."""

    def __init__(
        self,
        workspace: Workspace,
        table: CommandTable,
        arguments: Sequence[Given],
        inputs: list[Any] | None,
        emit: Emit,
        position: int,
        run_block: Callable[[str, Emit], Awaitable[None]],
    ) -> None:
        self.workspace = workspace
        self.table = table
        self.inputs = inputs
        self.arguments = list(arguments)
        self.binding = Binding(table)
        self.run_block = run_block
        """Runs the text of a script block at this prompt."""
        self._emit = emit
        self._position = position
        self._kept: list[ErrorRecord] = []
        self._passed: list[Any] = []

    # -- arguments

    async def bind(self, complete: Complete | None = None) -> None:
        """Bind the arguments. At a terminal, ask for missing values. Raises BindingError."""
        while True:
            try:
                self.binding = bind(
                    self.table,
                    self.arguments,
                    expects_input=self.inputs is not None,
                    complete=complete,
                )
                return
            except MissingMandatory as missing:
                if not await self._ask(missing):
                    raise

    async def _ask(self, missing: MissingMandatory) -> bool:
        surface = self.workspace.surface
        head = (
            f"cmdlet {self.table.name} at command pipeline position {self._position}\n"
            "Supply values for the following parameters:\n"
        )
        for name in missing.parameters:
            answer = await surface.ask(f"{head}{name}: ")
            head = ""
            if answer is None:
                return False
            self.arguments.append(Given(name, answer))
        return True

    def each(self) -> Iterator[Binding]:
        """Yield the binding for each pipeline object, or the only one without input."""
        if self.inputs is None:
            yield self.binding
            return
        for value in self.inputs:
            try:
                bound = bind_input(self.binding, value)
            except BindingError as error:
                self.fail(error)
                continue
            yield bound

    # -- output and errors

    def emit(self, value: Any) -> None:
        self._passed.append(value)
        self._emit(value)

    def fail(self, error: PSRemotingError) -> None:
        """Write an error. Raises StopScript with -ErrorAction Stop."""
        self.write_error(self.workspace.record_of(error, self.table.name, self.table.class_name))

    def write_error(self, record: ErrorRecord, computer: str = "") -> None:
        action = str(self.binding["ErrorAction"] or "Continue").casefold()
        self._kept.append(record)
        self.workspace.succeeded = False
        if action == "ignore":
            return
        if action == "silentlycontinue":
            self.workspace.keep_error(record)
        else:
            self.workspace.write_error(record, computer)
        if action == "stop":
            raise StopScript

    def finish(self) -> None:
        """Set the variables that -ErrorVariable and -OutVariable name."""
        for name, values in (("ErrorVariable", self._kept), ("OutVariable", self._passed)):
            variable = self.binding[name]
            if variable:
                self.workspace.set_variable(variable, list(values))


Implementation = Callable[[Call], Awaitable[None]]
