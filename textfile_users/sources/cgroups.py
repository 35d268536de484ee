"""cgroups: what the kernel accounts to each user's systemd slice (cgroups(7))."""

from __future__ import annotations

import os

from textfile_users.paths import Paths
from textfile_users.sources.procfs import read_file
from textfile_users.sources.text import is_number

# Version 2, beside version 1 (hybrid: it accounts without being told to), and version 1.
HIERARCHIES = (
    ("fs/cgroup/user.slice", "cpu.stat"),
    ("fs/cgroup/unified/user.slice", "cpu.stat"),
    ("fs/cgroup/cpu,cpuacct/user.slice", "cpuacct.usage"),
    ("fs/cgroup/cpuacct/user.slice", "cpuacct.usage"),
)
MAX_DIGITS = 20


def parse_cpu_stat(data: bytes) -> float | None:
    """Return the CPU time in seconds from cpu.stat of version 2, None where it has none."""
    for line in data.split(b"\n"):
        name, _, number = line.partition(b" ")
        if name == b"usage_usec" and number.isdigit() and len(number) <= MAX_DIGITS:
            return int(number) / 1e6
    return None


def parse_cpuacct_usage(data: bytes) -> float | None:
    """Return the CPU time in seconds from cpuacct.usage of version 1, None for anything else."""
    number = data.strip()
    return int(number) / 1e9 if number.isdigit() and len(number) <= MAX_DIGITS else None


def read_slices(paths: Paths) -> dict[int, float]:
    """Return the CPU time in seconds that each user's slice has used, by uid.

    It is that of the slice since it was made, ended processes included. Without systemd, or
    accounts of its slices, there is none.
    """
    for directory, name in HIERARCHIES:
        slices = _read_hierarchy(paths, paths.sys(directory), name)
        if slices:
            return slices
    return {}


def _read_hierarchy(paths: Paths, directory: str, file_name: str) -> dict[int, float]:
    try:
        names = os.listdir(directory)
    except OSError:
        return {}
    parse = parse_cpu_stat if file_name == "cpu.stat" else parse_cpuacct_usage
    slices = {}
    for name in names:
        uid = name[5:-6]
        if name == f"user-{uid}.slice" and is_number(uid):
            used = parse(_read_inside(paths, f"{directory}/{name}/{file_name}"))
            if used is not None:
                slices[int(uid)] = used
    return slices


def _read_inside(paths: Paths, path: str) -> bytes:
    try:
        paths.require_inside(path)
    except OSError:
        return b""
    return read_file(path)
