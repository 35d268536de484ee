"""The families of users' slices, in the `users` set where the collector is asked for."""

from __future__ import annotations

from textfile_users.metrics.family import Family, family, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# family: its HELP and labels
FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "users_slice_memory_bytes": (
        "Memory of the user's slice, with the file cache that it filled.",
        ("user",),
    ),
    "users_slice_memory_limit_bytes": (
        "Memory limit of the user's slice: reclaim and slow down (high) or kill (max).",
        ("user", "kind"),
    ),
    "users_slice_oom_kills_total": (
        "Processes in the user's slice killed for lack of memory, since the slice was made.",
        ("user",),
    ),
    "users_slice_cpu_limit_cores": ("CPU limit of the user's slice, in cores.", ("user",)),
    "users_slice_throttled_seconds_total": (
        "Time that the CPU limit stopped the user's slice, added up over CPUs.",
        ("user",),
    ),
    "users_slice_tasks": ("Processes and threads in the user's slice.", ("user",)),
    "users_slice_tasks_limit": (
        "Limit of processes and threads in the user's slice.",
        ("user",),
    ),
    "users_slice_io_bytes_total": (
        "Bytes that the user's slice read from and wrote to block devices.",
        ("user", "direction"),
    ),
    "users_slice_pressure_seconds_total": (
        "Time that some or all (full) processes of the user's slice waited for the resource.",
        ("user", "resource", "kind"),
    ),
}
# Stands in users_series_dropped for all of them: which a slice that was not read has is unknown.
TOLD_BY = "users_slice_memory_bytes"


def slice_families(
    slices: Mapping[str, Mapping[tuple[str, ...], float]], unread: int, dropped: dict[str, int]
) -> Iterator[Family]:
    """Yield the families of ``slices``: by user the figures, see slices/figures.py.

    How many slices were ``unread`` is added to ``dropped``, which has numbers by family.

    Of two users whose names are the same label the first counts: limits cannot be added up.
    """
    dropped[TOLD_BY] = unread
    samples: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in FAMILIES}
    for user, figures in slices.items():
        shown = label(user)
        for (name, *labels), value in figures.items():
            samples[name].setdefault((shown, *labels), value)
    for name, about in FAMILIES.items():
        yield family(name, *about, samples[name].items())
