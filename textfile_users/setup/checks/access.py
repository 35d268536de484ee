"""Who may read or write what, by the kernel's own answer or by owner, group and mode."""

from __future__ import annotations

import os
import stat

from textfile_users.accounts.passwd import GROUP, MAX_BYTES, find_groups
from textfile_users.product import BTMP_GROUP
from textfile_users.reading.files import read_regular
from textfile_users.record import Record
from textfile_users.setup.checks.child import Identity, in_child
from textfile_users.setup.fixes import join, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 2.0
READ, WRITE, SEARCH = os.R_OK, os.W_OK, os.X_OK
MAX_LINKS = 8  # one in another
ACCESS_LIST = "system.posix_acl_access"


class Part(Record):
    """A file or directory that is closed to somebody: its path, owner, group and mode."""

    path: str
    uid: int
    gid: int
    mode: int
    group: str


def allows(uid: int, gid: int, mode: int, identity: Identity, how: int) -> bool:
    """Return whether owner, group and mode give ``how`` (of access(2)) to ``identity``."""
    if identity.uid == 0:
        return how != SEARCH or stat.S_ISDIR(mode) or bool(mode & 0o111)
    shift = 6 if uid == identity.uid else 3 if gid in identity.groups else 0
    return (mode >> shift) & how == how


def closed_part(path: str, how: int, identity: Identity) -> Part | None:
    """Return what on the way to ``path``, it included, is closed to ``identity``; None if open.

    As root the kernel is asked with that user's rights, so that access lists count; else
    owner, group and mode decide, and what has an access list is taken for open. What is not
    there, or cannot be seen, is not closed; nor is what another's link leads to: that may be any
    file, and is not to be opened for it. Raises Failed.
    """
    if _is_led_by_others(os.path.abspath(path)):
        return None
    if os.geteuid() == 0 or identity.uid == os.geteuid():
        found = in_child(lambda: _first_closed(path, how, _may), SECONDS, identity)
    else:
        found = _first_closed(path, how, lambda part, want: _may_by_mode(part, identity, want))
    return _part(found) if found else None


def opening_command(part: Part, how: int, identity: Identity) -> str:
    """Return the command that opens ``part``: a membership if its group has what it takes."""
    path, letter = quote(part.path), {READ: "r", WRITE: "w", SEARCH: "x"}[how]
    # Who is in that group can write utmp and wtmp too, which all may read.
    is_plain = part.group != BTMP_GROUP or os.path.basename(part.path) == "btmp"
    if (part.mode >> 3) & how == how and part.gid != 0 and part.group and is_plain:
        return join(identity.user, [part.group])
    if not is_plain:
        return f"chmod o+{letter} {path}"
    if part.gid in identity.groups:
        return f"chmod g+{letter} {path}"
    if stat.S_ISDIR(part.mode):
        return f"chmod o+{letter} {path}"
    return f"chgrp {quote(identity.user)} {path} && chmod g+{letter} {path}"


def parts_of(path: str) -> list[str]:
    """Return the directories that lead to an absolute path, from the root on, and itself."""
    names = [name for name in path.split("/") if name]
    return ["/", *("/" + "/".join(names[:count]) for count in range(1, len(names) + 1))]


def _first_closed(path: str, how: int, may: Callable[[str, int], bool]) -> str:
    # Links on the way lead through other directories: what counts are those of both ways.
    for way in dict.fromkeys((os.path.abspath(path), os.path.realpath(path))):
        parts = parts_of(way)
        for part in parts:
            want = how if part == parts[-1] else SEARCH
            if os.path.lexists(part) and os.path.exists(part) and not may(part, want):
                return part
    return ""


def _is_led_by_others(path: str, links: int = 0) -> bool:
    """Return whether a link on the way is neither root's nor this process's."""
    for part in parts_of(path):
        try:
            status = os.lstat(part)
            if not stat.S_ISLNK(status.st_mode):
                continue
            target = os.path.join(os.path.dirname(part), os.readlink(part))
        except OSError:
            return False
        if status.st_uid not in (0, os.geteuid()) or links > MAX_LINKS:
            return True
        if _is_led_by_others(os.path.normpath(target), links + 1):
            return True
    return False


def _may(part: str, how: int) -> bool:
    return os.access(part, how)


def _may_by_mode(part: str, identity: Identity, how: int) -> bool:
    try:
        status = os.stat(part)
    except OSError:
        return True
    return allows(status.st_uid, status.st_gid, status.st_mode, identity, how) or _has_list(part)


def _has_list(part: str) -> bool:
    try:
        return bool(os.getxattr(part, ACCESS_LIST))
    except OSError:
        return False


def _part(path: str) -> Part:
    status = os.stat(path)
    return Part(path, status.st_uid, status.st_gid, status.st_mode, group_name(status.st_gid))


def group_name(gid: int) -> str:
    """Return the name of a group from the file alone, '' where it has none."""
    try:
        return find_groups(read_regular(GROUP, MAX_BYTES), {gid}).get(gid, "")
    except OSError:
        return ""
