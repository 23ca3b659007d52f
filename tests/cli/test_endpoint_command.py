"""`psrp endpoint`: groups, quotas, export and import, and PowerShell's commands by other names."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from psremoting.administration.configurations import ListenerSetting, SessionRecord
from psremoting.administration.store import Store
from psremoting.cli.endpoint import span
from psremoting.cli.main import main


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "endpoint.db"
    monkeypatch.setenv("PSRP_STORE", str(path))
    monkeypatch.setenv("COLUMNS", "200")
    return path


def psrp(*words: str) -> Result:
    return CliRunner().invoke(main, ["endpoint", *words], prog_name="psrp")


def test_groups_are_set_shown_and_cleared(store: Path) -> None:
    assert psrp("group", "BUILTIN\\Administrators", "@wheel", "carol").exit_code == 0
    assert psrp("group", "operators", "dave").exit_code == 0
    assert psrp("group").output == ("builtin\\administrators: @wheel, carol\noperators: dave\n")
    assert psrp("group", "Operators").output == "operators: dave\n"
    psrp("group", "operators", "--clear")
    assert psrp("group", "operators").output == ""
    assert "group  operators  dave" in psrp("audit").output


def test_a_quota_is_checked_before_it_is_kept(store: Path) -> None:
    assert psrp("quota", "MaxShellsPerUser", "10").exit_code == 0
    for name, value, message in (
        ("MaxShellsPerUser", "0", "expected a number from 1 to"),
        ("MaxShell", "10", "unknown quota 'MaxShell'; expected one of MaxEnvelopeSizekb"),
    ):
        wrong = psrp("quota", name, value)
        assert wrong.exit_code == 1
        assert message in wrong.output
    shown = psrp("quota").output.splitlines()
    assert "MaxShellsPerUser 10" in shown
    assert "MaxShells 1000 (default)" in shown
    assert "MaxEnvelopeSizekb 500 (default)" in shown
    assert "MaxTimeoutms 60000 (default)" in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AllowUnencrypted", "maybe"), ("AllowCredSSP", "1"), ("MaxConnections", "9" * 23),
        ("MaxConnections", "0"), ("keytab", "/nonexist"), ("keytab", "relative"),
        ("MaxShells", "9" * 5000),
    ],
)  # fmt: skip
def test_a_setting_of_the_wrong_type_is_refused(store: Path, name: str, value: str) -> None:
    wrong = psrp("quota", name, value)
    assert wrong.exit_code == 1
    assert f"{name}: " in wrong.output
    assert not store.exists()


@pytest.mark.parametrize("member", ["", "@", "b:c", "a\x07", "a\nb", " x", "@@x", "a" * 257])
def test_a_member_that_nobody_can_be_is_refused(store: Path, member: str) -> None:
    for words in (("operators", "dave", member), (member or " ", "dave")):
        wrong = psrp("group", *words)
        assert wrong.exit_code == 1
        assert "the name of a user or group" in wrong.output
        assert "\x07" not in wrong.output
    assert psrp("group").output == ""


def test_a_new_group_and_an_unknown_group_of_the_system_are_told(store: Path) -> None:
    told = psrp("group", "operators", "@no-such-group")
    assert told.exit_code == 0
    assert told.stderr == (
        "The group operators was not there and has been created.\n"
        "This system has no group no-such-group at present.\n"
    )
    assert psrp("group", "operators", "dave").stderr == ""
    assert psrp("group", "BUILTIN\\Administrators", "dave").stderr == ""


_CONFIGURATION = {"kind": "functions", "source": "m:f"}


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"listeners": [{"port": 99999}]}, "listeners[0]: "),
        ({"listeners": [{"port": 0}]}, "listeners[0]: "),
        ({"listeners": [{"address": "IP:not an address"}]}, "listeners[0]: "),
        ({"listeners": [{"address": "IP:999.1.1.1"}]}, "listeners[0]: "),
        ({"listeners": [{"address": "127.0.0.1"}]}, "listeners[0]: "),
        ({"listeners": [{"transport": "FTP"}]}, "listeners[0]: "),
        ({"configurations": [{"name": "../x", **_CONFIGURATION}]}, "configurations[0].name: "),
        ({"configurations": [{"name": " ", **_CONFIGURATION}]}, "configurations[0].name: "),
        ({"format": True}, "format"),
        ({"settings": {"x": "\ud800"}}, "expected texts of whole characters"),
        ({"settings": {"MaxConnections": "many"}}, "settings.MaxConnections: "),
        ({"settings": {"next-rid": "9" * 5000}}, "settings.next-rid: "),
        ({"groups": {"operators": ["b:c"]}}, "the name of a user or group"),
    ],
)
def test_an_import_with_a_wrong_value_changes_nothing(
    store: Path, tmp_path: Path, part: dict[str, object], place: str
) -> None:
    file = tmp_path / "endpoint.json"
    document = {"format": 1, "principals": {"S-1-5-21-1-2-3-1001": "dave"}, **part}
    file.write_text(json.dumps(document))
    wrong = psrp("import", str(file))
    assert (wrong.exit_code, place in wrong.output) == (1, True), wrong.output
    assert "Traceback" not in wrong.output
    if store.exists():
        with Store.open(store) as opened:
            assert opened.principals() == {}
            assert opened.listeners() == ()


def test_an_import_takes_names_and_addresses_of_hosts(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "endpoint.json"
    hosts = ["*", "IP:127.0.0.1", "IP:::1", "IP:host.example.org", "IP:localhost"]
    file.write_text(json.dumps({"format": 1, "listeners": [{"address": each} for each in hosts]}))
    assert psrp("import", str(file)).exit_code == 0
    with Store.open(store) as opened:
        assert sorted(each.address for each in opened.listeners()) == sorted(hosts)


def test_an_export_is_imported_elsewhere(store: Path, tmp_path: Path) -> None:
    psrp("group", "operators", "dave")
    psrp("quota", "MaxShells", "7")
    exported = psrp("export").output
    assert json.loads(exported)["groups"] == {"operators": ["dave"]}
    file = tmp_path / "endpoint.json"
    file.write_text(exported)
    other = tmp_path / "other.db"
    assert psrp("import", str(file), "--store", str(other)).exit_code == 0
    assert psrp("export", "--store", str(other)).output == exported
    file.write_text("{}")
    wrong = psrp("import", str(file), "--store", str(other))
    assert (wrong.exit_code, wrong.output) == (1, 'Error: expected an object with "format": 1\n')
    missing = psrp("import", str(tmp_path / "missing.json"))
    assert "missing.json" in missing.output
    assert missing.exit_code != 0


def test_without_a_store_every_command_is_one_line(store: Path) -> None:
    for words in (("status",), ("sessions",), ("audit",), ("export",), ("remove", "X"), ("serve",)):
        wrong = psrp(*words)
        assert wrong.exit_code == 1
        assert wrong.output == (f"Error: there is no store {store}; Enable-PSRemoting creates it\n")


def test_powershells_commands_have_other_names(store: Path) -> None:
    for words in (
        ("register", "Tools", "--functions", "a:b"),
        ("set", "Tools", "--access-mode", "Local"),
        ("list",),
        ("get", "Tools"),
        ("disable", "-Force"),
        ("unregister", "Tools"),
    ):
        done = psrp(*words)
        assert done.exit_code == 0, (words, done.output)
    with Store.open(store) as opened:
        assert [each.action for each in opened.audit_trail()] == [
            "Register-PSSessionConfiguration", "Set-PSSessionConfiguration",
            "Unregister-PSSessionConfiguration",
        ]  # fmt: skip


def test_sessions_are_a_table_with_idle_and_run_time(store: Path) -> None:
    now = time.time()
    with Store.open(store, create=True) as opened:
        opened.put_session(
            SessionRecord(
                id="0D1F", owner="carol", address="10.0.0.7", configuration="Tools",
                transport="WSMan", state="Disconnected", started=now - 90_000, active=now - 3600,
            )
        )  # fmt: skip
    head, row = psrp("sessions").output.splitlines()
    assert head.split() == [
        "Id", "Owner", "Client", "Transport", "Configuration", "State", "Idle", "Run", "time",
    ]  # fmt: skip
    assert row.split()[:6] == ["0D1F", "carol", "10.0.0.7", "WSMan", "Tools", "Disconnected"]
    assert row.split()[6].startswith("01:00:0")
    assert row.split()[7].startswith("1.01:00:0")
    assert "carol from 10.0.0.7, Tools, WSMan, Disconnected" in psrp("status").output


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "00:00:00"), (59.9, "00:00:59"), (3661, "01:01:01"), (90_061, "1.01:01:01")],
)
def test_a_span_is_written_as_powershell_writes_it(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_listener_is_shown_and_removed(store: Path) -> None:
    with Store.open(store, create=True) as opened:
        opened.put_listener(ListenerSetting(address="IP:127.0.0.1", port=15985))
        opened.put_listener(ListenerSetting(transport="HTTPS", port=5986))
    assert psrp("listener").output == (
        "HTTPS at any address, port 5986\nHTTP at 127.0.0.1, port 15985\n"
    )
    wrong = psrp("listener", "--remove", "HTTP")
    assert (wrong.exit_code, wrong.output) == (1, "Error: there is no listener for HTTP at *\n")
    assert psrp("listener", "--remove", "http", "--address", "127.0.0.1").exit_code == 0
    assert psrp("listener").output == "HTTPS at any address, port 5986\n"
    assert "listener remove  HTTP IP:127.0.0.1" in psrp("audit").output


def test_accounts_of_the_store_are_added_listed_and_removed(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def account(*words: str) -> Result:
        return CliRunner().invoke(main, ["account", *words, "--store", str(store)])

    monkeypatch.setenv("PSRP_PASSWORD", "secret-word")
    assert account("add", "carol", "--ntlm").exit_code == 0
    assert account("add", "dave").exit_code == 0
    assert account("list").output == "carol  ntlm\ndave\n"
    with Store.open(store) as opened:
        assert opened.accounts().check("carol", "secret-word") == "carol"
        assert opened.known_sid("carol")
    assert account("remove", "dave").exit_code == 0
    assert account("remove", "dave").output == "Error: there is no account dave\n"
    assert account("add", "a:b").exit_code == 1
    shown = psrp("audit").output
    assert shown.count("account add") == 2
    assert "account remove  dave" in shown
    assert "secret" not in shown


def test_accounts_are_in_a_file_or_in_a_store() -> None:
    for words in (("list",), ("list", "--store", "a", "--accounts", "b")):
        wrong = CliRunner().invoke(main, ["account", *words])
        assert wrong.exit_code == 2
        assert "expected one of --accounts FILE and --store PATH" in wrong.output
