"""lastlog and lastlog2: when each user last logged in (lastlog(8), lastlog2(8)).

lastlog is an array by uid of glibc's struct lastlog (its bits/utmp.h): time, terminal, host.
The time has 32 bits, or 64 where utmp's has (aarch64 and others); content decides.
"""

from __future__ import annotations

import os
from struct import Struct

from textfile_users.history.wtmp import begins_login
from textfile_users.reading.files import open_regular
from textfile_users.reading.sqlite import ask, integer, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from sqlite3 import Connection

MAX_LOGINS = 10_000

# Of those that make equal sense of a file the first is taken.
LAYOUTS = tuple(Struct(f) for f in ("<I32s256x", "<q32s256x", ">I32s256x", ">q32s256x"))
SIZES = (292, 296)

_MAX_SECONDS = 1 << 32
_DAY = 86_400

_TABLE = "Lastlog2"
_COLUMNS = ("Name", "Time", "Service")


def read_lastlog(path: str, uids: Mapping[int, str]) -> dict[str, float]:
    """Return when the users in ``uids``, names by uid, last logged in; without those who never did.

    Only their records are read: with large uids the file is huge and sparse. Raises OSError.
    """
    descriptor = open_regular(path)
    try:
        status = os.fstat(descriptor)
        records = {
            size: {
                uid: os.pread(descriptor, size, uid * size)
                for uid in uids
                if 0 <= uid < status.st_size // size
            }
            for size in SIZES
        }
    finally:
        os.close(descriptor)
    last: dict[str, float] = {}
    for uid, seconds in parse_lastlog(records, status.st_size, status.st_mtime).items():
        last[uids[uid]] = max(seconds, last.get(uids[uid], 0.0))
    return last


def parse_lastlog(
    records: Mapping[int, Mapping[int, bytes]], size: int, changed: float
) -> dict[int, float]:
    """Return last logins by uid from ``records``, which are by record size, then by uid.

    ``size`` and ``changed`` are the file's, in bytes and seconds. Damaged and empty records
    are left out. Raises nothing.
    """

    def rank(layout: Struct) -> tuple[int, int, int]:
        times = _times(layout, records[layout.size], changed).values()
        sound = [seconds for seconds, doubts in times if not doubts]
        # The newest login is the file's last change: bytes the wrong way round rarely come near.
        return len(sound), -(size % layout.size), max(sound, default=0)

    layout = max(LAYOUTS, key=rank)
    times = _times(layout, records[layout.size], changed)
    return {
        uid: float(seconds)
        for uid, (seconds, doubts) in times.items()
        if doubts < 2 and 0 < seconds < _MAX_SECONDS
    }


def read_lastlog2(path: str, limit: int = MAX_LOGINS) -> tuple[dict[str, float], int]:
    """Return when users last logged in, ``limit`` rows at most, and how many rows are damaged.

    Where su or a job was a user's last, the login before is not there any more. Raises OSError
    and UnreadableDatabase.
    """

    def read(connection: Connection) -> tuple[dict[str, float], int]:
        last: dict[str, float] = {}
        damaged = 0
        columns = f"{text('Name')}, {integer('Time')}, {text('Service')}"
        newest = "ORDER BY typeof(Time) = 'integer' DESC, Time DESC LIMIT ?"
        query = f"SELECT {columns} FROM {_TABLE} {newest}"  # noqa: S608
        for name, seconds, service in connection.execute(query, (limit,)):
            if not name or seconds is None or not 0 <= seconds < _MAX_SECONDS:
                damaged += 1
            elif seconds and begins_login(service or ""):
                last[name] = max(float(seconds), last.get(name, 0.0))
        return last, damaged

    nothing: tuple[dict[str, float], int] = ({}, 0)
    return ask(path, _TABLE, _COLUMNS, read, nothing)


def _times(
    layout: Struct, records: Mapping[int, bytes], changed: float
) -> dict[int, tuple[int, int]]:
    """Return for each uid that ever logged in the time, and how many fields make no sense."""
    times = {}
    for uid, data in records.items():
        if len(data) == layout.size and any(data):
            seconds, line = layout.unpack(data)
            times[uid] = seconds, (not 0 < seconds <= changed + _DAY) + (not _is_text(line))
    return times


def _is_text(data: bytes) -> bool:
    """Return whether a field is text and then NULs: unlike utmp's, it is written whole."""
    # NULs within it and what is not UTF-8 become characters that are not printable.
    text = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
    return text.isprintable()
