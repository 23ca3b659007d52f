"""The folder of an endpoint: no path leads out of it, and files are written under another name."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.endpoint.confined_folder import PART_SUFFIX, ConfinedFolder
from psremoting.endpoint.error_records import CommandError


@pytest.fixture
def folder(tmp_path: Path) -> ConfinedFolder:
    """A folder with a file, a directory, and links to what is outside."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "inner").write_text("secret")
    root = tmp_path / "root"
    (root / "dir").mkdir(parents=True)
    (root / "file").write_text("content")
    (root / "dir" / "deep").write_text("deep")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "inside").symlink_to("file")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "dir" / "up").symlink_to("..")
    os.mkfifo(root / "pipe")
    return ConfinedFolder(root)


_OUTSIDE = [
    "..", "../secret", "dir/../../secret", "User:/../secret", "User:\\..\\secret", "a/..",
    "C:/x", "User:/C:/x", "Other:/x", "/../secret", "x\0y", "x" * 300, "/".join(["a"] * 500),
    f"x{PART_SUFFIX}", "dir/\ud800",
]  # fmt: skip


@pytest.mark.parametrize("path", _OUTSIDE, ids=range(len(_OUTSIDE)))
def test_a_path_out_of_the_folder_is_refused(path: str, folder: ConfinedFolder) -> None:
    with pytest.raises(CommandError):
        folder.steps(path)


@pytest.mark.parametrize("path", ["/etc/passwd", "dir/file", "Temp:/x", ""])
def test_powershells_helpers_need_the_drive(path: str, folder: ConfinedFolder) -> None:
    with pytest.raises(CommandError, match="does not belong to the set of approved drives: User"):
        folder.steps(path, needs_drive=True)


def test_an_absolute_path_begins_at_the_folder(folder: ConfinedFolder) -> None:
    for path in ("/file", "file", "User:/file", "user:file", "./file", "//file", "User:\\file"):
        found = folder.entry(folder.steps(path))
        assert found is not None
        assert found.size == 7


_LINKS = ["link", "inside", "linked", "linked/inner", "dir/up", "dir/up/file", "dir/up/dir/deep"]


@pytest.mark.parametrize("path", _LINKS)
def test_a_link_is_never_followed(path: str, folder: ConfinedFolder) -> None:
    steps = folder.steps(path)
    assert folder.entry(steps) is None
    with pytest.raises(OSError, match="Errno"):
        folder.open_file(steps)
    with pytest.raises(OSError, match="Errno"), folder.directory(steps):
        pass
    with pytest.raises(OSError, match="Errno"):
        folder.make_directory((*steps, "new"))


def test_what_is_written_over_a_link_replaces_the_link(
    folder: ConfinedFolder, tmp_path: Path
) -> None:
    part = folder.part(("link",), "1")
    part.write(b"new")
    part.finish()
    assert (tmp_path / "secret").read_text() == "secret"
    assert (folder.root / "link").read_text() == "new"
    assert not (folder.root / "link").is_symlink()


def test_a_part_that_is_a_link_is_refused(folder: ConfinedFolder, tmp_path: Path) -> None:
    (folder.root / f".file.1{PART_SUFFIX}").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="Errno"):
        folder.part(("file",), "1")
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_directory_that_becomes_a_link_leads_nowhere(
    folder: ConfinedFolder, tmp_path: Path
) -> None:
    with folder.directory(("dir",)) as descriptor:
        (folder.root / "dir").rename(folder.root / "moved")
        (folder.root / "dir").symlink_to(tmp_path / "outside")
        assert "deep" in os.listdir(descriptor)
    with pytest.raises(OSError, match="Errno"):
        folder.open_file(("dir", "inner"))


def test_links_pipes_and_parts_are_not_listed(folder: ConfinedFolder) -> None:
    folder.part(("file",), "1").close()
    assert [each.name for each in folder.entries(())] == ["dir", "file"]
    assert [each.shown for each in folder.matching(("*",))] == ["User:/dir", "User:/file"]
    assert [each.shown for each in folder.matching(("dir", "D*"))] == ["User:/dir/deep"]
    assert folder.matching(("none", "*")) == []


def test_a_pipe_is_no_file_and_does_not_hang(folder: ConfinedFolder) -> None:
    with pytest.raises(OSError, match="Errno"):
        folder.open_file(("pipe",))


def test_a_file_gets_its_name_when_it_is_finished(folder: ConfinedFolder) -> None:
    part = folder.part(("file",), "1")
    part.write(b"new content")
    assert (folder.root / "file").read_text() == "content"
    part.finish(mtime_ns=1_000_000_007, mode=0o4751)
    found = (folder.root / "file").stat()
    assert (folder.root / "file").read_text() == "new content"
    assert found.st_mtime_ns == 1_000_000_007
    assert found.st_mode & 0o7777 == 0o751
    assert not list(folder.root.glob(f".*{PART_SUFFIX}"))


def test_a_part_goes_on_at_any_byte_that_is_there(folder: ConfinedFolder) -> None:
    part = folder.part(("new",), "1")
    part.write(b"0123456789")
    part.close()
    part = folder.part(("new",), "1", offset=4)
    assert part.size == 4
    part.write(b"abc")
    assert part.digest.hexdigest() == sha256(b"0123abc").hexdigest()
    part.finish()
    assert (folder.root / "new").read_bytes() == b"0123abc"
    part = folder.part(("new",), "2", offset=9)
    assert part.size == 0
    part.discard()


def test_the_limit_counts_all_files(folder: ConfinedFolder) -> None:
    small = ConfinedFolder(folder.root, limit=folder.used() + 10)
    part = small.part(("x",), "1")
    part.write(b"12345")
    with pytest.raises(CommandError, match="Maximum size for drive has been exceeded"):
        part.write(b"1234567")
    part.discard()
    assert not (folder.root / "x").exists()


def test_metadata_of_what_is_outside_is_not_changed(folder: ConfinedFolder, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Errno"):
        folder.set_metadata(("link",), mtime_ns=1)
    folder.set_metadata(("file",), mtime_ns=2_000_000_000, mode=0o6700)
    assert (folder.root / "file").stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "secret").stat().st_mtime_ns > 10**18


@given(st.text("./\\:a~\0 Uuser", max_size=20))
def test_no_text_names_a_place_above(text: str) -> None:
    folder = ConfinedFolder(Path("/nonexistent"))
    try:
        steps = folder.steps(text)
    except CommandError:
        return
    assert not set(steps) & {"..", ".", ""}
    assert not any("/" in each or "\0" in each for each in steps)
