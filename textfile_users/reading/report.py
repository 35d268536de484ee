"""What sources say of themselves."""

from __future__ import annotations

from textfile_users.record import Record

# What a source says of itself.
OK = "ok"
ABSENT = "absent"  # the host rightly lacks it: no fault
DENIED = "denied"
BROKEN = "broken"


class SourceReport(Record):
    """What a source says of itself: its status, faults to tell, and records left out."""

    name: str
    status: str
    faults: tuple[str, ...] = ()
    unusable: tuple[tuple[str, int], ...] = ()


class Reports(Record):
    """What the sources of a collector say, its faults, and whether it got all that it should."""

    sources: tuple[SourceReport, ...] = ()
    faults: tuple[str, ...] = ()
    success: bool = True


def reports_of(*sources: SourceReport) -> Reports:
    """Return the reports of sources: success is that none is denied or broken."""
    faults = tuple([fault for source in sources for fault in source.faults])
    return Reports(sources, faults, all(source.status in (OK, ABSENT) for source in sources))


def joined(one: Reports, other: Reports) -> Reports:
    """Return the reports of two steps of a collector."""
    sources, faults = (*one.sources, *other.sources), (*one.faults, *other.faults)
    return Reports(sources, faults, one.success and other.success)
