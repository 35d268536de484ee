"""Links: to the program and its page below /usr/local, and to the file in the textfile directory.

Others than root may write there (Debian's group staff, who owns the textfile directory), and could
put a link in the way of any path. So each directory is opened from the one above it, and only links
of root's are followed.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINKS = 40  # as the kernel has it
_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def make_link(root: str, path: str, target: str, old: str) -> None:
    """Make the link ``path`` below ``root``, in place of one that leads to ``old``, '' for none.

    Raises OSError, also where something else is there.
    """
    if old:
        remove_link(root, path, old)
    with directory_above(root, path, make=True) as (directory, name):
        os.symlink(target, name, dir_fd=directory)


def put_link(root: str, path: str, target: str) -> None:
    """Make ``path`` below ``root`` a link of root's, in place of a file or link. Raises OSError.

    A reader sees the old one or the new one.
    """
    with directory_above(root, path) as (directory, name):
        temporary = _make_temporary(directory, name, target)
        try:
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            os.unlink(temporary, dir_fd=directory)
            raise


def try_link(root: str, path: str, target: str) -> None:
    """Make a link beside ``path`` below ``root``, and remove it. Raises OSError where it cannot be.

    So it is for root on NFS, or where the file system has no links.
    """
    with directory_above(root, path) as (directory, name):
        os.unlink(_make_temporary(directory, name, target), dir_fd=directory)


def _make_temporary(directory: int, name: str, target: str) -> str:
    """Make a link of a name of its own, which uninstall knows, and return that."""
    temporary = f".{name}.{os.urandom(8).hex()}.tmp"
    os.symlink(target, temporary, dir_fd=directory)
    return temporary


def remove_link(root: str, path: str, target: str) -> None:
    """Remove the link ``path`` below ``root`` if it leads to ``target``. Raises OSError."""
    with directory_above(root, path) as (directory, name):
        if os.readlink(name, dir_fd=directory) == target:
            os.unlink(name, dir_fd=directory)


def remove_empty(root: str, path: str) -> None:
    """Remove the directory ``path`` below ``root`` if it is empty. Raises OSError."""
    with directory_above(root, path) as (directory, name):
        try:
            os.rmdir(name, dir_fd=directory)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                raise


@contextmanager
def directory_above(root: str, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the directory above ``path``, and the name in it. Raises OSError."""
    directory = open_directory(root, os.path.dirname(path), make=make)
    try:
        yield directory, os.path.basename(path)
    finally:
        os.close(directory)


def open_directory(root: str, path: str, *, make: bool = False) -> int:
    """Return a descriptor of the directory ``path`` below ``root``; ``make`` makes it.

    Links lead to where they would on the host below ``root``. Raises OSError, also where a link
    on the way is not root's.
    """
    opened = [os.open(root, _FLAGS & ~os.O_NOFOLLOW)]
    top = here = opened[0]
    rest, links = path.split("/")[::-1], 0
    try:
        while rest:
            name = rest.pop()
            is_top = os.path.samestat(os.fstat(here), os.fstat(top))
            if name in ("", ".") or (name == ".." and is_top):
                continue
            if make:
                _make_directory(name, here)
            descriptor = os.open(name, _FLAGS, dir_fd=here)
            opened.append(descriptor)
            status = os.fstat(descriptor)
            if not stat.S_ISLNK(status.st_mode):
                here = descriptor
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if status.st_uid:
                raise OSError(errno.EACCES, "a link on the way is not root's", path)
            target = os.readlink("", dir_fd=descriptor)
            here = top if target.startswith("/") else here
            rest += target.split("/")[::-1]
        return os.dup(here)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _make_directory(name: str, above: int) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=above)
    except FileExistsError:
        return
