"""The stamps of log lines as seconds since the epoch, quickly where lines come in order."""

from __future__ import annotations

import time

from textfile_users.auth.syslog import MONTHS
from textfile_users.reading.localtime import utc_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from textfile_users.reading.localtime import LocalTime

DAY = 86_400
# Lines of a log are out of order by less; clocks are set back by more when summer time ends.
DISORDER = 300
MAX_DAYS = 1_000  # that are remembered


class Stamps:
    """Turns the stamps of lines into seconds since the epoch, quickly where they come in order."""

    def __init__(self, now: float, local: LocalTime, undated: bool = False) -> None:
        """Take the time when the log is read, for the year, and the log's local time.

        With ``undated`` a stamp that tells the seconds since a boot is a time, too, in a log that
        has had no other.
        """
        self._now = now
        self._local = local
        self._takes_undated = undated
        self._has_dates = False
        # The minute of the last stamp: its text before and behind the seconds, and its time.
        self._minute = b"", b"", 0, 0
        self._began: float | None = None
        # When days began, by their text, None for those on which clocks are set.
        self._days: dict[bytes, float | None] = {}

    def time_of(self, stamp: bytes) -> float | None:
        """Return the time that ``stamp`` is, None where there is no such time."""
        before, behind, begin, end = self._minute
        if stamp[:begin] != before or stamp[end or len(stamp) :] != behind or not before:
            before, behind, begin, end = self._minute = _split(stamp)
            if not before:
                return self._of_number(stamp)
            self._began = self._minute_of(_plain(before, behind), self._began)
            self._has_dates = True
        if self._began is None:
            return None
        try:
            seconds = float(stamp[begin : end or None].replace(b",", b"."))
        except ValueError:  # of another form than the last, or of none
            is_known = _split(stamp) == self._minute
            self._minute = b"", b"", 0, 0
            return None if is_known else self.time_of(stamp)
        return self._began + seconds if 0.0 <= seconds < 61.0 else None

    def time_of_line(self, line: bytes) -> float | None:
        """Return the time of any line with a stamp at its beginning, None without one.

        Lines may come in any order: of two times that a stamp may be it is the later one.
        """
        from textfile_users.auth.log_forms import stamp_of

        stamp = stamp_of(line)
        self._forget()
        time = self.time_of(stamp) if stamp else None
        self._forget()
        return time

    def _of_number(self, stamp: bytes) -> float | None:
        """Return the time that a stamp without a clock is, if it counts seconds."""
        from textfile_users.auth.log_forms import number_of

        if not stamp.startswith(b"["):
            return number_of(stamp)
        return number_of(stamp) if self._takes_undated and not self._has_dates else None

    def is_of_boot(self, stamp: bytes) -> bool:
        """Return whether a stamp that may be none tells the seconds since a boot all the same."""
        return self._takes_undated and self._has_dates and stamp.startswith(b"[")

    def _forget(self) -> None:
        self._minute = b"", b"", 0, 0
        self._began = None

    def _minute_of(self, text: bytes, previous: float | None) -> float | None:
        """Return when a minute began, ``previous`` being that of the line before.

        Of two that it may be, the first if that is not before the previous one; without that
        the second unless it is still to come, since a log is read soon after it is written.
        """
        began_of = self._of_iso if text[:1].isdigit() else self._of_traditional
        try:
            if len(text) > 17:  # it tells the zone
                return began_of(text, False)
            day = text[:-6]
            if day not in self._days:
                if len(self._days) >= MAX_DAYS:
                    self._days.clear()
                self._days[day] = _began_day(day, began_of)
            began = self._days[day]
            if began is not None:
                return began + _into_day(text[-6:])
            first = began_of(text, False)
            if first is None or (previous is not None and first >= previous - DISORDER):
                return first
            second = began_of(text, True) or first
        except (ValueError, IndexError):
            return None
        return second if first < second <= self._now + DISORDER else first

    def _of_iso(self, text: bytes, again: bool) -> float | None:
        return _iso_minute(text, self._local, again)

    def _of_traditional(self, text: bytes, again: bool) -> float | None:
        """Return when a minute was whose year is not told: the last one that may have been."""
        month = MONTHS.find(text[:3])
        day, clock = text[3:].split()
        if month % 3:
            return None
        year = time.gmtime(self._now + DAY).tm_year
        # The 29th of February may be up to eight years back.
        for candidate in range(year + 1, year - 9, -1):
            began = _local_minute(candidate, month // 3 + 1, int(day), clock, self._local, again)
            if began is not None and began <= self._now + DAY:
                return began
        return None


def _began_day(day: bytes, began_of: Callable[[bytes, bool], float | None]) -> float | None:
    """Return when a day began, None where its last minute is not as far from that as usual."""
    began, last = began_of(day + b"00:00:", False), began_of(day + b"23:59:", False)
    return began if began is not None and last == began + DAY - 60 else None


def _into_day(clock: bytes) -> int:
    """Return the seconds from a day's begin to ``HH:MM:``. Raises ValueError."""
    hour, minute = int(clock[:2]), int(clock[3:5])
    if not (0 <= hour <= 23 and 0 <= minute <= 59) or clock[2:3] != b":":
        raise ValueError("no time of day")
    return (hour * 60 + minute) * 60


def _split(stamp: bytes) -> tuple[bytes, bytes, int, int]:
    """Return what a stamp has before and behind its seconds, and where these are.

    The end is from the end of the stamp, 0 where nothing is behind. Before is nothing where there
    is no clock.
    """
    begin = stamp.find(b":") + 4
    if stamp[begin - 1 : begin] != b":" or begin < 10:
        return b"", b"", 0, 0
    end = begin + 2
    if stamp[end : end + 1] in (b".", b","):
        end += 1
        while stamp[end : end + 1].isdigit():
            end += 1
    return stamp[:begin], stamp[end:], begin, end - len(stamp)


def _plain(before: bytes, behind: bytes) -> bytes:
    """Return a stamp without its seconds in one of the two forms whose time is told here."""
    if len(before) < 14 and not behind:
        return before  # traditional
    if before[4:5] == b"-" == before[7:8] and before[10:11] in b"T " and behind[:1] in b"Z+-":
        return before + behind
    from textfile_users.auth.log_forms import minute_of

    return minute_of(before, behind)


def _iso_minute(text: bytes, local: LocalTime, again: bool) -> float | None:
    year, month, day, clock, offset = text[:4], text[5:7], text[8:10], text[11:16], text[17:]
    if not offset:
        return _local_minute(int(year), int(month), int(day), clock, local, again)
    began = _local_minute(int(year), int(month), int(day), clock, utc_time)
    if offset == b"Z" or began is None:
        return began
    digits = offset[1:].replace(b":", b"")
    hours, minutes = int(digits[:2]), int(digits[2:4] or b"0")
    if len(digits) > 4 or hours > 23 or minutes > 59:
        return None
    seconds = hours * 3600 + minutes * 60
    return began - seconds if offset[:1] == b"+" else began + seconds


def _local_minute(
    year: int, month: int, day: int, clock: bytes, local: LocalTime, again: bool = False
) -> float | None:
    hour, minute = int(clock[:2]), int(clock[3:5])
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= _days(year, month)):
        return None
    if hour > 23 or minute > 59:
        return None
    try:
        return local(year, month, day, hour, minute, 0, again)
    except (OverflowError, ValueError):
        return None


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
