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
from psrp.clixml import List
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
        self.children: list[Job] = []
        """One job for each computer; a child job has none."""
        self.parent: Job | None = None
        self._results: list[Result] = []
        self._errors: list[PSRemotingError] = []
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    def __str__(self) -> str:
        kind = "PSRemotingJob" if self.parent is None else "PSRemotingChildJob"
        return f"System.Management.Automation.{kind}"

    async def run(self, work: Work) -> None:
        """Run the command and set the final state."""
        try:
            with self._scope:
                await work(self)
        finally:
            states = {each.state for each in self.children}
            if self._scope.cancelled_caught or "Stopped" in states:
                self.state = "Stopped"
            elif self.state == "Running":
                self.state = "Failed" if self._errors or "Failed" in states else "Completed"
            self._ended.set()

    def keep(self, result: Result) -> None:
        """Keep a result of this computer."""
        self._results.append(result)

    def fail(self, error: PSRemotingError) -> None:
        """Keep the failure of this computer, which is received after the results."""
        self._errors.append(error)

    @property
    def results(self) -> list[Result]:
        """The results that were not received, also of the children."""
        return [*self._results, *(one for each in self.children for one in each.results)]

    @property
    def errors(self) -> list[PSRemotingError]:
        """The failures of whole computers that were not received."""
        return [*self._errors, *(one for each in self.children for one in each.errors)]

    def forget(self) -> None:
        """Drop the results and failures: they were received."""
        self._results.clear()
        self._errors.clear()
        for each in self.children:
            each.forget()

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
        "PSJobTypeName": "RemoteJob" if job.parent is None else None,
        "State": job.state,
        "HasMoreData": job.has_more_data,
        "Location": job.location,
        "Command": job.command,
        "ChildJobs": List(job.children),
        "Output": List([item for _, kind, item in job.results if kind is StreamKind.OUTPUT]),
        "Error": List([item for _, kind, item in job.results if kind is StreamKind.ERROR]),
    }


class JobTable:
    """The jobs of one prompt; they end with its nursery."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._jobs: dict[int, Job] = {}
        self._next_id = 1

    @property
    def jobs(self) -> list[Job]:
        """All jobs, in the order of their ids."""
        return list(self._jobs.values())

    def start(self, work: Work, *, name: str, command: str, computers: list[str]) -> Job:
        """Start a job with a child for each computer."""
        id = self._next_id
        job = Job(id, name or f"Job{id}", command, ",".join(computers))
        for at, computer in enumerate(computers, id + 1):
            child = Job(at, f"Job{at}", command, computer)
            child.parent = job
            job.children.append(child)
        self._next_id += 1 + len(computers)
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
        every = {one.id: one for each in self.jobs for one in (each, *each.children)}
        for id in ids:
            if id in every:
                found.append(every[id])
            else:
                missing.append(NoJob("id", id))
        for name in names:
            fitting = [each for each in every.values() if matches(name, each.name)]
            found += fitting
            if not fitting and not has_wildcards(name):
                missing.append(NoJob("name", name))
        return list(dict.fromkeys(found)), missing
