"""The store when programs are killed, disks are full, and files cannot be written."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from psremoting.administration.configurations import SessionConfiguration
from psremoting.administration.schema import APPLICATION_ID, MIGRATIONS
from psremoting.administration.store import Store
from psremoting.administration.store_file import StoreError
from tests.administration.store_changes import changes, configuration, fingerprint
from tests.endpoint.served_wsman import ROOT

PROGRAM = [sys.executable, "-m", "tests.administration.store_changes"]
CALLS = "pwrite64,write,fsync,fdatasync,ftruncate,unlink,unlinkat,openat"
_CALL = re.compile(rf"^(?:\[pid +\d+\] |\d+ +)?({CALLS.replace(',', '|')})\((.*)", re.MULTILINE)


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return done.returncode == 0


needs_strace = pytest.mark.skipif(not can_trace(), reason="no strace that may trace")


def prepared(path: Path) -> tuple[object, ...]:
    """Make a store with one configuration; return its state."""
    with Store.open(path, create=True) as store:
        store.put_configuration(configuration("One", "1.0"))
        return fingerprint(store)


def run(path: Path, *strace: str, trace: Path | None = None) -> subprocess.CompletedProcess[str]:
    output = str(trace) if trace is not None else os.devnull
    # Only the calls for the store and its journal, not those of the interpreter.
    files = (f"--trace-path={path}", f"--trace-path={path}-journal", f"--trace-path={path.parent}")
    argv = ["strace", "-o", output, "-e", f"trace={CALLS}", *files, *strace, *PROGRAM, str(path)]
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)


def calls_of(path: Path, trace: Path) -> list[str]:
    """Return the system calls that a run makes for the store, in order."""
    done = run(path, trace=trace)
    assert done.returncode == 0, done.stderr
    return [name for name, _ in _CALL.findall(trace.read_text())]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The number of each system call of one run."""
    folder = tmp_path_factory.mktemp("counted")
    prepared(folder / "endpoint.db")
    made = calls_of(folder / "endpoint.db", folder / "trace")
    return {name: made.count(name) for name in CALLS.split(",")}


@needs_strace
def test_a_kill_at_any_system_call_leaves_the_old_state_or_the_new(
    tmp_path: Path, counted: dict[str, int]
) -> None:
    folder = tmp_path / "template"
    folder.mkdir()
    before = prepared(folder / "endpoint.db")
    with Store.open(folder / "endpoint.db") as store:
        changes(store)
        after = fingerprint(store)
    shutil.rmtree(folder)
    tried, seen = 0, set()
    for name, count in counted.items():
        for number in range(1, count + 1):
            place = tmp_path / f"{name}-{number}"
            place.mkdir()
            path = place / "endpoint.db"
            prepared(path)
            run(path, "-e", f"inject={name}:signal=SIGKILL:when={number}")
            with Store.open(path) as store:
                found = fingerprint(store)
                assert found in (before, after), (name, number)
                seen.add("new" if found == after else "old")
                changes(store)
                assert fingerprint(store)[0] == after[0]
            tried += 1
    assert tried >= 10
    assert "old" in seen


@needs_strace
@pytest.mark.parametrize(
    ("error", "reason", "step"),
    [("ENOSPC", "there is no space left", 1), ("EIO", "the disk reported an error", 5)],
)
def test_a_failing_write_is_one_line_and_changes_nothing(
    tmp_path: Path, counted: dict[str, int], error: str, reason: str, step: int
) -> None:
    lines = set()
    for number in range(1, counted["pwrite64"] + 1, step):
        place = tmp_path / str(number)
        place.mkdir()
        path = place / "endpoint.db"
        before = prepared(path)
        done = run(path, "-e", f"inject=pwrite64:error={error}:when={number}+")
        assert done.returncode == 1, number
        assert done.stderr.count("\n") == 1
        assert str(path) in done.stderr
        lines.add(done.stderr.rsplit(": ", 1)[1].strip())
        with Store.open(path) as store:
            assert fingerprint(store) == before
    assert reason in lines


def test_a_full_file_system_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.db"
    before = prepared(path)
    with Store.open(path) as store:
        # SQLite's own limit has the error of a full disk.
        pages = store._file.rows("PRAGMA page_count")[0][0]
        store._file.rows(f"PRAGMA max_page_count = {pages}")
        many = [configuration(f"{number}", "x" * 1000) for number in range(1000)]
        with pytest.raises(StoreError, match="there is no space left"):
            put_all(store, many)
        assert fingerprint(store) == before


def put_all(store: Store, many: list[SessionConfiguration]) -> None:
    with store.transaction():
        for each in many:
            store.put_configuration(each)


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="no setpriv")
def test_a_read_only_store_is_one_line_and_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.db"
    before = prepared(path)
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    script = (
        "import sys; from pathlib import Path;"
        "from tests.administration.store_changes import *;"
        "s = Store.open(Path(sys.argv[1])); print(fingerprint(s)[2], flush=True); changes(s)"
    )
    # Root may write everywhere unless it gives that up.
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"] if os.geteuid() == 0 else []
    try:
        done = subprocess.run(
            [*drop, sys.executable, "-c", script, str(path)], capture_output=True, text=True,
            cwd=ROOT, check=False,
        )  # fmt: skip
    finally:
        tmp_path.chmod(0o755)
    assert done.stdout == "None\n", done.stderr
    assert "StoreError: cannot change the store" in done.stderr
    assert "it is read-only" in done.stderr
    with Store.open(path) as store:
        assert fingerprint(store) == before


def test_two_administrators_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "endpoint.db"
    prepared(path)
    count = 8
    script = (
        "import sys; from pathlib import Path;"
        "from tests.administration.store_changes import *\n"
        "with Store.open(Path(sys.argv[1])) as s:\n"
        " for at in range(20):\n"
        "  with s.changing(who=sys.argv[2], action='add', target=str(at)):\n"
        "   s.set_setting('n', str(int(s.setting('n', '0')) + 1))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(each)], cwd=ROOT)
        for each in range(count)
    ]
    assert [each.wait() for each in running] == [0] * count
    with Store.open(path) as store:
        assert store.setting("n") == str(20 * count)
        assert len(store.audit_trail(last=1000)) == 20 * count


def test_a_lock_that_never_ends_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "endpoint.db"
    before = prepared(path)
    monkeypatch.setattr("psremoting.administration.store_file._WAIT", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="another program has kept it locked"):
        Store.open(path)
    other.execute("ROLLBACK")
    with Store.open(path) as store:
        assert fingerprint(store) == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no store .*; Enable-PSRemoting creates it"),
        (lambda path: path.write_bytes(b"not a database" * 100), "it is no SQLite database"),
        (lambda path: foreign(path), "it belongs to another program"),
        (lambda path: newer(path), r"a newer program has written it \(version 99, expected"),
        (lambda path: path.mkdir(), "it or its folder cannot be opened"),
    ],
    ids=["missing", "garbage", "foreign", "newer", "folder"],
)
def test_a_file_that_is_no_store_is_refused_in_one_line(
    tmp_path: Path, make: object, message: str
) -> None:
    path = tmp_path / "endpoint.db"
    make(path)  # type: ignore[operator]
    with pytest.raises(StoreError, match=message) as caught:
        Store.open(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE other (a)")


def newer(path: Path) -> None:
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE settings (a)")
        made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        made.execute("PRAGMA user_version = 99")


def test_a_store_of_each_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    for version in range(len(MIGRATIONS)):
        path = tmp_path / f"{version}.db"
        with sqlite3.connect(path) as made:
            for script in MIGRATIONS[:version]:
                made.executescript(script)
            made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            made.execute(f"PRAGMA user_version = {version}")
            if version:
                made.execute("INSERT INTO settings VALUES ('MaxShells', '5')")
        made.close()
        with Store.open(path) as store:
            assert store.setting("MaxShells") == ("5" if version else "")
            changes(store)
            assert store.sessions() == ()
        with sqlite3.connect(path) as made:
            assert made.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_new_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "endpoint.db"
    before = os.umask(0)
    try:
        with Store.open(path, create=True) as store:
            assert store.is_private
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
