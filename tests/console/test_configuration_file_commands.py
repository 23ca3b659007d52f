"""New- and Test-PSSessionConfigurationFile, and New-PSRoleCapabilityFile, at the local prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from psremoting.configuration_files import read_configuration_file, read_role_capability_file
from psrp.clixml import Dictionary, List, ScriptBlock
from tests.console.places import prompt


async def test_a_file_is_written_with_the_values_that_were_given(tmp_path: Path) -> None:
    path = tmp_path / "a.pssc"
    async with prompt() as run:
        shown = await run(
            f"New-PSSessionConfigurationFile {path} -SessionType restrictedremoteserver "
            "-VisibleFunctions 'A', @{ Name='B'; Parameters=@{ Name='x'; ValidateSet='1','2' } } "
            "-FunctionDefinitions @{ Name='A'; ScriptBlock={ 'a' } } -MountUserDrive "
            "-UserDriveMaximumSize 1000 -Guid c847874d-614a-4eca-afeb-a913b82d77a2 "
            "-EnvironmentVariables @{ X='y' } -SchemaVersion 2.0.0.0"
        )
    assert shown == ""
    file = read_configuration_file(path)
    file.check()
    assert file.get("GUID") == "c847874d-614a-4eca-afeb-a913b82d77a2"
    assert file.get("MountUserDrive") is True
    assert file.get("UserDriveMaximumSize") == 1000
    assert file.get("FunctionDefinitions") == Dictionary(
        {"Name": "A", "ScriptBlock": ScriptBlock(" 'a' ")}
    )
    assert file.get("VisibleFunctions")[1] == Dictionary(
        {
            "Name": "B",
            "Parameters": Dictionary({"Name": "x", "ValidateSet": List(["1", "2"])}),
        }
    )


async def test_a_role_capability_file_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.psrc"
    async with prompt() as run:
        assert await run(f"New-PSRoleCapabilityFile {path} -VisibleCmdlets Get-Date") == ""
    assert read_role_capability_file(path).get("VisibleCmdlets") == "Get-Date"


@pytest.mark.parametrize(
    ("line", "error_id"),
    [
        (
            "New-PSSessionConfigurationFile x.txt",
            "InvalidPSSessionConfigurationFilePath",
        ),
        ("New-PSRoleCapabilityFile x.pssc", "InvalidRoleCapabilityFilePath"),
        ("New-PSSessionConfigurationFile /none/x.pssc", "FileOpenFailure"),
        ("New-PSSessionConfigurationFile x.pssc -SessionType y", "ParameterArgumentValidation"),
        (
            "New-PSSessionConfigurationFile x.pssc -FunctionDefinitions @{ Name='a' }",
            "Argument",
        ),
        ("Test-PSSessionConfigurationFile none.pssc", "PSSessionConfigurationFileNotFound"),
        (
            f"Test-PSSessionConfigurationFile {'n' * 300}.pssc",
            "PSSessionConfigurationFileNotFound",
        ),
    ],
)
async def test_a_command_that_fails_writes_no_file(
    line: str, error_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with prompt() as run:
        await run(line)
        assert run.error_ids()[0].startswith(error_id)
    assert list(tmp_path.iterdir()) == []


async def test_a_file_is_tested_with_the_reason(tmp_path: Path) -> None:
    good, bad, other = tmp_path / "good.pssc", tmp_path / "bad.pssc", tmp_path / "x.txt"
    async with prompt() as run:
        await run(f"New-PSSessionConfigurationFile {good}")
        assert await run(f"Test-PSSessionConfigurationFile {good} -Verbose") == "True"
        bad.write_text("@{\n SchemaVersion='2.0.0.0'\n  Author = 5 }")
        assert await run(f"Test-PSSessionConfigurationFile {bad} -Verbose") == (
            "VERBOSE: The member 'Author' must be a string. Change the member to the correct type "
            f"in the file {bad}. (line 3, column 3)\nFalse"
        )
        bad.write_text("@{ Author = Get-Date }")
        assert await run(f"Test-PSSessionConfigurationFile {bad}") == "False"
        other.write_text("")
        await run(f"Test-PSSessionConfigurationFile {other}")
        assert run.error_ids()[-1].startswith("InvalidPSSessionConfigurationFilePath")


async def test_nothing_of_a_file_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.pssc"
    marker = tmp_path / "ran"
    path.write_text(f"@{{ SchemaVersion = $(New-Item {marker}; '2.0.0.0') }}")
    async with prompt() as run:
        assert await run(f"Test-PSSessionConfigurationFile {path}") == "False"
    assert not marker.exists()
