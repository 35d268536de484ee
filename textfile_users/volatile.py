"""What one look tells the next: sessions seen, and faults already said.

It lies on tmpfs where there is one, carries the boot id, and may vanish at any time.
"""

import json
import os
from typing import NamedTuple, Optional

from textfile_users.model import Session
from textfile_users.sources.files import read_regular
from textfile_users.writer import write_whole

VERSION = 1
FILE_NAME = "volatile.json"
MAX_BYTES = 64 << 20
HOUR = 3600.0
MAX_RECENT = 1_000


class Volatile(NamedTuple):
    """What is remembered.

    ``sessions`` maps (id, user, tty, type) to the session's start; it is None before the
    first look. ``ended`` maps (user, type) to the time of the look that missed it first,
    ``said`` a fault to the time when it was said; times are seconds since the epoch.
    """

    sessions: Optional[dict[tuple[str, str, str, str], float]]
    ended: dict[tuple[str, str], float]
    said: dict[str, float]


NOTHING = Volatile(None, {}, {})


def remember_sessions(
    before: Volatile, sessions: Optional[tuple[Session, ...]], now: float
) -> Volatile:
    """Return what is to be remembered after a look that found ``sessions`` at time ``now``."""
    ended = {pair: time for pair, time in before.ended.items() if 0 <= now - time < HOUR}
    if sessions is None:  # not known: nothing began and nothing ended
        return before._replace(ended=ended)
    current = {(s.id, s.user, s.tty, s.type): s.start for s in sessions}
    open_pairs = {(s.user, s.type) for s in sessions}
    for _, user, _, type_ in before.sessions or ():
        if (user, type_) not in open_pairs:
            ended[user, type_] = now
    newest = sorted(
        ((pair, time) for pair, time in ended.items() if pair not in open_pairs),
        key=lambda item: item[1],
    )
    return before._replace(sessions=current, ended=dict(newest[-MAX_RECENT:]))


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

    Raises ValueError where they are no such file of this version.
    """
    try:
        content = json.loads(data)
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']!r} is not known")
        if content["boot_id"] != boot_id:
            return NOTHING
        rows = content["sessions"]
        sessions = None if rows is None else {_texts(r[:4], 4): float(r[4]) for r in rows}
        ended = {_texts(row[:2], 2): float(row[2]) for row in content["ended"]}
        said = {str(fault): float(time) for fault, time in content["said"].items()}
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the expected content: {error!r}") from error
    return Volatile(sessions, ended, said)  # type: ignore[arg-type]


def format_volatile(volatile: Volatile, boot_id: str) -> bytes:
    """Return the file's content, from which parse_volatile makes ``volatile`` again."""
    sessions = volatile.sessions
    content = {
        "version": VERSION,
        "boot_id": boot_id,
        "sessions": None if sessions is None else [[*key, sessions[key]] for key in sessions],
        "ended": [[*pair, time] for pair, time in volatile.ended.items()],
        "said": volatile.said,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def load(directory: str, boot_id: str) -> Volatile:
    """Return what is remembered in ``directory``, NOTHING where there is no file.

    Raises OSError and ValueError where the file cannot be read.
    """
    try:
        data = read_regular(os.path.join(directory, FILE_NAME), MAX_BYTES)
    except FileNotFoundError:
        return NOTHING
    return parse_volatile(data, boot_id)


def save(directory: str, volatile: Volatile, boot_id: str) -> None:
    """Replace the file in ``directory``. Raises OSError."""
    write_whole(os.path.join(directory, FILE_NAME), format_volatile(volatile, boot_id), 0o600)


def read_boot_id() -> str:
    """Return the kernel's id of this boot, '' where it cannot be read (random(4))."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _texts(values: list[object], count: int) -> tuple[str, ...]:
    if len(values) != count or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{count} texts expected")
    return tuple(values)  # type: ignore[arg-type]
