"""Files that others may have put there: what is opened, and which links are followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from textfile_users.reading.files import read_regular


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize(
    ("uid", "mode", "is_followed"),
    [
        (0, 0o755, True),
        (0, 0o775, False),
        (0, 0o1777, False),
        # Whoever owns the directory can lead root to any file.
        (1234, 0o755, False),
        (1234, 0o700, False),
    ],
)
def test_links_that_root_follows(tmp_path: Path, uid: int, mode: int, is_followed: bool) -> None:
    (tmp_path / "file").write_bytes(b"text")
    directory = tmp_path / "directory"
    directory.mkdir()
    (directory / "link").symlink_to("../file")
    os.chown(directory, uid, uid)
    directory.chmod(mode)
    if is_followed:
        assert read_regular(str(directory / "link"), 100) == b"text"
    else:
        with pytest.raises(OSError, match="is a link in a directory where others can write"):
            read_regular(str(directory / "link"), 100)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_opened(tmp_path: Path, make: object) -> None:
    make(str(tmp_path / "it"))  # type: ignore[operator]
    with pytest.raises(OSError, match="not a"):
        read_regular(str(tmp_path / "it"), 100)


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"12345")
    assert read_regular(str(tmp_path / "it"), 5) == b"12345"
    with pytest.raises(OSError, match="longer than 4 bytes"):
        read_regular(str(tmp_path / "it"), 4)
