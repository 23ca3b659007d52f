"""The tables of the local prompt's commands for background jobs."""

from __future__ import annotations

from psremoting.console.parameter_types import parameter, property_or_absent
from psremoting.console.session_tables import common_parameters
from psremoting.powershell.parameters import CommandTable, Parameter

__all__ = ["JOB_COMMANDS"]


def _table(
    name: str, synopsis: str, alias: str, example: tuple[str, str], *parameters: Parameter
) -> CommandTable:
    own = "Id" if name == "Get-Job" else "Job"
    job = parameter("Job", "job[]", {"Job": "0!vn"}, help="The jobs.")
    return CommandTable(
        name=name,
        property_of=property_or_absent,
        class_name=f"Microsoft.PowerShell.Commands.{name.replace('-', '')}Command",
        synopsis=synopsis,
        default_set=own,
        aliases=(alias,),
        parameters=(
            *(() if name == "Get-Job" else (job,)),
            parameter("Id", "int[]", {"Id": "0n" if own == "Id" else "0!n"}, help="Ids of jobs."),
            parameter("Name", "string[]", {"Name": "!n"}, help="Names of jobs, with wildcards."),
            *parameters,
            *common_parameters(),
        ),
        examples=(example,),
    )


JOB_COMMANDS = (
    _table(
        "Get-Job",
        "Gets background jobs.",
        "gjb",
        ("Get-Job", "List all jobs."),
        parameter("IncludeChildJob", "switch", help="Also get the jobs of each computer."),
    ),
    _table(
        "Receive-Job",
        "Gets the results of background jobs.",
        "rcjb",
        ("Receive-Job $job -Wait", "Wait for a job and get all of its results."),
        parameter("Keep", "switch", help="Keep the results so that they can be received again."),
        parameter("Wait", "switch", help="Wait until the job has ended."),
        parameter("AutoRemoveJob", "switch", help="Remove the job when it has ended."),
    ),
    _table(
        "Wait-Job",
        "Waits for background jobs to end.",
        "wjb",
        ("Get-Job | Wait-Job -Timeout 10", "Wait for all jobs, for 10 seconds at most."),
        parameter("Timeout", "int", alias="TimeoutSec", help="The time limit in seconds."),
    ),
    _table("Stop-Job", "Stops background jobs.", "spjb", ("Get-Job | Stop-Job", "Stop all jobs.")),
    _table(
        "Remove-Job",
        "Removes background jobs.",
        "rjb",
        ("Get-Job | Remove-Job -Force", "Stop and remove all jobs."),
        parameter("Force", "switch", alias="F", help="Also remove running jobs."),
    ),
)
