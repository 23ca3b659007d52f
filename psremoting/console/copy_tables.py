# table: the parameters of Copy-Item.
"""Copy-Item with -ToSession and -FromSession."""

from __future__ import annotations

from psremoting.console.confirmation import confirming_parameters
from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.parameters import CommandTable

__all__ = ["COPY_ITEM"]

COPY_ITEM = CommandTable(
    name="Copy-Item",
    property_of=property_or_absent,
    class_name="Microsoft.PowerShell.Commands.CopyItemCommand",
    synopsis="Copies files and directories to a session, or from it.",
    description="A file gets its name when all its bytes have arrived and their SHA-256 is that of "
    "the source; a copy that broke off goes on where it ended. One of -ToSession and -FromSession "
    "is needed: this prompt copies nothing on one side.",
    default_set="Path",
    aliases=("copy", "cp", "cpi"),
    parameters=(
        parameter("Path", "string[]", {"Path": "0!vn"}, help="What to copy, with wildcards."),
        parameter(
            "LiteralPath", "string[]", {"LiteralPath": "!n"}, alias="PSPath LP",
            help="What to copy, without wildcards.",
        ),
        parameter(
            "Destination", "string", {"__AllParameterSets": "1n"}, may_be_empty=True,
            help="Where to copy to; into a directory files go under their names.",
        ),
        parameter(
            "Container", "switch", values="true",
            help="Keep the directories of the source, which is always so.",
        ),
        parameter("Force", "switch", help="Copy into directories that exist."),
        parameter("Filter", "string", help="Copy files with such names only."),
        parameter("Include", "string[]", help="Copy files with such names only."),
        parameter("Exclude", "string[]", help="Leave files with such names out."),
        parameter("Recurse", "switch", help="Copy directories with their contents."),
        parameter("ToSession", "pssession", help="The session to copy to."),
        parameter("FromSession", "pssession", help="The session to copy from."),
        *confirming_parameters(),
        *common_parameters(),
    ),
    examples=(
        (
            "Copy-Item report.txt -Destination /srv/reports -ToSession $s",
            "Copy a file to a session.",
        ),
        (
            "Copy-Item /var/log/app -Destination logs -FromSession $s -Recurse",
            "Copy a directory from a session.",
        ),
    ),
)  # fmt: skip
