"""The streams and the host of a running command.

A function that has a parameter annotated `Context` (``async def``) or `SyncContext` (``def``, it
runs in a thread) gets one. Both have the same methods; those of `Context` are awaited.

Every displayed text is sent twice, as in PowerShell: as a record, and as a call of the client's
host that shows it; a client without a host gets only the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from psremoting.endpoint.error_records import CommandError, record_of
from psremoting.endpoint.outputs import as_clixml
from psrp.clixml import PSObject, SecureString
from psrp.host import (
    ChoiceDescription,
    ConsoleColor,
    Credential,
    FieldDescription,
    HostInfo,
    HostMethodId,
    KeyInfo,
)
from psrp.records import ErrorCategory, ErrorRecord, ProgressRecord, ProgressType

if TYPE_CHECKING:
    from psremoting.endpoint.interfaces import RunningCommand
    from psremoting.endpoint.sender import Sender

__all__ = ["Context"]

_CREDENTIAL_CAPTION = "PowerShell credential request"
_STRING = ("String", "System.String")
_SECRET = ("SecureString", "System.Security.SecureString")


class Context:
    """A running command and its client."""

    def __init__(self, stage: RunningCommand) -> None:
        self._stage = stage
        self.command = stage.name
        """The name by which the command was called."""

    @property
    def host(self) -> HostInfo:
        """The client's description of its host, with the sizes of its window."""
        return self._stage.pipeline.host

    @property
    def has_host(self) -> bool:
        """True if the client has a host that shows texts and answers questions."""
        return self._stage.pipeline.has_host

    @property
    def verbose(self) -> bool:
        """True if -Verbose was given; `write_verbose` does nothing otherwise."""
        return self._stage.actions.verbose

    @property
    def application_arguments(self) -> Any:
        """The application arguments that the client sent when it opened the session, or None."""
        return self._stage.pipeline.session.pool.application_arguments

    @property
    def sender(self) -> Sender:
        """The client of this session: account, authentication, connection; see `Sender`."""
        return self._stage.pipeline.session.sender

    @property
    def stage(self) -> RunningCommand:
        """The command in its pipeline, for commands that are part of the endpoint."""
        return self._stage

    # -- streams

    async def write(self, value: Any) -> None:
        """Write one object to the pipeline; a list stays one object."""
        await self._stage.put(as_clixml(value))

    async def write_error(
        self,
        error: str | BaseException | ErrorRecord,
        *,
        error_id: str = "",
        category: ErrorCategory = ErrorCategory.NotSpecified,
        target: Any = None,
    ) -> None:
        """Write an error and go on, unless the client asked for -ErrorAction Stop."""
        if isinstance(error, str):
            error = CommandError(
                error,
                error_id=error_id or "Microsoft.PowerShell.Commands.WriteErrorException",
                category=category,
                exception_type="Microsoft.PowerShell.Commands.WriteErrorException",
                target=target,
                activity="Write-Error",
            )
        record = error if isinstance(error, ErrorRecord) else record_of(error, self.command)
        await self._stage.error(record)

    async def write_warning(self, text: str) -> None:
        await self._stage.warning(text)

    async def write_verbose(self, text: str) -> None:
        """Write a verbose message; it is sent only if -Verbose was given."""
        await self._stage.verbose(text)

    async def write_debug(self, text: str) -> None:
        """Write a debug message; it is sent only if -Debug was given."""
        await self._stage.debug(text)

    async def write_information(self, data: Any, *tags: str) -> None:
        """Write an information record; it is shown only with -InformationAction Continue."""
        await self._stage.information(as_clixml(data), tags, "Write-Information")

    async def write_host(
        self,
        text: str = "",
        *,
        foreground: ConsoleColor | None = None,
        background: ConsoleColor | None = None,
        no_newline: bool = False,
    ) -> None:
        """Show a text on the host, and write it as an information record."""
        await self._stage.write_host(text, foreground, background, no_newline)

    async def write_progress(
        self,
        activity: str,
        status: str = "Processing",
        *,
        percent: int = -1,
        seconds_remaining: int = -1,
        operation: str | None = None,
        id: int = 0,
        parent_id: int = -1,
        completed: bool = False,
    ) -> None:
        """Report progress; ``percent`` and ``seconds_remaining`` are -1 when unknown."""
        record = ProgressRecord(
            activity=activity,
            activity_id=id,
            status=status,
            current_operation=operation,
            parent_activity_id=parent_id,
            percent_complete=percent,
            seconds_remaining=seconds_remaining,
            type=ProgressType.Completed if completed else ProgressType.Processing,
        )
        await self._stage.progress(record)

    # -- the host

    async def call_host(self, method: HostMethodId, *arguments: Any) -> Any:
        """Call any method of the client's host.

        Raises CommandError if there is no host or if it answers with an error.
        """
        await self._stage.settled()
        return await self._stage.pipeline.call_host(method, arguments)

    async def ask(self, prompt: str) -> str:
        """Ask for a line, as ``Read-Host PROMPT`` does."""
        answer = await self._prompt("", "", prompt, _STRING)
        return _text(answer)

    async def ask_secret(self, prompt: str) -> SecureString:
        """Ask for a line without echo, as ``Read-Host PROMPT -AsSecureString`` does."""
        return _secret(await self._prompt("", "", prompt, _SECRET))

    async def _prompt(self, caption: str, message: str, name: str, kind: tuple[str, str]) -> Any:
        field = FieldDescription(
            name=name,
            parameter_type_name=kind[0],
            parameter_type_full_name=kind[1],
            parameter_assembly_full_name=kind[1],
        )
        answers = await self.call_host(HostMethodId.Prompt, caption, message, (field,))
        if not isinstance(answers, dict):
            raise _no_answer()
        return answers.get(name)

    async def read_line(self) -> str:
        """Read a line without a prompt."""
        return _text(await self.call_host(HostMethodId.ReadLine))

    async def read_secure(self) -> SecureString:
        """Read a line without echo and without a prompt."""
        return _secret(await self.call_host(HostMethodId.ReadLineAsSecureString))

    async def choose(
        self,
        caption: str,
        message: str,
        choices: Sequence[str | ChoiceDescription],
        default: int = 0,
    ) -> int:
        """Return the index of the choice that the user takes; ``&`` in a label marks its key."""
        labels = tuple(
            each if isinstance(each, ChoiceDescription) else ChoiceDescription(each)
            for each in choices
        )
        answer = await self.call_host(
            HostMethodId.PromptForChoice, caption, message, labels, default
        )
        if not isinstance(answer, int) or not 0 <= answer < len(labels):
            raise _no_answer()
        return answer

    async def prompt_credential(
        self,
        message: str = "Enter your credentials.",
        *,
        user_name: str = "",
        target: str = "",
        caption: str = _CREDENTIAL_CAPTION,
    ) -> Credential:
        """Ask for a name and a password, as Get-Credential does."""
        answer = await self.call_host(
            HostMethodId.PromptForCredential2, caption, message, user_name, target, 3, 1
        )
        if not isinstance(answer, Credential):
            raise _no_answer()
        return answer

    async def read_key(self, options: int = 6) -> KeyInfo:
        """Read one key; ``options`` has the bits of ReadKeyOptions (NoEcho 2, IncludeKeyDown 4,
        IncludeKeyUp 8)."""
        answer = await self.call_host(HostMethodId.ReadKey, options)
        if not isinstance(answer, KeyInfo):
            raise _no_answer()
        return answer

    async def confirm(self, action: str, target: str) -> bool:
        """Ask for confirmation, as a command with -Confirm does."""
        choices = (
            ChoiceDescription("&Yes", "Continue with only the next step of the operation."),
            ChoiceDescription("&No", "Skip this operation and proceed with the next operation."),
        )
        question = (
            "Are you sure you want to perform this action?\n"
            f'Performing the operation "{action}" on target "{target}".'
        )
        return await self.choose("Confirm", question, choices) == 0

    async def set_window_title(self, title: str) -> None:
        await self._stage.settled()
        await self._stage.pipeline.tell_host(HostMethodId.SetWindowTitle, (title,))


def _text(answer: Any) -> str:
    if not isinstance(answer, str):
        raise _no_answer()
    return str.__str__(answer)


def _secret(answer: Any) -> SecureString:
    if isinstance(answer, PSObject):
        answer = answer.value
    if not isinstance(answer, SecureString):
        raise _no_answer()
    return answer


def _no_answer() -> CommandError:
    return CommandError(
        "The host gave no answer that this command can use.",
        error_id="HostAnswerNotUsable",
        category=ErrorCategory.InvalidResult,
        exception_type="System.Management.Automation.Host.HostException",
    )
