"""Copies to an endpoint and back: whole trees, broken copies, hostile peers."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from psremoting.copying import CopyError, CopyOptions, RemoteEntry, copy_from, copy_to, files_of
from psremoting.copying.endpoint_files import EndpointFiles
from psremoting.copying.helper_files import HelperFiles
from psremoting.copying.remote_files import End, Looked
from psremoting.endpoint.confined_folder import ConfinedFolder
from psremoting.endpoint.copy_commands import copy_commands, user_folder
from psremoting.endpoint.driver import serve_stream
from psremoting.endpoint.functions import FunctionsEngine
from psremoting.errors import PSRemotingTransportError
from psremoting.session import PSSession
from psrp.clixml import Dictionary, Int64
from tests.session.servers import carrier_over

_ALL: dict[str, Any] = {"recurse": True, "force": True}


class _Cut(trio.abc.HalfCloseableStream):
    """A stream that breaks after ``left`` bytes of the client, or of the server."""

    def __init__(self, stream: Any, *, sent: int = 1 << 60, received: int = 1 << 60) -> None:
        self._stream, self._sent, self._received = stream, sent, received

    async def send_all(self, data: Any) -> None:
        self._sent -= len(data)
        if self._sent < 0:
            await self._stream.aclose()
            raise trio.BrokenResourceError
        await self._stream.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> Any:
        data = await self._stream.receive_some(max_bytes)
        self._received -= len(data)
        if self._received < 0:
            await self._stream.aclose()
            raise trio.BrokenResourceError
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def _session(folder: ConfinedFolder, **cut: int) -> AsyncIterator[PSSession]:
    engine = FunctionsEngine(copy_commands(folder))
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, engine)
        async with PSSession.connect(carrier_over(_Cut(ours, **cut))) as session:
            yield session
        nursery.cancel_scope.cancel()


def _tree(root: Path) -> dict[str, tuple[bytes | None, int, int]]:
    """Return each path below ``root`` with content, time and permission bits."""
    found: dict[str, tuple[bytes | None, int, int]] = {}
    for path in sorted(root.rglob("*")):
        seen = path.stat()
        content = None if path.is_dir() else path.read_bytes()
        time, mode = (0, 0) if path.is_dir() else (seen.st_mtime_ns, seen.st_mode & 0o777)
        found[str(path.relative_to(root))] = (content, time, mode)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with files of many sizes, names, times and modes."""
    root = tmp_path / "source"
    (root / "sub" / "empty dir").mkdir(parents=True)
    for name, size in (
        ("empty", 0), ("one", 1), ("sub/chunk", 1 << 19), ("sub/more", (1 << 20) + 7),
        ("ünï cödé [x] $y.txt", 100), ("sub/-dash", 3),
    ):  # fmt: skip
        path = root / name
        path.write_bytes(os.urandom(size))
        os.utime(path, ns=(1_600_000_000_123_456_700, 1_600_000_000_123_456_700))
    (root / "one").chmod(0o640)
    (root / "sub" / "more").chmod(0o755)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> ConfinedFolder:
    root = tmp_path / "served"
    root.mkdir()
    return ConfinedFolder(root)


Kind = Callable[[PSSession], Any]


@pytest.mark.parametrize("kind", [EndpointFiles, HelperFiles])
async def test_a_tree_is_the_same_there_and_back(
    kind: Kind, source: Path, folder: ConfinedFolder, tmp_path: Path
) -> None:
    back = tmp_path / "back"
    back.mkdir()
    async with _session(folder) as session:
        files = kind(session)
        await copy_to(files, [source], "User:/", CopyOptions(**_ALL))
        await copy_from(files, ["User:/source"], back, CopyOptions(**_ALL))
    served, returned = _tree(folder.root / "source"), _tree(back / "source")
    if kind is HelperFiles:
        # PowerShell's helpers keep no permission bits.
        served, returned = (
            {path: (*seen[:2], 0) for path, seen in each.items()} for each in (served, returned)
        )
        assert returned == {path: (*seen[:2], 0) for path, seen in _tree(source).items()}
    else:
        assert returned == _tree(source)
    assert served == returned


async def test_the_way_to_the_files_is_found(folder: ConfinedFolder) -> None:
    async with _session(folder) as session:
        assert isinstance(await files_of(session), EndpointFiles)


async def test_an_endpoint_without_a_folder_offers_nothing() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_stream, theirs, FunctionsEngine({}))
        async with PSSession.connect(carrier_over(ours)) as session:
            with pytest.raises(CopyError, match="LanguageMode is set to NoLanguage") as refused:
                await files_of(session)
            assert refused.value.error_id == "SessionIsNotInFullLanguageMode"
        nursery.cancel_scope.cancel()


async def test_places_are_those_of_copy_item(
    source: Path, folder: ConfinedFolder, tmp_path: Path
) -> None:
    async with _session(folder) as session:
        files = EndpointFiles(session)
        await copy_to(files, [source / "one"], "User:/new", CopyOptions())
        await copy_to(files, [source / "one"], "User:/", CopyOptions())
        await copy_to(files, [source], "User:/made", CopyOptions(recurse=True))
        with pytest.raises(CopyError) as missing:
            await copy_to(files, [source / "one"], "User:/none/x", CopyOptions())
        await copy_to(files, [source], "User:/", CopyOptions())
        with pytest.raises(CopyError) as exists:
            await copy_to(files, [source], "User:/", CopyOptions())
        with pytest.raises(CopyError, match="is a file that already exists"):
            await copy_to(files, [source], "User:/new", CopyOptions(**_ALL))
        await copy_from(files, ["User:/new"], tmp_path / "named", CopyOptions())
        await copy_from(files, ["User:/made/*"], tmp_path, CopyOptions(filter="o*"))
    assert missing.value.error_id == "RemotePathNotFound"
    assert exists.value.error_id == "DirectoryExist"
    assert (folder.root / "new").read_bytes() == (source / "one").read_bytes()
    assert _tree(folder.root / "made") == _tree(source)
    assert sorted(os.listdir(folder.root / "source")) == []
    assert (tmp_path / "named").read_bytes() == (source / "one").read_bytes()
    assert (tmp_path / "one").exists()
    assert not (tmp_path / "empty").exists()


async def test_names_choose_files(source: Path, folder: ConfinedFolder) -> None:
    async with _session(folder) as session:
        options = CopyOptions(recurse=True, include=["*o*"], exclude=["more"])
        await copy_to(EndpointFiles(session), [source], "User:/x", options)
    names = {path for path, seen in _tree(folder.root / "x").items() if seen[0] is not None}
    assert names == {"one"}


async def test_one_file_that_fails_does_not_end_the_others(
    source: Path, folder: ConfinedFolder
) -> None:
    (folder.root / "x" / "one").mkdir(parents=True)
    failed: list[CopyError] = []
    async with _session(folder) as session:
        options = CopyOptions(**_ALL, on_error=failed.append)
        (folder.root / "y").symlink_to(folder.root)
        await copy_to(
            EndpointFiles(session), [source / "one", source / "empty"], "User:/x", options
        )
        await copy_to(EndpointFiles(session), [source / "one"], "User:/y/z", options)
    assert len(failed) == 2
    assert (folder.root / "x" / "empty").exists()
    assert not (folder.root / "z").exists()


# -- broken copies


async def _until_broken(
    work: Callable[[PSSession], Any], folder: ConfinedFolder, **cut: int
) -> bool:
    """Run ``work`` in a session that breaks; return True if it ended before."""
    try:
        async with _session(folder, **cut) as session:
            await work(session)
            return True
    except (PSRemotingTransportError, BaseExceptionGroup):
        return False


async def test_an_upload_goes_on_after_a_lost_session(
    folder: ConfinedFolder, tmp_path: Path
) -> None:
    path = tmp_path / "big"
    path.write_bytes(os.urandom(6 << 20))
    seen: list[int] = []
    options = CopyOptions(on_progress=lambda name, done, size: seen.append(done))

    async def work(session: PSSession) -> None:
        await copy_to(EndpointFiles(session), [path], "User:/big", options)

    assert not await _until_broken(work, folder, sent=6 << 20)
    assert not (folder.root / "big").exists()
    (part,) = folder.root.glob(".big.*")
    arrived = part.stat().st_size
    assert 0 < arrived < 6 << 20
    seen.clear()
    assert await _until_broken(work, folder)
    assert seen[0] == arrived
    assert (folder.root / "big").read_bytes() == path.read_bytes()
    assert not list(folder.root.glob(".big.*"))


async def test_a_download_goes_on_after_a_lost_session(
    folder: ConfinedFolder, tmp_path: Path
) -> None:
    (folder.root / "big").write_bytes(os.urandom(6 << 20))
    target = tmp_path / "copied"
    seen: list[int] = []
    options = CopyOptions(on_progress=lambda name, done, size: seen.append(done))

    async def work(session: PSSession) -> None:
        await copy_from(EndpointFiles(session), ["User:/big"], target, options)

    assert not await _until_broken(work, folder, received=6 << 20)
    assert not target.exists()
    (part,) = tmp_path.glob(".copied.*")
    arrived = part.stat().st_size
    assert 0 < arrived < 6 << 20
    seen.clear()
    assert await _until_broken(work, folder)
    assert seen[0] == arrived
    assert target.read_bytes() == (folder.root / "big").read_bytes()
    assert not list(tmp_path.glob(".copied.*"))


@pytest.mark.parametrize("upload", [True, False])
async def test_a_part_with_other_bytes_is_not_continued(
    upload: bool, folder: ConfinedFolder, tmp_path: Path
) -> None:
    here, there = tmp_path / "big", folder.root / "big"
    (here if upload else there).write_bytes(os.urandom(3 << 20))

    async def work(session: PSSession) -> None:
        files = EndpointFiles(session)
        if upload:
            await copy_to(files, [here], "User:/big", CopyOptions())
        else:
            await copy_from(files, ["User:/big"], here, CopyOptions())

    cut = {"sent" if upload else "received": 3 << 20}
    assert not await _until_broken(work, folder, **cut)
    (part,) = (folder.root if upload else tmp_path).glob(".big.*")
    part.write_bytes(b"x" * part.stat().st_size)
    assert await _until_broken(work, folder)
    assert here.read_bytes() == there.read_bytes()


# -- hostile peers


class _Hostile:
    """The files of a server that says what it wants."""

    resumes = True

    def __init__(self, names: list[str], end: End, data: bytes = b"data") -> None:
        self._names, self._end, self._data = names, end, data

    async def look(self, path: str) -> Looked:
        return Looked(path=path, entries=(self._entry("top", True),))

    def _entry(self, name: str, is_directory: bool) -> RemoteEntry:
        return RemoteEntry(path=f"/{name}", name=name, is_directory=is_directory, size=4)

    async def entries(self, directory: RemoteEntry) -> list[RemoteEntry]:
        return [self._entry(name, False) for name in self._names]

    async def download(self, entry: RemoteEntry, offset: int) -> AsyncGenerator[bytes | End, None]:
        yield self._data[offset:]
        yield self._end


_DIGEST = sha256(b"data").hexdigest()


@pytest.mark.parametrize("name", ["../x", "..", ".", "", "/etc/x", "a/b", "x\0y"])
async def test_a_server_cannot_choose_a_place_outside_the_destination(
    name: str, tmp_path: Path
) -> None:
    target = tmp_path / "in" / "target"
    target.mkdir(parents=True)
    files = _Hostile([name, "good"], End(sha256=_DIGEST, size=4))
    failed: list[CopyError] = []
    options = CopyOptions(**_ALL, on_error=failed.append)
    await copy_from(files, ["/top"], target, options)  # type: ignore[arg-type]
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) in (
        ["in/target/top/good"], [],
    )  # fmt: skip
    assert len(failed) == 1


async def test_wrong_bytes_never_get_the_final_name(tmp_path: Path) -> None:
    files = _Hostile(["x"], End(sha256="0" * 64, size=4))
    with pytest.raises(CopyError, match="differ from those that arrived"):
        await copy_from(files, ["/top"], tmp_path, CopyOptions(**_ALL))  # type: ignore[arg-type]
    assert list((tmp_path / "top").iterdir()) == []


async def test_set_id_bits_of_a_server_are_not_taken(tmp_path: Path) -> None:
    files = _Hostile(["x"], End(sha256=_DIGEST, size=4, mode=0o6755))
    await copy_from(files, ["/top"], tmp_path, CopyOptions(**_ALL))  # type: ignore[arg-type]
    assert (tmp_path / "top" / "x").stat().st_mode & 0o7777 == 0o755


async def test_a_client_cannot_give_other_bytes_than_it_promised(folder: ConfinedFolder) -> None:
    async def data() -> AsyncIterator[Any]:
        yield b"some bytes"
        yield Dictionary({"Sha256": "0" * 64, "Time": Int64(1)})

    async with _session(folder) as session:
        result = await session.run(
            "Write-EndpointFile -Path User:/x -Id 1", input=data(), as_script=True
        )
    (error,) = result.errors
    assert error.fully_qualified_error_id == "DigestDiffers,Write-EndpointFile"
    assert list(folder.root.iterdir()) == []


@pytest.mark.parametrize("end", [{"Time": "noon"}, {"Mode": "rw"}, {"Time": Decimal(1 << 64)}])
async def test_a_time_or_a_mode_that_is_no_number_is_an_error(
    folder: ConfinedFolder, end: dict[str, Any]
) -> None:
    async def data() -> AsyncIterator[Any]:
        yield b"x"
        yield Dictionary({"Sha256": sha256(b"x").hexdigest(), **end})

    async with _session(folder) as session:
        result = await session.run(
            "Write-EndpointFile -Path User:/x -Id 1", input=data(), as_script=True
        )
    (error,) = result.errors
    assert error.fully_qualified_error_id == "NotANumber,Write-EndpointFile"
    assert not (folder.root / "x").exists()


@pytest.mark.parametrize(
    "line",
    [
        "Read-EndpointFile ../secret",
        "Read-EndpointFile User:/link",
        "Get-EndpointFile ..",
        "New-EndpointDirectory User:/../x",
        "New-EndpointDirectory User:/linked/x",
        "'text' | Write-EndpointFile User:/x 1",
        "Write-EndpointFile User:/linked/x 1 -Check",
        "PSCopyFromSessionHelper -copyFromFilePath User:/link -copyFromNumBytes 10",
        "PSCopyFromSessionHelper -copyFromFilePath /etc/passwd -copyFromNumBytes 10",
        "PSCopyFromSessionHelper -getPathItems User:/../*",
        "PSCopyToSessionHelper -copyToFilePath User:/linked/x -createFile -b64Fragment eA==",
        "PSCopyToSessionHelper -copyToFilePath User:/x -createFile -b64Fragment '!'",
        "PSCopyToSessionHelper -createDirectoryPath User:/linked/x",
        "PSCopyRemoteUtils -pathToValidate /etc",
    ],
)
async def test_a_client_reaches_nothing_outside_the_folder(
    line: str, folder: ConfinedFolder, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outside").mkdir()
    (folder.root / "link").symlink_to(tmp_path / "secret")
    (folder.root / "linked").symlink_to(tmp_path / "outside")
    async with _session(folder) as session:
        result = await session.run(line, as_script=True)
    assert result.had_errors
    assert "secret" not in str(result.output)
    assert list((tmp_path / "outside").iterdir()) == []
    assert not (folder.root / "x").exists()


async def test_what_powershell_leaves_unfinished_is_removed(folder: ConfinedFolder) -> None:
    piece = "A" * (4 * (4 << 20) // 3 // 4 * 4)
    async with _session(folder) as session:
        files = HelperFiles(session)
        await files._call(
            "PSCopyToSessionHelper", copyToFilePath="User:/x", createFile=True,
            b64Fragment=piece + "AAAA",
        )  # fmt: skip
        assert not (folder.root / "x").exists()
        assert len(list(folder.root.iterdir())) == 1
        await files._call(
            "PSCopyToSessionHelper", copyToFilePath="User:/y", createFile=True, emptyFile=True
        )
    assert [each.name for each in folder.root.iterdir()] == ["y"]


def test_the_drive_of_a_user_is_below_the_root(tmp_path: Path) -> None:
    for user in ("anna", "..", "../x", "LAB\\anna", "a/b", "", "anna@LAB.ORG"):
        made = user_folder(tmp_path / "drives", user)
        assert made.root.parent == tmp_path / "drives"
        assert made.limit == 50_000_000
    assert user_folder(tmp_path, "anna", -1).limit == 50_000_000
