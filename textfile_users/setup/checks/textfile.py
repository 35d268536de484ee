"""The textfile directory and users.prom in it: where node_exporter reads, and as it may."""

from __future__ import annotations

import os
import stat

from textfile_users.paths import (
    LINKED_OUTPUT,
    OUTPUT_NAME,
    PUBLIC,
    RUN,
    SERVICE_USER,
    leads_to_linked,
)
from textfile_users.product import SETTINGS
from textfile_users.reading.files import read_regular, reason
from textfile_users.record import Record
from textfile_users.setup.checks.access import READ, WRITE, closed_part, group_name
from textfile_users.setup.checks.child import ChildFailed, Identity
from textfile_users.setup.checks.directories import FUTURE_SECONDS, owner_name
from textfile_users.setup.checks.exporters import (
    exporter_identity,
    is_served,
    usable,
)
from textfile_users.setup.checks.link import is_linked, served_directory, writes_elsewhere
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host, age, gravest
from textfile_users.setup.fixes import (
    SOME_DIRECTORY,
    edit,
    install,
    link,
    quote,
    run,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


MAX_BYTES = 64 << 20
MAX_WRITTEN = 8 << 20  # the file's bound
MAX_ODD = 3
FIFO = "a FIFO"
WHAT = {
    stat.S_IFIFO: FIFO,
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
MIN_AGE = 60.0  # the alert's
RUN_TIME = b"\nusers_run_timestamp_seconds "
# Makes what a link leads to as it is made at boot, with its owners and modes.
MAKE_PUBLIC = "systemd-tmpfiles --create textfile-users.conf"


class Directory(Record):
    """The directory that is written to: ``closed`` is the part that our user cannot write.

    ``flags`` are those that the node_exporters read, none where none has the flag, and
    ``is_served`` whether one of them is this one or has a link to the file. ``is_hidden`` is
    whether this process cannot see it.
    """

    path: str
    exists: bool
    mode: int = 0
    group: str = ""
    closed: str = ""
    is_own: bool = True
    flags: tuple[str, ...] = ()
    is_served: bool = True
    exporters: int = 1
    is_hidden: bool = False


class PromFile(Record):
    """users.prom: ``kind`` is file, dangling, other or '' for nothing; ``what`` names another.

    ``closed`` is the part of its path that ``reader``, node_exporter's user, may not see.
    ``written`` is the time in it, else its modification's. ``is_stuck``: the sticky directory keeps
    our user from replacing it, who is not ``owner``. ``is_hidden`` is whether this process cannot
    see it. ``is_empty``: it is the one that is made at boot for the link to lead to.
    """

    path: str
    kind: str
    mode: int = 0
    reader: str = ""
    closed: str = ""
    written: float = 0.0
    owner: str = ""
    is_stuck: bool = False
    error: str = ""
    is_hidden: bool = False
    what: str = ""
    is_empty: bool = False


class Odd(Record):
    """Another name in .prom in the directory that is no file: ``what`` it is, and whose."""

    path: str
    what: str
    owner: str


def check_directory(host: Host) -> Iterator[CheckResult]:
    """Yield what is found of the textfile directory."""
    output = host.options.output
    if not output:
        found = "none is known"
        mend = install(host, SOME_DIRECTORY)
        yield CheckResult("textfile directory", FAULT, found, mend)
        return
    if output == "-":
        yield CheckResult("textfile directory", NOTE, "none: the output is stdout")
        return
    facts = _read_directory(host, LINKED_OUTPUT if is_linked(host) else output)
    is_ours = host.runs_by_timer and host.identity.user == SERVICE_USER
    linking = link() if is_ours and not writes_elsewhere(host) else ""
    yield from judge_directory(
        facts, host.identity, lambda directory: install(host, directory), linking
    )
    yield from _check_others(host)


def judge_directory(
    facts: Directory, identity: Identity, installing: Callable[[str], str], linking: str = ""
) -> Iterator[CheckResult]:
    """Yield the fault of the directory, the gravest alone, or that there is none.

    ``installing`` gives the command that changes to another directory, ``linking`` is the one that
    needs no rights there: whose directory it is may set them back again, as Ansible roles do.
    """
    check, path, user = "textfile directory", quote(facts.path), quote(identity.user)
    others = [flag for flag in facts.flags if not any(char in flag for char in "*?[")]
    if facts.flags and not facts.is_served:
        found = f"{facts.path}; node_exporter reads {', '.join(facts.flags)}"
        yield CheckResult(check, FAULT, found, installing(others[0] if others else SOME_DIRECTORY))
    elif not facts.exists:
        found = f"{facts.path} is not there"
        make = f"install -d -m 1775 -g {user} {path}"
        yield CheckResult(check, FAULT, found, MAKE_PUBLIC if facts.path == PUBLIC else make)
    elif facts.closed:
        found = f"{facts.closed} is closed to {identity.user}"
        mend = linking or f"chgrp {user} {path} && chmod 1775 {path}"
        if facts.closed.startswith(RUN):
            mend = MAKE_PUBLIC
        elif facts.closed != facts.path:
            mend = f"chmod o+x {quote(facts.closed)}"
        yield CheckResult(check, FAULT, found, mend)
    elif facts.is_hidden:
        yield CheckResult(check, NOTE, f"{facts.path} cannot be seen by this user")
    elif facts.mode & stat.S_IWOTH:
        found = f"{facts.path}: everybody can write metrics there"
        yield CheckResult(check, FAULT, found, f"chmod o-w {path}")
    elif facts.mode & stat.S_IWGRP and not facts.mode & stat.S_ISVTX and not facts.is_own:
        found = f"{facts.path}: group {facts.group} can replace the files of others"
        yield CheckResult(check, NOTE, found, f"chmod +t {path}")
    elif facts.exporters and not facts.flags:
        yield CheckResult(check, OK, f"{facts.path}; node_exporter has its own default")
    else:
        read = ", and node_exporter reads it" if facts.exporters else ""
        yield CheckResult(check, OK, f"{facts.path} can be written{read}")


def check_file(host: Host) -> Iterator[CheckResult]:
    """Yield what is found of users.prom, and of names beside it that are no files."""
    if host.options.output in ("", "-"):
        return
    facts = _read_file(host, host.options.output)
    awaits_scan = host.awaits_scan
    yield judge_file(facts, host.identity, host.now, host.interval, run(host), awaits_scan)
    yield from judge_odd(_read_odd(host, host.options.output), host.identity)


def judge_odd(odd: tuple[Odd, ...], identity: Identity) -> Iterator[CheckResult]:
    """Yield what node_exporter opens in the directory and cannot read, or waits for for ever."""
    for one in odd[:MAX_ODD]:
        path, waits = quote(one.path), ": each scrape waits for ever" * (one.what == FIFO)
        mend = f"rm -r {path}" if one.owner == identity.user else f"ls -ld {path}"
        found = f"{one.path} is {one.what} of {one.owner}'s{waits}"
        yield CheckResult("textfiles", FAULT, found, mend)


def judge_file(
    facts: PromFile,
    identity: Identity,
    now: float,
    interval: float,
    running: str,
    awaits_scan: bool = False,
) -> CheckResult:
    """Return the fault of the file, the gravest alone, or that there is none.

    ``running`` is the command that writes it, or says why it is not written. ``awaits_scan`` is
    whether the first scan is still to come.
    """
    check = os.path.basename(facts.path)
    silence = now - facts.written
    if facts.is_hidden:
        return CheckResult(check, NOTE, f"{facts.path} cannot be seen by this user")
    if awaits_scan and (not facts.kind or facts.is_empty):
        return CheckResult(check, OK, f"no scan yet: the first one writes {facts.path}")
    faults = _faults(facts, identity, interval, running, awaits_scan, silence)
    written = f"written {age(max(0.0, silence))} ago, mode {facts.mode:04o}"
    return gravest(check, faults) or CheckResult(check, OK, written)


def _faults(
    facts: PromFile,
    identity: Identity,
    interval: float,
    running: str,
    awaits_scan: bool,
    silence: float,
) -> tuple[tuple[object, str, str], ...]:
    """Return what may be wrong, the gravest first: whether it is, what is told, and the fix."""
    path = quote(facts.path)
    stuck = f"{facts.owner}'s: the sticky directory keeps {identity.user} from it"
    closed = f"{facts.closed} is closed to {facts.reader}, who runs node_exporter"
    # No chmod of the file: by then our user may have put another name of any file there.
    anew = f"rm -r {path}; {running}"
    opening = anew if facts.closed == facts.path else f"chmod o+x {quote(facts.closed)}"
    other = f"{facts.path} is {facts.what or 'no file'}"
    late = f"written {age(silence)} ago, every {interval:g} s is due"
    early = f"written {age(-silence)} in the future: see the clock"
    return (
        (facts.path[-5:] != ".prom", "node_exporter reads names in .prom only", edit(SETTINGS)),
        (facts.error, f"{facts.path}: {facts.error}", f"ls -ld {path}"),
        (not facts.kind, f"{facts.path} is not written", running),
        (facts.kind == "dangling", f"{facts.path} is a link to nothing", f"rm {path}; {running}"),
        (facts.kind == "other", other, anew),
        (facts.is_stuck, stuck, f"rm {path}"),
        (facts.closed, closed, opening),
        (facts.mode & 0o022, f"mode {facts.mode:04o}: others can write it", anew),
        (silence > max_age(interval) and not awaits_scan, late, running),
        (silence < -FUTURE_SECONDS, early, f"date; {running}"),
    )


def max_age(interval: float) -> float:
    """Return how old the file of runs ``interval`` seconds apart may be."""
    return MIN_AGE + 2 * interval


def run_time(data: bytes) -> float:
    """Return the time of the run that a file of the set `users` holds, 0 without."""
    _, found, rest = data.partition(RUN_TIME)
    try:
        return float(rest.partition(b"\n")[0]) if found else 0.0
    except ValueError:
        return 0.0


def written_time(path: str) -> float:
    """Return when a file was written, by its content, else by its time. Raises OSError."""
    return run_time(read_regular(os.path.realpath(path), MAX_BYTES)) or os.stat(path).st_mtime


def _read_directory(host: Host, output: str) -> Directory:
    path, name = os.path.split(os.path.abspath(output))
    trusted = usable(host)
    flags = tuple(dict.fromkeys(flag for one in trusted for flag in one.directories))
    served = is_served(served_directory(host), name, flags) or is_served(path, name, flags)
    try:
        status = os.stat(path)
    except PermissionError:
        part = closed_part(path, WRITE, host.identity)
        return Directory(path, True, closed=part.path if part else "", is_hidden=True)
    except OSError:
        return Directory(path, False, flags=flags, is_served=served, exporters=len(trusted))
    part = closed_part(path, WRITE, host.identity)
    return Directory(
        path,
        stat.S_ISDIR(status.st_mode),
        stat.S_IMODE(status.st_mode),
        group_name(status.st_gid),
        part.path if part else "",
        status.st_uid == host.identity.uid,
        flags,
        served,
        len(trusted),
    )


def _check_others(host: Host) -> Iterator[CheckResult]:
    """Yield a second users.prom of ours in another directory that a node_exporter reads too."""
    own = os.path.realpath(served_directory(host))
    for exporter in usable(host):
        paths = dict.fromkeys(os.path.realpath(directory) for directory in exporter.directories)
        for path in paths if own in paths else ():
            other = os.path.join(path, OUTPUT_NAME)
            if path != own and os.path.lexists(other):
                found = f"{other} too is read by node_exporter: each series comes twice"
                mend = (
                    f"rm {quote(other)}" if _is_leftover(host, other) else f"ls -l {quote(other)}"
                )
                yield CheckResult("textfiles", FAULT, found, mend)


def _is_leftover(host: Host, path: str) -> bool:
    """Return whether a file is our user's, or a link of install's."""
    try:
        if os.path.islink(path):
            return leads_to_linked(os.readlink(path))
        return os.lstat(path).st_uid == host.identity.uid != 0
    except OSError:
        return False


def _read_file(host: Host, path: str) -> PromFile:
    try:
        link = os.lstat(path)
        if _is_others_link(host, link):
            owner, target = owner_name(host, link.st_uid), os.readlink(path)
            return PromFile(path, "other", what=f"a link of {owner}'s to {target}")
        if not os.path.exists(path):
            return PromFile(path, "dangling")
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return PromFile(path, "other", what=_what(status.st_mode))
        if status.st_size > MAX_WRITTEN:
            return PromFile(
                path, "other", what=f"{status.st_size >> 20} MiB, more than is ever written"
            )
        directory = os.stat(os.path.dirname(os.path.abspath(path)))
        written = written_time(path)
    except FileNotFoundError:
        return PromFile(path, "")
    except OSError as error:
        is_hidden = isinstance(error, PermissionError) and not host.has_rights
        return PromFile(path, "file", error=reason(error), is_hidden=is_hidden)
    reader, closed = _closed_to(host, path)
    uid = host.identity.uid
    is_stuck = bool(directory.st_mode & stat.S_ISVTX) and uid not in (
        0,
        link.st_uid,
        directory.st_uid,
    )
    mode = stat.S_IMODE(status.st_mode)
    owner = owner_name(host, link.st_uid)
    is_empty = status.st_size == 0
    return PromFile(path, "file", mode, reader, closed, written, owner, is_stuck, is_empty=is_empty)


def _is_others_link(host: Host, status: os.stat_result) -> bool:
    """Return whether it is a link, and not root's: our user's leads node_exporter anywhere."""
    own = (0,) if host.identity.user == SERVICE_USER else (0, host.identity.uid)
    return stat.S_ISLNK(status.st_mode) and status.st_uid not in own


def _what(mode: int) -> str:
    return WHAT.get(stat.S_IFMT(mode), "no file")


def _read_odd(host: Host, output: str) -> tuple[Odd, ...]:
    """Return what has a name in .prom beside the file, and is none."""
    directory, own = os.path.split(os.path.abspath(output))
    odd = []
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".prom"))
    except OSError:
        return ()  # the directory's check tells
    for name in names:
        path = os.path.join(directory, name)
        try:
            mode, owner = os.stat(path).st_mode, os.lstat(path).st_uid
        except OSError:
            continue  # a link to nothing, or gone
        if name != own and not stat.S_ISREG(mode):
            odd.append(Odd(path, _what(mode), owner_name(host, owner)))
    return tuple(odd)


def _closed_to(host: Host, path: str) -> tuple[str, str]:
    """Return the first node_exporter's user that cannot read the file, and the part closed."""
    for exporter in usable(host):
        try:
            part = closed_part(os.path.abspath(path), READ, exporter_identity(host, exporter))
        except ChildFailed:
            continue
        if part:
            return exporter.user, part.path
    return "", ""
