"""`psrp account`: names that are refused, a store with a bad line, and Ctrl+C at the password."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from psremoting.administration.store import Store
from psremoting.cli.main import main
from psremoting.endpoint.store_accounts import StoreAccounts


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PSRP_PASSWORD", "x")
    path = tmp_path / "endpoint.db"
    assert psrp("add", "carol", "--store", str(path)).exit_code == 0
    return path


def psrp(*words: str) -> Result:
    return CliRunner().invoke(main, ["account", *words], prog_name="psrp")


def add_bad_line(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("INSERT INTO accounts VALUES (' ', ' :scrypt:14:8:1:00:00:')")
    connection.close()


@pytest.mark.parametrize("name", [" ", "", "#x", " bob", "bob ", "a:b", "a\x07", "a" * 257])
def test_a_name_that_cannot_be_read_again_is_refused(store: Path, name: str) -> None:
    wrong = psrp("add", name, "--store", str(store))
    assert wrong.exit_code == 1
    assert "an account's name" in wrong.stderr
    assert psrp("list", "--store", str(store)).stdout == "carol\n"


def test_a_bad_line_of_a_store_is_named_and_the_others_work(store: Path) -> None:
    add_bad_line(store)
    line = "psrp: the accounts of the store: line 1: expected an account of eight fields\n"
    listed = psrp("list", "--store", str(store))
    assert (listed.exit_code, listed.stdout, listed.stderr) == (0, "carol\n", line)
    assert psrp("add", "dave", "--store", str(store)).exit_code == 0
    assert psrp("remove", "carol", "--store", str(store)).exit_code == 0
    assert psrp("list", "--store", str(store)).stdout == "dave\n"


def test_a_server_reports_a_bad_line_once_and_uses_the_others(store: Path) -> None:
    add_bad_line(store)
    reports: list[str] = []
    with Store.open(store) as opened:
        accounts = StoreAccounts(opened, report=reports.append)
        assert accounts.find("carol") is not None
        assert psrp("add", "dave", "--store", str(store)).exit_code == 0
        assert accounts.find("dave") is not None
    assert reports == [
        "the accounts of the store: line 1: expected an account of eight fields; "
        "the line is left out"
    ]


def test_an_accounts_file_is_a_regular_file(store: Path) -> None:
    wrong = psrp("add", "carol", "--accounts", "/dev/full")
    assert wrong.exit_code == 1
    assert "/dev/full: expected a regular file" in wrong.stderr


def test_ctrl_c_at_the_password_exits_with_130(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> str:
        raise click.Abort

    monkeypatch.delenv("PSRP_PASSWORD")
    monkeypatch.setattr(click, "prompt", interrupted)
    assert psrp("add", "eve", "--store", str(store)).exit_code == 130
    assert psrp("list", "--store", str(store)).stdout == "carol\n"
