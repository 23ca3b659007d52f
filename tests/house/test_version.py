"""The version of the package equals the version in pyproject.toml."""

from __future__ import annotations

import tomllib

import psremoting
from tests.house.source import ROOT


def test_the_version_is_the_one_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert psremoting.__version__ == project["version"]
