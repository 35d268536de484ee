"""install's link in the textfile directory: there, and leading node_exporter to the file."""

from __future__ import annotations

import os
import stat

from textfile_users.paths import (
    LINKED_OUTPUT,
    OUTPUT_NAME,
    RUN,
    SERVICE_USER,
    default_textfile_directory,
    leads_to_linked,
)
from textfile_users.product import DROP_IN, PACKAGED, TMPFILES
from textfile_users.record import Record
from textfile_users.setup.checks.access import WRITE, closed_part
from textfile_users.setup.checks.child import ChildFailed, in_child
from textfile_users.setup.checks.result import NOTE, OK, CheckResult, Host, gravest
from textfile_users.setup.fixes import install, link, quote
from textfile_users.setup.node_exporter import NOBODY, find_blind
from textfile_users.setup.settings import TEXTFILE_DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


SECONDS = 2.0


class Link(Record):
    """install's link in the textfile directory: ``kind`` is link, file, other or '' for nothing.

    ``target`` is its text, ``leads`` where that ends. ``blind`` are the processes that serve the
    directory and do not see where it leads. ``is_hidden`` is whether this process cannot see it.
    ``owner`` is the link's, and ``opening`` what gives our user the directory, see OPENINGS, ''.
    """

    path: str
    kind: str = "link"
    target: str = ""
    leads: str = LINKED_OUTPUT
    blind: tuple[int, ...] = ()
    is_hidden: bool = False
    owner: int = 0
    opening: str = ""


# By what our user can write the textfile directory: what is said of that, and the command that ends
# it, where install alone does not. With such rights the link keeps it from nothing.
OPENINGS = {
    "owner": ("is its own", "chown root {} && "),
    "group": ("is its group's", ""),
    "others": ("is everybody's to write", "chmod o-w {} && "),
    "member": ("can be written by a group that it is in", "chmod g-w {} && "),
    "list": ("can be written by an access list", "setfacl -b {} && "),
}


def set_directory(host: Host) -> str:
    """Return the textfile directory that is set, else the distribution's, ''."""
    return host.values.get(TEXTFILE_DIRECTORY) or default_textfile_directory()


def is_linked(host: Host) -> bool:
    """Return whether install has put the file into /run, with a link in the textfile directory."""
    is_ours = host.identity.user == SERVICE_USER and host.options.paths.is_own_host
    # A package's own is there even when the file is written in place.
    by_package = os.path.lexists(PACKAGED) and not os.path.lexists(DROP_IN)
    has_link = by_package or os.path.lexists(TMPFILES)
    return is_ours and host.runs_by_timer and has_link and not writes_elsewhere(host)


def writes_elsewhere(host: Host) -> bool:
    """Return whether the settings have the file where install's link does not lead."""
    linked = (LINKED_OUTPUT, os.path.join(set_directory(host), OUTPUT_NAME))
    return os.path.normpath(host.options.output) not in linked


def served_directory(host: Host) -> str:
    """Return the textfile directory in which node_exporter finds the file, or a link to it."""
    if host.options.output == LINKED_OUTPUT or is_linked(host):
        return set_directory(host)
    return os.path.dirname(os.path.abspath(host.options.output))


def check_link(host: Host) -> Iterator[CheckResult]:
    """Yield what is found of the link, where install has put one."""
    if not is_linked(host):
        return
    yield judge_link(_read_link(host), link())
    paths, directory = host.options.paths, set_directory(host)
    try:
        pids = in_child(lambda: find_blind(paths, directory, ordinary=True), SECONDS)
    except ChildFailed:
        return  # by what it names an ordinary user could hinder the check
    if pids:
        found = (
            f"process {', '.join(map(str, pids))} of an ordinary user, as in a container, does not "
            f"see {RUN}: the link leads it nowhere; if it is yours, install in place"
        )
        yield CheckResult("link", NOTE, found, install(host, in_place=True))


def judge_link(facts: Link, installing: str) -> CheckResult:
    """Return the fault of install's link, or that there is none."""
    path = quote(facts.path)
    away = f"{facts.path} leads to {facts.leads}, not to {LINKED_OUTPUT}"
    instead = f"{facts.path} is a file in the place of install's link"
    pids = ", ".join(map(str, facts.blind))
    blind = f"process {pids} does not see {RUN}: {facts.path} leads it nowhere"
    directory = os.path.dirname(facts.path)
    said, first = OPENINGS.get(facts.opening, ("", ""))
    opened = f"{directory} {said}: {SERVICE_USER} can put other files there than its own"
    others = f"{facts.path} is a link of uid {facts.owner}'s, who can lead it elsewhere"
    faults = (
        (not facts.kind, f"{facts.path}, install's link, is not there", installing),
        (facts.kind == "file", instead, installing),
        (facts.kind == "other", f"{facts.path} is no link", f"rm -r {path} && {installing}"),
        (not leads_to_linked(facts.target), away, f"rm {path} && {installing}"),
        (facts.leads != LINKED_OUTPUT, away, installing),
        (facts.owner not in (0, NOBODY), others, installing),
        (facts.opening, opened, first.format(quote(directory)) + installing),
        (facts.blind, blind, installing),
    )
    if facts.is_hidden:
        return CheckResult("link", NOTE, f"{facts.path} cannot be seen by this user")
    fine = CheckResult("link", OK, f"{facts.path} leads to {facts.leads}")
    return gravest("link", faults) or fine


def _read_link(host: Host) -> Link:
    directory = set_directory(host)
    path = os.path.join(directory, OUTPUT_NAME)
    try:
        status = os.lstat(path)
        if not stat.S_ISLNK(status.st_mode):
            return Link(path, "file" if stat.S_ISREG(status.st_mode) else "other")
        return Link(
            path,
            "link",
            os.readlink(path),
            os.path.realpath(path),
            find_blind(host.options.paths, directory),
            owner=status.st_uid,
            opening=_opening(host, os.path.realpath(directory)),
        )
    except PermissionError:
        return Link(path, is_hidden=True)
    except OSError:
        return Link(path, "")


def _opening(host: Host, directory: str) -> str:
    """Return by what our user can write a directory that is not ours any more, '' where it cannot.

    Only who has its rights, or root, is told.
    """
    try:
        if not host.has_rights or closed_part(directory, WRITE, host.identity):
            return ""
    except ChildFailed:
        return ""  # the directory's check tells
    status, identity = os.stat(directory), host.identity
    if status.st_uid == identity.uid:
        return "owner"
    if status.st_mode & stat.S_IWGRP and status.st_gid in identity.groups:
        return "group" if status.st_gid == identity.gid else "member"
    return "others" if status.st_mode & stat.S_IWOTH else "list"
