"""Copies of trees and to places that are not only regular files and directories."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from psremoting.copying import CopyError, CopyOptions, RemoteEntry, copy_from, copy_to
from psremoting.copying.endpoint_files import EndpointFiles
from psremoting.copying.local_files import LocalPart
from psremoting.copying.remote_files import End
from psremoting.endpoint.confined_folder import ConfinedFolder
from tests.copying.test_copying import _session


@pytest.fixture
def folder(tmp_path: Path) -> ConfinedFolder:
    root = tmp_path / "served"
    root.mkdir()
    (root / "file").write_text("new")
    return ConfinedFolder(root)


async def _download(folder: ConfinedFolder, destination: Path) -> list[str]:
    """Copy the served file; return the errors."""
    errors: list[CopyError] = []
    options = CopyOptions(on_error=errors.append)
    async with _session(folder) as session:
        await copy_from(EndpointFiles(session), ["User:/file"], destination, options)
    return [str(each) for each in errors]


async def test_a_download_does_not_replace_a_fifo(folder: ConfinedFolder, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    fifo = tmp_path / "fifo"
    assert await _download(folder, fifo) == [f"cannot write {fifo}: it is no regular file"]
    assert (tmp_path / "fifo").is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["fifo", "served"]


async def test_a_download_follows_a_link_to_a_file(folder: ConfinedFolder, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "real").write_text("old")
    (tmp_path / "link").symlink_to("other/real")
    assert await _download(folder, tmp_path / "link") == []
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "other" / "real").read_text() == "new"
    assert os.listdir(tmp_path / "other") == ["real"]


@pytest.mark.parametrize(
    ("to", "rule"), [("none", "a link to a file that does not exist"), ("link", "symbolic links")]
)
async def test_a_download_refuses_links_that_lead_nowhere(
    to: str, rule: str, folder: ConfinedFolder, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(to)
    (error,) = await _download(folder, tmp_path / "link")
    assert rule in error
    assert sorted(os.listdir(tmp_path)) == ["link", "served"]


async def test_a_failed_download_leaves_no_empty_part(
    folder: ConfinedFolder, tmp_path: Path
) -> None:
    class Unreadable(EndpointFiles):
        def download(self, entry: RemoteEntry, offset: int) -> AsyncGenerator[bytes | End, None]:
            raise CopyError("denied")

    async with _session(folder) as session:
        options = CopyOptions(on_error=lambda _: None)
        await copy_from(Unreadable(session), ["User:/file"], tmp_path / "x", options)
    assert os.listdir(tmp_path) == ["served"]


def test_a_full_disk_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = LocalPart(tmp_path / "x", "1")
    part.write(b"some")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(CopyError, match="No space left"):
        part.write(b"more")
    part.close()
    assert os.listdir(tmp_path) == []


async def test_an_endpoint_with_a_full_disk_leaves_no_part(
    folder: ConfinedFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    (tmp_path / "x").write_text("x")
    errors: list[CopyError] = []
    async with _session(folder) as session:
        options = CopyOptions(on_error=errors.append)
        await copy_to(EndpointFiles(session), [tmp_path / "x"], "User:/x", options)
    (error,) = errors
    assert (error.error_id, str(error)) == ("IOException", "No space left on device : 'User:/x'")
    assert os.listdir(folder.root) == ["file"]


async def _upload(
    folder: ConfinedFolder, source: Path, **given: Any
) -> tuple[list[str], list[str]]:
    """Copy a tree; return the errors and what was left out."""
    errors: list[CopyError] = []
    skipped: list[str] = []
    options = CopyOptions(on_error=errors.append, on_skip=skipped.append, force=True, **given)
    async with _session(folder) as session:
        await copy_to(EndpointFiles(session), [source], "User:/", options)
    return [str(each) for each in errors], skipped


async def test_the_rest_of_a_tree_is_copied(folder: ConfinedFolder, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "z").write_text("z")
    (tree / "loop").symlink_to("loop")
    (tree / "dangling").symlink_to("none")
    (tree / "linked").symlink_to("sub")
    (tree / ".z.0123456789abcdef.psrp-part").write_text("z")
    os.mkfifo(tree / "fifo")
    errors, skipped = await _upload(folder, tree, recurse=True)
    assert errors == [f"cannot read {tree}/loop: Too many levels of symbolic links"]
    assert skipped == [
        f"{tree}/.z.0123456789abcdef.psrp-part is left out: it belongs to a copy that is not "
        "complete.",
        f"{tree}/dangling is left out: it is a link to a file that does not exist.",
        f"{tree}/fifo is left out: it is no regular file.",
        f"{tree}/linked is left out: it is a link to a directory.",
    ]
    assert os.listdir(folder.root / "tree") == ["sub"]
    assert (folder.root / "tree" / "sub" / "z").read_text() == "z"


async def test_a_locked_directory_is_one_error(
    folder: ConfinedFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    (tree / "locked").mkdir(parents=True)
    (tree / "z").write_text("z")
    scandir = os.scandir

    def denied(path: str | Path) -> Any:
        # Root, who may run the tests, may read every directory.
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    errors, _ = await _upload(folder, tree, recurse=True)
    assert errors == [f"cannot read {tree}/locked: Permission denied"]
    assert os.listdir(folder.root / "tree") == ["z"]


async def test_a_folder_that_is_copied_into_itself_ends(
    folder: ConfinedFolder, tmp_path: Path
) -> None:
    (folder.root / "sub" / "deep").mkdir(parents=True)
    (folder.root / "sub" / "deep" / "x").write_text("x")
    errors: list[CopyError] = []
    options = CopyOptions(recurse=True, force=True, on_error=errors.append)
    async with _session(folder) as session:
        await copy_to(EndpointFiles(session), [folder.root], "User:/sub/deep", options)
        made = folder.root / "sub" / "deep" / "served"
        assert sorted(os.listdir(made)) == ["file", "sub"]
        assert sorted(os.listdir(made / "sub" / "deep")) == ["x"]
        await copy_from(EndpointFiles(session), ["User:/"], folder.root / "back", options)
    assert errors == []
    assert sorted(os.listdir(folder.root / "back")) == ["file", "sub"]


@pytest.mark.parametrize("upload", [True, False])
async def test_a_directory_can_need_recurse(
    upload: bool, folder: ConfinedFolder, tmp_path: Path
) -> None:
    source = tmp_path / "tree" if upload else folder.root / "tree"
    source.mkdir()
    errors: list[CopyError] = []
    options = CopyOptions(needs_recurse=True, force=True, on_error=errors.append)
    async with _session(folder) as session:
        files = EndpointFiles(session)
        if upload:
            await copy_to(files, [source], "User:/t2", options)
        else:
            await copy_from(files, ["User:/tree"], tmp_path / "t2", options)
    (error,) = errors
    assert str(error).endswith("tree is a directory (not copied; use -r)")
    assert not (folder.root / "t2").exists()
    assert not (tmp_path / "t2").exists()
