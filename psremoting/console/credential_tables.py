"""The table of Get-Credential."""

from __future__ import annotations

from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.parameters import CommandTable

__all__ = ["GET_CREDENTIAL"]

_GIVEN, _ASKED = "CredentialSet", "MessageSet"

GET_CREDENTIAL = CommandTable(
    name="Get-Credential",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.GetCredentialCommand",
    synopsis="Gets a credential: a user name and a password.",
    default_set=_GIVEN,
    aliases=(),
    parameters=(
        parameter("Credential", "credential", {_GIVEN: "0"}, help="The user name."),
        parameter("UserName", "string", {_ASKED: "0"}, help="The user name."),
        parameter("Message", "string", {_ASKED: ""}, help="The text above the questions."),
        parameter("Title", "string", {_ASKED: ""}, help="The first line of the question."),
        *common_parameters(),
    ),
    examples=(
        ("$c = Get-Credential LAB\\anna", "Ask for a password."),
        ("Enter-PSSession -ComputerName server01 -Credential $c", "Use the credential."),
    ),
)
