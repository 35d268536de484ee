"""`collect`: scan, write the file, log what is wrong; once, or several times in a minute."""

from __future__ import annotations

import errno
import os
import sys
import time

from textfile_users.collecting import USER, Wanted
from textfile_users.console import ERROR, NOTICE, WARNING, say
from textfile_users.counting import DROPPED
from textfile_users.deadline import COLLECTOR_SHARE, Overdue, within
from textfile_users.memory import Durable, Memory, Volatile
from textfile_users.metrics import SUMS, WHAT, families_of
from textfile_users.metrics.family import render_within
from textfile_users.paths import (
    LINKED_OUTPUT,
    REDACT_KEY,
    SERVICE_USER,
    TEXTFILE_DIRECTORIES,
    Paths,
)
from textfile_users.processes.procfs import read_boot_id
from textfile_users.reading.files import reason
from textfile_users.reading.text import printable, printable_lines
from textfile_users.record import Record
from textfile_users.scan import scan
from textfile_users.sessions.session import subject
from textfile_users.snapshot import Snapshot
from textfile_users.state_files import (
    DURABLE,
    NEVER_SAVED,
    Saved,
    close_lock,
    load_durable,
    load_volatile,
    open_lock,
    put_aside,
    save_durable,
    save_volatile,
    state_file,
    take_lock,
)
from textfile_users.writer import make_directory, write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from textfile_users.metrics.redaction import Hide

STDOUT = "-"
MINUTE = 60.0
HOUR = 3600.0
SAME_SECONDS = 60.0
MAX_FILE = 8 << 20  # bytes of the file that is written
# Faults of this scan, not of the state file: a later scan can read it.
PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)
MENDS = {
    errno.ENOENT: "; make its directory, or give --textfile-directory",
    errno.EACCES: "; its directory must be writable for this user",
    errno.EPERM: "; another user's file has its name: remove it, or give it to this user",
    errno.EROFS: "; if this is the service's file, see `textfile-users doctor`",
}
# Of the file that install's link leads to, whose directory is made at boot.
MEND_LINKED = "; run: systemd-tmpfiles --create textfile-users.conf"


class Options(Record):
    """What the command line asks of `collect`; times in seconds, ``now`` None for the clock."""

    paths: Paths
    output: str  # '' where no textfile directory is known
    waits: bool  # for another run to end, since this output was asked for by name
    state_directory: str
    runtime_directory: str
    metrics: tuple[str, ...] = ("users",)
    prefix: str = WHAT  # of that set
    excluded: Callable[[str], bool] | None = None
    timeout: float = 4.0
    repeat: int = 1
    interval: float = 5.0
    verbosity: int = 0
    now: float | None = None
    redacted: tuple[str, ...] = ()  # user, host, ip
    aggregate: bool = False  # nothing by user, session, address or account
    apart: int = 0  # seconds that must have passed since the last scan
    saves: bool = True  # the state, under its lock; else it is only read
    says_all: bool = False  # also what the last scan has said within the hour
    heir: tuple[int, int] | None = None  # uid and gid of whose the file becomes if root makes it
    wanted: Wanted = Wanted()


def collect(options: Options) -> int:
    """Look as often as asked and return the exit status: 0 where every file was written."""
    status = 0
    run = _Run(options)
    if options.apart:
        _wait_apart(options.output, options.apart, time.time, time.sleep)
    for _ in times_to_scan(options.repeat, options.interval, time.time, time.sleep):
        try:
            status = max(status, within(options.timeout, run.scan_once))
        except Overdue:
            say(ERROR, f"{options.output}: not written: timed out after {options.timeout:g} s")
            status = 1
        except Exception as error:
            if options.redacted:
                error.args = ()  # its text may hold what is not to be told
            raise
    return status


def _wait_apart(
    output: str, seconds: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> None:
    """Wait until ``seconds`` have passed since ``output`` was written."""
    try:
        age = clock() - os.stat(output).st_mtime
    except OSError:
        return
    if 0 <= age < seconds:
        sleep(seconds - age)


def times_to_scan(
    repeat: int, interval: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[int]:
    """Yield when it is time to scan: now, then at multiples of ``interval`` seconds.

    At most ``repeat`` times and only within the minute that began with the first; what a
    long scan has missed is not made up for.
    """
    yield 0
    if repeat == 1:
        return
    now = clock()
    end = now - now % MINUTE + MINUTE
    slot = now // interval
    for index in range(1, repeat):
        slot = max(slot, clock() // interval) + 1
        wait = slot * interval - clock()
        if slot * interval >= end or wait > interval:  # the latter: the clock was set back
            return
        sleep(max(0.0, wait))
        yield index


class _Run:
    """One run's scans, and what the state files held after the last of them."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._durable = self._volatile = NEVER_SAVED
        self._boot_id = read_boot_id()

    def scan_once(self) -> int:
        """Scan under the lock of the state directory, and return the exit status."""
        options = self._options
        faults: list[str] = []
        if not options.saves:
            return self._scan_locked(faults)
        # What is left of the time is for the scan itself.
        wait = options.timeout * (1 - COLLECTOR_SHARE) if options.waits else 0.0
        lock = open_lock(options.state_directory, faults)
        try:
            if lock < 0 or take_lock(lock, wait, faults):
                return self._scan_locked(faults)
        finally:
            close_lock(lock)
        if options.waits:
            say(
                ERROR,
                f"{options.output}: not written: another run has held the lock for {wait:g} s",
            )
            return 1
        if options.verbosity:
            say(NOTICE, "another run holds the lock")
        return 0

    def _scan_locked(self, faults: list[str]) -> int:
        options = self._options
        self._load_volatile(faults)
        before: Volatile = self._volatile.value
        now = time.time() if options.now is None else options.now
        try:
            self._load_durable(faults)
        except OSError as error:
            failure = f"{options.output}: not written: {error.filename}: {reason(error)}"
            self._tell([*faults, failure], failure, before, now)
            return 1
        memory = Memory(self._durable.value, before)
        clock = time.monotonic if options.now is None else _stopped_clock
        snapshot, after = scan(
            options.paths, now, options.wanted, memory, options.timeout, options.excluded, clock
        )
        faults.extend(snapshot.faults)
        # What the journal held may only be skipped next time if what was read of it is kept.
        volatile = after.volatile
        if options.saves and not self._save_durable(after.durable, faults):
            notes = volatile.auth._replace(asked=before.auth.asked)
            volatile = volatile._replace(auth=notes)
        snapshot, hide, failure = _redacted(options, snapshot)
        failure = failure or _write(options, snapshot)
        if failure:
            faults.append(failure)
        self._tell(faults, failure, volatile, now)
        if options.verbosity and hide:
            _say_details(options.verbosity, before, volatile, snapshot, hide)
        return 1 if failure else 0

    def _tell(self, faults: list[str], failure: str, after: Volatile, now: float) -> None:
        """Say the faults that are due, and save them with ``after``; `failure` is graver."""
        options = self._options
        all_faults = tuple(dict.fromkeys(map(printable, faults)))
        said, due = remember_faults(after.said, all_faults, now)
        after = after._replace(said=said)
        if after != self._volatile.value and options.saves:
            self._volatile = _save_volatile(options.runtime_directory, after, self._boot_id)
        for fault in all_faults if options.says_all or _is_terminal(sys.stderr) else due:
            say(ERROR if fault == printable(failure) else WARNING, fault)

    def _load_volatile(self, faults: list[str]) -> None:
        """Read what the last scan left; where it cannot be read nothing is remembered."""
        directory, known = self._options.runtime_directory, self._volatile
        try:
            self._volatile = load_volatile(directory, self._boot_id, known)
        except (OSError, ValueError) as error:
            why = _why(error, self._options)
            faults.append(f"{directory}: cannot read the saved state: {why}")
            self._volatile = Saved(b"", Volatile())

    def _load_durable(self, faults: list[str]) -> None:
        """Read what was counted; what cannot be read is put aside, and counting starts anew.

        Raises OSError where only this scan cannot read it: to start anew would lose what was
        counted.
        """
        options, known = self._options, self._durable
        directory = options.state_directory
        path = state_file(directory, DURABLE)
        try:
            try:
                self._durable = load_durable(directory, known)
            except OSError:  # one call may fail by accident
                self._durable = load_durable(directory, known)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in PASSING:
                raise OSError(error.errno, error.strerror, path) from error
            faults.append(f"{path}: {_why(error, options)}{_begin_anew(options)}")
            self._durable = Saved(b"", Durable())

    def _save_durable(self, after: Durable, faults: list[str]) -> bool:
        """Save what was counted, if anything changed; return whether it is saved."""
        directory = self._options.state_directory
        if self._durable.data and after == self._durable.value:
            return True
        try:
            self._durable = save_durable(directory, after)
        except OSError as error:
            faults.append(
                f"{directory}: cannot be written: {reason(error)}; see --state-directory. "
                "What was counted is counted again"
            )
            return False
        return True


def _why(error: OSError | ValueError, options: Options) -> str:
    """Return why a state file cannot be read; its content may not be told of."""
    if isinstance(error, OSError):
        return reason(error)
    return "damaged" if options.redacted else str(error)


def _begin_anew(options: Options) -> str:
    """Put the durable file aside, unless nothing is to be saved, and return what came of it."""
    if not options.saves:
        return "; counters begin anew in this file"
    try:
        return f"; it is now {put_aside(options.state_directory)}, and counting starts anew"
    except OSError as failed:
        return f", and it cannot be put aside: {reason(failed)}"


def remember_faults(
    said: dict[str, float], faults: tuple[str, ...], now: float
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return when each fault was said, and which of ``faults`` are to be said now.

    One that has not changed is said once and then once an hour.
    """
    due = tuple(
        fault
        for fault in dict.fromkeys(faults)
        if fault not in said or not 0 <= now - said[fault] < HOUR
    )
    return {fault: now if fault in due else said[fault] for fault in faults}, due


def say_if_due(runtime_directory: str, fault: str) -> None:
    """Say why there is no scan: once and then once an hour, as any other fault."""
    fault = printable(fault)
    boot_id = read_boot_id()
    try:
        before: Volatile = load_volatile(runtime_directory, boot_id).value
    except (OSError, ValueError):
        before = Volatile()
    said, due = remember_faults(before.said, (fault,), time.time())
    if due:
        say(ERROR, fault)
        _save_volatile(runtime_directory, before._replace(said=said), boot_id)


def _redacted(options: Options, snapshot: Snapshot) -> tuple[Snapshot, Hide | None, str]:
    """Return what may be shown of a snapshot and what hides a name, or why nothing may be."""
    if not options.redacted:
        return snapshot, _as_it_is, ""
    from textfile_users.metrics.redaction import hider, mend_of, read_key, redact

    try:
        key = read_key(REDACT_KEY)
    except OSError as error:
        from textfile_users.setup.service import find_service

        service = find_service()  # whose key it is, also where root asks
        owner = service.user if service else SERVICE_USER if os.geteuid() else "root"
        fault = f"{options.output}: not written: {REDACT_KEY}: {reason(error)}"
        return snapshot, None, f"{fault}; run: {mend_of(error, REDACT_KEY, owner)}"
    return redact(snapshot, options.redacted, key), hider(options.redacted, key), ""


def _as_it_is(_: str, text: str) -> str:
    return text


def _write(options: Options, snapshot: Snapshot) -> str:
    """Write the file; return '' or why it could not be written."""
    if not options.output:
        return (
            f"no textfile directory: none of {', '.join(TEXTFILE_DIRECTORIES)} is there; "
            "give --textfile-directory or --output"
        )
    names = (SUMS,) if options.aggregate else options.metrics
    families = (one for name in names for one in families_of(name, snapshot, options.prefix))
    text = render_within(families, MAX_FILE, DROPPED)
    try:
        if options.output == STDOUT:
            if os.isatty(1):  # which names must not steer
                text = printable_lines(text.decode()).encode()
            with open(1, "wb", closefd=False) as stdout:  # UTF-8, whatever the locale
                stdout.write(text)
        else:
            write_whole(options.output, text, 0o644, True, options.heir)
    except OSError as error:
        is_lost = error.errno == errno.ENOENT and options.output == LINKED_OUTPUT
        mend = MEND_LINKED if is_lost else MENDS.get(error.errno or 0, "")
        return f"{options.output}: not written: {reason(error)}{mend}"
    return ""


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _say_details(
    verbosity: int, before: Volatile, after: Volatile, snapshot: Snapshot, hide: Hide
) -> None:
    if verbosity > 1:
        for seen, why in snapshot.verdicts:
            say(NOTICE, f"{subject(seen)}: {why}")
        for text in snapshot.explained:
            say(NOTICE, text)
    known, now_known = before.sessions.known, after.sessions.known
    if known is None or now_known is None:
        return
    for word, one, other in (("ended", known, now_known), ("begun", now_known, known)):
        for key, start in one.items():
            # A clock that is set moves the start of what is known by its processes.
            if abs(other.get(key, float("inf")) - start) > SAME_SECONDS:
                ident, user, tty, type_, *_ = key
                who = f"{ident} of {hide(USER, user)}"
                say(NOTICE, f"session {word}: {who}, {type_} {tty}".rstrip())


def _save_volatile(directory: str, volatile: Volatile, boot_id: str) -> Saved:
    try:
        make_directory(directory)
        return save_volatile(directory, volatile, boot_id)
    except OSError as error:
        # Not among the faults remembered: it is why they cannot be.
        say(WARNING, f"{directory}: cannot be written: {reason(error)}; see --runtime-directory")
    except ValueError as error:
        say(WARNING, f"{directory}: cannot save the state: {error}")
    return NEVER_SAVED


def _stopped_clock() -> float:
    return 0.0
