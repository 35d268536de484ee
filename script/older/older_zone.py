"""Time zones of files (RFC 8536), as zoneinfo.ZoneInfo.from_file reads them from Python 3.9 on."""

import re
import struct
import sys
from bisect import bisect_right
from datetime import datetime, timedelta, tzinfo

EPOCH = datetime(1970, 1, 1)
HEADER = struct.Struct(">4sc15x6I")
DAY = 86_400
# `CET-1CEST,M3.5.0,M10.5.0/3`: what holds behind the last change, as in $TZ.
_NAME = r"(?:<[^>]+>|[A-Za-z]+)"
_TIME = r"[-+]?\d+(?::\d+){0,2}"
_RULE = rf"(?:J?\d+|M\d+\.\d+\.\d+)(?:/{_TIME})?"
FOOTER = re.compile(rf"{_NAME}({_TIME})(?:{_NAME}({_TIME})?(?:,({_RULE}),({_RULE}))?)?", re.ASCII)


class ZoneInfo(tzinfo):
    """How far a zone's clocks are from UTC, by the time that they show."""

    def __init__(self, changes, first, footer):
        """Take the times of changes and the seconds from UTC from then on, and those before."""
        befores = [first, *(after for _, after in changes)]
        self._offsets = befores
        # When clocks show a change: the first time and the second.
        self._shown = [
            [time + of(before, after) for before, (time, after) in zip(befores, changes)]
            for of in (max, min)
        ]
        self._rules = _parse_footer(footer) if footer else None

    @classmethod
    def from_file(cls, file):
        """Read a file. Raises ValueError, struct.error and others where it is damaged."""
        version, counts = _read_header(file)
        size = 4
        if version != b"\0":  # the same again, in 64 bits
            file.read(_length(counts, 4))
            version, counts = _read_header(file)
            size = 8
        _, _, leaps, times, types, names = counts
        changes = struct.unpack(f">{times}{'q' if size == 8 else 'l'}", file.read(times * size))
        kinds = file.read(times)
        offsets = [struct.unpack(">lBB", file.read(6)) for _ in range(types)]
        file.read(names + leaps * (size + 4) + counts[0] + counts[1])
        footer = ""
        if size == 8:
            file.read(1)
            footer = _until_newline(file)
        standard = (offset for offset, is_dst, _ in offsets if not is_dst)
        first = next(standard, offsets[0][0]) if offsets else 0
        return cls([(time, offsets[kind][0]) for time, kind in zip(changes, kinds)], first, footer)

    def utcoffset(self, moment):
        """Return how far clocks that show ``moment`` are before UTC."""
        if moment is None:
            return timedelta(0)
        shown = (moment.replace(tzinfo=None) - EPOCH) // timedelta(seconds=1)
        at = self._shown[moment.fold]
        place = bisect_right(at, shown)
        if place == len(at) and self._rules:
            seconds = _by_rules(self._rules, moment.year, shown, moment.fold)
        else:
            seconds = self._offsets[place]
        return _whole(seconds)

    def dst(self, moment):
        """Return 0: nothing here asks for it."""
        return timedelta(0)


def _whole(seconds):
    """Return an offset as Python takes it: 3.6 whole minutes, which all are since 1972."""
    if sys.version_info < (3, 7):
        return timedelta(minutes=round(seconds / 60))
    return timedelta(seconds=seconds)


def _read_header(file):
    magic, version, *counts = HEADER.unpack(file.read(HEADER.size))
    if magic != b"TZif":
        raise ValueError("this is no file of a time zone")
    return version, tuple(counts)


def _length(counts, size):
    utc, walls, leaps, times, types, names = counts
    return times * (size + 1) + types * 6 + names + leaps * (size + 4) + walls + utc


def _until_newline(file):
    found = b""
    while not found.endswith(b"\n"):
        found += file.read(1)
    return found[:-1].decode("ascii")


def _parse_footer(footer):
    match = FOOTER.fullmatch(footer)
    if not match:
        raise ValueError(f"{footer!r} says nothing of a zone")
    west, summer, begin, end = match.groups()
    if any(abs(_seconds(time)) >= 25 * 3600 for time in (west, summer) if time):
        raise ValueError(f"{footer!r} is more than a day from UTC")
    standard = -_seconds(west)
    if begin is None:
        return standard, standard, "", ""
    if not (_is_day(begin) and _is_day(end)):
        raise ValueError(f"{footer!r} names a day that no year has")
    return standard, -_seconds(summer) if summer else standard + 3600, begin, end


def _is_day(rule):
    day, _, time = rule.partition("/")
    hours = int(time.lstrip("+-").partition(":")[0]) if time else 2
    if day[0] == "M":
        month, week, weekday = map(int, day[1:].split("."))
        is_day = 1 <= month <= 12 and 1 <= week <= 5 and weekday <= 6
    else:
        is_day = (day[0] == "J") <= int(day.lstrip("J")) <= 365
    return is_day and hours <= 167


def _seconds(time):
    sign = -1 if time[0] == "-" else 1
    parts = [int(part) for part in time.lstrip("+-").split(":")] + [0, 0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def _by_rules(rules, year, shown, fold):
    standard, summer, begin, end = rules
    if not begin:
        return standard
    gain = summer - standard
    # At its begin clocks go from standard to summer, shown in standard time; at its end back.
    start = _moment(begin, year) + (max(gain, 0) if not fold else min(gain, 0))
    stop = _moment(end, year) - (max(gain, 0) if fold else min(gain, 0))
    is_summer = start <= shown < stop if start < stop else not stop <= shown < start
    return summer if is_summer else standard


def _moment(rule, year):
    """Return when a rule's time is shown in a year, in seconds since 1970."""
    day, _, time = rule.partition("/")
    new_year = (datetime(year, 1, 1) - EPOCH).days
    if day[0] == "M":
        days = _weekday(year, *(int(part) for part in day[1:].split(".")))
    elif day[0] == "J":  # from 1 on, and 29 February has no number
        number = int(day[1:])
        is_leap = (datetime(year, 3, 1) - datetime(year, 2, 28)).days == 2
        days = new_year + number - 1 + (is_leap and number >= 60)
    else:
        days = new_year + int(day)
    return days * DAY + (_seconds(time) if time else 2 * 3600)


def _weekday(year, month, week, weekday):
    """Return the day, since 1970, of a month's first weekday (0 is Sunday) to its last, 5."""
    first = datetime(year, month, 1)
    after = (weekday - first.isoweekday()) % 7 + 7 * (week - 1)
    day = first + timedelta(days=after)
    while day.month != month:
        day -= timedelta(days=7)
    return (day - EPOCH).days
