"""Files between our client and a real PowerShell, and between a real client and our endpoint."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from psremoting.copying import CopyError, CopyOptions, copy_from, copy_to, files_of
from psremoting.copying.local_files import LocalSource
from psremoting.copying.powershell_files import PowerShellFiles
from psremoting.session import PSSession
from tests.live.peers import Clients, Hosts
from tests.live.powershell import quoted
from tests.live.wsman_peers import WSManServer

TIME_LIMIT = 240
_TIME = 1_600_000_000_123_456_700


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with files at the edges of PowerShell's pieces of 4 MiB and of ours."""
    root = tmp_path / "source"
    (root / "sub" / "empty dir").mkdir(parents=True)
    for name, size in (
        ("empty", 0), ("one", 1), ("exact", 4 << 20), ("sub/more", (4 << 20) + 1),
        ("sub/chunk", 1 << 20), ("ünï [x] $y.txt", 100),
    ):  # fmt: skip
        path = root / name
        path.write_bytes(os.urandom(size))
        os.utime(path, ns=(_TIME, _TIME))
    (root / "sub" / "more").chmod(0o750)
    return root


def _tree(root: Path, *, modes: bool = True) -> dict[str, tuple[bytes | None, int, int]]:
    found: dict[str, tuple[bytes | None, int, int]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_dir():
            found[str(path.relative_to(root))] = (None, 0, 0)
            continue
        seen = path.stat()
        mode = seen.st_mode & 0o777 if modes else 0
        found[str(path.relative_to(root))] = (path.read_bytes(), seen.st_mtime_ns, mode)
    return found


Connect = Callable[[], AbstractAsyncContextManager[PSSession]]


@pytest.fixture
def connect(request: pytest.FixtureRequest, table_carrier: str, hosts: Hosts) -> Connect:
    """Opens a session to a real PowerShell over each carrier."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[PSSession]:
        if table_carrier == "wsman":
            server: WSManServer = request.getfixturevalue("wsman_server")
            async with PSSession.connect(server.target("ntlm"), options=server.options) as session:
                yield session
            return
        async with PSSession.connect(hosts.peer(table_carrier, "powershell").target) as session:
            yield session

    return opened


async def test_a_tree_goes_to_a_real_powershell_and_back(
    connect: Connect, source: Path, tmp_path: Path
) -> None:
    back = tmp_path / "back"
    back.mkdir()
    options = CopyOptions(recurse=True, force=True)
    # The server over WS-Man runs as another user.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        there = Path(folder)
        there.chmod(0o777)
        async with connect() as session:
            files = await files_of(session)
            assert isinstance(files, PowerShellFiles)
            await copy_to(files, [source], str(there), options)
            await copy_from(files, [f"{there}/source"], back, options)
            with pytest.raises(CopyError) as missing:
                await copy_from(files, [f"{there}/none"], back, options)
        assert missing.value.error_id == "RemotePathNotFound"
        assert _tree(there / "source") == _tree(source)
        assert not list(there.rglob("*.psrp-part"))
    assert _tree(back / "source") == _tree(source)


async def test_a_copy_to_a_real_powershell_goes_on(hosts: Hosts, tmp_path: Path) -> None:
    path, target = tmp_path / "big", tmp_path / "there"
    path.write_bytes(os.urandom(3 << 20))
    seen: list[int] = []
    options = CopyOptions(on_progress=lambda name, done, size: seen.append(done))
    async with PSSession.connect(hosts.peer("stdio", "powershell").target) as session:
        files = PowerShellFiles(session)
        # What an earlier copy left, as its id names it.
        source = LocalSource(path)
        source.close()
        (tmp_path / f".there.{source.id}.psrp-part").write_bytes(path.read_bytes()[: 2 << 20])
        await copy_to(files, [path], str(target), options)
        assert seen[0] == 2 << 20
        assert target.read_bytes() == path.read_bytes()
        part = tmp_path / f".there.{source.id}.psrp-part"
        part.write_bytes(b"other" * 400_000)
        await copy_to(files, [path], str(target), CopyOptions())
        assert target.read_bytes() == path.read_bytes()
        assert not part.exists()


@pytest.fixture
def files_server(hosts: Hosts) -> Path:
    """The folder of our endpoint ``files``, which lets clients copy."""
    folder = hosts.folder / "copied"
    folder.mkdir(exist_ok=True)
    hosts.add_ours("files", "--copy-folder", str(folder))
    return folder


def test_copy_item_of_powershell_works_with_our_endpoint(
    clients: Clients, files_server: Path, source: Path, tmp_path: Path
) -> None:
    session = clients.theirs("stdio", "files")
    back = tmp_path / "back"
    back.mkdir()
    run = clients.real.run
    run(f"Copy-Item {quoted(str(source))} -Destination User: -ToSession {session} -Recurse")
    assert _tree(files_server / "source", modes=False) == _tree(source, modes=False)
    run(f"Copy-Item User:/source -Destination {quoted(str(back))} -FromSession {session} -Recurse")
    theirs, ours = _tree(back / "source", modes=False), _tree(source, modes=False)
    # A path with brackets is a pattern for PowerShell's client.
    assert {k: v[:2] for k, v in theirs.items()} == {k: v[:2] for k, v in ours.items()}
    run(f"Copy-Item {quoted(str(source / 'one'))} -Destination User:/new -ToSession {session}")
    assert (files_server / "new").stat().st_mtime_ns == _TIME


_WRAPPED = "CopyFileRemoteExecutionError"
_ERRORS = {
    "Copy-Item User:/none -Destination {back} -FromSession {session}": "RemotePathNotFound",
    "Copy-Item {one} -Destination User:/none/x -ToSession {session}": "RemotePathNotFound",
    "Copy-Item {one} -Destination /etc/x -ToSession {session}": _WRAPPED,
    "Copy-Item User:/../secret -Destination {back} -FromSession {session}": _WRAPPED,
    "Copy-Item {folder} -Destination User:/ -ToSession {session}": "DirectoryExist",
}


def test_copy_item_of_powershell_gets_errors_for_what_is_not_there(
    clients: Clients, files_server: Path, source: Path, tmp_path: Path
) -> None:
    session = clients.theirs("stdio", "files")
    (files_server / "source").mkdir(exist_ok=True)
    (files_server.parent / "secret").write_text("secret")
    names = {
        "session": session,
        "back": quoted(str(tmp_path)),
        "one": quoted(str(source / "one")),
        "folder": quoted(str(source)),
    }
    found = {}
    for line in _ERRORS:
        code = f"try {{ {line.format(**names)} }} catch {{ $_.FullyQualifiedErrorId }}"
        found[line] = clients.real.run(f"$ErrorActionPreference='Stop'; {code}")
    assert {line: found[line].partition(",")[0] for line in found} == _ERRORS
    assert not (files_server.parent / "x").exists()
    assert not (tmp_path / "secret").exists()
