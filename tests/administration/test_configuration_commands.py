"""The commands for session configurations at the local prompt, on a store of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from psremoting.administration.configurations import EngineKind, SessionConfiguration
from psremoting.administration.store import Store
from psremoting.console.interpreter import run_text
from psremoting.console.workspace import Workspace
from tests.console.places import Place

pytestmark = pytest.mark.trio


class Prompt:
    """A local prompt whose commands use one store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = Place()

    async def run(self, text: str, *answers: str) -> list[str]:
        """Run a text and return the lines of its output."""
        self.place.answers = list(answers)
        self.place.out.clear()
        self.place.errors.clear()
        self.place.questions.clear()
        async with Workspace.open(self.place) as workspace:
            await run_text(workspace, text)
        return "\n".join(self.place.out).splitlines()

    def configuration(self, name: str) -> SessionConfiguration:
        with Store.open(self.path) as store:
            found = store.configuration(name)
        assert found is not None
        return found


@pytest.fixture
def prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prompt:
    path = tmp_path / "endpoint.db"
    monkeypatch.setenv("PSRP_STORE", str(path))
    return Prompt(path)


REGISTER = "Register-PSSessionConfiguration -Name Test -Functions tools:commands"


async def test_a_registered_configuration_has_what_was_given(
    prompt: Prompt, tmp_path: Path
) -> None:
    script = tmp_path / "start.ps1"
    script.write_text("'hello'")
    out = await prompt.run(
        f"$o = New-PSTransportOption -MaxSessionsPerUser 2 -IdleTimeoutSec 90\n"
        f"{REGISTER} -StartupScript {script} -PSVersion 7.4 -ThreadOptions ReuseThread "
        "-MaximumReceivedDataSizePerCommandMB 50 -MaximumReceivedObjectSizeMB 1.5 "
        "-ModulesToImport one,two -TransportOption $o -Environment @{ LANG = 'C' } "
        f"-WorkingDirectory {tmp_path} -CopyFolder {tmp_path} -AllowLongerNames"
    )
    assert out[:2] == ["", "   WSManConfig: Microsoft.WSMan.Management\\WSMan::localhost\\Plugin"]
    assert out[3:6] == [
        "Type            Keys                                Name",
        "----            ----                                ----",
        "Container       {Name=Test}                         Test",
    ]
    made = prompt.configuration("test")
    assert (made.name, made.kind, made.source) == ("Test", EngineKind.FUNCTIONS, "tools:commands")
    assert made.startup_script == str(script)
    assert (made.ps_version, made.thread_options) == ("7.4", "ReuseThread")
    assert (made.max_received_data_size_mb, made.max_received_object_size_mb) == (50.0, 1.5)
    assert made.modules_to_import == ("one", "two")
    assert made.transport_option.max_sessions_per_user == 2
    assert made.transport_option.idle_timeout == 90
    assert made.environment == (("LANG", "C"),)
    assert (made.working_directory, made.copy_folder) == (str(tmp_path), str(tmp_path))
    assert not made.exact_match


async def test_an_existing_name_needs_force(prompt: Prompt) -> None:
    await prompt.run(REGISTER)
    await prompt.run(f"{REGISTER} -PSVersion 7.4")
    assert 'The session configuration "Test" exists already.' in prompt.place.errors[0]
    assert prompt.configuration("Test").ps_version == ""
    await prompt.run(f"{REGISTER} -PSVersion 7.4 -Force")
    assert prompt.configuration("Test").ps_version == "7.4"


async def test_what_if_changes_nothing_and_has_powershells_words(prompt: Prompt) -> None:
    await prompt.run(REGISTER)
    before = prompt.configuration("Test")
    assert await prompt.run(f"{REGISTER} -Force -WhatIf") == [
        'What if: Performing the operation "Register-PSSessionConfiguration" on target "Name: '
        'Test. This lets administrators remotely run PowerShell commands on this computer.".'
    ]
    assert await prompt.run("Unregister-PSSessionConfiguration Test -WhatIf") == [
        'What if: Performing the operation "Unregister-PSSessionConfiguration" on target "Name: '
        'Test".'
    ]
    assert await prompt.run("Set-PSSessionConfiguration Test -AccessMode Disabled -WhatIf") == [
        'What if: Performing the operation "Set-PSSessionConfiguration" on target "Name: Test".'
    ]
    assert await prompt.run("Disable-PSSessionConfiguration Test -WhatIf") == [
        'What if: Performing the operation "Set-Item" on target "Enabled: False. This configures '
        'the WS-Management service to deny the connection request.".'
    ]
    assert prompt.configuration("Test") == before


async def test_confirm_asks_as_powershell_does(prompt: Prompt) -> None:
    for name in ("One", "Two", "Three"):
        await prompt.run(f"Register-PSSessionConfiguration {name} -Functions a:b")
    command = "Unregister-PSSessionConfiguration * -Confirm"
    await prompt.run(command, "n", "?", "y", "l")
    assert prompt.place.questions[0] == (
        "\nConfirm\nAre you sure you want to perform this action?\n"
        'Performing the operation "Unregister-PSSessionConfiguration" on target "Name: One".\n'
        "[Y] Yes  [A] Yes to All  [N] No  [L] No to All  [S] Suspend  [?] Help "
        '(default is "Y"): '
    )
    assert prompt.place.questions[2].startswith("Y - Continue with only the next step")
    with Store.open(prompt.path) as store:
        assert [each.name for each in store.configurations()] == ["One", "Two"]
    await prompt.run(command, "a")
    with Store.open(prompt.path) as store:
        assert store.configurations() == ()


async def test_without_anybody_to_ask_nothing_is_done(prompt: Prompt) -> None:
    await prompt.run(REGISTER)
    await prompt.run("Unregister-PSSessionConfiguration Test -Confirm")
    assert "NonInteractive mode" in prompt.place.errors[0]
    assert prompt.configuration("Test")


async def test_an_access_mode_corrects_the_descriptor(prompt: Prompt) -> None:
    await prompt.run(f"{REGISTER} -SecurityDescriptorSddl 'D:P(D;;GA;;;NU)(A;;GA;;;BA)'")
    assert prompt.configuration("Test").sddl == "D:P(A;;GA;;;BA)"
    await prompt.run("Set-PSSessionConfiguration Test -AccessMode Local")
    assert prompt.configuration("Test").sddl == "D:P(D;;GA;;;NU)(A;;GA;;;BA)"
    await prompt.run("Set-PSSessionConfiguration Test -AccessMode Local")
    assert prompt.configuration("Test").sddl == "D:P(D;;GA;;;NU)(A;;GA;;;BA)"
    await prompt.run("Disable-PSSessionConfiguration Test")
    assert not prompt.configuration("Test").enabled
    await prompt.run("Enable-PSSessionConfiguration Test")
    enabled = prompt.configuration("Test")
    assert (enabled.enabled, enabled.sddl) == (True, "D:P(A;;GA;;;BA)")


async def test_only_what_is_given_changes(prompt: Prompt) -> None:
    await prompt.run(f"{REGISTER} -PSVersion 7.4 -Environment @{{ A = '1' }}")
    before = prompt.configuration("Test")
    await prompt.run("Set-PSSessionConfiguration Test -Process 'pwsh -s'")
    after = prompt.configuration("Test")
    assert (after.kind, after.source) == (EngineKind.PROCESS, "pwsh -s")
    assert (after.ps_version, after.environment) == (before.ps_version, before.environment)


async def test_a_configuration_is_shown_as_on_windows(prompt: Prompt) -> None:
    await prompt.run(REGISTER)
    assert await prompt.run("Get-PSSessionConfiguration Te*") == [
        "",
        "Name          : Test",
        "PSVersion     : ",
        "StartupScript : ",
        "RunAsUser     : ",
        "Permission    : NT AUTHORITY\\INTERACTIVE AccessAllowed, BUILTIN\\Administrators "
        "AccessAllowed, BUILTIN\\Remote Management ",
        "                Users AccessAllowed",
    ]


@pytest.mark.parametrize(
    ("command", "message", "error_id"),
    [
        (
            "Get-PSSessionConfiguration Nobody",
            'No session configuration matches criteria "Nobody".',
            "Microsoft.PowerShell.Commands.WriteErrorException,"
            "Microsoft.PowerShell.Commands.GetPSSessionConfigurationCommand",
        ),
        (
            "Unregister-PSSessionConfiguration No*",
            'No session configuration matches criteria "No*".',
            "UnregisterPSSessionConfigurationCommand",
        ),
        (
            "Set-PSSessionConfiguration Nobody -PSVersion 7.4",
            'Session configuration "Nobody" was not found.',
            "SetPSSessionConfigurationCommand",
        ),
        (
            "Enable-PSSessionConfiguration Nobody",
            'No session configuration matches criteria "Nobody".',
            "EnablePSSessionConfigurationCommand",
        ),
        (
            "Set-PSSessionConfiguration Test -SecurityDescriptorSddl 'D:(A;;QQ;;;BA)'",
            "SDDL, character 7: unknown right 'QQ'",
            "InvalidSessionConfigurationSetting",
        ),
        (
            "Set-PSSessionConfiguration Test -ShowSecurityDescriptorUI",
            "ShowSecurityDescriptorUI opens a dialog box of Windows",
            "InvalidOperation",
        ),
        (
            "Set-PSSessionConfiguration Test -UI -SecurityDescriptorSddl 'D:(A;;GA;;;BA)'",
            "parameters cannot be specified together",
            "InvalidOperation",
        ),
        (
            "Set-PSSessionConfiguration Test -StartupScript /etc/passwd",
            'must specify a PowerShell script file that ends with extension ".ps1"',
            "InvalidSessionConfigurationSetting",
        ),
        (
            "Set-PSSessionConfiguration Test -Path ./missing.pssc",
            "PSSession Configuration file path './missing.pssc' is not valid.",
            "InvalidSessionConfigurationSetting",
        ),
        (
            "Set-PSSessionConfiguration Test -MaximumReceivedObjectSizeMB -1",
            "-1 is not a valid value for the parameter MaximumReceivedObjectSizeMB. The value "
            "must be greater than or equal to 0.",
            "InvalidSessionConfigurationSetting",
        ),
        (
            "Set-PSSessionConfiguration Test -RunAsCredential nobody-has-this-name",
            "Could not resolve username 'nobody-has-this-name'.",
            "InvalidSessionConfigurationSetting",
        ),
        (
            "Set-PSSessionConfiguration Test -Functions a:b -Process c",
            "mutually exclusive",
            "InvalidSessionConfigurationSetting",
        ),
        (
            "Register-PSSessionConfiguration 'a/b' -Functions a:b",
            "A session configuration's name has 1 to 256 printable characters",
            "InvalidSessionConfigurationSetting",
        ),
        (
            "Set-PSSessionConfiguration Test -AccessMode Open",
            'The argument "Open" does not belong to the set "Disabled,Local,Remote"',
            "ParameterArgumentValidationError",
        ),
        (
            "New-PSTransportOption -MaxSessions 0",
            "The 0 argument is less than the minimum allowed range of 1.",
            "ParameterArgumentValidationError",
        ),
    ],
)
async def test_an_error_has_powershells_words_and_changes_nothing(
    prompt: Prompt, command: str, message: str, error_id: str
) -> None:
    await prompt.run(REGISTER)
    before = prompt.configuration("Test")
    await prompt.run(f"$ErrorView = 'NormalView'; {command}")
    (shown,) = prompt.place.errors
    assert message in shown.replace("\n", " ")
    assert error_id in shown
    assert prompt.configuration("Test") == before


async def test_the_name_of_a_run_as_user_is_kept_and_warned_of(prompt: Prompt) -> None:
    out = await prompt.run(f"{REGISTER} -RunAsCredential root")
    assert out[0].startswith("WARNING: When RunAs is enabled in a PowerShell session configuration")
    assert prompt.configuration("Test").run_as_user == "root"


async def test_a_secret_of_an_environment_is_not_in_the_audit_trail(prompt: Prompt) -> None:
    await prompt.run(f"{REGISTER} -Environment @{{ TOKEN = 'very-secret' }}")
    await prompt.run("Set-PSSessionConfiguration Test -Environment @{ TOKEN = 'more-secret' }")
    with Store.open(prompt.path) as store:
        trail = store.audit_trail()
    assert [each.action for each in trail] == [
        "Register-PSSessionConfiguration",
        "Set-PSSessionConfiguration",
    ]
    assert all("TOKEN" in each.detail and "secret" not in each.detail for each in trail)


async def test_a_damaged_store_is_one_line(prompt: Prompt) -> None:
    prompt.path.write_bytes(b"this is no database" * 100)
    await prompt.run("Get-PSSessionConfiguration")
    assert "it is no SQLite database" in prompt.place.errors[0]


async def test_the_roles_of_a_file_decide_who_may_connect(prompt: Prompt, tmp_path: Path) -> None:
    path = tmp_path / "Roles.pssc"
    path.write_text(
        "@{\nSchemaVersion = '2.0.0.0'\nSessionType = 'RestrictedRemoteServer'\n"
        "RoleDefinitions = @{\n"
        "    'DOMAIN01\\Operators' = @{ VisibleCmdlets = 'Get-Answer' }\n"
        "    'BUILTIN\\Administrators' = @{ VisibleCmdlets = 'Get-Answer' }\n}\n}\n"
    )
    shown = "Get-PSSessionConfiguration Roles | Format-List Permission"
    await prompt.run(f"Register-PSSessionConfiguration Roles -Functions a:b -Path {path}")
    assert prompt.place.errors == []
    assert "".join(await prompt.run(shown)) == (
        "Permission : BUILTIN\\Administrators AccessAllowed, DOMAIN01\\Operators AccessAllowed"
    )
    await prompt.run(
        f"Register-PSSessionConfiguration Roles -Functions a:b -Path {path} -Force "
        "-AccessMode Local"
    )
    assert "".join(await prompt.run(shown)).startswith(
        "Permission : NT AUTHORITY\\NETWORK AccessDenied, BUILTIN\\Administrators AccessAllowed"
    )
    await prompt.run(
        f"Register-PSSessionConfiguration Roles -Functions a:b -Path {path} -Force "
        "-SecurityDescriptorSddl 'D:P(A;;GA;;;BA)'"
    )
    assert prompt.configuration("Roles").sddl == "D:P(A;;GA;;;BA)"
    await prompt.run(f"Set-PSSessionConfiguration Roles -Path {path}")
    assert "DOMAIN01\\Operators AccessAllowed" in "".join(await prompt.run(shown))


async def test_a_file_that_cannot_be_used_is_refused_at_once(
    prompt: Prompt, tmp_path: Path
) -> None:
    path = tmp_path / "Wrong.pssc"
    for text, message in (
        ("@{ SchemaVersion = '2.0.0.0'; RunAsVirtualAccount = $true }", "virtual accounts exist"),
        ("@{ SchemaVersion = Get-Date }", ""),
    ):
        path.write_text(text)
        await prompt.run(f"Register-PSSessionConfiguration Wrong -Functions a:b -Path {path}")
        assert message in " ".join(prompt.place.errors[0].split())
        with Store.open(prompt.path, create=True) as store:
            assert store.configurations() == ()


@pytest.mark.parametrize("name", [" ", " x", "x ", "x" * 100_000])
async def test_a_name_is_checked_and_not_repeated_whole(prompt: Prompt, name: str) -> None:
    await prompt.run(f"Register-PSSessionConfiguration -Name '{name}' -Functions m:f -Force")
    (error,) = prompt.place.errors
    assert "configuration's name has 1 to 256" in error
    assert len(error) < 1000
