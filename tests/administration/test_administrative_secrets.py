"""Secrets and names in log-ons, audit trail, exports and sockets of an administered endpoint."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio

from psremoting.administration.configurations import AdministrationError as AError
from psremoting.administration.configurations import (
    AuditRecord,
    EngineKind,
    ListenerSetting,
    SessionConfiguration,
    TransportOption,
)
from psremoting.administration.exchange import export_store, import_store
from psremoting.administration.service_settings import service_limits
from psremoting.administration.store import Store
from psremoting.cli.main import main as psrp
from psremoting.endpoint.administered_sessions import SessionBook
from psremoting.endpoint.store_accounts import StoreAccounts
from psrp.sansio import RemoteProtocolError
from wsman.accounts import LogonGuard, new_account
from wsman.auth_server import Accepted, Challenge
from wsman.certificates import CertificateMapping
from wsman.local_logon import LocalAuthenticator

TRIES = 1000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.open(tmp_path / "endpoint.db", create=True)
    made.put_account(new_account("carol", "right", salt=bytes(16)))
    return made


class Work:
    """Counts the hashes, and the statements of the store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
        self.hashes: list[tuple[int, int, int, int]] = []
        self.statements = 0

        def scrypt(data: bytes, *, n: int, r: int, p: int, dklen: int, **_: object) -> bytes:
            self.hashes.append((n, r, p, dklen))
            return hashlib.sha256(data).digest()

        monkeypatch.setattr("wsman.accounts.hashlib.scrypt", scrypt)
        digest = hmac.digest

        def counted_digest(key: bytes, data: bytes, name: str) -> bytes:
            self.hashes.append((len(key), 0, 0, 0))
            return digest(key, data, name)

        monkeypatch.setattr("wsman.accounts.hmac.digest", counted_digest)
        rows = store._file.rows

        def counted(*arguments: object) -> list[object]:
            self.statements += 1
            return rows(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(store._file, "rows", counted)

    def of(self, check: Callable[[], object]) -> tuple[object, ...]:
        self.hashes.clear()
        self.statements = 0
        result = check()
        return result, tuple(self.hashes), self.statements


def test_an_unknown_user_costs_what_a_wrong_password_costs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = StoreAccounts(store)
    accounts.refresh()
    work = Work(monkeypatch, store)
    wrong = {work.of(partial(accounts.check, "carol", f"wrong {at}")) for at in range(TRIES)}
    unknown = {work.of(partial(accounts.check, f"user{at}", "right")) for at in range(TRIES)}
    assert wrong == unknown
    assert len(wrong) == 1
    ((result, hashes, _),) = wrong
    # One slow hash, and one that is fast.
    assert (result, len(hashes)) == (None, 2)


def test_the_delay_of_an_unknown_user_is_that_of_a_known_one() -> None:
    known, unknown = LogonGuard(), LogonGuard()
    for at in range(TRIES):
        assert known.failure("carol", "10.0.0.7", at) == unknown.failure("nobody", "10.0.0.7", at)


def test_an_export_without_accounts_has_no_hash(store: Store) -> None:
    store.put_configuration(
        SessionConfiguration(
            name="Test", kind=EngineKind.PROCESS, source="pwsh -s", environment=(("A", "1"),),
            transport_option=TransportOption(max_sessions=3),
        )
    )  # fmt: skip
    store.put_listener(ListenerSetting(transport="HTTPS", port=5986))
    store.set_mappings((CertificateMapping(account="carol", issuer="A" * 40),))
    account = store.accounts().find("carol")
    assert account is not None
    assert account.hash.hex() in export_store(store)
    bare = export_store(store, accounts=False)
    assert account.hash.hex() not in bare
    assert account.salt.hex() not in bare


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-20], "expected JSON"),
        (lambda text: "[]", 'expected an object with "format": 1'),
        (lambda text: text.replace('"format": 1', '"format": 2'), 'expected an object with "form'),
        (lambda text: text.replace('"groups"', '"group"'), "unknown part 'group'"),
        (lambda text: text.replace('"port": 1', '"port": "x"'), r"listeners\[0\].port: expected i"),
        (lambda text: text.replace('"kind": "functions"', '"kind": "x"'),
         r"configurations\[0\].kind: unknown value 'x'"),
        (lambda text: text.replace('"source"', '"sources"'),
         r"configurations\[0\]: unknown field 'sources'"),
        (lambda text: text.replace('"source": "m:f",', ""),
         r"configurations\[0\]: missing field source"),
        (lambda text: text.replace("D:(A;;GA;;;BA)", "D:(A;;QQ;;;BA)"),
         r"configurations\[0\].sddl: SDDL, character 7"),
        (lambda text: text.replace('"name": "Test"', '"max_received_data_size_mb": NaN'),
         r"configurations\[0\].max_received_data_size_mb: expected a finite number"),
        (lambda text: text.replace('"name": "Test"', '"max_received_data_size_mb": 1' + "0" * 400),
         r"configurations\[0\].max_received_data_size_mb: the number is too large"),
        (lambda text: text.replace("scrypt", "plain"), "accounts: line 1: expected an account"),
    ],
)  # fmt: skip
def test_a_wrong_import_changes_nothing(
    store: Store, change: Callable[[str], str], message: str
) -> None:
    store.put_configuration(
        SessionConfiguration(
            name="Test", kind=EngineKind.FUNCTIONS, source="m:f", sddl="D:(A;;GA;;;BA)"
        )
    )
    store.put_listener(ListenerSetting(port=1))
    store.set_members("readers", ("carol",))
    before = export_store(store)
    changed = change(before)
    assert changed != before
    with pytest.raises(AError, match=message):
        import_store(store, changed, who="root")
    assert export_store(store) == before
    assert store.audit_trail() == []


def test_an_import_does_not_give_a_sid_to_another_name(store: Store, tmp_path: Path) -> None:
    sid = store.sid_of("dave")
    text = export_store(store).replace('"dave"', '"mallory"')
    with pytest.raises(AError, match=f"{sid} is dave"):
        import_store(store, text, who="root")
    assert store.name_of(sid).endswith("\\dave")


def test_a_new_name_never_gets_a_sid_that_was_imported(store: Store, tmp_path: Path) -> None:
    for name in ("dave", "erin", "frank"):
        store.sid_of(name)
    text = export_store(store)
    with Store.open(tmp_path / "other.db", create=True) as other:
        import_store(other, text, who="root")
        assert other.sid_of("grace") not in other.principals().keys() - {other.known_sid("grace")}
        assert other.known_sid("grace") not in store.principals()
        # An older export does not lead back to a number that is taken.
        import_store(other, text, who="root")
        assert other.sid_of("heidi") != other.sid_of("grace")


def test_a_name_in_the_audit_trail_cannot_move_the_cursor_or_add_a_line(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "carol\n2026-01-01  root  -  log-on\x1b[2J\x1b]0;title\x07"
    store.audit(AuditRecord(time=0.0, who=evil, action="log-on failed", detail="\x9b31m"))
    with pytest.raises(SystemExit):
        psrp(["endpoint", "audit", "--store", str(store.path)], prog_name="psrp")
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert not any(each in out for each in ("\x1b", "\x07", "\x9b"))


def test_the_audit_trail_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psremoting.administration.store._MOST_AUDIT", 10)
    for at in range(25):
        store.audit(AuditRecord(time=float(at), who="carol", action="log-on"))
    assert [each.time for each in store.audit_trail()] == [float(at) for at in range(15, 25)]


async def test_records_that_cannot_be_written_wait_within_bounds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psremoting.endpoint.administered_sessions._MOST_WAITING", 10)
    monkeypatch.setattr("psremoting.endpoint.administered_sessions._ROUND", 0.001)
    said: list[str] = []
    book = SessionBook(store, act=lambda id, action: False, report=said.append)
    fails = True
    audit = store.audit

    def failing(*records: AuditRecord) -> None:
        if fails:
            raise AError("the disk is full")
        audit(*records)

    monkeypatch.setattr(store, "audit", failing)
    for at in range(25):
        book.audit("carol", "", "log-on", str(at))
    await book.flush()
    await book.flush()
    assert said == ["the disk is full"]
    fails = False
    await book.flush()
    trail = store.audit_trail()
    assert trail[0].detail == "15 records were lost because the store could not be written"
    assert [each.target for each in trail[1:]] == [str(at) for at in range(15, 25)]


def test_a_local_connection_takes_only_its_own_scheme() -> None:
    logon = LocalAuthenticator("carol")
    for header in (None, "", "Basic Y2Fyb2w6eA==", "Negotiate abc", "Local", "Local root"):
        assert isinstance(logon.receive(header, 0.0), Challenge)
    expected = Accepted(user="carol", scheme="Local")
    assert not expected.interactive
    assert logon.receive("Local network", 0.0) == expected
    assert logon.receive("local INTERACTIVE", 0.0) == replace(expected, interactive=True)
    assert logon.receive("Local network", 0.0) == expected


@pytest.mark.parametrize(
    ("name", "value"), [("MaxShells", "0"), ("MaxShells", "-1"), ("MaxShells", "many"),
                        ("MaxEnvelopeSizekb", "1"), ("IdleTimeout", "59999")],
)  # fmt: skip
def test_a_quota_out_of_range_is_refused(name: str, value: str) -> None:
    with pytest.raises(AError, match=f"{name}: expected a number from"):
        service_limits({name: value})


def test_quotas_have_the_units_of_winrm() -> None:
    limits = service_limits({"IdleTimeout": "60000", "MaxEnvelopeSizekb": "150", "MaxShells": "7"})
    assert (limits.idle_timeout, limits.max_envelope_size, limits.max_shells) == (60.0, 153_600, 7)


async def test_a_preface_of_the_subsystem_is_bounded_and_shown_harmlessly() -> None:
    from psremoting.endpoint.administered import _preface

    class Stream:
        def __init__(self, data: bytes) -> None:
            self.data = data

        async def receive_some(self, count: int) -> bytes:
            await trio.lowlevel.checkpoint()
            taken, self.data = self.data[:count], self.data[count:]
            return taken

    good = Stream(b"Test\t10.0.0.7\x1b[2J\nrest")
    assert await _preface(good) == ("Test", "10.0.0.7[2J")  # type: ignore[arg-type]
    assert good.data == b"rest"
    for bad in (b"x" * 5000, b"no end"):
        with pytest.raises(RemoteProtocolError, match="the "):
            await _preface(Stream(bad))  # type: ignore[arg-type]
