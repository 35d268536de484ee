"""What a host starts programs with: systemd or cron, and its tools."""

from __future__ import annotations

import os
import re

from textfile_users import product as places
from textfile_users.paths import Paths
from textfile_users.processes.procfs import parse_stat, read_file
from textfile_users.reading.files import read_regular
from textfile_users.setup.checks.child import ChildFailed, run_tool
from textfile_users.setup.service import is_systemd_running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = (
    "systemctl",
    "systemd-sysusers",
    "systemd-tmpfiles",
    "useradd",
    "userdel",
    "gpasswd",
    "adduser",
    "restorecon",
)
SYSTEMD_OF_IMAGES = 999  # theirs is not known: what they have is taken for new
ACTIVE = "active\n"
TOOL_SECONDS = 10.0
CRON_DAEMONS = ("usr/sbin/cron", "usr/sbin/crond", "sbin/cron", "sbin/crond", "usr/bin/crond")


def is_systemd(paths: Paths) -> bool:
    """Return whether systemd runs the host, or would run it where it is an image."""
    if paths.is_own_host:
        return is_systemd_running()
    return has_systemd(paths)


def has_systemd(paths: Paths) -> bool:
    """Return whether systemd is installed."""
    return any(
        os.path.lexists(paths.below(f"{directory}/lib/systemd/systemd"))
        for directory in ("", "/usr")
    )


def systemd_version(paths: Paths) -> int:
    """Return the version of the systemd that runs, one that knows all where none does."""
    said = _ask("systemctl", "--version") if _is_running_systemd(paths) else ""
    match = re.match(r"systemd (\d+)", said)
    return int(match[1]) if match else SYSTEMD_OF_IMAGES


def active_units(paths: Paths) -> tuple[str, ...]:
    """Return those of our timer and path unit that run."""
    if not _is_running_systemd(paths):
        return ()
    return tuple(name for name in places.STARTERS if _ask("systemctl", "is-active", name) == ACTIVE)


def _is_running_systemd(paths: Paths) -> bool:
    return paths.is_own_host and is_systemd(paths)


def _ask(*words: str) -> str:
    """Return what a command prints, '' where it fails or cannot be run."""
    try:
        return run_tool(list(words), TOOL_SECONDS)
    except ChildFailed:
        return ""


def parse_units(text: str) -> dict[str, dict[str, str]]:
    """Return by Id the properties that `systemctl show` or `loginctl show-session` printed."""
    units = {}
    for block in text.split("\n\n"):
        pairs = (line.partition("=") for line in block.strip().split("\n"))
        unit = {name: value for name, _, value in pairs}
        if unit.get("Id"):
            units[unit["Id"]] = unit
    return units


def cron_directory(paths: Paths) -> str:
    """Return the directory for cron's entry, '' where there is no cron."""
    for name in CRON_DAEMONS:
        path = paths.below("/" + name)
        if os.path.lexists(path):
            if "busybox" in os.path.realpath(path):
                return next((d for d in places.CRONTABS if os.path.isdir(paths.below(d))), "")
            return places.CRON_D if os.path.isdir(paths.below(places.CRON_D)) else ""
    return ""


def is_enforcing(paths: Paths) -> bool:
    """Return whether SELinux enforces."""
    try:
        return read_regular(paths.sys("fs/selinux/enforce"), 16).strip() == b"1"
    except OSError:
        return False


def read_inside(paths: Paths, path: str, limit: int) -> bytes:
    """Return the bytes of a file of the host. Raises OSError, also where links lead out of it."""
    paths.require_inside(paths.below(path))
    return read_regular(paths.below(path), limit)


def read_pids(paths: Paths) -> list[int]:
    """Return the pids of all processes, none where the root has no /proc."""
    try:
        paths.require_inside(paths.proc(""))
        return sorted(int(name) for name in os.listdir(paths.proc("")) if name.isdigit())
    except OSError:
        return []


def read_name(paths: Paths, pid: int) -> str:
    """Return the name of a process, '' where it is not there."""
    try:
        return parse_stat(read_file(paths.proc(f"{pid}/stat")))[0]
    except ValueError:
        return ""


def host_pids() -> Iterator[int]:
    """Yield the pids of this host's processes, without those of containers.

    A container has another root directory; a number there may be another user.
    """
    own = os.stat("/")
    for pid in read_pids(Paths()):
        try:
            if os.path.samestat(os.stat(f"/proc/{pid}/root/."), own):
                yield pid
        except OSError:
            continue  # ended meanwhile
