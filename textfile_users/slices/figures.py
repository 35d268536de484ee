"""The files of a slice's cgroup as figures: version 2 (cgroup-v2.rst) and version 1 (cgroups(7)).

A figure is known by its family and the values of its labels behind `user`. Each parser returns
figures with their values, none where there is no limit, and raises ValueError for anything else
than the kernel writes. Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Values = Sequence[tuple[tuple[str, ...], float]]

MEMORY = ("users_slice_memory_bytes",)
MEMORY_HIGH = ("users_slice_memory_limit_bytes", "high")
MEMORY_MAX = ("users_slice_memory_limit_bytes", "max")
OOM_KILLS = ("users_slice_oom_kills_total",)
CPU_LIMIT = ("users_slice_cpu_limit_cores",)
THROTTLED = ("users_slice_throttled_seconds_total",)
TASKS = ("users_slice_tasks",)
TASKS_LIMIT = ("users_slice_tasks_limit",)
READ = ("users_slice_io_bytes_total", "read")
WRITTEN = ("users_slice_io_bytes_total", "write")
PRESSURE = "users_slice_pressure_seconds_total"
RESOURCES = ("cpu", "memory", "io")
KINDS = ("some", "full")

MAX_DIGITS = 20
# Version 1 has a number for no limit: the most pages that the kernel can count, of some size.
LIMITLESS = 1 << 62
LIMITLESS_32_BIT = (1 << 43) - 4096


class CgroupFile(Record):
    """A figure's file; with a ``second`` one ``parse`` takes both contents, a blank between."""

    name: str
    parse: Callable[[bytes], Values]
    second: str = ""


class Hierarchy(Record):
    """Where users' slices are, below /sys, and the files of each that are read."""

    directory: str
    files: tuple[CgroupFile, ...]


def parse_memory_limit(data: bytes) -> float | None:
    """Return the limit in memory.high, memory.max or memory.limit_in_bytes, None for none."""
    limit = parse_limit(data)
    return None if limit is None or limit >= LIMITLESS or limit == LIMITLESS_32_BIT else limit


def parse_limit(data: bytes) -> float | None:
    """Return the number in a file as pids.max, None for `max`."""
    word = data.strip()
    return None if word == b"max" else parse_number(word)


def parse_number(data: bytes) -> float:
    """Return a whole number that is not negative."""
    word = data.strip()
    if word.isdigit() and len(word) <= MAX_DIGITS:
        return float(word)
    raise ValueError("not a number")


def parse_oom_kills(data: bytes) -> Values:
    """Return how many processes were killed, from memory.events; Linux before 4.13 has it not."""
    word = _field(data, b"oom_kill")
    return ((OOM_KILLS, parse_number(word)),) if word else ()


def parse_cpu_max(data: bytes) -> Values:
    """Return the limit in cpu.max, or in cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us."""
    quota, period = data.split()
    if quota in (b"max", b"-1"):
        return ()
    microseconds = parse_number(period)
    if not microseconds:
        raise ValueError("a period of 0")
    return ((CPU_LIMIT, parse_number(quota) / microseconds),)


def parse_throttled(data: bytes) -> Values:
    """Return how long a limit kept processes off the CPU, from cpu.stat of either version.

    Version 2 has the line only where the controller is on.
    """
    word = _field(data, b"throttled_usec")
    if word:
        return ((THROTTLED, parse_number(word) / 1e6),)
    word = _field(data, b"throttled_time")
    return ((THROTTLED, parse_number(word) / 1e9),) if word else ()


def parse_io_stat(data: bytes) -> Values:
    """Return what was read and written on all devices, from io.stat."""
    read = written = 0.0
    for device in data.split(b" rbytes=")[1:]:  # a word at a time would cost twice as much
        number, _, rest = device.partition(b" wbytes=")
        read += parse_number(number)
        written += parse_number(rest.partition(b" ")[0])
    return (READ, read), (WRITTEN, written)


def parse_io_service_bytes(data: bytes) -> Values:
    """Return the same from blkio.throttle.io_service_bytes_recursive (`8:0 Read 4096`)."""
    sums = {b"Read": 0.0, b"Write": 0.0}
    for line in data.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in sums:
            sums[words[1]] += parse_number(words[2])
    return (READ, sums[b"Read"]), (WRITTEN, sums[b"Write"])


def parse_pressure(data: bytes, resource: str) -> Values:
    """Return for how long some, or all, of the processes waited (Documentation/accounting/psi)."""
    found = []
    figures = _PRESSURE[resource]
    for line in data.splitlines():
        figure = figures.get(line[:5])
        if figure is None:
            raise ValueError("neither some nor full")
        found.append((figure, parse_number(line.rpartition(b" total=")[2]) / 1e6))
    return found


_PRESSURE = {
    resource: {f"{kind} ".encode(): (PRESSURE, resource, kind) for kind in KINDS}
    for resource in RESOURCES
}


def _field(data: bytes, name: bytes) -> bytes:
    """Return the number behind a name in lines of names and numbers, empty where there is none."""
    return (b"\n" + data).partition(b"\n" + name + b" ")[2].partition(b"\n")[0]


def _file(name: str, figure: tuple[str, ...], parse: Callable[[bytes], float | None]) -> CgroupFile:
    def values(data: bytes) -> Values:
        value = parse(data)
        return () if value is None else ((figure, value),)

    return CgroupFile(name, values)


def _pressure_file(resource: str) -> CgroupFile:
    return CgroupFile(f"{resource}.pressure", lambda data: parse_pressure(data, resource))


_PRESSURES = tuple(map(_pressure_file, RESOURCES))
_PIDS = (
    _file("pids.current", TASKS, parse_number),
    _file("pids.max", TASKS_LIMIT, parse_limit),
)
_CPU_V1 = (
    CgroupFile("cpu.cfs_quota_us", parse_cpu_max, "cpu.cfs_period_us"),
    CgroupFile("cpu.stat", parse_throttled),
)
# The file of the memory used comes first: of too many slices those with most are kept.
VERSION_2 = Hierarchy(
    "fs/cgroup/user.slice",
    (
        _file("memory.current", MEMORY, parse_number),
        _file("memory.high", MEMORY_HIGH, parse_memory_limit),
        _file("memory.max", MEMORY_MAX, parse_memory_limit),
        CgroupFile("memory.events", parse_oom_kills),
        CgroupFile("cpu.max", parse_cpu_max),
        CgroupFile("cpu.stat", parse_throttled),
        *_PIDS,
        CgroupFile("io.stat", parse_io_stat),
        *_PRESSURES,
    ),
)
# Without OOM kills: version 1 counts them at the cgroup of the process, not at the slice above it.
# Version 2 beside it (hybrid) has no controllers, but pressure.
VERSION_1 = (
    Hierarchy(
        "fs/cgroup/memory/user.slice",
        (
            _file("memory.usage_in_bytes", MEMORY, parse_number),
            _file("memory.limit_in_bytes", MEMORY_MAX, parse_memory_limit),
        ),
    ),
    Hierarchy("fs/cgroup/cpu/user.slice", _CPU_V1),  # on most hosts a link to cpu,cpuacct
    Hierarchy("fs/cgroup/pids/user.slice", _PIDS),
    Hierarchy(
        "fs/cgroup/blkio/user.slice",
        (CgroupFile("blkio.throttle.io_service_bytes_recursive", parse_io_service_bytes),),
    ),
    Hierarchy("fs/cgroup/unified/user.slice", _PRESSURES),
)
