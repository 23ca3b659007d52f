"""The context of a command that is a plain function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from psremoting.endpoint.context import Context
    from psremoting.endpoint.sender import Sender
    from psremoting.endpoint.threads import ThreadSide
    from psrp.clixml import SecureString
    from psrp.host import (
        ChoiceDescription,
        ConsoleColor,
        Credential,
        HostInfo,
        HostMethodId,
        KeyInfo,
    )
    from psrp.records import ErrorCategory, ErrorRecord

__all__ = ["SyncContext"]

T = TypeVar("T")


class SyncContext:
    """`psremoting.endpoint.context.Context` for a function in a thread; see there."""

    def __init__(self, context: Context, side: ThreadSide) -> None:
        self._context = context
        self._side = side
        self.command = context.command

    @property
    def host(self) -> HostInfo:
        return self._context.host

    @property
    def has_host(self) -> bool:
        return self._context.has_host

    @property
    def verbose(self) -> bool:
        return self._context.verbose

    @property
    def application_arguments(self) -> Any:
        return self._context.application_arguments

    @property
    def sender(self) -> Sender:
        return self._context.sender

    def _named(self, function: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> T:
        async def run() -> T:
            return await function(*arguments, **named)

        return self._side.ask(run)

    def write(self, value: Any) -> None:
        self._side.put(value)

    def write_error(
        self,
        error: str | BaseException | ErrorRecord,
        *,
        error_id: str = "",
        category: ErrorCategory | None = None,
        target: Any = None,
    ) -> None:
        named = {} if category is None else {"category": category}
        self._named(self._context.write_error, error, error_id=error_id, target=target, **named)

    def write_warning(self, text: str) -> None:
        self._side.ask(self._context.write_warning, text)

    def write_verbose(self, text: str) -> None:
        self._side.ask(self._context.write_verbose, text)

    def write_debug(self, text: str) -> None:
        self._side.ask(self._context.write_debug, text)

    def write_information(self, data: Any, *tags: str) -> None:
        self._side.ask(self._context.write_information, data, *tags)

    def write_host(
        self,
        text: str = "",
        *,
        foreground: ConsoleColor | None = None,
        background: ConsoleColor | None = None,
        no_newline: bool = False,
    ) -> None:
        self._named(
            self._context.write_host,
            text,
            foreground=foreground,
            background=background,
            no_newline=no_newline,
        )

    def write_progress(self, activity: str, status: str = "Processing", **details: Any) -> None:
        self._named(self._context.write_progress, activity, status, **details)

    def call_host(self, method: HostMethodId, *arguments: Any) -> Any:
        return self._side.ask(self._context.call_host, method, *arguments)

    def ask(self, prompt: str) -> str:
        return self._side.ask(self._context.ask, prompt)

    def ask_secret(self, prompt: str) -> SecureString:
        return self._side.ask(self._context.ask_secret, prompt)

    def read_line(self) -> str:
        return self._side.ask(self._context.read_line)

    def read_secure(self) -> SecureString:
        return self._side.ask(self._context.read_secure)

    def choose(
        self,
        caption: str,
        message: str,
        choices: Sequence[str | ChoiceDescription],
        default: int = 0,
    ) -> int:
        return self._side.ask(self._context.choose, caption, message, choices, default)

    def prompt_credential(
        self, message: str = "Enter your credentials.", **named: Any
    ) -> Credential:
        return self._named(self._context.prompt_credential, message, **named)

    def read_key(self, options: int = 6) -> KeyInfo:
        return self._side.ask(self._context.read_key, options)

    def confirm(self, action: str, target: str) -> bool:
        return self._side.ask(self._context.confirm, action, target)

    def set_window_title(self, title: str) -> None:
        self._side.ask(self._context.set_window_title, title)
