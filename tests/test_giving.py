"""What root gives to our user: directories by descriptors, and no file that others put there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from textfile_users.setup.giving import give_directory, give_files

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives")
OWN, OTHER = 64321, 64322


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of root's alone, and a directory."""
    path = tmp_path / "secret"
    path.write_text("root's")
    path.chmod(0o600)
    (tmp_path / "etc").mkdir(mode=0o755)
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "lib/state"
    state.mkdir(parents=True, mode=0o755)
    (state / "durable.json").write_text("counters")
    return state


def owners(directory: Path) -> dict[str, int]:
    return {path.name: path.lstat().st_uid for path in directory.iterdir()}


def test_what_roots_own_runs_have_left_is_given(tmp_path: Path, state: Path) -> None:
    (state / "lock").touch()
    give_files(str(tmp_path), "/lib/state", OWN, OWN)
    give_directory(str(tmp_path), "/lib/state", OWN, OWN, 0o700)
    assert owners(state) == {"durable.json": OWN, "lock": OWN}
    status = state.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (OWN, OWN, 0o700)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda state, secret: (state / "x").hardlink_to(secret), "one name"),
        (lambda state, secret: (state / "x").symlink_to(secret), "one name"),
        (lambda state, secret: os.mkfifo(state / "x"), "one name"),
        (lambda state, secret: (state / "x").mkdir(), "one name"),
        (lambda state, secret: os.mknod(state / "x", 0o20600, os.makedev(1, 3)), "one name"),
        (lambda state, secret: _another_users(state / "x"), "one name"),
        (lambda state, secret: state.chmod(0o775), "others could have put"),
        (lambda state, secret: state.chmod(0o1777), "others could have put"),
        (lambda state, secret: os.chown(state, OWN, 0), "others could have put"),
    ],
)
def test_what_others_could_have_put_there_is_not(
    tmp_path: Path, state: Path, secret: Path, spoil: Callable[[Path, Path], object], why: str
) -> None:
    spoil(state, secret)
    if (state / "x").exists():  # whatever else is there
        (state / "durable.json").unlink()
    with pytest.raises(OSError, match=why):
        give_files(str(tmp_path), "/lib/state", OWN, OWN)
    assert secret.stat().st_uid == 0
    assert OWN not in owners(state).values()


def _another_users(path: Path) -> None:
    path.touch()
    os.chown(path, OTHER, OTHER)


def test_no_link_in_a_directorys_place_is_followed(tmp_path: Path, secret: Path) -> None:
    """Not even root's, which others may have moved there; nor another's on the way."""
    (tmp_path / "lib").mkdir()
    for owner in (0, OTHER):
        (tmp_path / "lib/textfile").symlink_to(tmp_path / "etc")
        os.lchown(tmp_path / "lib/textfile", owner, owner)
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            give_directory("/", f"{tmp_path}/lib/textfile", -1, OWN, 0o1775)
        (tmp_path / "lib/textfile").unlink()
    (tmp_path / "way").symlink_to(".")
    os.lchown(tmp_path / "way", OTHER, OTHER)
    with pytest.raises(OSError, match="not root's"):
        give_directory("/", f"{tmp_path}/way/etc", -1, OWN, 0o1775)
    assert (tmp_path / "etc").stat().st_gid == 0


def test_a_link_in_an_image_leads_to_where_it_would_there(tmp_path: Path) -> None:
    image = tmp_path / "image"
    (image / "data/state").mkdir(parents=True)
    (image / "lib").symlink_to("/data")
    give_directory(str(image), "/lib/state", OWN, OWN, 0o700)
    assert (image / "data/state").stat().st_uid == OWN
