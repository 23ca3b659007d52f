"""Choose the class that reaches the files of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psremoting.copying.endpoint_files import EndpointFiles
from psremoting.copying.helper_files import HelperFiles
from psremoting.copying.powershell_files import PowerShellFiles
from psremoting.copying.remote_files import CopyError, RemoteFiles
from psremoting.errors import PSRemotingTransportError
from psremoting.powershell.string_conversion import to_text
from psrp.records import ErrorCategory

if TYPE_CHECKING:
    from psremoting.session import PSSession

__all__ = ["files_of"]

_LANGUAGE = "$ExecutionContext.SessionState.LanguageMode"
_OURS, _HELPER = "Write-EndpointFile", "PSCopyToSessionHelper"


class _NotAllowed(CopyError):
    error_id = "SessionIsNotInFullLanguageMode"
    category = ErrorCategory.InvalidOperation
    exception_type = "System.InvalidOperationException"


async def files_of(session: PSSession) -> RemoteFiles:
    """Return the way to the files of ``session``.

    Raises CopyError if its configuration lets clients copy no files, and
    PSRemotingTransportError if the session is lost.
    """
    asked = await session.run(_LANGUAGE, as_script=True)
    _check_connection(asked.error)
    mode = "NoLanguage" if asked.had_errors or not asked.output else to_text(asked.output[0])
    if mode == "FullLanguage":
        return PowerShellFiles(session)
    for name, kind in ((_OURS, EndpointFiles), (_HELPER, HelperFiles)):
        found = await session.call("Get-Command", name)
        _check_connection(found.error)
        if found.output and not found.had_errors:
            return kind(session)
    raise _NotAllowed(
        f"Cannot perform operation because the session LanguageMode is set to {mode}. "
        "The endpoint offers no folder for files."
    )


def _check_connection(error: Exception | None) -> None:
    if isinstance(error, PSRemotingTransportError):
        raise error
