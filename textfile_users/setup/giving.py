"""Directories and files that root gives to our user: by descriptors, lest they be exchanged.

Whoever can write a directory can put a link, or another name of a file of root's, where root
looks by path. What others could have put there is never given away.
"""

from __future__ import annotations

import errno
import os
import stat

from textfile_users.accounts.passwd import read_numbers
from textfile_users.paths import Paths
from textfile_users.product import USER
from textfile_users.setup.entry import others_can_write
from textfile_users.setup.links import directory_above

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def give_directory(root: str, path: str, owner: int, group: int, mode: int) -> None:
    """Give the directory ``path`` below ``root`` an owner, a group and a mode; -1 leaves the owner.

    Raises OSError, also where it is a link.
    """
    descriptor = _open(root, path)
    try:
        os.fchown(descriptor, owner, group)
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def give_files(root: str, path: str, owner: int, group: int) -> None:
    """Give the files in root's directory ``path`` below ``root`` to their new owner.

    Raises OSError where others could have put one there: the directory is not closed to them, or
    something in it is no file of root's with one name.
    """
    descriptor = _open(root, path)
    try:
        status = os.fstat(descriptor)
        if others_can_write(status):
            raise OSError(errno.EPERM, "others could have put files there; remove it", path)
        for name in os.listdir(descriptor):
            _give_file(name, descriptor, owner, group)
    finally:
        os.close(descriptor)


def _open(root: str, path: str) -> int:
    with directory_above(root, path) as (above, name):
        return os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=above)


def _give_file(name: str, directory: int, owner: int, group: int) -> None:
    # Looked at before it is opened, which does something to a device.
    if not _is_plain(os.stat(name, dir_fd=directory, follow_symlinks=False)):
        raise OSError(errno.EPERM, "is no file of root's with one name; remove it", name)
    descriptor = os.open(name, _FLAGS, dir_fd=directory)
    try:
        if not _is_plain(os.fstat(descriptor)):
            raise OSError(errno.EPERM, "has been replaced", name)
        os.fchown(descriptor, owner, group)
    finally:
        os.close(descriptor)


def _is_plain(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == 0


def read_ids(paths: Paths) -> tuple[int, int]:
    """Return uid and gid of our user and group, -1 for those that are not there."""
    users, groups = read_numbers(paths, "/etc/passwd"), read_numbers(paths, "/etc/group")
    return users.get(USER, -1), groups.get(USER, -1)
