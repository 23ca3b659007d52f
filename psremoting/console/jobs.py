"""Background jobs of the local prompt, started by Invoke-Command -AsJob."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import trio

from psremoting.client.streams import StreamKind
from psremoting.console.error_reports import CommandFailure
from psremoting.errors import PSRemotingError
from psremoting.powershell.member_access import properties
from psremoting.powershell.wildcards import has_wildcards, matches
from psrp.records import ErrorCategory

__all__ = ["Job", "JobTable", "NoJob"]

Result = tuple[str, StreamKind, Any]
"""A computer, and an object or record that came from it."""
Work = Callable[["Job"], Awaitable[None]]


class NoJob(CommandFailure):
    """The error for an id or name without a job."""

    category = ErrorCategory.ObjectNotFound
    exception_type = "System.Management.Automation.PSArgumentException"

    def __init__(self, kind: str, value: object) -> None:
        what = {"id": "Job ID", "name": "job name"}[kind]
        super().__init__(
            f"The command cannot find a job with the {what} {value}. Verify the value of the "
            f"{kind.title()} parameter and then try the command again.",
            error_id=f"JobWithSpecified{'Session' if kind == 'id' else 'Name'}NotFound",
        )


class Job:
    """A command in the background. Its results are kept until they are received."""

    def __init__(self, id: int, name: str, command: str, location: str) -> None:
        self.id = id
        self.name = name
        self.command = command
        self.location = location
        self.state = "Running"
        self.results: list[Result] = []
        self.errors: list[PSRemotingError] = []
        """Failures of whole computers, which are received after the results."""
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    def __str__(self) -> str:
        return "System.Management.Automation.PSRemotingJob"

    async def run(self, work: Work) -> None:
        """Run the command and set the final state."""
        try:
            with self._scope:
                await work(self)
        finally:
            if self._scope.cancelled_caught:
                self.state = "Stopped"
            elif self.state == "Running":
                self.state = "Failed" if self.errors else "Completed"
            self._ended.set()

    def stop(self) -> None:
        """Stop the command, if it still runs."""
        self._scope.cancel()

    async def wait(self) -> None:
        """Wait for the end."""
        await self._ended.wait()

    @property
    def has_more_data(self) -> bool:
        """Return True if there are, or may be, results to receive."""
        return bool(self.results or self.errors) or self.state == "Running"


@properties.register
def _(job: Job) -> dict[str, Any]:
    return {
        "Id": job.id,
        "Name": job.name,
        "PSJobTypeName": "RemoteJob",
        "State": job.state,
        "HasMoreData": job.has_more_data,
        "Location": job.location,
        "Command": job.command,
    }


class JobTable:
    """The jobs of one prompt; they end with its nursery."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._jobs: dict[int, Job] = {}
        self._last_id = -1

    @property
    def jobs(self) -> list[Job]:
        """All jobs, in the order of their ids."""
        return list(self._jobs.values())

    def start(self, work: Work, *, name: str, command: str, computers: list[str]) -> Job:
        """Start a job. It takes an id, and one more for each computer, as in PowerShell."""
        self._last_id += 2
        id = self._last_id
        self._last_id += len(computers) - 1
        job = Job(id, name or f"Job{id}", command, ",".join(computers))
        self._jobs[id] = job
        self._nursery.start_soon(job.run, work)
        return job

    def remove(self, job: Job) -> None:
        """Stop and remove a job."""
        job.stop()
        self._jobs.pop(job.id, None)

    def find(self, ids: Iterable[int], names: Iterable[str]) -> tuple[list[Job], list[NoJob]]:
        """Return the jobs with these ids or names, each once, and errors for unknown ones."""
        found: list[Job] = []
        missing: list[NoJob] = []
        for id in ids:
            if id in self._jobs:
                found.append(self._jobs[id])
            else:
                missing.append(NoJob("id", id))
        for name in names:
            fitting = [each for each in self.jobs if matches(name, each.name)]
            found += fitting
            if not fitting and not has_wildcards(name):
                missing.append(NoJob("name", name))
        return list(dict.fromkeys(found)), missing
