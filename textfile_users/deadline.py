"""How long a scan and its collectors may take; what hangs is left, and what had come is kept."""

from __future__ import annotations

import _thread
import os
import time

from textfile_users.collecting import AUTH, HISTORY, PROCESSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from typing import TypeVar

    from textfile_users.collecting import Wanted

    Value = TypeVar("Value")
    # What paced() goes through: each yields whether what was reached may be kept.
    Steps = Generator[bool, None, None]


class Overdue(Exception):
    """What was called has not come back in time."""


# Threads that wait for a next call: to start one costs as much as a small collector does.
_waiting: list[tuple[list[Callable[[], None]], _thread.LockType]] = []
os.register_at_fork(after_in_child=_waiting.clear)


def within(seconds: float, function: Callable[[], Value]) -> Value:
    """Return what ``function`` returns, or raise what it raises; Overdue after ``seconds``."""
    end = time.monotonic() + seconds
    values, is_all = newest_until(lambda: end, (function() for _ in range(1)))
    if not is_all:
        raise Overdue
    return values[0]


def newest_until(end: Callable[[], float], values: Iterator[Value]) -> tuple[list[Value], bool]:
    """Return the newest of ``values`` in a list, empty if none came, and whether all came.

    They are waited for as long as time.monotonic() is before what ``end`` says then, which may
    move while ``values`` are asked. Raises what they raise. Another thread asks, which is left
    behind where none comes, and then asks for no more: a read from a dead mount can be neither
    interrupted nor waited for. Where no thread can be started, as at a limit of processes, there is
    no limit of time: better than not at all.
    """
    newest: list[Value] = []
    errors: list[BaseException] = []
    turn = _thread.allocate_lock()
    is_given_up = False

    def ask() -> None:
        try:
            for value in values:
                with turn:
                    if is_given_up:
                        return
                    newest[:] = (value,)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    done = _call(ask)
    while not done.acquire(timeout=max(0.0, end() - time.monotonic())):
        with turn:
            is_given_up = time.monotonic() >= end()
        if is_given_up:
            return newest, False
    if errors:
        raise errors[0]
    return newest, True


def _call(function: Callable[[], None]) -> _thread.LockType:
    """Have another thread call a function, and return a lock that is released when it is through.

    Where no thread can be started it is called at once.
    """
    done = _thread.allocate_lock()
    done.acquire()

    def serve() -> None:
        function()
        _waiting.append(thread)
        done.release()

    try:
        thread = _waiting.pop() if _waiting else _start_thread()
    except RuntimeError:
        function()
        done.release()
    else:
        given, wake = thread
        given.append(serve)
        wake.release()
    return done


def _start_thread() -> tuple[list[Callable[[], None]], _thread.LockType]:
    """Start a thread that calls what it is given, each time it is woken."""
    given: list[Callable[[], None]] = []
    wake = _thread.allocate_lock()
    wake.acquire()

    def serve() -> None:
        while True:
            wake.acquire()
            given.pop()()

    _thread.start_new_thread(serve, ())
    return given, wake


# So often what a collector has reached is made a value that can be kept.
KEPT_SECONDS = 0.1


def paced(
    steps: Steps, deadline: float, reached: Callable[[], Value]
) -> Generator[Value, None, bool]:
    """Go through ``steps``, yield now and then what is ``reached``, return whether all are done.

    Between two steps all is of a piece: what was counted, and the position behind it; a step
    yields whether that may be kept. None is begun when time.monotonic() has passed ``deadline``.
    """
    due = time.monotonic() + KEPT_SECONDS
    try:
        for may_be_kept in steps:
            now = time.monotonic()
            if now >= deadline:
                return False
            if may_be_kept and now >= due:
                yield reached()
                due = time.monotonic() + KEPT_SECONDS
    finally:
        steps.close()
    return True


# Of the whole run's time a scan may take so much, and of that a collector.
SCAN_SHARE = 0.9
COLLECTOR_SHARE = 0.25
# More for a table, which is read at once or not at all, and for what comes last and may have
# much to catch up with; see docs/decisions.md.
SHARES = {PROCESSES: 0.75, AUTH: 0.75, HISTORY: 0.75}
LEAST_SHARE = 0.02  # what is left for each step that follows
# Of a collector's time, what it may begin a further block in.
READING_SHARE = 0.9


def seconds_of(collectors: Sequence[str], wanted: Wanted, timeout: float, left: float) -> float:
    """Return what the first of ``collectors`` may take: its share, if enough is left for others."""
    if not collectors:
        return timeout
    least = timeout * LEAST_SHARE
    share = timeout * share_of(collectors[0], wanted)
    return max(least, min(share, left - (len(collectors) - 1) * least))


def share_of(name: str, wanted: Wanted) -> float:
    """Return which part of a run's time a collector may take."""
    return SCAN_SHARE if wanted.backfill else SHARES.get(name, COLLECTOR_SHARE)
