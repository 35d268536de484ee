"""Logins, logouts and boots that the host keeps: wtmp, wtmpdb, btmp, lastlog, lastlog2."""

from __future__ import annotations

import os

from textfile_users.accounts.account import account_names
from textfile_users.accounts.passwd import read_passwd
from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK, LogRead, Reports, SourceReport
from textfile_users.counting import BEGINNING, CLEAN, CRASH, Counting, Counts
from textfile_users.deadline import paced
from textfile_users.logins import MAX_LOGINS, WTMP, Login
from textfile_users.processes.procfs import (
    read_ancestors,
    read_boot_id,
    read_boot_time,
    read_processes,
)
from textfile_users.reading.files import UnreadableDatabase, open_regular, reason
from textfile_users.reading.position import NOWHERE, Position, is_at_rest, signature
from textfile_users.record import Record
from textfile_users.sessions.session import MAX_START_AFTER_LOGIN, is_terminal
from textfile_users.sessions.utmp import LAYOUTS, UtmpRecord, detect_layout, parse_utmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from textfile_users.collecting import Scan
    from textfile_users.deadline import Steps
    from textfile_users.history.wtmp import HistoryEntry
    from textfile_users.history.wtmpdb import WtmpdbPosition
    from textfile_users.sessions.session import Session


WTMPDB = "wtmpdb"
BTMP = "btmp"
LASTLOG = "lastlog"
LASTLOG2 = "lastlog2"
DAMAGED = "damaged in lastlog2"
# Who told of the last boots that the other of the two did not tell of yet, and when they were.
BOOT = "boot"
MAX_BOOTS = 1_000
KEPT_BOOTS = 4  # once all was read
SAME_BOOT = 120.0  # seconds: wtmp and wtmpdb have the time of one boot to within this
# Whether the host was up by the last record of wtmp or wtmpdb, or shut down.
STATE = "state by "
UP, DOWN = "up", "down"
# Processes of sshd that wrote the record of a name that is nobody's.
OPENED = "pids in btmp"
MAX_OPENED = 1_000
TOLD = "told in btmp"  # checksums of its last records
# For so long a login's process is looked for.
RECENT_SECONDS = 600.0
ROWS = 1_000  # of wtmpdb, in a step
SAMPLE = 64 << 10
TAIL = 384 * 400 * 8  # whole records of either size


class HistoryMemory(Record):
    """What was read of records, by the boot of ``boot_id``.

    ``records`` are positions by path, ``seen`` says by source what was there when it was read
    whole.
    """

    boot_id: str = ""
    records: dict[str, Position] = {}
    wtmpdb: WtmpdbPosition | None = None
    seen: dict[str, str] = {}


class HistoryFound(Record):
    """What records gave."""

    memory: HistoryMemory
    counts: Counts
    reports: Reports = Reports()


def collect_history(
    scan: Scan,
    before: HistoryMemory,
    counts: Counts,
    sessions: tuple[Session, ...] | None,
    log: LogRead,
    deadline: float,
) -> Iterator[HistoryFound]:
    """Read what the host's records have that was not read before, and count it.

    What they say of logins waits until the auth log is read: its events come first. Begins no
    further step once time.monotonic() has passed ``deadline``. Raises nothing but what is a
    fault of this program.
    """
    reading = _Reading(scan, before, counts, sessions, log.time)
    paths = scan.paths
    has_log = bool(log.source)
    reading.boot()
    if log.caught_up:
        is_complete = yield from paced(reading.read_logins(), deadline, reading.result)
        reading.look(patient=has_log, is_complete=is_complete)
    for source, path, read in (
        (BTMP, paths.btmp(), reading.skip_btmp if has_log else reading.read_btmp),
        (LASTLOG, paths.lastlog(), reading.read_lastlog),
        (LASTLOG2, paths.lastlog2(), reading.read_lastlog2),
    ):
        yield from paced(reading.guard(source, path, read), deadline, reading.result)
    yield reading.result()


class _Reading:
    """One scan's reading of records: from the state before it to that after it."""

    def __init__(
        self,
        scan: Scan,
        before: HistoryMemory,
        counts: Counts,
        sessions: tuple[Session, ...] | None,
        read_until: float,
    ) -> None:
        paths = scan.paths
        self.sources: list[SourceReport] = []
        self.faults: list[str] = []
        self._paths = paths
        self._now = scan.now
        # Of a first scan nothing counts, unless it is to count what is there.
        self._began = counts.began or (BEGINNING if scan.wanted.backfill else 0.0)
        self._sessions = sessions
        self._backfill = scan.wanted.backfill
        self._counting = Counting(
            counts, self._now, sessions or (), lambda: account_names(paths), read_until
        )
        self._records = dict(before.records)
        self._seen = dict(before.seen)
        self._wtmpdb = before.wtmpdb
        self._boot_id = before.boot_id
        self._boots = _boots(self._seen.get(BOOT, ""), counts.boot)
        self._reached: dict[str, float] = {}  # when the last record was that was read
        self._held: dict[str, list[HistoryEntry]] = {WTMP: [], WTMPDB: []}
        self._room = MAX_LOGINS // 2
        self._parents: dict[int, int] = {}  # of processes that wrote records

    def result(self) -> HistoryFound:
        """Return what was reached."""
        seen = dict(self._seen)
        if self._boots:
            seen[BOOT] = " ".join(f"{source}:{time}" for source, time in self._boots[-MAX_BOOTS:])
        success = all(source.status in (OK, ABSENT) for source in self.sources)
        return HistoryFound(
            HistoryMemory(self._boot_id, dict(self._records), self._wtmpdb, seen),
            self._counting.result()._replace(began=self._began),
            Reports(tuple(self.sources), tuple(self.faults), success),
        )

    def guard(self, source: str, path: str, read: Callable[[str], Steps]) -> Steps:
        """Read a source step by step, and report how that went."""
        given = path in (self._paths.wtmp_given, self._paths.btmp_given)
        status = OK
        try:
            if source in (WTMPDB, LASTLOG2):  # SQLite follows the text of links itself
                path = self._paths.resolved(path)
            os.stat(path)
            if not given:
                self._paths.require_inside(path)
            yield from read(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            status = BROKEN if given else ABSENT
            if given:
                self.faults.append(f"{path}: {reason(error)}")
        except UnreadableDatabase as error:
            status = BROKEN
            self.faults.append(f"{path}: {error}")
        except OSError as error:
            status = DENIED if isinstance(error, PermissionError) else BROKEN
            self.faults.append(f"{path}: {reason(error)}")
        finally:  # also where no further step is taken
            unusable: tuple[tuple[str, int], ...] = ()
            if source == LASTLOG2 and status == OK:
                unusable = (("damaged", int(self._seen.get(DAMAGED, "0"))),)
            self.sources.append(SourceReport(source, status, unusable=unusable))

    def boot(self) -> None:
        """Where another boot runs than before, end the logins of the old one."""
        boot_id = read_boot_id() if self._paths.is_own_host else ""
        if not boot_id:
            return
        if self._boot_id and self._boot_id != boot_id:
            booted = read_boot_time(self._paths)
            self._counting.logins.boot(float(booted) if booted else self._now)
        self._boot_id = boot_id

    def look(self, patient: bool, is_complete: bool) -> None:
        """Take the sessions of this scan, and count what no event covered."""
        logins = self._counting.logins
        if self._sessions is not None:
            led = tuple(
                one._replace(leader=self._leader_of(one.user, one.leader, one.start))
                if one.leader > 1 and not logins.knows(one.user, one.leader)
                else one
                for one in self._sessions
            )
            logins.look(led, self._now, self._living)
            for session in self._sessions:
                if session.start and session.is_login:
                    self._counting.last_login(session.user, session.start)
        logins.settle(self._now, patient, self._began or self._now)
        if is_complete:  # else what is ended here may have records still to be read
            logins.forget(self._now)
            del self._boots[:-KEPT_BOOTS]
            # A host that runs the program is up, whatever its records lack.
            if self._paths.wtmp() in self._records:
                self._seen.setdefault(STATE + WTMP, UP)
            if self._wtmpdb is not None:
                self._seen.setdefault(STATE + WTMPDB, UP)

    def _make_room(self, steps: Iterable[str]) -> None:
        """Count what was read, and forget what nothing that the ``steps`` read can tell of."""
        logins = self._counting.logins
        if len(logins) > self._room:
            logins.settle(self._now, False, self._began or self._now)
            logins.forget(min([self._next(source) for source in steps], default=self._now))
            self._room = max(MAX_LOGINS // 2, len(logins) + MAX_LOGINS // 4)

    def _next(self, source: str) -> float:
        """Return from when on a source has more, as far as its records stand in order."""
        held = self._held[source]
        return held[0].time if held else self._reached.get(source, 0.0)

    def _living(self, pids: set[int]) -> set[int]:
        """Return those of ``pids`` that may live: all of them, where that is not known."""
        processes, _ = read_processes(self._paths, pids, {})
        return pids if processes is None else set(processes)

    def _is_alive(self, login: Login) -> bool:
        """Return whether a login's process is known to live; one that is hidden is not known."""
        processes, _ = read_processes(self._paths, {login.pid}, {})
        process = (processes or {}).get(login.pid)
        if process is None or not process.comm:
            return False
        # Else it is another one with the same pid.
        return process.start is None or process.start <= login.start + MAX_START_AFTER_LOGIN

    def read_logins(self) -> Steps:
        """Read wtmp and wtmpdb, and take what they tell of by its time: a login may be in both."""
        steps = {
            WTMP: self.guard(WTMP, self._paths.wtmp(), self.read_wtmp),
            WTMPDB: self.guard(WTMPDB, self._paths.wtmpdb(), self.read_wtmpdb),
        }
        try:
            while steps:
                for source in tuple(steps):
                    if not self._held[source] and next(steps[source], None) is None:
                        del steps[source]
                self._take_held(steps)
                self._make_room(steps)
                yield not any(self._held.values())
        finally:
            self._take_held(())
            for one in steps.values():
                one.close()

    def _take_held(self, unread: Iterable[str]) -> None:
        """Take the entries that were read, the order in each source as it is.

        Those behind which something ``unread`` may still belong wait.
        """
        one, other = self._held[WTMP], self._held[WTMPDB]
        first = second = 0
        while first < len(one) or second < len(other):
            if first < len(one) and second < len(other):
                is_first = one[first].time <= other[second].time
            else:
                is_first = first < len(one)
                if (WTMPDB if is_first else WTMP) in unread:
                    break
            if is_first:
                self._take(WTMP, one[first])
                first += 1
            else:
                self._take(WTMPDB, other[second])
                second += 1
        del one[:first], other[:second]

    def read_wtmp(self, path: str) -> Steps:
        """Read on in wtmp; on a first scan only who logged in last."""
        layout = self._layout(path)
        unit = LAYOUTS[layout].size
        if path not in self._records and not self._backfill:
            for entry in _entries(parse_utmp(_tail(path, unit), layout).records):
                self._note_state(WTMP, entry)
                if entry.event == "login":
                    self._counting.last_login(entry.user, entry.time)
            self._records[path] = _end(path, unit)
        yield from self._blocks(
            WTMP, path, layout, lambda records: self._held[WTMP].extend(_entries(records))
        )

    def read_wtmpdb(self, path: str) -> Steps:
        """Read on in wtmpdb; on a first scan only who logged in last."""
        from textfile_users.history.wtmpdb import (
            WtmpdbPosition,
            last_logins,
            newest_wtmpdb,
            open_logins,
            read_wtmpdb,
        )

        if self._wtmpdb is None and not self._backfill:
            self._take_last(last_logins(path))
            self._wtmpdb = newest_wtmpdb(path)
            self._held[WTMPDB].extend(open_logins(path))
        is_whole = False
        while not is_whole:
            found = read_wtmpdb(path, self._wtmpdb or WtmpdbPosition(), ROWS)
            self._held[WTMPDB].extend(found.entries)
            self._counting.skipped(WTMPDB, (("damaged", found.damaged),))
            self._wtmpdb = found.position
            self._reached[WTMPDB] = found.position.last_login / 1e6
            is_whole = found.complete
            yield True

    def skip_btmp(self, path: str) -> Steps:
        """Remember how far btmp goes: a log tells of what it holds."""
        status = os.stat(path)
        held = f"{status.st_ino}:{status.st_size}"
        if self._seen.get(BTMP) != held and os.access(path, os.R_OK):
            self._records[path] = _end(path, LAYOUTS[self._layout(path)].size)
            self._seen[BTMP] = held
        yield True

    def read_btmp(self, path: str) -> Steps:
        """Read on in btmp: no log can be read."""
        layout = self._layout(path)
        if path not in self._records and not self._backfill:
            self._records[path] = _end(path, LAYOUTS[layout].size)
        yield from self._blocks(BTMP, path, layout, self._take_failures)

    def read_lastlog(self, path: str) -> Steps:
        """Read the last logins, if any is new."""
        from textfile_users.history.lastlog import read_lastlog

        if self._is_new(LASTLOG, path):
            self._take_last(read_lastlog(path, read_passwd(self._paths).by_uid))
        yield True

    def read_lastlog2(self, path: str) -> Steps:
        """Read the last logins, if any is new."""
        from textfile_users.history.lastlog import read_lastlog2

        if self._is_new(LASTLOG2, path):
            last, damaged = read_lastlog2(path)
            self._take_last(last)
            self._seen[DAMAGED] = str(damaged)
        yield True

    def _take_last(self, last: dict[str, float]) -> None:
        for user, seconds in last.items():
            self._counting.last_login(user, seconds)

    def _is_new(self, source: str, path: str) -> bool:
        now = signature(path)
        if now and self._seen.get(source) == now:
            return False
        self._seen[source] = now
        return True

    def _take(self, source: str, entry: HistoryEntry) -> None:
        logins = self._counting.logins
        if entry.event == "boot":
            self._take_boot(source, entry)
        self._note_state(source, entry)
        if entry.event in ("boot", "shutdown"):
            logins.boot(entry.time, source)
        elif entry.event == "logout":
            logins.end_by_record(entry.tty, entry.key, entry.time, self._is_alive)
        else:
            login = _login(source, entry, self._leader_of(entry.user, entry.pid, entry.time))
            if source == WTMP or is_terminal(login.tty):  # PAM has words for terminals, `ftp`
                logins.succeed(login, self._is_alive)
            logins.recorded(login)

    def _note_state(self, source: str, entry: HistoryEntry) -> None:
        """Remember whether the host is up; of a log's beginning nothing is known."""
        if entry.event in ("boot", "shutdown"):
            self._seen[STATE + source] = UP if entry.event == "boot" else DOWN
        else:
            self._seen.setdefault(STATE + source, UP)

    def _take_boot(self, source: str, entry: HistoryEntry) -> None:
        """Count a boot, once for what wtmp and wtmpdb say of it.

        Of a host that was up before it nobody recorded a shutdown.
        """
        time = entry.time
        same = [one for one in self._boots if one[0] != source and abs(one[1] - time) < SAME_BOOT]
        if same:
            self._boots.remove(min(same, key=lambda one: abs(one[1] - time)))
        else:
            self._boots.append((source, time))
            kind = CRASH if self._seen.get(STATE + source) == UP else CLEAN
            self._counting.boot(time, entry.type or kind)

    def _leader_of(self, user: str, pid: int, time: float) -> int:
        """Return the leader of a known login that a login's process descends from, else its pid.

        A further terminal of an SSH connection has a record of its own, root's with the
        shell's pid; login(1) forks between what PAM says and its record.
        """
        logins = self._counting.logins
        is_recent = abs(self._now - time) < RECENT_SECONDS
        if pid and is_recent and not logins.knows(user, pid):
            for ancestor in read_ancestors(self._paths, pid, self._parents):
                if logins.knows(user, ancestor):
                    return ancestor
        return pid

    def _blocks(
        self, source: str, path: str, layout: str, take: Callable[[tuple[UtmpRecord, ...]], None]
    ) -> Steps:
        """Take the sound records behind the position in a file, block by block."""
        before, unit = self._records.get(path, NOWHERE), LAYOUTS[layout].size
        if is_at_rest(path, before):
            return
        from textfile_users.reading.follow import blocks

        for block in blocks(path, before, unit):
            found = parse_utmp(block.data, layout)
            take(found.records)
            if found.records:
                self._reached[source] = found.records[-1].time
            self._counting.skipped(source, (*block.skipped, ("damaged", found.damaged)))
            self._records[path] = block.position
            yield True

    def _take_failures(self, records: Iterable[UtmpRecord]) -> None:
        """Count btmp's records as the attempts that they are."""
        from textfile_users.history.btmp import failures

        opened, told = _times(self._seen.get(OPENED, "")), _times(self._seen.get(TOLD, ""))
        for event in failures(records, account_names(self._paths), opened, told):
            self._counting.take(event)
        self._seen[OPENED] = _text(opened)
        # One that is the same may still come, but not a second later.
        self._seen[TOLD] = _text({k: v for k, v in told.items() if v > max(told.values()) - 1})

    def _layout(self, path: str) -> str:
        """Return the layout of a file of records: found once, when there are some."""
        key = "layout of " + path
        if key not in self._seen:
            data = _sample(path)
            layout = detect_layout(data)
            if not data:
                return layout
            self._seen[key] = layout
        return self._seen[key]


def _boots(text: str, last: float) -> list[tuple[str, float]]:
    """Return what the state says of boots; of the last one an older state has the source alone."""
    pairs = [word.partition(":") for word in text.split()]
    return [(source, float(time) if colon else last) for source, colon, time in pairs]


def _login(source: str, entry: HistoryEntry, pid: int) -> Login:
    return Login(
        source,
        entry.user,
        entry.type,
        entry.service,
        pid,
        entry.tty,
        entry.ip,
        0,
        entry.time,
        key=entry.key,
    )


def _times(text: str) -> dict[int, float]:
    """Return times by number."""
    words = [word.partition(":") for word in text.split()]
    return {int(number): float(time) for number, _, time in words}


def _text(times: dict[int, float]) -> str:
    """Return as text what _times() reads, the newest MAX_OPENED of it."""
    return " ".join(f"{number}:{time}" for number, time in list(times.items())[-MAX_OPENED:])


def _entries(records: Iterable[UtmpRecord]) -> Iterator[HistoryEntry]:
    """Yield the entries of wtmp's records; most scans find none, and are spared the import."""
    from textfile_users.history.wtmp import entries

    return entries(records)


def _end(path: str, unit: int) -> Position:
    from textfile_users.reading.follow import end  # few scans read any record

    return end(path, unit)


def _sample(path: str) -> bytes:
    descriptor = open_regular(path)
    try:
        return os.read(descriptor, SAMPLE)
    finally:
        os.close(descriptor)


def _tail(path: str, unit: int) -> bytes:
    """Return the last whole records of a file."""
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size // unit * unit
        return os.pread(descriptor, min(size, TAIL), max(0, size - TAIL))
    finally:
        os.close(descriptor)
