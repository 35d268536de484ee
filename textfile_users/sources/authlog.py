"""Auth log files: lines of syslog in the forms that syslogds have written them.

Stamps are traditional (RFC 3164: local time, no year), ISO 8601, or those of RFC 5424, whose
whole line differs. Real files also leave out the host, write ``[sshd]`` for ``sshd:``, or
insert Solaris' ``[ID n facility]``.
"""

from __future__ import annotations

import time

from textfile_users.auth.programs import OTHER, PROGRAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from re import Pattern

    # Seconds since the epoch of a local time (year, month, day, hour, minute, second); of one
    # that clocks show twice, as when summer time ends, the second time where the last is True.
    LocalTime = Callable[[int, int, int, int, int, int, bool], float]

DAY = 86_400
# Lines of a log are out of order by less; clocks are set back by more when summer time ends.
DISORDER = 300
# By so much, in seconds: most zones, Lord Howe's, and Troll's.
SET_BACK = (3600, 1800, 7200)
MONTHS = b"JanFebMarAprMayJunJulAugSepOctNovDec"
REPEATED = b"last message repeated"


# A line of a known program: where it begins in its block and where the next one does, its
# stamp, program, pid (0 for none) and message.
LogLine = tuple[int, int, bytes, bytes, int, bytes]


def parse_lines(data: bytes) -> Iterator[LogLine]:
    """Yield the lines of known programs in ``data``, whole lines each with its newline.

    What PAM says of sshd's attempts is left out, since sshd says it itself. What PAM wrote for a
    program that is not known has the program OTHER. ``last message
    repeated 2 times``, as BSD's syslogd writes it, has the program REPEATED and 2 for a pid.
    """
    end = after = at = 0
    host = b""
    for line in data.split(b"\n"):
        start = end
        length = len(line)
        end += length + 1
        if length < MIN_LINE:
            continue
        # Lines of a host have it at the same place.
        if line[after:at] != host or not host or line[:1] == b"<":
            after, at = _place_of_host(line)
            host = line[after:at]
            if not host:
                yield from _unusual(line, start)
                continue
        program, _, rest = line[at:].partition(b"[")
        if program in PROGRAMS:
            pid, _, message = rest.partition(b"]: ")
            if message[:1] == b" ":  # as sudo writes it
                message = message.lstrip(b" ")
            if not pid.isdigit() or len(pid) > 10 or message[:1] in b"[":
                yield from _unusual(line, start)
            elif not message.startswith(_SKIPPED):
                yield start, end, line[:after], program, int(pid), message
        else:
            may_say = _others.get(program)
            if may_say is None or (may_say and b"pam_" in rest):
                yield from _without_pid(line, start, after, at)


def _without_pid(line: bytes, start: int, after: int, at: int) -> Iterator[LogLine]:
    """Yield what a line with a host is where no known program and pid follow it."""
    program, colon, message = line[at:].partition(b": ")
    message = message.lstrip(b" ")
    name = program.partition(b"[")[0]
    if name in PROGRAMS and (name != program or not colon or message.startswith(b"[")):
        yield from _unusual(line, start)
    elif name in PROGRAMS:
        if not message.startswith(_SKIPPED):
            yield start, start + len(line) + 1, line[:after], program, 0, message
    elif message.startswith(b"pam_") and name and _base(name) not in PROGRAMS:
        # Whatever the program: PAM names the service.
        if name not in _SILENT and not message.startswith(_SKIPPED):
            yield start, start + len(line) + 1, line[:after], OTHER, _pid_of(program), message
    elif not _is_other(name):
        yield from _unusual(line, start)


def _base(name: bytes) -> bytes:
    """Return a program's name in ``gdm-password]`` and ``login(pam_unix)``."""
    return name.partition(b"(")[0].rstrip(b"]")


def _pid_of(tag: bytes) -> int:
    pid = tag.rpartition(b"[")[2].rstrip(b"]") if b"[" in tag else b""
    return int(pid) if pid.isdigit() and len(pid) <= 10 else 0


MAX_DAYS = 1_000  # that are remembered
MIN_LINE = 18  # a stamp, a name and a colon
_SKIPPED = b"pam_unix(sshd:auth"
# Their sessions are no logins, and frequent.
_SILENT = frozenset((b"CRON", b"cron", b"crond", b"atd", b"systemd", b"dovecot", b"auth", b"smbd"))
# Programs met that are none of ours, and whether PAM may have written lines of theirs.
_others: dict[bytes, bool] = dict.fromkeys(_SILENT, False)
MAX_OTHERS = 1_000


def _place_of_host(line: bytes) -> tuple[int, int]:
    """Return where a stamp ends and a program begins, with the host and its blanks between.

    Both are 0 for a line that does not begin so, as most do.
    """
    if line[4:5] == b"-" and line[:4].isdigit():
        after = line.find(b" ", 11)  # a blank may stand for the T
    elif line[3:4] == b" " and line[9:10] == b":" == line[12:13]:
        after = 15
    else:
        return 0, 0
    at = line.find(b" ", after + 1) + 1
    # A name that ends in a colon or bracket is no host's, but another program's tag.
    if after < 15 or line[after : after + 1] != b" " or line[at - 2 : at - 1] in b" :]":
        return 0, 0
    return (after, at) if at else (0, 0)


def _is_other(program: bytes) -> bool:
    """Return whether it is the plain name of a program, and remember it."""
    if not program.replace(b"-", b"").replace(b"_", b"").replace(b".", b"").isalnum():
        return False
    if len(_others) < MAX_OTHERS:
        _others[program] = True
    return True


def _unusual(line: bytes, start: int) -> Iterator[LogLine]:
    """Yield what a line is that does not begin as most do, if it is of a known program."""
    if not line:
        return
    match = _line_pattern().match(line)
    if not match:
        return
    end = start + len(line) + 1
    _, stamp, new, new_pid, old, module, loose_pid, times, message = match.groups()
    if times:
        yield start, end, stamp, REPEATED, int(times), b""
        return
    program = new or old
    if program not in PROGRAMS:  # RFC 5424 sets the name apart, whatever it is
        if program in _SILENT or not message.startswith(b"pam_"):
            return
        program = OTHER
    if module:  # as Linux-PAM wrote it before 1.0
        kind = b"session" if message.startswith(b"session ") else b"auth"
        message = b"%s(%s:%s): %s" % (module, program, kind, message)
    number = new_pid or loose_pid
    yield start, end, stamp, program, int(number) if number else 0, message


def has_stamps(data: bytes) -> bool:
    """Return whether any line of ``data`` begins with a stamp of a form known here."""
    import re

    return re.search(rb"(?m)^" + _BEGINNING, data) is not None


def count_naming(data: bytes) -> int:
    """Return the number of lines of ``data`` that name a known program, however stamped."""
    import re

    naming = re.compile(rb"[ \[](?:" + _NAMES + rb")[\[:\]]").search
    return sum(1 for line in data.split(b"\n") if naming(line))


_STAMP = (
    rb"([A-Z][a-z][a-z] {1,2}\d{1,2} [\d:]{8}"
    rb"|\d{4}-\d\d-\d\d[T ][\d:]{8}(?:[.,]\d{1,9})?(?:Z|[+-][\d:]{2,5})?)"
)


_BEGINNING = rb"(?:<\d{1,3}>(?:\d )?)?" + _STAMP + rb" "
# The most frequent first.
_NAMES = rb"sshd(?:-session|-auth)?|" + b"|".join(
    name for name in sorted(PROGRAMS, reverse=True) if not name.startswith(b"sshd")
)


def _line_pattern(compiled: list[Pattern[bytes]] = []) -> Pattern[bytes]:  # noqa: B006
    """Return the pattern of a line of a known program, in all forms."""
    if compiled:
        return compiled[0]
    import re

    line = re.compile(
        rb"(?:<\d{1,3}>(?:(\d) )?)?" + _STAMP + rb" (?:\S+(?<![:\]]) )?(?:(?(1)"
        rb"([a-z][\w-]*) (?:(\d{1,10})|-) \S+ (?:-|(?:\[[^\]\n]*\])+) (?:\xef\xbb\xbf)?"
        rb"|\[?(" + _NAMES + rb")(?:\((?:(pam_\w+)|[^)\n]{0,64})\))?"
        rb"\]?(?:\[(\d{1,10})\])?\]?:?(?<=[\]:]) *(?:\[ID \d{1,10} [\w.]{1,32}\] )?"
        rb"(?![: ]*pam_unix\(sshd:auth))"
        rb"|last message repeated (\d{1,6}) times?(?=\r?$))(.*)",
        re.DOTALL,
    )
    compiled.append(line)
    return line


class Stamps:
    """Turns the stamps of lines into seconds since the epoch, quickly where they come in order."""

    def __init__(self, now: float, local: LocalTime) -> None:
        """Take the time when the log is read, for the year, and the log's local time."""
        self._now = now
        self._local = local
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
            self._began = self._minute_of(before + behind, self._began)
        if self._began is None:
            return None
        try:
            seconds = float(stamp[begin : end or None].replace(b",", b"."))
        except ValueError:  # of other digits than the last
            return None
        return self._began + seconds if 0.0 <= seconds < 61.0 else None

    def time_of_line(self, line: bytes) -> float | None:
        """Return the time of any line with a stamp at its beginning, None without one.

        Lines may come in any order: of two times that a stamp may be it is the later one.
        """
        import re

        match = re.match(_BEGINNING, line)
        self._forget()
        time = self.time_of(match[1]) if match else None
        self._forget()
        return time

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

    The end is from the end of the stamp, 0 where nothing is behind.
    """
    if not stamp[:1].isdigit():
        return stamp[:-2], b"", len(stamp) - 2, 0
    end = 19
    while stamp[end : end + 1] not in b"Z+-":
        end += 1
    return stamp[:17], stamp[end:], 17, end - len(stamp)


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
