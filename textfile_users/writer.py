"""Puts a finished file in place: a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import errno
import os
import stat

# A run ends within seconds: an older temporary file was left by one that was killed.
LEFTOVER_SECONDS = 60.0


def write_whole(
    path: str,
    data: bytes,
    mode: int,
    for_owner: bool = False,
    newcomer: tuple[int, int] | None = None,
) -> None:
    """Replace the file ``path`` by one with the content ``data`` and the permissions ``mode``.

    The temporary file lies in the same directory, has a name that nobody can foresee and
    that does not end in .prom, and is removed on failure. With ``for_owner``, what root writes in
    place of another user's file or into another user's directory becomes that user's; where both
    are root's, or there is no file yet, it becomes that of ``newcomer``, uid and gid, if given.
    Raises OSError; the old file is then untouched. Not synced: an SD card is a target, and the
    next run writes it again.
    """
    old = _require_replaceable(path)
    directory, name = os.path.split(path)
    directory = directory or "."
    heir = None
    if for_owner and os.geteuid() == 0:
        heir = _heir(old, os.stat(directory)) or newcomer
    temporary = os.path.join(directory, f".{name}.{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        try:
            _remove_leftovers(directory, f".{name}.", os.fstat(descriptor).st_mtime)
            _write_all(descriptor, data)
            if heir:
                os.fchown(descriptor, *heir)
            os.fchmod(descriptor, mode)  # whatever the umask
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def make_directory(path: str) -> None:
    """Make the directory ``path``, mode 0700, where it is missing. Raises OSError.

    What root makes in another user's directory becomes that user's.
    """
    if os.path.isdir(path):
        return
    os.makedirs(path, mode=0o700, exist_ok=True)
    above = os.stat(os.path.dirname(os.path.abspath(path)))
    if os.geteuid() != 0 or above.st_uid == 0:
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # Whoever owns the directory above may have put something else there meanwhile.
        if os.fstat(descriptor).st_uid == 0 and not os.listdir(descriptor):
            os.fchown(descriptor, above.st_uid, above.st_gid)
    finally:
        os.close(descriptor)


def open_own(path: str) -> int:
    """Return a descriptor of the file ``path``, made empty, mode 0600, where it is missing.

    Raises OSError. What root makes in another user's directory becomes that user's. A file that
    is there is opened without O_CREAT: the kernel refuses that for another user's file in a
    sticky directory (fs.protected_regular, see proc(5)).
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another run has made it
        return os.open(path, flags)
    heir = _heir(None, os.stat(os.path.dirname(path) or ".")) if os.geteuid() == 0 else None
    if heir:
        os.fchown(descriptor, *heir)
    return descriptor


def _heir(old: os.stat_result | None, directory: os.stat_result) -> tuple[int, int] | None:
    """Return whose what root writes becomes, uid and gid: None for root's own."""
    places = (old, directory) if old and stat.S_ISREG(old.st_mode) else (directory,)
    return next(((one.st_uid, one.st_gid) for one in places if one.st_uid), None)


def _require_replaceable(path: str) -> os.stat_result | None:
    """Return lstat(2) of ``path``, None where nothing is there.

    Raises OSError where it is a device, FIFO or directory: a rename would replace it.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        raise OSError(errno.EEXIST, "something that is no regular file has its name", path)
    return status


def _remove_leftovers(directory: str, prefix: str, now: float) -> None:
    try:
        with os.scandir(directory) as entries:
            leftovers = [e for e in entries if e.name.startswith(prefix) and e.name[-4:] == ".tmp"]
    except OSError:
        return  # it may be written, but not listed
    for entry in leftovers:
        try:
            if now - entry.stat(follow_symlinks=False).st_mtime > LEFTOVER_SECONDS:
                os.unlink(entry.path)
        except OSError:
            continue  # another's, or another run removed it
