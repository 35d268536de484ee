"""What one look tells the next: sessions seen, faults already said, and what collectors keep.

It lies on tmpfs where there is one, carries the boot id, and may vanish at any time.
"""

from __future__ import annotations

import _csv as csv  # the module csv around it imports re, which costs as much as all else here
import io
import os

from textfile_users import kept
from textfile_users.kept import Kept
from textfile_users.model import Session
from textfile_users.paths import BOOT_ID
from textfile_users.record import Record
from textfile_users.rows import end_of, require_end, within
from textfile_users.sources.files import read_regular
from textfile_users.writer import write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Key = TypeVar("Key")

FILE_NAME = "volatile.csv"
HEADER = ["textfile-users volatile", "1"]  # its version; the boot id follows
NO_LOOK = ["no look has found sessions yet"]
MAX_BYTES = 8 << 20
# Of a file that would be larger each kind of row may have so many bytes.
SHARES = {
    "session": 2048 << 10,
    "place": 2048 << 10,
    "process": 1280 << 10,
    "connection": 896 << 10,
    "answer": 384 << 10,
    "cpu": 384 << 10,
    "slice": 256 << 10,
    "gone": 256 << 10,
    "address": 256 << 10,
    "ended": 128 << 10,
    "said": 128 << 10,
}
HOUR = 3600.0
GONE_SECONDS = 300.0
MAX_RECENT = 1_000


class Volatile(Record):
    """What is remembered.

    ``sessions`` maps (id, user, tty, type, written, numeric), see Session, to the session's start;
    it is None before the first look. ``ended`` maps (user, type) to the time of the look that
    missed it first, for an hour, ``gone`` (user, written, numeric, tty) likewise, for five minutes,
    ``said`` a fault to the time when it was said; times are seconds since the epoch.
    """

    sessions: dict[tuple[str, str, str, str, str, str], float] | None
    ended: dict[tuple[str, str], float]
    gone: dict[tuple[str, str, str, str], float]
    said: dict[str, float]
    kept: Kept = kept.NOTHING


NOTHING = Volatile(None, {}, {}, {})


def remember_sessions(
    before: Volatile, sessions: tuple[Session, ...] | None, now: float, whole: bool = True
) -> Volatile:
    """Return what is to be remembered after a look that found ``sessions`` at time ``now``.

    Unless they are the ``whole``, those that are missing may be there yet.
    """
    ended = _young(before.ended, now, HOUR)
    gone = _young(before.gone, now, GONE_SECONDS)
    if sessions is None:  # not known: nothing began and nothing ended
        return before._replace(ended=ended, gone=gone)
    current = {(s.id, s.user, s.tty, s.type, s.written, s.numeric): s.start for s in sessions}
    if not whole:
        missing = {
            key: start for key, start in (before.sessions or {}).items() if key not in current
        }
        current.update(list(missing.items())[-MAX_RECENT:])
    for _, user, tty, type_, written, numeric in before.sessions or () if whole else ():
        ended[user, type_] = now
        gone[user, written, numeric, tty] = now
    for session in sessions:
        ended.pop((session.user, session.type), None)
        gone.pop((session.user, session.written, session.numeric, session.tty), None)
    return before._replace(sessions=current, ended=_newest(ended), gone=_newest(gone))


def _young(times: dict[Key, float], now: float, seconds: float) -> dict[Key, float]:
    return {key: time for key, time in times.items() if 0 <= now - time < seconds}


def _newest(times: dict[Key, float]) -> dict[Key, float]:
    return dict(sorted(times.items(), key=lambda item: item[1])[-MAX_RECENT:])


def remember_faults(
    before: Volatile, faults: tuple[str, ...], now: float
) -> tuple[Volatile, tuple[str, ...]]:
    """Return what is to be remembered, and which of ``faults`` are to be said now.

    One that has not changed is said once and then once an hour.
    """
    due = tuple(
        fault
        for fault in dict.fromkeys(faults)
        if fault not in before.said or not 0 <= now - before.said[fault] < HOUR
    )
    said = {fault: now if fault in due else before.said[fault] for fault in faults}
    return before._replace(said=said), due


def parse_volatile(data: bytes, boot_id: str) -> Volatile:
    """Return what the file's bytes say, NOTHING where they are another boot's.

    Raises ValueError where they are no such file of this version, or not a whole one.
    """
    try:
        rows = list(
            csv.reader(io.StringIO(data.decode("utf-8", "surrogatepass"), newline=""), strict=True)
        )
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if not rows or rows[0][:-1] != HEADER:
        raise ValueError("not of this version")
    require_end(data)
    if rows[0][-1] != boot_id:
        return NOTHING
    found: dict[str, list[list[str]]] = {}
    for kind, *texts in rows[1:-1]:
        found.setdefault(kind, []).append(texts)
    # An older version had one text for from where a session is.
    sessions = {
        (ident, user, tty, type_, where[0], where[-1]): float(start)
        for ident, user, tty, type_, *where, start in found.get("session", ())
        if where
    }
    gone = {
        (user, where[0], where[-1], tty): float(time)
        for user, *where, tty, time in found.get("gone", ())
        if where
    }
    ended = {(user, type_): float(time) for user, type_, time in found.get("ended", ())}
    said = {fault: float(time) for fault, time in found.get("said", ())}
    return Volatile(
        None if NO_LOOK[0] in found else sessions, ended, gone, said, kept.from_rows(found)
    )


def format_volatile(volatile: Volatile, boot_id: str) -> bytes:
    """Return the file's content, from which parse_volatile makes ``volatile`` again.

    It is CSV: json would add a seventh of a bare interpreter's start to each run. Raises
    ValueError for what CSV cannot hold (NUL, before Python 3.11).
    """
    try:
        return _format(volatile, boot_id)
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _format(volatile: Volatile, boot_id: str) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    rows.writerow((*HEADER, boot_id))
    if volatile.sessions is None:
        rows.writerow(NO_LOOK)
    else:
        rows.writerows(("session", *key, start) for key, start in volatile.sessions.items())
    rows.writerows(("ended", *pair, time) for pair, time in volatile.ended.items())
    rows.writerows(("gone", *place, time) for place, time in volatile.gone.items())
    rows.writerows(("said", fault, time) for fault, time in volatile.said.items())
    rows.writerows(kept.to_rows(volatile.kept))
    data = text.getvalue().encode("utf-8", "surrogatepass")
    return data + end_of(data)


def load(directory: str, boot_id: str) -> Volatile:
    """Return what is remembered in ``directory``, NOTHING where there is no file.

    Raises OSError and ValueError where the file cannot be read.
    """
    try:
        data = read_regular(os.path.join(directory, FILE_NAME), MAX_BYTES)
    except FileNotFoundError:
        return NOTHING
    for known, volatile in last:
        if known == (data, boot_id):
            return volatile
    return parse_volatile(data, boot_id)


def save(directory: str, volatile: Volatile, boot_id: str) -> None:
    """Replace the file in ``directory``; what has no place there is forgotten. Raises OSError."""
    data = format_volatile(volatile, boot_id)
    if len(data) > MAX_BYTES:
        data, _ = within(data, SHARES)
        volatile = parse_volatile(data, boot_id)
    write_whole(os.path.join(directory, FILE_NAME), data, 0o600, for_owner=True)
    last[:] = [((data, boot_id), volatile)]


# The bytes saved last, for which boot, and what they say: a further look of a run need not parse
# them.
last: list[tuple[tuple[bytes, str], Volatile]] = []


def read_boot_id() -> str:
    """Return the kernel's id of this boot, '' where it cannot be read (random(4))."""
    try:
        with open(BOOT_ID, "rb") as file:  # as text it would cost an import
            return file.read().decode("ascii").strip()
    except (OSError, ValueError):
        return ""
