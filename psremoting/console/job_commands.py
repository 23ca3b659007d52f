"""Get-Job, Receive-Job, Wait-Job, Stop-Job and Remove-Job of the local prompt."""

from __future__ import annotations

import math

import trio

from psremoting.console.calls import Call
from psremoting.console.jobs import Job
from psremoting.console.results import CallResults
from psremoting.errors import PSRemotingError

__all__ = ["get_job", "receive_job", "remove_job", "stop_job", "wait_job"]


async def _jobs(call: Call) -> list[Job]:
    """Return the jobs that a command is for; all for one without a job, id or name."""
    await call.bind()
    table = call.workspace.jobs
    found: list[Job] = []
    for binding in call.each():
        found += binding["Job"] or ()
        chosen, missing = table.find(binding["Id"] or (), binding["Name"] or ())
        found += chosen
        for error in missing:
            call.fail(error)
        if not any(binding[name] for name in ("Job", "Id", "Name")):
            found += table.jobs
    return list(dict.fromkeys(found))


async def get_job(call: Call) -> None:
    """Run Get-Job; -IncludeChildJob gives each job's children, too."""
    for job in await _jobs(call):
        call.emit(job)
        if call.binding["IncludeChildJob"]:
            for child in job.children:
                call.emit(child)


async def receive_job(call: Call) -> None:
    """Run Receive-Job: the results so far, or with -Wait all."""
    binding = call.binding
    for job in await _jobs(call):
        binding = call.binding
        if binding["Wait"]:
            await job.wait()
        shown = CallResults(call)
        results, errors = list(job.results), list(job.errors)
        if not binding["Keep"]:
            job.forget()
        for computer, kind, item in results:
            shown.show(computer, kind, item)
        for error in errors:
            shown.failed(error)
        if binding["AutoRemoveJob"] and job.state != "Running":
            call.workspace.jobs.remove(job)


async def wait_job(call: Call) -> None:
    """Run Wait-Job: give each job when it has ended."""
    jobs = await _jobs(call)
    timeout = call.binding["Timeout"]
    with trio.move_on_after(math.inf if timeout is None or timeout < 0 else timeout):
        for job in jobs:
            await job.wait()
            call.emit(job)


async def stop_job(call: Call) -> None:
    """Run Stop-Job."""
    for job in await _jobs(call):
        job.stop()
        await job.wait()


async def remove_job(call: Call) -> None:
    """Run Remove-Job; a running job needs -Force."""
    for job in await _jobs(call):
        if job.parent is not None:
            call.fail(
                PSRemotingError(
                    "The command cannot remove the job because it does not exist or because it is "
                    "a child job. Child jobs can be removed only by removing the parent job.",
                    error_id="CannotRemoveJob",
                )
            )
            continue
        if job.state == "Running" and not call.binding["Force"]:
            call.fail(
                PSRemotingError(
                    f"The command cannot remove the job with the job ID {job.id} because the job "
                    "is not finished. To remove the job, first stop the job, or use the Force "
                    "parameter.",
                    error_id="JobObjectNotFinishedCannotBeRemoved",
                )
            )
            continue
        call.workspace.jobs.remove(job)
