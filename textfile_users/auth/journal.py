"""The systemd journal, read by journalctl(1), for hosts without log files.

It prints each entry as a line of JSON; its fields are those of systemd.journal-fields(7).
"""

from __future__ import annotations

import os
import time

from textfile_users.auth.journal_entry import (
    LOST,
    JournalEntry,
    JournalGap,
    boot_of,
    cursor_of,
    cursor_parts,
    fields_of,
    is_trusted,
    parse_entry,
)
from textfile_users.auth.journal_files import (
    JournalPosition,
    holds_all_since,
    read_id,
)
from textfile_users.auth.journal_trust import LOCAL, STORES, is_roots
from textfile_users.auth.journalctl import JSON, Refused, command_for, countdown, lines_of, run
from textfile_users.paths import Paths
from textfile_users.processes.procfs import read_boot_time
from textfile_users.reading.files import closing
from textfile_users.reading.text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from textfile_users.auth.journalctl import Clock, Countdown

MAX_WHOLE = 20  # messages that are read again, each by a journalctl: a user may log many


MICROSECOND = 1e-6  # the journal's resolution

# What PAM logs in the name of any program (libpam/pam_syslog.c: authpriv), of root's processes.
OF_PAM = ("SYSLOG_FACILITY=10", "_UID=0")


def entries(
    paths: Paths,
    position: JournalPosition,
    identifiers: Iterable[str],
    deadline: float,
    clock: Clock = time.monotonic,
    known: str = "",
) -> Generator[JournalEntry | JournalGap, None, None]:
    """Yield what the programs named ``identifiers`` logged behind ``position``, and PAM, in order.

    All was read when ends() said ``known``: where the position's entry has gone, but nothing
    behind that, there is no gap. ``advance`` says where to go on after each. A journalctl runs
    until the generator is closed, at most to ``deadline`` on ``clock``. Raises TimeoutError there,
    and OSError where journalctl fails or complains; what was yielded before is good in both cases.
    What was logged since the machine was booted comes last.
    """
    is_lost = False
    with closing(_find(paths, position, identifiers, countdown(deadline, clock))) as every:
        for found in every:
            if found == LOST:
                is_lost = True
                continue
            # Said once: with the first entry the position moves on.
            if is_lost and not holds_all_since(paths, known):
                yield LOST
            is_lost = False
            yield _seen(found) if paths.is_own_host and isinstance(found, JournalEntry) else found


def advance(position: JournalPosition, found: JournalEntry | JournalGap) -> JournalPosition:
    """Return the position behind ``found``, which was yielded when reading from ``position``."""
    if not found.cursor:
        return position
    return JournalPosition(found.cursor, found.time, max(found.time, position.newest))


def _seen(entry: JournalEntry) -> JournalEntry:
    """Return an entry of this host, not trusted where others may write its program's file."""
    exe = entry.exe
    if exe.startswith(STORES) and not os.path.lexists(exe):  # the garbage was collected since
        exe = "/".join(exe.split("/")[:3])
    is_writable = entry.exe.startswith(LOCAL) and not is_roots(exe)
    return entry._replace(trusted=False) if is_writable else entry


def _find(
    paths: Paths, position: JournalPosition, identifiers: Iterable[str], left: Countdown
) -> Generator[JournalEntry | JournalGap, None, None]:
    """Yield what ``entries`` does, and LOST wherever the cursor's entry is missed."""
    if position.cursor and not cursor_parts(position.cursor):
        yield LOST
        position = _by_time(position.time)
    names = tuple(identifiers)
    command = command_for(paths) if names else []  # all that is logged is too much
    if not command:
        return
    boot = read_id(paths, paths.proc("sys/kernel/random/boot_id"))
    if not boot or _is_in_boot(position, boot, paths):
        yield from _read(command, names, position, {boot}, left)
    else:
        yield from _read_boots(command, names, position, boot, left)


def _is_in_boot(position: JournalPosition, boot: str, paths: Paths) -> bool:
    if position.cursor:
        return boot_of(position.cursor) == boot
    began = read_boot_time(paths)
    return began is not None and began <= position.time


def _read(
    command: list[str],
    names: tuple[str, ...],
    position: JournalPosition,
    boots: set[str],
    left: Countdown,
) -> Generator[JournalEntry | JournalGap, None, None]:
    """Yield what ``boots``, all where there is none, logged behind ``position``."""
    more = [*_start(position), *_matches(names, boots)]
    behind = position.time - MICROSECOND / 2  # half of one, since floats are not exact
    whole = MAX_WHOLE
    try:
        with closing(run(command, more, left)) as lines:
            for line in _behind(lines, position.cursor):
                found = LOST if line is None else parse_entry(line)
                if whole and line and _is_long(found) and is_trusted(fields_of(line)):
                    whole -= 1
                    found = _parse_whole(command, found, left)
                if position.cursor or not 0 < found.time < behind:
                    yield found
    except Refused:
        if not position.cursor:
            raise
    else:
        return
    # A cursor that journalctl does not take is one whose entry has gone: time decides.
    yield LOST
    yield from _read(command, names, _by_time(position.time), boots, left)


def _matches(names: tuple[str, ...], boots: set[str]) -> list[str]:
    """Return what entries are asked for, in journalctl's words.

    Not --identifier, which would hold for both sides of the plus.
    """
    of_boots = [f"_BOOT_ID={boot}" for boot in sorted(boots) if boot]
    return [*(f"SYSLOG_IDENTIFIER={name}" for name in names), *of_boots, "+", *OF_PAM, *of_boots]


def _read_boots(
    command: list[str],
    names: tuple[str, ...],
    position: JournalPosition,
    boot: str,
    left: Countdown,
) -> Generator[JournalEntry | JournalGap, None, None]:
    """Yield what earlier boots logged behind ``position``, then what ``boot``, the last, did.

    journalctl puts boots in order by real time alone: one whose clock was behind would lie
    before the position, and boots read long ago behind it. Where it refuses to list the boots
    all are read, and the entries of these two passed over.
    """
    reached = boot_of(position.cursor)
    since, since_boot = position, position
    if reached:
        since = _by_time(max(position.newest, position.time))
        since_boot = JournalPosition("", 0.0)
    listed = _list_boots(command, left)
    if reached and (not listed or reached in listed):
        yield from _read(command, names, position, {reached}, left)
    elif reached:
        yield LOST
    others = listed - {reached, boot}
    if others or not listed:
        with closing(_read(command, names, since, others, left)) as every:
            for found in every:
                if not found.cursor or boot_of(found.cursor) not in (reached, boot):
                    yield found
    yield from _read(command, names, since_boot, {boot}, left)


def _list_boots(command: list[str], left: Countdown) -> set[str]:
    """Return the boots that the journal has entries of, none where that is refused.

    --field= alone: beside it systemd ignores what would limit the entries, and 262 refuses it.
    """
    plain = command[: command.index(JSON)]
    try:
        with closing(lines_of([*plain, "--field=_BOOT_ID"], left)) as lines:
            return set(map(decode, lines))
    except Refused:
        return set()


def _by_time(time: float) -> JournalPosition:
    return JournalPosition("", time + MICROSECOND)


def _start(position: JournalPosition) -> list[str]:
    # Not --after-cursor: systemd 252's skips one entry more where the cursor's has gone.
    if position.cursor:
        return [f"--cursor={position.cursor}"]
    # Whole seconds are what is documented.
    return [f"--since=@{int(position.time)}"] if position.time >= 1 else []


def _behind(lines: Iterator[bytes], cursor: str) -> Iterator[bytes | None]:
    """Yield the lines that follow the entry of ``cursor``, first None where that has gone.

    Where journald flushed its files to disk the entry has another sequence and number, and
    comes behind those of the same instant.
    """
    sought = cursor_parts(cursor)
    line = next(lines, None)
    if sought and not _is_at(line, sought, "bm"):
        yield None
    while sought and _is_at(line, sought, "bm"):
        is_found = _is_at(line, sought, "bmtx")
        line = next(lines, None)
        if is_found:
            break
    if line is not None:
        yield line
        yield from lines


def _is_at(line: bytes | None, sought: dict[str, str], names: str) -> bool:
    parts = cursor_parts(cursor_of(line or b""))
    return all(parts.get(name) == sought[name] for name in names)


def _is_long(found: JournalEntry | JournalGap) -> bool:
    return isinstance(found, JournalGap) and found.reason == "too-long"


def _parse_whole(
    command: list[str], found: JournalEntry | JournalGap, left: Countdown
) -> JournalEntry | JournalGap:
    """Return the entry of a message over the 4 KiB that journalctl shows, else ``found``.

    It is read again, but only of trusted programs: others' messages may have hundreds of
    megabytes, and to make JSON of them journalctl needs many times that.
    """
    with closing(run(command, ["--all", f"--cursor={found.cursor}"], left)) as lines:
        try:
            whole = parse_entry(next(lines, b""))
        except Refused:
            return found
    return whole if whole.cursor == found.cursor else found
