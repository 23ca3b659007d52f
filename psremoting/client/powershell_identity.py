"""The messages that PowerShell's own client sends of its own accord, for sessions that imitate it.

The real client announces version 2.4, sends its version table, and runs two debugger commands that
a library does not need: one after every open, one before every Invoke-Command.
"""

from __future__ import annotations

from psrp.clixml import Dictionary, List, Version
from psrp.commands import Command, Parameter, PowerShell
from psrp.properties import enum_object

__all__ = ["VERSION", "application_arguments", "breakpoint_mode", "debug_mode"]

VERSION = "2.4"
_POWERSHELL = "7.6.5"
_PRIMITIVES = (
    "System.Management.Automation.PSPrimitiveDictionary",
    "System.Collections.Hashtable",
    "System.Object",
)
_COMPATIBLE = ("1.0", "2.0", "3.0", "4.0", "5.0", "5.1", "6.0", "7.0")


def application_arguments(system: str) -> Dictionary:
    """Return ``$PSSenderInfo.ApplicationArguments``; ``system`` is the name of the OS."""
    versions = ("System.Version[]", "System.Array", "System.Object")
    table = Dictionary(
        {
            "OS": system,
            "WSManStackVersion": Version("3.0"),
            "PSCompatibleVersions": List([Version(text) for text in _COMPATIBLE], versions),
            "PSVersion": Version(_POWERSHELL),
            "Platform": "Unix",
            "PSEdition": "Core",
            "PSRemotingProtocolVersion": Version(VERSION),
            "GitCommitId": _POWERSHELL,
            "PSSemanticVersion": _POWERSHELL,
            "SerializationVersion": Version("1.1.0.1"),
        },
        _PRIMITIVES,
    )
    return Dictionary({"PSVersionTable": table}, _PRIMITIVES)


def debug_mode() -> PowerShell:
    """Return the command after every open: breakpoints in local and remote scripts."""
    mode = enum_object("System.Management.Automation.DebugModes", 6, "LocalScript, RemoteScript")
    return PowerShell.of(Command("__Set-PSDebugMode", parameters=(Parameter("Mode", mode),)))


def breakpoint_mode() -> PowerShell:
    """Return the nested command before every Invoke-Command: wait at unhandled breakpoints."""
    kind = "System.Management.Automation.UnhandledBreakpointProcessingMode"
    mode = enum_object(kind, 2, "Wait")
    parameter = Parameter("UnhandledBreakpointMode", mode)
    return PowerShell.of(Command("__Set-PSUnhandledBreakpointMode", parameters=(parameter,)))
