"""The client of a session, as `$PSSenderInfo` describes it.

Facts: spec-notes/wsman-service.md#sender
"""

from __future__ import annotations

import os
import re

from psrp.frozen import dataclass

__all__ = ["LOCAL_CONNECTION", "Sender", "local_sender"]

LOCAL_CONNECTION = "http://localhost"
"""The ConnectionString of a PowerShell that serves its standard input."""
_CULTURE = re.compile(r"([A-Za-z]{2,3})((?:-[A-Za-z0-9]{2,8}){0,2})", re.ASCII)
_LONGEST = 2048
"""Characters of one environment variable; some values are the client's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The connected user, authentication and address, by the names of `$PSSenderInfo`."""

    user_name: str
    """UserInfo.Identity.Name and ConnectedUser: the account, or the Kerberos principal."""
    authentication_type: str = ""
    """UserInfo.Identity.AuthenticationType: ``Basic``, ``NTLM``, ``Kerberos``, ``CredSSP`` or
    ``Certificate``; empty if the carrier did not authenticate the client."""
    connection_string: str = LOCAL_CONNECTION
    """The URL that the client used."""
    configuration_name: str = ""
    """The session configuration that the client asked for."""
    address: str = ""
    """The client's network address; empty without a network."""
    culture: str = ""
    """The name of the client's culture, such as ``de-DE``; empty if it sent none."""

    def environment(self) -> dict[str, str]:
        """Return the environment variables for a process that works for this client; empty if the
        carrier did not authenticate it."""
        if not self.authentication_type:
            return {}
        values = {
            "PSRP_SENDER_USER": self.user_name,
            "PSRP_SENDER_AUTHENTICATION": self.authentication_type,
            "PSRP_SENDER_CONNECTION": self.connection_string,
            "PSRP_SENDER_CONFIGURATION": self.configuration_name,
            "PSRP_SENDER_ADDRESS": self.address,
        }
        made = {name: value.replace("\0", "")[:_LONGEST] for name, value in values.items()}
        if found := _CULTURE.fullmatch(self.culture):
            parts = found[2].split("-")[1:]
            region = [each.upper() if len(each) == 2 else each for each in parts]
            # .NET takes its culture from here; to other programs it is the language of messages.
            made["LC_MESSAGES"] = "_".join([found[1].lower(), *region]) + ".UTF-8"
        return made


def local_sender() -> Sender:
    """Return the sender of a carrier that authenticates nobody: the user of this process."""
    return Sender(user_name=_process_user())


def _process_user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return os.environ.get("USERNAME", "")
