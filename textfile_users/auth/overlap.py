"""What two logs both have, where reading moves from one to the other, or one may lack something.

Their stamps of a message differ: a file's may have whole seconds, and syslogd may be late. Equal
messages are told apart by their times, as far as these go, and counted.
"""

from __future__ import annotations

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    _Item = list[float]

# Two logs stamp a message so far apart at most.
APART_SECONDS = 5.0
# The closest pairs are made first, so that of equal messages each finds its own.
NEAR_SECONDS = (0.05, 0.55, APART_SECONDS)
# How far apart two stamps of a message are where nothing tells it.
USUAL_SECONDS = 0.5
# And where one of them has whole seconds: half of one, and what the other may be late.
WHOLE_SECONDS = 0.7
# So many messages that are the same tell it.
MIN_TELLING = 3
# So few equal ones in both logs are the same, unless they are that far apart.
FEW = 3
# A line that says how often a message was repeated may stand so long after the first.
REPEATED_SECONDS = 60.0
# syslogds cut messages at 1 KiB or more.
MAX_COMPARED = 900

_REPEATED = b"message repeated "


class Line(Record):
    """A message as one of the logs has it; ``pid`` is 0 where that is not told."""

    time: float
    program: bytes
    pid: int
    message: bytes
    times: int


def line_of(time: float, program: bytes, pid: int, message: bytes, times: int = 1) -> Line:
    """Return a message in the form in which those of files and of the journal are equal."""
    if message.startswith(_REPEATED) and message.endswith(b"]"):  # as rsyslog writes it
        count, bracket, inner = message[len(_REPEATED) : -1].partition(b" times: [")
        if bracket and count.isdigit() and len(count) < 8:
            times, message = times * int(count), inner
    message = message.strip()[:MAX_COMPARED]
    if not message.isascii() or not message.decode().isprintable():
        message = b"".join(_escaped(byte) for byte in message)[:MAX_COMPARED]
    return Line(time, program, pid, message, times)


def _escaped(byte: int) -> bytes:
    return b"#%03o" % byte if byte < 32 or byte == 127 else bytes((byte,))


def found_in(read: list[Line], other: list[Line]) -> list[int]:
    """Return how often each line of the ``other`` log stands for one of those ``read``."""
    groups: dict[tuple[bytes, bytes, int], tuple[list[_Item], list[_Item]]] = {}
    without_pid = {(line.program, line.message) for line in (*read, *other) if not line.pid}
    left: list[_Item] = []
    has_whole_seconds = False
    for side, lines in enumerate((read, other)):
        is_whole = all(line.time % 1 == 0.0 for line in lines)
        has_whole_seconds = has_whole_seconds or is_whole
        middle = 0.5 if is_whole else 0.0
        for line in lines:
            name = line.program, line.message
            item: _Item = [line.time + middle, line.times, line.times > 1]
            group = groups.setdefault((*name, 0 if name in without_pid else line.pid), ([], []))
            group[side].append(item)
            if side:
                left.append(item)
    # Messages with a pid that stand as often in both logs are the same, however late syslogd was
    # with some of them: on a busy host one in many is.
    same = [both for key, both in groups.items() if key[2] and len(both[0]) == len(both[1])]
    pairs = [pair for both in same for pair in zip(*(sorted(of, key=_time) for of in both))]
    late, spread = _lateness([theirs[0] - ours[0] for ours, theirs in pairs])
    has_few = len(pairs) < MIN_TELLING
    if has_whole_seconds:
        spread = max(spread, 2 * WHOLE_SECONDS if has_few else WHOLE_SECONDS)
    for ours, theirs in pairs:
        _pair([ours], [theirs], 0.0, APART_SECONDS)
    for key, both in groups.items():
        if both[0] and both[1]:
            is_rare = key[2] or len(both[0]) + len(both[1]) <= FEW
            _pair_all(*both, late, APART_SECONDS if is_rare else spread)
    return [line.times - int(item[1]) for line, item in zip(other, left)]


def _lateness(apart: list[float]) -> tuple[float, float]:
    """Return how much later the other log's stamps are, and how far from that at most.

    ``apart`` says it of messages that are the same.
    """
    apart = sorted(seconds for seconds in apart if abs(seconds) <= APART_SECONDS)
    if len(apart) < MIN_TELLING:
        return 0.0, USUAL_SECONDS
    late = apart[len(apart) // 2]
    late = late if abs(late) > NEAR_SECONDS[1] else 0.0
    most = max(abs(seconds - late) for seconds in apart)
    return late, min(1.4 * most + USUAL_SECONDS / len(apart), APART_SECONDS)


def _pair_all(ours: list[_Item], theirs: list[_Item], late: float, spread: float) -> None:
    """Take off what pairs of equal messages have in common; items are time, times, repeated."""
    ours.sort(key=_time, reverse=True)  # what was read last is known best
    theirs.sort(key=_time, reverse=True)
    for apart in NEAR_SECONDS:
        _pair(ours, theirs, late, min(apart, spread))
    _pair([item for item in ours if item[2]], theirs, late, REPEATED_SECONDS)
    _pair(ours, [item for item in theirs if item[2]], late, REPEATED_SECONDS)


def _time(item: _Item) -> float:
    return item[0]


def _pair(ours: list[_Item], theirs: list[_Item], late: float, apart: float) -> None:
    i = j = 0
    while i < len(ours) and j < len(theirs):
        one, other = ours[i], theirs[j]
        behind = other[0] - late - one[0]
        if not one[1] or behind < -apart:
            i += 1
        elif not other[1] or behind > apart:
            j += 1
        else:
            common = min(one[1], other[1])
            one[1] -= common
            other[1] -= common


class Overlap:
    """Tells what of a log was read in another one: what is older than ``start``, and ``found``."""

    def __init__(self, start: float, lines: list[Line], found: list[int]) -> None:
        """Take lines of the log that is going to be read, and what found_in said of them."""
        self._start = start
        self._found: dict[Line, int] = {}
        for line, count in zip(lines, found):
            self._found[line] = self._found.get(line, 0) + count

    def new(self, time: float, program: bytes, pid: int, message: bytes, times: int) -> int:
        """Return how many of the ``times`` that something is said to have happened are new."""
        if time < self._start:
            return 0
        line = line_of(time, program, pid, message)
        found = min(self._found.get(line, 0), line.times)
        if found:
            self._found[line] -= found
        return 0 if found == line.times else times - found


def is_comparable(
    read: list[Line], other: list[Line], found: list[int], start: float, newest: float
) -> bool:
    """Return whether lines of both logs can be held against each other from ``start`` on.

    They cannot where what was read is gone, or stands in the other one in another form.
    """
    if not read:
        return False
    return any(found) or not any(start <= line.time < newest - APART_SECONDS for line in other)
