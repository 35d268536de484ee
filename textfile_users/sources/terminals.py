"""Terminals below /dev, and command lines in /proc/PID/cmdline: thin reading (tty(4), proc(5))."""

from __future__ import annotations

import os
import stat

from textfile_users.paths import Paths
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 4096

PTS = 136  # the major number of Unix98 pseudo terminals (Documentation/admin-guide/devices.txt)


class Terminal(Record):
    """A terminal: its (major, minor) numbers, and its last input in seconds since the epoch.

    The kernel moves the latter on in steps of 8 s, so that it does not tell how fast
    somebody types; it is what `w` calculates IDLE from.
    """

    device: tuple[int, int]
    last_input: float


def decode_device(tty_nr: int) -> tuple[int, int]:
    """Return (major, minor) of ``tty_nr``, a field of /proc/PID/stat, which may be negative.

    Bits 8 to 19 are the major number, 20 to 31 and 0 to 7 the minor (proc(5); 12 bits of
    the major as in the kernel's linux/kdev_t.h).
    """
    return tty_nr >> 8 & 0xFFF, (tty_nr >> 12 & 0xFFF00) | (tty_nr & 0xFF)


def name_of(tty_nr: int) -> str:
    """Return the name of a pseudo terminal, ``pts/3``, from its ``tty_nr``; '' for any other."""
    major, minor = decode_device(tty_nr)
    return f"pts/{minor}" if major == PTS else ""


def stat_terminals(paths: Paths, names: Iterable[str]) -> dict[str, Terminal]:
    """Return the terminals of ``names`` (pts/3, tty1) that are there.

    They are character devices below /dev; a name that leads elsewhere, a link and anything
    else is none. Raises nothing.
    """
    terminals = {}
    inside: set[str] = set()
    for name in set(names):
        if not _is_name(name):
            continue
        path = paths.below("/dev/" + name)
        try:
            directory = os.path.dirname(path)
            if directory not in inside:
                paths.require_inside(directory)
                inside.add(directory)
            status = os.lstat(path)
        except (OSError, ValueError):  # ValueError: no file can have such a name
            continue  # it is gone, or never was
        if stat.S_ISCHR(status.st_mode):
            device = os.major(status.st_rdev), os.minor(status.st_rdev)
            terminals[name] = Terminal(device, status.st_atime)
    return terminals


def read_command_lines(paths: Paths, pids: Iterable[int]) -> dict[int, bytes]:
    """Return the first 4096 bytes of the command line or title of those ``pids`` that live.

    It may hold secrets. Raises nothing.
    """
    lines = {}
    try:
        paths.require_inside(paths.proc(""))
    except OSError:
        return {}
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    for pid in pids:
        try:
            descriptor = os.open(paths.proc(f"{pid}/cmdline"), flags)
            try:
                lines[pid] = os.read(descriptor, MAX_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            continue  # it ended, or is hidden from us
    return lines


def _is_name(name: str) -> bool:
    """Return whether it may be a terminal's: ``tty1``, ``pts/3``, ``lxc/tty1``."""
    return not {"", ".", ".."}.intersection(name.split("/"))
