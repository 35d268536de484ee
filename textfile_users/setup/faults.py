"""What is wrong with a host for install: from facts alone, before anything is changed."""

from __future__ import annotations

import os

from textfile_users import product as places
from textfile_users.parsers import parse_collect
from textfile_users.product import LINKED_OUTPUT, USER
from textfile_users.setup.entry import DIRECTORY, FILE, LINK, FoundEntry
from textfile_users.setup.facts import HostFacts
from textfile_users.setup.fixes import PLAIN_PATH
from textfile_users.setup.node_exporter import FIRST_USER
from textfile_users.setup.settings import OPTIONS
from textfile_users.setup.wish import (
    OLDEST_SYSTEMD,
    Wish,
    is_own,
    is_own_link,
    target_of,
    uses_link,
    uses_timer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# What the unit does not see, see ProtectHome= and PrivateTmp= there.
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108


def find_faults(facts: HostFacts, wish: Wish) -> tuple[str, ...]:
    """Return why nothing can be installed, each with what to do; () where it can."""
    return (
        *find_image_faults(facts),
        *find_package_faults(facts),
        *_host_faults(facts, wish),
        *_program_faults(facts, wish),
        *(f"{places.SETTINGS}: {fault}" for fault in facts.setting_faults),
        *_option_faults(facts, wish),
        *_directory_faults(facts, wish),
        *_state_faults(facts),
        *_run_faults(facts.run),
    )


def find_image_faults(facts: HostFacts) -> Iterator[str]:
    """Yield why nothing can be changed in an image, neither by install nor by uninstall.

    Its owner may have put links there that lead to this host, and programs that must not run here.
    """
    for path in facts.leaving:
        yield f"{facts.root}{path}: a link leads out of the image; put a directory or file there"
    makes_users = {"systemd-sysusers", "useradd"} & facts.tools and "userdel" in facts.tools
    if not facts.is_running and not makes_users:
        yield "useradd and userdel are missing here: install shadow"


def find_package_faults(facts: HostFacts) -> Iterator[str]:
    """Yield that a package is installed, where this program is another one: never two at a time."""
    if places.PACKAGED in facts.present and not facts.is_packaged:
        own = f"{places.PACKAGE}/bin/{USER}"
        yield f"the package {USER} is installed: use {own}, or remove the package first"


def find_removal_faults(facts: HostFacts, *, packaged: bool) -> Iterator[str]:
    """Yield why nothing can be removed: the package manager is to do that, and calls uninstall."""
    if packaged:
        return
    if facts.is_packaged:
        yield f"the program is a package's: remove the package {USER}"
    yield from find_package_faults(facts)


def _host_faults(facts: HostFacts, wish: Wish) -> Iterator[str]:
    if not facts.is_root:
        yield "needs root's rights: run it as root"
    if not uses_timer(facts, wish) and not facts.cron:
        asked = "there is no cron" if facts.is_systemd else "neither systemd nor cron runs here"
        yield f"{asked}: install cron or cronie, or give busybox's crond its /etc/crontabs"
    if uses_timer(facts, wish) and "systemctl" not in facts.tools:
        yield "systemctl is missing: install systemd, or give --cron"
    if facts.uid < 0 and not facts.tools & {"systemd-sysusers", "useradd", "adduser"}:
        yield f"no program makes users: make a system user {USER} with a group of that name"


def _program_faults(facts: HostFacts, wish: Wish) -> Iterator[str]:
    if not PLAIN_PATH.fullmatch(facts.prefix):
        yield f"{facts.prefix}: cannot stand in a unit or crontab; use another --prefix"
    if uses_timer(facts, wish) and _is_below(facts.prefix, HIDDEN):
        yield f"{facts.prefix}: the unit does not see it; use a --prefix below /opt"
    elif facts.to_python:
        yield from _python_faults(facts.to_python, uses_timer(facts, wish))
    if not facts.python.kind and not facts.archive:
        yield f"{facts.python.path}: is missing; install with the one file, see script/build"


def _python_faults(to_python: tuple[FoundEntry, ...], is_timer: bool) -> Iterator[str]:
    """Yield the first thing that keeps our user from the Python, or lets others replace it."""
    path = to_python[-1].path
    if is_timer and _is_below(path, HIDDEN):
        yield f"{path}: the unit does not see this Python; run it with /usr/bin/python3"
        return
    other = "take a Python and a --prefix that root alone can write, such as /usr/bin/python3"
    for one in to_python:
        if one.kind not in (DIRECTORY, FILE):
            continue
        if not one.mode & 0o001:
            yield f"{one.path}: keeps {USER} from this Python; run it with /usr/bin/python3"
        elif one.uid >= FIRST_USER:
            yield f"{one.path}: is an ordinary user's (uid {one.uid}), and so what runs; {other}"
        elif _is_open(one):
            yield f"{one.path}: others can write it, and so what runs; {other}"
        else:
            continue
        return


def _option_faults(facts: HostFacts, wish: Wish) -> Iterator[str]:
    """Yield the settings' flags by which runs would write where the link does not lead."""
    if not (facts.directory and uses_link(facts, wish)):
        return
    options = parse_collect(dict(facts.settings).get(OPTIONS, "").split())
    directories = (facts.directory, facts.real)
    outputs = (LINKED_OUTPUT, *(f"{path}/{places.OUTPUT_NAME}" for path in directories))
    for flag, value, linked in (
        ("--output", options.output, outputs),
        ("--textfile-directory", options.textfile_directory, directories),
    ):
        if value and os.path.normpath(value) not in linked:
            mend = "remove it there, or give --in-place"
            yield f"{places.SETTINGS}: {OPTIONS} has {flag} {value}, to which no link leads; {mend}"


def _directory_faults(facts: HostFacts, wish: Wish) -> Iterator[str]:
    entry = facts.entry
    if not facts.directory:
        if not (facts.is_packaged and uses_link(facts, wish)):
            yield facts.why
    elif not PLAIN_PATH.fullmatch(facts.directory):
        yield f"{facts.directory}: give the textfile directory's whole path, without odd characters"
    elif entry.kind == LINK:
        yield f"{entry.path}: is a link; give --textfile-directory {entry.target}"
    elif entry.kind != DIRECTORY:
        what = "is no directory" if entry.kind else "is not there"
        yield f"{entry.path}: {what}; make it, or give another --textfile-directory"
    elif uses_timer(facts, wish) and _is_below(facts.directory, HIDDEN):
        yield f"{entry.path}: the unit does not see it; give another --textfile-directory"
    else:
        yield from _right_faults(facts, is_given=not uses_link(facts, wish))
        yield from _output_faults(facts.output)


def _right_faults(facts: HostFacts, *, is_given: bool) -> Iterator[str]:
    """Yield what would let others than root and system users choose what is changed.

    ``is_given`` is whether the directory becomes our group's.
    """
    entry = facts.entry
    for one in (*facts.above, entry):
        if one.uid >= FIRST_USER:
            yield f"{one.path}: is an ordinary user's (uid {one.uid}); run: chown root {one.path}"
    for one in facts.above:
        if one.kind == DIRECTORY and _is_open(one):
            yield f"{one.path}: others can write it; run: chmod go-w {one.path}"
    if entry.mode & 0o002:
        yield f"{entry.path}: others can write it; run: chmod o-w {entry.path}"
    if is_given and entry.mode & 0o020 and entry.gid != 0 and entry.gid != facts.gid:
        yield (
            f"{entry.path}: group {entry.gid} can write it and could not any more, for the group "
            f"becomes {USER}; run: chmod g-w {entry.path}"
        )


def _is_open(entry: FoundEntry) -> bool:
    """Return whether others than root can write a file, or put one in another's place."""
    # In a sticky directory nobody can put something else in the place of another's.
    is_sticky = entry.kind == DIRECTORY and entry.mode & 0o1000
    is_roots = entry.gid == 0 and not entry.mode & 0o002
    return bool(entry.mode & 0o022) and not (is_sticky or is_roots)


def _output_faults(entry: FoundEntry) -> Iterator[str]:
    if entry.kind == LINK and not is_own_link(entry.target):
        yield f"{entry.path}: is a link to {entry.target}; run: rm {entry.path}"
    elif entry.kind not in ("", FILE, LINK):
        yield f"{entry.path}: is no file; run: rm -r {entry.path}"


def _state_faults(facts: HostFacts) -> Iterator[str]:
    state = facts.state
    if state.kind == LINK:
        yield f"{state.path}: is a link to {state.target}; run: rm {state.path}"
    elif state.kind not in ("", DIRECTORY):
        yield f"{state.path}: is no directory; run: rm {state.path}"
    elif state.kind and state.uid not in (0, facts.uid):
        yield f"{state.path}: is another user's (uid {state.uid}); run: rm -r {state.path}"
    elif state.kind and state.uid == 0 and state.mode & 0o022:
        yield f"{state.path}: others could write it; run: rm -r {state.path}"


def _run_faults(run: FoundEntry) -> Iterator[str]:
    if run.kind not in ("", DIRECTORY):
        yield f"{run.path}: is no directory; run: rm {run.path}"


def find_notes(facts: HostFacts, wish: Wish) -> Iterator[str]:
    """Yield what does not hinder installing, and should be known."""
    yield from _package_notes(facts, wish)
    if facts.is_systemd and not (wish.cron or uses_timer(facts, wish)):
        yield f"systemd {facts.systemd} is older than {OLDEST_SYSTEMD}: cron runs the scans"
    if facts.blind and uses_timer(facts, wish) and not wish.in_place:
        pids = ", ".join(map(str, facts.blind))
        yield (
            f"process {pids} serves {facts.directory} and does not see {places.RUN}: no link is "
            "put there, users.prom is written in place"
        )
    if facts.is_unsure and uses_link(facts, wish):
        yield (
            f"not every process could be asked in time whether it serves {facts.directory} and "
            f"sees {places.RUN}; if node_exporter then has an error for users.prom, give --in-place"
        )
    if facts.doubtful and uses_link(facts, wish):
        pids = ", ".join(map(str, facts.doubtful))
        yield (
            f"process {pids} of an ordinary user, as in a container, serves {facts.directory} and "
            f"does not see {places.RUN}: the link leads it nowhere; if it is yours, give --in-place"
        )
    for exporter in facts.exporters:
        if not exporter.trusted:
            yield f"process {exporter.pid} calls itself node_exporter: not believed, {exporter.why}"
    readers = [exporter for exporter in facts.exporters if exporter.trusted]
    named = [path for exporter in readers for path in exporter.directories]
    implied = facts.is_default and any(not exporter.directories for exporter in readers)
    if readers and facts.directory and facts.directory not in named and not implied:
        yield f"no running node_exporter reads {facts.directory}"
    yield from _link_notes(facts)
    if facts.is_selinux and "restorecon" not in facts.tools:
        yield (
            "SELinux is enforcing and restorecon is missing: install policycoreutils and install "
            "again"
        )


def _link_notes(facts: HostFacts) -> Iterator[str]:
    for entry in facts.links if facts.is_environment else ():
        if entry.kind and not is_own(facts, entry):
            mend = f"use {target_of(facts, entry)}, or remove it and install again"
            yield f"{entry.path}: is not ours and stays; {mend}"


def _package_notes(facts: HostFacts, wish: Wish) -> Iterator[str]:
    if not (facts.is_packaged and uses_timer(facts, wish)):
        return
    if not facts.directory:
        yield f"{facts.why}; until then only {LINKED_OUTPUT} is written"
    if facts.awaits_boot:
        yield "systemd does not run here: the timer starts when it does"
    if places.PREFIX in facts.prefixes and set(places.UNITS) & facts.present:
        yield f"the package takes over: units and links go, remove the rest: rm -r {places.PREFIX}"


def _is_below(path: str, directories: tuple[str, ...]) -> bool:
    return any(path == one or path.startswith(one + "/") for one in directories)
