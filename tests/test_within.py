"""Calls with a time limit: what comes back, what is left behind, and which thread does it."""

from __future__ import annotations

import _thread
import os
import threading
import time

import pytest

from textfile_users import snapshot
from textfile_users.snapshot import Overdue, each_within, within

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
    """To start one for each call would cost a look a tenth of a bare interpreter."""
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


def test_each_call_has_the_whole_time() -> None:
    """Together they may take longer: a slow collector takes nothing from the next one."""
    calls: list[int] = []

    def slow() -> None:
        time.sleep(0.3)
        calls.append(threading.get_ident())

    assert each_within(1.0, [slow] * 4) == 4
    assert len(set(calls)) == 1, "by one thread"
    assert each_within(LONG, []) == 0


def test_after_one_that_hangs_none_is_called() -> None:
    hang, back = threading.Event(), threading.Event()
    calls: list[str] = []

    def read() -> None:
        hang.wait(LONG)
        back.set()

    assert each_within(0.5, [lambda: calls.append("first"), read, lambda: calls.append("x")]) == 1
    hang.set()
    assert back.wait(LONG)
    for _ in range(3):  # by the same thread, once it is free
        within(LONG, int)
    assert calls == ["first"]


def test_what_one_raises_ends_them_all() -> None:
    calls: list[str] = []

    def fail() -> None:
        raise ValueError("of the second")

    with pytest.raises(ValueError, match="of the second"):
        each_within(LONG, [lambda: calls.append("1"), fail, lambda: calls.append("3")])
    assert calls == ["1"]


def test_without_a_thread_there_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """pthread_create(3) fails at a limit of processes, when one wants to know whose they are."""

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", fail)
    monkeypatch.setattr(snapshot, "_waiting", [])
    assert within(0.0, threading.get_ident) == threading.get_ident()
    calls: list[int] = []
    assert each_within(0.0, [lambda: calls.append(1), lambda: calls.append(2)]) == 2
    assert calls == [1, 2]
