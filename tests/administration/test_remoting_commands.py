# ruff: noqa: E501 (the tables of the page)
"""Enable-PSRemoting and Disable-PSRemoting: the examples of the page, and what they change.

What must differ from the page, and why: the configurations have the names of this computer's
PowerShell; a new one allows also INTERACTIVE and Remote Management Users, as Windows 8 and later
do; both warnings of PowerShell 7 are shown, of which the page (5.1) has the second.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from psremoting.administration.configurations import EngineKind, SessionConfiguration
from psremoting.administration.permissions import permission_text, with_network_denied
from psremoting.administration.store import Store
from psremoting.administration.store_file import SYSTEM_STORE, StoreError
from tests.administration.test_configuration_commands import Prompt

pytestmark = pytest.mark.trio
__all__ = ["Prompt"]

PAGE_WARNING = """\
WARNING: Disabling the session configurations does not undo all the changes made by the \
Enable-PSRemoting or Enable-PSSessionConfiguration cmdlet. You might have to manually undo the \
changes by following these steps:
    1. Stop and disable the WinRM service.
    2. Delete the listener that accepts requests on any IP address.
    3. Disable the firewall exceptions for WS-Management communications.
    4. Restore the value of the LocalAccountTokenFilterPolicy to 0, which restricts remote access \
to members of the Administrators group on the computer."""
"""As on the page, which breaks the first lines."""
FIRST_WARNING = (
    "WARNING: PowerShell remoting has been disabled only for PowerShell 6+ configurations and "
    "does not affect Windows PowerShell remoting configurations. Run this cmdlet in Windows "
    "PowerShell to affect all PowerShell remoting configurations."
)
PAGE_NAMES = (
    "microsoft.powershell", "microsoft.powershell.workflow", "microsoft.powershell32",
    "microsoft.ServerManager", "WithProfile",
)  # fmt: skip
DENIED_TABLE = """\
Name                          Permission
----                          ----------
microsoft.powershell          NT AUTHORITY\\NETWORK AccessDenied, BUILTIN\\Administrators AccessAllowed
microsoft.powershell.workflow NT AUTHORITY\\NETWORK AccessDenied, BUILTIN\\Administrators AccessAllowed
microsoft.powershell32        NT AUTHORITY\\NETWORK AccessDenied, BUILTIN\\Administrators AccessAllowed
microsoft.ServerManager       NT AUTHORITY\\NETWORK AccessDenied, BUILTIN\\Administrators AccessAllowed
WithProfile                   NT AUTHORITY\\NETWORK AccessDenied, BUILTIN\\Administrators AccessAllowed"""
ALLOWED_TABLE = """\
Name                          Permission
----                          ----------
microsoft.powershell          BUILTIN\\Administrators AccessAllowed
microsoft.powershell.workflow BUILTIN\\Administrators AccessAllowed
microsoft.powershell32        BUILTIN\\Administrators AccessAllowed
microsoft.ServerManager       BUILTIN\\Administrators AccessAllowed
WithProfile                   BUILTIN\\Administrators AccessAllowed"""
SHOW = "Get-PSSessionConfiguration | Format-Table -Property Name, Permission -Auto"


def sorted_rows(table: str) -> list[str]:
    """Return the lines; ours are in the order of the names without case."""
    head, dashes, *rows = table.splitlines()
    return [head, dashes, *sorted(rows, key=str.casefold)]


@pytest.fixture
def prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prompt:
    path = tmp_path / "endpoint.db"
    monkeypatch.setenv("PSRP_STORE", str(path))
    # Neither a PowerShell nor a firewall is found, so that every machine gives the same.
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("psremoting.console.remoting_commands._FIREWALLS", {})
    return Prompt(path)


@pytest.fixture
def page(prompt: Prompt) -> Prompt:
    """The computer of the page, with its five session configurations."""
    with Store.open(prompt.path, create=True) as store:
        for name in PAGE_NAMES:
            store.put_configuration(
                SessionConfiguration(
                    name=name,
                    kind=EngineKind.FUNCTIONS,
                    source="m:f",
                    sddl="O:NSG:BAD:P(A;;GA;;;BA)",
                )
            )
    return prompt


def table(out: list[str]) -> list[str]:
    return [line for line in out if line]


@pytest.mark.parametrize("command", ["Disable-PSRemoting", "Disable-PSRemoting -Force"])
async def test_examples_1_and_2_prevent_remote_access(page: Prompt, command: str) -> None:
    """Documents: Disable-PSRemoting, examples 1 and 2. Statement I91."""
    out = await page.run(command)
    assert out == [FIRST_WARNING, *PAGE_WARNING.splitlines()]
    assert table(await page.run(SHOW)) == sorted_rows(DENIED_TABLE)


async def test_example_4_disables_and_enables(page: Prompt) -> None:
    """Documents: Disable-PSRemoting, example 4. Statement I89."""
    await page.run("Disable-PSRemoting -force")
    assert table(await page.run(SHOW)) == sorted_rows(DENIED_TABLE)
    await page.run("Enable-PSRemoting -Force")
    # Enabling also registers Microsoft.PowerShell, which the page's computer has.
    assert table(await page.run(SHOW)) == sorted_rows(ALLOWED_TABLE)


async def test_example_6_custom_descriptors_are_disabled_too(
    prompt: Prompt, tmp_path: Path
) -> None:
    """Documents: Disable-PSRemoting, example 6. The dialog box of -ShowSecurityDescriptorUI does
    not exist here, so the descriptor is given."""
    (tmp_path / "TestEndpoint.pssc").write_text("@{\nSchemaVersion = '2.0.0.0'\n}\n")
    with Store.open(prompt.path, create=True) as store:
        user = store.sid_of("DOMAIN01\\User01")
        store.put_configuration(
            SessionConfiguration(
                name="microsoft.powershell", kind=EngineKind.FUNCTIONS, source="m:f",
                sddl="O:NSG:BAD:P(A;;GA;;;BA)",
            )
        )  # fmt: skip
    await prompt.run(
        f"Register-PSSessionConfiguration -Name Test -FilePath {tmp_path}/TestEndpoint.pssc "
        f"-Functions m:f -SecurityDescriptorSddl 'D:P(A;;GA;;;IU)(A;;GA;;;BA)(A;;GA;;;{user})' "
        "-Force"
    )
    assert prompt.place.errors == []
    show = "Get-PSSessionConfiguration | Format-Table -Property Name, Permission -Wrap"
    assert table(await prompt.run(show)) == [
        "Name                 Permission",
        "----                 ----------",
        "microsoft.powershell BUILTIN\\Administrators AccessAllowed",
        "Test                 NT AUTHORITY\\INTERACTIVE AccessAllowed, BUILTIN\\Administrators "
        "AccessAllowed, DOMAIN01\\User01 Acces",
        "                     sAllowed",
    ]
    assert (await prompt.run("Disable-PSRemoting -Force"))[1:] == PAGE_WARNING.splitlines()
    shown = " ".join("".join(await prompt.run(show)).split())
    assert "microsoft.powershell NT AUTHORITY\\NETWORK AccessDenied, BUILTIN\\Admin" in shown
    with Store.open(prompt.path) as store:
        found = store.configuration("Test")
        assert found is not None
        assert permission_text(found.sddl, store.name_of) == (
            "NT AUTHORITY\\NETWORK AccessDenied, NT AUTHORITY\\INTERACTIVE AccessAllowed, "
            "BUILTIN\\Administrators AccessAllowed, DOMAIN01\\User01 AccessAllowed"
        )


async def test_example_7_enables_one_configuration(page: Prompt) -> None:
    """Documents: Disable-PSRemoting, example 7."""
    assert (await page.run("Disable-PSRemoting -Force"))[1:] == PAGE_WARNING.splitlines()
    assert table(await page.run(SHOW)) == sorted_rows(DENIED_TABLE)
    await page.run(
        "Set-PSSessionConfiguration -Name Microsoft.ServerManager -AccessMode Remote -Force"
    )
    line = "microsoft.ServerManager       "
    expected = [
        f"{line}BUILTIN\\Administrators AccessAllowed" if each.startswith(line) else each
        for each in sorted_rows(DENIED_TABLE)
    ]
    assert table(await page.run(SHOW)) == expected


async def test_disabling_and_enabling_are_one_round(prompt: Prompt) -> None:
    await prompt.run("Enable-PSRemoting -Force")

    def state() -> object:
        with Store.open(prompt.path) as store:
            return store.configurations(), store.listeners()

    first = state()
    await prompt.run("Enable-PSRemoting -Force")
    assert state() == first
    await prompt.run("Disable-PSRemoting -Force")
    disabled = state()
    assert disabled != first
    await prompt.run("Disable-PSRemoting -Force")
    assert state() == disabled
    await prompt.run("Enable-PSRemoting -Force")
    await prompt.run("Disable-PSRemoting -Force")
    assert state() == disabled


async def test_disabling_leaves_listeners_and_disabled_configurations_alone(
    prompt: Prompt,
) -> None:
    await prompt.run("Enable-PSRemoting -Force; Disable-PSSessionConfiguration *")
    before = prompt.configuration("Microsoft.PowerShell")
    await prompt.run("Disable-PSRemoting -Force")
    assert prompt.configuration("Microsoft.PowerShell") == before
    with Store.open(prompt.path) as store:
        assert [(each.transport, each.port) for each in store.listeners()] == [("HTTP", 5985)]
    await prompt.run("Enable-PSRemoting -Force")
    assert prompt.configuration("Microsoft.PowerShell").enabled


async def test_what_if_shows_each_change_and_makes_none(page: Prompt) -> None:
    with Store.open(page.path) as store:
        before = store.configurations()
    out = await page.run("Disable-PSRemoting -WhatIf")
    target = with_network_denied("O:NSG:BAD:P(A;;GA;;;BA)")
    assert out[-1] == (
        f'What if: Performing the operation "Set-PSSessionConfiguration" on target "Name: '
        f'WithProfile SDDL: {target}. This denies remote access to this session configuration.".'
    )
    assert len([line for line in out if line.startswith("What if: ")]) == 5
    out = await page.run("Enable-PSRemoting -WhatIf")
    assert out[:2] == [
        'What if: Performing operation "Set-WSManQuickConfig".',
        "    1. Creating a listener to accept HTTP requests on any IP address, port 5985",
    ]
    assert not any(line.startswith("WARNING: ") for line in out)
    with Store.open(page.path) as store:
        assert store.configurations() == before
        assert store.listeners() == ()


async def test_what_if_without_a_store_makes_no_store(prompt: Prompt) -> None:
    out = await prompt.run("Enable-PSRemoting -WhatIf -UseSSL")
    assert out == [
        'What if: Performing operation "Set-WSManQuickConfig".',
        f"    1. Creating the store {prompt.path}",
        "    2. Creating a listener to accept HTTP requests on any IP address, port 5985",
        "    3. Creating a listener to accept HTTPS requests on any IP address, port 5986",
        f"    4. Making a self-signed certificate, {prompt.path.parent}/certificate.pem",
        "What if: Registering, if missing, and enabling the session configurations "
        "Microsoft.PowerShell.",
    ]
    assert not prompt.path.exists()
    await prompt.run("Disable-PSRemoting -Force")
    assert not prompt.path.exists()


async def test_confirm_asks_for_the_set_up_and_for_each_configuration(prompt: Prompt) -> None:
    await prompt.run("Enable-PSRemoting -Confirm", "y", "n")
    first, second = prompt.place.questions
    assert first.startswith("\nWinRM Quick Configuration\nRunning command ")
    assert "Creating a listener to accept HTTP requests on any IP address, port 5985" in first
    assert '"Registering session configuration" on target "The session configuration ' in second
    with Store.open(prompt.path) as store:
        assert len(store.listeners()) == 1
        assert store.configurations() == ()


async def test_verbose_says_what_was_changed(prompt: Prompt) -> None:
    out = await prompt.run("Enable-PSRemoting -Force -Verbose -WarningAction SilentlyContinue")
    assert out == [
        "VERBOSE: A listener for HTTP at *, port 5985 was created.",
        'VERBOSE: The session configuration "Microsoft.PowerShell" was registered.',
    ]
    out = await prompt.run("Disable-PSRemoting -Verbose -WarningAction Ignore")
    assert len(out) == 1
    assert out[0].startswith('VERBOSE: The session configuration "Microsoft.PowerShell" was ')


async def test_https_has_a_certificate_whose_fingerprint_is_shown(
    prompt: Prompt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSRP_PASSWORD", "secret-word")
    out = await prompt.run("Enable-PSRemoting -UseSSL -Account carol -WarningAction Ignore")
    with Store.open(prompt.path) as store:
        http, https = store.listeners()
        account = store.accounts().find("carol")
        trail = store.audit_trail()
    assert (http.transport, http.port, https.transport, https.port) == ("HTTP", 5985, "HTTPS", 5986)
    assert https.certificate == str(tmp_path / "certificate.pem")
    assert f"thumbprint {https.thumbprint}, SHA-256 " in out[0]
    assert account is not None
    assert account.has_password("secret-word")
    assert account.nt_hash
    assert not any("secret-word" in each.detail for each in trail)
    assert stat.S_IMODE(prompt.path.stat().st_mode) == 0o600


async def test_print_shows_everything_and_does_nothing(prompt: Prompt) -> None:
    out = await prompt.run("Enable-PSRemoting -Print -UseSSL -Port 8443 -Subsystem")
    assert out[:3] == [
        f"Creating the store {prompt.path}",
        "Creating a listener to accept HTTP requests on any IP address, port 5985",
        "Creating a listener to accept HTTPS requests on any IP address, port 8443",
    ]
    assert any(line.startswith("Subsystem powershell ") for line in out)
    assert not prompt.path.exists()
    unit = await prompt.run("Enable-PSRemoting -Print -Store /var/lib/psremoting/endpoint.db")
    assert "Type=notify" in unit
    assert "LockPersonality=yes" in unit


async def test_a_subsystem_that_sshd_refuses_leaves_its_file(
    prompt: Prompt, tmp_path: Path
) -> None:
    config = tmp_path / "sshd_config"
    config.write_text("Subsystem powershell /usr/bin/pwsh -sshs\n")
    sshd = tmp_path / "sshd"
    sshd.write_text("#!/bin/sh\necho 'Subsystem already defined' >&2\nexit 255\n")
    sshd.chmod(0o755)
    await prompt.run(f"Enable-PSRemoting -Force -Subsystem -SshdConfig {config}")
    assert "sshd refuses the subsystem" in prompt.place.errors[0]
    assert config.read_text() == "Subsystem powershell /usr/bin/pwsh -sshs\n"


async def test_without_root_it_is_powershells_error(
    prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PSRP_STORE")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for command in ("Enable-PSRemoting", "Disable-PSRemoting"):
        await prompt.run(command)
        (shown,) = prompt.place.errors
        assert (
            'Access is denied. To run this cmdlet, start PowerShell with the "Run as '
            'administrator" option.'
        ) in " ".join(shown.split())


async def test_the_configurations_have_the_names_of_the_installed_version(
    prompt: Prompt, tmp_path: Path
) -> None:
    program = tmp_path / "pwsh"
    for version, names in (
        ("7.6.9", {"PowerShell.7", "PowerShell.7.6.9"}),
        ("7.7.0-preview.2", {"PowerShell.7-preview", "PowerShell.7.7.0-preview.2"}),
    ):
        prompt.path.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\necho 'PowerShell {version}'\n")
        program.chmod(0o755)
        await prompt.run("Enable-PSRemoting -Force")
        with Store.open(prompt.path) as store:
            found = store.configurations()
        assert {each.name for each in found} == names | {"Microsoft.PowerShell"}
        assert {each.source for each in found} == {"pwsh -s -NoLogo -NoProfile"}
        assert {each.transport_option.max_sessions_per_user for each in found} == {25}


async def test_a_listener_that_was_changed_stays(prompt: Prompt) -> None:
    await prompt.run("Enable-PSRemoting -Force -Address 127.0.0.1 -Port 15985")
    with Store.open(prompt.path) as store:
        (made,) = store.listeners()
        store.put_listener(replace(made, url_prefix="other"))
    await prompt.run("Enable-PSRemoting -Force -Address 127.0.0.1")
    with Store.open(prompt.path) as store:
        assert store.listeners() == (replace(made, url_prefix="other"),)


async def test_a_listener_at_one_address_is_enough(prompt: Prompt) -> None:
    await prompt.run("Enable-PSRemoting -Force -Address 127.0.0.1 -Port 35985")
    await prompt.run("Disable-PSRemoting -Force")
    await prompt.run("Enable-PSRemoting -Force")
    with Store.open(prompt.path) as store:
        assert [(each.address, each.port) for each in store.listeners()] == [
            ("IP:127.0.0.1", 35985)
        ]
    assert not any("listener" in line for line in await prompt.run("Enable-PSRemoting -Print"))
    await prompt.run("Enable-PSRemoting -Force -Port 35986")
    with Store.open(prompt.path) as store:
        assert [(each.address, each.port) for each in store.listeners()] == [
            ("IP:127.0.0.1", 35986)
        ]


async def test_the_subsystem_of_another_store_leads_to_it(prompt: Prompt, tmp_path: Path) -> None:
    out = await prompt.run(f"Enable-PSRemoting -Print -Subsystem -Store {tmp_path}/other.db")
    (line,) = [each for each in out if each.startswith("Subsystem ")]
    assert line.endswith(f"endpoint subsystem --socket {tmp_path}/other.db.subsystem.sock")
    out = await prompt.run(f"Enable-PSRemoting -Print -Subsystem -Store {SYSTEM_STORE}")
    (line,) = [each for each in out if each.startswith("Subsystem ")]
    assert line.endswith("endpoint subsystem")


@pytest.mark.parametrize(
    "command",
    [
        "Enable-PSRemoting -Force",
        "Enable-PSRemoting -Print",
        "Disable-PSRemoting -Force",
        "Get-PSSessionConfiguration",
        "Set-PSSessionConfiguration X -Force",
        "Register-PSSessionConfiguration X -Functions m:f -Force",
    ],
)
async def test_a_store_with_an_impossible_name_is_one_error(
    prompt: Prompt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("PSRP_STORE", str(tmp_path / ("n" * 300)))
    await prompt.run(command)
    (shown,) = prompt.place.errors
    assert "File name too long" in shown.replace("\n", "")


async def test_a_store_that_cannot_be_changed_is_one_error(
    page: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StoreError("cannot change the store: it is read-only")

    monkeypatch.setattr(Store, "changing", refuse)
    for command in ("Disable-PSRemoting -Force", "Enable-PSRemoting -Force"):
        await page.run(command)
        (shown,) = page.place.errors
        assert "cannot change the store: it is read-only" in shown


async def test_the_command_that_serves_another_store_is_named(prompt: Prompt) -> None:
    out = await prompt.run("Enable-PSRemoting -Force")
    assert out[-1].endswith(f"serves the store: psrp endpoint serve --store {prompt.path}")


@pytest.mark.parametrize(
    ("name", "password"),
    [("a:b", "x"), (" ", "x"), ("a" * 257, "x"), ("#a", "x"), ("carol", "x" * 1025)],
)
async def test_an_account_that_is_refused_changes_nothing(
    prompt: Prompt, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    monkeypatch.setenv("PSRP_PASSWORD", password)
    await prompt.run(f"Enable-PSRemoting -Force -Account '{name}'")
    assert not prompt.path.exists()
    (error,) = prompt.place.errors
    assert "has 1 to 256" in error or "cannot begin" in error or "at most 1024" in error


@pytest.mark.parametrize("option", ["-Port 99999", "-Address 'no address'", "-Address 999.1.1.1"])
async def test_a_listener_that_cannot_be_opened_changes_nothing(
    prompt: Prompt, option: str
) -> None:
    await prompt.run(f"Enable-PSRemoting -Force {option}")
    assert not prompt.path.exists()
    assert len(prompt.place.errors) == 1
