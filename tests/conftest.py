"""Hypothesis profiles: `fast` for every run, `deep` (`make test-deep`) when there is time.

`fast` is derandomised, so that a correct change never makes a run fail; `deep` searches for new
examples. Neither has a deadline, because the machine may be busy.
"""

from __future__ import annotations

import gc
import os
import re

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fast",
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "deep",
    max_examples=5_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

# Collection makes a million objects that live until the end: nothing is garbage, and each pass of
# the collector over them would be in vain.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remove the group that pytest-xdist appends to an id, which --last-failed does not know."""
    if hasattr(report, "node"):  # a worker's report at the controller
        report.nodeid = re.sub(r"@[^\]@]*$", "", report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report how often PowerShell's native WS-Man client crashed and was started again."""
    reports = (each for group in terminalreporter.stats.values() for each in group)
    found = (pair for report in reports for pair in getattr(report, "user_properties", ()))
    deaths = sum(count for name, count in found if name == "native client deaths")
    if deaths:
        terminalreporter.write_line(f"{deaths} processes of pwsh-wsman died of a signal")
