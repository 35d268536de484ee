"""The state and the runtime directory: there, the user's own, closed to others, writable."""

from __future__ import annotations

import os
import stat

from textfile_users.accounts.passwd import read_passwd
from textfile_users.paths import PRIVATE as RUNTIME_PATH
from textfile_users.paths import SERVICE_USER
from textfile_users.paths import STATE as STATE_PATH
from textfile_users.reading.files import reason
from textfile_users.record import Record
from textfile_users.setup.checks.access import WRITE, closed_part
from textfile_users.setup.checks.child import ChildFailed
from textfile_users.setup.checks.result import NOTE, OK, SERVICE, CheckResult, Host, age, gravest
from textfile_users.setup.fixes import install, quote
from textfile_users.setup.node_exporter import is_systems
from textfile_users.setup.service import find_service
from textfile_users.state_files import DURABLE, OLD_NAMES, VOLATILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    # Whether it is so, what is told then, and the command that mends it.
    Fault = tuple[object, str, str]

    from textfile_users.setup.checks.child import Identity

FILES = (DURABLE, VOLATILE, *OLD_NAMES.values(), "lock")
FUTURE_SECONDS = 60.0
STATE = "state directory"
RUNTIME = "runtime directory"
ANOTHER = f"# give it a directory of its own, such as {STATE_PATH}"
OPEN = 0o077  # others' rights


class Place(Record):
    """What is at a directory's path: ``kind`` is directory, link, other or '' for nothing.

    ``closed`` is the part of the path that its user cannot write, ``broken`` a file in it that is
    none, ``newest`` the latest time of a file in it. ``error`` says why it cannot be seen.
    ``is_ours`` is whether root's files say that it is the program's.
    """

    path: str
    kind: str
    uid: int = 0
    owner: str = ""
    mode: int = 0
    closed: str = ""
    broken: str = ""
    newest: float = 0.0
    error: str = ""
    is_ours: bool = True


def check_state(host: Host) -> Iterator[CheckResult]:
    """Yield what is found of the state directory."""
    return _check(host, STATE, host.options.state_directory)


def check_runtime(host: Host) -> Iterator[CheckResult]:
    """Yield what is found of the runtime directory, where it is another one."""
    if host.options.runtime_directory == host.options.state_directory:
        return iter(())
    # A container's is a mount of its own, which root has made and nobody else sees.
    is_alone = not host.options.paths.is_own_host
    return _check(host, RUNTIME, host.options.runtime_directory, is_alone)


def _check(host: Host, check: str, path: str, is_alone: bool = False) -> Iterator[CheckResult]:
    place = _read(host, path)
    if not place.kind and host.awaits_scan and host.runs_by_timer:
        return iter((CheckResult(check, OK, f"no scan yet: the first one makes {path}"),))
    by_timer, anew = host.runs_by_timer, install(host)
    return judge_place(check, place, host.identity, by_timer, host.now, is_alone, anew)


def judge_place(
    check: str,
    place: Place,
    identity: Identity,
    runs_by_timer: bool,
    now: float,
    is_alone: bool = False,
    installing: str = "",
) -> Iterator[CheckResult]:
    """Yield the fault of a directory, the gravest alone, or that there is none.

    ``is_alone`` is whether none but the program gets there: then it may be root's, and open.
    ``installing`` is the command that gives our user what root's own runs have left.
    """
    faults = (
        *_faults_of_kind(place, identity, runs_by_timer),
        *_faults_of_owner(place, identity, is_alone, installing),
        *_faults_inside(place, identity, now),
    )
    is_link = place.kind == "link"
    found = f"{place.path}, mode {place.mode:04o}{', through a link' if is_link else ''}"
    yield gravest(check, faults) or CheckResult(check, NOTE if is_link else OK, found)


def _making(place: Place, identity: Identity) -> str:
    return f"install -d -m 700 -o {quote(identity.user)} {quote(place.path)}"


def _making_anew(place: Place, identity: Identity) -> str:
    """Return how to have an empty one, where what is there may be told to be put aside.

    What is in another's directory may be anything: it is neither given away nor searched.
    """
    path = quote(place.path)
    return f"mv {path} {path}.old && {_making(place, identity)}" if place.is_ours else ANOTHER


def _faults_of_kind(place: Place, identity: Identity, runs_by_timer: bool) -> tuple[Fault, ...]:
    path, make = quote(place.path), _making(place, identity)
    # systemd makes it with the first run; cron's entry for each boot makes that in /run.
    first = f"systemctl start {SERVICE}" if runs_by_timer else make
    is_others_link = place.kind == "link" and place.uid not in (0, identity.uid)
    without = f"rm {path} && {make}" if place.is_ours else ANOTHER
    return (
        (place.error, f"{place.path}: {place.error}", f"ls -ld {path}"),
        (not place.kind, f"{place.path} is not there", first),
        (place.kind == "other", f"{place.path} is no directory", _making_anew(place, identity)),
        (is_others_link, f"{place.path} is a link, of {place.owner}'s", without),
    )


def _faults_of_owner(
    place: Place, identity: Identity, is_alone: bool, installing: str
) -> tuple[Fault, ...]:
    is_left_by_root = installing and place.uid == 0 and place.path == STATE_PATH
    mend = installing if is_left_by_root else _making_anew(place, identity)
    is_others = place.uid != identity.uid and not (is_alone and place.uid == 0)
    others = f"{place.path} is {place.owner}'s, not {identity.user}'s"
    closing = f"chmod 700 {quote(place.path)}" if _is_own(place, identity) else ANOTHER
    opened = f"{place.path} has mode {place.mode:04o}: others get in"
    return (
        (is_others, others, mend),
        (place.mode & OPEN and not is_alone, opened, closing),
    )


def _faults_inside(place: Place, identity: Identity, now: float) -> tuple[Fault, ...]:
    removing = f"rm -r {quote(place.broken)}" if _is_own(place, identity) else ANOTHER
    ahead = place.newest - now
    future = f"{place.path} is from the future, by {age(ahead)}: see the clock"
    closed = f"{place.closed} is closed to {identity.user}"
    return (
        (place.closed, closed, f"ls -ld {quote(place.closed)}; mount | grep ' ro[,)]'"),
        (place.broken, f"{place.broken} is not {identity.user}'s file", removing),
        (ahead > FUTURE_SECONDS, future, f"date; touch -h {quote(place.path)}/*"),
    )


def _is_own(place: Place, identity: Identity) -> bool:
    return place.is_ours or (identity.user != SERVICE_USER and place.uid == identity.uid != 0)


def _read(host: Host, path: str) -> Place:
    return _read_place(host, path)._replace(is_ours=_is_ours(path))


def _is_ours(path: str) -> bool:
    service = find_service()
    named = (service.state, service.runtime) if service else ()
    return path in (STATE_PATH, RUNTIME_PATH, *named) and not is_systems(path)


def _read_place(host: Host, path: str) -> Place:
    try:
        link = os.lstat(path)
        is_link = stat.S_ISLNK(link.st_mode)
        if is_link and link.st_uid not in (0, host.identity.uid):
            return Place(path, "link", link.st_uid, owner_name(host, link.st_uid))  # not followed
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Place(path, "other" if os.path.islink(path) else "")
    except OSError as error:
        return Place(path, "other", error=reason(error))
    if not stat.S_ISDIR(status.st_mode):
        return Place(path, "other")
    uid = status.st_uid
    try:
        part = closed_part(path, WRITE, host.identity)
    except (ChildFailed, OSError) as error:
        return Place(path, "other", error=str(error))
    broken, newest = _read_files(path, host.identity.uid)
    return Place(
        path, "link" if is_link else "directory", uid, owner_name(host, uid),
        stat.S_IMODE(status.st_mode), part.path if part else "", broken, newest,
    )  # fmt: skip


def _read_files(directory: str, uid: int) -> tuple[str, float]:
    """Return one of our files that is none or another's, and the newest time of all."""
    broken, newest = "", 0.0
    for name in FILES:
        path = os.path.join(directory, name)
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if not stat.S_ISREG(status.st_mode) or status.st_uid != uid:
            broken = path
        newest = max(newest, status.st_mtime)
    return broken, newest


def owner_name(host: Host, uid: int) -> str:
    """Return the name of an account from the file alone, else the number."""
    try:
        return read_passwd(host.options.paths._replace(root="/")).by_uid.get(uid, f"uid {uid}")
    except OSError:
        return f"uid {uid}"
