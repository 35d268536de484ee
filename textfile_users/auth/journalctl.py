"""Running journalctl(1), with options that systemd 219 to 262 take, for a bounded time."""

from __future__ import annotations

import errno
import os
import time

from textfile_users.auth.journal_entry import MAX_CURSOR, TOO_LONG, from_cursor
from textfile_users.auth.journal_files import journals, last_written
from textfile_users.paths import Paths
from textfile_users.reading.files import closing
from textfile_users.reading.text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Clock = Callable[[], float]
    Countdown = Callable[[], float]


MAX_LINE = 1 << 20  # of JSON, in which a byte takes four at most
MINUTE = 60.0
MAX_SAID = 4 << 10
CHUNK = 64 << 10  # what a pipe holds
SIGKILL = 9  # the module signal imports enum
JSON = "--output=json"
# Left out where it is refused: before systemd 236 all fields are printed.
FIELDS = (
    "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID,_GID,_AUDIT_LOGINUID,_EXE,"
    "_COMM,_TRANSPORT"
)


class Refused(OSError):
    """journalctl failed before it printed anything, as where it does not take an option."""


def command_for(paths: Paths) -> list[str]:
    """Return the command that prints entries, none where there is nothing to look in."""
    plain = ["journalctl", "--no-pager", "--quiet"]
    if not paths.is_own_host:
        found = journals(paths)
        if not found:
            return []
        # One is all that journalctl takes: after a change of Storage= the other is left over.
        directory = max(found, key=last_written)[0]
        plain.append(f"--directory={directory}")
    return [*plain, JSON, FIELDS]


def run(command: list[str], more: list[str], left: Countdown) -> Generator[bytes, None, None]:
    """Yield what ``lines_of`` does; where all is refused FIELDS is taken out of ``command``."""
    try:
        yield from lines_of([*command, *more], left)
    except Refused:  # so nothing was yielded
        if FIELDS not in command:
            raise
    else:
        return
    command.remove(FIELDS)
    yield from lines_of([*command, *more], left)


def lines_of(argv: list[str], left: Countdown) -> Generator[bytes, None, None]:
    """Run ``argv`` and yield the lines it prints; a line over MAX_LINE is cut down."""
    rest = b""
    with closing(_output(argv, left)) as chunks:
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > MAX_LINE:
                rest = _cut_down(rest)


def _cut_down(line: bytes) -> bytes:
    """Return TOO_LONG and the cursor, or the end of a line in which it may still begin."""
    return TOO_LONG + (from_cursor(line) or line[-MAX_CURSOR:])


def _output(argv: list[str], left: Countdown) -> Generator[bytes, None, None]:
    """Run ``argv`` and yield what it prints, in chunks; it does not outlive the generator.

    Raises TimeoutError at the deadline, OSError where it fails or has something to say, of
    these Refused where it fails without having printed anything.
    """
    import select

    pid, out, err = _spawn(argv)
    is_running = True
    has_printed = False
    said = b""
    try:
        poller = select.poll()
        ends = {out, err}
        for end in ends:
            poller.register(end, select.POLLIN)
        while ends:
            for end, _ in poller.poll(min(left(), MINUTE) * 1000):
                chunk = os.read(end, CHUNK)
                if not chunk:
                    poller.unregister(end)
                    ends.remove(end)
                elif end == out:
                    has_printed = True
                    yield chunk
                else:
                    said = (said + chunk)[:MAX_SAID]
        status = _wait(pid, left)
        is_running = False
    finally:
        os.close(out)
        os.close(err)
        if is_running:
            os.kill(pid, SIGKILL)
            os.waitpid(pid, 0)
    if status or said:
        text = decode(said).strip().partition("\n")[0]
        kind = OSError if has_printed or status <= 0 else Refused
        raise kind(errno.EIO, text or f"ended with status {status}", argv[0])


def _spawn(argv: list[str]) -> tuple[int, int, int]:
    """Start ``argv`` and return its pid and the ends of its stdout and stderr to read from."""
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out_end, 1),
        (os.POSIX_SPAWN_DUP2, err_end, 2),
    ]
    try:
        pid = os.posix_spawnp(argv[0], argv, {**os.environ, "LC_ALL": "C"}, file_actions=actions)
    except OSError:
        os.close(out)
        os.close(err)
        raise
    finally:
        os.close(out_end)
        os.close(err_end)
    return pid, out, err


def _wait(pid: int, left: Countdown) -> int:
    """Return the exit status of a child that has closed its output, -N for signal N."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(min(0.001, left()))


def countdown(deadline: float, clock: Clock) -> Countdown:
    """Return a function that returns the seconds left, and raises TimeoutError without any."""

    def left() -> float:
        seconds = deadline - clock()
        if seconds <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "took too long", "journalctl")
        return seconds

    return left
