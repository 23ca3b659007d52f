"""Failures of an operation: a fault of the server, or no usable answer.

Both have a Windows error code, so that a user sees PowerShell's error id for either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psrp.sansio import RemoteProtocolError

if TYPE_CHECKING:
    from wsman.soap import Fault

__all__ = ["TransportFailure", "WSManError", "WSManFault", "error_id"]

CANNOT_CONNECT = 0x80338012
URL_NOT_AVAILABLE = 0x80338113
SERVICE_UNAVAILABLE = 0x80338112
OPERATION_TIMEOUT = 0x80338126
HTTP_ERROR = 0x80338170
REDIRECT_REQUIRED = 0x80338199
REDIRECT_INVALID = 0x803381B7
COMPUTER_NOT_FOUND = 0x803381B9
TOO_LARGE = 0x8033802D
ACCESS_DENIED = 5

BY_STATUS: dict[int, tuple[int, str]] = {
    400: (HTTP_ERROR, "the server could not read the request (HTTP 400)"),
    401: (ACCESS_DENIED, "Access is denied."),
    403: (HTTP_ERROR, "the server refuses this URL (HTTP 403)"),
    404: (URL_NOT_AVAILABLE, "no WS-Management service has this URL (HTTP 404)"),
    407: (HTTP_ERROR, "the proxy requires authentication (HTTP 407)"),
    411: (HTTP_ERROR, "the server requires a Content-Length (HTTP 411)"),
    413: (TOO_LARGE, "the request is larger than the server accepts (HTTP 413)"),
    503: (SERVICE_UNAVAILABLE, "the service is not available (HTTP 503)"),
}
"""HTTP status to code and text, for answers without an envelope."""


class WSManError(RemoteProtocolError):
    """An operation failed.

    ``code`` is an unsigned Windows code or None, ``subcode`` the SOAP subcode without prefix or
    empty, ``message`` the text for a user.
    """

    code: int | None
    subcode: str
    message: str

    def error_id(self, default: str) -> str:
        """Return the FullyQualifiedErrorId, such as ``AccessDenied,PSSessionOpenFailed``."""
        return error_id(self.code or 0, default)


class WSManFault(WSManError):
    """The server answered with a SOAP fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.code = fault.wsman_code
        self.subcode = fault.subcode
        self.message = fault.message or fault.reason or fault.subcode or "fault without a text"
        super().__init__(self.message)


class TransportFailure(WSManError):
    """No usable answer was received.

    ``sent`` is true if the request may have reached the server, ``partial`` if part of the answer
    was received. ``status`` is the HTTP status, or 0. ``final`` means that repeating the request is
    useless or harmful, as with a wrong password. ``location`` is the URL of a redirect.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = CANNOT_CONNECT,
        sent: bool = False,
        partial: bool = False,
        status: int = 0,
        final: bool = False,
        location: str = "",
    ) -> None:
        self.code = code
        self.subcode = ""
        self.message = message
        self.sent = sent
        self.partial = partial
        self.status = status
        self.final = final
        self.location = location
        super().__init__(message)

    @classmethod
    def of_status(cls, status: int) -> TransportFailure:
        """Return the failure for an HTTP answer without an envelope."""
        code, text = BY_STATUS.get(status, (HTTP_ERROR, f"the server answered HTTP {status}"))
        # The server has refused requests with these statuses before acting on them.
        refused = status in (400, 401, 403, 404, 407, 411, 413, 503)
        return cls(text, code=code, sent=not refused, status=status)


_ERROR_IDS: dict[int, str] = {
    5: "AccessDenied",
    14: "ServerOutOfMemory",
    53: "NetworkPathNotFound",
    995: "WinRMOperationAborted",
    1115: "ShutDownInProgress",
    1311: "AuthenticationFailed",
    1326: "LogonFailure",
    1722: "ImproperResponse",
    -2141974624: "IncorrectProtocolVersion",
    -2144108103: "ComputerNotFound",
    -2144108250: "WinRMOperationTimeout",
    -2144108269: "URLNotAvailable",
    -2144108526: "CannotConnect",
    -2144108485: "InvalidResourceUri",
    -2144108542: "InvalidResourceUri",
    -2144108083: "CannotConnectAlreadyConnected",
    -2144108274: "InvalidAuthentication",
    -2144108080: "CannotConnectInvalidOperation",
    -2144108090: "CannotConnectMismatchSessions",
    -2144108065: "CannotConnectRunAsFailed",
    -2144108094: "SessionCreateFailedInvalidName",
    -2144108453: "CannotConnectTargetSessionDoesNotExist",
    -2144108116: "RemoteSessionDisallowed",
    -2144108061: "RemoteConnectionDisallowed",
    -2144108539: "CorruptedWinRMConfig",
    -2144108499: "URIExceedsMaxAllowedSize",
    -2144108318: "ClientKerberosDisabled",
    -2144108316: "ServerNotTrusted",
    -2144108276: "WorkgroupCannotUseKerberos",
    -2144108315: "ExplicitCredentialsRequired",
    -2144108105: "RedirectLocationInvalid",
    -2144108135: "RedirectInformationRequired",
    -2144108428: "WinRMOperationNotSupportedOnServer",
    -2144108270: "CannotConnectWinRMService",
    -2144108176: "WinRMHttpError",
    -2146893053: "TargetUnknown",
    -2144108101: "CannotUseIPAddress",
}
"""Signed code to the leading part of PowerShell's FullyQualifiedErrorId."""


def error_id(code: int, default: str) -> str:
    """Return the FullyQualifiedErrorId of a code, signed or unsigned; 0 is "no code"."""
    signed = code - (1 << 32) if code >= 1 << 31 else code
    if not signed:
        return default
    return f"{_ERROR_IDS.get(signed, signed)},{default}"
