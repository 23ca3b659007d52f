"""The number of the version stands in two places, because one of them must be had for nothing."""

from __future__ import annotations

import tomllib

import psremoting
from tests.house.source import ROOT


def test_the_version_is_the_one_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert psremoting.__version__ == project["version"]
