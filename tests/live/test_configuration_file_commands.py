"""Configuration files: ours and those of the real commands, and the checks of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from psremoting.configuration_files.file_reading import parse_configuration
from psremoting.powershell.script_file import decode_script
from tests.console.places import prompt
from tests.live.powershell import PowerShell, quoted

_GUID = "-Guid c847874d-614a-4eca-afeb-a913b82d77a2"
_NEW = (
    "",
    "-Full",
    "-SessionType RestrictedRemoteServer -Full",
    "-SessionType Empty -LanguageMode NoLanguage -Description 'it''s \u2019\u2019 a test'",
    "-VisibleCmdlets Get-Date, @{ Name='Get-Random'; Parameters=@{ Name='Maximum'; "
    "ValidateSet='1','2' }, @{ Name='Minimum'; ValidatePattern='^\\d$' } }",
    "-VisibleFunctions a, b -VisibleAliases c -VisibleProviders FileSystem "
    "-VisibleExternalCommands /bin/ls, whoami",
    "-FunctionDefinitions @{ Name='F'; ScriptBlock={ param($x) \"a$x\" }; Options='ReadOnly' }, "
    "@{ Name='G'; ScriptBlock={ 1 } }",
    "-AliasDefinitions @{ Name='x'; Value='Get-Date'; Description='d' }",
    "-VariableDefinitions @{ Name='v'; Value='5' }, @{ Name='w'; Value={ 'd' + 1 } }",
    "-EnvironmentVariables @{ A='1'; B='2' } -TranscriptDirectory /tmp/t -RunAsVirtualAccount",
    "-RoleDefinitions @{ 'CONTOSO\\x' = @{ RoleCapabilities='A', 'B' }; y = @{ VisibleCmdlets='z' }"
    " }",
    "-RequiredGroups @{ And = 'a', @{ Or = 'b', 'c' } }",
    "-MountUserDrive -UserDriveMaximumSize 1000 -ExecutionPolicy RemoteSigned",
    "-ModulesToImport M, @{ ModuleName='N'; ModuleVersion='1.0' } -PowerShellVersion 7.0",
    "-ScriptsToProcess /a.ps1 -TypesToProcess /a.ps1xml -FormatsToProcess /b.ps1xml "
    "-AssembliesToLoad System.Web -Author me -CompanyName co -Copyright cp",
)


@pytest.mark.parametrize("parameters", _NEW)
async def test_the_same_parameters_write_the_same_file(
    parameters: str, tmp_path: Path, real: PowerShell
) -> None:
    ours, theirs = tmp_path / "a.pssc", tmp_path / "b.pssc"
    line = f"New-PSSessionConfigurationFile PATH {_GUID} {parameters}"
    real.run(line.replace("PATH", quoted(str(theirs))))
    async with prompt() as run:
        assert await run(line.replace("PATH", quoted(str(ours)))) == ""
    version = real.run("$PSVersionTable.PSVersion.ToString()")
    text = decode_script(ours.read_bytes()).replace("'7.6'", f"'{version}'")
    assert text == decode_script(theirs.read_bytes())


@pytest.mark.parametrize(
    "parameters", [each for each in _NEW[4:9] if "Session" not in each] + [_NEW[-1]]
)
async def test_the_same_parameters_write_the_same_role_capability_file(
    parameters: str, tmp_path: Path, real: PowerShell
) -> None:
    ours, theirs = tmp_path / "a.psrc", tmp_path / "b.psrc"
    line = f"New-PSRoleCapabilityFile PATH {_GUID} {parameters}"
    real.run(line.replace("PATH", quoted(str(theirs))))
    async with prompt() as run:
        assert await run(line.replace("PATH", quoted(str(ours)))) == ""
    assert ours.read_bytes() == theirs.read_bytes()


_CHECK = r"""
$utils = [psobject].Assembly.GetType('System.Management.Automation.Remoting.DISCUtils')
$flags = [System.Reflection.BindingFlags]'NonPublic,Static'
$policy = $utils.GetField('ExecutionPolicyType', $flags)
$policy.SetValue($null, [Microsoft.PowerShell.ExecutionPolicy])
function global:Test-Table {
  [CmdletBinding()] param($Table, $File)
  $utils.GetMethod('VerifyConfigTable', $flags).Invoke($null, @($Table, $PSCmdlet, $File)) }
"""
_S = "SchemaVersion='2.0.0.0'"
_TABLES = (
    "@{}", "@{SchemaVersion=2}", "@{SchemaVersion=''}", f"@{{{_S}}}",
    *(f"@{{{_S}; {each}}}" for each in (
        "Author=5", "Foo=5", "SessionType='x'", "SessionType='1'", "SessionType=''",
        "LanguageMode='x'", "ExecutionPolicy='x'", "ExecutionPolicy='Default'",
        "AliasDefinitions='x'", "AliasDefinitions=@{Name='a'}", "AliasDefinitions=@()",
        "AliasDefinitions=@{Name='a';Value='b';Foo=1}",
        "FunctionDefinitions=@{Name='a';ScriptBlock='b'}", "FunctionDefinitions=@{Name='a'}",
        "VariableDefinitions=@{Name='a'}", "VariableDefinitions='x'", "MountUserDrive='x'",
        "MountUserDrive=$true", "UserDriveMaximumSize='x'", "UserDriveMaximumSize=5000000000",
        "UserDriveMaximumSize=5.5", "ModulesToImport=5", "ModulesToImport='a',@{ModuleName='b'}",
        "TypesToProcess='x.ps1xml'", "TypesToProcess='/x.foo'", "TypesToProcess='/x.PS1XML'",
        "ScriptsToProcess='/x.foo'", "EnvironmentVariables='x'", "VisibleCmdlets=$null",
        "VisibleCmdlets=5", "RoleDefinitions='x'", "RoleCapabilities='x'", "RequiredGroups='a'",
        "EnforceInputParameterValidation=1", "GUID=1", "visiblefunctions='x'", "author=5",
        "RoleDefinitions=@{a=5}", "EnvironmentVariables=@{'A=B'='x'}",
        "EnvironmentVariables=@{''='x'; A=$null}", "UserDriveMaximumSize=-1",
    )),
)  # fmt: skip


def test_a_table_is_checked_as_by_the_real_command(real: PowerShell) -> None:
    real.run(_CHECK)
    differing = {}
    for text in _TABLES:
        theirs = real.run(f"Test-Table ({text}) /f.pssc -Verbose 4>&1")
        found = parse_configuration(text, "/f.pssc").fault()
        ours = "True" if found is None else f"{found[0]}\nFalse"
        if theirs != ours:
            differing[text] = (theirs, ours)
    assert differing == {}
    assert len(_TABLES) > 40
