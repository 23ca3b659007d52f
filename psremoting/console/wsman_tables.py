# table: the parameters of the commands for sessions over WS-Man, one row for each.
"""New-PSSessionOption, and Connect-, Disconnect- and Receive-PSSession."""

from __future__ import annotations

from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.parameters import CommandTable, Parameter

__all__ = ["CONNECT", "DISCONNECT", "NEW_OPTION", "RECEIVE"]

_CN, _URI = "ComputerName", "ConnectionUri"
_CN_BY_ID, _URI_BY_ID = "ComputerNameGuid", "ConnectionUriGuid"
_REMOTE = (_CN, _CN_BY_ID, _URI, _URI_BY_ID)


def _where(kind: str) -> tuple[Parameter, ...]:
    several = "[]" if kind == "many" else ""
    return (
        parameter(
            "ComputerName", f"string{several}", {_CN: "0!", _CN_BY_ID: "0!"}, alias="Cn",
            help="The machine that keeps the session.",
        ),
        parameter(
            "ConnectionUri", f"uri{several}", {_URI: "0!", _URI_BY_ID: "0!"}, alias="URI CU",
            help="The URI of its listener.",
        ),
        parameter("ApplicationName", "string", (_CN, _CN_BY_ID), help="The path of its listener."),
        parameter("ConfigurationName", "string", _REMOTE, help="Its session configuration."),
        parameter("AllowRedirection", "switch", (_URI, _URI_BY_ID), help="Follow redirects."),
        parameter("Credential", "credential", _REMOTE, help="The user."),
        parameter("Authentication", "authentication", _REMOTE, help="How to log in."),
        parameter("CertificateThumbprint", "string", _REMOTE, help="A PEM file to log in with."),
        parameter("Port", "int", (_CN, _CN_BY_ID), limits=(1, 65535), help="The port."),
        parameter("UseSSL", "switch", (_CN, _CN_BY_ID), help="Use HTTPS."),
        parameter("SessionOption", "sessionoption", _REMOTE, help="Options of the session."),
    )  # fmt: skip


DISCONNECT = CommandTable(
    name="Disconnect-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.DisconnectPSSessionCommand",
    synopsis="Disconnects sessions; their commands go on at the server.",
    default_set="Session",
    aliases=("dnsn",),
    parameters=(
        parameter("Session", "pssession[]", {"Session": "0!vn"}, help="Open sessions."),
        parameter("Id", "int[]", {"Id": "0!n"}, help="Their numbers."),
        parameter("InstanceId", "guid[]", {"InstanceId": "!n"}, help="Their instance ids."),
        parameter("Name", "string[]", {"Name": "!n"}, help="Their names, with wildcards."),
        parameter("IdleTimeoutSec", "int", help="Seconds for which the server keeps them."),
        parameter(
            "OutputBufferingMode", "string", values="None Drop Block",
            help="What happens with output that does not fit.",
        ),
        parameter("ThrottleLimit", "int", help="How many are disconnected at a time."),
        *common_parameters(),
    ),
    examples=(("Disconnect-PSSession -Name work", "Leave a session at the server."),),
)  # fmt: skip

CONNECT = CommandTable(
    name="Connect-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.ConnectPSSessionCommand",
    synopsis="Connects to disconnected sessions.",
    default_set="Name",
    aliases=("cnsn",),
    parameters=(
        parameter("Session", "pssession[]", {"Session": "0!vn"}, help="Disconnected sessions."),
        parameter("Id", "int[]", {"Id": "0!n"}, help="Their numbers."),
        parameter("Name", "string[]", {"Name": "!n", _CN: "", _URI: ""}, help="Their names."),
        parameter(
            "InstanceId", "guid[]", {"InstanceId": "!", _CN_BY_ID: "!", _URI_BY_ID: "!"},
            help="Their instance ids.",
        ),
        *_where("many"),
        parameter("ThrottleLimit", "int", help="How many are connected at a time."),
        *common_parameters(),
    ),
    examples=(
        ("Connect-PSSession -ComputerName server -Name work", "Take a session up again."),
    ),
)  # fmt: skip

RECEIVE = CommandTable(
    name="Receive-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.ReceivePSSessionCommand",
    synopsis="Connects to a disconnected session and gets the output of its command.",
    default_set="Session",
    aliases=("rcsn",),
    parameters=(
        parameter("Session", "pssession", {"Session": "0!vn"}, help="A disconnected session."),
        parameter("Id", "int", {"Id": "0!n"}, help="Its number."),
        parameter("Name", "string", {"Name": "!", _CN: "!", _URI: "!"}, help="Its name."),
        parameter(
            "InstanceId", "guid", {"InstanceId": "!", _CN_BY_ID: "!", _URI_BY_ID: "!"},
            help="Its instance id.",
        ),
        *_where("one"),
        *common_parameters(),
    ),
    examples=(("Receive-PSSession -ComputerName server -Name work", "Get what it has said."),),
)  # fmt: skip

NEW_OPTION = CommandTable(
    name="New-PSSessionOption",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.NewPSSessionOptionCommand",
    synopsis="Makes options for -SessionOption. Times are milliseconds.",
    parameters=(
        parameter("MaximumRedirection", "int", help="How many redirects are followed."),
        parameter("NoCompression", "switch", help="Do not compress streams."),
        parameter("NoMachineProfile", "switch", help="Do not load the user's profile."),
        parameter("Culture", "string", help="The culture of the session."),
        parameter("UICulture", "string", help="The culture of its messages."),
        parameter("MaximumReceivedDataSizePerCommand", "int", help="Bytes of one command."),
        parameter("MaximumReceivedObjectSize", "int", help="Bytes of one object."),
        parameter(
            "OutputBufferingMode", "string", values="None Drop Block",
            help="What happens with output of a disconnected session that does not fit.",
        ),
        parameter("MaxConnectionRetryCount", "int", help="Attempts after a network failure."),
        parameter("ApplicationArguments", "hashtable", help="Values for $PSSenderInfo."),
        parameter("OpenTimeout", "int", alias="OpenTimeoutMSec", help="For opening."),
        parameter("CancelTimeout", "int", alias="CancelTimeoutMSec", help="For stopping."),
        parameter(
            "IdleTimeout", "int", alias="IdleTimeoutMSec",
            help="How long the server keeps a disconnected session.",
        ),
        parameter(
            "ProxyAuthentication", "string", values="Basic Negotiate Digest",
            help="How to log in at the proxy.",
        ),
        parameter("ProxyCredential", "credential", help="The user of the proxy."),
        parameter("SkipCACheck", "switch", help="Accept certificates of any authority."),
        parameter("SkipCNCheck", "switch", help="Accept certificates for other names."),
        parameter("SkipRevocationCheck", "switch", help="Do not check for revocation."),
        parameter("OperationTimeout", "int", alias="OperationTimeoutMSec", help="For an answer."),
        parameter("NoEncryption", "switch", help="Do not encrypt over HTTP."),
        parameter("UseUTF16", "switch", help="Send UTF-16."),
        parameter("IncludePortInSPN", "switch", help="Ask Kerberos for a name with the port."),
        *common_parameters(),
    ),
    examples=(
        (
            "New-PSSession server -UseSSL -SessionOption (New-PSSessionOption -SkipCACheck)",
            "A server with a certificate of its own.",
        ),
    ),
)  # fmt: skip
