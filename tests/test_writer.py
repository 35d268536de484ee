"""A reader sees the old file or the new one; nothing is left behind."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from textfile_users.writer import LEFTOVER_SECONDS, make_directory, open_own, write_whole


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_the_mode_is_as_asked_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """node_exporter runs as another user: a file of mode 0600 is `permission denied` to it."""
    before = os.umask(umask)
    try:
        write_whole(str(tmp_path / "a.prom"), b"x\n", 0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "a.prom").read_bytes() == b"x\n"
    assert stat.S_IMODE((tmp_path / "a.prom").stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["a.prom"]


def test_a_name_without_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_whole("a.prom", b"x", 0o644)
    assert os.listdir(tmp_path) == ["a.prom"]


@pytest.mark.parametrize("call", ["write", "fchmod", "rename"])
def test_a_failure_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "a.prom"
    path.write_bytes(b"old\n")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(str(path), b"new\n", 0o644)
    assert (os.listdir(tmp_path), path.read_bytes()) == (["a.prom"], b"old\n")


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    write_whole(str(tmp_path / "a.prom"), bytes(range(100)), 0o644)
    assert (tmp_path / "a.prom").read_bytes() == bytes(range(100))


def test_the_temporary_name_is_not_for_node_exporter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = os.rename

    def rename(source: str, target: str) -> None:
        seen.extend(os.listdir(tmp_path))
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    write_whole(str(tmp_path / "a.prom"), b"x", 0o644)
    (name,) = seen
    assert name.startswith(".a.prom.")
    assert not name.endswith(".prom")


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    names = {".a.prom.0011.tmp": True, ".b.prom.0011.tmp": False, ".a.prom.0022": False}
    for name in names:
        (tmp_path / name).touch()
        old = os.stat(tmp_path / name).st_mtime - LEFTOVER_SECONDS - 1
        os.utime(tmp_path / name, (old, old))
    (tmp_path / ".a.prom.0033.tmp").touch()  # of a run that is at it
    write_whole(str(tmp_path / "a.prom"), b"x", 0o644)
    kept = [name for name, removed in names.items() if not removed]
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, ".a.prom.0033.tmp", "a.prom"])


def test_a_directory_that_may_not_be_listed_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", refuse)
    write_whole(str(tmp_path / "a.prom"), b"x", 0o644)
    assert (tmp_path / "a.prom").read_bytes() == b"x"


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "a.prom").symlink_to(tmp_path / "target")
    write_whole(str(tmp_path / "a.prom"), b"x", 0o644)
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / "a.prom").is_symlink()


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize(
    ("old", "directory", "asked", "owner"),
    [
        (None, 0, True, 0),
        (None, 1234, True, 1234),
        # The service's file in a directory of root's, and in one of another user's.
        (1234, 0, True, 1234),
        (1234, 4321, True, 1234),
        # Left there by root's run: it is the directory's owner's from now on.
        (0, 1234, True, 1234),
        # What install writes is root's, whoever was there before.
        (1234, 4321, False, 0),
    ],
)
def test_whose_root_s_file_becomes(
    tmp_path: Path, old: int | None, directory: int, asked: bool, owner: int
) -> None:
    path = tmp_path / "users.prom"
    if old is not None:
        path.write_bytes(b"old")
        os.chown(path, old, old)
    os.chown(tmp_path, directory, directory)
    write_whole(str(path), b"new", 0o640, for_owner=asked)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (owner, owner, 0o640)


@pytest.mark.usefixtures("needs_root")
def test_a_link_s_owner_gets_nothing(tmp_path: Path) -> None:
    """Anybody can put one into a sticky directory."""
    path = tmp_path / "users.prom"
    path.symlink_to("/etc/passwd")
    os.lchown(path, 1234, 1234)
    write_whole(str(path), b"new", 0o644, for_owner=True)
    assert path.stat().st_uid == 0


@pytest.mark.usefixtures("needs_root")
def test_own_files_and_directories_of_another_user(tmp_path: Path) -> None:
    """A lock of root's in the service's directory would stop the service."""
    os.chown(tmp_path, 1234, 4321)
    made = tmp_path / "state"
    make_directory(str(made))
    make_directory(str(made))  # it is there
    os.close(open_own(str(made / "lock")))
    os.close(open_own(str(made / "lock")))
    for path, mode in ((made, 0o700), (made / "lock", 0o600)):
        status = path.stat()
        found = (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
        assert found == (1234, 4321, mode)


@pytest.mark.usefixtures("needs_root")
def test_a_lock_of_another_user_in_a_sticky_directory(tmp_path: Path) -> None:
    """With O_CREAT the kernel refuses it even to root (fs.protected_regular)."""
    tmp_path.chmod(0o1777)
    lock = tmp_path / "lock"
    lock.touch(mode=0o600)
    os.chown(lock, 1234, 1234)
    os.close(open_own(str(lock)))
    lock.unlink()
    lock.symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic link"):
        open_own(str(lock))
