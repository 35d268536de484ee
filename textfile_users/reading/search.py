"""Where in a log, and in those it was rotated to, the lines of a time begin."""

from __future__ import annotations

from textfile_users.reading.compressed import Compressed, open_file
from textfile_users.reading.files import closing
from textfile_users.reading.follow import at_rest, beginning_of, end_of, leaving_older
from textfile_users.reading.lines import MAX_LINE, take_lines
from textfile_users.reading.plain import PROBE, FollowedFile, Unreadable
from textfile_users.reading.position import NOWHERE, Position
from textfile_users.reading.rotation import files_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from textfile_users.reading.compressed import Reader

_PROBE_LINES = 100


def since(path: str, time: float, time_of: Callable[[bytes], float | None]) -> Position:
    """Return a position in a text that all lines of ``time`` (seconds) or later lie behind.

    ``time_of`` returns a line's time, None where it has none. Earlier lines lie behind it
    too: more than the lines of a few seconds, which may be out of order. Found by binary
    search; of a compressed file only the beginning is looked at. Raises OSError where
    the file at ``path`` cannot be read.
    """
    return at_rest(path, lambda: leaving_older(path, _since(files_of(path), time, time_of)))


def _since(
    files: list[FollowedFile], time: float, time_of: Callable[[bytes], float | None]
) -> Position:
    newer = None  # the beginning of a newer file: all in it is of `time` or later
    for file in reversed(files):
        try:
            with closing(open_file(file)) as reader:
                if isinstance(reader, Compressed) and reader.status().st_mtime < time:
                    return newer or end_of(files, 0, superseded=False)
                position = _search(reader, beginning_of(file), time, time_of)
                if reader.has_content():
                    newer = beginning_of(file)
        except Unreadable:
            continue  # told by blocks()
        if position:
            return position
    return NOWHERE


def _search(
    reader: Reader, start: Position, time: float, time_of: Callable[[bytes], float | None]
) -> Position | None:
    """Return a position in the file that is before its lines of ``time`` or later.

    None where its first line that has a time is one of these, or none has a time.
    """
    first = _first_time(reader.probe(0), False, time_of)
    if first is None or first >= time:
        return None
    if isinstance(reader, Compressed):
        return start
    low, high = 0, reader.status().st_size
    while high - low > MAX_LINE:
        middle = (low + high) // 2
        found = _first_time(reader.probe(middle), True, time_of)
        # Where no line has a time the search goes on before: that is never too late.
        if found is not None and found < time:
            low = middle
        else:
            high = middle
    # The line there is too early, so it can be left out with what was read of it.
    return reader.position(low - PROBE, skipping=True) if low > PROBE else start


def _first_time(
    data: bytes, is_inside: bool, time_of: Callable[[bytes], float | None]
) -> float | None:
    """Return the time of the first line in ``data`` that has one."""
    lines = take_lines(data, is_inside, False).data.split(b"\n", _PROBE_LINES)
    for line in lines[:-1]:
        time = time_of(line)
        if time is not None:
            return time
    return None
