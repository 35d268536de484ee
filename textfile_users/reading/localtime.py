"""The local time of the host that is looked at, for stamps that do not tell their zone."""

from __future__ import annotations

import os
import time

from textfile_users.paths import Paths
from textfile_users.reading.files import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BytesIO

    # Seconds since the epoch of a local time (year, month, day, hour, minute, second); of one
    # that clocks show twice, as when summer time ends, the second time where the last is True.
    LocalTime = Callable[[int, int, int, int, int, int, bool], float]

MAX_BYTES = 32 << 10  # a zone with all its leap seconds has 5 KiB; zoneinfo needs the square


# By so much, in seconds: most zones, Lord Howe's, and Troll's.
SET_BACK = (3600, 1800, 7200)


def local_time(paths: Paths) -> LocalTime:
    """Return what turns the host's local time into seconds since the epoch.

    Below another root it is that of its etc/localtime, UTC without one. It is read when a stamp
    first needs it: zoneinfo is a tenth of a run.
    """
    if paths.is_own_host:
        return own_time
    read: LocalTime | None = None

    def seconds(
        year: int, month: int, day: int, hour: int, minute: int, second: int, again: bool = False
    ) -> float:
        nonlocal read
        if read is None:
            data = _read_zone(paths)
            read = utc_time if data is None else _of_zone(data)
        return read(year, month, day, hour, minute, second, again)

    return seconds


def _read_zone(paths: Paths) -> bytes | None:
    path = paths.below("/etc/localtime")
    try:
        if os.path.islink(path) and os.path.isabs(os.readlink(path)):
            path = paths.below(os.path.normpath(os.readlink(path)))
        paths.require_inside(path)
        return read_regular(path, MAX_BYTES)
    except OSError:
        return None


def _of_zone(data: bytes) -> LocalTime:
    from datetime import datetime, timedelta, timezone
    from zoneinfo import ZoneInfo

    try:
        zone = ZoneInfo.from_file(_ending(data + b"\n"))  # glibc does without the last newline
    except Exception:  # noqa: BLE001 - zoneinfo asserts and unpacks what damaged files do not have
        return utc_time

    def seconds(
        year: int, month: int, day: int, hour: int, minute: int, second: int, again: bool = False
    ) -> float:
        local = datetime(year, month, day, hour, minute, second, tzinfo=zone, fold=int(again))
        return (local - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(seconds=1)

    return seconds


def _ending(data: bytes) -> BytesIO:
    """Return a file that raises EOFError behind its end: zoneinfo would read there for ever."""
    from io import BytesIO

    class Ending(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            found = super().read(size)
            if len(found) < (size or 0):
                raise EOFError
            return found

    return Ending(data)


def utc_time(
    year: int, month: int, day: int, hour: int, minute: int, second: int, _: bool = False
) -> float:
    """Return the seconds since the epoch of a time in UTC."""
    # Days from 1 March of year 0, so that a leap day is the last of its year.
    years = year - (month < 3)
    days = 365 * years + years // 4 - years // 100 + years // 400
    days += (153 * (month + (9 if month < 3 else -3)) + 2) // 5 + day - 1 - 719468
    return float(((days * 24 + hour) * 60 + minute) * 60 + second)


def own_time(
    year: int, month: int, day: int, hour: int, minute: int, second: int, again: bool = False
) -> float:
    """Return the seconds since the epoch of a time in this process's zone.

    Of one that clocks show twice: the first time, with ``again`` the second.
    """
    wall = (year, month, day, hour, minute, second)
    found = time.mktime((*wall, 0, 0, -1))  # of two it may be either
    for seconds in SET_BACK:
        other = found + seconds if again else found - seconds
        if time.localtime(other)[:6] == wall:
            return other
    return found
