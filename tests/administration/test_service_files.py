"""The units of systemd, the property list of launchd, and the steps that install them."""

from __future__ import annotations

import datetime
import os
import plistlib
import shutil
import ssl
import stat
import subprocess
from pathlib import Path

import pytest

from psremoting.administration.configurations import AdministrationError
from psremoting.administration.installing import (
    Installation,
    RunCommand,
    SubsystemLine,
    WriteFile,
    service_steps,
)
from psremoting.administration.self_signed import fingerprints, make_certificate
from psremoting.administration.service_files import (
    SERVICE_NAME,
    SOCKET_NAME,
    launchd_plist,
    systemd_service,
    systemd_socket,
)
from psremoting.administration.sockets import local_socket, subsystem_socket

STORE = Path("/var/lib/psremoting/endpoint.db")
PROGRAM = shutil.which("true") or "/bin/true"
NOW = datetime.datetime.now(datetime.UTC)
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze"
)
HARDENED = {
    *("LockPersonality", "ProtectClock", "ProtectControlGroups", "ProtectHostname"),
    *("ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "PrivateDevices"),
    *("RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "RestrictAddressFamilies"),
    *("SystemCallArchitectures", "KeyringMode", "UMask", "CapabilityBoundingSet"),
}


def units(folder: Path, *, user: bool = False) -> list[Path]:
    made = {SERVICE_NAME: systemd_service(PROGRAM, STORE, user=user),
            SOCKET_NAME: systemd_socket(STORE)}  # fmt: skip
    for name, text in made.items():
        (folder / name).write_text(text)
    return [folder / name for name in made]


@needs_systemd
@pytest.mark.parametrize("user", [False, True])
def test_the_units_pass_the_checks_of_systemd(tmp_path: Path, user: bool) -> None:
    paths = units(tmp_path, user=user)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_service_is_less_exposed_than_one_without_options(tmp_path: Path) -> None:
    service, _ = units(tmp_path)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=55", str(service)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-200:]


def test_the_listed_hardening_options_are_in_the_unit() -> None:
    lines = systemd_service(PROGRAM, STORE).splitlines()
    names = {line.partition("=")[0] for line in lines}
    assert names >= HARDENED
    # Sessions are for work on this machine, may use sudo, and .NET compiles at run time.
    left_out = {"ProtectSystem", "ProtectHome", "PrivateTmp", "NoNewPrivileges",
                "MemoryDenyWriteExecute"}  # fmt: skip
    assert not names & left_out
    note = Path(__file__).parents[2] / "spec-notes" / "administration.md"
    assert all(each in note.read_text() for each in (*HARDENED, *left_out))


def test_the_socket_unit_has_the_sockets_of_the_server() -> None:
    text = systemd_socket(STORE)
    assert f"ListenStream={local_socket(STORE)}\n" in text
    assert f"ListenStream={subsystem_socket(STORE)}\n" in text
    assert local_socket(STORE) == Path("/run/psremoting/endpoint.sock")
    own = Path("/home/carol/.local/state/psremoting/endpoint.db")
    assert local_socket(own) == own.parent / "endpoint.sock"


def test_a_path_with_odd_characters_is_one_word() -> None:
    text = systemd_service("/opt/my tools/psrp", Path('/srv/100% "mine"/e.db'))
    assert '"/opt/my tools/psrp" endpoint serve --store "/srv/100%% \\"mine\\"/e.db"' in text


def test_the_property_list_starts_the_server() -> None:
    made = plistlib.loads(launchd_plist("/usr/bin/psrp", Path("/a & b/e.db")).encode())
    assert made["ProgramArguments"] == [
        "/usr/bin/psrp", "endpoint", "serve", "--store", "/a & b/e.db",
    ]  # fmt: skip
    assert made["RunAtLoad"] is True
    assert made["Umask"] == 0o77


def test_on_macos_the_steps_are_those_of_launchd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psremoting.administration.installing.sys.platform", "darwin")
    write, run = service_steps("/usr/bin/psrp", STORE)
    assert str(write) == "write /Library/LaunchDaemons/org.psremoting.endpoint.plist"
    assert str(run).startswith("run launchctl bootstrap system /Library/LaunchDaemons/")


def test_a_user_has_units_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    steps = service_steps("/usr/bin/psrp", tmp_path / "e.db", user=True)
    assert str(steps[0]) == f"write {tmp_path}/systemd/user/{SERVICE_NAME}"
    Installation(steps[:2]).apply()
    assert "WantedBy=default.target" in (tmp_path / "systemd/user" / SERVICE_NAME).read_text()
    assert Installation(service_steps("/usr/bin/psrp", tmp_path / "e.db", user=True)).steps == []


def test_steps_before_a_failing_one_are_undone(tmp_path: Path) -> None:
    old, new, flag = tmp_path / "old", tmp_path / "new", tmp_path / "flag"
    old.write_text("before")
    old.chmod(0o640)
    steps = (
        WriteFile(old, "after"),
        WriteFile(new, "text"),
        RunCommand("touch", str(flag), undo=["rm", str(flag)]),
        RunCommand("false"),
    )
    with pytest.raises(AdministrationError, match="false failed"):
        Installation(steps).apply()
    assert old.read_text() == "before"
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert not new.exists()
    assert not flag.exists()


def test_a_program_that_is_missing_is_an_error_with_its_name() -> None:
    with pytest.raises(AdministrationError, match="cannot run no-such-program"):
        RunCommand("no-such-program").apply()


@pytest.mark.skipif(shutil.which("sshd", path=_PATH) is None, reason="no sshd")
class TestSubsystem:
    def configuration(self, folder: Path, text: str) -> Path:
        key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", str(key)], check=True)
        path = folder / "sshd_config"
        path.write_text(f"HostKey {key}\n{text}")
        path.chmod(0o640)
        return path

    def test_a_good_line_is_added_in_front_of_everything(self, tmp_path: Path) -> None:
        path = self.configuration(tmp_path, "Match User carol\n  X11Forwarding no\n")
        step = SubsystemLine("/usr/bin/psrp", path)
        before = path.read_text()
        assert step.needed
        step.apply()
        assert path.read_text() == (
            "Subsystem powershell /usr/bin/psrp endpoint subsystem\n" + before
        )
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert not SubsystemLine("/usr/bin/psrp", path).needed
        step.undo()
        assert path.read_text() == before

    def test_a_line_that_sshd_refuses_is_taken_back(self, tmp_path: Path) -> None:
        path = self.configuration(tmp_path, "Subsystem powershell /usr/bin/pwsh -sshs\n")
        before = path.read_bytes()
        with pytest.raises(AdministrationError, match="sshd refuses the subsystem"):
            SubsystemLine("/usr/bin/psrp", path).apply()
        assert path.read_bytes() == before
        assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_certificate_is_made_once_and_its_fingerprint_is_that_of_tls(tmp_path: Path) -> None:
    path = tmp_path / "certificate.pem"
    made = make_certificate(path, "server01.example.org", now=NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_certificate(path, "other", now=NOW) == made == fingerprints(path)
    pem = path.read_text().partition("-----END PRIVATE KEY-----\n")[2]
    der = ssl.PEM_cert_to_DER_cert(pem)
    import hashlib

    assert hashlib.sha1(der).hexdigest().upper() == made.sha1
    assert hashlib.sha256(der).hexdigest().upper() == made.sha256.replace(":", "")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)


def test_a_certificate_that_cannot_be_written_or_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AdministrationError, match="cannot write"):
        make_certificate(tmp_path / "missing" / "c.pem", "host", now=NOW)
    (tmp_path / "c.pem").write_text("nothing")
    with pytest.raises(AdministrationError, match="cannot read the certificate"):
        fingerprints(tmp_path / "c.pem")
