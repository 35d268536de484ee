"""Calls with a time limit: what comes back, what is left behind, and which thread does it."""

from __future__ import annotations

import _thread
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from textfile_users import deadline
from textfile_users.deadline import Overdue, newest_until, paced, within

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SOON = 0.05
LONG = 30.0


def test_what_a_call_returns_and_raises() -> None:
    def fail() -> None:
        raise ValueError("of the call")

    assert within(LONG, lambda: 7) == 7
    with pytest.raises(ValueError, match="of the call"):
        within(LONG, fail)


def test_calls_within_calls() -> None:
    assert within(LONG, lambda: within(LONG, lambda: 1) + within(LONG, lambda: 2)) == 3


def test_one_after_the_other_is_called_by_the_same_thread() -> None:
    """To start one for each call would cost a scan a tenth of a bare interpreter."""
    first = within(LONG, threading.get_ident)
    assert [within(LONG, threading.get_ident) for _ in range(5)] == [first] * 5
    assert first != threading.get_ident()


def test_who_hangs_is_left_behind() -> None:
    hang, back = threading.Event(), threading.Event()
    idents = []

    def read() -> None:
        idents.append(threading.get_ident())
        hang.wait(LONG)
        back.set()

    with pytest.raises(Overdue):
        within(SOON, read)
    assert within(LONG, threading.get_ident) not in idents
    hang.set()
    assert back.wait(LONG)


def test_a_child_starts_threads_of_its_own() -> None:
    """A fork leaves them behind: to give one of them a call would wait for nobody."""
    within(LONG, int)
    pid = os.fork()
    if not pid:
        try:
            os._exit(within(LONG, lambda: 42))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42


def test_the_newest_of_several_values() -> None:
    idents: list[int] = []

    def values() -> Iterator[int]:
        for number in range(4):
            idents.append(threading.get_ident())
            yield number

    assert newest_until(lambda: time.monotonic() + LONG, values()) == ([3], True)
    assert len(set(idents)) == 1, "all by one thread"
    assert newest_until(lambda: time.monotonic() + LONG, iter(())) == ([], True)


def test_the_end_moves_with_what_came() -> None:
    """Together they may take longer: a slow collector takes nothing from the next one."""
    ends = [time.monotonic() + 1.0]

    def values() -> Iterator[int]:
        for number in range(4):
            time.sleep(0.3)
            ends.append(time.monotonic() + 1.0)
            yield number

    assert newest_until(lambda: ends[-1], values()) == ([3], True)


def test_what_came_before_one_that_hangs_is_kept() -> None:
    """And nothing is asked for behind it, once it comes back."""
    hang = threading.Event()
    asked: list[str] = []

    def values() -> Iterator[str]:
        yield "first"
        hang.wait(LONG)
        yield "second"
        asked.append("third")

    end = time.monotonic() + 0.5
    newest, is_all = newest_until(lambda: end, values())
    assert (newest, is_all) == (["first"], False)
    within(LONG, int)  # by another thread
    hang.set()
    time.sleep(0.2)
    assert (newest, asked) == (["first"], [])


def test_what_they_raise_is_raised() -> None:
    def values() -> Iterator[int]:
        yield 1
        raise ValueError("of the second")

    with pytest.raises(ValueError, match="of the second"):
        newest_until(lambda: time.monotonic() + LONG, values())


def test_steps_end_at_the_deadline_and_are_kept_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step of 40 ms each: kept after three of them, but not where it may not be."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    closed: list[int] = []
    done = [0]

    def steps(may_be_kept: bool) -> Generator[bool, None, None]:
        try:
            for number in range(1, 11):
                now[0] += 0.04
                done[0] = number
                yield may_be_kept
        finally:
            closed.append(done[0])

    for may_be_kept, until, kept, is_done in (
        (True, 9.0, [3, 6, 9], True),
        (True, 0.2, [3], False),
        (False, 9.0, [], True),
        (False, 0.2, [], False),
    ):
        now[0], found = 0.0, []
        going = paced(steps(may_be_kept), until, lambda: done[0])
        try:
            while True:
                found.append(next(going))
        except StopIteration as stop:
            assert (found, stop.value) == (kept, is_done)
        assert closed[-1] == done[0], "and what they hold open is closed"


def test_without_a_thread_there_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """pthread_create(3) fails at a limit of processes, when one wants to know whose they are."""

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", fail)
    monkeypatch.setattr(deadline, "_waiting", [])
    assert within(0.0, threading.get_ident) == threading.get_ident()
    assert newest_until(lambda: 0.0, iter((1, 2))) == ([2], True)
