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
            help="The computer with the disconnected session.",
        ),
        parameter(
            "ConnectionUri", f"uri{several}", {_URI: "0!", _URI_BY_ID: "0!"}, alias="URI CU",
            help="The URI of the listener.",
        ),
        parameter(
            "ApplicationName", "string", (_CN, _CN_BY_ID),
            help="The path in the URI of the listener.",
        ),
        parameter("ConfigurationName", "string", _REMOTE, help="The session configuration."),
        parameter("AllowRedirection", "switch", (_URI, _URI_BY_ID), help="Follow redirections."),
        parameter("Credential", "credential", _REMOTE, help="The user."),
        parameter(
            "Authentication", "authentication", _REMOTE,
            help="The authentication mechanism.",
        ),
        parameter("CertificateThumbprint", "string", _REMOTE, help="A PEM file to log in with."),
        parameter("Port", "int", (_CN, _CN_BY_ID), limits=(1, 65535), help="The port."),
        parameter("UseSSL", "switch", (_CN, _CN_BY_ID), help="Connect over HTTPS."),
        parameter("SessionOption", "sessionoption", _REMOTE, help="Options of the session."),
    )  # fmt: skip


DISCONNECT = CommandTable(
    name="Disconnect-PSSession",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.DisconnectPSSessionCommand",
    synopsis="Disconnects sessions; their commands continue on the server.",
    default_set="Session",
    aliases=("dnsn",),
    parameters=(
        parameter("Session", "pssession[]", {"Session": "0!vn"}, help="Open sessions."),
        parameter("Id", "int[]", {"Id": "0!n"}, help="Their numbers."),
        parameter("InstanceId", "guid[]", {"InstanceId": "!n"}, help="Instance ids of sessions."),
        parameter("Name", "string[]", {"Name": "!n"}, help="Names of sessions, with wildcards."),
        parameter(
            "IdleTimeoutSec", "int", limits=(0, 2147483647),
            help="Idle timeout of the disconnected sessions in seconds.",
        ),
        parameter(
            "OutputBufferingMode", "string", values="None Drop Block",
            help="The handling of output when the server's buffer is full.",
        ),
        parameter("ThrottleLimit", "int", help="The number of sessions to disconnect at a time."),
        *common_parameters(),
    ),
    examples=(
        ("Disconnect-PSSession -Name work", "Disconnect a session and keep it on the server."),
    ),
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
            help="Instance ids of sessions.",
        ),
        *_where("many"),
        parameter("ThrottleLimit", "int", help="The number of sessions to connect at a time."),
        *common_parameters(),
    ),
    examples=(
        ("Connect-PSSession -ComputerName server -Name work", "Connect to a session again."),
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
            help="The instance id of a session.",
        ),
        *_where("one"),
        *common_parameters(),
    ),
    examples=(
        ("Receive-PSSession -ComputerName server -Name work", "Get the output of a session."),
    ),
)  # fmt: skip

NEW_OPTION = CommandTable(
    name="New-PSSessionOption",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.NewPSSessionOptionCommand",
    synopsis="Creates options for -SessionOption. Times are in milliseconds.",
    parameters=(
        parameter("MaximumRedirection", "int", help="The maximum number of redirections."),
        parameter("NoCompression", "switch", help="Do not compress streams."),
        parameter("NoMachineProfile", "switch", help="Do not load the user's profile."),
        parameter("Culture", "string", help="The culture of the session."),
        parameter("UICulture", "string", help="The culture of messages in the session."),
        parameter(
            "MaximumReceivedDataSizePerCommand", "int",
            help="Maximum size of the data of one command in bytes.",
        ),
        parameter("MaximumReceivedObjectSize", "int", help="Maximum size of one object in bytes."),
        parameter(
            "OutputBufferingMode", "string", values="None Drop Block",
            help="The handling of output of a disconnected session when the buffer is full.",
        ),
        parameter(
            "MaxConnectionRetryCount", "int",
            help="Maximum number of retries after a network failure.",
        ),
        parameter("ApplicationArguments", "hashtable", help="Values for $PSSenderInfo."),
        parameter("OpenTimeout", "int", alias="OpenTimeoutMSec", help="Opening timeout."),
        parameter("CancelTimeout", "int", alias="CancelTimeoutMSec", help="Stopping timeout."),
        parameter(
            "IdleTimeout", "int", alias="IdleTimeoutMSec",
            help="Idle timeout of a disconnected session.",
        ),
        parameter(
            "ProxyAuthentication", "string", values="Basic Negotiate Digest",
            help="The authentication mechanism of the proxy.",
        ),
        parameter(
            "ProxyCredential", "credential",
            help="The user name and password for the proxy.",
        ),
        parameter("SkipCACheck", "switch", help="Accept certificates of any authority."),
        parameter("SkipCNCheck", "switch", help="Accept certificates for other names."),
        parameter(
            "SkipRevocationCheck", "switch",
            help="Do not check certificates for revocation.",
        ),
        parameter(
            "OperationTimeout", "int", alias="OperationTimeoutMSec",
            help="Response timeout.",
        ),
        parameter("NoEncryption", "switch", help="Do not encrypt over HTTP."),
        parameter("UseUTF16", "switch", help="Send UTF-16."),
        parameter(
            "IncludePortInSPN", "switch",
            help="Include the port in the Kerberos service name.",
        ),
        *common_parameters(),
    ),
    examples=(
        (
            "New-PSSession server -UseSSL -SessionOption (New-PSSessionOption -SkipCACheck)",
            "Connect to a server with a self-signed certificate.",
        ),
    ),
)  # fmt: skip
